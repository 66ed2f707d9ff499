/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/publish_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/daemon/keys_door.h"
#include "common/daemon/keys_sender.h"
#include "common/daemon/log-ids.h"
#include "common/daemon/log.h"
#include "common/daemon/manager.h"

#define DATAPATH_UNIT "ipsec-datapath.service"
#define PUBLISH_USEC  (60 * USEC_PER_SEC)
#define WITHDRAW_USEC (5 * USEC_PER_SEC)
#define READY_USEC    (5 * USEC_PER_SEC)

/* Where it is. */
static const struct bus_place datapath = {
	.name = DATAPATH, .path = DATAPATH_PATH, .interface = DATAPATH
};

static void attempt_start(struct publisher *publisher);
static void attempt_ask(struct publisher *publisher);

static const struct snapshot_bytes *attempt_bytes(const struct publisher *publisher)
{
	return publisher->now.candidate ? &publisher->now.bytes : &publisher->wanted;
}

void publish_set_state(struct publisher *publisher, enum publish_state state, uint64_t generation,
	const char *error)
{
	bool same = publisher->state == state && publisher->generation == generation && !error;

	publisher->state = state;
	publisher->generation = generation;
	if (!same && publisher->on_state)
		publisher->on_state(state, generation, error, publisher->userdata);
}

/* The bytes that shall stand in the datapath from now on, or until they were not confirmed. */
static void want(struct publisher *publisher, struct snapshot_bytes *bytes, bool on_trial)
{
	snapshot_bytes_done(&publisher->former);
	publisher->has_former = on_trial && publisher->has_wanted;
	publisher->on_trial = on_trial;
	publisher->gone_back = false;
	if (publisher->has_former)
		publisher->former = publisher->wanted;
	else
		snapshot_bytes_done(&publisher->wanted);
	publisher->wanted = *bytes;
	publisher->has_wanted = true;
	*bytes = (struct snapshot_bytes){ 0 };
}

static void log_verdict(const struct publisher *publisher, int result, const char *error)
{
	const char *name = snapshot_section_name(publisher->section);
	char section[48], generation[48];
	const char *const fields[] = { section, generation, NULL };

	if (text_fixed(section, sizeof(section), "IPSEC_SECTION=%s", name) < 0 ||
		text_fixed(generation, sizeof(generation), "IPSEC_GENERATION=%" PRIu64,
			publisher->generation) < 0)
		return;
	if (result == 0)
		log_event(LOG_INFO, LOG_ID_IN_FORCE, fields,
			"%s: generation %" PRIu64 " is in force", name, publisher->generation);
	else if (result == -ENOTCONN)
		log_event(LOG_WARNING, LOG_ID_DATAPATH_ABSENT, fields,
			"%s: the datapath is absent; published when it comes", name);
	else if (result != -ECANCELED)
		log_event(LOG_ERR, LOG_ID_REFUSED, fields, "%s: not in force: %s", name, error);
}

/* The one end of an attempt. */
static void attempt_end(
	struct publisher *publisher, int result, uint64_t generation, const char *error)
{
	struct attempt ended = publisher->now;
	bool follow, taken;

	publisher->now = (struct attempt){ 0 };
	(void)keys_sender_free(ended.sender);
	taken = ended.candidate && !(ended.adopts && publisher->has_wanted);
	if (taken && (result == 0 || result == -ENOTCONN))
		want(publisher, &ended.bytes, result == 0 && ended.on_trial);
	else if (result == 0 && ended.on_trial)
		publisher->on_trial = true;
	publisher->resumes = (publisher->resumes || ended.resumes) && result == -ENOTCONN;
	snapshot_bytes_done(&ended.bytes);
	if (!error && result < 0)
		error = strerror(-result);
	if (result == 0)
		publish_set_state(publisher, PUBLISH_ENFORCED, generation, error);
	else if (result == -ENOTCONN)
		publish_set_state(publisher, PUBLISH_ABSENT, 0, NULL);
	else if (ended.candidate && publisher->generation) /* the former content stays in force */
		publish_set_state(publisher, PUBLISH_ENFORCED, publisher->generation, error);
	else
		publish_set_state(publisher, PUBLISH_REFUSED, 0, error);
	if (publisher->state == PUBLISH_REFUSED)
		publisher->refusal = result;
	log_verdict(publisher, result, error);
	publisher->now = publisher->next;
	publisher->next = (struct attempt){ 0 };
	/* Refused by a datapath that knows nothing of the former content: that one is due again. */
	if (!publisher->now.active && result < 0 && ended.candidate && publisher->present &&
		publisher->has_wanted && publisher->generation == 0)
		publisher->now = (struct attempt){ .active = true };
	follow = publisher->now.active;
	if (ended.on_done) /* may publish again: what follows was chosen before */
		ended.on_done(result, publisher->generation, error, ended.userdata);
	if (follow)
		attempt_start(publisher);
}

