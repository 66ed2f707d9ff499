/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/conf/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "common/conf/value.h"

#define DATABASE_BUFFER 2048

/* Names that are known on every system, also where /etc/protocols and /etc/services are not installed. */
static const struct {
	const char *name;
	uint8_t number;
} fixed_protocols[] = {
	{ "icmp", 1 },
	{ "igmp", 2 },
	{ "ipencap", 4 },
	{ "ip-encap", 4 },
	{ "tcp", 6 },
	{ "udp", 17 },
	{ "dccp", 33 },
	{ "ipv6", 41 },
	{ "gre", 47 },
	{ "esp", 50 },
	{ "ah", 51 },
	{ "ipv6-icmp", 58 },
	{ "ospf", 89 },
	{ "pim", 103 },
	{ "sctp", 132 },
	{ "udplite", 136 },
};

static const struct {
	const char *name;
	uint16_t port;
} fixed_services[] = {
	{ "ftp", 21 },
	{ "ssh", 22 },
	{ "telnet", 23 },
	{ "smtp", 25 },
	{ "domain", 53 },
	{ "http", 80 },
	{ "sunrpc", 111 },
	{ "ntp", 123 },
	{ "snmp", 161 },
	{ "bgp", 179 },
	{ "ldap", 389 },
	{ "https", 443 },
	{ "isakmp", 500 },
	{ "syslog", 514 },
	{ "ldaps", 636 },
	{ "nfs", 2049 },
	{ "ipsec-nat-t", 4500 },
};

static int fixed_host(void *userdata, const char *name, int family, struct resolved *ret)
{
	(void)userdata;
	(void)name;
	(void)family;
	(void)ret;
	return -ENOENT;
}

static int fixed_service(void *userdata, const char *name, uint16_t *ret_port)
{
	(void)userdata;
	for (size_t i = 0; i < ARRAY_SIZE(fixed_services); i++) {
		if (strcmp(fixed_services[i].name, name) == 0) {
			*ret_port = fixed_services[i].port;
			return 0;
		}
	}
	return -ENOENT;
}

static int fixed_protocol(void *userdata, const char *name, uint8_t *ret_protocol)
{
	(void)userdata;
	for (size_t i = 0; i < ARRAY_SIZE(fixed_protocols); i++) {
		if (strcmp(fixed_protocols[i].name, name) == 0) {
			*ret_protocol = fixed_protocols[i].number;
			return 0;
		}
	}
	return -ENOENT;
}

const char *resolver_nearest_service(const char *word, size_t len)
{
	const char *names[ARRAY_SIZE(fixed_services) + 1] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(fixed_services); i++)
		names[i] = fixed_services[i].name;
	return value_nearest(word, len, names);
}

const char *resolver_nearest_protocol(const char *word, size_t len)
{
	const char *names[ARRAY_SIZE(fixed_protocols) + 1] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(fixed_protocols); i++)
		names[i] = fixed_protocols[i].name;
	return value_nearest(word, len, names);
}

const struct resolver resolver_fixed = {
	.host = fixed_host,
	.service = fixed_service,
	.protocol = fixed_protocol,
};

/*
 * The resolver of the C library reads "10.1" as 10.0.0.1. A name whose last label begins with a
 * digit is no host name (RFC 1123 section 2.1), nor is one with a colon or a slash.
 */
static bool may_be_name(const char *name)
{
	const char *label = strrchr(name, '.');
	char first = label ? label[1] : name[0];

	if (name[0] == '\0' || name[0] == '.' || strpbrk(name, ":/ "))
		return false;
	return !(first >= '0' && first <= '9');
}

static void add_address(struct resolved *list, const struct address *addr)
{
	for (size_t i = 0; i < list->count; i++)
		if (address_equal(&list->addrs[i], addr))
			return;
	if (list->count < RESOLVE_MAX_ADDRESSES)
		list->addrs[list->count++] = *addr;
}

static int system_network(const char *name, struct resolved *ret)
{
	char buffer[DATABASE_BUFFER];
	struct netent entry, *found = NULL;
	uint32_t number;
	int h_error;

	if (getnetbyname_r(name, &entry, buffer, sizeof(buffer), &found, &h_error) != 0 || !found)
		return -ENOENT;
	if (entry.n_addrtype != AF_INET)
		return -ENOENT;
	number = entry.n_net;
	while (number != 0 && number <= 0xffffffU)
		number <<= 8; /* the database leaves out trailing zero bytes */
	ret->addrs[0] = address_v4((const uint8_t[]){ (uint8_t)(number >> 24),
		(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number });
	ret->count = 1;
	ret->is_network = true;
	return 0;
}

static int system_host(void *userdata, const char *name, int family, struct resolved *ret)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int r;

	(void)userdata;
	*ret = (struct resolved){ 0 };
	if (!may_be_name(name))
		return -ENOENT;
	r = getaddrinfo(name, NULL, &hints, &list);
	if (r == EAI_MEMORY)
		return -ENOMEM;
	if (r != 0)
		return system_network(name, ret);
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		struct address addr;
		uint16_t port;

		if (address_from_sockaddr(ai->ai_addr, ai->ai_addrlen, &addr, &port) == 0)
			add_address(ret, &addr);
	}
	freeaddrinfo(list);
	return ret->count > 0 ? 0 : -ENOENT;
}

static int system_service(void *userdata, const char *name, uint16_t *ret_port)
{
	char buffer[DATABASE_BUFFER];
	struct servent entry, *found = NULL;

	if (getservbyname_r(name, NULL, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return fixed_service(userdata, name, ret_port);
	*ret_port = ntohs((uint16_t)entry.s_port);
	return 0;
}

static int system_protocol(void *userdata, const char *name, uint8_t *ret_protocol)
{
	char buffer[DATABASE_BUFFER];
	struct protoent entry, *found = NULL;

	if (getprotobyname_r(name, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return fixed_protocol(userdata, name, ret_protocol);
	if (entry.p_proto < 0 || entry.p_proto > UINT8_MAX)
		return -ENOENT;
	*ret_protocol = (uint8_t)entry.p_proto;
	return 0;
}

const struct resolver resolver_system = {
	.host = system_host,
	.service = system_service,
	.protocol = system_protocol,
};
