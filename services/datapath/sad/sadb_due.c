/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which SA has something due next: a heap of those whose time will come, idle ones cost nothing. */
#include <errno.h>
#include <stdlib.h>

#include "services/datapath/sad/sadb_parts.h"

int sadb_due_reserve(struct sadb *sadb, size_t more)
{
	struct sadb_due *due = &sadb->due;
	size_t need = sad_count(sadb->parts.sad) + more, room = due->room ? due->room : 64;
	struct sad_entry **heap;

	if (need <= due->room)
		return 0;
	while (room < need)
		room *= 2;
	heap = reallocarray(due->heap, room, sizeof(struct sad_entry *));
	if (!heap)
		return -ENOMEM;
	due->heap = heap;
	due->room = room;
	return 0;
}

static void put(struct sadb_due *due, size_t at, struct sad_entry *entry)
{
	due->heap[at] = entry;
	entry->control.heap_at = (uint32_t)(at + 1); /* there are fewer SAs */
}

static uint64_t time_at(const struct sadb_due *due, size_t at)
{
	return due->heap[at]->control.due_usec;
}

static void rise(struct sadb_due *due, size_t at)
{
	struct sad_entry *entry = due->heap[at];

	while (at > 0 && time_at(due, (at - 1) / 2) > entry->control.due_usec) {
		put(due, at, due->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(due, at, entry);
}

static void sink(struct sadb_due *due, size_t at)
{
	struct sad_entry *entry = due->heap[at];

	for (size_t child; (child = 2 * at + 1) < due->count; at = child) {
		if (child + 1 < due->count && time_at(due, child + 1) < time_at(due, child))
			child++;
		if (time_at(due, child) >= entry->control.due_usec)
			break;
		put(due, at, due->heap[child]);
	}
	put(due, at, entry);
}

static void take_out(struct sadb_due *due, struct sad_entry *entry)
{
	size_t at = entry->control.heap_at - 1;
	struct sad_entry *last = due->heap[--due->count];

	entry->control.heap_at = 0;
	if (last == entry)
		return;
	put(due, at, last);
	rise(due, at);
	sink(due, last->control.heap_at - 1);
}

void sadb_due_set(struct sadb *sadb, struct sad_entry *entry, uint64_t usec)
{
	struct sadb_due *due = &sadb->due;

	if (entry->control.heap_at) {
		if (usec == entry->control.due_usec)
			return;
		take_out(due, entry);
	}
	entry->control.due_usec = usec;
	if (usec == 0)
		return;
	due->heap[due->count++] = entry; /* there is room for each SA */
	rise(due, due->count - 1);
}

struct sad_entry *sadb_due_first(const struct sadb *sadb, uint64_t now_usec)
{
	const struct sadb_due *due = &sadb->due;

	return due->count > 0 && time_at(due, 0) <= now_usec ? due->heap[0] : NULL;
}
