/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random packets through the real kernel under random policies: where each of them went is held
 * against spd_match(). What leaves comes out of one of two TUNs or is refused; what arrives reaches
 * a raw socket or does not. Of ICMP errors what they are about is held against it.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/bytes.h"
#include "services/datapath/io/tun.h"
#include "services/datapath/packet/packet.h"
#include "services/datapath/steer/rtnl.h"
#include "services/datapath/steer/steer.h"
#include "services/datapath/steer/steer_plan.h"
#include "tests/unit/steer_random.h"

#define POLICIES       8
#define RULES	       300
#define LAST_RULES     10
#define PACKETS	       800
#define SEED	       0x5eed0002U
#define UPPER_LEN      12 /* eight octets of a header, four that number the packet */
#define SENTINEL       0xffffffffU
#define IKE_PORT       500
#define WAIT_MSEC      5000
#define ERROR_LEN      8 /* of an ICMP error's own header */
#define PACKET_LEN_MAX 160

/* How much of what an error is about can be seen; the kernel has to give the last three up. */
enum enclosed {
	ENCLOSED_WHOLE,
	ENCLOSED_FIRST, /* fragment */
	ENCLOSED_LATER, /* fragment */
	ENCLOSED_BEHIND, /* other headers */
	ENCLOSED_SHORT,
	ENCLOSED_COUNT,
};

/* One packet of a trial. */
struct sample {
	struct flow flow;
	bool is_error;
	struct flow about; /* as if it went the way of the error */
	enum enclosed enclosed;
};

static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, 47, IPPROTO_ICMP, IPPROTO_ICMPV6 };

static struct {
	struct tun wire, ipsec;
	struct netlink route;
	struct steer *steer;
	int out4, out6, in4[ARRAY_SIZE(protocols)], in6[ARRAY_SIZE(protocols)];
} lab;

static void enter_namespace(void)
{
	ck_assert_int_eq(unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET), 0);
}

static int open_raw(int family, int protocol)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), on = 1;
	int bytes = 4 << 20;

	ck_assert_int_ge(fd, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (family == AF_INET6 && protocol == IPPROTO_RAW)
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on)), 0);
	return fd;
}

/* Everything with a local first octet is ours, everything else is on the wire. */
static void add_routes(void)
{
	static const char *const words[] = {
		"ip link set lo up",
		"ip addr add 10.9.9.9/32 dev wire0",
		"ip -6 addr add 20ff::9/128 dev wire0 nodad",
		"ip route add local 10.0.0.0/8 dev lo src 10.9.9.9",
		"ip -6 route add local 2000::/8 dev lo",
		"ip route add default dev wire0",
		"ip -6 route add default dev wire0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		FILE *done = popen(words[i], "r");

		ck_assert_ptr_nonnull(done);
		ck_assert_msg(pclose(done) == 0, "%s", words[i]);
	}
}

static void setup(void)
{
	struct steer_options options = { .interface = "ipsec0",
		.route_table = 0x4950,
		.rule_priority = 100,
		.uids = { 12345 },
		.n_uids = 1,
		.owner_fd = -1 };

	enter_namespace();
	ck_assert_int_eq(netlink_open(NETLINK_ROUTE, 0, &lab.route), 0);
	ck_assert_int_eq(tun_open("wire0", 1, false, &lab.wire), 0);
	ck_assert_int_eq(tun_open("ipsec0", 1, false, &lab.ipsec), 0);
	ck_assert_int_eq(rtnl_link_setup(&lab.route, lab.wire.ifindex, 1500), 0);
	ck_assert_int_eq(rtnl_link_setup(&lab.route, lab.ipsec.ifindex, TUN_MTU), 0);
	add_routes();
	lab.out4 = open_raw(AF_INET, IPPROTO_RAW);
	lab.out6 = open_raw(AF_INET6, IPPROTO_RAW);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		lab.in4[i] = open_raw(AF_INET, protocols[i]);
		lab.in6[i] = open_raw(AF_INET6, protocols[i]);
	}
	ck_assert_int_eq(steer_new(&options, &lab.steer), 0);
	ck_assert_int_eq(steer_routes(lab.steer), 0);
}

static void teardown(void)
{
	steer_free(lab.steer);
	tun_close(&lab.wire);
	tun_close(&lab.ipsec);
	netlink_close(&lab.route);
}

