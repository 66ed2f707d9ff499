/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What time brings: lifetimes, more sequence numbers, more room for windows. */
#include <errno.h>

#include "common/base/clock.h"
#include "services/datapath/esp/esp.h"
#include "services/datapath/sad/sadb_parts.h"

#define IDLE_USEC (8 * USEC_PER_SEC) /* between two reports that an SA is idle */

static bool is_past(uint64_t now, uint64_t since_usec, uint64_t limit_sec)
{
	return limit_sec && since_usec && now >= since_usec &&
	       (now - since_usec) / USEC_PER_SEC >= limit_sec;
}

static bool time_reached(const struct sa_limits *limits, const struct sa_run *run, uint64_t now)
{
	return is_past(now, run->added_usec, limits->add_sec) ||
	       is_past(now, atomic_load(&run->first_use_usec), limits->use_sec);
}

static bool limits_reached(const struct sa_limits *limits, const struct sa_run *run, uint64_t now)
{
	return time_reached(limits, run, now) ||
	       (limits->bytes && atomic_load(&run->bytes) >= limits->bytes) ||
	       (limits->allocations && atomic_load(&run->packets) >= limits->allocations);
}

static void die(struct sadb *sadb, struct sad_entry *entry, uint64_t now)
{
	atomic_store(&entry->run->state, SA_DEAD);
	sad_touch(sadb->parts.sad);
	entry->control.dead_usec = now;
}

/* The inbound one goes in silence; of the outbound one key management must know. */
static void take_partner(struct sadb *sadb, const struct sad_entry *entry, uint64_t now)
{
	struct sad_entry *partner = sadb_pair_of(sadb, entry);

	if (!partner || partner->control.dead_usec)
		return;
	die(sadb, partner, now);
	sadb_arm(sadb, partner);
	if (partner->directions & SA_OUTBOUND)
		sadb_emit_entry(sadb, SADB_EVENT_HARD, partner, NULL);
}

static void check_idle(struct sadb *sadb, struct sad_entry *entry, uint64_t now)
{
	const struct sa *sa = entry->sa;
	uint64_t used = atomic_load(&entry->run->last_use_usec);

	if (!is_past(now, used ? used : entry->run->added_usec, sa->idle_add_sec) &&
		!is_past(now, used, sa->idle_use_sec))
		return;
	if (entry->control.idle_usec && now - entry->control.idle_usec < IDLE_USEC)
		return;
	entry->control.idle_usec = now;
	sadb_emit_entry(sadb, SADB_EVENT_IDLE, entry, NULL);
}

/* A peer that has moved is heard of once, however many packets say so. */
static void check_mapping(struct sadb *sadb, struct sad_entry *entry)
{
	struct sad_control *control = &entry->control;
	uint32_t port = atomic_load(&entry->run->peer_port);
	struct sadb_event event = { .kind = SADB_EVENT_MAPPING, .entry = entry };

	event.old_port = control->told_port	       ? (uint16_t)control->told_port
			 : entry->sa->natt_remote_port ? entry->sa->natt_remote_port
						       : ESP_NATT_PORT;
	event.new_port = (uint16_t)port;
	if (event.new_port == event.old_port)
		return;
	control->told_port = port;
	sadb_emit(sadb, &event);
}

static void check_lifetime(struct sadb *sadb, struct sad_entry *entry, uint64_t now)
{
	struct sa_run *run = entry->run;
	uint32_t events = atomic_exchange(&run->events, 0), state = atomic_load(&run->state);

	if (events & SA_EVENT_MAPPING)
		check_mapping(sadb, entry);
	/* A worker that reached the limit in octets has set the state already. */
	if (state == SA_DEAD || events & (SA_EVENT_HARD_BYTES | SA_EVENT_SEQ_END) ||
		limits_reached(&entry->sa->hard, run, now)) {
		die(sadb, entry, now);
		sadb_emit_entry(sadb, SADB_EVENT_HARD, entry, NULL);
		/* What ran out of octets or numbers dies alone. */
		if (time_reached(&entry->sa->hard, run, now))
			take_partner(sadb, entry, now);
		return;
	}
	if (state == SA_MATURE &&
		(events & SA_EVENT_SOFT_BYTES || limits_reached(&entry->sa->soft, run, now))) {
		/* Unless a worker has found it dead meanwhile. */
		if (atomic_compare_exchange_strong(&run->state, &state, SA_DYING)) {
			sad_touch(sadb->parts.sad);
			sadb_emit_entry(sadb, SADB_EVENT_SOFT, entry, NULL);
		}
		return;
	}
	if (state == SA_MATURE)
		check_idle(sadb, entry, now);
}