/*
 * Does the answer end the attempt? A datapath that went away and came back is asked anew; one that
 * is stale or fell silent is asked what is in force, once.
 */
static bool answer_stands(struct publisher *publisher, int result, const struct bus_error *error)
{
	struct attempt *now = &publisher->now;

	if (now->epoch != publisher->epoch) {
		now->again = false;
		attempt_start(publisher);
		return false;
	}
	if (now->again || result >= 0 ||
		(result != -ETIMEDOUT && result != -ECONNRESET && !bus_error_is(error, "Stale")))
		return true;
	now->again = true;
	attempt_ask(publisher);
	return false;
}

static void on_verdict(struct bus_reply *reply, void *userdata)
{
	struct publisher *publisher = userdata;
	const struct bus_error *error = bus_reply_error(reply);
	uint64_t in_force = 0;
	int r = error ? bus_error_number(error) : bus_read(bus_reply_reader(reply), "t", &in_force);

	if (answer_stands(publisher, r, error))
		attempt_end(publisher, r, in_force, error ? error->message : NULL);
}

static int send_publish(struct publisher *publisher)
{
	CLEANUP(fd_closep) int fd = -1;
	const struct snapshot_bytes *bytes = attempt_bytes(publisher);
	bool keys = publisher->section == SECTION_KEYS;
	struct bus_writer *wr = bus_method_writer(daemon_bus(publisher->daemon), DATAPATH,
		DATAPATH_PATH, DATAPATH, keys ? "PublishKeys" : "Publish");
	int r = wr ? 0 : -ENOMEM;

	if (r == 0 && !keys)
		r = snapshot_seal(bytes, publisher->section, &fd);
	if (r == 0 && keys)
		r = bus_write(
			wr, "tay", publisher->now.generation, bytes->hash, sizeof(bytes->hash));
	else if (r == 0)
		r = bus_write(wr, "sth", snapshot_section_name(publisher->section),
			publisher->now.generation, fd);
	if (r == 0)
		r = bus_open_container(wr, 'a', "{sv}");
	if (r == 0 && publisher->now.confirm_usec > 0)
		r = bus_write_option(wr, "confirm_usec", "t", publisher->now.confirm_usec);
	if (r == 0 && publisher->now.keeps_trial)
		r = bus_write_option(wr, "keep_trial", "b", 1);
	if (r == 0)
		r = bus_close_container(wr);
	if (r < 0) {
		bus_writer_free(wr);
		return r;
	}
	publisher->now.on_trial = publisher->now.confirm_usec > 0 || publisher->now.keeps_trial;
	return bus_method_send(wr, PUBLISH_USEC, on_verdict, publisher);
}

static void on_sent(int result, void *userdata)
{
	struct publisher *publisher = userdata;
	int r = result;

	publisher->now.sender = keys_sender_free(publisher->now.sender);
	if (!answer_stands(publisher, result, NULL))
		return;
	if (r == 0)
		r = send_publish(publisher);
	if (r < 0)
		attempt_end(publisher, r, 0, NULL);
}

static void attempt_hand_over(struct publisher *publisher)
{
	int r;

	if (publisher->section == SECTION_KEYS)
		r = keys_sender_new(daemon_event(publisher->daemon), attempt_bytes(publisher),
			publisher->now.generation, on_sent, publisher, &publisher->now.sender);
	else
		r = send_publish(publisher);
	if (r < 0)
		attempt_end(publisher, r, 0, NULL);
}

/* SAs may have been flushed since: loading the same keys again brings them back. */
static bool restores(const struct publisher *publisher)
{
	return publisher->section == SECTION_KEYS && publisher->now.candidate;
}

static bool is_hash_of(const struct snapshot_bytes *bytes, const uint8_t *hash, size_t len)
{
	return len == sizeof(bytes->hash) && memcmp(hash, bytes->hash, len) == 0;
}