static void write_upper(const struct flow *flow, bool sent, uint8_t *upper)
{
	memset(upper, 0, ERROR_LEN);
	if (flow->has_ports) {
		store_be16(upper, sent ? flow->local_port : flow->remote_port);
		store_be16(upper + 2, sent ? flow->remote_port : flow->local_port);
	}
	if (flow->protocol == IPPROTO_UDP)
		store_be16(upper + 4, UPPER_LEN);
	upper[0] = flow->has_icmp ? flow->icmp_type : upper[0];
	upper[1] = flow->has_icmp ? flow->icmp_code : upper[1];
}

/* @sent: by this machine. Return: the header's length. */
static size_t write_header(const struct flow *flow, bool sent, size_t payload, uint8_t *ip)
{
	bool v4 = flow->local.family == AF_INET;
	size_t head = v4 ? 20 : 40, len = address_len(flow->local.family);
	uint8_t *from = ip + (v4 ? 12 : 8);

	memset(ip, 0, head);
	ip[0] = v4 ? 0x45 : 0x60;
	store_be16(ip + (v4 ? 2 : 4), (uint16_t)(v4 ? head + payload : payload));
	ip[v4 ? 8 : 7] = 64;
	ip[v4 ? 9 : 6] = flow->protocol;
	memcpy(from, (sent ? &flow->local : &flow->remote)->bytes, len);
	memcpy(from + len, (sent ? &flow->remote : &flow->local)->bytes, len);
	if (v4)
		store_be16(ip + 10, packet_checksum(ip, head, 0));
	return head;
}

/* Room for another header between the enclosed one and what is behind it. */
static uint8_t *open_gap(const struct sample *sample, uint8_t *ip, size_t head)
{
	bool v4 = sample->about.local.family == AF_INET;
	bool later = sample->enclosed == ENCLOSED_LATER;

	if (sample->enclosed == ENCLOSED_WHOLE || sample->enclosed == ENCLOSED_SHORT)
		return ip + head;
	if (v4 && sample->enclosed == ENCLOSED_BEHIND) {
		memcpy(ip + head, (const uint8_t[]){ 1, 1, 1, 1 }, 4); /* options */
		ip[0] = 0x46;
		return ip + head + 4;
	}
	if (v4) {
		store_be16(ip + 6, later ? 0x0001 : 0x2000);
		return ip + head;
	}
	memset(ip + head, 0, 8);
	ip[head] = ip[6];
	ip[6] = sample->enclosed == ENCLOSED_BEHIND ? IPPROTO_DSTOPTS : IPPROTO_FRAGMENT;
	if (sample->enclosed == ENCLOSED_BEHIND)
		ip[head + 2] = 1, ip[head + 3] = 4; /* padding */
	else
		store_be16(ip + head + 2, later ? 0x0008 : 0x0001);
	return ip + head + 8;
}

/* What an error is about, behind its header. Return: its length. */
static size_t write_enclosed(const struct sample *sample, uint8_t *ip)
{
	bool sent = sample->flow.direction == DIRECTION_IN;
	size_t head = write_header(&sample->about, sent, 1000, ip);
	uint8_t *upper = open_gap(sample, ip, head);

	write_upper(&sample->about, sent, upper);
	return (size_t)(upper - ip) + (sample->enclosed == ENCLOSED_SHORT ? 0 : ERROR_LEN);
}

/* The packet, numbered by its last octets. Return: its length. */
static size_t make_packet(const struct sample *sample, uint32_t number, uint8_t *ip)
{
	const struct flow *flow = &sample->flow;
	size_t head = flow->local.family == AF_INET ? 20 : 40, len = ERROR_LEN, addresses;
	uint8_t *upper = ip + head;

	write_upper(flow, flow->direction == DIRECTION_OUT, upper);
	if (sample->is_error)
		len += write_enclosed(sample, upper + len);
	store_be32(upper + len, number);
	len += sizeof(number);
	(void)write_header(flow, flow->direction == DIRECTION_OUT, len, ip);
	addresses = 2 * address_len(flow->local.family);
	if (flow->protocol == IPPROTO_ICMP)
		store_be16(upper + 2, packet_checksum(upper, len, 0));
	if (flow->protocol == IPPROTO_ICMPV6)
		store_be16(upper + 2, packet_checksum(upper - addresses, addresses + len,
					      (uint32_t)len + IPPROTO_ICMPV6));
	return head + len;
}

static bool is_number(const uint8_t *bytes, size_t len, uint32_t number)
{
	return len >= UPPER_LEN && load_be32(bytes + len - 4) == number;
}

