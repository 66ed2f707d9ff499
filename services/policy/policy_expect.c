/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expectations: comment lines that say what the policy shall do with a packet. They are held
 * against the rules of the text before those are given to anybody.
 *
 *	#expect [tunnel NAME] in|out|forward PACKET [about PACKET] ipsec|bypass|drop|none ["RULE"]
 */
#include <errno.h>
#include <string.h>

#include "common/spd/spd_explain.h"
#include "services/policy/policy_parser.h"

static const char expect_word[] = "#expect";

struct expectation {
	struct conf_loc flow_at, verdict_at, rule_at; /* rule_at.line 0: no rule was named */
	struct spd_query query;
	enum spd_treatment verdict;
	const char *rule; /* borrowed from the source */
	size_t rule_len;
};

/* What the expectations of one text are held against. */
struct examination {
	const struct policy_input *in;
	const char *label;
	struct conf_diags *diags;
	const struct policy_file *file;
	struct spd
		*spd; /* NULL before the first expectation; rule.index: from 1, its place in file */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_blanks(const char *line, size_t len, size_t at)
{
	while (at < len && is_blank(line[at]))
		at++;
	return at;
}

bool policy_is_expectation(const char *line, size_t len)
{
	size_t at = skip_blanks(line, len, 0), word = sizeof(expect_word) - 1;

	return len - at >= word && memcmp(line + at, expect_word, word) == 0 &&
	       (len - at == word || is_blank(line[at + word]));
}

static struct conf_loc loc_of(struct conf_loc line_at, size_t from, size_t len)
{
	line_at.column = (unsigned int)from + 1;
	line_at.length = (unsigned int)len;
	return line_at;
}

static int report_verdict(struct conf_diags *diags, struct conf_loc at)
{
	(void)conf_error(diags, at, "expect-syntax",
		"an expectation ends in ipsec, bypass, drop or none, and perhaps a \"rule\"");
	return -EBADMSG;
}

/* `"RULE"` and nothing behind it. */
static int parse_rule(const char *line, size_t len, size_t at, struct conf_loc line_at,
	struct conf_diags *diags, struct expectation *ret)
{
	const char *close;

	if (at == len)
		return 0;
	close = line[at] == '"' ? memchr(line + at + 1, '"', len - at - 1) : NULL;
	if (!close || skip_blanks(line, len, (size_t)(close - line) + 1) != len)
		return report_verdict(diags, loc_of(line_at, at, len - at));
	ret->rule = line + at + 1;
	ret->rule_len = (size_t)(close - ret->rule);
	ret->rule_at = loc_of(line_at, at, ret->rule_len + 2);
	return 0;
}

/* @line: an expectation, without the blanks at its end. */
static int parse_expectation(const char *line, size_t len, struct conf_loc line_at,
	struct conf_diags *diags, struct expectation *ret)
{
	size_t at = skip_blanks(line, len, 0) + sizeof(expect_word) - 1, used, flow_len, word = 0;
	struct spd_flow_error error = { 0 };

