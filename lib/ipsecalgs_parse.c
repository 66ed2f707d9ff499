/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader of /etc/inet/ipsecalgs. A line is cut at its bars first, then each field is read by
 * one strict function; every problem of the whole text is reported before the verdict.
 */
#include "lib/netipsec/ipsecalgs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PROTO_FIELDS   4 /* PROTO|number|name|exec-mode */
#define ALG_MIN_FIELDS 7 /* ALG|proto|alg|names|mechanism|keys|blocks */
#define ALG_MAX_FIELDS 9 /* ...|params|flags */
#define MESSAGE_MAX    256
#define LIST_MAX       (IPSECALGS_LINE_MAX / 2 + 1) /* a line cannot hold more */

/* A part of the current line. */
struct field {
	const char *at;
	size_t len;
};

struct parser {
	ipsecalgs_report_fn report;
	void *userdata;
	struct ipsecalgs *table;
	unsigned int line;
	const char *line_at;
	bool corrupt;
	bool no_memory;
	bool full;
	/* The package that is open: its item in the table, as index + 1; 0: none. */
	size_t package;
};

static void tell(
	struct parser *p, bool fatal, struct field where, const char *code, const char *text)
{
	struct ipsecalgs_problem problem = {
		.fatal = fatal,
		.line = p->line,
		.column = where.at ? (unsigned int)(where.at - p->line_at) + 1 : 0,
		.length = (unsigned int)where.len,
		.code = code,
		.text = text,
	};

	p->corrupt |= fatal;
	if (p->report)
		p->report(&problem, p->userdata);
}

/* Returns false, so that a check can end with it. */
__attribute__((format(printf, 4, 5))) static bool corrupt(
	struct parser *p, struct field where, const char *code, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 overlooks va_start() here */
	(void)vsnprintf(text, sizeof(text), format, args); /* a longer one is cut */
	va_end(args);
	tell(p, true, where, code, text);
	return false;
}

__attribute__((format(printf, 4, 5))) static void warn(
	struct parser *p, struct field where, const char *code, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): as above */
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tell(p, false, where, code, text);
}

static bool out_of_memory(struct parser *p)
{
	p->no_memory = true;
	return false;
}

static bool field_is(struct field f, const char *word)
{
	return f.len == strlen(word) && strncasecmp(f.at, word, f.len) == 0;
}

/* The part before the next @separator; *rest keeps what follows, `at` NULL when nothing does. */
static struct field cut(struct field *rest, char separator)
{
	const char *end = rest->at ? memchr(rest->at, separator, rest->len) : NULL;
	struct field part = { rest->at, end ? (size_t)(end - rest->at) : rest->len };

	if (end)
		*rest = (struct field){ end + 1, rest->len - part.len - 1 };
	else
		*rest = (struct field){ NULL, 0 };
	return part;
}

static bool parse_number(
	struct parser *p, struct field f, const char *what, uint32_t max, uint32_t *ret)
{
	uint64_t number = 0;

	if (f.len == 0)
		return corrupt(p, f, "algs-number", "missing %s", what);
	for (size_t i = 0; i < f.len; i++) {
		if (f.at[i] < '0' || f.at[i] > '9')
			return corrupt(p, f, "algs-number", "%s is not a decimal number", what);
		number = number * 10 + (uint64_t)(f.at[i] - '0');
		if (number > max)
			return corrupt(p, f, "algs-number", "%s is larger than %lu", what,
				(unsigned long)max);
	}
	*ret = (uint32_t)number;
	return true;
}

/* A word without blanks, control or eight-bit characters, since it will be a word of other files. */
static bool parse_word(struct parser *p, struct field f, const char *what, char **ret)
{
	if (f.len == 0)
		return corrupt(p, f, "algs-name", "empty %s", what);
	for (size_t i = 0; i < f.len; i++) {
		struct field bad = { f.at + i, 1 };

		if (f.at[i] <= ' ' || f.at[i] > '~')
			return corrupt(
				p, bad, "algs-name", "character not allowed in the %s", what);
	}
	*ret = strndup(f.at, f.len);
	return *ret || out_of_memory(p);
}

/* Where a list of sizes goes. */
struct sizes {
	unsigned int *sizes;
	size_t room, count;
	bool by_place; /* parameters: a 0 among them stands for itself */
};

