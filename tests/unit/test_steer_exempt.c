/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Under a policy that protects everything: what comes in clear all the same, by which tunable
 * (kernel-semantics of the original, section 6), and what finds neighbours in clear both ways.
 */
#include "tests/unit/steer_lab.h"

#define IKE_PORT  500
#define HERE6	  "2001:db8::1"
#define THERE6	  "2001:db8::2"
#define UPPER_LEN 12

/* Who lets it in. */
enum by { BY_NOBODY, BY_ICMP, BY_IGMP, BY_PIM, ALWAYS };

static const struct {
	uint8_t family, protocol, type;
	enum by by;
} kinds[] = {
	{ AF_INET, IPPROTO_ICMP, 0, BY_NOBODY }, /* echo reply */
	{ AF_INET, IPPROTO_ICMP, 3, BY_NOBODY }, /* unreachable, about nothing that can be read */
	{ AF_INET, IPPROTO_ICMP, 5, BY_ICMP }, /* redirect */
	{ AF_INET, IPPROTO_ICMP, 8, BY_ICMP }, /* echo */
	{ AF_INET, IPPROTO_ICMP, 9, BY_ICMP }, /* router advertisement */
	{ AF_INET, IPPROTO_ICMP, 10, BY_ICMP }, /* router solicitation */
	{ AF_INET, IPPROTO_ICMP, 11, BY_NOBODY }, /* time exceeded */
	{ AF_INET, IPPROTO_ICMP, 13, BY_ICMP }, /* timestamp request */
	{ AF_INET, IPPROTO_ICMP, 14, BY_NOBODY }, /* timestamp reply */
	{ AF_INET, IPPROTO_ICMP, 15, BY_ICMP }, /* information request */
	{ AF_INET, IPPROTO_ICMP, 16, BY_NOBODY }, /* information reply */
	{ AF_INET, IPPROTO_ICMP, 17, BY_ICMP }, /* mask request */
	{ AF_INET, IPPROTO_ICMP, 18, BY_NOBODY }, /* mask reply */
	{ AF_INET, IPPROTO_ICMP, 99, BY_NOBODY },
	{ AF_INET, IPPROTO_IGMP, 0x22, BY_IGMP },
	{ AF_INET, IPPROTO_PIM, 0x20, BY_PIM },
	{ AF_INET, IPPROTO_TCP, 0, BY_NOBODY },
	{ AF_INET, 47, 0, BY_NOBODY },
	{ AF_INET6, IPPROTO_ICMPV6, 1, BY_NOBODY }, /* unreachable, as above */
	{ AF_INET6, IPPROTO_ICMPV6, 2, BY_NOBODY }, /* too big */
	{ AF_INET6, IPPROTO_ICMPV6, 128, BY_ICMP },
	{ AF_INET6, IPPROTO_ICMPV6, 129, BY_NOBODY },
	{ AF_INET6, IPPROTO_ICMPV6, 130, ALWAYS }, /* multicast listeners */
	{ AF_INET6, IPPROTO_ICMPV6, 131, ALWAYS },
	{ AF_INET6, IPPROTO_ICMPV6, 132, ALWAYS },
	{ AF_INET6, IPPROTO_ICMPV6, 133, ALWAYS }, /* routers and neighbours */
	{ AF_INET6, IPPROTO_ICMPV6, 134, ALWAYS },
	{ AF_INET6, IPPROTO_ICMPV6, 135, ALWAYS },
	{ AF_INET6, IPPROTO_ICMPV6, 136, ALWAYS },
	{ AF_INET6, IPPROTO_ICMPV6, 137, ALWAYS },
	{ AF_INET6, IPPROTO_ICMPV6, 138, BY_NOBODY },
	{ AF_INET6, IPPROTO_ICMPV6, 143, ALWAYS },
	{ AF_INET6, IPPROTO_ICMPV6, 144, BY_NOBODY },
	{ AF_INET6, IPPROTO_PIM, 0x20, BY_PIM },
	{ AF_INET6, 47, 0, BY_NOBODY },
};

