/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The publish contract against a datapath that can be stale, refuse, fall silent, die, come back. */
#include <errno.h>
#include <sys/stat.h>

#include "common/daemon/publish.h"
#include "tests/unit/fake_datapath.h"
#include "tests/unit/suite.h"

static const struct daemon_identity identity = {
	.program = "test-publish",
	.bus_name = "org.netipsec.Policy1",
	.bus_path = "/org/netipsec/Policy1",
	.unit = "ipsec-policy.service",
	.config = "/etc/netipsec/policy.cfg",
};

/* What one publication came to. */
struct verdict {
	unsigned int calls;
	bool done;
	int result;
	uint64_t generation;
	char error[128];
};

static struct world {
	struct private_bus private_bus;
	char root[64];
	sd_event *event; /* the daemon's */
	struct daemon *daemon;
	struct publisher *publisher;
	struct fake_datapath fake;
	bool present; /* the daemon's connection has heard of the fake */
	enum publish_state state;
	uint64_t generation;
} w;

static void on_state(
	enum publish_state state, uint64_t generation, const char *error, void *userdata)
{
	(void)error;
	(void)userdata;
	w.state = state;
	w.generation = generation;
}

static void on_done(int result, uint64_t generation, const char *error, void *userdata)
{
	struct verdict *verdict = userdata;

	verdict->calls++;
	verdict->done = true;
	verdict->result = result;
	verdict->generation = generation;
	if (error)
		ck_assert_int_eq(text_copy(verdict->error, sizeof(verdict->error), error), 0);
}

static void on_owner(const char *name, const char *old_owner, const char *new_owner, void *userdata)
{
	(void)name;
	(void)old_owner;
	(void)userdata;
	w.present = *new_owner != '\0';
}

/* Any bytes will do: the fake looks at their hash only. */
static void publish(const char *content, struct verdict *verdict)
{
	struct snapshot_bytes snap = { .bytes = (uint8_t *)strdup(content),
		.len = strlen(content) };

	ck_assert_int_eq(memfd_hash(snap.bytes, snap.len, snap.hash), 0);
	*verdict = (struct verdict){ 0 };
	ck_assert_int_eq(publisher_publish(w.publisher, &snap, on_done, verdict), 0);
	ck_assert_ptr_null(snap.bytes);
}

static bool is_enforced(void *userdata)
{
	(void)userdata;
	return w.state == PUBLISH_ENFORCED;
}

static bool is_absent(void *userdata)
{
	(void)userdata;
	return w.state == PUBLISH_ABSENT;
}

static bool is_kept(void *userdata)
{
	(void)userdata;
	return w.fake.kept != NULL;
}

static void meet(void)
{
	fake_start(&w.fake, &w.private_bus, w.event);
	pump(w.event, &w.present);
}