/* Two seconds of its traffic. */
static void measure(struct sad_entry *entry, uint64_t now)
{
	struct sad_control *control = &entry->control;
	uint64_t seq = atomic_load(&entry->run->seq), chunk;

	if (now <= control->seen_usec)
		return;
	if (control->seen_usec && seq > control->seq_seen) {
		uint64_t used = seq - control->seq_seen;

		if (used > SEQSTORE_CHUNK_MAX)
			used = SEQSTORE_CHUNK_MAX;
		chunk = used * 2 * USEC_PER_SEC / (now - control->seen_usec);
		if (chunk > SEQSTORE_CHUNK_MAX)
			chunk = SEQSTORE_CHUNK_MAX;
		control->chunk = chunk > SEQSTORE_CHUNK_MIN ? chunk : SEQSTORE_CHUNK_MIN;
	}
	control->seq_seen = seq;
	control->seen_usec = now;
}

static void refill(struct sadb *sadb, struct sad_entry *entry, uint64_t now)
{
	struct sad_control *control = &entry->control;
	struct sa_run *run = entry->run;
	uint64_t reserved = atomic_load(&run->seq_reserved), seq = atomic_load(&run->seq);
	int r;

	measure(entry, now);
	/* Refused for good at the end of the numbers; for now, when the disk does not take it: the
	 * worker drops what it has no number for, and the next tick tries again. */
	if (reserved - seq > control->chunk / 2 || reserved >= sadb_seq_limit(entry->sa))
		return;
	r = seqstore_reserve(sadb->parts.seqstore, control->counter_id, control->chunk,
		sadb_seq_limit(entry->sa), &control->granted);
	if (r < 0 && r != -ERANGE)
		sadb->disk_error = r;
}

static bool is_ah(const struct sad_entry *entry)
{
	return entry->sa->proto == SA_PROTO_AH;
}

/* The earlier of two times, 0 standing for never. */
static uint64_t sooner(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a ? a : b;
	return a < b ? a : b;
}

static uint64_t after(uint64_t since_usec, uint64_t sec)
{
	uint64_t usec;

	if (since_usec == 0 || sec == 0 || sec > UINT64_MAX / USEC_PER_SEC)
		return 0;
	usec = sec * USEC_PER_SEC;
	return since_usec > UINT64_MAX - usec ? 0 : since_usec + usec;
}

static uint64_t limits_due(const struct sa_limits *limits, const struct sa_run *run)
{
	return sooner(after(run->added_usec, limits->add_sec),
		after(atomic_load(&run->first_use_usec), limits->use_sec));
}

static uint64_t idle_due(const struct sad_entry *entry)
{
	uint64_t used = atomic_load(&entry->run->last_use_usec), told = entry->control.idle_usec;
	uint64_t due = sooner(after(used ? used : entry->run->added_usec, entry->sa->idle_add_sec),
		after(used, entry->sa->idle_use_sec));

	return due && told && due < told + IDLE_USEC ? told + IDLE_USEC : due;
}

void sadb_arm(struct sadb *sadb, struct sad_entry *entry)
{
	uint32_t state = atomic_load(&entry->run->state);
	const struct sa *sa = entry->sa;
	uint64_t due;

	if (entry->control.dead_usec) {
		due = after(entry->control.dead_usec,
			sadb_tunable(sadb, TUNABLE_OF(is_ah(entry), REAP_DELAY)));
	} else if (state == SA_LARVAL) {
		due = after(entry->run->added_usec,
			sadb_tunable(sadb, TUNABLE_OF(is_ah(entry), LARVAL_TIMEOUT)));
	} else {
		sadb_forecast_pace(entry, sadb_now(sadb));
		due = sooner(limits_due(&sa->hard, entry->run),
			sadb_forecast_due(entry, sadb_now(sadb)));
		due = sooner(due, sadb_window_due(sadb, entry));
		if (state == SA_MATURE)
			due = sooner(
				due, sooner(limits_due(&sa->soft, entry->run), idle_due(entry)));
	}
	if (!entry->control.armed)
		sadb->n_natt += sadb_may_need_keeping(entry);
	sadb->n_dummies += sadb_may_send_dummies(entry);
	entry->control.armed = true;
	sadb_due_set(sadb, entry, due);
}

