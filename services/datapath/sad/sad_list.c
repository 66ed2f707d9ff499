/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who walks the SAs in their order, and which of them workers have raised. */
#include "services/datapath/sad/sad_parts.h"

void sad_each(struct sad *sad, bool (*fn)(struct sad_entry *entry, void *userdata), void *userdata)
{
	for (struct sad_entry *entry = sad->oldest, *next; entry; entry = next) {
		next = entry->newer;
		if (!fn(entry, userdata))
			return;
	}
}

void sad_cursor_open(struct sad *sad, struct sad_cursor *cursor)
{
	*cursor = (struct sad_cursor){ .sad = sad,
		.next = sad->oldest,
		.last_serial = sad->next_serial,
		.other = sad->cursors };
	sad->cursors = cursor;
}

void sad_cursor_close(struct sad_cursor *cursor)
{
	struct sad_cursor **link;

	if (!cursor->sad)
		return;
	for (link = &cursor->sad->cursors; *link && *link != cursor;)
		link = &(*link)->other;
	if (*link)
		*link = cursor->other;
	*cursor = (struct sad_cursor){ .sad = NULL };
}

struct sad_entry *sad_cursor_next(struct sad_cursor *cursor)
{
	struct sad_entry *entry = cursor->next;

	if (!entry || entry->serial > cursor->last_serial)
		return NULL;
	cursor->next = entry->newer;
	return entry;
}

void sad_cursors_pass(struct sad *sad, const struct sad_entry *entry, struct sad_entry *next)
{
	for (struct sad_cursor *cursor = sad->cursors; cursor; cursor = cursor->other)
		if (cursor->next == entry)
			cursor->next = next ? next : entry->newer;
}

void sad_raise(struct sad_entry *entry)
{
	struct sad *sad = entry->sad;
	struct sad_entry *first;

	if (atomic_exchange(&entry->raised, true))
		return;
	first = atomic_load_explicit(&sad->raised, memory_order_relaxed);
	do {
		entry->raised_next = first;
	} while (!atomic_compare_exchange_weak_explicit(
		&sad->raised, &first, entry, memory_order_release, memory_order_relaxed));
}

void sad_gather(struct sad *sad)
{
	struct sad_entry *at = atomic_exchange_explicit(&sad->raised, NULL, memory_order_acquire);

	for (struct sad_entry *next; at; at = next) {
		next = at->raised_next;
		at->raised_prev = NULL;
		at->raised_next = sad->gathered;
		if (sad->gathered)
			sad->gathered->raised_prev = at;
		sad->gathered = at;
	}
}

static void unlink_gathered(struct sad *sad, struct sad_entry *entry)
{
	*(entry->raised_prev ? &entry->raised_prev->raised_next
			     : &sad->gathered) = entry->raised_next;
	if (entry->raised_next)
		entry->raised_next->raised_prev = entry->raised_prev;
}

struct sad_entry *sad_take_raised(struct sad *sad)
{
	struct sad_entry *entry = sad->gathered;

	if (!entry)
		return NULL;
	unlink_gathered(sad, entry);
	/* Before its events are read: what comes behind them raises it again. */
	atomic_store(&entry->raised, false);
	return entry;
}

void sad_raised_forget(struct sad_entry *entry)
{
	if (!atomic_load(&entry->raised))
		return;
	sad_gather(entry->sad); /* nobody can raise it any more, so here it is */
	unlink_gathered(entry->sad, entry);
}