static void on_section(struct bus_reply *reply, void *userdata)
{
	struct publisher *publisher = userdata;
	const struct bus_error *error = bus_reply_error(reply);
	const struct snapshot_bytes *bytes = attempt_bytes(publisher);
	const uint8_t *hash = NULL;
	const char *state = "";
	uint64_t in_force = 0;
	size_t len = 0;
	int r = error ? bus_error_number(error)
		      : bus_read(bus_reply_reader(reply), "tays", &in_force, &hash, &len, &state);
	bool trying = strcmp(state, "trial") == 0;

	if (!answer_stands(publisher, r, error))
		return;
	/* A datapath that died meanwhile knows whether the trial goes on; else it is over. */
	if (r == 0 && publisher->on_trial && !publisher->now.candidate &&
		!(trying && in_force && is_hash_of(bytes, hash, len)))
		publish_trial_end(publisher, false);
	if (r < 0) {
		attempt_end(publisher, r, 0, error ? error->message : NULL);
	} else if (!publisher->now.candidate && publisher->gone_back) {
		attempt_end(publisher, in_force ? 0 : -ENODATA, in_force, GONE_BACK);
	} else if (in_force && is_hash_of(bytes, hash, len) && !restores(publisher)) {
		publisher->now.on_trial = trying; /* begun before this process was there, */
		publisher->now.adopts = trying; /* or what was before it is known by now */
		attempt_end(publisher, 0, in_force, NULL);
	} else if (publisher->now.resumes && in_force && !trying) {
		publisher->now.candidate = false;
		publish_give_way(publisher);
		attempt_end(publisher, 0, in_force, GONE_BACK);
	} else {
		publisher->now.keeps_trial = publisher->now.resumes && trying;
		publisher->now.generation = in_force + 1;
		attempt_hand_over(publisher);
	}
}

static void attempt_ask(struct publisher *publisher)
{
	struct bus_writer *wr = bus_method_writer(
		daemon_bus(publisher->daemon), DATAPATH, DATAPATH_PATH, DATAPATH, "GetSection");
	int r = wr ? bus_write(wr, "s", snapshot_section_name(publisher->section)) : -ENOMEM;

	publisher->now.epoch = publisher->epoch;
	if (r < 0)
		bus_writer_free(wr);
	else
		r = bus_method_send(wr, ASK_USEC, on_section, publisher);
	if (r < 0)
		attempt_end(publisher, r, 0, NULL);
}

static void attempt_start(struct publisher *publisher)
{
	if (!publisher->present) {
		attempt_end(publisher, -ENOTCONN, 0, NULL);
		return;
	}
	publish_set_state(publisher, PUBLISH_PENDING, publisher->generation, NULL);
	attempt_ask(publisher);
}

static void on_owner(const char *name, const char *old_owner, const char *new_owner, void *userdata)
{
	struct publisher *publisher = userdata;

	(void)name;
	(void)old_owner;
	publisher->epoch++;
	publisher->present = *new_owner != '\0';
	publisher->generation = 0;
	if (publisher->now.active)
		return; /* its next answer, or its error, sees the epoch */
	if (!publisher->present) {
		publish_set_state(publisher, PUBLISH_ABSENT, 0, NULL);
	} else if (publisher->has_wanted || publisher->gone_back) {
		publisher->now = (struct attempt){ .active = true, .resumes = publisher->resumes };
		attempt_start(publisher);
	}
}

static int withdrawn_path(const struct publisher *publisher, char **ret_path)
{
	CLEANUP(text_done) struct text path = { 0 };

	text_addf(&path, "%s/%s", WITHDRAWN_DIR, snapshot_section_name(publisher->section));
	return path.failed ? -ENOMEM : file_system_path(path.str, ret_path);
}

int publisher_new(struct daemon *daemon, enum snapshot_section section,
	void (*on_state)(
		enum publish_state state, uint64_t generation, const char *error, void *userdata),
	void *userdata, struct publisher **ret_publisher)
{
	CLEANUP(publisher_freep) struct publisher *publisher = calloc(1, sizeof(*publisher));
	int r;

	if (!publisher)
		return -ENOMEM;
	publisher->daemon = daemon;
	publisher->section = section;
	publisher->on_state = on_state;
	publisher->userdata = userdata;
	/* The datapath takes a section from the owner of its name alone. */
	r = daemon_own_name(daemon);
	if (r == 0)
		r = bus_watch_name(daemon_bus(daemon), DATAPATH, on_owner, publisher);
	if (r == 0)
		r = bus_watch_signal(daemon_bus(daemon), &datapath, "SectionChanged",
			publish_on_changed, publisher);
	if (r < 0)
		return r;
	*ret_publisher = STEAL(publisher);
	return 0;
}

struct publisher *publisher_free(struct publisher *publisher)
{
	if (!publisher)
		return NULL;
	bus_forget(daemon_bus(publisher->daemon), publisher);
	(void)keys_sender_free(publisher->now.sender);
	snapshot_bytes_done(&publisher->now.bytes);
	snapshot_bytes_done(&publisher->next.bytes);
	snapshot_bytes_done(&publisher->wanted);
	snapshot_bytes_done(&publisher->former);
	free(publisher);
	return NULL;
}

static void drop_next(struct publisher *publisher, const char *why)
{
	struct attempt dropped = publisher->next;

	publisher->next = (struct attempt){ 0 };
	snapshot_bytes_done(&dropped.bytes);
	if (dropped.active && dropped.on_done)
		dropped.on_done(-ECANCELED, publisher->generation, why, dropped.userdata);
}

