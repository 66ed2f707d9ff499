/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What besides the rules decides about a packet that ipsecconf --explain is asked about: what host
 * policy looks at, and what goes past it. One note at most, the first row that fits.
 */
#include <netinet/in.h>

#include "services/policy/ipsecconf_explain.h"

#define IKE_PORT      500
#define PROTOCOL_IGMP 2
#define PROTOCOL_PIM  103

static bool lacks_about(const struct spd_query *query)
{
	return spd_query_lacks_about(query);
}

/* steer_about.c takes these whatever rules say; which of them are believed the engine decides. */
static bool is_about_sealed(const struct spd_query *query)
{
	const struct flow *about = &query->about;

	return query->has_about &&
	       (about->protocol == IPPROTO_ESP || about->protocol == IPPROTO_AH ||
		       (query->flow.direction == DIRECTION_IN && about->protocol == IPPROTO_UDP &&
			       about->local_port == IKE_PORT));
}

/* Router and neighbour discovery, redirect, multicast listeners. */
static bool is_discovery(const struct spd_query *query)
{
	const struct flow *flow = &query->flow;

	return flow->has_icmp && flow->protocol == IPPROTO_ICMPV6 &&
	       ((flow->icmp_type >= 130 && flow->icmp_type <= 137) || flow->icmp_type == 143);
}

static bool is_key_exchange(const struct spd_query *query)
{
	const struct flow *flow = &query->flow;

	return flow->protocol == IPPROTO_UDP && flow->has_ports && flow->local_port == IKE_PORT;
}

static bool is_asked_of_stack(const struct spd_query *query)
{
	const struct flow *flow = &query->flow;

	if (query->flow.direction != DIRECTION_IN || !flow->has_icmp)
		return false;
	if (flow->protocol == IPPROTO_ICMPV6)
		return flow->icmp_type == 128;
	return flow->icmp_type == 5 || (flow->icmp_type >= 8 && flow->icmp_type <= 10) ||
	       flow->icmp_type == 13 || flow->icmp_type == 15 || flow->icmp_type == 17;
}

static bool is_echo_reply(const struct spd_query *query)
{
	const struct flow *flow = &query->flow;

	return query->flow.direction == DIRECTION_OUT && flow->has_icmp &&
	       flow->icmp_type == (flow->protocol == IPPROTO_ICMPV6 ? 129 : 0);
}

static bool is_igmp(const struct spd_query *query)
{
	return query->flow.direction == DIRECTION_IN && query->flow.protocol == PROTOCOL_IGMP;
}

static bool is_pim(const struct spd_query *query)
{
	return query->flow.direction == DIRECTION_IN && query->flow.protocol == PROTOCOL_PIM;
}

static bool is_clear_error(const struct spd_query *query)
{
	return query->has_about && query->flow.direction == DIRECTION_IN;
}

static const struct {
	bool (*fits)(const struct spd_query *query);
	const char *text;
} notes[] = {
	{ lacks_about, "host policy judges an ICMP error by the packet that came back in it, which "
		       "is not named: this answer is by the error's own addresses; add `about "
		       "PROTOCOL SOURCE DESTINATION', as that packet was sent" },
	{ is_about_sealed, "errors about ESP, AH and key exchange go past the rules; the datapath "
			   "decides which of them it believes" },
	{ is_discovery,
		"discovery of neighbours, routers and listeners goes in clear past the rules" },
	{ is_key_exchange, "key exchange from and to the local port 500 goes in clear past the "
			   "rules; out, for the key manager's user alone" },
	{ is_asked_of_stack, "while the tunable _icmp_accept_clear_messages is 1, one in clear is "
			     "taken whatever the rules say" },
	{ is_echo_reply,
		"the answer to a request that came in clear goes in clear past the rules" },
	{ is_igmp, "while the tunable _igmp_accept_clear_messages is 1, one in clear is taken "
		   "whatever the rules say" },
	{ is_pim, "while the tunable _pim_accept_clear_messages is 1, one in clear is taken "
		  "whatever the rules say" },
	{ is_clear_error, "while the tunable _icmp_accept_clear_messages is 0, an error in clear "
			  "has to pass the rules by its own addresses as well" },
};

bool conf_explain_notes(const struct explaining *ex)
{
	if (ex->query.tunnel[0] != '\0' || ex->query.forward)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
		if (notes[i].fits(&ex->query))
			return conf_json_add(
				ex->out, "note", json_object_new_string(notes[i].text));
	return true;
}

void conf_explain_print_notes(struct json_object *out)
{
	const char *text = conf_json_string(out, "note");

	if (*text)
		(void)printf("note: %s\n", text);
}