static void make_directory(const char *below)
{
	char path[128];

	ck_assert_int_eq(text_fixed(path, sizeof(path), "%s%s", w.root, below), 0);
	ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void make_root(void)
{
	static const char *const directories[] = { "/run", "/run/netipsec", "/var", "/var/lib",
		"/var/lib/netipsec" };

	ck_assert_int_eq(text_copy(w.root, sizeof(w.root), "/tmp/netipsec-publish-XXXXXX"), 0);
	ck_assert_ptr_nonnull(mkdtemp(w.root));
	ck_assert_int_eq(setenv("NETIPSEC_ROOT", w.root, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		make_directory(directories[i]);
}

static void start(enum snapshot_section section)
{
	const struct daemon_hooks hooks = { 0 };
	struct daemon_options options = { .config = identity.config, .bus = w.private_bus.address };

	ck_assert_int_eq(daemon_new(&identity, &options, &hooks, &w.daemon), 0);
	w.event = daemon_event(w.daemon);
	ck_assert_int_eq(publisher_new(w.daemon, section, on_state, NULL, &w.publisher), 0);
	ck_assert_int_eq(bus_watch_name(daemon_bus(w.daemon), FAKE_NAME, on_owner, NULL), 0);
}

static void setup(void)
{
	make_root();
	private_bus_start(&w.private_bus);
	start(SECTION_POLICY);
}

static void teardown(void)
{
	const char *const argv[] = { "rm", "-rf", w.root, NULL };
	pid_t pid;

	w.publisher = publisher_free(w.publisher);
	if (w.fake.door_source)
		w.fake.door_source = sd_event_source_disable_unref(w.fake.door_source);
	fake_stop(&w.fake);
	w.daemon = daemon_free(w.daemon);
	private_bus_end(&w.private_bus);
	pid = fork();
	if (pid == 0) {
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
}

static void expect(struct verdict *verdict, int result, uint64_t generation)
{
	pump(w.event, &verdict->done);
	ck_assert_int_eq(verdict->result, result);
	ck_assert_uint_eq(verdict->generation, generation);
	ck_assert_uint_eq(verdict->calls, 1);
}

START_TEST(one_more_than_in_force)
{
	struct verdict first, second;

	meet();
	w.fake.generation = 6; /* of another time */
	publish("one", &first);
	expect(&first, 0, 7);
	publish("two", &second);
	expect(&second, 0, 8);
	ck_assert_uint_eq(w.fake.published, 2);
	ck_assert_int_eq(w.state, PUBLISH_ENFORCED);
	ck_assert_uint_eq(publisher_generation(w.publisher), 8);
}
END_TEST

START_TEST(same_content_is_adopted)
{
	struct verdict verdict;

	meet();
	w.fake.generation = 12;
	ck_assert_int_eq(memfd_hash("same", 4, w.fake.hash), 0);
	publish("same", &verdict);
	expect(&verdict, 0, 12);
	ck_assert_uint_eq(w.fake.published, 0);
}
END_TEST

START_TEST(stale_asks_again)
{
	struct verdict verdict;

	meet();
	w.fake.mood = FAKE_STALE_ONCE;
	publish("one", &verdict);
	expect(&verdict, 0, 6); /* 1 was stale, 5 was in force */
	ck_assert_uint_eq(w.fake.asked, 2);
	ck_assert_uint_eq(w.fake.published, 2);
}
END_TEST

START_TEST(absent_is_published_later)
{
	struct verdict verdict;

	publish("one", &verdict);
	expect(&verdict, -ENOTCONN, 0);
	ck_assert_int_eq(publisher_state(w.publisher), PUBLISH_ABSENT);
	meet();
	pump_until(w.event, is_enforced, NULL);
	ck_assert_uint_eq(w.generation, 1);
	ck_assert_uint_eq(verdict.calls, 1);
}
END_TEST

START_TEST(published_again_after_a_restart)
{
	struct verdict verdict;

	meet();
	publish("one", &verdict);
	expect(&verdict, 0, 1);
	fake_stop(&w.fake);
	pump_until(w.event, is_absent, NULL);
	meet();
	pump_until(w.event, is_enforced, NULL);
	ck_assert_uint_eq(w.fake.published, 2);
	ck_assert_uint_eq(verdict.calls, 1);
}
END_TEST

START_TEST(refused_content_is_not_published_again)
{
	struct verdict good, bad;
	uint8_t hash[MEMFD_HASH_BYTES];

	meet();
	publish("good", &good);
	expect(&good, 0, 1);
	memcpy(hash, w.fake.hash, sizeof(hash));
	w.fake.mood = FAKE_REFUSING;
	publish("bad", &bad);
	expect(&bad, -EINVAL, 1); /* the former one stays in force */
	ck_assert_str_eq(bad.error, "it cannot be enforced");
	ck_assert_int_eq(w.state, PUBLISH_ENFORCED);
	w.fake.mood = FAKE_WILLING;
	fake_stop(&w.fake);
	pump_until(w.event, is_absent, NULL);
	meet();
	pump_until(w.event, is_enforced, NULL);
	ck_assert_mem_eq(w.fake.hash, hash, sizeof(hash));
}
END_TEST

START_TEST(first_content_refused)
{
	struct verdict verdict;

	meet();
	w.fake.mood = FAKE_REFUSING;
	publish("bad", &verdict);
	expect(&verdict, -EINVAL, 0);
	ck_assert_int_eq(w.state, PUBLISH_REFUSED);
}
END_TEST

START_TEST(restart_in_the_middle)
{
	struct verdict verdict;

	meet();
	w.fake.mood = FAKE_SILENT;
	publish("one", &verdict);
	pump_until(w.event, is_kept, NULL);
	w.fake.mood = FAKE_WILLING;
	fake_stop(&w.fake);
	fake_start(&w.fake, &w.private_bus, w.event);
	pump(w.event, &verdict.done);
	/* Whether the loss or the return is heard of first is the bus's affair. */
	ck_assert(verdict.result == 0 || verdict.result == -ENOTCONN);
	pump_until(w.event, is_enforced, NULL);
	ck_assert_uint_eq(w.fake.published, 2);
	ck_assert_uint_eq(verdict.calls, 1);
}
END_TEST

START_TEST(death_in_the_middle)
{
	struct verdict verdict;

	meet();
	w.fake.mood = FAKE_SILENT;
	publish("one", &verdict);
	pump_until(w.event, is_kept, NULL);
	w.fake.mood = FAKE_WILLING;
	fake_stop(&w.fake);
	expect(&verdict, -ENOTCONN, 0);
	meet();
	pump_until(w.event, is_enforced, NULL);
}
END_TEST

START_TEST(the_newest_waits)
{
	struct verdict first, second, third;
	uint8_t hash[MEMFD_HASH_BYTES];

	meet();
	publish("one", &first);
	publish("two", &second);
	publish("three", &third);
	expect(&second, -ECANCELED, 0);
	expect(&first, 0, 1);
	expect(&third, 0, 2);
	ck_assert_int_eq(memfd_hash("three", 5, hash), 0);
	ck_assert_mem_eq(w.fake.hash, hash, sizeof(hash));
}
END_TEST

START_TEST(keys_go_through_the_door)
{
	struct verdict taken, refused;

	w.publisher = publisher_free(w.publisher);
	ck_assert_int_eq(publisher_new(w.daemon, SECTION_KEYS, on_state, NULL, &w.publisher), 0);
	meet();
	fake_open_door(&w.fake, w.event);
	publish("a key", &taken);
	expect(&taken, 0, 1);
	ck_assert_uint_eq(w.fake.knocked, 1);
	w.fake.door_answer = KEYS_DOOR_REFUSED;
	publish("another key", &refused);
	expect(&refused, -EACCES, 1);
	ck_assert_uint_eq(w.fake.published, 1);
}
END_TEST

START_TEST(no_door_is_a_refusal)
{
	struct verdict verdict;

	w.publisher = publisher_free(w.publisher);
	ck_assert_int_eq(publisher_new(w.daemon, SECTION_KEYS, on_state, NULL, &w.publisher), 0);
	meet();
	publish("a key", &verdict);
	expect(&verdict, -ENOENT, 0);
	ck_assert_uint_eq(w.fake.published, 0);
}
END_TEST

START_TEST(withdrawal_is_remembered)
{
	CLEANUP(freep) char *record = NULL;
	struct verdict verdict;

	ck_assert_int_eq(file_system_path(WITHDRAWN_DIR "/policy", &record), 0);
	ck_assert_int_eq(publisher_withdraw(w.publisher), 0);
	ck_assert_int_eq(access(record, F_OK), 0);
	publish("one", &verdict);
	ck_assert_int_eq(access(record, F_OK), -1);
	/* Nothing is left to be published by itself. */
	ck_assert_int_eq(publisher_withdraw(w.publisher), 0);
	meet();
	publish("two", &verdict);
	expect(&verdict, 0, 1);
	ck_assert_uint_eq(w.fake.published, 1);
}
END_TEST

/* The withdrawal blocks, so that its datapath lives in another process. */
START_TEST(withdrawal_is_called)
{
	CLEANUP(freep) char *record = NULL;
	struct verdict verdict;
	struct bus *bus;
	int ends[2];
	pid_t pid;
	char byte = 0;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		sd_event *event;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (sd_event_new(&event) < 0)
			_exit(1);
		fake_start(&w.fake, &w.private_bus, event);
		if (write(ends[1], &byte, 1) != 1)
			_exit(1);
		while (w.fake.withdrawn == 0)
			if (sd_event_run(event, UINT64_MAX) < 0)
				_exit(1);
		bus = w.fake.bus;
		_exit(bus_flush(bus) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	pump(w.event, &w.present);
	publish("one", &verdict);
	expect(&verdict, 0, 1);
	ck_assert_int_eq(publisher_withdraw(w.publisher), 0);
	ck_assert_uint_eq(publisher_generation(w.publisher), 0);
	ck_assert_int_eq(file_system_path(WITHDRAWN_DIR "/policy", &record), 0);
	ck_assert_int_eq(access(record, F_OK), -1);
	ck_assert_int_eq(waitpid(pid, &ends[0], 0), pid);
	ck_assert(WIFEXITED(ends[0]) && WEXITSTATUS(ends[0]) == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("publish");
	TCase *tc = tcase_create("publish");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_more_than_in_force);
	tcase_add_test(tc, same_content_is_adopted);
	tcase_add_test(tc, stale_asks_again);
	tcase_add_test(tc, absent_is_published_later);
	tcase_add_test(tc, published_again_after_a_restart);
	tcase_add_test(tc, refused_content_is_not_published_again);
	tcase_add_test(tc, first_content_refused);
	tcase_add_test(tc, restart_in_the_middle);
	tcase_add_test(tc, death_in_the_middle);
	tcase_add_test(tc, the_newest_waits);
	tcase_add_test(tc, keys_go_through_the_door);
	tcase_add_test(tc, no_door_is_a_refusal);
	tcase_add_test(tc, withdrawal_is_remembered);
	tcase_add_test(tc, withdrawal_is_called);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
