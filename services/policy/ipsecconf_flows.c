/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Established connections of this host, as the kernel lists them in /proc/net. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/memfd.h"
#include "services/policy/ipsecconf_policy.h"

#define FLOWS_MAX_BYTES (256U << 20)
#define STATE_CONNECTED 1 /* TCP established, UDP connected */

static int read_hex(const char *at, size_t digits, uint32_t *ret_number)
{
	uint32_t number = 0;

	for (size_t i = 0; i < digits; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -EBADMSG;
		number = number << 4 | (uint32_t)digit;
	}
	*ret_number = number;
	return 0;
}

/* "0100007F:0016": words of the address as this machine holds them in memory, port as a number. */
static int read_end(const char *word, bool ipv6, struct address *ret_addr, uint16_t *ret_port)
{
	struct address addr = address_any(ipv6 ? AF_INET6 : AF_INET);
	size_t words = ipv6 ? 4 : 1;
	uint32_t number;

	for (size_t i = 0; i < words; i++) {
		if (read_hex(word + 8 * i, 8, &number) < 0)
			return -EBADMSG;
		memcpy(addr.bytes + 4 * i, &number, sizeof(number));
	}
	if (word[8 * words] != ':' || read_hex(word + 8 * words + 1, 4, &number) < 0)
		return -EBADMSG;
	*ret_addr = addr;
	*ret_port = (uint16_t)number;
	return 0;
}

/* IPv4 in an IPv6 socket goes out as IPv4. */
static void unmap(struct address *addr)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
	struct address inner = address_any(AF_INET);

	if (addr->family != AF_INET6 || memcmp(addr->bytes, prefix, sizeof(prefix)) != 0)
		return;
	memcpy(inner.bytes, addr->bytes + sizeof(prefix), 4);
	*addr = inner;
}

static int add_flow(struct conf_flows *flows, const struct flow *flow)
{
	if (flows->count == flows->room) {
		size_t room = flows->room ? 2 * flows->room : 64;
		struct spd_query *grown = reallocarray(flows->list, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		flows->list = grown;
		flows->room = room;
	}
	flows->list[flows->count++] = (struct spd_query){ .flow = *flow };
	return 0;
}

/* The next word of a line; its length 0 at the end. */
static size_t next_word(const char **at)
{
	*at += strspn(*at, " \t");
	return strcspn(*at, " \t\n");
}

/* "sl local remote state ...": a line that is none, such as the title, is passed over. */
static int read_line(struct conf_flows *flows, const char *line, uint8_t protocol, bool ipv6)
{
	size_t end_len = ipv6 ? 37 : 13;
	struct flow flow = { .direction = DIRECTION_OUT, .protocol = protocol, .has_ports = true };
	const char *words[4], *at = line;
	uint32_t state;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = next_word(&at);

		if (len == 0 || ((i == 1 || i == 2) && len != end_len) || (i == 3 && len != 2))
			return 0;
		words[i] = at;
		at += len;
	}
	if (read_end(words[1], ipv6, &flow.local, &flow.local_port) < 0 ||
		read_end(words[2], ipv6, &flow.remote, &flow.remote_port) < 0 ||
		read_hex(words[3], 2, &state) < 0 || state != STATE_CONNECTED)
		return 0;
	unmap(&flow.local);
	unmap(&flow.remote);
	return flow.local.family == flow.remote.family ? add_flow(flows, &flow) : 0;
}

int conf_flows_parse(struct conf_flows *flows, const char *text, uint8_t protocol, bool ipv6)
{
	int r = 0;

	while (r == 0 && *text) {
		r = read_line(flows, text, protocol, ipv6);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return r;
}

int conf_flows_read(struct conf_flows *flows)
{
	static const struct {
		const char *path;
		uint8_t protocol;
		bool ipv6;
	} files[] = {
		{ "/proc/net/tcp", IPPROTO_TCP, false },
		{ "/proc/net/tcp6", IPPROTO_TCP, true },
		{ "/proc/net/udp", IPPROTO_UDP, false },
		{ "/proc/net/udp6", IPPROTO_UDP, true },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		CLEANUP(freep) char *text = NULL;
		size_t len;

		r = file_read_path(files[i].path, FLOWS_MAX_BYTES, &text, &len);
		if (r == -ENOENT) { /* no IPv6 */
			r = 0;
			continue;
		}
		if (r == 0)
			r = conf_flows_parse(flows, text, files[i].protocol, files[i].ipv6);
	}
	return r;
}

void conf_flows_done(struct conf_flows *flows)
{
	free(flows->list);
	*flows = (struct conf_flows){ 0 };
}
