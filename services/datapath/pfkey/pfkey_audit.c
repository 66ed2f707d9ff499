/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who changed what over PF_KEY, and how it ended. Each change is told, but a key manager makes thousands
 * of them and the journal is not its to fill: of many at a time the first are told one by one and the
 * rest as numbers, when the time is over.
 */
#include <errno.h>

#include "common/base/clock.h"
#include "services/datapath/pfkey/pfkey_door_parts.h"

#define TOLD_SINGLY 50 /* within */
#define PERIOD_USEC (10 * USEC_PER_SEC)

static const char *name_of(uint8_t type)
{
	const char *name = type & PFKEY_LINUX_BIT ? pfkey_linux_type_name(type)
						  : pfkey_type_name(type);

	return name ? name : "unknown";
}

static void tell(struct pfkey_door *door, const struct pfkey_audit *record)
{
	if (door->audit)
		door->audit(record, door->audit_userdata);
}

static void tell_row(struct pfkey_door *door, const struct pfkey_ledger_row *row)
{
	struct pfkey_audit record = { .message = name_of(row->type),
		.object = "",
		.uid = row->uid,
		.pid = row->pid,
		.right = row->right,
		.error = row->error,
		.times = row->times };

	tell(door, &record);
}

static void end_period(struct pfkey_door *door)
{
	struct pfkey_ledger *ledger = &door->ledger;

	for (size_t i = 0; i < ledger->n_rows; i++)
		tell_row(door, &ledger->rows[i]);
	ledger->n_rows = 0;
	ledger->told = 0;
	ledger->since_usec = 0;
}

static int on_period(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	end_period(userdata);
	return 0;
}

/* The end of the period comes by itself, so that the last numbers are told too. */
static void begin_period(struct pfkey_door *door, uint64_t now)
{
	struct pfkey_ledger *ledger = &door->ledger;
	uint64_t end = now + PERIOD_USEC;

	ledger->since_usec = now;
	if (!ledger->timer) {
		(void)sd_event_add_time(door->event, &ledger->timer, CLOCK_BOOTTIME, end,
			USEC_PER_SEC, on_period, door);
	} else {
		(void)sd_event_source_set_time(ledger->timer, end);
		(void)sd_event_source_set_enabled(ledger->timer, SD_EVENT_ONESHOT);
	}
}

static struct pfkey_ledger_row *row_of(
	struct pfkey_ledger *ledger, const struct pfkey_peer *peer, uint8_t type, int error)
{
	struct pfkey_ledger_row *row;

	for (size_t i = 0; i < ledger->n_rows; i++) {
		row = &ledger->rows[i];
		if (row->uid == peer->uid && row->pid == peer->pid && row->type == type &&
			row->error == error)
			return row;
	}
	if (ledger->n_rows == PFKEY_LEDGER_ROWS)
		return NULL;
	row = &ledger->rows[ledger->n_rows++];
	*row = (struct pfkey_ledger_row){ .uid = peer->uid,
		.pid = peer->pid,
		.right = peer->right,
		.type = type,
		.error = error };
	return row;
}

static bool is_change(uint8_t type)
{
	return pfkey_is_public(type) || type == PFKEY_X_DELPAIR_STATE;
}

void pfkey_audit_message(struct pfkey_peer *peer, uint8_t type, const char *object, int error)
{
	struct pfkey_door *door = peer->door;
	struct pfkey_ledger *ledger = &door->ledger;
	struct pfkey_audit record = { .message = name_of(type),
		.object = object,
		.uid = peer->uid,
		.pid = peer->pid,
		.right = peer->right,
		.error = error,
		.times = 1 };
	uint64_t now = clock_boot_usec();
	struct pfkey_ledger_row *row;

	/* Who looks and may look changes nothing; who may not is told of whatever he tried. */
	if (!door->audit || (!is_change(type) && error != EPERM))
		return;
	if (ledger->since_usec == 0 || now - ledger->since_usec >= PERIOD_USEC) {
		end_period(door);
		begin_period(door, now);
	}
	if (ledger->told < TOLD_SINGLY) {
		ledger->told++;
		tell(door, &record);
		return;
	}
	row = row_of(ledger, peer, type, error);
	if (!row) { /* so many users at once: make room */
		end_period(door);
		begin_period(door, now);
		row = row_of(ledger, peer, type, error);
	}
	row->times++;
}

void pfkey_door_set_audit(struct pfkey_door *door, pfkey_audit_fn fn, void *userdata)
{
	door->audit = fn;
	door->audit_userdata = userdata;
}

void pfkey_audit_done(struct pfkey_door *door)
{
	end_period(door);
	door->ledger.timer = sd_event_source_disable_unref(door->ledger.timer);
}
