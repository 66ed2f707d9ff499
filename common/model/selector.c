/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/selector.h"

#define ICMPV6_INFOS 128U /* types from here on are no errors */

bool protocol_has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

bool protocol_is_icmp(uint8_t protocol, int family)
{
	return (protocol == IPPROTO_ICMP && family == AF_INET) ||
	       (protocol == IPPROTO_ICMPV6 && family == AF_INET6);
}

bool icmp_type_is_error(uint8_t type, int family)
{
	if (family == AF_INET6)
		return type < ICMPV6_INFOS;
	return type == 3 || type == 4 || type == 11 || type == 12;
}

static bool in_range(uint8_t x, uint8_t low, uint8_t high)
{
	return x >= low && x <= high;
}

static bool prefix_matches(const struct prefix *prefix, const struct address *addr)
{
	return prefix->addr.family == AF_UNSPEC || prefix_contains(prefix, addr);
}

bool selector_match(const struct selector *selector, const struct flow *flow)
{
	const struct selector *s = selector;

	if (s->family != AF_UNSPEC && s->family != flow->local.family)
		return false;
	if (s->protocol != 0 && s->protocol != flow->protocol)
		return false;
	if ((s->local_port != 0 || s->remote_port != 0) && !flow->has_ports)
		return false;
	if (!selector_port_matches(s->local_port, s->local_port_last, flow->local_port))
		return false;
	if (!selector_port_matches(s->remote_port, s->remote_port_last, flow->remote_port))
		return false;
	if ((s->has_icmp_type || s->has_icmp_code) && !flow->has_icmp)
		return false;
	if (s->has_icmp_type && !in_range(flow->icmp_type, s->icmp_type_low, s->icmp_type_high))
		return false;
	if (s->has_icmp_code && !in_range(flow->icmp_code, s->icmp_code_low, s->icmp_code_high))
		return false;
	return prefix_matches(&s->local, &flow->local) && prefix_matches(&s->remote, &flow->remote);
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
	if (a->family != b->family || a->protocol != b->protocol ||
		a->local_port != b->local_port || a->remote_port != b->remote_port ||
		a->local_port_last != b->local_port_last ||
		a->remote_port_last != b->remote_port_last)
		return false;
	if (a->has_icmp_type != b->has_icmp_type || a->has_icmp_code != b->has_icmp_code)
		return false;
	if (a->has_icmp_type &&
		(a->icmp_type_low != b->icmp_type_low || a->icmp_type_high != b->icmp_type_high))
		return false;
	if (a->has_icmp_code &&
		(a->icmp_code_low != b->icmp_code_low || a->icmp_code_high != b->icmp_code_high))
		return false;
	return prefix_equal(&a->local, &b->local) && prefix_equal(&a->remote, &b->remote);
}

/* The one family that can match, or AF_UNSPEC for both. */
static int selector_family(const struct selector *s)
{
	if (s->family != AF_UNSPEC)
		return s->family;
	if (s->local.addr.family != AF_UNSPEC)
		return s->local.addr.family;
	return s->remote.addr.family;
}

static bool selector_has_port(const struct selector *s)
{
	return s->local_port != 0 || s->remote_port != 0;
}

static bool selector_has_icmp(const struct selector *s)
{
	return s->has_icmp_type || s->has_icmp_code;
}

static bool prefixes_overlap(const struct prefix *a, const struct prefix *b)
{
	return a->addr.family == AF_UNSPEC || b->addr.family == AF_UNSPEC || prefix_overlaps(a, b);
}

static bool both_or_equal(unsigned int a, unsigned int b)
{
	return a == 0 || b == 0 || a == b;
}

static uint16_t port_last(uint16_t first, uint16_t last)
{
	return last != 0 ? last : first;
}

static bool ports_overlap(uint16_t a, uint16_t a_last, uint16_t b, uint16_t b_last)
{
	return a == 0 || b == 0 || (a <= port_last(b, b_last) && b <= port_last(a, a_last));
}

static bool ports_cover(uint16_t outer, uint16_t outer_last, uint16_t inner, uint16_t inner_last)
{
	return outer == 0 || (inner != 0 && inner >= outer &&
				     port_last(inner, inner_last) <= port_last(outer, outer_last));
}

static bool icmp_overlaps(const struct selector *a, const struct selector *b)
{
	if (a->has_icmp_type && b->has_icmp_type &&
		(a->icmp_type_low > b->icmp_type_high || b->icmp_type_low > a->icmp_type_high))
		return false;
	return !a->has_icmp_code || !b->has_icmp_code ||
	       (a->icmp_code_low <= b->icmp_code_high && b->icmp_code_low <= a->icmp_code_high);
}