/* Twelve octets behind an IP header. Return: the packet's length. */
static size_t make_packet(size_t kind, const char *from, const char *to, uint8_t *ip)
{
	bool v4 = kinds[kind].family == AF_INET;
	size_t head = v4 ? 20 : 40, len = v4 ? 4 : 16;
	struct address src, dst;
	uint8_t *upper = ip + head;

	ck_assert_int_eq(address_parse(from, &src), 0);
	ck_assert_int_eq(address_parse(to, &dst), 0);
	memset(ip, 0, head + UPPER_LEN);
	ip[0] = v4 ? 0x45 : 0x60;
	ip[v4 ? 3 : 5] = (uint8_t)(v4 ? head + UPPER_LEN : UPPER_LEN);
	ip[v4 ? 8 : 7] = 255;
	ip[v4 ? 9 : 6] = kinds[kind].protocol;
	memcpy(upper - 2 * len, src.bytes, len);
	memcpy(upper - len, dst.bytes, len);
	if (v4)
		store_be16(ip + 10, packet_checksum(ip, head, 0));
	upper[0] = kinds[kind].type;
	if (kinds[kind].protocol == IPPROTO_ICMP)
		store_be16(upper + 2, packet_checksum(upper, UPPER_LEN, 0));
	if (kinds[kind].protocol == IPPROTO_ICMPV6)
		store_be16(upper + 2, packet_checksum(upper - 2 * len, 2 * len + UPPER_LEN,
					      UPPER_LEN + IPPROTO_ICMPV6));
	return head + UPPER_LEN;
}

static void write_in(const uint8_t *bytes, size_t len)
{
	uint8_t buffer[PACKET_HEADROOM + 128];
	struct packet pkt, *pkts[1] = { &pkt };

	packet_init(&pkt, buffer, sizeof(buffer));
	memcpy(packet_append(&pkt, len), bytes, len);
	ck_assert_int_eq((int)tun_write(lab.wire.queues[0], pkts, 1), 1);
}

/* The kernel takes packets for a new address when a work queue of its has come to it. */
static void await_address6(void)
{
	CLEANUP(fd_closep) int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 47);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint8_t bytes[128];
	bool came = false;

	ck_assert_int_ge(fd, 0);
	for (int waited = 0; waited < WAIT_MSEC && !came; waited += 10) {
		write_in(bytes, make_packet(ARRAY_SIZE(kinds) - 1, THERE6, HERE6, bytes));
		came = poll(&pfd, 1, 10) == 1;
	}
	ck_assert(came);
}

static void setup_all(void)
{
	struct address here6;

	setup();
	ck_assert_int_eq(address_parse(HERE6, &here6), 0);
	ck_assert_int_eq(rtnl_address_add(&lab.route, lab.wire.ifindex, &here6, 64), 0);
	await_address6();
	/* The rule that protects loses its addresses. */
	lab.rules[1]->selector = (struct selector){ .family = AF_UNSPEC };
	load(&(struct spd){ .count = 1, .rules = lab.rules + 1 });
}

/* Behind a datagram that comes in under any policy there is nothing that comes later. */
static void await_last(int udp)
{
	uint8_t last[29] = { 0x45, [3] = 29, [8] = 64, [9] = IPPROTO_UDP };
	struct pollfd pfd = { .fd = udp, .events = POLLIN };
	char got;

	memcpy(last + 12, (const uint8_t[]){ 192, 0, 2, 9, 192, 0, 2, 1 }, 8);
	store_be16(last + 10, packet_checksum(last, 20, 0));
	store_be16(last + 20, 7);
	store_be16(last + 22, IKE_PORT);
	store_be16(last + 24, 9);
	write_in(last, sizeof(last));
	ck_assert_int_eq(poll(&pfd, 1, WAIT_MSEC), 1);
	ck_assert_int_eq(recv(udp, &got, 1, 0), 1);
}

static const struct steer_tunables settings[] = {
	{ false, false, false },
	{ .icmp_accept_clear = true },
	{ .igmp_accept_clear = true },
	{ .pim_accept_clear = true },
	{ true, true, true },
};