/* What waits on a TUN; true when the packet is among it. */
static bool came_out(const struct tun *tun, uint32_t number)
{
	static uint8_t buffer[PACKET_BUFFER];
	struct packet pkt, *pkts[1] = { &pkt };
	bool found = false;

	for (;;) {
		struct pollfd pfd = { .fd = tun->queues[0], .events = POLLIN };

		if (poll(&pfd, 1, 0) != 1)
			return found;
		packet_init(&pkt, buffer, sizeof(buffer));
		if (tun_read(tun->queues[0], pkts, 1) == 1)
			found |= is_number(pkt.data, pkt.len, number);
	}
}

/* Where an outbound packet went; -1: in clear. */
static int send_out(const struct sample *sample, uint32_t number)
{
	const struct flow *flow = &sample->flow;
	uint8_t ip[PACKET_LEN_MAX];
	size_t len = make_packet(sample, number, ip);
	struct sockaddr_storage ss;
	socklen_t ss_len = address_to_sockaddr(&flow->remote, 0, &ss);
	int fd = flow->local.family == AF_INET ? lab.out4 : lab.out6;
	bool wire, ipsec;

	if (sendto(fd, ip, len, 0, (struct sockaddr *)&ss, ss_len) < 0) {
		ck_assert_int_eq(errno, EPERM);
		ck_assert(!came_out(&lab.wire, number) && !came_out(&lab.ipsec, number));
		return STEER_DROP;
	}
	wire = came_out(&lab.wire, number);
	ipsec = came_out(&lab.ipsec, number);
	ck_assert_msg(wire != ipsec, "a packet came %s", wire ? "twice" : "nowhere");
	return wire ? -1 : STEER_PROTECT;
}

static void write_in(const struct sample *sample, uint32_t number)
{
	uint8_t buffer[PACKET_HEADROOM + PACKET_LEN_MAX], *ip;
	struct packet pkt, *pkts[1] = { &pkt };

	packet_init(&pkt, buffer, sizeof(buffer));
	ip = packet_append(&pkt, PACKET_LEN_MAX);
	pkt.len = make_packet(sample, number, ip);
	ck_assert_int_eq((int)tun_write(lab.wire.queues[0], pkts, 1), 1);
}

/* Numbers of packets that a socket has, each below @n into @got. Return: was the sentinel there? */
static bool collect(int fd, bool *got, uint32_t n)
{
	uint8_t bytes[256];
	bool sentinel = false;
	ssize_t len;

	while ((len = recv(fd, bytes, sizeof(bytes), 0)) >= 0) {
		uint32_t number;

		if (len < UPPER_LEN)
			continue;
		number = load_be32(bytes + len - 4);
		sentinel |= number == SENTINEL;
		if (number < n)
			got[number] = true;
	}
	return sentinel;
}

/* A datagram that comes in under any policy: when it is there, so is what came before. */
static void await_arrivals(bool *got, uint32_t n)
{
	struct sample last = { .flow = { .direction = DIRECTION_IN,
				       .local = rules_addr("10.9.9.9"),
				       .remote = rules_addr("11.9.9.9"),
				       .protocol = IPPROTO_UDP,
				       .has_ports = true,
				       .local_port = IKE_PORT,
				       .remote_port = 1 } };
	struct pollfd pfd = { .fd = lab.in4[1], .events = POLLIN };
	bool there = false;

	write_in(&last, SENTINEL);
	while (!there) {
		ck_assert_int_eq(poll(&pfd, 1, WAIT_MSEC), 1);
		there = collect(lab.in4[1], got, n);
	}
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		(void)collect(lab.in4[i], got, n);
		(void)collect(lab.in6[i], got, n);
	}
}

static bool went_right(int want, int got)
{
	if (want == STEER_ACCEPT)
		want = -1;
	return got == want || (want == STEER_DROP && got == STEER_PROTECT);
}

static bool is_error(const struct flow *flow)
{
	if (flow->protocol == IPPROTO_ICMPV6)
		return flow->has_icmp && flow->icmp_type < 128;
	return flow->has_icmp && (flow->icmp_type == 3 || flow->icmp_type == 4 ||
					 flow->icmp_type == 11 || flow->icmp_type == 12);
}

static struct sample random_sample(uint32_t *state, const struct spd *spd)
{
	struct sample sample = { .flow = random_flow(state, spd) };

