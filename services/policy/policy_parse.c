/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shape of the language: entries, brace groups, alternatives, and where to go on after an error. */
#include <errno.h>
#include <string.h>

#include "services/policy/lint.h"
#include "services/policy/policy_parser.h"

struct token parser_next(struct policy_parser *p)
{
	struct token tok;

	if (p->has_ahead) {
		p->has_ahead = false;
		return p->ahead;
	}
	tok = policy_lexer_next(&p->lexer);
	return tok;
}

void parser_push_back(struct policy_parser *p, const struct token *tok)
{
	p->ahead = *tok;
	p->has_ahead = true;
}

struct conf_loc entry_place(const struct policy_parser *p, struct conf_loc part)
{
	return part.line == p->entry_at.line ? part : p->entry_at;
}

void entry_hint_part(struct policy_parser *p, struct conf_loc part)
{
	if (part.line != p->entry_at.line)
		conf_hint(p->diags, "it is about line %u, column %u", part.line, part.column);
}

/* Does nothing but white space stand before the token on its line? */
static bool is_first_on_line(const struct policy_parser *p, const struct token *tok)
{
	const char *at = tok->text;

	while (at > p->in->source && (at[-1] == ' ' || at[-1] == '\t'))
		at--;
	return at == p->in->source || at[-1] == '\n';
}

static struct token next_over_lines(struct policy_parser *p)
{
	struct token tok;

	do {
		tok = parser_next(p);
	} while (tok.kind == TOKEN_END_OF_LINE);
	return tok;
}

static int count_word(struct policy_parser *p, const struct token *tok)
{
	if (++p->entry_words > POLICY_MAX_ENTRY_WORDS)
		return entry_error(p, tok->at, "too-many-words",
			"Too many tokens in single policy entry: more than %d words",
			POLICY_MAX_ENTRY_WORDS);
	return 0;
}

int parser_group_next(struct policy_parser *p, struct token *ret_tok)
{
	struct token tok = next_over_lines(p);

	if (tok.kind == TOKEN_OPEN || tok.kind == TOKEN_END) {
		parser_push_back(p, &tok);
		(void)entry_error(p, p->group_at, "brace-missing",
			"Pattern or Properties incomplete: this brace is never closed");
		return -EBADMSG;
	}
	*ret_tok = tok;
	if (tok.kind == TOKEN_CLOSE)
		return 0;
	if (++p->group_words > POLICY_MAX_GROUP_WORDS)
		return entry_error(p, tok.at, "too-many-words", "Number of Arguments exceeded %d",
			POLICY_MAX_GROUP_WORDS);
	return count_word(p, &tok);
}

static void begin_group(struct policy_parser *p, const struct token *open)
{
	p->group_at = open->at;
	p->group_words = 0;
}

static int parse_pattern(struct policy_parser *p, const struct token *open)
{
	struct token tok;
	int r;

	begin_group(p, open);
	for (;;) {
		r = parser_group_next(p, &tok);
		if (r < 0 || tok.kind == TOKEN_CLOSE)
			return r;
		r = pattern_selector(p, &tok);
		if (r < 0)
			return r;
	}
}

static int parse_properties(struct policy_parser *p, struct alternative *alt)
{
	struct token tok = next_over_lines(p);
	int r;

	if (tok.kind != TOKEN_OPEN) {
		parser_push_back(p, &tok);
		return entry_error(p, alt->at, "properties-missing",
			"Missing properties: the action needs '{' behind it");
	}
	begin_group(p, &tok);
	for (;;) {
		r = parser_group_next(p, &tok);
		if (r < 0 || tok.kind == TOKEN_CLOSE)
			return r;
		r = action_property(p, alt, &tok);
		if (r < 0)
			return r;
	}
}

static int report_continuation(struct policy_parser *p, const struct token *tok)
{
	return entry_error(p, tok->at, "continuation",
		"Invalid line continuation character: entries are not continued by '\\'");
}

static int report_bad_action(struct policy_parser *p, const struct token *tok)
{
	const char *nearest = action_nearest(tok);

	if (tok->text[0] == '\\')
		return report_continuation(p, tok);
	(void)entry_error(
		p, tok->at, "action-unknown", "Invalid action '%.*s'", (int)tok->len, tok->text);
	if (token_is(tok, "or"))
		conf_hint(p->diags, "'or' stands between two actions");
	else if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
	return -EBADMSG;
}

