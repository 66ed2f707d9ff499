/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_program.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/steer/steer_plan.h"

static const char verdict_letters[] = {
	[STEER_ACCEPT] = 'a',
	[STEER_DROP] = 'd',
	[STEER_PROTECT] = 'p',
	[STEER_GOT_CLEAR] = 'c',
	[STEER_PASS] = 'n',
	[STEER_AUDIT] = 'u',
	[STEER_MISMATCH] = 'm',
	[STEER_GOT_SECURE] = 's',
};

static const char *const verdict_names[] = {
	[STEER_ACCEPT] = "accept",
	[STEER_DROP] = "drop",
	[STEER_PROTECT] = "protect",
	[STEER_GOT_CLEAR] = "got-clear",
	[STEER_PASS] = "pass",
	[STEER_AUDIT] = "audit",
	[STEER_MISMATCH] = "mismatch",
	[STEER_GOT_SECURE] = "got-secure",
};

int steer_lines_add(struct steer_lines *lines, const struct steer_line *line)
{
	if (lines->count == lines->room) {
		size_t room = lines->room ? lines->room * 2 : 64;
		struct steer_line *more = reallocarray(lines->lines, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		lines->lines = more;
		lines->room = room;
	}
	lines->lines[lines->count++] = *line;
	return 0;
}

/* What the first alternative says for sending, what any alternative allows for receiving. */
static enum steer_verdict rule_verdict(const struct rule *rule, enum direction direction)
{
	if (direction == DIRECTION_OUT) {
		if (rule_is_bypass(rule))
			return STEER_ACCEPT;
		return rule_is_discard(rule) ? STEER_DROP : STEER_PROTECT;
	}
	if (rule_has_bypass(rule))
		return STEER_ACCEPT;
	return rule_is_discard(rule) ? STEER_DROP : STEER_GOT_CLEAR;
}

static void line_from_selector(
	struct steer_line *line, const struct selector *sel, enum direction direction)
{
	bool out = direction == DIRECTION_OUT;

	line->family = sel->family;
	if (sel->local.addr.family != AF_UNSPEC)
		line->family = sel->local.addr.family;
	if (sel->remote.addr.family != AF_UNSPEC)
		line->family = sel->remote.addr.family;
	line->protocol = sel->protocol;
	line->has_type = sel->has_icmp_type;
	line->type_low = sel->icmp_type_low;
	line->type_high = sel->icmp_type_high;
	line->has_code = sel->has_icmp_code;
	line->code_low = sel->icmp_code_low;
	line->code_high = sel->icmp_code_high;
	line->src = out ? sel->local : sel->remote;
	line->dst = out ? sel->remote : sel->local;
	line->sport = out ? sel->local_port : sel->remote_port;
	line->dport = out ? sel->remote_port : sel->local_port;
	line->sport_last = out ? sel->local_port_last : sel->remote_port_last;
	line->dport_last = out ? sel->remote_port_last : sel->local_port_last;
}

static int number_of(
	struct steer_program *program, const struct action *action, uint8_t *ret_number)
{
	struct action *more;

	for (size_t i = 0; i < program->n_actions; i++) {
		if (action_equal(&program->actions[i], action)) {
			*ret_number = (uint8_t)(i + 1);
			return 0;
		}
	}
	*ret_number = STEER_ACTION_OTHER;
	if (program->n_actions + 1 == STEER_ACTION_OTHER)
		return 0;
	more = reallocarray(program->actions, program->n_actions + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	program->actions = more;
	program->actions[program->n_actions++] = *action;
	*ret_number = (uint8_t)program->n_actions;
	return 0;
}

/* Numbers for what the rule's alternatives ask for. */
static int number_actions(
	struct steer_program *program, const struct rule *rule, struct steer_line *line)
{
	uint8_t *more;
	int r = 0;

	more = realloc(program->alternatives, program->n_alternatives + rule->n_actions);
	if (!more)
		return -ENOMEM;
	program->alternatives = more;
	line->alternatives_at = (uint32_t)program->n_alternatives;
	for (size_t i = 0; i < rule->n_actions && r == 0; i++) {
		uint8_t number = 0;

		if (rule->actions[i].kind != ACTION_PROTECT)
			continue;
		r = number_of(program, &rule->actions[i], &number);
		program->alternatives[program->n_alternatives++] = number;
		line->n_alternatives++;
		if (i == 0)
			line->action = number;
	}
	return r;
}

static struct steer_lines *lines_of(
	struct steer_program *program, const struct rule *rule, enum direction direction)
{
	if (rule->audit)
		return direction == DIRECTION_OUT ? &program->audit_out.lines
						  : &program->audit_in.lines;
	return direction == DIRECTION_OUT ? &program->out : &program->in;
}

static int compile_rule(
	struct steer_program *program, const struct rule *rule, enum direction direction)
{
	static const uint8_t ported[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	struct steer_lines *lines = lines_of(program, rule, direction);
	struct steer_line line = { .rule_id = rule->id, .verdict = rule_verdict(rule, direction) };
	int r = number_actions(program, rule, &line);

	if (r < 0)
		return r;
	line_from_selector(&line, &rule->selector, direction);
	if (rule->audit)
		line.verdict = line.verdict == STEER_ACCEPT ? STEER_PASS : STEER_AUDIT;
	else if (direction == DIRECTION_OUT && line.verdict != STEER_ACCEPT)
		program->diverts = true;
	if (line.has_type || line.has_code) {
		/* Types are those of the family's own ICMP: the other family's protocol has none. */
		if (line.protocol != IPPROTO_ICMP && line.protocol != IPPROTO_ICMPV6)
			return 0;
		line.family = line.protocol == IPPROTO_ICMP ? AF_INET : AF_INET6;
	}
	if ((line.sport || line.dport) && line.protocol == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(ported) && r == 0; i++) {
			line.protocol = ported[i];
			r = steer_lines_add(lines, &line);
		}
		return r;
	}
	return steer_lines_add(lines, &line);
}

static int compile_rules(struct steer_program *program, struct rule *const *rules, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		const struct rule *rule = rules[i];

		if (rule->tunnel[0] != '\0')
			continue; /* what enters a tunnel's device is judged in the engine */
		if (rule->directions & DIRECTION_BIT_OUT)
			r = compile_rule(program, rule, DIRECTION_OUT);
		if (r == 0 && rule->directions & DIRECTION_BIT_IN)
			r = compile_rule(program, rule, DIRECTION_IN);
	}
	return r;
}

int steer_compile(const struct spd *spd, struct steer_program **ret_program)
{
	CLEANUP(steer_program_freep) struct steer_program *program = calloc(1, sizeof(*program));
	int r = 0;

	if (!program)
		return -ENOMEM;
	if (spd) {
		r = compile_rules(program, spd->rules, spd->count);
		if (r == 0)
			r = compile_rules(program, spd->audit, spd->n_audit);
	}
	if (r == 0)
		r = steer_plan_new(&program->out, true, &program->out_plan);
	if (r == 0)
		r = steer_plan_new(&program->in, false, &program->in_plan);
	if (r == 0)
		r = steer_plan_new(&program->audit_out.lines, true, &program->audit_out.plan);
	if (r == 0)
		r = steer_plan_new(&program->audit_in.lines, false, &program->audit_in.plan);
	if (r < 0)
		return r;
	*ret_program = STEAL(program);
	return 0;
}

struct steer_program *steer_program_free(struct steer_program *program)
{
	if (!program)
		return NULL;
	steer_plan_free(program->audit_out.plan);
	steer_plan_free(program->audit_in.plan);
	free(program->audit_out.lines.lines);
	free(program->audit_in.lines.lines);
	steer_plan_free(program->out_plan);
	steer_plan_free(program->in_plan);
	free(program->alternatives);
	free(program->actions);
	free(program->out.lines);
	free(program->in.lines);
	free(program);
	return NULL;
}

static void print_port(const char *word, uint16_t port, uint16_t last, struct text *text)
{
	if (port && last)
		text_addf(text, "%s %u-%u", word, port, last);
	else if (port)
		text_addf(text, "%s %u", word, port);
}

static void print_protocol(const struct steer_line *line, struct text *text)
{
	if (line->protocol == IPPROTO_TCP || line->protocol == IPPROTO_UDP)
		text_add(text, line->protocol == IPPROTO_TCP ? " tcp" : " udp");
	else if (line->protocol)
		text_addf(text, " proto %u", line->protocol);
	print_port(" sport", line->sport, line->sport_last, text);
	print_port(" dport", line->dport, line->dport_last, text);
	if (line->has_type)
		text_addf(text, " type %u-%u", line->type_low, line->type_high);
	if (line->has_code)
		text_addf(text, " code %u-%u", line->code_low, line->code_high);
}

static void print_line(const struct steer_line *line, const char *direction, struct text *text)
{
	char prefix[PREFIX_TEXT_MAX], id[RULE_ID_TEXT_MAX];

	text_add(text, direction);
	if (line->family != AF_UNSPEC)
		text_add(text, line->family == AF_INET ? " ip" : " ip6");
	if (line->src.addr.family != AF_UNSPEC)
		text_addf(text, " saddr %s", prefix_format(&line->src, prefix));
	if (line->dst.addr.family != AF_UNSPEC)
		text_addf(text, " daddr %s", prefix_format(&line->dst, prefix));
	print_protocol(line, text);
	text_addf(text, " -> %s %s\n", verdict_names[line->verdict],
		rule_id_format(line->rule_id, id));
}

void steer_program_print(const struct steer_program *program, struct text *text)
{
	if (program->diverts)
		text_add(text, "out source-routed -> protect\n");
	for (size_t i = 0; i < program->out.count; i++)
		print_line(&program->out.lines[i], "out", text);
	for (size_t i = 0; i < program->in.count; i++)
		print_line(&program->in.lines[i], "in", text);
	for (size_t i = 0; i < program->audit_out.lines.count; i++)
		print_line(&program->audit_out.lines.lines[i], "out", text);
	for (size_t i = 0; i < program->audit_in.lines.count; i++)
		print_line(&program->audit_in.lines.lines[i], "in", text);
}

const char *steer_counter_name(
	const struct steer_line *line, bool outbound, char ret_name[static STEER_COUNTER_MAX])
{
	char id[RULE_ID_TEXT_MAX];
	int r;

	ret_name[0] = '\0';
	if (line->verdict == STEER_PROTECT || line->verdict == STEER_PASS)
		return ret_name;
	r = text_fixed(ret_name, STEER_COUNTER_MAX, "%c%c%s", outbound ? 'o' : 'i',
		verdict_letters[line->verdict], rule_id_format(line->rule_id, id));
	if (r < 0)
		ret_name[0] = '\0';
	return ret_name;
}

bool steer_counter_parse(const char *name, bool *ret_outbound, enum steer_verdict *ret_verdict,
	uint64_t *ret_rule_id)
{
	const char *letter;
	uint64_t id = 0;

	if (strlen(name) != 18 || (name[0] != 'o' && name[0] != 'i'))
		return false;
	letter = memchr(verdict_letters, name[1], sizeof(verdict_letters));
	if (!letter)
		return false;
	for (size_t i = 2; i < 18; i++) {
		int digit = hex_digit(name[i]);

		if (digit < 0)
			return false;
		id = id << 4 | (uint64_t)digit;
	}
	*ret_outbound = name[0] == 'o';
	*ret_verdict = (enum steer_verdict)(letter - verdict_letters);
	*ret_rule_id = id;
	return true;
}
