/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lid in the real kernel: each test has a network namespace of its own, in which a TUN "wire0"
 * stands for the network and "ipsec0" for the engine. What is sent must come out of the right one.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/unit/steer_lab.h"

START_TEST(each_action_has_its_way)
{
	load(&lab.spd);
	expect_lid();
}
END_TEST

START_TEST(no_policy_passes_everything)
{
	bool present;

	ck_assert(!lab.two_tables || (steer_lacks(lab.steer) & STEER_LACKS_PERSISTENCE) != 0);
	load(NULL);
	ck_assert_int_eq(steer_present(lab.steer, &present), 0);
	ck_assert_int_eq(send_from(NULL, 0, 0, PROTECTED), 0);
	expect_only_wire(2);
	ck_assert_int_eq(send_from(NULL, 0, 0, DROPPED), 0);
	expect_only_wire(3);
}
END_TEST

START_TEST(replacing_and_withdrawing)
{
	struct spd only_pass = { .count = 1, .rules = lab.rules };

	load(&lab.spd);
	load(&lab.spd);
	expect_lid();
	load(&only_pass);
	ck_assert_int_eq(send_from(NULL, 0, 0, PROTECTED), 0);
	expect_only_wire(2);
	load(&lab.spd);
	expect_lid();
	load(NULL);
	ck_assert_int_eq(send_from(NULL, 0, 0, DROPPED), 0);
	expect_only_wire(3);
}
END_TEST

START_TEST(bound_to_a_device_leaks_nothing)
{
	load(&lab.spd);
	ck_assert_int_eq(send_from("wire0", 0, 0, PROTECTED), EPERM);
	expect_only_wire(0);
	ck_assert_int_eq(send_from("wire0", 0, 0, PASSED), 0);
	expect_only_wire(4);
}
END_TEST

START_TEST(without_a_tun_nothing_leaves)
{
	load(&lab.spd);
	tun_close(&lab.ipsec);
	ck_assert_int_ne(send_from(NULL, 0, 0, PROTECTED), 0);
	expect_only_wire(0);
	ck_assert_int_eq(send_from(NULL, 0, 0, PASSED), 0);
	expect_only_wire(4);
}
END_TEST

START_TEST(marks_and_ports_that_open_the_lid)
{
	load(&lab.spd);
	ck_assert_int_eq(send_from(NULL, MARK_BYPASS, 0, PROTECTED), 0);
	expect_only_wire(2);
	ck_assert_int_eq(send_from(NULL, 0, 500, PROTECTED), 0);
	expect_only_wire(2);
	ck_assert_int_eq(send_from(NULL, 0, 4500, PROTECTED), 0);
	ck_assert_int_eq(next_packet(&lab.ipsec, WAIT_MSEC), 2);
	expect_only_wire(0);
}
END_TEST

START_TEST(another_user_opens_nothing)
{
	struct steer_options options = { .interface = "ipsec0",
		.route_table = 0x4950,
		.rule_priority = 100,
		.uids = { geteuid() + 1 },
		.n_uids = 1,
		.owner_fd = -1 };

	steer_free(lab.steer);
	ck_assert_int_eq(steer_new(&options, &lab.steer), 0);
	load(&lab.spd);
	ck_assert_int_eq(send_from(NULL, MARK_BYPASS, 0, PROTECTED), 0);
	ck_assert_int_eq(next_packet(&lab.ipsec, WAIT_MSEC), 2);
	ck_assert_int_eq(send_from(NULL, 0, 500, PROTECTED), 0);
	ck_assert_int_eq(next_packet(&lab.ipsec, WAIT_MSEC), 2);
	expect_only_wire(0);
}
END_TEST

START_TEST(a_former_life_is_taken_over)
{
	bool present;

	load(&lab.spd);
	steer_free(lab.steer);
	expect_lid(); /* nobody owns it, it holds */
	open_steer(-1);
	ck_assert_int_eq(steer_present(lab.steer, &present), 0);
	ck_assert(present);
	expect_lid();
	load(&lab.spd);
	expect_lid();
}
END_TEST

