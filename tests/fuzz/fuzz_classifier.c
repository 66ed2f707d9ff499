/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules and packets from bytes: the compiled rules and the linear scan decide alike, alone and in
 * batches. */
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/spd/classifier.h"

#define MOST_RULES 64U
#define MOST_FLOWS 32U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good)
{
	if (!good)
		abort();
}

static uint8_t take(struct reader *rd)
{
	uint8_t x;

	return read_u8(rd, &x) ? x : 0;
}

static uint16_t take_port(struct reader *rd)
{
	uint16_t x;

	return read_be16(rd, &x) ? x : 0;
}

/* Few bytes make an address, so that prefixes and packets meet. */
static struct address take_address(struct reader *rd, int family)
{
	struct address addr = { .family = (uint8_t)family };
	uint8_t fill = take(rd), head = take(rd), tail = take(rd);

	memset(addr.bytes, fill & 1 ? 0xff : 0, address_len(family));
	addr.bytes[0] = head;
	addr.bytes[fill >> 1 & (address_len(family) - 1)] = tail;
	return addr;
}

static void take_prefix(struct reader *rd, int family, struct prefix *ret)
{
	unsigned int bits = take(rd);
	struct address addr = take_address(rd, family);

	if (bits <= address_bits(family))
		require(prefix_make(&addr, bits, ret) == 0);
}

static void take_ports(struct reader *rd, uint16_t *ret_first, uint16_t *ret_last)
{
	uint16_t last;

	*ret_first = take_port(rd);
	last = take_port(rd);
	if (*ret_first != 0 && last > *ret_first)
		*ret_last = last;
}

static struct rule *take_rule(struct reader *rd, uint32_t order)
{
	static const uint8_t protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };
	struct rule *rule = rule_new(1);
	unsigned int bits = take(rd), more = take(rd);
	int family = bits & 1 ? AF_INET : AF_INET6;

	require(rule != NULL);
	rule->order = order;
	rule->directions = (uint8_t)(1 + more % 3);
	rule->actions[0].kind = more & 64 ? ACTION_BYPASS : ACTION_DISCARD;
	rule->tunnel[0] = more & 128 ? 't' : '\0';
	rule->selector.family = bits & 2 ? (uint8_t)family : AF_UNSPEC;
	rule->selector.protocol = protocols[more >> 2 & 3];
	if (bits & 4)
		take_prefix(rd, family, &rule->selector.local);
	if (bits & 8)
		take_prefix(rd, family, &rule->selector.remote);
	if (bits & 16)
		take_ports(rd, &rule->selector.local_port, &rule->selector.local_port_last);
	if (bits & 32)
		take_ports(rd, &rule->selector.remote_port, &rule->selector.remote_port_last);
	if (bits & 64) {
		rule->selector.has_icmp_type = true;
		rule->selector.icmp_type_low = take(rd) & 7;
		rule->selector.icmp_type_high = rule->selector.icmp_type_low | 4;
	}
	if (bits & 128) {
		rule->selector.has_icmp_code = true;
		rule->selector.icmp_code_high = take(rd) & 7;
	}
	return rule;
}

static struct flow take_flow(struct reader *rd)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ESP };
	unsigned int bits = take(rd);
	int family = bits & 1 ? AF_INET : AF_INET6;
	struct flow flow = { .direction = bits & 2 ? DIRECTION_IN : DIRECTION_OUT,
		.protocol = protocols[bits >> 2 & 3] };

	flow.local = take_address(rd, family);
	flow.remote = take_address(rd, family);
	flow.has_ports = protocol_has_ports(flow.protocol) && bits & 16;
	flow.has_icmp = flow.protocol == IPPROTO_ICMP && family == AF_INET && bits & 16;
	flow.local_port = flow.has_ports ? take_port(rd) : 0;
	flow.remote_port = flow.has_ports ? take_port(rd) : 0;
	flow.icmp_type = flow.has_icmp ? take(rd) & 15 : 0;
	flow.icmp_code = flow.has_icmp ? take(rd) & 15 : 0;
	return flow;
}

static void compare(struct reader *rd, const struct spd *spd, const struct classifier *classifier)
{
	static const char *const names[] = { "", "t" };
	struct classifier_query queries[MOST_FLOWS];
	struct flow flows[MOST_FLOWS];
	size_t n = 0;

	for (size_t i = 0; i < MOST_FLOWS && reader_left(rd) > 0; i++) {
		const char *name = names[i % 2];
		int head = classifier_head(classifier, name);
		const struct rule *want;
		uint32_t found;

		flows[n] = take_flow(rd);
		want = spd_match(spd, name, &flows[n]);
		require(head != CLASSIFIER_NO_HEAD || !want);
		if (head == CLASSIFIER_NO_HEAD)
			continue;
		found = classifier_find(classifier, head, &flows[n]);
		require(found == CLASSIFIER_NONE ? !want : spd->rules[found] == want);
		queries[n] = (struct classifier_query){ .flow = &flows[n], .head = head };
		n++;
	}
	classifier_find_staged(classifier, queries, n);
	for (size_t i = 0; i < n; i++)
		require(queries[i].rule ==
			classifier_find(classifier, queries[i].head, queries[i].flow));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule *rules[MOST_RULES];
	struct classifier *classifier;
	struct spd *spd;
	struct reader rd;
	uint32_t n;

	reader_init(&rd, data, size);
	n = take(&rd) % (MOST_RULES + 1);
	for (uint32_t i = 0; i < n; i++)
		rules[i] = take_rule(&rd, i);
	require(spd_new(rules, n, n % 2 ? SPD_FIRST_MATCH : SPD_SOLARIS_PRIORITY, &spd) == 0);
	require(classifier_new(spd->rules, spd->count, &classifier) == 0);
	compare(&rd, spd, classifier);
	(void)classifier_free(classifier);
	(void)spd_free(spd);
	return 0;
}