static bool is_let_in(size_t kind, const struct steer_tunables *tunables)
{
	switch (kinds[kind].by) {
	case BY_ICMP:
		return tunables->icmp_accept_clear;
	case BY_IGMP:
		return tunables->igmp_accept_clear;
	case BY_PIM:
		return tunables->pim_accept_clear;
	case ALWAYS:
		return true;
	case BY_NOBODY:
		break;
	}
	return false;
}

START_TEST(what_comes_in_clear)
{
	CLEANUP(fd_closep) int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct address any = address_any(AF_INET);
	struct sockaddr_storage ss;

	ck_assert_int_eq(
		bind(udp, (struct sockaddr *)&ss, address_to_sockaddr(&any, IKE_PORT, &ss)), 0);
	ck_assert_int_eq(steer_set_tunables(lab.steer, &settings[_i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CLEANUP(fd_closep) int fd = socket(
			kinds[i].family, SOCK_RAW | SOCK_CLOEXEC, kinds[i].protocol);
		bool v4 = kinds[i].family == AF_INET;
		uint8_t bytes[128];
		bool came = false;
		ssize_t n;

		ck_assert_int_ge(fd, 0);
		write_in(bytes, make_packet(i, v4 ? PASSED : THERE6, v4 ? HERE : HERE6, bytes));
		await_last(udp);
		/* The kernel's own messages come to the socket too. */
		while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
			came |= n == UPPER_LEN + (v4 ? 20 : 0) &&
				bytes[v4 ? 20 : 0] == kinds[i].type;
		ck_assert_msg(came == is_let_in(i, &settings[_i]), "protocol %u type %u: %d",
			kinds[i].protocol, kinds[i].type, came);
	}
}
END_TEST

/* Is the packet, by its protocol and type, among what waits on a TUN? */
static bool came_out(const struct tun *tun, size_t kind)
{
	static uint8_t buffer[PACKET_BUFFER];
	struct packet pkt, *pkts[1] = { &pkt };
	struct pollfd pfd = { .fd = tun->queues[0], .events = POLLIN };
	size_t head = kinds[kind].family == AF_INET ? 20 : 40;
	bool found = false;

	while (poll(&pfd, 1, 0) == 1) {
		packet_init(&pkt, buffer, sizeof(buffer));
		if (tun_read(tun->queues[0], pkts, 1) != 1)
			continue;
		found |= pkt.len == head + UPPER_LEN && pkt.data[head] == kinds[kind].type &&
			 pkt.data[head == 20 ? 9 : 6] == kinds[kind].protocol;
	}
	return found;
}

/* Nothing but discovery: without it no SA could be made. The tunables are about what comes in. */
START_TEST(what_leaves_in_clear)
{
	int on = 1;

	ck_assert_int_eq(steer_set_tunables(lab.steer, &settings[_i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CLEANUP(fd_closep) int fd = socket(
			kinds[i].family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
		bool v4 = kinds[i].family == AF_INET, wire, ipsec;
		struct sockaddr_storage ss;
		struct address there;
		uint8_t bytes[128];
		size_t len = make_packet(i, v4 ? HERE : HERE6, v4 ? PASSED : THERE6, bytes);

		if (!v4)
			ck_assert_int_eq(
				setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on)), 0);
		ck_assert_int_eq(address_parse(v4 ? PASSED : THERE6, &there), 0);
		ck_assert_int_eq(sendto(fd, bytes, len, 0, (struct sockaddr *)&ss,
					 address_to_sockaddr(&there, 0, &ss)),
			(ssize_t)len);
		wire = came_out(&lab.wire, i);
		ipsec = came_out(&lab.ipsec, i);
		ck_assert_msg(wire == (kinds[i].by == ALWAYS) && ipsec == !wire,
			"protocol %u type %u: %d %d", kinds[i].protocol, kinds[i].type, wire,
			ipsec);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steer_exempt");
	TCase *tc = tcase_create("everything is protected");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup_all, teardown);
	tcase_add_loop_test(tc, what_comes_in_clear, 0, (int)ARRAY_SIZE(settings));
	tcase_add_loop_test(tc, what_leaves_in_clear, 0, (int)ARRAY_SIZE(settings));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
