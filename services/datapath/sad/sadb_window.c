/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tops of inbound windows on disk, ahead of what comes in: a number above what the disk knows is not
 * taken, and when memory is lost, all that the disk knows counts as seen. So nothing is taken twice,
 * and what a loss costs is what was reserved ahead: two seconds of the fastest traffic of late.
 */
#include <string.h>

#include "common/base/clock.h"
#include "services/datapath/replay/replay.h"
#include "services/datapath/sad/sadb_parts.h"

#define AHEAD_MIN   UINT64_C(64)
#define AHEAD_MAX   SEQSTORE_CHUNK_MAX
#define GROWTH	    4U /* of a reservation that was used up faster than expected */
#define HASTE_USEC  (USEC_PER_SEC / 2)
#define PACE_FADES  32U /* a second's part of the fastest pace is forgotten in the next */
#define SETTLE_USEC (10 * USEC_PER_SEC) /* of silence; then what was reserved in haste comes back */

static bool is_kept(const struct sadb *sadb, const struct sad_entry *entry)
{
	return sadb->parts.seqstore && entry->directions & SA_INBOUND && entry->run->window != 0;
}

static uint64_t top_of(struct sa_run *run)
{
	uint64_t top;

	replay_lock(run);
	top = run->top;
	replay_unlock(run);
	return top;
}

/* Numbers up to @last may be taken. */
static void set_last(struct sa_run *run, uint64_t last)
{
	uint64_t half = last > run->top ? (last - run->top) / 2 : 0;

	atomic_store(&run->top_low, (uint32_t)(half < UINT32_MAX ? half : UINT32_MAX));
	atomic_store(&run->top_end, last + 1);
}

static uint64_t last_of(const struct sa_run *run)
{
	return atomic_load(&run->top_end) - 1;
}

static void set_top(struct sad_entry *entry, uint64_t top)
{
	replay_set_top(entry->run, top);
	entry->control.top_seen = top;
}

static uint64_t ahead_of(const struct sad_control *control)
{
	uint64_t ahead = 2 * control->top_pace;

	if (ahead < AHEAD_MIN)
		ahead = AHEAD_MIN;
	return ahead < AHEAD_MAX ? ahead : AHEAD_MAX;
}

/* Up to @last: on disk when what is under way there is committed. */
static int reserve(struct sadb *sadb, struct sad_entry *entry, uint64_t last)
{
	uint64_t end = sadb_seq_limit(entry->sa);
	int r;

	if (last > end)
		last = end;
	entry->control.top_reserved_usec = sadb_now(sadb);
	r = seqstore_set_top(sadb->parts.seqstore, entry->control.window_id, last);
	if (r == 0)
		entry->control.top_granted = last;
	return r;
}

int sadb_window_equip(struct sadb *sadb, struct sad_entry *entry)
{
	const uint8_t *id = entry->control.window_id;
	struct seqstore *store = sadb->parts.seqstore;
	uint64_t top = 0;

	if (!(entry->directions & SA_INBOUND) || entry->run->window == 0)
		return 0;
	if (store)
		top = seqstore_top(store, id);
	if (entry->directions == SA_INBOUND && entry->sa->replay_value > top)
		top = entry->sa->replay_value;
	if (top != 0)
		set_top(entry, top);
	if (!is_kept(sadb, entry))
		return 0;
	set_last(entry->run, top);
	entry->control.top_ahead = AHEAD_MIN;
	entry->control.top_was_exact = seqstore_top_is_exact(store, id);
	/* One loss after the other must not carry the end away from a peer that says little. */
	return entry->control.top_was_exact ? reserve(sadb, entry, top + AHEAD_MIN) : 0;
}

void sadb_window_restore(const struct sadb *sadb, struct sad_entry *entry)
{
	const uint8_t *id = entry->control.window_id;
	uint64_t known;

	if (!is_kept(sadb, entry)) {
		atomic_store(&entry->run->top_end, 0);
		return;
	}
	known = seqstore_top(sadb->parts.seqstore, id);
	entry->control.top_seen = entry->run->top;
	entry->control.top_ahead = AHEAD_MIN;
	entry->control.top_was_exact = known != entry->run->top ||
				       seqstore_top_is_exact(sadb->parts.seqstore, id);
	set_last(entry->run, known);
}

void sadb_window_grant(struct sad_entry *entry)
{
	if (entry->control.top_granted == 0)
		return;
	replay_lock(entry->run);
	set_last(entry->run, entry->control.top_granted);
	replay_unlock(entry->run);
	atomic_store(&entry->run->top_beyond, 0);
	entry->control.top_granted = 0;
	entry->control.top_was_exact = true; /* from now on there is room behind it */
}

