/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same policy as the peer sees it: its local end is our remote end, what leaves us arrives
 * there. Only the words that say so change; comments and layout stay. Old style speaks of the
 * packet, which is the same at both ends, so that its addresses stay and its direction turns; but
 * where it has no direction, source means the local end.
 */
#include <errno.h>
#include <string.h>

#include "services/policy/policy_parser.h"

static const char *const new_style_pairs[][2] = {
	{ "laddr", "raddr" },
	{ "local", "remote" },
	{ "lport", "rport" },
};
static const char *const old_style_pairs[][2] = {
	{ "saddr", "daddr" },
	{ "src", "dst" },
	{ "srcaddr", "dstaddr" },
	{ "sport", "dport" },
	{ "smask", "dmask" },
};
static const char *const direction_pairs[][2] = { { "in", "out" } };
static const char *const action_pairs[][2] = { { "apply", "permit" } };

enum place { BETWEEN_ENTRIES, IN_PATTERN, AT_ACTION, IN_PROPERTIES, BEHIND_PROPERTIES };
enum role { ROLE_NONE, ROLE_SELECTOR, ROLE_DIRECTION, ROLE_ACTION };

/* Where a reader of tokens stands. */
struct walk {
	enum place place;
	bool is_value, is_direction; /* what the next word of a group is */
};

struct mirror {
	struct walk walk;
	bool turns_ends; /* old style, and no word that says a direction */
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

static enum role walk_word(struct walk *w, const struct token *tok)
{
	switch (w->place) {
	case IN_PATTERN:
	case IN_PROPERTIES:
		w->is_value = !w->is_value;
		if (w->is_value) {
			w->is_direction = token_is(tok, "dir");
			return w->place == IN_PATTERN ? ROLE_SELECTOR : ROLE_NONE;
		}
		return w->is_direction ? ROLE_DIRECTION : ROLE_NONE;
	case AT_ACTION:
		return ROLE_ACTION;
	case BEHIND_PROPERTIES: /* "or" */
		w->place = AT_ACTION;
		return ROLE_NONE;
	case BETWEEN_ENTRIES:
		break;
	}
	return ROLE_NONE;
}

static enum role walk_token(struct walk *w, const struct token *tok)
{
	switch (tok->kind) {
	case TOKEN_WORD:
		return walk_word(w, tok);
	case TOKEN_OPEN:
		w->is_value = false;
		w->place = w->place == AT_ACTION ? IN_PROPERTIES : IN_PATTERN;
		break;
	case TOKEN_CLOSE:
		w->is_value = false;
		w->place = w->place == IN_PATTERN ? AT_ACTION : BEHIND_PROPERTIES;
		break;
	case TOKEN_END_OF_LINE:
		if (w->place == BEHIND_PROPERTIES)
			w->place = BETWEEN_ENTRIES;
		break;
	case TOKEN_END:
		w->place = BETWEEN_ENTRIES;
		break;
	}
	return ROLE_NONE;
}

/* Does the entry whose first brace was read say its direction? @lexer: a copy, to look ahead with. */
static bool says_direction(struct policy_lexer lexer)
{
	struct walk walk = { .place = IN_PATTERN };

	while (walk.place != BETWEEN_ENTRIES) {
		struct token tok = policy_lexer_next(&lexer);
		enum role role = walk_token(&walk, &tok);

		if (role == ROLE_DIRECTION ||
			(role == ROLE_ACTION &&
				other_of(&tok, action_pairs, ARRAY_SIZE(action_pairs))))
			return true;
	}
	return false;
}

static const char *other_selector(const struct mirror *m, const struct token *tok)
{
	const char *other = other_of(tok, new_style_pairs, ARRAY_SIZE(new_style_pairs));

	if (!other && m->turns_ends)
		other = other_of(tok, old_style_pairs, ARRAY_SIZE(old_style_pairs));
	return other;
}

static void add_token(struct mirror *m, const struct token *tok, const struct policy_lexer *lexer)
{
	const char *other = NULL;

	if (tok->kind == TOKEN_OPEN && m->walk.place == BETWEEN_ENTRIES)
		m->turns_ends = !says_direction(*lexer);
	switch (walk_token(&m->walk, tok)) {
	case ROLE_NONE:
		break;
	case ROLE_SELECTOR:
		other = other_selector(m, tok);
		break;
	case ROLE_DIRECTION:
		other = other_of(tok, direction_pairs, ARRAY_SIZE(direction_pairs));
		break;
	case ROLE_ACTION:
		other = other_of(tok, action_pairs, ARRAY_SIZE(action_pairs));
		break;
	}
	if (other)
		text_add(m->text, other);
	else
		text_add_bytes(m->text, tok->text, tok->len);
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
	struct mirror m = { .source = source, .text = text };
	const char *done = source;
	struct policy_lexer lexer;
	struct token tok;

	policy_lexer_init(&lexer, "", source, len, unread);
	do {
		tok = policy_lexer_next(&lexer);
		add_gap(&m, done, tok.text, unread);
		done = tok.text + tok.len;
		add_token(&m, &tok, &lexer);
	} while (tok.kind != TOKEN_END);
	return text->failed ? -ENOMEM : 0;
}

int policy_mirror(const char *source, size_t len, struct text *text)
{
	CLEANUP(conf_diags_freep) struct conf_diags *unread = conf_diags_new();

	return unread ? mirror_entries(source, len, unread, text) : -ENOMEM;
}
