/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions and their properties. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "services/policy/policy_parser.h"

static const struct {
	const char *name;
	enum action_word word;
	const char *help;
} action_words[] = {
	{ "apply", WORD_APPLY, "outbound: protect as the properties say" },
	{ "permit", WORD_PERMIT, "inbound: accept only what is protected so" },
	{ "ipsec", WORD_IPSEC, "protect, and demand protection" },
	{ "bypass", WORD_BYPASS, "let through without protection" },
	{ "pass", WORD_BYPASS, "the same" },
	{ "drop", WORD_DROP, "discard" },
};

bool action_find(const struct token *tok, enum action_word *ret_word)
{
	for (size_t i = 0; i < ARRAY_SIZE(action_words); i++) {
		if (token_is(tok, action_words[i].name)) {
			*ret_word = action_words[i].word;
			return true;
		}
	}
	return false;
}

const char *action_nearest(const struct token *tok)
{
	const char *names[ARRAY_SIZE(action_words) + 1] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(action_words); i++)
		names[i] = action_words[i].name;
	return value_nearest(tok->text, tok->len, names);
}

static void parse_sa(struct policy_parser *p, struct alternative *alt, enum property_slot slot,
	const struct token *value)
{
	static const char *const words[] = { "shared", "unique", NULL };
	const char *nearest;

	(void)slot;
	alt->unique = token_is(value, "unique");
	if (alt->unique || token_is(value, "shared"))
		return;
	(void)entry_error(p, value->at, "sa-value", "Bad SA '%.*s': shared or unique",
		(int)value->len, value->text);
	nearest = value_nearest(value->text, value->len, words);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
}

static void parse_direction(struct policy_parser *p, struct alternative *alt,
	enum property_slot slot, const struct token *value)
{
	(void)slot;
	if (token_is(value, "in"))
		alt->directions = DIRECTION_BIT_IN;
	else if (token_is(value, "out"))
		alt->directions = DIRECTION_BIT_OUT;
	else
		(void)entry_error(p, value->at, "direction-value",
			"Bad Direction '%.*s': in or out", (int)value->len, value->text);
}

static const struct property_word {
	const char *name;
	enum property_slot slot;
	const char *title; /* in messages */
	const char *help;
	void (*parse)(struct policy_parser *p, struct alternative *alt, enum property_slot slot,
		const struct token *value);
} property_words[PROP_COUNT] = {
	[PROP_AH] = { "auth_algs", PROP_AH, "Authentication Algorithm", "AH with this algorithm",
		action_parse_alg },
	[PROP_ENCR] = { "encr_algs", PROP_ENCR, "Encryption Algorithm", "ESP with this cipher",
		action_parse_alg },
	[PROP_ESP_AUTH] = { "encr_auth_algs", PROP_ESP_AUTH, "ESP Authentication Algorithm",
		"ESP with this integrity algorithm", action_parse_alg },
	[PROP_SA] = { "sa", PROP_SA, "SA", "shared or unique", parse_sa },
	[PROP_DIRECTION] = { "dir", PROP_DIRECTION, "Direction", "in or out (old style)",
		parse_direction },
};

const char *property_name(enum property_slot slot)
{
	return property_words[slot].title;
}

static const struct property_word *property_find(const struct token *tok)
{
	for (size_t i = 0; i < ARRAY_SIZE(property_words); i++)
		if (token_is(tok, property_words[i].name))
			return &property_words[i];
	return NULL;
}

static void read_again(struct policy_parser *p, const struct token *tok)
{
	if (tok->kind == TOKEN_WORD) {
		p->group_words--;
		p->entry_words--;
	}
	parser_push_back(p, tok);
}

static int report_unknown(
	struct policy_parser *p, struct alternative *alt, const struct token *word)
{
	const char *names[PROP_COUNT + 1] = { NULL };
	const char *nearest;
	struct token tok;
	int r;

	for (size_t i = 0; i < PROP_COUNT; i++)
		names[i] = property_words[i].name;
	alt->doubtful = true;
	nearest = value_nearest(word->text, word->len, names);
	(void)entry_error(p, word->at, "property-unknown",
		"Invalid properties '%.*s': no such property", (int)word->len, word->text);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
	do {
		r = parser_group_next(p, &tok);
		if (r < 0)
			return r;
	} while (tok.kind == TOKEN_WORD && !property_find(&tok));
	read_again(p, &tok);
	return 0;
}

static bool is_none(enum property_slot slot, const struct token *value)
{
	return slot <= PROP_ESP_AUTH && value->len == 4 && strncasecmp(value->text, "none", 4) == 0;
}

int action_property(struct policy_parser *p, struct alternative *alt, const struct token *word)
{
	const struct property_word *row = property_find(word);
	struct token value;
	int r;

	if (!row)
		return report_unknown(p, alt, word);
	r = parser_group_next(p, &value);
	if (r < 0)
		return r;
	if (value.kind == TOKEN_CLOSE || property_find(&value)) {
		read_again(p, &value);
		(void)entry_error(p, word->at, "value-missing", "Bad %s: '%s' needs a value",
			row->title, row->name);
		alt->word_at[row->slot] = word->at;
		return 0;
	}
	if (is_none(row->slot, &value))
		return 0; /* counts as not given at all */
	if (alt->word_at[row->slot].line != 0) {
		(void)entry_error(p, word->at, "property-repeat",
			"Duplicate %s: given on line %u before", row->title,
			alt->word_at[row->slot].line);
		return 0;
	}
	alt->word_at[row->slot] = word->at;
	alt->value_at[row->slot] = value.at;
	row->parse(p, alt, row->slot, &value);
	return 0;
}