	*ret = (struct expectation){ 0 };
	at = skip_blanks(line, len, at);
	if (spd_flow_parse(line + at, len - at, &ret->query, &used, &error) < 0)
		return conf_error(diags,
			loc_of(line_at, at + error.offset, error.length ? error.length : 1),
			"expect-syntax", "%s", error.text);
	for (flow_len = used; is_blank(line[at + flow_len - 1]);)
		flow_len--;
	ret->flow_at = loc_of(line_at, at, flow_len);
	if (spd_query_lacks_about(&ret->query)) {
		(void)conf_warning(diags, ret->flow_at, "expect-about",
			"an ICMP error is judged by the packet in it, which is not named");
		conf_hint(
			diags, "add 'about PROTOCOL SOURCE DESTINATION', as that packet was sent");
	}
	at += used;
	while (at + word < len && !is_blank(line[at + word]))
		word++;
	ret->verdict_at = loc_of(line_at, at, word ? word : 1);
	if (spd_treatment_parse(line + at, word, &ret->verdict) < 0)
		return report_verdict(diags, ret->verdict_at);
	return parse_rule(line, len, skip_blanks(line, len, at + word), line_at, diags, ret);
}

static bool means(const struct rule *named, const struct rule *rule, enum direction direction)
{
	if ((named->directions & rule->directions & 1U << direction) == 0 ||
		strcmp(named->tunnel, rule->tunnel) != 0 ||
		!selector_equal(&named->selector, &rule->selector) ||
		named->n_actions != rule->n_actions)
		return false;
	for (size_t i = 0; i < named->n_actions; i++)
		if (!action_equal(&named->actions[i], &rule->actions[i]))
			return false;
	return true;
}

/* Does the expectation name @rule? In which words does not matter. Return: 0, -EBADMSG, -ENOMEM. */
static int is_named(const struct examination *x, const struct expectation *want,
	const struct rule *rule, bool *ret_named)
{
	CLEANUP(conf_diags_freep) struct conf_diags *unread = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *named = NULL;
	struct policy_input input = {
		.label = "",
		.source = want->rule,
		.len = want->rule_len,
		.algs = x->in->algs,
		.resolver = x->in->resolver,
		.extensions = x->in->extensions,
	};
	int r = unread ? policy_parse(&input, unread, &named) : -ENOMEM;

	*ret_named = false;
	if (r < 0)
		return r;
	for (size_t i = 0; i < named->n_rules && !*ret_named; i++)
		*ret_named = means(named->rules[i], rule, want->query.flow.direction);
	return 0;
}

static int judge(struct examination *x, const struct expectation *want)
{
	const struct rule *rule = NULL;
	enum spd_treatment verdict;
	bool named = false;
	int r = 0;

	if (!x->spd)
		r = policy_file_spd(x->file, x->in->precedence, &x->spd);
	if (r < 0)
		return r;
	verdict = spd_decide(x->spd, &want->query, &rule);
	if (verdict != want->verdict) {
		(void)conf_error(x->diags, want->verdict_at, "expect-broken",
			"expected %s, but it is %s", spd_treatment_name(want->verdict),
			spd_treatment_name(verdict));
		if (rule)
			conf_hint(x->diags, "the rule on line %u decides", rule->line);
		else
			conf_hint(x->diags, "no rule matches");
		return 0;
	}
	if (want->rule_at.line == 0)
		return 0;
	if (rule)
		r = is_named(x, want, rule, &named);
	if (r == -EBADMSG) {
		(void)conf_error(x->diags, want->rule_at, "expect-syntax",
			"the rule between the quotes has errors");
		return 0;
	}
	if (r < 0 || named)
		return r;
	(void)conf_error(x->diags, want->rule_at, "expect-broken", "another rule decides");
	if (rule)
		conf_hint(x->diags, "it is that on line %u", rule->line);
	else
		conf_hint(x->diags, "no rule matches");
	return 0;
}

static int examine_line(struct examination *x, const char *line, size_t len, unsigned int number)
{
	struct conf_loc line_at = { .file = x->label, .line = number };
	struct expectation want;

	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (parse_expectation(line, len, line_at, x->diags, &want) < 0)
		return 0;
	return x->file ? judge(x, &want) : 0;
}

static int examine(struct examination *x)
{
	const char *source = x->in->source, *end = source + x->in->len;
	const char *counted = source; /* up to here lines are counted */
	unsigned int number = 1;
	int r = 0;

	for (const char *at = source; r == 0 && at < end;) {
		const char *word = memmem(
			at, (size_t)(end - at), expect_word, sizeof(expect_word) - 1);
		const char *line, *newline;

		if (!word)
			break;
		line = word;
		while (line > at && line[-1] != '\n')
			line--;
		newline = memchr(word, '\n', (size_t)(end - word));
		at = newline ? newline + 1 : end;
		for (; counted < line; counted++)
			number += *counted == '\n';
		if (policy_is_expectation(line, (size_t)(at - line) - (newline != NULL)))
			r = examine_line(x, line, (size_t)(at - line) - (newline != NULL), number);
	}
	return r;
}

int policy_check_expectations(const struct policy_input *in, const char *label,
	const struct policy_file *file, struct conf_diags *diags)
{
	struct examination x = { .in = in, .label = label, .diags = diags, .file = file };
	int r = examine(&x);

	(void)spd_free(x.spd);
	return r;
}
