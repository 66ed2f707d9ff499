/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/conf/hosts_file.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

struct hosts_file {
	char *text; /* cut into words */
	size_t count, room;
	const char **names; /* sorted, into text */
};

struct hosts_file *hosts_file_free(struct hosts_file *hosts)
{
	if (hosts) {
		free(hosts->text);
		free(hosts->names);
		free(hosts);
	}
	return NULL;
}

static int compare_names(const void *x, const void *y)
{
	return strcasecmp(*(const char *const *)x, *(const char *const *)y);
}

static int add_name(struct hosts_file *hosts, const char *name)
{
	if (hosts->count == hosts->room) {
		size_t room = hosts->room ? 2 * hosts->room : 32;
		const char **grown = reallocarray(hosts->names, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		hosts->names = grown;
		hosts->room = room;
	}
	hosts->names[hosts->count++] = name;
	return 0;
}

/* An address, then names. @line is writable and ends in a NUL. */
static int add_line(struct hosts_file *hosts, char *line)
{
	static const char blanks[] = " \t\r\f\v";
	bool is_address = true;
	int r = 0;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, blanks);
	while (r == 0 && *line != '\0') {
		size_t len = strcspn(line, blanks);
		char *next = line + len;

		next += strspn(next, blanks);
		line[len] = '\0';
		if (!is_address)
			r = add_name(hosts, line);
		is_address = false;
		line = next;
	}
	return r;
}

int hosts_file_new(const char *text, size_t len, struct hosts_file **ret_hosts)
{
	CLEANUP(hosts_file_freep) struct hosts_file *hosts = calloc(1, sizeof(*hosts));
	char *line, *end;
	int r = 0;

	if (!hosts)
		return -ENOMEM;
	hosts->text = malloc(len + 1);
	if (!hosts->text)
		return -ENOMEM;
	if (len > 0)
		memcpy(hosts->text, text, len);
	hosts->text[len] = '\0';
	end = hosts->text + len;
	for (line = hosts->text; r == 0 && line < end;) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		char *next = newline ? newline + 1 : end;

		if (newline)
			*newline = '\0';
		r = add_line(hosts, line);
		line = next;
	}
	if (r < 0)
		return r;
	if (hosts->count > 0)
		qsort(hosts->names, hosts->count, sizeof(*hosts->names), compare_names);
	*ret_hosts = STEAL(hosts);
	return 0;
}

bool hosts_file_has(const struct hosts_file *hosts, const char *name)
{
	return hosts->count > 0 && bsearch(&name, hosts->names, hosts->count, sizeof(*hosts->names),
					   compare_names) != NULL;
}