/* Comma-separated sizes. A lone 0 stands for an empty list, and so has no place in a longer one. */
static bool parse_sizes(struct parser *p, struct field f, const char *what, struct sizes *ret)
{
	struct field rest = f;
	bool zero = false;

	ret->count = 0;
	while (rest.at) {
		struct field part = cut(&rest, ',');
		uint32_t size;

		if (!parse_number(p, part, what, IPSECALGS_SIZE_MAX, &size))
			return false;
		if (ret->count == ret->room)
			return corrupt(p, part, "algs-fields", "more than %zu values: %s",
				ret->room, what);
		zero |= size == 0;
		ret->sizes[ret->count++] = size;
	}
	if (zero && ret->count > 1 && !ret->by_place)
		return corrupt(p, f, "algs-number", "%s 0 in a list", what);
	return true;
}

static bool parse_size_list(
	struct parser *p, struct field f, const char *what, unsigned int **ret, size_t *ret_count)
{
	unsigned int found[LIST_MAX];
	struct sizes list = { .sizes = found, .room = LIST_MAX };

	if (!parse_sizes(p, f, what, &list))
		return false;
	*ret = calloc(list.count, sizeof(**ret));
	if (!*ret)
		return out_of_memory(p);
	memcpy(*ret, found, list.count * sizeof(**ret));
	*ret_count = list.count;
	return true;
}

/* default/min-max,increment */
static bool parse_key_range(struct parser *p, struct field f, struct ipsecalgs_alg *alg)
{
	struct field rest = f, first = cut(&rest, '/'), low, high;
	uint32_t size[3], increment;

	if (!rest.at || !memchr(rest.at, '-', rest.len))
		return corrupt(p, f, "algs-keys", "a key range is default/min-max,increment");
	low = cut(&rest, '-');
	high = cut(&rest, ',');
	if (!rest.at)
		return corrupt(p, f, "algs-keys", "key range without an increment");
	if (!parse_number(p, first, "default key size", IPSECALGS_SIZE_MAX, &size[0]) ||
		!parse_number(p, low, "lowest key size", IPSECALGS_SIZE_MAX, &size[1]) ||
		!parse_number(p, high, "highest key size", IPSECALGS_SIZE_MAX, &size[2]) ||
		!parse_number(p, rest, "key increment", IPSECALGS_SIZE_MAX, &increment))
		return false;
	if (size[1] == 0 || size[2] == 0)
		return corrupt(p, f, "algs-keys", "key range ends at 0");
	if (size[2] <= size[1])
		return corrupt(p, f, "algs-keys", "key range %u-%u does not go up",
			(unsigned int)size[1], (unsigned int)size[2]);
	if (increment == 0)
		return corrupt(p, rest, "algs-keys", "key range without an increment");
	if (size[0] < size[1] || size[0] > size[2] || (size[0] - size[1]) % increment)
		warn(p, first, "algs-keys", "default key size %u is not in the range",
			(unsigned int)size[0]);
	alg->key_sizes = calloc(3, sizeof(*alg->key_sizes));
	if (!alg->key_sizes)
		return out_of_memory(p);
	for (size_t i = 0; i < 3; i++)
		alg->key_sizes[i] = size[i];
	alg->n_key_sizes = 3;
	alg->key_increment = increment;
	return true;
}

static bool parse_keys(struct parser *p, struct field f, struct ipsecalgs_alg *alg)
{
	if (memchr(f.at, '/', f.len))
		return parse_key_range(p, f, alg);
	return parse_size_list(p, f, "key size", &alg->key_sizes, &alg->n_key_sizes);
}

static bool parse_names(struct parser *p, struct field f, struct ipsecalgs_alg *alg)
{
	struct field rest = f;
	size_t room = 1;

	for (size_t i = 0; i < f.len; i++)
		room += f.at[i] == ',';
	alg->names = calloc(room, sizeof(*alg->names));
	if (!alg->names)
		return out_of_memory(p);
	while (rest.at) {
		struct field part = cut(&rest, ',');
		const struct ipsecalgs_alg *other;

		if (!parse_word(p, part, "algorithm name", &alg->names[alg->n_names]))
			return false;
		other = ipsecalgs_find_name(p->table, alg->proto, alg->names[alg->n_names]);
		if (other)
			warn(p, part, "algs-duplicate", "'%s' already names algorithm %u",
				alg->names[alg->n_names], other->number);
		alg->n_names++;
	}
	return true;
}

static bool parse_mechanism(struct parser *p, struct field f, struct ipsecalgs_alg *alg)
{
	if (f.len == 1 && f.at[0] == '-')
		return true;
	return parse_word(p, f, "mechanism name", &alg->mechanism);
}