	/* More errors than chance brings. */
	if (random_below(state, 3) == 0) {
		sample.flow.protocol = sample.flow.local.family == AF_INET ? IPPROTO_ICMP
									   : IPPROTO_ICMPV6;
		sample.flow.has_ports = false;
		sample.flow.local_port = sample.flow.remote_port = 0;
		sample.flow.has_icmp = true;
		sample.flow.icmp_type = random_below(state, 2) ? 3 : 11;
	}
	sample.is_error = is_error(&sample.flow);
	if (!sample.is_error)
		return sample;
	do
		sample.about = random_flow(state, spd);
	while (sample.about.local.family != sample.flow.local.family);
	sample.about.direction = sample.flow.direction;
	sample.enclosed = random_below(state, 2)
				  ? ENCLOSED_WHOLE
				  : (enum enclosed)random_below(state, ENCLOSED_COUNT);
	return sample;
}

/* Does any rule of the family do more in that direction than let packets through? */
static bool restricts(const struct spd *spd, const struct flow *flow)
{
	uint8_t bit = flow->direction == DIRECTION_OUT ? DIRECTION_BIT_OUT : DIRECTION_BIT_IN;

	for (size_t i = 0; i < spd->count; i++) {
		const struct rule *rule = spd->rules[i];
		bool open = bit == DIRECTION_BIT_OUT ? rule_is_bypass(rule) : rule_has_bypass(rule);

		if (rule->directions & bit && rule->selector.family == flow->local.family && !open)
			return true;
	}
	return false;
}

/* As steer_expected(), of an error by what it is about. */
static int expected(const struct spd *spd, const struct sample *sample)
{
	bool asked = sample->about.has_ports || sample->about.has_icmp;

	if (!sample->is_error)
		return steer_expected(spd, &sample->flow);
	if (sample->enclosed <= ENCLOSED_FIRST || (sample->enclosed == ENCLOSED_SHORT && !asked))
		return steer_expected(spd, &sample->about);
	if (!restricts(spd, &sample->flow))
		return -1;
	return sample->flow.direction == DIRECTION_OUT ? STEER_PROTECT : STEER_GOT_CLEAR;
}

static bool is_in(int want)
{
	return want < 0 || want == STEER_ACCEPT;
}

static bool comes_in(const struct spd *spd, const struct sample *sample, bool stack_first)
{
	static const uint8_t taken[] = { 5, 8, 9, 10 };

	if (sample->is_error)
		return is_in(expected(spd, sample)) &&
		       (stack_first || is_in(steer_expected(spd, &sample->flow)));
	if (stack_first && sample->flow.protocol == IPPROTO_ICMP && sample->flow.has_icmp &&
		memchr(taken, sample->flow.icmp_type, sizeof(taken)))
		return true;
	return is_in(expected(spd, sample));
}

/* A rule of this family and of few shapes, so that many of them stand in maps. */
static struct rule *tame_rule(uint32_t *state, uint32_t order, int family)
{
	struct rule *rule = random_rule(state, order, 16);
	struct selector *sel;

	while (rule->selector.family != family) {
		rule_free(rule);
		rule = random_rule(state, order, 16);
	}
	sel = &rule->selector;
	sel->local_port_last = sel->remote_port_last = 0;
	sel->icmp_type_high = sel->icmp_type_low;
	sel->icmp_code_high = sel->icmp_code_low;
	if (sel->local.bits != address_bits(family))
		sel->local = (struct prefix){ 0 };
	/* What is about all hosts comes last, or nothing would get by it. */
	if (sel->remote.addr.family == AF_UNSPEC && order < RULES - LAST_RULES) {
		struct address addr = random_address(state, family, RANDOM_REMOTE);

		sel->remote = prefix_host(&addr);
	}
	return rule;
}

static struct spd *random_policy(uint32_t *state, size_t n, bool in_maps)
{
	CLEANUP(freep) struct rule **rules = calloc(n, sizeof(*rules));
	CLEANUP(steer_program_freep) struct steer_program *program = NULL;
	int family = random_below(state, 2) ? AF_INET : AF_INET6;
	struct spd *spd;

	for (size_t i = 0; i < n; i++) {
		rules[i] = in_maps ? tame_rule(state, (uint32_t)i, family)
				   : random_rule(state, (uint32_t)i, 16);
		rules[i]->audit = random_below(state, 4) == 0;
	}
	ck_assert_int_eq(
		spd_new(rules, n, random_below(state, 3) ? SPD_FIRST_MATCH : SPD_SOLARIS_PRIORITY,
			&spd),
		0);
	ck_assert_int_eq(steer_compile(spd, &program), 0);
	ck_assert_int_eq(program->out_plan->n_layers > 0, in_maps);
	ck_assert_int_eq(program->in_plan->n_layers > 0, in_maps);
	return spd;
}

