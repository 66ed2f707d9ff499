/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same policy as the peer sees it: its local end is our remote end, what leaves us arrives
 * there. Only the words that say so change; comments and layout stay. Old style speaks of the
 * packet, which is the same at both ends, so that its addresses stay and its direction turns.
 */
#include <errno.h>
#include <string.h>

#include "services/policy/policy_parser.h"

static const char *const pattern_pairs[][2] = {
	{ "laddr", "raddr" },
	{ "local", "remote" },
	{ "lport", "rport" },
};
static const char *const direction_pairs[][2] = { { "in", "out" } };
static const char *const action_pairs[][2] = { { "apply", "permit" } };

enum place { BETWEEN_ENTRIES, IN_PATTERN, AT_ACTION, IN_PROPERTIES, BEHIND_PROPERTIES };

struct mirror {
	enum place place;
	bool is_value, is_direction; /* what the next word of a group is */
	const char *source;
	struct text *text;
};

static const char *other_of(const struct token *tok, const char *const pairs[][2], size_t n_pairs)
{
	for (size_t i = 0; i < n_pairs; i++)
		for (size_t side = 0; side < 2; side++)
			if (token_is(tok, pairs[i][side]))
				return pairs[i][1 - side];
	return NULL;
}

/* A word in braces: the keyword or its value. */
static const char *other_in_group(struct mirror *m, const struct token *tok)
{
	if (m->is_value) {
		m->is_value = false;
		return m->is_direction ? other_of(tok, direction_pairs, ARRAY_SIZE(direction_pairs))
				       : NULL;
	}
	m->is_value = true;
	m->is_direction = token_is(tok, "dir");
	return m->place == IN_PATTERN ? other_of(tok, pattern_pairs, ARRAY_SIZE(pattern_pairs))
				      : NULL;
}

static void add_word(struct mirror *m, const struct token *tok)
{
	const char *other = NULL;

	switch (m->place) {
	case IN_PATTERN:
	case IN_PROPERTIES:
		other = other_in_group(m, tok);
		break;
	case AT_ACTION:
		other = other_of(tok, action_pairs, ARRAY_SIZE(action_pairs));
		break;
	case BEHIND_PROPERTIES: /* "or" */
		m->place = AT_ACTION;
		break;
	case BETWEEN_ENTRIES:
		break;
	}
	if (other)
		text_add(m->text, other);
	else
		text_add_bytes(m->text, tok->text, tok->len);
}

static void take_brace(struct mirror *m, enum token_kind kind)
{
	m->is_value = false;
	if (kind == TOKEN_OPEN)
		m->place = m->place == AT_ACTION ? IN_PROPERTIES : IN_PATTERN;
	else
		m->place = m->place == IN_PATTERN ? AT_ACTION : BEHIND_PROPERTIES;
}

static int mirror_entries(
	const char *source, size_t len, struct conf_diags *unread, struct text *text);

static size_t word_length(const char *at, const char *end)
{
	size_t len = 0;

	while (at + len < end && at[len] != ' ' && at[len] != '\t')
		len++;
	return len;
}

/*
 * `#expect [tunnel NAME] out FLOW VERDICT ["rule"]`: the direction turns, and the rule is mirrored.
 * Return: how many of the @len bytes were written out.
 */
static size_t mirror_expectation(
	const char *line, size_t len, struct conf_diags *unread, struct text *text)
{
	const char *at = line, *end = line + len, *quote = memchr(line, '"', len), *close;
	bool turned = false;

	while (at < end && (!quote || at < quote)) {
		size_t word = word_length(at, end);
		struct token tok = { .kind = TOKEN_WORD, .text = at, .len = word };
		const char *other = NULL;

		if (!turned && word > 0 && at > line)
			other = other_of(&tok, direction_pairs, ARRAY_SIZE(direction_pairs));
		if (other) {
			text_add(text, other);
			turned = true;
		} else {
			text_add_bytes(text, at, word ? word : 1);
		}
		at += word ? word : 1;
	}
	if (at >= end || *at != '"')
		return (size_t)(at - line);
	text_add_char(text, *at++);
	close = memchr(at, '"', (size_t)(end - at));
	if (!close || mirror_entries(at, (size_t)(close - at), unread, text) < 0)
		return (size_t)(at - line);
	return (size_t)(close - line);
}

/* What stands between two tokens: white space and comments, expectations among them. */
static void add_gap(struct mirror *m, const char *at, const char *end, struct conf_diags *unread)
{
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *line_end = newline ? newline : end;

		if ((at == m->source || at[-1] == '\n') &&
			policy_is_expectation(at, (size_t)(line_end - at)))
			at += mirror_expectation(at, (size_t)(line_end - at), unread, m->text);
		if (newline)
			line_end++;
		text_add_bytes(m->text, at, (size_t)(line_end - at));
		at = line_end;
	}
}

static int mirror_entries(
	const char *source, size_t len, struct conf_diags *unread, struct text *text)
{
	struct mirror m = { .place = BETWEEN_ENTRIES, .source = source, .text = text };
	const char *done = source;
	struct policy_lexer lexer;
	struct token tok;

	policy_lexer_init(&lexer, "", source, len, unread);
	do {
		tok = policy_lexer_next(&lexer);
		add_gap(&m, done, tok.text, unread);
		done = tok.text + tok.len;
		switch (tok.kind) {
		case TOKEN_WORD:
			add_word(&m, &tok);
			break;
		case TOKEN_OPEN:
		case TOKEN_CLOSE:
			take_brace(&m, tok.kind);
			text_add_bytes(text, tok.text, tok.len);
			break;
		case TOKEN_END_OF_LINE:
			if (m.place == BEHIND_PROPERTIES)
				m.place = BETWEEN_ENTRIES;
			break;
		case TOKEN_END:
			break;
		}
	} while (tok.kind != TOKEN_END);
	return text->failed ? -ENOMEM : 0;
}

int policy_mirror(const char *source, size_t len, struct text *text)
{
	CLEANUP(conf_diags_freep) struct conf_diags *unread = conf_diags_new();

	return unread ? mirror_entries(source, len, unread, text) : -ENOMEM;
}