/* The action word; anything else breaks the entry. */
static int parse_action(struct policy_parser *p, struct conf_loc or_at)
{
	struct token tok = next_over_lines(p);
	struct alternative *alt;
	enum action_word word;
	int r;

	if (tok.kind != TOKEN_WORD) {
		parser_push_back(p, &tok);
		return entry_error(p, or_at.line ? or_at : p->group_at, "action-missing",
			"Missing action token: apply, permit, ipsec, bypass, pass or drop");
	}
	r = count_word(p, &tok);
	if (r < 0)
		return r;
	if (!action_find(&tok, &word))
		return report_bad_action(p, &tok);
	if (p->n_alternatives == POLICY_MAX_ALTERNATIVES)
		return entry_error(p, tok.at, "too-many-actions",
			"Too many actions: at most %d may be joined by 'or'",
			POLICY_MAX_ALTERNATIVES);
	alt = &p->alternatives[p->n_alternatives++];
	*alt = (struct alternative){ .word = word, .at = tok.at, .or_at = or_at };
	return parse_properties(p, alt);
}

/* What stands behind the closing brace of properties: the end of the line, or `or`. */
static int parse_rest(struct policy_parser *p, bool *ret_more, struct conf_loc *ret_or_at)
{
	struct token tok = parser_next(p);

	*ret_more = false;
	if (tok.kind == TOKEN_END_OF_LINE || tok.kind == TOKEN_END)
		return 0;
	if (token_is(&tok, "or")) {
		*ret_more = true;
		*ret_or_at = tok.at;
		return count_word(p, &tok);
	}
	if (tok.kind == TOKEN_WORD && tok.text[0] == '\\')
		return report_continuation(p, &tok);
	return entry_error(p, tok.at, "entry-end",
		"only 'or' or a comment may follow the closing brace on its line");
}

static int parse_structure(struct policy_parser *p, const struct token *open)
{
	struct conf_loc or_at = { 0 };
	bool more = true;
	int r;

	r = parse_pattern(p, open);
	while (r == 0 && more) {
		r = parse_action(p, or_at);
		if (r == 0)
			r = parse_rest(p, &more, &or_at);
	}
	return r;
}

/* After a broken entry: go on at the next line that starts with a brace. */
static void recover(struct policy_parser *p)
{
	for (;;) {
		struct token tok = parser_next(p);

		if (tok.kind == TOKEN_END ||
			(tok.kind == TOKEN_OPEN && tok.at.line != p->entry_at.line &&
				is_first_on_line(p, &tok))) {
			parser_push_back(p, &tok);
			return;
		}
	}
}

/*
 * One line of an entry without its comment and the blanks before that; blank lines vanish. Blanks at
 * the end of others count, since they are characters of the entry.
 */
static void add_entry_line(struct text *text, size_t *count, const char *line, size_t len)
{
	const char *comment = memchr(line, '#', len);
	size_t characters;

	if (comment)
		len = (size_t)(comment - line);
	characters = len;
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (len == 0)
		return;
	if (text->len > 0) {
		text_add_char(text, '\n');
		characters++;
	}
	text_add_bytes(text, line, len);
	*count += characters;
}

/* @ret_count: of its characters, as the limit counts them. */
static int entry_text(const char *start, const char *end, struct text *text, size_t *ret_count)
{
	*ret_count = 0;
	while (start < end) {
		const char *newline = memchr(start, '\n', (size_t)(end - start));
		const char *line_end = newline ? newline : end;

		add_entry_line(text, ret_count, start, (size_t)(line_end - start));
		start = newline ? newline + 1 : end;
	}
	return text->failed ? -ENOMEM : 0;
}

static void begin_entry(struct policy_parser *p, const struct token *open)
{
	p->entry_at = open->at;
	p->entry_words = 0;
	p->broken = false;
	p->pattern = (struct pattern){ 0 };
	p->n_alternatives = 0;
	p->n_actions = 0;
}

/* After an entry: was anything wrong with it, or with the lines that it stands on? */
static void count_bad(struct policy_parser *p)
{
	size_t errors = conf_diags_errors(p->diags);

	if (errors > p->errors_counted && p->in->ret_bad)
		(*p->in->ret_bad)++;
	p->errors_counted = errors;
}