static bool parse_params(struct parser *p, struct field f, struct ipsecalgs_alg *alg)
{
	struct sizes list = { .sizes = alg->params, .room = IPSECALGS_PARAMS, .by_place = true };

	if (f.len == 1 && f.at[0] == '0')
		return true;
	if (!parse_sizes(p, f, "parameter (IV, ICV, salt)", &list))
		return false;
	alg->n_params = list.count;
	return true;
}

static bool parse_alg_line(
	struct parser *p, const struct field *fields, size_t n_fields, struct ipsecalgs_item *item)
{
	struct ipsecalgs_alg *alg = &item->alg;
	bool good;

	item->kind = IPSECALGS_ALG;
	if (n_fields < ALG_MIN_FIELDS)
		return corrupt(p, fields[0], "algs-fields", "ALG with %zu of at least %d fields",
			n_fields, ALG_MIN_FIELDS);
	good = parse_number(p, fields[1], "protocol number", IPSECALGS_NUMBER_MAX, &alg->proto);
	if (good && alg->proto == 0)
		good = corrupt(p, fields[1], "algs-number", "protocol number 0");
	good &= parse_number(p, fields[2], "algorithm number", IPSECALGS_NUMBER_MAX, &alg->number);
	if (good && ipsecalgs_find_alg(p->table, alg->proto, alg->number))
		warn(p, fields[2], "algs-duplicate",
			"protocol %u has algorithm %u already; the first one counts", alg->proto,
			alg->number);
	good &= parse_names(p, fields[3], alg);
	good &= parse_mechanism(p, fields[4], alg);
	good &= parse_keys(p, fields[5], alg);
	good &= parse_size_list(p, fields[6],
		alg->proto == IPSECALGS_PROTO_AH ? "MAC length" : "block length", &alg->block_sizes,
		&alg->n_block_sizes);
	if (n_fields > 7)
		good &= parse_params(p, fields[7], alg);
	if (n_fields > 8)
		good &= parse_number(p, fields[8], "sum of flags", UINT32_MAX, &alg->flags);
	return good;
}

static bool parse_proto_line(
	struct parser *p, const struct field *fields, size_t n_fields, struct ipsecalgs_item *item)
{
	struct ipsecalgs_proto *proto = &item->proto;
	bool good;

	item->kind = IPSECALGS_PROTO;
	if (n_fields < PROTO_FIELDS)
		return corrupt(p, fields[0], "algs-fields", "PROTO with %zu of %d fields", n_fields,
			PROTO_FIELDS);
	good = parse_number(p, fields[1], "protocol number", IPSECALGS_NUMBER_MAX, &proto->number);
	if (good && proto->number == 0)
		good = corrupt(p, fields[1], "algs-number", "protocol number 0");
	if (good && ipsecalgs_find_proto(p->table, proto->number))
		warn(p, fields[1], "algs-duplicate",
			"protocol %u has a line already; the first one counts", proto->number);
	good &= parse_word(p, fields[2], "protocol name", &proto->name);
	if (fields[3].len == 4 && memcmp(fields[3].at, "sync", 4) == 0)
		proto->mode = IPSECALGS_SYNC;
	else if (fields[3].len == 5 && memcmp(fields[3].at, "async", 5) == 0)
		proto->mode = IPSECALGS_ASYNC;
	else
		good = corrupt(
			p, fields[3], "algs-mode", "execution mode is neither sync nor async");
	return good;
}

/* Cut a line at its bars. Fields beyond @max are not looked at. */
static size_t split(struct field line, struct field *fields, size_t max)
{
	struct field rest = line;
	size_t count = 0;

	while (rest.at && count < max)
		fields[count++] = cut(&rest, '|');
	return count;
}