/* The bytes are moved out of @snap on success. */
static int begin(
	struct publisher *publisher, struct snapshot_bytes *snap, const struct attempt *asked)
{
	CLEANUP(freep) char *withdrawn = NULL;
	struct attempt attempt = *asked;
	int r = withdrawn_path(publisher, &withdrawn);

	if (r < 0)
		return r;
	(void)unlink(withdrawn); /* mostly it is not there */
	attempt.active = attempt.candidate = true;
	attempt.bytes = *snap;
	*snap = (struct snapshot_bytes){ 0 };
	if (publisher->now.active) {
		/* Of several that wait only the newest is of interest. */
		drop_next(publisher, "newer content was published meanwhile");
		publisher->next = attempt;
	} else {
		publisher->now = attempt;
		attempt_start(publisher);
	}
	return 0;
}

int publisher_publish(struct publisher *publisher, struct snapshot_bytes *snap,
	publish_done_fn on_done, void *userdata)
{
	return publisher_publish_on_trial(publisher, snap, 0, on_done, userdata);
}

int publisher_publish_on_trial(struct publisher *publisher, struct snapshot_bytes *snap,
	uint64_t confirm_usec, publish_done_fn on_done, void *userdata)
{
	const struct attempt attempt = {
		.confirm_usec = confirm_usec, .on_done = on_done, .userdata = userdata
	};

	return begin(publisher, snap, &attempt);
}

int publisher_resume(struct publisher *publisher, struct snapshot_bytes *snap,
	publish_done_fn on_done, void *userdata)
{
	const struct attempt attempt = {
		.resumes = true, .on_done = on_done, .userdata = userdata
	};

	return begin(publisher, snap, &attempt);
}

int publisher_wait(struct publisher *publisher)
{
	sd_event *event = daemon_event(publisher->daemon);
	uint64_t now = clock_monotonic_usec(), deadline = now + READY_USEC;
	int r = 0, code;

	/* Where the datapath is masked, say, a boot shall not wait for it once for each service. */
	if (!publisher->present &&
		manager_leaves_unit(daemon_bus(publisher->daemon), DATAPATH_UNIT))
		return 0;
	while (r >= 0 && now < deadline && publisher->state != PUBLISH_ENFORCED &&
		publisher->state != PUBLISH_REFUSED &&
		sd_event_get_exit_code(event, &code) == -ENODATA) {
		r = sd_event_run(event, deadline - now);
		now = clock_monotonic_usec();
	}
	return r < 0 ? r : 0;
}

/* For the datapath's next start: its own memory of the section would put it in force again. */
static int record_withdrawal(const struct publisher *publisher)
{
	CLEANUP(freep) char *path = NULL, *directory = NULL;
	int r = withdrawn_path(publisher, &path);

	if (r == 0)
		r = file_system_path(WITHDRAWN_DIR, &directory);
	if (r < 0 || !directory)
		return r;
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	return file_replace(path, "", 0, 0644);
}

int publisher_withdraw(struct publisher *publisher)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	struct bus_writer *wr;
	int r;

	bus_forget_replies(daemon_bus(publisher->daemon), publisher);
	drop_next(publisher, "the section is withdrawn");
	if (publisher->now.active)
		attempt_end(publisher, -ECANCELED, 0, "the section is withdrawn");
	snapshot_bytes_done(&publisher->wanted);
	snapshot_bytes_done(&publisher->former);
	publisher->has_wanted = false;
	publisher->on_trial = false;
	wr = bus_method_writer(
		daemon_bus(publisher->daemon), DATAPATH, DATAPATH_PATH, DATAPATH, "Withdraw");
	r = wr ? bus_write(wr, "s", snapshot_section_name(publisher->section)) : -ENOMEM;
	if (r < 0) {
		bus_writer_free(wr);
		return r;
	}
	r = bus_method_call(wr, WITHDRAW_USEC, &reply, &error);
	if (r == -ENOTCONN || r == -ETIMEDOUT || r == -ECONNRESET)
		r = record_withdrawal(publisher);
	if (r == 0)
		publish_set_state(
			publisher, publisher->present ? PUBLISH_PENDING : PUBLISH_ABSENT, 0, NULL);
	return r;
}

uint64_t publisher_generation(const struct publisher *publisher)
{
	return publisher->generation;
}

enum publish_state publisher_state(const struct publisher *publisher)
{
	return publisher->state;
}

bool publisher_is_unfit(const struct publisher *publisher)
{
	return publisher->state == PUBLISH_REFUSED &&
	       (publisher->refusal == -EINVAL || publisher->refusal == -EBADMSG);
}