START_TEST(the_owner_socket_goes_on)
{
	int fd;

	load(&lab.spd);
	fd = fcntl(steer_owner_fd(lab.steer), F_DUPFD_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	steer_free(lab.steer);
	open_steer(fd);
	load(&lab.spd);
	expect_lid();
}
END_TEST

/* What `nft flush ruleset` sends: delete all tables of all families. */
static int flush_ruleset(void)
{
	CLEANUP(netlink_close) struct netlink nl = { .fd = -1 };
	CLEANUP(nft_done) struct nft_batch batch;
	int r = netlink_open(NETLINK_NETFILTER, 0, &nl);

	ck_assert_int_eq(r, 0);
	nft_begin(&batch, STEER_TABLE);
	nft_ruleset_flush(&batch);
	return nft_commit(&batch, &nl);
}

START_TEST(a_flush_by_others_leaks_nothing)
{
	struct pollfd pfd;
	bool restored;

	load(&lab.spd);
	pfd = (struct pollfd){ .fd = steer_notify_fd(lab.steer), .events = POLLIN };
	ck_assert_int_eq(flush_ruleset(), 0);
	ck_assert_int_eq(send_from(NULL, 0, 0, PROTECTED), 0);
	ck_assert_int_eq(next_packet(&lab.ipsec, WAIT_MSEC), 2);
	expect_only_wire(0);
	if (poll(&pfd, 1, 0) == 1)
		ck_assert_int_eq(steer_on_notify(lab.steer, &restored), 0);
	expect_lid();
}
END_TEST

static void find_count(const struct steer_count *count, void *userdata)
{
	uint64_t *packets = userdata;

	if (count->outbound && count->rule_id < 4)
		packets[count->rule_id] = count->packets;
}

START_TEST(counters_survive_replacement)
{
	uint64_t packets[4] = { 0 };
	struct spd without_drop = { .count = 2, .rules = lab.rules };

	load(&lab.spd);
	expect_lid();
	load(&lab.spd);
	expect_lid();
	ck_assert_int_eq(steer_counters(lab.steer, find_count, packets), 0);
	ck_assert_uint_eq(packets[1], 2);
	ck_assert_uint_eq(packets[3], 2);
	load(&without_drop);
	load(&lab.spd);
	memset(packets, 0, sizeof(packets));
	ck_assert_int_eq(steer_counters(lab.steer, find_count, packets), 0);
	ck_assert_uint_eq(packets[1], 2);
	ck_assert_uint_eq(packets[3], 0);
}
END_TEST

/* An UDP datagram to us, written as the network would deliver it. */
static void arrive(const struct tun *tun, int from_octet, uint16_t to_port)
{
	uint8_t buffer[256], *ip;
	struct packet pkt, *pkts[1] = { &pkt };

	packet_init(&pkt, buffer, sizeof(buffer));
	ip = packet_append(&pkt, 29);
	memset(ip, 0, 29);
	ip[0] = 0x45;
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(&ip[12], (const uint8_t[]){ 192, 0, 2, (uint8_t)from_octet, 192, 0, 2, 1 }, 8);
	store_be16(&ip[20], 7000);
	store_be16(&ip[22], to_port);
	store_be16(&ip[24], 9);
	ip[28] = (uint8_t)from_octet;
	packet_set_length(&pkt);
	ck_assert_uint_eq(tun_write(tun->queues[0], pkts, 1), 1);
}

START_TEST(audit_rules_count_and_change_nothing)
{
	struct rule *audit[RULES + FILLERS];
	struct spd spd = { .count = 1, .rules = lab.rules, .audit = audit };
	uint64_t packets[4] = { 0 };

	for (spd.n_audit = 0; spd.n_audit < lab.n_rules; spd.n_audit++) {
		audit[spd.n_audit] = rule_copy(lab.rules[spd.n_audit]);
		ck_assert_ptr_nonnull(audit[spd.n_audit]);
		audit[spd.n_audit]->audit = true;
	}
	load(&spd);
	ck_assert_int_eq(send_from(NULL, 0, 0, PROTECTED), 0);
	expect_only_wire(2);
	ck_assert_int_eq(send_from(NULL, 0, 0, DROPPED), 0);
	expect_only_wire(3);
	ck_assert_int_eq(send_from(NULL, 0, 0, DROPPED), 0);
	expect_only_wire(3);
	ck_assert_int_eq(send_from(NULL, 0, 0, PASSED), 0);
	expect_only_wire(4);
	load(&spd);
	ck_assert_int_eq(steer_counters(lab.steer, find_count, packets), 0);
	ck_assert_uint_eq(packets[1], 1); /* of the rule in force */
	ck_assert_uint_eq(packets[2], 1);
	ck_assert_uint_eq(packets[3], 2);
	for (size_t i = 0; i < spd.n_audit; i++)
		rule_free(audit[i]);
}
END_TEST

START_TEST(clear_arrivals_are_judged)
{
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	struct address any = address_any(AF_INET);
	static const uint8_t want[] = { 4, 2, 5 };
	uint8_t got;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, address_to_sockaddr(&any, 9000, &ss)), 0);
	load(&lab.spd);
	arrive(&lab.wire, 4, 9000); /* passed */
	arrive(&lab.wire, 2, 9000); /* came in clear: dropped */
	arrive(&lab.wire, 3, 9000); /* dropped */
	arrive(&lab.ipsec, 2, 9000); /* opened by the engine */
	arrive(&lab.wire, 5, 9000); /* no rule */
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		ck_assert_int_eq(poll(&pfd, 1, WAIT_MSEC), 1);
		ck_assert_int_eq(recv(fd, &got, 1, 0), 1);
		ck_assert_uint_eq(got, want[i]);
	}
}
END_TEST

