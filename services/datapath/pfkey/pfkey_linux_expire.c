/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lifetimes of policies, and X_SPDEXPIRE for each limit once. */
#include <stdlib.h>
#include <time.h>

#include "common/base/clock.h"
#include "services/datapath/pfkey/pfkey_linux.h"

static void measure(
	const struct pfkey_door *door, uint32_t id, uint64_t *ret_packets, uint64_t *ret_bytes)
{
	const struct pfkey_door_policy *ops = &door->policies->ops;

	*ret_packets = *ret_bytes = 0;
	if (ops->measure)
		ops->measure(id, ret_packets, ret_bytes, ops->userdata);
}

void pfkey_linux_begin(const struct pfkey_door *door, struct pfkey_linux_entry *entry)
{
	entry->added_usec = sadb_now(door->sadb);
	/* A rule that reads like a former one goes on counting where that one was. */
	measure(door, entry->policy.id, &entry->packets_before, &entry->bytes_before);
}

static bool is_limited(const struct sa_limits *limits)
{
	return limits->bytes || limits->add_sec || limits->use_sec || limits->allocations;
}

static void take_stock(const struct pfkey_door *door, struct pfkey_linux_entry *entry, uint64_t now)
{
	uint64_t packets, bytes;

	measure(door, entry->policy.id, &packets, &bytes);
	packets = packets > entry->packets_before ? packets - entry->packets_before : 0;
	bytes = bytes > entry->bytes_before ? bytes - entry->bytes_before : 0;
	entry->used.allocations = packets > UINT32_MAX ? UINT32_MAX : (uint32_t)packets;
	entry->used.bytes = bytes;
	if (packets > 0 && entry->used_usec == 0) {
		entry->used_usec = now;
		entry->used.use_wall_sec = (uint64_t)time(NULL);
	}
}

static bool is_past(uint64_t now, uint64_t since, uint64_t limit_sec)
{
	return limit_sec && since && now >= since && (now - since) / USEC_PER_SEC >= limit_sec;
}

static bool is_reached(
	const struct sa_limits *limits, const struct pfkey_linux_entry *entry, uint64_t now)
{
	return is_past(now, entry->added_usec, limits->add_sec) ||
	       is_past(now, entry->used_usec, limits->use_sec) ||
	       (limits->bytes && entry->used.bytes >= limits->bytes) ||
	       (limits->allocations && entry->used.allocations >= limits->allocations);
}

/* With the limit that was reached, and CURRENT. */
static void tell(struct pfkey_door *door, const struct pfkey_linux_entry *entry, bool hard)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_linux_message_of(
		PFKEY_LINUX_SPDEXPIRE, entry);

	if (!msg)
		return;
	msg->present &= ~PFKEY_BIT(hard ? PFKEY_EXT_LIFETIME_SOFT : PFKEY_EXT_LIFETIME_HARD);
	pfkey_answer_all(door, msg);
}

/* True: it is over. */
static bool look_at(struct pfkey_door *door, struct pfkey_linux_entry *entry, uint64_t now)
{
	if (!is_limited(&entry->hard) && !is_limited(&entry->soft))
		return false;
	take_stock(door, entry, now);
	if (is_reached(&entry->hard, entry, now)) {
		tell(door, entry, true);
		return true;
	}
	if (!entry->soft_told && is_reached(&entry->soft, entry, now)) {
		entry->soft_told = true;
		tell(door, entry, false);
	}
	return false;
}

void pfkey_linux_expire(struct pfkey_door *door)
{
	struct pfkey_linux_policies *policies = door->policies;
	struct pfkey_linux_entry **link, *entry;
	uint64_t now = sadb_now(door->sadb);
	bool any = false;

	if (!policies)
		return;
	for (link = &policies->first; (entry = *link);) {
		if (!look_at(door, entry, now)) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		policies->n--;
		free(entry);
		any = true;
	}
	if (any)
		pfkey_linux_enforce_rest(door);
}
