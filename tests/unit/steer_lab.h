/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network namespace for each test, in which a TUN "wire0" stands for the network and "ipsec0" for
 * the engine.
 */
#ifndef UNIT_STEER_LAB_H
#define UNIT_STEER_LAB_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/bytes.h"
#include "common/marks.h"
#include "services/datapath/steer/nft.h"
#include "services/datapath/steer/rtnl.h"
#include "services/datapath/steer/steer.h"
#include "services/datapath/io/tun.h"
#include "tests/unit/suite.h"

#define HERE	  "192.0.2.1"
#define PROTECTED "192.0.2.2"
#define DROPPED	  "192.0.2.3"
#define PASSED	  "192.0.2.4"
#define OTHER	  "192.0.2.5"
#define WAIT_MSEC 2000
#define LOG_GROUP 77
#define RULES	  3
#define FILLERS	  200 /* make a list too long, so that the lines stand in maps */

static struct {
	struct tun wire, ipsec;
	struct netlink route;
	struct steer *steer;
	struct spd spd;
	struct rule *rules[RULES + FILLERS];
	size_t n_rules;
	bool two_tables;
} lab;

static inline void write_file(const char *path, const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static inline void enter_namespace(void)
{
	char map[64];

	if (geteuid() == 0) {
		ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
		return;
	}
	ck_assert_int_eq(text_fixed(map, sizeof(map), "0 %u 1", geteuid()), 0);
	ck_assert_int_eq(unshare(CLONE_NEWUSER | CLONE_NEWNET), 0);
	write_file("/proc/self/uid_map", map);
}

static inline struct rule *make_rule(uint64_t id, enum action_kind kind, const char *remote)
{
	struct rule *rule = rule_new(1);
	struct address addr;

	ck_assert_ptr_nonnull(rule);
	ck_assert_int_eq(address_parse(remote, &addr), 0);
	rule->id = id;
	rule->directions = DIRECTION_BIT_BOTH;
	rule->selector.family = AF_INET;
	rule->selector.remote = prefix_host(&addr);
	rule->actions[0].kind = kind;
	rule->actions[0].has_esp = kind == ACTION_PROTECT;
	rule->actions[0].esp.number = ALG_ENCR_AES_CBC;
	return rule;
}

static inline void open_steer(int owner_fd)
{
	char interface[] = "ipsec0";
	struct steer_options options = { .interface = interface,
		.route_table = 0x4950,
		.rule_priority = 100,
		.uids = { geteuid() },
		.n_uids = 1,
		.two_tables = lab.two_tables,
		.log_group = LOG_GROUP,
		.owner_fd = owner_fd };

	ck_assert_int_eq(steer_new(&options, &lab.steer), 0);
	memset(interface, 0, sizeof(interface)); /* it is the caller's, who may forget it */
}

static inline void setup(void)
{
	struct address here;

	enter_namespace();
	ck_assert_int_eq(netlink_open(NETLINK_ROUTE, 0, &lab.route), 0);
	ck_assert_int_eq(tun_open("wire0", 1, false, &lab.wire), 0);
	ck_assert_int_eq(tun_open("ipsec0", 1, false, &lab.ipsec), 0);
	ck_assert_int_eq(rtnl_link_setup(&lab.route, lab.wire.ifindex, 1500), 0);
	ck_assert_int_eq(rtnl_link_setup(&lab.route, lab.ipsec.ifindex, TUN_MTU), 0);
	ck_assert_int_eq(rtnl_link_setup(&lab.route, (int)if_nametoindex("lo"), 65536), 0);
	ck_assert_int_eq(address_parse(HERE, &here), 0);
	ck_assert_int_eq(rtnl_address_add(&lab.route, lab.wire.ifindex, &here, 24), 0);
	lab.rules[0] = make_rule(1, ACTION_BYPASS, PASSED);
	lab.rules[1] = make_rule(2, ACTION_PROTECT, PROTECTED);
	lab.rules[2] = make_rule(3, ACTION_DISCARD, DROPPED);
	lab.n_rules = lab.n_rules ? lab.n_rules : RULES;
	lab.spd = (struct spd){ .count = lab.n_rules, .rules = lab.rules };
	open_steer(-1);
	ck_assert_int_eq(steer_routes(lab.steer), 0);
}

/* As on a kernel whose tables do not outlive their owner. */
static inline void setup_two(void)
{
	lab.two_tables = true;
	setup();
}

/* Maps of hosts, and of nets, besides the three rules. */
static inline void setup_long(void)
{
	static const enum action_kind kinds[] = { ACTION_PROTECT, ACTION_DISCARD, ACTION_BYPASS };
	char remote[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < FILLERS; i++) {
		struct rule *rule;

		ck_assert_int_eq(text_fixed(remote, sizeof(remote), "198.51.100.%zu", i), 0);
		rule = make_rule(100 + i, kinds[i % ARRAY_SIZE(kinds)], remote);
		ck_assert_int_eq(
			prefix_make(&rule->selector.remote.addr,
				(unsigned int)(i % 2 ? 32 : 25 + i % 7), &rule->selector.remote),
			0);
		lab.rules[RULES + i] = rule;
	}
	lab.n_rules = RULES + FILLERS;
	setup();
}

static inline void teardown(void)
{
	steer_free(lab.steer);
	for (size_t i = 0; i < ARRAY_SIZE(lab.rules); i++)
		rule_free(lab.rules[i]);
	tun_close(&lab.wire);
	tun_close(&lab.ipsec);
	netlink_close(&lab.route);
}

/* One datagram; 0 or the errno that the sender gets. */
static inline int send_from(const char *device, uint32_t mark, uint16_t port, const char *to)
{
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	struct address addr;
	socklen_t len;

	ck_assert_int_ge(fd, 0);
	if (device)
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
					 (socklen_t)strlen(device)),
			0);
	if (mark)
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	if (port) {
		addr = address_any(AF_INET);
		len = address_to_sockaddr(&addr, port, &ss);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	}
	ck_assert_int_eq(address_parse(to, &addr), 0);
	len = address_to_sockaddr(&addr, 9000, &ss);
	return sendto(fd, "x", 1, 0, (struct sockaddr *)&ss, len) == 1 ? 0 : errno;
}

