/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which host names a text asks for, before it is parsed, so that they can be looked up together. */
#include <errno.h>
#include <string.h>

#include "common/conf/resolve_job.h"
#include "services/policy/policy_parser.h"

struct name_list {
	size_t count, room;
	char **names;
};

void policy_host_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static int add_name(struct name_list *list, const char *name, size_t len)
{
	char *copy;

	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 16;
		char **grown = reallocarray(list->names, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->names = grown;
		list->room = room;
	}
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, name, len);
	copy[len] = '\0';
	list->names[list->count++] = copy;
	return 0;
}

/* "a", "a/n" or "a,b": what is no literal is a name. */
static int add_value(struct name_list *list, const struct token *value)
{
	const char *at = value->text, *end = value->text + value->len;
	int r = 0;

	while (r == 0 && at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *next = comma ? comma : end;
		const char *slash = memchr(at, '/', (size_t)(next - at));
		size_t len = (size_t)((slash ? slash : next) - at);
		struct address addr;

		if (len > 0 && len < POLICY_NAME_MAX && !memchr(at, '\0', len) &&
			value_address(at, len, &addr) < 0)
			r = add_name(list, at, len);
		at = comma ? comma + 1 : end;
	}
	return r;
}

/* Of entries, comments left out. */
static int add_entries(struct name_list *list, const char *source, size_t len)
{
	CLEANUP(conf_diags_freep) struct conf_diags *unread = conf_diags_new();
	struct policy_lexer lexer;
	bool is_value = false;
	int r = 0;

	if (!unread)
		return -ENOMEM;
	policy_lexer_init(&lexer, "", source, len, unread);
	while (r == 0) {
		struct token tok = policy_lexer_next(&lexer);

		if (tok.kind == TOKEN_END)
			break;
		if (tok.kind == TOKEN_END_OF_LINE)
			continue;
		if (is_value && tok.kind == TOKEN_WORD)
			r = add_value(list, &tok);
		is_value = pattern_takes_host(&tok);
	}
	return r;
}

/* Of the entry that an expectation names, in quotes: whatever stands behind one may be it. */
static int add_expectation(struct name_list *list, const char *line, size_t len)
{
	const char *end = line + len, *quote = memchr(line, '"', len);
	int r = 0;

	while (r == 0 && quote) {
		const char *start = quote + 1;

		quote = memchr(start, '"', (size_t)(end - start));
		r = add_entries(list, start, (size_t)((quote ? quote : end) - start));
	}
	return r;
}

static int add_expectations(struct name_list *list, const char *source, size_t len)
{
	const char *end = source + len, *word = source, *line_end;
	int r = 0;

	for (; r == 0 && word < end; word = line_end) {
		word = memmem(word, (size_t)(end - word), "#expect", strlen("#expect"));
		if (!word)
			break;
		line_end = memchr(word, '\n', (size_t)(end - word));
		if (!line_end)
			line_end = end;
		r = add_expectation(list, word, (size_t)(line_end - word));
	}
	return r;
}

int policy_host_names(const char *source, size_t len, char ***ret_names, size_t *ret_count)
{
	struct name_list list = { 0 };
	int r = add_entries(&list, source, len);

	if (r == 0)
		r = add_expectations(&list, source, len);
	if (r < 0) {
		policy_host_names_free(list.names, list.count);
		return r;
	}
	*ret_names = list.names;
	*ret_count = list.count;
	return 0;
}

int policy_parse_bounded(const struct policy_input *in, uint64_t timeout_usec,
	struct conf_diags *diags, struct policy_file **ret_file)
{
	CLEANUP(resolve_job_freep) struct resolve_job *job = NULL;
	struct policy_input input = *in;
	struct resolver answers;
	char **names;
	size_t count;
	int r = policy_host_names(in->source, in->len, &names, &count);

	if (r < 0)
		return r;
	if (count == 0)
		return policy_parse(in, diags, ret_file);
	r = resolve_job_new(in->resolver, (const char *const *)names, count, timeout_usec, &job);
	policy_host_names_free(names, count);
	if (r == 0)
		r = resolve_job_wait(job);
	if (r < 0)
		return r;
	answers = resolve_job_answers(job);
	input.resolver = &answers;
	return policy_parse(&input, diags, ret_file);
}
