/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "common/base/clock.h"
#include "services/datapath/drop_note.h"

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
	struct engine *engine;
	struct path_mtu *mtus;
	struct path_copy *paths;
	struct wire_port *port;
	struct mailbox *mailbox;
	uint8_t *buffers; /* BATCH of them; pages are taken as they are touched */
	struct packet packets[BATCH];
	struct packet *batch[BATCH];
	struct engine_result results[BATCH];
	struct packet *to_wire[BATCH];
	enum direction direction; /* of the batch in work */
	bool sent[BATCH];
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

static int watch_all(struct worker *worker)
{
	const struct worker_setup *setup = &worker->setup;
	int r = watch(worker, worker->stop_fd, SOURCE_STOP, 0);

	if (r == 0)
		r = watch(worker, setup->host->queues[setup->index], SOURCE_TUN, HOST);
	for (size_t i = 0; i < setup->n_tunnels && r == 0; i++)
		r = watch(worker, setup->tunnels[i].queues[setup->index], SOURCE_TUN, (int)i);
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

static void to_stack(struct worker *worker, struct packet *pkt, int tunnel)
{
	const struct tun *tun = worker->setup.host;

	if (tunnel >= 0 && (size_t)tunnel < worker->setup.n_tunnels)
		tun = &worker->setup.tunnels[tunnel];
	if (tun_write(tun->queues[worker->setup.index], &pkt, 1) != 1)
		counters_add(worker->setup.counters, VERDICT_IO_SEND_FAILED);
}

static void to_wire(struct worker *worker, size_t n)
{
	wire_send(worker->port, worker->to_wire, n, worker->sent);
	for (size_t i = 0; i < n; i++)
		if (!worker->sent[i])
			counters_add(worker->setup.counters, VERDICT_IO_SEND_FAILED);
}

static void follow(struct worker *worker, struct engine_result *result, struct packet *pkt)
{
	while (engine_follow(worker->engine, result, pkt)) {
		if (result->exit == ENGINE_TO_HOST) {
			to_stack(worker, pkt, result->tunnel);
			continue;
		}
		worker->to_wire[0] = pkt;
		to_wire(worker, 1);
	}
}

static void deliver(struct worker *worker, size_t n)
{
	size_t n_wire = 0;

	for (size_t i = 0; i < n; i++) {
		const struct engine_result *result = &worker->results[i];

		switch (result->exit) {
		case ENGINE_DROP:
			drop_note(worker->setup.drops, worker->batch[i], worker->direction, result);
			break;
		case ENGINE_HELD:
			break;
		case ENGINE_TO_WIRE:
		case ENGINE_TO_WIRE_CLEAR:
			worker->to_wire[n_wire++] = worker->batch[i];
			break;
		case ENGINE_TO_HOST:
		case ENGINE_TO_SENDER:
			to_stack(worker, worker->batch[i], result->tunnel);
			break;
		}
	}
	if (n_wire > 0)
		to_wire(worker, n_wire);
	/* The batch is away, so its buffers are free for the fragments that follow. */
	for (size_t i = 0; i < n; i++)
		if (worker->results[i].more)
			follow(worker, &worker->results[i], worker->batch[i]);
}

static void run_outbound(struct worker *worker, int tunnel)
{
	const struct tun *tun = tunnel == HOST ? worker->setup.host
					       : &worker->setup.tunnels[tunnel];
	size_t left;
	int n;

	refill(worker);
	n = tun_read(tun->queues[worker->setup.index], worker->batch, BATCH);
	if (n < 0) {
		/* Somebody deleted the device; waiting for it would spin. */
		(void)epoll_ctl(
			worker->epoll_fd, EPOLL_CTL_DEL, tun->queues[worker->setup.index], NULL);
		mailbox_put_broken(worker->mailbox);
	}
	left = n > 0 ? sift(worker, (size_t)n) : 0;
	if (left == 0)
		return;
	worker->direction = DIRECTION_OUT;
	engine_outbound(worker->engine, worker->batch, left, tunnel, worker->results);
	deliver(worker, left);
}

static void run_inbound(struct worker *worker, size_t input)
{
	size_t left;
	int n;

	refill(worker);
	n = wire_receive(worker->port, input, worker->batch, BATCH);
	left = n > 0 ? sift(worker, (size_t)n) : 0;
	if (left == 0)
		return;
	worker->direction = DIRECTION_IN;
	engine_inbound(worker->engine, worker->batch, left, worker->results);
	deliver(worker, left);
}

/* Errors about what we sent; a queue that is not emptied would wake us for ever. */
static void run_errors(struct worker *worker, size_t input)
{
	struct wire_error error;

	while (wire_next_error(worker->port, input, &error)) {
		struct engine_report report = { .protocol = error.protocol,
			.dst = error.dst,
			.bytes = error.bytes,
			.len = error.len };

		if (engine_knows(worker->engine, &report) && error.mtu != 0)
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

/* The numbers of the original's tunable. */
static enum esp_padding padding_of(const struct worker *worker)
{
	static const enum esp_padding levels[] = { ESP_PADDING_NONE, ESP_PADDING_LAST,
		ESP_PADDING_ALL };

	return levels[tunables_get(worker->setup.tunables, TUNABLE_ESP_PADDING_CHECK)];
}

static void *run(void *userdata)
{
	struct worker *worker = userdata;
	struct epoll_event ready[MAX_READY];
	unsigned int slot;
	bool going = true;

	if (rcu_register(worker->setup.rcu, &slot) < 0)
		return NULL; /* there are more reader slots than workers */
	while (going) {
		int n;

		rcu_offline(worker->setup.rcu, slot);
		n = epoll_wait(worker->epoll_fd, ready, MAX_READY, -1);
		rcu_online(worker->setup.rcu, slot);
		engine_set_padding(worker->engine, padding_of(worker));
		engine_set_path_mtu(worker->engine,
			atomic_load_explicit(worker->setup.path_mtu, memory_order_relaxed));
		for (int i = 0; i < n && going; i++) {
			going = run_event(worker, &ready[i]);
			rcu_quiescent(worker->setup.rcu, slot);
		}
	}
	rcu_unregister(worker->setup.rcu, slot);
	return NULL;
}

static void on_acquire(const struct sadb_acquire *acquire, void *userdata)
{
	const struct worker *worker = userdata;

	mailbox_put_acquire(worker->mailbox, acquire);
}

static void on_event(struct sad_entry *entry, void *userdata)
{
	const struct worker *worker = userdata;

	(void)entry;
	mailbox_put_events(worker->mailbox);
}

/* Shorter than the links here only where an error said so. */
static uint32_t mtu_of(const struct address *dst, void *userdata)
{
	struct worker *worker = userdata;
	uint32_t here = atomic_load_explicit(worker->setup.path_mtu, memory_order_relaxed), learnt;

	if (!path_copy_any(worker->paths))
		return here;
	learnt = path_copy_get(worker->paths, dst, clock_boot_usec());
	return learnt != 0 && (here == 0 || learnt < here) ? learnt : here;
}

static int make_parts(struct worker *worker)
{
	struct engine_setup setup = { .worker = worker->setup.index,
		.view = worker->setup.view,
		.counters = worker->setup.counters,
		.on_acquire = on_acquire,
		.on_event = on_event,
		.userdata = worker,
		.fragments = worker->setup.fragments,
		.mtu_of = mtu_of,
		.padding = padding_of(worker) };
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
	worker->mtus = path_mtu_new();
	worker->paths = path_copy_new(worker->setup.paths);
	if (!worker->mtus || !worker->paths)
		return -ENOMEM;
	r = mailbox_new(worker->setup.wake_fd, &worker->mailbox);
	if (r == 0)
		r = wire_port_new(worker->setup.wire, worker->mtus, worker->paths, &worker->port);
	if (r == 0)
		r = engine_new(&setup, &worker->engine);
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
	engine_free(worker->engine);
	wire_port_free(worker->port);
	path_mtu_free(worker->mtus);
	path_copy_free(worker->paths);
	mailbox_free(worker->mailbox);
	fd_closep(&worker->epoll_fd);
	fd_closep(&worker->stop_fd);
	if (worker->buffers)
		(void)munmap(worker->buffers, (size_t)BATCH * BUFFER_LEN); /* it was mapped so */
	free(worker);
	return NULL;
}

struct mailbox *worker_mailbox(struct worker *worker)
{
	return worker->mailbox;
}
