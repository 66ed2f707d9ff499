/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/workers/handover.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER_LEN ((PACKET_BUFFER + 63) / 64 * 64) /* whole cache lines */
#define RING_BYTES ((size_t)HANDOVER_ROOM * BUFFER_LEN)

struct slot {
	struct packet pkt;
	struct handover_way way;
};

struct handover {
	int wake_fd, room_fd;
	_Atomic uint32_t head; /* next to be read */
	_Atomic uint32_t tail; /* next to be written */
	_Atomic bool waiting; /* the writer sleeps until there is room */
	uint8_t *buffers; /* pages are taken as they are touched */
	struct slot slots[HANDOVER_ROOM];
};

int handover_new(int wake_fd, struct handover **ret_handover)
{
	CLEANUP(handover_freep) struct handover *handover = calloc(1, sizeof(*handover));
	void *buffers;

	if (!handover)
		return -ENOMEM;
	handover->wake_fd = wake_fd;
	handover->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (handover->room_fd < 0)
		return -errno;
	buffers = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (buffers == MAP_FAILED)
		return -errno;
	handover->buffers = buffers;
	*ret_handover = STEAL(handover);
	return 0;
}

struct handover *handover_free(struct handover *handover)
{
	if (!handover)
		return NULL;
	fd_closep(&handover->room_fd);
	if (handover->buffers)
		(void)munmap(handover->buffers, RING_BYTES); /* it was mapped so */
	free(handover);
	return NULL;
}

static void raise_event(int fd)
{
	static const uint64_t one = 1;

	/* A full counter wakes as well as one more would. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static uint32_t count(const struct handover *handover)
{
	return atomic_load(&handover->tail) - atomic_load(&handover->head);
}

bool handover_is_empty(const struct handover *handover)
{
	return count(handover) == 0;
}

bool handover_put(struct handover *handover, const struct packet *pkt, struct handover_way way)
{
	uint32_t tail = atomic_load_explicit(&handover->tail, memory_order_relaxed);
	struct slot *slot = &handover->slots[tail % HANDOVER_ROOM];
	uint8_t *buffer = handover->buffers + (size_t)(tail % HANDOVER_ROOM) * BUFFER_LEN;

	if (count(handover) == HANDOVER_ROOM)
		return false;
	slot->pkt = *pkt;
	slot->pkt.buffer = buffer;
	slot->pkt.size = PACKET_BUFFER;
	slot->pkt.data = buffer + PACKET_HEADROOM;
	memcpy(slot->pkt.data, pkt->data, pkt->len);
	slot->way = way;
	atomic_store(&handover->tail, tail + 1);
	return true;
}

void handover_tell(const struct handover *handover)
{
	raise_event(handover->wake_fd);
}

bool handover_wait(struct handover *handover, size_t room, int stop_fd)
{
	struct pollfd fds[] = { { .fd = handover->room_fd, .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN } };
	uint64_t events;

	for (;;) {
		/* Said before it is looked at: what is read from here on is told. */
		atomic_store(&handover->waiting, true);
		if (HANDOVER_ROOM - count(handover) >= room)
			break;
		if (poll(fds, 2, -1) > 0 && fds[1].revents != 0)
			break;
		/* Whether it was readable is all that matters. */
		(void)!read(handover->room_fd, &events, sizeof(events));
	}
	atomic_store(&handover->waiting, false);
	return HANDOVER_ROOM - count(handover) >= room;
}

size_t handover_take(
	struct handover *handover, struct packet **ret_pkts, size_t n, struct handover_way *ret_way)
{
	uint32_t head = atomic_load_explicit(&handover->head, memory_order_relaxed);
	uint32_t there = count(handover);
	size_t taken = 0;

	for (; taken < n && taken < there; taken++) {
		struct slot *slot = &handover->slots[(head + taken) % HANDOVER_ROOM];

		if (taken == 0)
			*ret_way = slot->way;
		else if (slot->way.inbound != ret_way->inbound ||
			 slot->way.tunnel != ret_way->tunnel)
			break;
		ret_pkts[taken] = &slot->pkt;
	}
	return taken;
}

void handover_done(struct handover *handover, size_t n)
{
	(void)atomic_fetch_add(&handover->head, (uint32_t)n);
	if (atomic_load(&handover->waiting))
		raise_event(handover->room_fd);
}
