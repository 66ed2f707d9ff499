/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_intra.h"

#include <netinet/in.h>

#include "common/marks.h"
#include "services/datapath/steer/steer_rules.h"

#define ICMP_TYPE_AT 0

static uint32_t attached(uint8_t action)
{
	return (uint32_t)action << MARK_INTRA_SHIFT;
}

static void count(
	struct nft_batch *batch, const struct steer_line *line, bool outbound, bool counted)
{
	char name[STEER_COUNTER_MAX];

	if (counted && steer_counter_name(line, outbound, name)[0] != '\0')
		nft_count(batch, name);
}

void steer_intra_out(struct nft_batch *batch, const char *chain,
	const struct steer_program *program, bool counted)
{
	/* What the sender itself put there must not count. */
	nft_rule_begin(batch, chain);
	nft_set_mark(batch, MARK_INTRA_MASK, 0);
	nft_rule_end(batch);
	for (size_t i = 0; i < program->out.count; i++) {
		const struct steer_line *line = &program->out.lines[i];

		nft_rule_begin(batch, chain);
		steer_rules_match(batch, line);
		count(batch, line, true, counted);
		if (line->verdict == STEER_DROP) {
			nft_goto(batch, steer_rules_target(STEER_DROP));
		} else {
			if (line->verdict == STEER_PROTECT)
				nft_set_mark(batch, MARK_INTRA_MASK, attached(line->action));
			nft_accept(batch);
		}
		nft_rule_end(batch);
	}
	nft_rule_begin(batch, chain);
	nft_accept(batch);
	nft_rule_end(batch);
}

/* Errors that the host sends to itself. */
static void accept_errors(struct nft_batch *batch, const char *chain)
{
	static const uint8_t errors[] = { 3, 4, 5, 11, 12 };

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		nft_rule_begin(batch, chain);
		nft_match_family(batch, AF_INET);
		nft_match_protocol(batch, IPPROTO_ICMP);
		nft_match_octet(batch, ICMP_TYPE_AT, errors[i], errors[i]);
		nft_accept(batch);
		nft_rule_end(batch);
	}
	nft_rule_begin(batch, chain);
	nft_match_family(batch, AF_INET6);
	nft_match_protocol(batch, IPPROTO_ICMPV6);
	nft_match_octet(batch, ICMP_TYPE_AT, 0, 127);
	nft_accept(batch);
	nft_rule_end(batch);
}

void steer_intra_mark(struct nft_batch *batch, const char *chain, uint8_t action)
{
	nft_chain_add(batch, chain);
	nft_rule_begin(batch, chain);
	nft_set_mark(batch, MARK_INTRA_MASK, attached(action));
	nft_accept(batch);
	nft_rule_end(batch);
}

void steer_intra_enter_out(struct nft_batch *batch, const char *chain, const char *then)
{
	nft_chain_add(batch, chain);
	nft_rule_begin(batch, chain);
	nft_set_mark(batch, MARK_INTRA_MASK, 0);
	nft_goto(batch, then);
	nft_rule_end(batch);
}

void steer_intra_alternatives(struct nft_batch *batch, const char *chain,
	const struct steer_program *program, const struct steer_line *line)
{
	const uint8_t *alternatives = program->alternatives + line->alternatives_at;

	nft_chain_add(batch, chain);
	for (size_t i = 0; i < line->n_alternatives; i++) {
		if (alternatives[i] == STEER_ACTION_OTHER)
			continue;
		nft_rule_begin(batch, chain);
		nft_match_mark(batch, MARK_INTRA_MASK, attached(alternatives[i]));
		nft_accept(batch);
		nft_rule_end(batch);
	}
	nft_rule_begin(batch, chain);
	nft_goto(batch, STEER_CHAIN_MISMATCH);
	nft_rule_end(batch);
}

void steer_intra_enter_in(
	struct nft_batch *batch, const char *chain, const char *clear, const char *then)
{
	nft_chain_add(batch, chain);
	accept_errors(batch, chain);
	nft_rule_begin(batch, chain);
	nft_match_mark(batch, MARK_INTRA_MASK, 0);
	nft_goto(batch, clear);
	nft_rule_end(batch);
	nft_rule_begin(batch, chain);
	nft_goto(batch, then);
	nft_rule_end(batch);
}

static void begin(
	struct nft_batch *batch, const char *chain, const struct steer_line *line, uint32_t mark)
{
	nft_rule_begin(batch, chain);
	steer_rules_match(batch, line);
	nft_match_mark(batch, MARK_INTRA_MASK, mark);
}

static void admit_line(struct nft_batch *batch, const char *chain,
	const struct steer_program *program, const struct steer_line *line, bool counted)
{
	const uint8_t *alternatives = program->alternatives + line->alternatives_at;

	for (size_t i = 0; i < line->n_alternatives; i++) {
		if (alternatives[i] == STEER_ACTION_OTHER)
			continue;
		begin(batch, chain, line, attached(alternatives[i]));
		nft_accept(batch);
		nft_rule_end(batch);
	}
	begin(batch, chain, line, 0);
	count(batch, line, false, counted);
	if (line->verdict == STEER_ACCEPT)
		nft_accept(batch);
	else
		nft_goto(batch, steer_rules_target(line->verdict));
	nft_rule_end(batch);
	nft_rule_begin(batch, chain);
	steer_rules_match(batch, line);
	nft_goto(batch, STEER_CHAIN_MISMATCH);
	nft_rule_end(batch);
}

void steer_intra_in(struct nft_batch *batch, const char *chain, const struct steer_program *program,
	bool counted)
{
	accept_errors(batch, chain);
	for (size_t i = 0; i < program->in.count; i++)
		admit_line(batch, chain, program, &program->in.lines[i], counted);
	nft_rule_begin(batch, chain);
	nft_match_mark(batch, MARK_INTRA_MASK, 0);
	nft_accept(batch);
	nft_rule_end(batch);
	nft_rule_begin(batch, chain);
	nft_goto(batch, STEER_CHAIN_GOT_SECURE);
	nft_rule_end(batch);
}
