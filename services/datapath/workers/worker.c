/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/workers/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "common/base/clock.h"
#include "services/datapath/packet/packet_group.h"
#include "services/datapath/workers/station.h"

#define BATCH	   ENGINE_BATCH
#define MAX_READY  32
#define HOST	   (-1)
#define BUFFER_LEN 66176 /* PACKET_BUFFER in whole cache lines */
_Static_assert(BUFFER_LEN >= PACKET_BUFFER && BUFFER_LEN % 64 == 0, "a buffer holds a packet");

/* What became readable: kind and which one, in an epoll event's 64 bits. */
enum source { SOURCE_STOP, SOURCE_TUN, SOURCE_WIRE };

struct worker {
	struct worker_setup setup;
	pthread_t thread;
	bool started;
	int epoll_fd, stop_fd;
	unsigned int slot; /* of the reader that this thread is */
	struct station *station;
	struct handover *handover; /* to the control thread */
	uint16_t group_id; /* identification of the last packet to a group */
	unsigned int sync; /* protocols that went that way so far */
	struct budget_account account;
	uint8_t *buffers; /* BATCH of them; pages are taken as they are touched */
	struct packet packets[BATCH];
	struct packet *batch[BATCH];
	struct engine_result results[BATCH];
};

static int watch(struct worker *worker, int fd, enum source source, int which)
{
	struct epoll_event event = { .events = EPOLLIN,
		.data.u64 = (uint64_t)source << 32 | (uint32_t)(which + 1) };

	/* All workers wait at the same raw sockets: wake one. */
	if (source == SOURCE_WIRE)
		event.events |= EPOLLEXCLUSIVE;
	return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int worker_watch_tunnel(struct worker *worker, size_t slot)
{
	const struct tun *tun = rcu_read(&worker->setup.tunnels[slot]);

	return tun ? watch(worker, tun->queues[worker->setup.index], SOURCE_TUN, (int)slot) : 0;
}

void worker_unwatch_tunnel(struct worker *worker, size_t slot)
{
	const struct tun *tun = rcu_read(&worker->setup.tunnels[slot]);

	/* It may be off the list already, as one that was deleted is. */
	if (tun)
		(void)epoll_ctl(
			worker->epoll_fd, EPOLL_CTL_DEL, tun->queues[worker->setup.index], NULL);
}

static int watch_all(struct worker *worker)
{
	const struct worker_setup *setup = &worker->setup;
	int r = watch(worker, worker->stop_fd, SOURCE_STOP, 0);

	if (r == 0)
		r = watch(worker, setup->host->queues[setup->index], SOURCE_TUN, HOST);
	for (size_t i = 0; i < ENGINE_MAX_TUNNELS && r == 0; i++)
		r = worker_watch_tunnel(worker, i);
	for (size_t i = 0; i < setup->wire->n_inputs && r == 0; i++)
		r = watch(worker, setup->wire->inputs[i].fd, SOURCE_WIRE, (int)i);
	return r;
}

static void refill(struct worker *worker)
{
	for (size_t i = 0; i < BATCH; i++) {
		packet_init(&worker->packets[i], worker->buffers + i * BUFFER_LEN, BUFFER_LEN);
		worker->batch[i] = &worker->packets[i];
	}
}

/* Packets that could not be taken whole leave the batch. Return: how many are left. */
static size_t sift(struct worker *worker, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (worker->batch[i]->len == 0)
			counters_add(worker->setup.counters, VERDICT_SPD_MALFORMED_PACKET);
		else
			worker->batch[kept++] = worker->batch[i];
	}
	return kept;
}

/* Away from everything that is shared, until @room packets fit or the worker is to stop. */
static bool wait_for_control(struct worker *worker, size_t room)
{
	bool fits;

	rcu_offline(worker->setup.rcu, worker->slot);
	fits = handover_wait(worker->handover, room, worker->stop_fd);
	rcu_online(worker->setup.rcu, worker->slot);
	return fits;
}