static void add_audited(const struct steer_count *count, void *userdata)
{
	uint64_t *sum = userdata;

	if (count->verdict == STEER_AUDIT)
		*sum += count->packets;
}

static uint64_t audited(void)
{
	uint64_t sum = 0;

	ck_assert_int_eq(steer_counters(lab.steer, add_audited, &sum), 0);
	return sum;
}

/* An audit rule would protect or drop it, and no other says anything. */
static bool is_audited(const struct spd *spd, const struct flow *flow)
{
	const struct rule *rule = spd_match(spd, "", flow) ? NULL : spd_match_audit(spd, "", flow);

	if (!rule)
		return false;
	return flow->direction == DIRECTION_IN ? !rule_has_bypass(rule) : !rule_is_bypass(rule);
}

/* How often each came, of errors alone too. */
struct tally {
	size_t by[4], errors[4];
	uint64_t audited;
};

/* Errors are looked at up to twice, and some kinds of ICMP may go past all lines. */
static void check_audit(
	const struct spd *spd, const struct sample *samples, uint64_t counted, struct tally *tally)
{
	uint64_t least = 0, unsure = 0;

	for (size_t i = 0; i < PACKETS; i++) {
		if (samples[i].is_error)
			unsure += 2;
		else if (samples[i].flow.has_icmp)
			unsure++;
		else
			least += is_audited(spd, &samples[i].flow);
	}
	ck_assert_msg(counted >= least && counted <= least + unsure, "%lu, not %lu to %lu",
		(unsigned long)counted, (unsigned long)least, (unsigned long)(least + unsure));
	tally->audited += least;
}

static void try_policy(uint32_t *state, size_t n, bool stack_first, struct tally *tally)
{
	bool in_maps = n > STEER_LIST_MAX;

	CLEANUP(freep) struct sample *samples = calloc(PACKETS, sizeof(*samples));
	CLEANUP(spd_freep) struct spd *spd = random_policy(state, n, in_maps);
	bool arrived[PACKETS] = { false };
	uint64_t before;

	ck_assert_int_eq(steer_load(lab.steer, spd, NULL), 0);
	before = audited();
	for (uint32_t i = 0; i < PACKETS; i++) {
		struct sample *sample = &samples[i];
		int want, got;

		*sample = random_sample(state, spd);
		want = expected(spd, sample);
		tally->by[want < 0 ? STEER_ACCEPT : want]++;
		if (sample->is_error)
			tally->errors[want < 0 ? STEER_ACCEPT : want]++;
		if (sample->flow.direction == DIRECTION_IN) {
			write_in(sample, i);
			continue;
		}
		got = send_out(sample, i);
		ck_assert_msg(went_right(want, got), "packet %u (type %u, inside %d): %d, not %d",
			i, sample->is_error ? sample->flow.icmp_type : 0U, (int)sample->enclosed,
			got, want);
	}
	await_arrivals(arrived, PACKETS);
	check_audit(spd, samples, audited() - before, tally);
	for (uint32_t i = 0; i < PACKETS; i++) {
		bool want = comes_in(spd, &samples[i], stack_first);

		if (samples[i].flow.direction == DIRECTION_IN)
			ck_assert_msg(arrived[i] == want,
				"packet %u (type %u, inside %d) came in: %d, policy says %d", i,
				samples[i].is_error ? samples[i].flow.icmp_type : 0U,
				(int)samples[i].enclosed, arrived[i], want);
	}
}

START_TEST(packets_go_where_policy_says)
{
	uint32_t state = SEED + (uint32_t)_i;
	struct steer_tunables tunables = { .icmp_accept_clear = (_i & 2) != 0 };
	struct tally tally = { 0 };

	ck_assert_int_eq(steer_set_tunables(lab.steer, &tunables), 0);
	for (size_t i = 0; i < POLICIES / 2; i++)
		try_policy(
			&state, _i & 1 ? RULES : 20 + 10 * i, tunables.icmp_accept_clear, &tally);
	for (size_t i = 0; i < ARRAY_SIZE(tally.by); i++) {
		ck_assert_uint_gt(tally.by[i], 10);
		ck_assert_uint_gt(tally.errors[i], 10);
	}
	/* In the last, rules about all hosts leave nothing to those that only count. */
	ck_assert(_i == 3 || tally.audited > 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steer_random");
	TCase *tc = tcase_create("kernel");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, packets_go_where_policy_says, 0, 4);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
