/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Selectors (RFC 4301 section 4.4.1.1): which packets a rule or an SA is about, and the fields of
 * one packet that they are compared with.
 */
#ifndef MODEL_SELECTOR_H
#define MODEL_SELECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/model/address.h"

enum direction { DIRECTION_IN, DIRECTION_OUT };

/* Bits of rule.directions. */
#define DIRECTION_BIT_IN   (1U << DIRECTION_IN)
#define DIRECTION_BIT_OUT  (1U << DIRECTION_OUT)
#define DIRECTION_BIT_BOTH (DIRECTION_BIT_IN | DIRECTION_BIT_OUT)

/* What is absent matches anything: zero protocol or port, a prefix of AF_UNSPEC, no ICMP range. */
struct selector {
	uint8_t family; /* AF_INET, AF_INET6; AF_UNSPEC: both */
	uint8_t protocol; /* next layer protocol, 0: any */
	bool has_icmp_type, has_icmp_code;
	uint8_t icmp_type_low, icmp_type_high;
	uint8_t icmp_code_low, icmp_code_high;
	uint16_t local_port, remote_port; /* host order; TCP, UDP and SCTP only */
	uint16_t local_port_last, remote_port_last; /* 0: that one port; else up to this, > first */
	struct prefix local, remote;
};

/* One packet as policy sees it; local is this machine's end in both directions. */
struct flow {
	enum direction direction;
	struct address local, remote; /* remote: the final destination when outbound */
	uint8_t protocol; /* after extension headers 0, 43, 44, 60; never skips 50 and 51 */
	bool has_ports; /* false: not visible (fragment) or not a protocol with ports */
	bool has_icmp; /* type and code are valid (only the family's own ICMP) */
	uint16_t local_port, remote_port; /* host order */
	uint8_t icmp_type, icmp_code;
};

/* Of one protocol between the same ends and ports; what ICMP says is no part of it. */
static inline bool flow_same_ends(const struct flow *a, const struct flow *b)
{
	return a->protocol == b->protocol && a->has_ports == b->has_ports &&
	       a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       address_equal(&a->local, &b->local) && address_equal(&a->remote, &b->remote);
}

bool protocol_has_ports(uint8_t protocol); /* TCP, UDP, SCTP */
bool protocol_is_icmp(uint8_t protocol, int family); /* 1 with AF_INET, 58 with AF_INET6 */
/* Of a family's own ICMP: a type that brings back a part of another packet; redirects do not count. */
bool icmp_type_is_error(uint8_t type, int family);

/* From the flow's view: does @port, one of @first to @last (0: @first alone), agree? 0: any. */
static inline bool selector_port_matches(uint16_t first, uint16_t last, uint16_t port)
{
	return first == 0 || (port >= first && port <= (last != 0 ? last : first));
}

/* A rule that names a port never matches a flow whose ports are not visible. */
bool selector_match(const struct selector *selector, const struct flow *flow);
bool selector_equal(const struct selector *a, const struct selector *b);
/* Can some packet match both? */
bool selector_overlaps(const struct selector *a, const struct selector *b);
/* Does every packet that matches @inner match @outer too? */
bool selector_covers(const struct selector *outer, const struct selector *inner);
/*
 * Canonical text, numbers only: "ulp 6 laddr 192.0.2.1/32 lport 80 raddr ... rport ... type a-b
 * code c-d", each followed by a blank; nothing for what is absent. A range of ports: "lport 80-90".
 */
void selector_print(const struct selector *selector, struct text *text);
/* "tcp 192.0.2.1:80 > 192.0.2.7:1234" in packet direction, for messages. */
void flow_print(const struct flow *flow, struct text *text);

#endif