static int parse_entry(struct policy_parser *p, const struct token *open)
{
	CLEANUP(text_done) struct text text = { 0 };
	uint8_t directions = 0;
	size_t count;
	int r;

	begin_entry(p, open);
	if (parse_structure(p, open) < 0) {
		recover(p);
		count_bad(p);
		return 0;
	}
	r = entry_text(open->text, p->lexer.at, &text, &count);
	if (r < 0)
		return r;
	if (count > POLICY_MAX_ENTRY_BYTES)
		(void)entry_error(p, p->entry_at, "entry-too-long",
			"entry has %zu characters, at most %d are allowed", count,
			POLICY_MAX_ENTRY_BYTES);
	entry_settle(p, &directions);
	if (!p->broken)
		r = entry_expand(p, directions, text.str);
	count_bad(p);
	return r;
}

static void report_stray(struct policy_parser *p, const struct token *tok)
{
	p->entry_at = tok->at;
	(void)conf_error(
		p->diags, tok->at, "entry-start", "pattern must start with \"{\" character");
	if (token_is(tok, "or"))
		conf_hint(p->diags,
			"'or' must stand on the line of the closing brace that it continues");
	count_bad(p);
	recover(p);
}

static int parse_entries(struct policy_parser *p)
{
	int r = 0;

	while (r == 0) {
		struct token tok = next_over_lines(p);

		if (tok.kind == TOKEN_END)
			break;
		if (tok.kind == TOKEN_OPEN)
			r = parse_entry(p, &tok);
		else
			report_stray(p, &tok);
	}
	return r;
}

/* Start from the entries that stay. */
static int begin_file(struct policy_parser *p)
{
	int r = 0;

	p->seen = policy_seen_new();
	if (!p->seen)
		return -ENOMEM;
	if (!p->in->base) {
		p->file = policy_file_new();
		return p->file ? 0 : -ENOMEM;
	}
	r = policy_file_without(p->in->base, POLICY_NOTHING, "", &p->file);
	for (size_t i = 0; r == 0 && i < p->file->n_entries; i++)
		p->has_cut |= p->file->entries[i].cut;
	for (size_t i = 0; r == 0 && i < p->file->n_rules; i++)
		if (!p->file->rules[i]->audit) /* which stands in nobody's way */
			r = policy_seen_add(p->seen, p->file->rules[i]);
	return r;
}

static int lint(struct policy_parser *p, const char *label, size_t base_rules, size_t base_entries)
{
	struct policy_lint lint = {
		.file = p->file,
		.first = base_rules,
		.first_entry = base_entries,
		.label = label,
		.precedence = p->in->precedence,
		.diags = p->diags,
	};
	int r = policy_warn_order(p->file, base_rules, label, p->diags);

	if (r == 0)
		r = policy_lint_rules(&lint);
	if (r == 0 && p->in->tunnels)
		r = policy_lint_tunnels(&lint, p->in->tunnels);
	if (r == 0 && p->in->sas)
		r = policy_lint_sas(
			&lint, p->in->sas->list, p->in->sas->count, p->in->sas->negotiates);
	return r;
}

static int parse_file(struct policy_parser *p)
{
	const char *label = conf_diags_file(
		p->diags, p->in->label, p->in->source, p->in->len, false);
	size_t errors_before = conf_diags_errors(p->diags);
	size_t base_rules, base_entries;
	int r;

	if (!label)
		return -ENOMEM;
	r = begin_file(p);
	if (r < 0)
		return r;
	r = policy_file_add_source(p->file, label, &p->source);
	if (r < 0)
		return r;
	base_rules = p->file->n_rules;
	base_entries = p->file->n_entries;
	p->errors_counted = errors_before;
	policy_lexer_init(&p->lexer, label, p->in->source, p->in->len, p->diags);
	r = parse_entries(p);
	if (r < 0)
		return r;
	count_bad(p);
	r = policy_check_expectations(p->in, label,
		conf_diags_errors(p->diags) > errors_before ? NULL : p->file, p->diags);
	if (r < 0)
		return r;
	if (conf_diags_errors(p->diags) > errors_before)
		return -EBADMSG;
	if (p->in->lint)
		return lint(p, label, base_rules, base_entries);
	return 0;
}

int policy_parse(
	const struct policy_input *in, struct conf_diags *diags, struct policy_file **ret_file)
{
	struct policy_parser *p = calloc(1, sizeof(*p)); /* too large for the stack */
	int r;

	if (!p)
		return -ENOMEM;
	p->in = in;
	p->diags = diags;
	if (in->ret_bad)
		*in->ret_bad = 0;
	r = parse_file(p);
	policy_seen_free(p->seen);
	if (r == 0)
		*ret_file = STEAL(p->file);
	policy_file_free(p->file);
	free(p);
	return r;
}