void sadb_left(struct sadb *sadb, struct sad_entry *entry)
{
	sadb_due_set(sadb, entry, 0);
	entry->control.removed = true;
	sadb_packet_lost(sadb, STEAL(entry->control.held), VERDICT_SADB_INLARVAL_TIMEOUT);
	if (entry->control.armed)
		sadb->n_natt -= sadb_may_need_keeping(entry);
	sadb->n_dummies -= sadb_may_send_dummies(entry);
	entry->control.armed = false;
}

/* What was reserved in this round is not on disk before its end. */
static bool is_waiting(const struct sad_entry *entry)
{
	return entry->control.granted.last || entry->control.top_granted;
}

static void replenish(struct sadb *sadb, struct sad_entry *entry, uint64_t now)
{
	if (!sadb->parts.seqstore)
		return;
	sadb_window_settle(sadb, entry, now);
	sadb_window_refill(sadb, entry, now);
	if (entry->directions & SA_OUTBOUND)
		refill(sadb, entry, now);
	if (is_waiting(entry)) {
		entry->control.granted_next = sadb->granted;
		sadb->granted = entry;
	}
}

/* One SA that was used, or whose time has come. */
static void look_at(struct sadb *sadb, struct sad_entry *entry, uint64_t now)
{
	uint32_t state = atomic_load(&entry->run->state);

	if (entry->control.removed)
		return;
	if (entry->control.dead_usec || state == SA_LARVAL) {
		/* Nothing else is ever due to these. */
		if (entry->control.due_usec && entry->control.due_usec <= now)
			sadb_entry_remove(sadb, entry);
		return;
	}
	check_lifetime(sadb, entry, now);
	if (!entry->control.dead_usec)
		sadb_forecast(sadb, entry, now);
	if (!entry->control.dead_usec && !is_waiting(entry))
		replenish(sadb, entry, now);
	sadb_arm(sadb, entry);
}

static void grant_all(struct sadb *sadb, bool on_disk)
{
	for (struct sad_entry *entry = STEAL(sadb->granted), *next; entry; entry = next) {
		next = STEAL(entry->control.granted_next);
		if (on_disk)
			sadb_entry_grant(entry);
		else
			sadb_entry_ungrant(entry);
	}
}

void sadb_tick(struct sadb *sadb)
{
	uint64_t now = sadb_now(sadb);
	struct sad_entry *entry;

	sadb_acquires_expire(sadb, now);
	sad_prefer_oldest(sadb->parts.sad, sadb_tunable(sadb, TUNABLE_PREFER_OLDEST_SA) != 0);
	if (sadb->parts.seqstore)
		seqstore_begin(sadb->parts.seqstore);
	sad_gather(sadb->parts.sad);
	while ((entry = sad_take_raised(sadb->parts.sad)))
		look_at(sadb, entry, now);
	while ((entry = sadb_due_first(sadb, now)))
		look_at(sadb, entry, now);
	if (sadb->granted) {
		sadb->disk_error = seqstore_commit(sadb->parts.seqstore);
		grant_all(sadb, sadb->disk_error == 0);
	} else if (sadb->parts.seqstore) {
		/* tops that went down: either is safe */
		(void)!seqstore_end(sadb->parts.seqstore);
	}
	(void)rcu_poll(sad_rcu(sadb->parts.sad));
}

int sadb_disk_error(const struct sadb *sadb)
{
	return sadb->disk_error;
}

static bool settle_entry(struct sad_entry *entry, void *userdata)
{
	struct sadb *sadb = userdata;
	struct sa_run *run = entry->run;
	uint64_t seq = atomic_load(&run->seq);

	/* Failing is safe: numbers stay reserved that nobody used. */
	if (entry->directions & SA_OUTBOUND &&
		seqstore_settle(sadb->parts.seqstore, entry->control.counter_id,
			atomic_load(&run->seq_reserved), seq) == 0)
		atomic_store(&run->seq_reserved, seq);
	sadb_window_close(sadb, entry);
	return true;
}

int sadb_settle(struct sadb *sadb)
{
	if (!sadb->parts.seqstore)
		return 0;
	rcu_barrier(sad_rcu(sadb->parts.sad));
	sad_each(sadb->parts.sad, settle_entry, sadb);
	return seqstore_sync(sadb->parts.seqstore);
}