static void hand_one(struct worker *worker, const struct packet *pkt, struct handover_way way)
{
	while (!handover_put(worker->handover, pkt, way)) {
		handover_tell(worker->handover);
		if (!wait_for_control(worker, HANDOVER_ROOM / 2)) {
			counters_add(worker->setup.counters, VERDICT_IO_SEND_FAILED);
			return;
		}
	}
}

/* What the engine left to the control thread; last, since it may have to wait. */
static void hand_over(struct worker *worker, size_t n, bool inbound)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		struct engine_result *result = &worker->results[i];
		struct handover_way way = { .inbound = inbound, .tunnel = result->tunnel };

		if (result->exit != ENGINE_TO_CONTROL)
			continue;
		do
			hand_one(worker, worker->batch[i], way);
		while (engine_follow(station_engine(worker->station), result, worker->batch[i]));
		any = true;
	}
	if (any)
		handover_tell(worker->handover);
}

/*
 * The execution modes in force. What went to the control thread is waited for before packets of its
 * protocol are worked here again, or they would overtake it and leave it behind the window.
 */
static void follow_modes(struct worker *worker)
{
	unsigned int sync = atomic_load_explicit(worker->setup.sync, memory_order_relaxed);

	if ((worker->sync & ~sync) != 0)
		(void)wait_for_control(worker, HANDOVER_ROOM); /* false: it ends anyway */
	worker->sync = sync;
	engine_set_sync(station_engine(worker->station), sync);
}

/* Wait until the engine's share of the CPUs has grown again. False: the worker is to stop. */
static bool pace(struct worker *worker)
{
	struct pollfd stop = { .fd = worker->stop_fd, .events = POLLIN };
	uint64_t wait_nsec = budget_settle(worker->setup.budget, &worker->account);
	struct timespec span = { .tv_sec = (time_t)(wait_nsec / NSEC_PER_SEC),
		.tv_nsec = (long)(wait_nsec % NSEC_PER_SEC) };
	bool stopped;

	if (wait_nsec == 0)
		return true;
	rcu_offline(worker->setup.rcu, worker->slot);
	stopped = ppoll(&stop, 1, &span, NULL) > 0;
	rcu_online(worker->setup.rcu, worker->slot);
	return !stopped;
}

static void run_outbound(struct worker *worker, int tunnel)
{
	const struct tun *tun = tunnel == HOST ? worker->setup.host
					       : rcu_read(&worker->setup.tunnels[tunnel]);
	size_t left;
	int n;

	if (!tun)
		return; /* it was removed after the kernel had told of packets */
	refill(worker);
	n = tun_read(tun->queues[worker->setup.index], worker->batch, BATCH);
	if (n < 0) {
		/* Somebody deleted the device; waiting for it would spin. */
		(void)epoll_ctl(
			worker->epoll_fd, EPOLL_CTL_DEL, tun->queues[worker->setup.index], NULL);
		mailbox_put_broken(station_mailbox(worker->station));
	}
	left = n > 0 ? sift(worker, (size_t)n) : 0;
	if (left == 0)
		return;
	for (size_t i = 0; tunnel == HOST && i < left; i++) {
		/* Zero would be replaced, and AH covers it. */
		if (++worker->group_id == 0)
			worker->group_id = 1;
		packet_take_device(worker->batch[i], worker->group_id);
	}
	follow_modes(worker);
	engine_outbound(
		station_engine(worker->station), worker->batch, left, tunnel, worker->results);
	station_deliver(worker->station, worker->batch, worker->results, left, DIRECTION_OUT);
	hand_over(worker, left, false);
}

static void run_inbound(struct worker *worker, size_t input)
{
	size_t left;
	int n;

	refill(worker);
	n = wire_receive(station_port(worker->station), input, worker->batch, BATCH);
	left = n > 0 ? sift(worker, (size_t)n) : 0;
	if (left == 0)
		return;
	follow_modes(worker);
	if (handover_is_empty(worker->handover))
		engine_control_is_idle(station_engine(worker->station));
	engine_inbound(station_engine(worker->station), worker->batch, left, worker->results);
	station_deliver(worker->station, worker->batch, worker->results, left, DIRECTION_IN);
	hand_over(worker, left, true);
}