static void parse_entry(struct parser *p, struct field line)
{
	struct field fields[ALG_MAX_FIELDS];
	size_t n_fields = split(line, fields, ALG_MAX_FIELDS);
	struct ipsecalgs_item item = { .line = p->line };
	bool good;

	if (p->table->n_items >= IPSECALGS_MAX_ITEMS) {
		if (!p->full)
			(void)corrupt(
				p, line, "algs-line", "more than %u entries", IPSECALGS_MAX_ITEMS);
		p->full = true;
		return;
	}
	if (field_is(fields[0], "ALG"))
		good = parse_alg_line(p, fields, n_fields, &item);
	else if (field_is(fields[0], "PROTO"))
		good = parse_proto_line(p, fields, n_fields, &item);
	else
		good = corrupt(
			p, fields[0], "algs-keyword", "a line is PROTO|..., ALG|... or a comment");
	if (good && ipsecalgs_append(p->table, &item) == 0)
		return;
	if (good)
		(void)out_of_memory(p);
	ipsecalgs_item_done(&item);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct field next_word(struct field *rest)
{
	struct field word;

	while (rest->len && is_blank(*rest->at)) {
		rest->at++;
		rest->len--;
	}
	word = (struct field){ rest->at, 0 };
	while (rest->len && !is_blank(*rest->at)) {
		rest->at++;
		rest->len--;
		word.len++;
	}
	return word;
}

static void parse_bracket(struct parser *p, struct field name, enum ipsecalgs_kind kind)
{
	const char *open = p->package ? p->table->items[p->package - 1].package : NULL;
	struct ipsecalgs_item item = { .kind = kind, .line = p->line };

	if (kind == IPSECALGS_PACKAGE_START && open) {
		(void)corrupt(p, name, "algs-package", "package inside package '%s'", open);
		return;
	}
	if (kind == IPSECALGS_PACKAGE_END &&
		(!open || strlen(open) != name.len || memcmp(open, name.at, name.len) != 0)) {
		(void)corrupt(p, name, "algs-package", "end of a package that did not start here");
		return;
	}
	if (!parse_word(p, name, "package name", &item.package))
		return;
	if (ipsecalgs_append(p->table, &item) < 0) {
		ipsecalgs_item_done(&item);
		(void)out_of_memory(p);
		return;
	}
	p->package = kind == IPSECALGS_PACKAGE_START ? p->table->n_items : 0;
}

/* Exactly `# Start NAME` or `# End NAME`; any other comment means nothing. */
static void parse_comment(struct parser *p, struct field line)
{
	struct field rest = line;
	struct field hash = next_word(&rest), verb = next_word(&rest), name = next_word(&rest);

	if (hash.len != 1 || name.len == 0 || next_word(&rest).len != 0)
		return;
	if (verb.len == 5 && memcmp(verb.at, "Start", 5) == 0)
		parse_bracket(p, name, IPSECALGS_PACKAGE_START);
	else if (verb.len == 3 && memcmp(verb.at, "End", 3) == 0)
		parse_bracket(p, name, IPSECALGS_PACKAGE_END);
}

static void parse_line(struct parser *p, struct field line)
{
	struct field rest = line, first = next_word(&rest);

	if (line.len > IPSECALGS_LINE_MAX)
		(void)corrupt(p, (struct field){ NULL, 0 }, "algs-line",
			"line longer than %u characters", IPSECALGS_LINE_MAX);
	else if (first.len && first.at[0] == '#')
		parse_comment(p, line);
	else if (first.len)
		parse_entry(p, line);
}

static void check_protocols(struct parser *p)
{
	p->line_at = NULL;
	for (size_t i = 0; i < p->table->n_items; i++) {
		const struct ipsecalgs_item *item = &p->table->items[i];

		if (item->kind != IPSECALGS_ALG || ipsecalgs_find_proto(p->table, item->alg.proto))
			continue;
		p->line = item->line;
		(void)corrupt(p, (struct field){ NULL, 0 }, "algs-proto",
			"protocol %u of algorithm '%s' has no PROTO line", item->alg.proto,
			item->alg.names[0]);
	}
	if (!p->package)
		return;
	p->line = p->table->items[p->package - 1].line;
	(void)corrupt(p, (struct field){ NULL, 0 }, "algs-package", "package '%s' does not end",
		p->table->items[p->package - 1].package);
}

int ipsecalgs_parse(const char *source, size_t len, ipsecalgs_report_fn report, void *userdata,
	struct ipsecalgs **ret)
{
	struct parser p = { .report = report, .userdata = userdata, .table = ipsecalgs_new() };
	struct field rest = { len ? source : NULL, len };

	if (!p.table)
		return -ENOMEM;
	while (rest.at && !p.no_memory) {
		struct field line = cut(&rest, '\n');

		p.line++;
		p.line_at = line.at;
		parse_line(&p, line);
	}
	if (!p.no_memory)
		check_protocols(&p);
	if (p.no_memory || p.corrupt) {
		(void)ipsecalgs_free(p.table);
		return p.no_memory ? -ENOMEM : -EBADMSG;
	}
	*ret = p.table;
	return 0;
}
