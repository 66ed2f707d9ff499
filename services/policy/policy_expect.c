/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expectations: comment lines that say what the policy shall do with a packet. They are held
 * against the rules of the text before those are given to anybody.
 *
 *	#expect [tunnel NAME] in|out|forward FLOW ipsec|bypass|drop|none ["RULE"]
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
	size_t at = skip_blanks(line, len, 0) + sizeof(expect_word) - 1, used, word = 0;
	struct spd_flow_error error = { 0 };

	*ret = (struct expectation){ 0 };
	at = skip_blanks(line, len, at);
	if (spd_flow_parse(line + at, len - at, &ret->query, &used, &error) < 0)
		return conf_error(diags,
			loc_of(line_at, at + error.offset, error.length ? error.length : 1),
			"expect-syntax", "%s", error.text);
	ret->flow_at = loc_of(line_at, at, used);
	at += used;
	while (at + word < len && !is_blank(line[at + word]))
		word++;
	ret->verdict_at = loc_of(line_at, at, word ? word : 1);
	if (spd_treatment_parse(line + at, word, &ret->verdict) < 0)
		return report_verdict(diags, ret->verdict_at);
	return parse_rule(line, len, skip_blanks(line, len, at + word), line_at, diags, ret);
}

/* The words of an entry with one blank between them, so that layout does not count. */
static int add_words(const char *source, size_t len, struct text *text)
{
	CLEANUP(conf_diags_freep) struct conf_diags *unread = conf_diags_new();
	struct policy_lexer lexer;
	struct token tok;

	if (!unread)
		return -ENOMEM;
	policy_lexer_init(&lexer, "", source, len, unread);
	do {
		tok = policy_lexer_next(&lexer);
		text_add_bytes(text, tok.text, tok.len);
		if (tok.len > 0)
			text_add_char(text, ' ');
	} while (tok.kind != TOKEN_END);
	return text->failed ? -ENOMEM : 0;
}

static const struct policy_entry *entry_of(const struct policy_file *file, size_t rule)
{
	size_t entry = 0, first = 0;

	while (first + file->entries[entry].n_rules <= rule)
		first += file->entries[entry++].n_rules;
	return &file->entries[entry];
}

/* Is @rule what the expectation names: its entry as it is written, or as it is listed? */
static int is_named(const struct examination *x, const struct expectation *want,
	const struct rule *rule, bool *ret_named)
{
	CLEANUP(text_done) struct text named = { 0 }, written = { 0 }, listed = { 0 },
				       again = { 0 };
	const char *entry = entry_of(x->file, rule->index - 1)->text;
	int r = add_words(want->rule, want->rule_len, &named);

	rule_print(rule, x->in->algs, rule->directions, &listed);
	if (r == 0)
		r = add_words(entry, strlen(entry), &written);
	if (r == 0)
		r = add_words(listed.str ? listed.str : "", listed.len, &again);
	if (r < 0 || listed.failed)
		return -ENOMEM;
	text_add(&named, "");
	*ret_named = named.str && ((written.str && strcmp(named.str, written.str) == 0) ||
					  (again.str && strcmp(named.str, again.str) == 0));
	return named.failed ? -ENOMEM : 0;
}

/* The rules in match order, each of which knows where it stands in the file. */
static int make_spd(struct examination *x)
{
	CLEANUP(policy_file_freep) struct policy_file *copy = NULL;
	int r = policy_file_without(x->file, POLICY_NOTHING, "", &copy);

	if (r < 0)
		return r;
	for (size_t i = 0; i < copy->n_rules; i++)
		copy->rules[i]->index = (uint32_t)i + 1;
	return policy_file_spd(copy, x->in->precedence, &x->spd);
}

static int judge(struct examination *x, const struct expectation *want)
{
	const struct rule *rule = NULL;
	enum spd_treatment verdict;
	bool named = true;
	int r = x->spd ? 0 : make_spd(x);

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
	if (r < 0 || (rule && named))
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