/* ESP in UDP comes in for our socket; another program on the port gets what policy lets it have. */
START_TEST(the_port_of_encapsulation_is_ours)
{
	static const uint8_t want[] = { 4, 2 };
	uint32_t mark = MARK_BYPASS;
	struct sockaddr_storage ss;
	struct address any = address_any(AF_INET);
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t got;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, address_to_sockaddr(&any, 4500, &ss)), 0);
	load(&lab.spd);
	arrive(&lab.wire, 2, 4500); /* dropped: the socket has no mark */
	arrive(&lab.wire, 4, 4500); /* passed by a rule */
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		ck_assert_int_eq(poll(&pfd, 1, WAIT_MSEC), 1);
		ck_assert_int_eq(recv(fd, &got, 1, 0), 1);
		ck_assert_uint_eq(got, want[i]);
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
		arrive(&lab.wire, 2, 4500);
	}
}
END_TEST

START_TEST(many_rules_load_in_chunks)
{
	enum { MANY = 5000 };
	CLEANUP(freep) struct rule **rules = calloc(MANY + 3, sizeof(*rules));
	struct spd spd = { .count = MANY + 3, .rules = rules };
	char addr[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(
			text_fixed(addr, sizeof(addr), "198.51.%zu.%zu", i / 250, i % 250 + 1), 0);
		rules[i] = make_rule(100 + i, ACTION_DISCARD, addr);
	}
	memcpy(rules + MANY, lab.rules, RULES * sizeof(struct rule *));
	load(&spd);
	expect_lid();
	load(&spd);
	expect_lid();
	for (size_t i = 0; i < MANY; i++)
		rule_free(rules[i]);
}
END_TEST

/* As fast as it goes, until it is killed or its parent is gone. */
static void keep_sending(const char *to)
{
	struct sockaddr_storage ss;
	struct address addr;
	socklen_t len;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || address_parse(to, &addr) < 0)
		_exit(EXIT_FAILURE);
	len = address_to_sockaddr(&addr, 9000, &ss);
	for (;;)
		(void)sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&ss, len);
}

/*
 * More senders than processors, so that some stop halfway through the old program while it is
 * replaced.
 */
START_TEST(replacing_under_traffic_leaks_nothing)
{
	enum { SENDERS = 6, LOADS = 60 };
	pid_t senders[SENDERS];

	load(&lab.spd);
	for (size_t i = 0; i < SENDERS; i++) {
		senders[i] = fork();
		ck_assert_int_ge(senders[i], 0);
		if (senders[i] == 0)
			keep_sending(PROTECTED);
	}
	for (int i = 0; i < LOADS; i++)
		load(&lab.spd);
	for (size_t i = 0; i < SENDERS; i++) {
		ck_assert_int_eq(kill(senders[i], SIGKILL), 0);
		ck_assert_int_eq(waitpid(senders[i], NULL, 0), senders[i]);
	}
	ck_assert_int_eq(next_packet(&lab.ipsec, WAIT_MSEC), 2);
	expect_only_wire(0);
}
END_TEST

START_TEST(removal_leaves_nothing)
{
	bool present;

	load(&lab.spd);
	ck_assert_int_eq(steer_remove(lab.steer), 0);
	ck_assert_int_eq(steer_present(lab.steer, &present), 0);
	ck_assert(!present);
	ck_assert_int_eq(send_from(NULL, 0, 0, PROTECTED), 0);
	expect_only_wire(2);
	ck_assert_int_eq(steer_remove(lab.steer), 0);
}
END_TEST

static TCase *make_case(const char *name, SFun fixture)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, fixture, teardown);
	tcase_add_test(tc, each_action_has_its_way);
	tcase_add_test(tc, no_policy_passes_everything);
	tcase_add_test(tc, replacing_and_withdrawing);
	tcase_add_test(tc, bound_to_a_device_leaks_nothing);
	tcase_add_test(tc, without_a_tun_nothing_leaves);
	tcase_add_test(tc, marks_and_ports_that_open_the_lid);
	tcase_add_test(tc, another_user_opens_nothing);
	tcase_add_test(tc, a_former_life_is_taken_over);
	tcase_add_test(tc, the_owner_socket_goes_on);
	tcase_add_test(tc, a_flush_by_others_leaks_nothing);
	tcase_add_test(tc, counters_survive_replacement);
	tcase_add_test(tc, audit_rules_count_and_change_nothing);
	tcase_add_test(tc, clear_arrivals_are_judged);
	tcase_add_test(tc, the_port_of_encapsulation_is_ours);
	tcase_add_test(tc, many_rules_load_in_chunks);
	tcase_add_test(tc, replacing_under_traffic_leaks_nothing);
	tcase_add_test(tc, removal_leaves_nothing);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("steer");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, make_case("one table", setup));
	suite_add_tcase(suite, make_case("two tables", setup_two));
	suite_add_tcase(suite, make_case("maps", setup_long));
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
