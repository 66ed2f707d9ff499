/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stays on this machine, and what may come in clear by exception, in the real kernel. */
#include "services/datapath/steer/nflog.h"
#include "tests/unit/steer_lab.h"

/* ---- on this machine ---- */

/* One datagram from this host to itself; was it delivered? */
static bool stays_here(const char *addr_text)
{
	CLEANUP(fd_closep) int in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CLEANUP(fd_closep) int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	struct address addr;
	char got;
	socklen_t len;

	ck_assert_int_eq(address_parse(addr_text, &addr), 0);
	len = address_to_sockaddr(&addr, 9001, &ss);
	ck_assert_int_eq(bind(in, (struct sockaddr *)&ss, len), 0);
	if (sendto(out, "x", 1, 0, (struct sockaddr *)&ss, len) != 1) {
		ck_assert_int_eq(errno, EPERM);
		return false;
	}
	return recv(in, &got, 1, MSG_DONTWAIT) == 1;
}

/* What comes behind it on lo has arrived, so has it, or never will. */
static bool arrives_here(void)
{
	bool arrived = stays_here(HERE);

	ck_assert(stays_here("127.0.0.1"));
	return arrived;
}

static struct rule *intra_rule(
	uint64_t id, uint8_t directions, enum action_kind kind, uint8_t cipher)
{
	struct rule *rule = make_rule(id, kind, HERE);

	rule->directions = directions;
	rule->actions[0].esp.number = cipher;
	return rule;
}

static const struct {
	const char *name;
	uint8_t out_cipher, in_cipher; /* 0: no rule of that side */
	enum action_kind out, in;
	bool delivered;
} intra[] = {
	{ "no rule", 0, 0, ACTION_PROTECT, ACTION_PROTECT, true },
	{ "the same action", ALG_ENCR_AES_CBC, ALG_ENCR_AES_CBC, ACTION_PROTECT, ACTION_PROTECT,
		true },
	{ "another action", ALG_ENCR_AES_CBC, ALG_ENCR_3DES, ACTION_PROTECT, ACTION_PROTECT,
		false },
	{ "protected for nobody", ALG_ENCR_AES_CBC, 0, ACTION_PROTECT, ACTION_PROTECT, false },
	{ "clear, protection expected", 0, ALG_ENCR_AES_CBC, ACTION_PROTECT, ACTION_PROTECT,
		false },
	{ "pass is clear", 1, ALG_ENCR_AES_CBC, ACTION_BYPASS, ACTION_PROTECT, false },
	{ "pass for pass", 1, 1, ACTION_BYPASS, ACTION_BYPASS, true },
	{ "protected, pass expected", ALG_ENCR_AES_CBC, 1, ACTION_PROTECT, ACTION_BYPASS, false },
	{ "drop outbound", 1, 0, ACTION_DISCARD, ACTION_PROTECT, false },
	{ "drop inbound", 0, 1, ACTION_PROTECT, ACTION_DISCARD, false },
};

/* Rules of row @i, with @more behind them. */
static void try_intra(size_t i, struct rule *const *more, size_t n_more)
{
	struct rule *rules[2 + FILLERS];
	struct spd spd = { .rules = rules };
	size_t n;
	cpu_set_t one;

	/* lo has a queue a processor. */
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	if (intra[i].out_cipher)
		rules[spd.count++] = intra_rule(
			7, DIRECTION_BIT_OUT, intra[i].out, intra[i].out_cipher);
	if (intra[i].in_cipher)
		rules[spd.count++] = intra_rule(
			8, DIRECTION_BIT_IN, intra[i].in, intra[i].in_cipher);
	n = spd.count;
	for (size_t k = 0; k < n_more; k++)
		rules[spd.count++] = more[k];
	load(&spd);
	ck_assert_msg(arrives_here() == intra[i].delivered, "%s", intra[i].name);
	ck_assert_int_eq(next_packet(&lab.ipsec, 0), 0);
	for (size_t k = 0; k < n; k++)
		rule_free(rules[k]);
}

START_TEST(traffic_of_this_machine)
{
	try_intra((size_t)_i, NULL, 0);
}
END_TEST

static void own(const char *addr_text)
{
	struct address addr;

	ck_assert_int_eq(address_parse(addr_text, &addr), 0);
	ck_assert_int_eq(steer_set_own(lab.steer, &addr, 1), 0);
}

START_TEST(traffic_of_this_machine_beside_many_rules)
{
	own(HERE);
	try_intra((size_t)_i, lab.rules + RULES, FILLERS);
}
END_TEST

/* What the rules say of an address counts from the moment on that it is ours, and is not open before. */
START_TEST(own_addresses_come_and_go)
{
	struct rule *rules[1 + FILLERS] = { intra_rule(
		7, DIRECTION_BIT_BOTH, ACTION_PROTECT, ALG_ENCR_AES_CBC) };
	struct spd spd = { .rules = rules, .count = ARRAY_SIZE(rules) };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	memcpy(rules + 1, lab.rules + RULES, FILLERS * sizeof(*rules));
	load(&spd);
	for (size_t i = 0; i < 3; i++) {
		own(OTHER);
		ck_assert(!arrives_here());
		own(HERE);
		ck_assert(arrives_here());
	}
	load(&spd);
	ck_assert(arrives_here());
	/* With a rule of the sender's side alone, nothing inbound would hold it back. */
	rules[0]->directions = DIRECTION_BIT_OUT;
	own(OTHER);
	load(&spd);
	ck_assert(!arrives_here());
	load(&lab.spd);
	ck_assert(arrives_here());
	rule_free(rules[0]);
}
END_TEST

/* ---- told of drops ---- */

