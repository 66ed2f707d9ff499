/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_exempt.h"

#include <netinet/in.h>

#include "services/datapath/steer/nft_set.h"
#include "services/datapath/steer/steer_rules.h"

#define ICMP_TYPE_AT	  0
#define ECHO_ID_AT	  4 /* identifier and number, two octets each */
#define ECHO_ID_LEN	  4
#define ECHO_MSEC	  3000 /* the kernel answers at once */
#define ECHO_REQUESTS_MAX 65536

struct family {
	int family;
	uint8_t icmp, request, reply;
	const char *asked; /* set of requests that came in clear */
	uint32_t source_at, destination_at, len;
};

static const struct family families[] = {
	{ AF_INET, IPPROTO_ICMP, 8, 0, "asked4", 12, 16, 4 },
	{ AF_INET6, IPPROTO_ICMPV6, 128, 129, "asked6", 8, 24, 16 },
};

static void begin_icmp(
	struct nft_batch *batch, const char *chain, const struct family *family, uint8_t type)
{
	nft_rule_begin(batch, chain);
	nft_match_family(batch, family->family);
	nft_match_protocol(batch, family->icmp);
	nft_match_octet(batch, ICMP_TYPE_AT, type, type);
}

/* Who asked whom, under which number; seen from the answer, the ends have changed places. */
static void load_echo(struct nft_batch *batch, const struct family *family, bool answer)
{
	struct nft_key key = { 0 };

	nft_key_network(batch, &key, answer ? family->destination_at : family->source_at,
		family->len, NULL);
	nft_key_network(batch, &key, answer ? family->source_at : family->destination_at,
		family->len, NULL);
	nft_key_transport(batch, &key, ECHO_ID_AT, ECHO_ID_LEN, NULL);
}

static void remember_echoes(struct nft_batch *batch)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct family *family = &families[i];
		struct nft_memory memory = { family->asked, 2 * family->len + ECHO_ID_LEN,
			ECHO_REQUESTS_MAX, ECHO_MSEC };

		nft_memory_add(batch, &memory);
		begin_icmp(batch, STEER_EXEMPT_IN, family, family->request);
		load_echo(batch, family, false);
		nft_remember(batch, &memory);
		nft_rule_end(batch);
		begin_icmp(batch, STEER_EXEMPT_OUT, family, family->reply);
		load_echo(batch, family, true);
		nft_among(batch, family->asked);
		nft_accept(batch);
		nft_rule_end(batch);
	}
}

/*
 * Kinds that the stack deals with itself, and errors, for which what they are about counts, and that
 * has been looked at. Answers, which go to sockets, are subject to policy.
 */
static void accept_icmp(struct nft_batch *batch)
{
	static const uint8_t kinds[] = { 5, 8, 9, 10, 13, 15, 17 };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		begin_icmp(batch, STEER_EXEMPT_IN, &families[0], kinds[i]);
		nft_accept(batch);
		nft_rule_end(batch);
	}
	begin_icmp(batch, STEER_EXEMPT_IN, &families[1], families[1].request);
	nft_accept(batch);
	nft_rule_end(batch);
	for (size_t i = 0; i < STEER_ERROR_KINDS; i++) {
		nft_rule_begin(batch, STEER_EXEMPT_IN);
		steer_rules_match_errors(batch, i);
		nft_accept(batch);
		nft_rule_end(batch);
	}
}

static void accept_protocol(struct nft_batch *batch, uint8_t protocol)
{
	nft_rule_begin(batch, STEER_EXEMPT_IN);
	nft_match_protocol(batch, protocol);
	nft_accept(batch);
	nft_rule_end(batch);
}

void steer_exempt_add(struct nft_batch *batch, const struct steer_tunables *tunables)
{
	static const char *const chains[] = { STEER_EXEMPT_IN, STEER_EXEMPT_OUT };

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		nft_chain_add(batch, chains[i]);
		nft_chain_flush(batch, chains[i]);
	}
	remember_echoes(batch);
	if (tunables->icmp_accept_clear)
		accept_icmp(batch);
	if (tunables->igmp_accept_clear)
		accept_protocol(batch, IPPROTO_IGMP);
	if (tunables->pim_accept_clear)
		accept_protocol(batch, IPPROTO_PIM);
}