/* Errors about what we sent; a queue that is not emptied would wake us for ever. */
static void run_errors(struct worker *worker, size_t input)
{
	struct wire_error error = { .len = 0 };

	while (wire_next_error(station_port(worker->station), input, &error)) {
		struct engine_report report = { .protocol = error.protocol,
			.dst = error.dst,
			.bytes = error.bytes,
			.len = error.len };

		if (engine_knows(station_engine(worker->station), &report) && error.mtu != 0)
			(void)path_table_learn(
				worker->setup.paths, &error.dst, error.mtu, clock_boot_usec());
	}
}

/* False: stop. */
static bool run_event(struct worker *worker, const struct epoll_event *event)
{
	enum source source = (enum source)(event->data.u64 >> 32);
	int which = (int)(event->data.u64 & UINT32_MAX) - 1;

	switch (source) {
	case SOURCE_STOP:
		return false;
	case SOURCE_TUN:
		run_outbound(worker, which);
		return true;
	case SOURCE_WIRE:
		if (event->events & EPOLLERR)
			run_errors(worker, (size_t)which);
		run_inbound(worker, (size_t)which);
		return true;
	}
	return true;
}

static void *run(void *userdata)
{
	struct worker *worker = userdata;
	struct epoll_event ready[MAX_READY];
	bool going = true;

	if (rcu_register(worker->setup.rcu, &worker->slot) < 0)
		return NULL; /* there are more reader slots than workers */
	while (going) {
		int n;

		rcu_offline(worker->setup.rcu, worker->slot);
		n = epoll_wait(worker->epoll_fd, ready, MAX_READY, -1);
		rcu_online(worker->setup.rcu, worker->slot);
		station_refresh(worker->station);
		for (int i = 0; i < n && going; i++) {
			going = run_event(worker, &ready[i]);
			rcu_quiescent(worker->setup.rcu, worker->slot);
			going = going && pace(worker);
		}
	}
	rcu_unregister(worker->setup.rcu, worker->slot);
	return NULL;
}

static int make_parts(struct worker *worker)
{
	void *buffers = mmap(NULL, (size_t)BATCH * BUFFER_LEN, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int r;

	if (buffers == MAP_FAILED)
		return -errno;
	worker->buffers = buffers;
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	worker->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (worker->epoll_fd < 0 || worker->stop_fd < 0)
		return -errno;
	r = station_new(&worker->setup, &worker->station);
	if (r == 0)
		r = handover_new(worker->setup.wake_fd, &worker->handover);
	return r;
}

int worker_start(const struct worker_setup *setup, struct worker **ret_worker)
{
	CLEANUP(worker_stopp) struct worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker)
		return -ENOMEM;
	worker->setup = *setup;
	worker->epoll_fd = worker->stop_fd = -1;
	r = make_parts(worker);
	if (r == 0)
		r = watch_all(worker);
	if (r == 0)
		r = -pthread_create(&worker->thread, NULL, run, worker);
	if (r < 0)
		return r;
	worker->started = true;
	*ret_worker = STEAL(worker);
	return 0;
}

struct worker *worker_stop(struct worker *worker)
{
	static const uint64_t one = 1;

	if (!worker)
		return NULL;
	if (worker->started && write(worker->stop_fd, &one, sizeof(one)) == sizeof(one))
		(void)pthread_join(worker->thread, NULL); /* it cannot fail for a joinable thread */
	station_free(worker->station);
	handover_free(worker->handover);
	fd_closep(&worker->epoll_fd);
	fd_closep(&worker->stop_fd);
	if (worker->buffers)
		(void)munmap(worker->buffers, (size_t)BATCH * BUFFER_LEN); /* it was mapped so */
	free(worker);
	return NULL;
}

struct mailbox *worker_mailbox(struct worker *worker)
{
	return station_mailbox(worker->station);
}

struct handover *worker_handover(struct worker *worker)
{
	return worker->handover;
}
