/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/workers/mailbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ROOM 256U /* a power of two */

struct mailbox {
	int wake_fd;
	_Atomic uint32_t head; /* next to be read */
	_Atomic uint32_t tail; /* next to be written */
	_Atomic bool events, broken;
	_Atomic uint64_t lost;
	struct sadb_acquire ring[ROOM];
};

int mailbox_new(int wake_fd, struct mailbox **ret_box)
{
	struct mailbox *box = calloc(1, sizeof(*box));

	if (!box)
		return -ENOMEM;
	box->wake_fd = wake_fd;
	*ret_box = box;
	return 0;
}

struct mailbox *mailbox_free(struct mailbox *box)
{
	struct sadb_acquire left;

	while (box && mailbox_take_acquire(box, &left))
		free(left.packet);
	free(box);
	return NULL;
}

static void wake(const struct mailbox *box)
{
	static const uint64_t one = 1;

	/* A full counter wakes as well as one more would. */
	if (write(box->wake_fd, &one, sizeof(one)) < 0)
		return;
}

bool mailbox_put_acquire(struct mailbox *box, const struct sadb_acquire *acquire)
{
	uint32_t tail = atomic_load_explicit(&box->tail, memory_order_relaxed);
	uint32_t head = atomic_load_explicit(&box->head, memory_order_acquire);

	if (tail - head == ROOM) {
		(void)atomic_fetch_add_explicit(&box->lost, 1, memory_order_relaxed);
		return false; /* the reader was woken for what is there */
	}
	box->ring[tail % ROOM] = *acquire;
	box->ring[tail % ROOM].rule = NULL;
	atomic_store_explicit(&box->tail, tail + 1, memory_order_release);
	wake(box);
	return true;
}

void mailbox_put_events(struct mailbox *box)
{
	if (!atomic_exchange_explicit(&box->events, true, memory_order_acq_rel))
		wake(box);
}

void mailbox_put_broken(struct mailbox *box)
{
	atomic_store_explicit(&box->broken, true, memory_order_release);
	wake(box);
}

bool mailbox_is_broken(const struct mailbox *box)
{
	return atomic_load_explicit(&box->broken, memory_order_acquire);
}

bool mailbox_take_acquire(struct mailbox *box, struct sadb_acquire *ret_acquire)
{
	uint32_t head = atomic_load_explicit(&box->head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&box->tail, memory_order_acquire);

	if (head == tail)
		return false;
	*ret_acquire = box->ring[head % ROOM];
	atomic_store_explicit(&box->head, head + 1, memory_order_release);
	return true;
}

bool mailbox_take_events(struct mailbox *box)
{
	return atomic_exchange_explicit(&box->events, false, memory_order_acq_rel);
}

uint64_t mailbox_lost(const struct mailbox *box)
{
	return atomic_load_explicit(&box->lost, memory_order_relaxed);
}
