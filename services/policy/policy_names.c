/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/policy/policy_names.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "common/conf/value.h"

#define NAME_MAX_BYTES	256
#define LISTED_LINE_MAX 1000 /* a file's line has 1022 characters */
#define DATABASE_BUFFER 2048

/* Without the part behind the first dot when this host's own name ends so, too. */
static void strip_local_domain(char *name)
{
	char own[NAME_MAX_BYTES];
	char *dot = strchr(name, '.');
	const char *own_dot;

	if (!dot || gethostname(own, sizeof(own)) < 0)
		return;
	own[sizeof(own) - 1] = '\0';
	own_dot = strchr(own, '.');
	if (own_dot && strcmp(own_dot, dot) == 0)
		*dot = '\0';
}

static bool system_host(void *userdata, const struct address *addr, char *ret_name, size_t size)
{
	struct sockaddr_storage ss;
	struct resolved found;
	socklen_t len = address_to_sockaddr(addr, 0, &ss);

	(void)userdata;
	if (getnameinfo((const struct sockaddr *)&ss, len, ret_name, (socklen_t)size, NULL, 0,
		    NI_NAMEREQD) != 0)
		return false;
	strip_local_domain(ret_name);
	/* A name that stands for anything else does not read back. */
	return resolver_system.host(NULL, ret_name, AF_UNSPEC, &found) == 0 && found.count == 1 &&
	       address_equal(&found.addrs[0], addr);
}

static bool system_service(void *userdata, uint16_t port, char *ret_name, size_t size)
{
	char buffer[DATABASE_BUFFER];
	struct servent entry, *found = NULL;
	uint16_t again;

	(void)userdata;
	if (getservbyport_r(htons(port), NULL, &entry, buffer, sizeof(buffer), &found) != 0 ||
		!found || text_copy(ret_name, size, found->s_name) < 0)
		return false;
	return resolver_system.service(NULL, ret_name, &again) == 0 && again == port;
}

static bool system_protocol(void *userdata, uint8_t protocol, char *ret_name, size_t size)
{
	char buffer[DATABASE_BUFFER];
	struct protoent entry, *found = NULL;
	uint8_t again;

	(void)userdata;
	if (getprotobynumber_r(protocol, &entry, buffer, sizeof(buffer), &found) != 0 || !found ||
		text_copy(ret_name, size, found->p_name) < 0)
		return false;
	return resolver_system.protocol(NULL, ret_name, &again) == 0 && again == protocol;
}

const struct namer namer_system = {
	.host = system_host,
	.service = system_service,
	.protocol = system_protocol,
};

static bool name_protocol(const char *word, size_t len, const struct namer *namer, char *ret_name)
{
	uint64_t number;

	return value_decimal(word, len, UINT8_MAX, &number) == 0 &&
	       namer->protocol(namer->userdata, (uint8_t)number, ret_name, NAME_MAX_BYTES);
}

static bool name_port(const char *word, size_t len, const struct namer *namer, char *ret_name)
{
	uint64_t number;

	return value_decimal(word, len, UINT16_MAX, &number) == 0 &&
	       namer->service(namer->userdata, (uint16_t)number, ret_name, NAME_MAX_BYTES);
}

/* A single host only: a name has no prefix length. */
static bool name_address(const char *word, size_t len, const struct namer *namer, char *ret_name)
{
	const char *slash = memchr(word, '/', len);
	struct address addr;
	uint64_t bits;

	if (!slash || value_address(word, (size_t)(slash - word), &addr) < 0 ||
		value_decimal(slash + 1, len - (size_t)(slash - word) - 1, 128, &bits) < 0)
		return false;
	return bits == address_bits(addr.family) &&
	       namer->host(namer->userdata, &addr, ret_name, NAME_MAX_BYTES);
}

static const struct {
	const char *selector;
	bool (*name)(const char *word, size_t len, const struct namer *namer, char *ret_name);
} named_selectors[] = {
	{ "ulp", name_protocol },
	{ "laddr", name_address },
	{ "raddr", name_address },
	{ "lport", name_port },
	{ "rport", name_port },
};

static bool find_name(const char *selector, size_t selector_len, const char *word, size_t len,
	const struct namer *namer, char *ret_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(named_selectors); i++)
		if (strlen(named_selectors[i].selector) == selector_len &&
			memcmp(named_selectors[i].selector, selector, selector_len) == 0)
			return named_selectors[i].name(word, len, namer, ret_name);
	return false;
}

void policy_names_print(const char *rule, const struct namer *namer, struct text *text)
{
	const char *before = rule, *at = rule, *pattern_end = strchr(rule, '}');
	size_t before_len = 0;

	while (*at != '\0') {
		size_t len = strcspn(at, " ");
		char name[NAME_MAX_BYTES];

		if (pattern_end && at < pattern_end &&
			find_name(before, before_len, at, len, namer, name))
			text_add(text, name);
		else
			text_add_bytes(text, at, len);
		before = at;
		before_len = len;
		at += len;
		if (*at == ' ') {
			text_add_char(text, ' ');
			at++;
		}
	}
}

void policy_lines_print(const char *rule, const char *indent, struct text *text)
{
	static const char joint[] = "} or ";
	const char *line = rule, *end = rule; /* up to @end it is sure to fit */

	for (;;) {
		const char *next = strstr(end, joint);
		size_t len = next ? (size_t)(next - line) + sizeof(joint) - 1 : strlen(line);

		if (len > LISTED_LINE_MAX && end > line) {
			text_add_bytes(text, line, (size_t)(end - line) - 1); /* not the blank */
			text_addf(text, "\n%s", indent);
			line = end;
		}
		if (!next)
			break;
		end = next + sizeof(joint) - 1;
	}
	text_add(text, line);
}