static void keep_drop(const struct nflog_drop *drop, void *userdata)
{
	struct nflog_drop *kept = userdata;

	*kept = *drop;
	ck_assert_uint_ge(drop->len, 20);
	ck_assert_uint_eq(drop->packet[0], 0x45);
}

START_TEST(drops_are_told)
{
	CLEANUP(netlink_close) struct netlink nl = { .fd = -1 };
	struct nflog_drop drop = { 0 };

	ck_assert_int_eq(nflog_open(LOG_GROUP, &nl), 0);
	load(&lab.spd);
	ck_assert_int_eq(send_from(NULL, 0, 0, PASSED), 0);
	ck_assert_int_eq(nflog_read(&nl, keep_drop, &drop), 0);
	ck_assert_uint_eq(drop.len, 0);
	ck_assert_int_eq(send_from(NULL, 0, 0, DROPPED), EPERM);
	ck_assert_int_eq(nflog_read(&nl, keep_drop, &drop), 0);
	ck_assert_uint_ge(drop.len, 29);
	ck_assert_int_eq(drop.verdict, VERDICT_SPD_EXPLICIT);
	ck_assert(drop.outbound);
}
END_TEST

/* Sender and receiver on this machine whose rules differ. */
START_TEST(mismatches_are_told)
{
	CLEANUP(netlink_close) struct netlink nl = { .fd = -1 };
	struct nflog_drop drop = { 0 };

	ck_assert_int_eq(nflog_open(LOG_GROUP, &nl), 0);
	try_intra(2, NULL, 0);
	ck_assert_int_eq(nflog_read(&nl, keep_drop, &drop), 0);
	ck_assert_uint_ge(drop.len, 29);
	ck_assert_int_eq(drop.verdict, VERDICT_SPD_LOOPBACK_MISMATCH);
	ck_assert(!drop.outbound);
}
END_TEST

/* ---- in clear by exception ---- */

/* An echo request to us that came in clear. */
static void ask(int from_octet, uint8_t number)
{
	uint8_t buffer[512], *ip;
	struct packet pkt, *pkts[1] = { &pkt };
	uint32_t sum = 0;

	packet_init(&pkt, buffer, sizeof(buffer));
	ip = packet_append(&pkt, 28);
	memset(ip, 0, 28);
	memcpy(ip, "\x45\0\0\x1c\0\0\0\0\x40\x01\0\0\xc0\0\2", 15);
	ip[15] = (uint8_t)from_octet;
	memcpy(ip + 16, "\xc0\0\2\1\x08", 5);
	for (size_t i = 0; i < 20; i += 2)
		sum += load_be16(ip + i);
	store_be16(ip + 10, (uint16_t) ~(sum % 0xffff));
	ip[27] = number;
	store_be16(ip + 22, (uint16_t) ~(0x0800 + number));
	ck_assert_int_eq((int)tun_write(lab.wire.queues[0], pkts, 1), 1);
}

/* The destination's last octet of the next echo reply; 0: none. */
static int next_answer(const struct tun *tun, int msec)
{
	static uint8_t buffer[PACKET_BUFFER];
	struct packet pkt, *pkts[1] = { &pkt };
	struct pollfd pfd = { .fd = tun->queues[0], .events = POLLIN };

	while (poll(&pfd, 1, msec) == 1) {
		packet_init(&pkt, buffer, sizeof(buffer));
		ck_assert_int_eq((int)tun_read(tun->queues[0], pkts, 1), 1);
		if (pkt.len >= 21 && pkt.data[0] >> 4 == 4 && pkt.data[9] == IPPROTO_ICMP &&
			pkt.data[20] == 0)
			return pkt.data[19];
	}
	return 0;
}

START_TEST(clear_echoes_are_answered_in_clear)
{
	static const struct steer_tunables off = { false, false, false }, on = { true, true, true };

	load(&lab.spd);
	ask(2, 1);
	ck_assert_int_eq(next_answer(&lab.wire, WAIT_MSEC), 2);
	ck_assert_int_eq(next_answer(&lab.ipsec, 0), 0);
	ck_assert_int_eq(steer_set_tunables(lab.steer, &off), 0);
	ask(2, 2);
	ask(5, 3); /* of this one policy says nothing */
	ck_assert_int_eq(next_answer(&lab.wire, WAIT_MSEC), 5);
	ck_assert_int_eq(next_answer(&lab.ipsec, 0), 0);
	load(&lab.spd);
	ask(2, 4);
	ask(5, 5);
	ck_assert_int_eq(next_answer(&lab.wire, WAIT_MSEC), 5);
	ck_assert_int_eq(steer_set_tunables(lab.steer, &on), 0);
	ask(2, 6);
	ck_assert_int_eq(next_answer(&lab.wire, WAIT_MSEC), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steer_intra");
	TCase *tc = tcase_create("one table"), *maps = tcase_create("maps");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, clear_echoes_are_answered_in_clear);
	tcase_add_test(tc, drops_are_told);
	tcase_add_test(tc, mismatches_are_told);
	tcase_add_loop_test(tc, traffic_of_this_machine, 0, (int)ARRAY_SIZE(intra));
	suite_add_tcase(suite, tc);
	tcase_set_timeout(maps, 60);
	tcase_add_checked_fixture(maps, setup_long, teardown);
	tcase_add_test(maps, clear_echoes_are_answered_in_clear);
	tcase_add_test(maps, drops_are_told);
	tcase_add_test(maps, own_addresses_come_and_go);
	tcase_add_loop_test(
		maps, traffic_of_this_machine_beside_many_rules, 0, (int)ARRAY_SIZE(intra));
	suite_add_tcase(suite, maps);
	return suite_main(suite);
}