/* The destination's last octet of the next IPv4 packet, 0 when none is there after @msec. */
static inline int next_packet(const struct tun *tun, int msec)
{
	static uint8_t buffer[PACKET_BUFFER];
	struct packet pkt, *pkts[1] = { &pkt };
	struct pollfd pfd = { .fd = tun->queues[0], .events = POLLIN };

	while (poll(&pfd, 1, msec) == 1) {
		packet_init(&pkt, buffer, sizeof(buffer));
		ck_assert_int_eq(tun_read(tun->queues[0], pkts, 1), 1);
		if (pkt.len >= 20 && pkt.data[0] >> 4 == 4 && pkt.data[9] == IPPROTO_UDP)
			return pkt.data[19];
	}
	return 0;
}

/* The order of a queue is kept: what comes before the packet to OTHER would have come by then. */
static inline void expect_only_wire(int octet)
{
	ck_assert_int_eq(send_from(NULL, 0, 0, OTHER), 0);
	if (octet)
		ck_assert_int_eq(next_packet(&lab.wire, WAIT_MSEC), octet);
	ck_assert_int_eq(next_packet(&lab.wire, WAIT_MSEC), 5);
}

static inline void expect_lid(void)
{
	ck_assert_int_eq(send_from(NULL, 0, 0, PROTECTED), 0);
	ck_assert_int_eq(next_packet(&lab.ipsec, WAIT_MSEC), 2);
	expect_only_wire(0);
	ck_assert_int_eq(send_from(NULL, 0, 0, PASSED), 0);
	expect_only_wire(4);
	ck_assert_int_eq(send_from(NULL, 0, 0, DROPPED), EPERM);
	expect_only_wire(0);
}

static inline void load(const struct spd *spd)
{
	ck_assert_int_eq(steer_load(lab.steer, spd, NULL), 0);
}

#endif
