/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random packets through the real kernel under random policies: where each of them went is held
 * against spd_match(). What leaves comes out of one of two TUNs or is refused; what arrives reaches
 * a raw socket or does not.
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
#include "services/datapath/steer/rtnl.h"
#include "services/datapath/steer/steer.h"
#include "tests/unit/steer_random.h"

#define POLICIES  8
#define RULES	  300
#define PACKETS	  800
#define SEED	  0x5eed0002U
#define UPPER_LEN 12 /* eight octets of a header, four that number the packet */
#define SENTINEL  0xffffffffU
#define IKE_PORT  500
#define WAIT_MSEC 5000

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
	static const struct steer_tunables by_policy = { false, false, false };
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
	ck_assert_int_eq(steer_set_tunables(lab.steer, &by_policy), 0);
	ck_assert_int_eq(steer_routes(lab.steer), 0);
}

static void teardown(void)
{
	steer_free(lab.steer);
	tun_close(&lab.wire);
	tun_close(&lab.ipsec);
	netlink_close(&lab.route);
}

static uint32_t sum16(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += load_be16(bytes + i);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The flow as a packet of its own, numbered. Return: its length. */
static size_t make_packet(const struct flow *flow, uint32_t number, uint8_t *ip)
{
	bool out = flow->direction == DIRECTION_OUT, v4 = flow->local.family == AF_INET;
	const struct address *src = out ? &flow->local : &flow->remote;
	const struct address *dst = out ? &flow->remote : &flow->local;
	size_t head = v4 ? 20 : 40, len = address_len(flow->local.family);
	uint8_t *upper = ip + head, *from = ip + (v4 ? 12 : 8);

	memset(ip, 0, head + UPPER_LEN);
	ip[0] = v4 ? 0x45 : 0x60;
	store_be16(ip + (v4 ? 2 : 4), (uint16_t)(v4 ? head + UPPER_LEN : UPPER_LEN));
	ip[v4 ? 8 : 7] = 64;
	ip[v4 ? 9 : 6] = flow->protocol;
	memcpy(from, src->bytes, len);
	memcpy(from + len, dst->bytes, len);
	if (v4)
		store_be16(ip + 10, fold(sum16(ip, head)));
	if (flow->has_ports) {
		store_be16(upper, out ? flow->local_port : flow->remote_port);
		store_be16(upper + 2, out ? flow->remote_port : flow->local_port);
	}
	if (flow->protocol == IPPROTO_UDP)
		store_be16(upper + 4, UPPER_LEN);
	upper[0] = flow->has_icmp ? flow->icmp_type : upper[0];
	upper[1] = flow->has_icmp ? flow->icmp_code : upper[1];
	store_be32(upper + 8, number);
	if (flow->protocol == IPPROTO_ICMP)
		store_be16(upper + 2, fold(sum16(upper, UPPER_LEN)));
	if (flow->protocol == IPPROTO_ICMPV6)
		store_be16(upper + 2, fold(sum16(upper, UPPER_LEN) + sum16(from, 2 * len) +
					      UPPER_LEN + IPPROTO_ICMPV6));
	return head + UPPER_LEN;
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
static int send_out(const struct flow *flow, uint32_t number)
{
	uint8_t ip[64];
	size_t len = make_packet(flow, number, ip);
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

static void write_in(const struct flow *flow, uint32_t number)
{
	uint8_t buffer[512], *ip;
	struct packet pkt, *pkts[1] = { &pkt };

	packet_init(&pkt, buffer, sizeof(buffer));
	ip = packet_append(&pkt, flow->local.family == AF_INET ? 20 + UPPER_LEN : 40 + UPPER_LEN);
	(void)make_packet(flow, number, ip);
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
	struct flow last = { .direction = DIRECTION_IN,
		.local = rules_addr("10.9.9.9"),
		.remote = rules_addr("11.9.9.9"),
		.protocol = IPPROTO_UDP,
		.has_ports = true,
		.local_port = IKE_PORT,
		.remote_port = 1 };
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

static void try_policy(uint32_t *state, size_t n, size_t by[static 4])
{
	CLEANUP(freep) struct rule **rules = calloc(n, sizeof(*rules));
	CLEANUP(freep) struct flow *flows = calloc(PACKETS, sizeof(*flows));
	CLEANUP(spd_freep) struct spd *spd = NULL;
	bool arrived[PACKETS] = { false };

	for (size_t i = 0; i < n; i++)
		rules[i] = random_rule(state, (uint32_t)i, 16);
	ck_assert_int_eq(
		spd_new(rules, n, random_below(state, 3) ? SPD_FIRST_MATCH : SPD_SOLARIS_PRIORITY,
			&spd),
		0);
	ck_assert_int_eq(steer_load(lab.steer, spd, NULL), 0);
	for (uint32_t i = 0; i < PACKETS; i++) {
		int want, got;

		flows[i] = random_flow(state, spd);
		want = steer_expected(spd, &flows[i]);
		by[want < 0 ? STEER_ACCEPT : want]++;
		if (flows[i].direction == DIRECTION_IN) {
			write_in(&flows[i], i);
			continue;
		}
		got = send_out(&flows[i], i);
		ck_assert_msg(went_right(want, got), "packet %u: %d, not %d", i, got, want);
	}
	await_arrivals(arrived, PACKETS);
	for (uint32_t i = 0; i < PACKETS; i++) {
		int want = steer_expected(spd, &flows[i]);

		if (flows[i].direction == DIRECTION_IN)
			ck_assert_msg(arrived[i] == (want < 0 || want == STEER_ACCEPT),
				"packet %u came in: %d, policy says %d", i, arrived[i], want);
	}
}

START_TEST(packets_go_where_policy_says)
{
	uint32_t state = SEED + (uint32_t)_i;
	size_t by[4] = { 0 };

	for (size_t i = 0; i < POLICIES / 2; i++)
		try_policy(&state, _i ? RULES : 20 + 10 * i, by);
	for (size_t i = 0; i < ARRAY_SIZE(by); i++)
		ck_assert_uint_gt(by[i], 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steer_random");
	TCase *tc = tcase_create("kernel");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, packets_go_where_policy_says, 0, 2);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
