/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of ICMP types and codes, of both versions. */
#include <errno.h>
#include <string.h>

#include "services/policy/policy_parser.h"

#define ICMP_TYPE_MAX 255
#define ICMP_CODE_MAX 254

struct icmp_word {
	const char *name;
	uint8_t number;
};

/* clang-format off */
static const struct icmp_word icmp_types[] = {
	{ "unreach",      3 }, { "echo",         8 }, { "echorep",      0 }, { "squench",      4 },
	{ "redir",        5 }, { "timex",       11 }, { "paramprob",   12 }, { "timest",      13 },
	{ "timestrep",   14 }, { "inforeq",     15 }, { "inforep",     16 }, { "maskreq",     17 },
	{ "maskrep",     18 }, { "unreach6",     1 }, { "pkttoobig6",   2 }, { "timex6",       3 },
	{ "paramprob6",   4 }, { "echo6",      128 }, { "echorep6",   129 }, { "router-sol6", 133 },
	{ "router-ad6", 134 }, { "neigh-sol6", 135 }, { "neigh-ad6",  136 }, { "redir6",     137 },
};

static const struct icmp_word icmp_codes[] = {
	{ "net-unr",         0 }, { "host-unr",       1 }, { "proto-unr",      2 },
	{ "port-unr",        3 }, { "needfrag",       4 }, { "srcfail",        5 },
	{ "net-unk",         6 }, { "host-unk",       7 }, { "isolate",        8 },
	{ "net-prohib",      9 }, { "host-prohib",   10 }, { "net-tos",       11 },
	{ "host-tos",       12 }, { "filter-prohib", 13 }, { "host-preced",   14 },
	{ "cutoff-preced",  15 }, { "no-route6",      0 }, { "adm-prohib6",    1 },
	{ "addr-unr6",       3 }, { "port-unr6",      4 }, { "hop-limex6",     0 },
	{ "frag-re-timex6",  1 }, { "err-head6",      0 }, { "unrec-head6",    1 },
	{ "unreq-opt6",      2 },
};
/* clang-format on */

#define MOST_WORDS (ARRAY_SIZE(icmp_codes) + 1)

static void report_bad(struct policy_parser *p, const struct token *value, enum pattern_slot slot,
	const struct icmp_word *words, size_t n_words)
{
	const char *names[MOST_WORDS] = { NULL };
	const char *nearest;

	(void)entry_error(p, value->at, slot == SLOT_ICMP_TYPE ? "icmp-type" : "icmp-code",
		"Bad %s '%.*s': a keyword, or a number or rising range up to %d",
		pattern_slot_name(slot), (int)value->len, value->text,
		slot == SLOT_ICMP_TYPE ? ICMP_TYPE_MAX : ICMP_CODE_MAX);
	for (size_t i = 0; i < n_words; i++)
		names[i] = words[i].name;
	nearest = value_nearest(value->text, value->len, names);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
}

static bool find_word(const struct token *value, const struct icmp_word *words, size_t n_words,
	uint8_t *ret_number)
{
	for (size_t i = 0; i < n_words; i++) {
		if (token_is(value, words[i].name)) {
			*ret_number = words[i].number;
			return true;
		}
	}
	return false;
}

void pattern_parse_icmp_type(struct policy_parser *p, const struct token *value)
{
	struct pattern *pattern = &p->pattern;
	uint64_t low, high;

	if (find_word(value, icmp_types, ARRAY_SIZE(icmp_types), &pattern->icmp_type_low)) {
		pattern->icmp_type_high = pattern->icmp_type_low;
		return;
	}
	if (value_range(value->text, value->len, ICMP_TYPE_MAX, &low, &high) < 0) {
		report_bad(p, value, SLOT_ICMP_TYPE, icmp_types, ARRAY_SIZE(icmp_types));
		return;
	}
	pattern->icmp_type_low = (uint8_t)low;
	pattern->icmp_type_high = (uint8_t)high;
}

void pattern_parse_icmp_code(struct policy_parser *p, const struct token *value)
{
	struct pattern *pattern = &p->pattern;
	uint64_t low, high;

	if (pattern->word_at[SLOT_ICMP_TYPE].line == 0) {
		if (!pattern->doubtful)
			(void)entry_error(p, pattern->word_at[SLOT_ICMP_CODE], "icmp-code",
				"Bad ICMP code: 'type' must stand before 'code'");
		return;
	}
	if (find_word(value, icmp_codes, ARRAY_SIZE(icmp_codes), &pattern->icmp_code_low)) {
		pattern->icmp_code_high = pattern->icmp_code_low;
		return;
	}
	if (value_range(value->text, value->len, ICMP_CODE_MAX, &low, &high) < 0) {
		report_bad(p, value, SLOT_ICMP_CODE, icmp_codes, ARRAY_SIZE(icmp_codes));
		return;
	}
	pattern->icmp_code_low = (uint8_t)low;
	pattern->icmp_code_high = (uint8_t)high;
}
