/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How one section follows another, on a real plant in a network namespace and a file tree of the
 * test's own: generations, hashes, refusals, withdrawal, and what a former life leaves.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "services/datapath/bus/section.h"

#define FIRST_FREE_FD 8

static struct {
	char root[64];
	struct datapath_settings settings;
	struct plant *plant;
	struct sections sections;
} lab;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void write_file(const char *path, const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void enter_namespace(void)
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

static void make_path(const char *path)
{
	char whole[128];

	ck_assert_int_eq(text_fixed(whole, sizeof(whole), "%s%s", lab.root, path), 0);
	ck_assert(mkdir(whole, 0700) == 0 || errno == EEXIST);
}

/* Descriptors as the service manager hands them back: from 3 on, with their names. */
static void hand_back(const int *fds, size_t n, const char *names)
{
	char number[16];

	for (size_t i = 0; i < n; i++)
		ck_assert_int_ge(dup2(fds[i], 3 + (int)i), 0);
	ck_assert_int_eq(text_fixed(number, sizeof(number), "%d", getpid()), 0);
	ck_assert_int_eq(setenv("LISTEN_PID", number, 1), 0);
	ck_assert_int_eq(text_fixed(number, sizeof(number), "%zu", n), 0);
	ck_assert_int_eq(setenv("LISTEN_FDS", number, 1), 0);
	ck_assert_int_eq(setenv("LISTEN_FDNAMES", names, 1), 0);
}

static void begin_life(void)
{
	CLEANUP(fdstore_freep) struct fdstore *store = NULL;
	const char *fault;

	ck_assert_int_eq(fdstore_new(&store), 0);
	ck_assert_int_eq(plant_open(&lab.settings, store, &lab.plant, &fault), 0);
	lab.sections = (struct sections){ .plant = lab.plant };
	ck_assert_int_eq(sections_restore(&lab.sections, store), 0);
	ck_assert_int_eq(plant_start(lab.plant), 0);
}

static void end_life(void)
{
	lab.plant = plant_free(lab.plant);
	sections_done(&lab.sections);
}

static char interface_name[] = "ipsec0", ike_user[] = "nobody-of-that-name";

static void setup(void)
{
	static const char *const directories[] = { "/var", "/var/lib", "/var/lib/netipsec",
		"/var/lib/netipsec/withdrawn", "/run", "/run/netipsec" };

	enter_namespace();
	ck_assert_int_eq(text_copy(lab.root, sizeof(lab.root), "/tmp/test-sections.XXXXXX"), 0);
	ck_assert_ptr_nonnull(mkdtemp(lab.root));
	ck_assert_int_eq(setenv("NETIPSEC_ROOT", lab.root, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		make_path(directories[i]);
	lab.settings = (struct datapath_settings){ .interface = interface_name,
		.ike_user = ike_user,
		.workers = 2,
		.route_table = 0x4950,
		.rule_priority = 100 };
	begin_life();
}

static void teardown(void)
{
	end_life();
	ck_assert_int_eq(nftw(lab.root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* A policy of one rule; @port tells policies apart. */
static int seal_policy(uint16_t port, uint8_t number, bool ah)
{
	struct snapshot_bytes bytes = { 0 };
	struct rule *rule = rule_new(1);
	struct spd *spd = NULL;
	int fd = -1;

	rule->directions = DIRECTION_BIT_BOTH;
	rule->selector.protocol = IPPROTO_TCP;
	rule->selector.remote_port = port;
	rule->actions[0].kind = ACTION_PROTECT;
	rule->actions[0].has_esp = !ah;
	rule->actions[0].has_ah = ah;
	rule->actions[0].esp =
		(struct alg_need){ .number = number, .min_bits = 128, .max_bits = 256 };
	rule->actions[0].ah = (struct alg_need){ .number = number, .max_bits = 256 };
	if (!ah)
		rule->actions[0].ah = (struct alg_need){ 0 };
	else
		rule->actions[0].esp = (struct alg_need){ 0 };
	ck_assert_int_eq(spd_new(&rule, 1, SPD_FIRST_MATCH, &spd), 0);
	ck_assert_int_eq(snapshot_write_policy(spd, &bytes), 0);
	ck_assert_int_eq(snapshot_seal(&bytes, SECTION_POLICY, &fd), 0);
	snapshot_bytes_done(&bytes);
	spd_free(spd);
	return fd;
}

static enum publish_verdict publish(uint64_t generation, int fd)
{
	CLEANUP(text_done) struct text why = { 0 };
	enum publish_verdict verdict = sections_publish(
		&lab.sections, SECTION_POLICY, generation, fd, &why);

	ck_assert_msg((verdict == PUBLISH_OK || verdict == PUBLISH_SAME) == (why.len == 0), "%s",
		why.str ? why.str : "no word of why");
	return verdict;
}

static uint16_t port_in_force(void)
{
	const struct spd *spd = plant_view(lab.plant)->spd;

	return spd && spd->count ? spd->rules[0]->selector.remote_port : 0;
}

START_TEST(generations_go_up)
{
	CLEANUP(fd_closep) int one = seal_policy(1, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int two = seal_policy(2, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int three = seal_policy(3, ALG_AUTH_HMAC_SHA256, true);

	ck_assert_uint_eq(port_in_force(), 0);
	ck_assert_int_eq(publish(5, one), PUBLISH_OK);
	ck_assert_uint_eq(port_in_force(), 1);
	ck_assert_int_eq(publish(6, one), PUBLISH_SAME);
	ck_assert_uint_eq(sections_get(&lab.sections, SECTION_POLICY)->generation, 5);
	ck_assert_int_eq(publish(5, two), PUBLISH_STALE);
	ck_assert_int_eq(publish(4, two), PUBLISH_STALE);
	ck_assert_uint_eq(port_in_force(), 1);
	ck_assert_int_eq(publish(6, two), PUBLISH_OK);
	ck_assert_uint_eq(port_in_force(), 2);
	ck_assert_int_eq(publish(7, three), PUBLISH_OK);
	ck_assert_uint_eq(port_in_force(), 3);
}
END_TEST

START_TEST(what_is_refused_changes_nothing)
{
	CLEANUP(fd_closep) int good = seal_policy(1, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int ah = seal_policy(2, 200, true);
	CLEANUP(fd_closep) int unknown = seal_policy(2, 200, false);
	CLEANUP(fd_closep) int damaged = -1, unsealed = memfd_create("unsealed", MFD_CLOEXEC);

	ck_assert_int_eq(memfd_seal("damaged", "not a snapshot", 14, &damaged), 0);
	ck_assert_int_eq(write(unsealed, "x", 1), 1);
	ck_assert_int_eq(publish(1, good), PUBLISH_OK);
	ck_assert_int_eq(publish(2, ah), PUBLISH_INVALID);
	ck_assert_int_eq(publish(2, unknown), PUBLISH_INVALID);
	ck_assert_int_eq(publish(2, damaged), PUBLISH_BAD_SNAPSHOT);
	ck_assert_int_eq(publish(2, unsealed), PUBLISH_BAD_SNAPSHOT);
	ck_assert_uint_eq(port_in_force(), 1);
	ck_assert_uint_eq(sections_get(&lab.sections, SECTION_POLICY)->generation, 1);
}
END_TEST

START_TEST(withdrawal_takes_all)
{
	CLEANUP(fd_closep) int good = seal_policy(1, ALG_ENCR_AES_GCM16, false);

	ck_assert_int_eq(publish(7, good), PUBLISH_OK);
	ck_assert_int_eq(sections_withdraw(&lab.sections, SECTION_POLICY), 0);
	ck_assert_uint_eq(port_in_force(), 0);
	ck_assert_uint_eq(sections_get(&lab.sections, SECTION_POLICY)->generation, 0);
	ck_assert(!plant_holds_lid(lab.plant));
	ck_assert_int_eq(publish(1, good), PUBLISH_OK); /* generations begin anew */
}
END_TEST

START_TEST(the_newest_of_a_former_life_comes_back)
{
	int fds[] = { seal_policy(1, ALG_ENCR_AES_GCM16, false),
		seal_policy(2, ALG_ENCR_AES_GCM16, false) };

	ck_assert_int_eq(publish(9, fds[0]), PUBLISH_OK);
	ck_assert_int_eq(publish(10, fds[1]), PUBLISH_OK);
	end_life();
	hand_back(fds, 2, "policy.9:policy.10");
	begin_life();
	ck_assert_uint_eq(port_in_force(), 2);
	ck_assert_uint_eq(sections_get(&lab.sections, SECTION_POLICY)->generation, 10);
}
END_TEST

START_TEST(a_lid_without_its_policy_stays)
{
	CLEANUP(fd_closep) int good = seal_policy(1, ALG_ENCR_AES_GCM16, false);

	ck_assert_int_eq(publish(1, good), PUBLISH_OK);
	end_life();
	begin_life();
	ck_assert(plant_holds_lid(lab.plant));
	ck_assert_int_eq(publish(1, good), PUBLISH_OK);
	ck_assert(!plant_holds_lid(lab.plant));
}
END_TEST

START_TEST(a_record_of_withdrawal_is_honoured)
{
	int fds[] = { seal_policy(1, ALG_ENCR_AES_GCM16, false) };
	char path[128];

	ck_assert_int_eq(
		text_fixed(path, sizeof(path), "%s/var/lib/netipsec/withdrawn/policy", lab.root),
		0);
	ck_assert_int_eq(publish(1, fds[0]), PUBLISH_OK);
	end_life();
	write_file(path, "");
	hand_back(fds, 1, "policy.1");
	begin_life();
	ck_assert_uint_eq(port_in_force(), 0);
	ck_assert(!plant_holds_lid(lab.plant));
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(counters_go_on)
{
	int fds[] = { fcntl(lab.plant->counters.fd, F_DUPFD_CLOEXEC, 10), -1 };
	uint64_t packets[VERDICT_COUNT];

	counters_add(counter_store_of(&lab.plant->counters, 1), VERDICT_ESP_NO_SA);
	end_life();
	hand_back(fds, 1, "counters");
	begin_life();
	ck_assert_int_eq(plant_counters(lab.plant, packets), 0);
	ck_assert_uint_eq(packets[VERDICT_ESP_NO_SA], 1);
	end_life();
	ck_assert_int_eq(memfd_seal("damaged", "not counters", 12, &fds[1]), 0);
	hand_back(&fds[1], 1, "counters");
	begin_life();
	ck_assert_int_eq(plant_counters(lab.plant, packets), 0);
	ck_assert_uint_eq(packets[VERDICT_ESP_NO_SA], 0);
}
END_TEST

START_TEST(a_table_of_algorithms_bars_rules)
{
	CLEANUP(fd_closep) int gcm = seal_policy(1, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int cbc = seal_policy(2, ALG_ENCR_AES_CBC, false), table_fd = -1;
	CLEANUP(text_done) struct text why = { 0 };
	struct algorithm only = { .proto = ALG_PROTO_ESP,
		.number = ALG_ENCR_AES_GCM16,
		.n_names = 1,
		.names = { "aes-gcm" },
		.key_default_bits = 128,
		.key_min_bits = 128,
		.key_max_bits = 256 };
	CLEANUP(alg_table_freep) struct alg_table *table = alg_table_new(&only, 1);
	struct snapshot_bytes bytes = { 0 };

	ck_assert_int_eq(snapshot_write_algorithms(table, &bytes), 0);
	ck_assert_int_eq(snapshot_seal(&bytes, SECTION_ALGORITHMS, &table_fd), 0);
	snapshot_bytes_done(&bytes);
	ck_assert_int_eq(
		sections_publish(&lab.sections, SECTION_ALGORITHMS, 1, table_fd, &why), PUBLISH_OK);
	ck_assert_int_eq(publish(1, cbc), PUBLISH_INVALID);
	ck_assert_int_eq(publish(1, gcm), PUBLISH_OK);
}
END_TEST

/* ---- trials ---- */

static enum publish_verdict try(uint64_t generation, int fd)
{
	CLEANUP(text_done) struct text why = { 0 };

	return sections_try(&lab.sections, SECTION_POLICY, generation, fd, USEC_PER_SEC, &why);
}

/* Is something rolled back at the end of the trial, and nothing before? */
static bool expire(void)
{
	CLEANUP(text_done) struct text why = { 0 };
	uint64_t deadline = sections_deadline(&lab.sections);
	enum snapshot_section section;

	ck_assert_uint_ne(deadline, 0);
	ck_assert(!sections_expire(&lab.sections, deadline - 1, &section, &why));
	return sections_expire(&lab.sections, deadline, &section, &why) &&
	       section == SECTION_POLICY && why.len == 0;
}

START_TEST(what_nobody_confirms_goes_back)
{
	CLEANUP(fd_closep) int one = seal_policy(1, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int two = seal_policy(2, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int three = seal_policy(3, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int bad = seal_policy(4, 200, false);

	ck_assert_int_eq(publish(5, one), PUBLISH_OK);
	ck_assert_uint_eq(sections_deadline(&lab.sections), 0);
	ck_assert_int_eq(try(6, bad), PUBLISH_INVALID);
	ck_assert_int_eq(try(5, two), PUBLISH_STALE);
	ck_assert_uint_eq(sections_deadline(&lab.sections), 0);
	ck_assert_int_eq(try(6, two), PUBLISH_OK);
	ck_assert_int_eq(try(7, three), PUBLISH_OK);
	ck_assert_uint_eq(port_in_force(), 3);
	ck_assert(expire());
	ck_assert_uint_eq(port_in_force(), 1); /* where the first trial began */
	ck_assert_uint_eq(sections_get(&lab.sections, SECTION_POLICY)->generation, 8);
	ck_assert_uint_eq(sections_deadline(&lab.sections), 0);
	ck_assert_int_eq(publish(8, two), PUBLISH_STALE);
	ck_assert_int_eq(publish(9, two), PUBLISH_OK);
}
END_TEST

START_TEST(what_was_absent_is_absent_again)
{
	CLEANUP(fd_closep) int one = seal_policy(1, ALG_ENCR_AES_GCM16, false);

	ck_assert_int_eq(try(1, one), PUBLISH_OK);
	ck_assert_uint_eq(port_in_force(), 1);
	ck_assert(expire());
	ck_assert_uint_eq(port_in_force(), 0);
	ck_assert_uint_eq(sections_get(&lab.sections, SECTION_POLICY)->generation, 0);
}
END_TEST

START_TEST(what_is_confirmed_stays)
{
	CLEANUP(fd_closep) int one = seal_policy(1, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int two = seal_policy(2, ALG_ENCR_AES_GCM16, false);

	ck_assert_int_eq(sections_confirm(&lab.sections, SECTION_POLICY, 1), -ENOENT);
	ck_assert_int_eq(publish(1, one), PUBLISH_OK);
	ck_assert_int_eq(try(2, two), PUBLISH_OK);
	ck_assert_int_eq(sections_confirm(&lab.sections, SECTION_POLICY, 1), -ESTALE);
	ck_assert_int_eq(sections_confirm(&lab.sections, SECTION_POLICY, 2), 0);
	ck_assert_uint_eq(sections_deadline(&lab.sections), 0);
	ck_assert_int_eq(try(3, one), PUBLISH_OK);
	ck_assert_int_eq(
		publish(4, one), PUBLISH_SAME); /* its publisher came back: no word of it */
	ck_assert_uint_ne(sections_deadline(&lab.sections), 0);
	ck_assert_int_eq(publish(4, two), PUBLISH_OK); /* for good */
	ck_assert_uint_eq(sections_deadline(&lab.sections), 0);
	ck_assert_int_eq(try(5, one), PUBLISH_OK);
	ck_assert_int_eq(sections_withdraw(&lab.sections, SECTION_POLICY), 0);
	ck_assert_uint_eq(sections_deadline(&lab.sections), 0);
}
END_TEST

/* What the service manager holds by now. */
struct store {
	char names[16][32];
	int fds[16];
	size_t n;
};

static void let_go(struct store *store, const char *name)
{
	for (size_t i = 0; i < store->n;) {
		if (strcmp(store->names[i], name) != 0) {
			i++;
			continue;
		}
		ck_assert_int_eq(close(store->fds[i]), 0);
		store->n--;
		memmove(&store->names[i], &store->names[i + 1],
			(store->n - i) * sizeof(store->names[0]));
		memmove(&store->fds[i], &store->fds[i + 1], (store->n - i) * sizeof(store->fds[0]));
	}
}

/* A file that is in the store is not taken again, under no other name; see sd_pid_notify_with_fds(3). */
static bool is_stored(const struct store *store, int fd)
{
	struct stat st, other;

	ck_assert_int_eq(fstat(fd, &st), 0);
	for (size_t i = 0; i < store->n; i++) {
		ck_assert_int_eq(fstat(store->fds[i], &other), 0);
		if (st.st_dev == other.st_dev && st.st_ino == other.st_ino)
			return true;
	}
	return false;
}

/* Everything that was sent to the manager's socket so far. */
static void play_manager(int manager, struct store *store)
{
	char text[512], control[CMSG_SPACE(sizeof(int) * 2)];
	ssize_t n;

	do {
		struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
		struct msghdr msg = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control) };
		const struct cmsghdr *cmsg;
		char *name;

		n = recvmsg(manager, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n <= 0)
			break;
		text[n] = '\0';
		name = strstr(text, "FDNAME=");
		if (!name)
			continue;
		name += strlen("FDNAME=");
		name[strcspn(name, "\n")] = '\0';
		if (strncmp(text, "FDSTOREREMOVE=1", 15) == 0) {
			let_go(store, name);
			continue;
		}
		cmsg = CMSG_FIRSTHDR(&msg);
		ck_assert_ptr_nonnull(cmsg);
		ck_assert_uint_lt(store->n, ARRAY_SIZE(store->fds));
		memcpy(&store->fds[store->n], CMSG_DATA(cmsg), sizeof(int));
		if (is_stored(store, store->fds[store->n])) {
			ck_assert_int_eq(close(store->fds[store->n]), 0);
			continue;
		}
		ck_assert_int_eq(
			text_copy(store->names[store->n++], sizeof(store->names[0]), name), 0);
	} while (n > 0);
}

static void hand_back_store(struct store *store)
{
	CLEANUP(text_done) struct text names = { 0 };

	for (size_t i = 0; i < store->n; i++) {
		text_addf(&names, "%s%s", i ? ":" : "", store->names[i]);
		store->fds[i] = fcntl(store->fds[i], F_DUPFD_CLOEXEC, 40);
	}
	hand_back(store->fds, store->n, names.str);
}

static bool holds(const struct store *store, const char *name)
{
	for (size_t i = 0; i < store->n; i++)
		if (strcmp(store->names[i], name) == 0)
			return true;
	return false;
}

/* A life of the daemon whose manager keeps what it is given. */
static int open_manager(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(
		text_fixed(addr.sun_path, sizeof(addr.sun_path), "%s/notify", lab.root), 0);
	ck_assert_int_eq(bind(manager, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", addr.sun_path, 1), 0);
	return manager;
}

/* The record is kept before the policy comes into force; death between the two must not end a trial. */
START_TEST(a_trial_survives_death_between_record_and_policy)
{
	CLEANUP(fd_closep) int one = seal_policy(1, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int two = seal_policy(2, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int manager = open_manager();
	const uint64_t later = 3; /* generation of one that was to follow on the same trial */
	struct store store = { .n = 0 };

	ck_assert_int_eq(publish(1, one), PUBLISH_OK);
	ck_assert_int_eq(try(2, two), PUBLISH_OK);
	end_life();
	play_manager(manager, &store);
	for (size_t i = 0; i < store.n; i++)
		if (strcmp(store.names[i], "trial.policy") == 0)
			ck_assert_int_eq(pwrite(store.fds[i], &later, sizeof(later), 0),
				(ssize_t)sizeof(later));
	hand_back_store(&store);
	begin_life();
	ck_assert_uint_eq(port_in_force(), 2);
	ck_assert(expire());
	ck_assert_uint_eq(port_in_force(), 1);
}
END_TEST

START_TEST(a_trial_survives_the_daemon)
{
	CLEANUP(fd_closep) int one = seal_policy(1, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int two = seal_policy(2, ALG_ENCR_AES_GCM16, false);
	CLEANUP(fd_closep) int manager = open_manager();
	struct store store = { .n = 0 };
	uint64_t deadline;

	ck_assert_int_eq(publish(1, one), PUBLISH_OK);
	ck_assert_int_eq(try(2, two), PUBLISH_OK);
	deadline = sections_deadline(&lab.sections);
	end_life();
	play_manager(manager, &store);
	ck_assert_uint_eq(store.n, 3); /* policy, former, trial */
	hand_back_store(&store);
	begin_life();
	ck_assert_uint_eq(port_in_force(), 2);
	ck_assert_uint_eq(sections_deadline(&lab.sections), deadline);
	ck_assert(expire());
	ck_assert_uint_eq(port_in_force(), 1);
	play_manager(manager, &store);
	ck_assert(holds(&store, "policy.3"));
	ck_assert(!holds(&store, "policy.2"));
	ck_assert(!holds(&store, "trial.policy"));
	ck_assert(!holds(&store, "former.policy"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sections");
	TCase *tc = tcase_create("sections");
	SRunner *runner = srunner_create(suite);
	int failed;

	/* Where the manager's descriptors go, nothing of the test frame may stand. */
	for (int fd = 0; fd < FIRST_FREE_FD - 1;)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, generations_go_up);
	tcase_add_test(tc, what_is_refused_changes_nothing);
	tcase_add_test(tc, withdrawal_takes_all);
	tcase_add_test(tc, the_newest_of_a_former_life_comes_back);
	tcase_add_test(tc, a_lid_without_its_policy_stays);
	tcase_add_test(tc, a_record_of_withdrawal_is_honoured);
	tcase_add_test(tc, counters_go_on);
	tcase_add_test(tc, a_table_of_algorithms_bars_rules);
	tcase_add_test(tc, what_nobody_confirms_goes_back);
	tcase_add_test(tc, what_was_absent_is_absent_again);
	tcase_add_test(tc, what_is_confirmed_stays);
	tcase_add_test(tc, a_trial_survives_the_daemon);
	tcase_add_test(tc, a_trial_survives_death_between_record_and_policy);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