bool selector_overlaps(const struct selector *a, const struct selector *b)
{
	uint8_t protocol = a->protocol ? a->protocol : b->protocol;
	bool ports = selector_has_port(a) || selector_has_port(b);
	bool icmp = selector_has_icmp(a) || selector_has_icmp(b);

	if (!both_or_equal((unsigned int)selector_family(a), (unsigned int)selector_family(b)) ||
		!both_or_equal(a->protocol, b->protocol))
		return false;
	if (!ports_overlap(a->local_port, a->local_port_last, b->local_port, b->local_port_last) ||
		!ports_overlap(
			a->remote_port, a->remote_port_last, b->remote_port, b->remote_port_last))
		return false;
	/* No packet has ports and an ICMP type, whichever side asked for which. */
	if (ports && (icmp || (protocol != 0 && !protocol_has_ports(protocol))))
		return false;
	return icmp_overlaps(a, b) && prefixes_overlap(&a->local, &b->local) &&
	       prefixes_overlap(&a->remote, &b->remote);
}

static bool prefix_field_covers(const struct prefix *outer, const struct prefix *inner, int family)
{
	if (outer->addr.family == AF_UNSPEC)
		return true;
	if (inner->addr.family == AF_UNSPEC)
		return outer->bits == 0 && outer->addr.family == family;
	return prefix_covers(outer, inner);
}

bool selector_covers(const struct selector *outer, const struct selector *inner)
{
	int family = selector_family(inner);

	if (outer->family != AF_UNSPEC && outer->family != family)
		return false;
	if (outer->protocol != 0 && outer->protocol != inner->protocol)
		return false;
	if (!ports_cover(outer->local_port, outer->local_port_last, inner->local_port,
		    inner->local_port_last) ||
		!ports_cover(outer->remote_port, outer->remote_port_last, inner->remote_port,
			inner->remote_port_last))
		return false;
	if (outer->has_icmp_type &&
		(!inner->has_icmp_type || inner->icmp_type_low < outer->icmp_type_low ||
			inner->icmp_type_high > outer->icmp_type_high))
		return false;
	if (outer->has_icmp_code &&
		(!inner->has_icmp_code || inner->icmp_code_low < outer->icmp_code_low ||
			inner->icmp_code_high > outer->icmp_code_high))
		return false;
	return prefix_field_covers(&outer->local, &inner->local, family) &&
	       prefix_field_covers(&outer->remote, &inner->remote, family);
}

static void range_print(const char *name, uint8_t low, uint8_t high, struct text *text)
{
	if (low == high)
		text_addf(text, "%s %u ", name, low);
	else
		text_addf(text, "%s %u-%u ", name, low, high);
}

static void address_print(const char *name, const struct prefix *prefix, struct text *text)
{
	char addr[PREFIX_TEXT_MAX];

	if (prefix->addr.family != AF_UNSPEC)
		text_addf(text, "%s %s ", name, prefix_format(prefix, addr));
}

static void port_print(const char *name, uint16_t first, uint16_t last, struct text *text)
{
	if (first != 0 && last != 0)
		text_addf(text, "%s %u-%u ", name, first, last);
	else if (first != 0)
		text_addf(text, "%s %u ", name, first);
}

void selector_print(const struct selector *selector, struct text *text)
{
	const struct selector *s = selector;

	if (s->protocol != 0)
		text_addf(text, "ulp %u ", s->protocol);
	address_print("laddr", &s->local, text);
	port_print("lport", s->local_port, s->local_port_last, text);
	address_print("raddr", &s->remote, text);
	port_print("rport", s->remote_port, s->remote_port_last, text);
	if (s->has_icmp_type)
		range_print("type", s->icmp_type_low, s->icmp_type_high, text);
	if (s->has_icmp_code)
		range_print("code", s->icmp_code_low, s->icmp_code_high, text);
}

static const struct {
	uint8_t protocol;
	const char *name;
} protocol_names[] = {
	{ IPPROTO_ICMP, "icmp" },
	{ IPPROTO_TCP, "tcp" },
	{ IPPROTO_UDP, "udp" },
	{ IPPROTO_ESP, "esp" },
	{ IPPROTO_AH, "ah" },
	{ IPPROTO_ICMPV6, "icmp6" },
	{ IPPROTO_SCTP, "sctp" },
};

static void protocol_print(uint8_t protocol, struct text *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocol_names); i++)
		if (protocol_names[i].protocol == protocol) {
			text_add(text, protocol_names[i].name);
			return;
		}
	text_addf(text, "protocol %u", protocol);
}

static void endpoint_print(
	const struct address *addr, bool has_port, uint16_t port, struct text *text)
{
	char str[ADDRESS_TEXT_MAX];

	address_format(addr, str);
	if (!has_port)
		text_add(text, str);
	else if (addr->family == AF_INET6)
		text_addf(text, "[%s]:%u", str, port);
	else
		text_addf(text, "%s:%u", str, port);
}

void flow_print(const struct flow *flow, struct text *text)
{
	bool out = flow->direction == DIRECTION_OUT;

	protocol_print(flow->protocol, text);
	text_add_char(text, ' ');
	endpoint_print(out ? &flow->local : &flow->remote, flow->has_ports,
		out ? flow->local_port : flow->remote_port, text);
	text_add(text, " > ");
	endpoint_print(out ? &flow->remote : &flow->local, flow->has_ports,
		out ? flow->remote_port : flow->local_port, text);
	if (flow->has_icmp)
		text_addf(text, " type %u code %u", flow->icmp_type, flow->icmp_code);
}