/* How many came in a second, the most of late. */
static void measure(struct sad_control *control, uint64_t top, uint64_t now)
{
	uint64_t came = top - control->top_seen;

	if (came > AHEAD_MAX)
		came = AHEAD_MAX;
	if (came > control->top_pace)
		control->top_pace = came;
	if (now - control->top_usec < USEC_PER_SEC)
		return;
	if (came < control->top_pace)
		control->top_pace -= (control->top_pace - came) / PACE_FADES;
	control->top_usec = now;
	control->top_seen = top;
}

/* What to have ahead of the top, when that much is left and it does not suffice; 0: it does. */
static uint64_t next_ahead(struct sad_entry *entry, uint64_t left, uint64_t now)
{
	struct sad_control *control = &entry->control;
	uint64_t ahead = ahead_of(control);

	if (atomic_load(&entry->run->top_beyond) == 0 && left > ahead / 2 &&
		left > atomic_load(&entry->run->top_low))
		return 0;
	/* Gone before this would have looked by itself: a burst has begun. */
	if (now - control->top_reserved_usec < HASTE_USEC && ahead < control->top_ahead * GROWTH)
		ahead = control->top_ahead * GROWTH;
	return ahead < AHEAD_MAX ? ahead : AHEAD_MAX;
}

void sadb_window_refill(struct sadb *sadb, struct sad_entry *entry, uint64_t now)
{
	uint64_t top, last, beyond, ahead;
	int r;

	if (!is_kept(sadb, entry))
		return;
	top = top_of(entry->run);
	last = last_of(entry->run);
	beyond = atomic_load(&entry->run->top_beyond);
	if (!entry->control.top_was_exact && beyond == 0)
		return; /* after a loss: whoever comes first asks */
	measure(&entry->control, top, now);
	ahead = next_ahead(entry, last > top ? last - top : 0, now);
	if (ahead == 0 || last >= sadb_seq_limit(entry->sa))
		return;
	entry->control.top_ahead = ahead;
	r = reserve(sadb, entry, (beyond ? last + beyond : top) + ahead);
	if (r < 0)
		sadb->disk_error = r;
}

int sadb_window_reach(struct sadb *sadb, struct sad_entry *entry, uint64_t seq)
{
	struct sad_control *control = &entry->control;
	int r;

	if (!is_kept(sadb, entry) || seq <= last_of(entry->run))
		return 0;
	control->top_ahead = next_ahead(entry, 0, sadb_now(sadb));
	r = reserve(sadb, entry, seq + control->top_ahead);
	if (r == 0)
		sadb_window_grant(entry);
	return r;
}

/* No number is taken that is more than @ahead above the top. Return: the last that may be. */
static uint64_t lower(struct sa_run *run, uint64_t ahead)
{
	uint64_t last;

	replay_lock(run);
	if (run->top + ahead < last_of(run))
		set_last(run, run->top + ahead);
	last = last_of(run);
	replay_unlock(run);
	return last;
}

uint64_t sadb_window_due(const struct sadb *sadb, const struct sad_entry *entry)
{
	uint64_t used = atomic_load(&entry->run->last_use_usec);

	if (!is_kept(sadb, entry) || used == 0)
		return 0;
	/* Should the top move meanwhile, this is asked again. */
	return last_of(entry->run) > entry->control.top_seen + 2 * AHEAD_MIN ? used + SETTLE_USEC
									     : 0;
}

void sadb_window_settle(struct sadb *sadb, struct sad_entry *entry, uint64_t now)
{
	uint64_t due = sadb_window_due(sadb, entry);

	if (due == 0 || due > now)
		return;
	entry->control.top_pace = 0;
	entry->control.top_ahead = AHEAD_MIN;
	entry->control.top_seen = top_of(entry->run);
	/* Lowered here first: until the disk has it, it only knows of more than can come in. */
	(void)!seqstore_lower_top(sadb->parts.seqstore, entry->control.window_id,
		lower(entry->run, AHEAD_MIN), false);
}

void sadb_window_close(struct sadb *sadb, struct sad_entry *entry)
{
	/* Failing costs packets of the next SA with this key. */
	if (is_kept(sadb, entry))
		(void)!seqstore_lower_top(
			sadb->parts.seqstore, entry->control.window_id, lower(entry->run, 0), true);
}

void sadb_window_unmake(struct sadb *sadb, struct sad_entry *entry)
{
	/* Nothing came in: what was known before is right again, for one that is there still, too. */
	if (is_kept(sadb, entry))
		(void)!seqstore_lower_top(sadb->parts.seqstore, entry->control.window_id,
			entry->run->top, entry->control.top_was_exact);
}

void sadb_window_succeed(struct sadb *sadb, struct sad_entry *old, struct sad_entry *next)
{
	if (!is_kept(sadb, old) || !is_kept(sadb, next) ||
		memcmp(old->control.window_id, next->control.window_id, SEQSTORE_ID_BYTES) != 0) {
		sadb_window_close(sadb, old);
		return;
	}
	/* The disk knows of more for both already. */
	(void)lower(old->run, 0);
	set_top(next, top_of(old->run));
}
