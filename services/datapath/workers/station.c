/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/workers/station.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/datapath/drops/drop_note.h"

struct station {
	struct worker_setup setup;
	unsigned int queue; /* of each device, for what goes to the stack */
	struct engine *engine;
	struct path_mtu *mtus;
	struct path_copy *paths;
	struct wire_port *port;
	struct mailbox *mailbox;
	struct packet *to_wire[ENGINE_BATCH];
	bool sent[ENGINE_BATCH];
};

static void on_acquire(const struct sadb_acquire *acquire, void *userdata)
{
	const struct station *station = userdata;

	(void)mailbox_put_acquire(station->mailbox, acquire); /* what does not fit is asked again */
}

/* The one place where packets meet the allocator: such packets wait for seconds anyway. */
static bool hold(const struct sadb_acquire *acquire, const struct packet *pkt,
	struct engine_waiting waiting, void *userdata)
{
	const struct station *station = userdata;
	struct sadb_acquire request = *acquire;

	request.packet = malloc(sizeof(*request.packet) + pkt->len);
	if (!request.packet)
		return false;
	request.packet->next = NULL;
	request.packet->inbound = waiting.inbound;
	request.packet->tunnel = waiting.tunnel;
	request.packet->len = pkt->len;
	memcpy(request.packet->bytes, pkt->data, pkt->len);
	if (mailbox_put_acquire(station->mailbox, &request))
		return true;
	free(request.packet);
	return false;
}

static void on_event(struct sad_entry *entry, void *userdata)
{
	const struct station *station = userdata;

	(void)entry;
	mailbox_put_events(station->mailbox);
}

/* Shorter than the links here only where an error said so. */
static uint32_t mtu_of(const struct address *dst, void *userdata)
{
	struct station *station = userdata;
	uint32_t here = atomic_load_explicit(station->setup.path_mtu, memory_order_relaxed), learnt;

	if (!path_copy_any(station->paths))
		return here;
	learnt = path_copy_get(station->paths, dst, clock_boot_usec());
	return learnt != 0 && (here == 0 || learnt < here) ? learnt : here;
}

/* The numbers of the original's tunable. */
static enum esp_padding padding_of(const struct worker_setup *setup)
{
	static const enum esp_padding levels[] = { ESP_PADDING_NONE, ESP_PADDING_LAST,
		ESP_PADDING_ALL };

	return levels[tunables_get(setup->tunables, TUNABLE_ESP_PADDING_CHECK)];
}

static bool reach(struct sad_entry *entry, uint64_t seq, void *userdata)
{
	const struct station *station = userdata;

	return sadb_window_reach(station->setup.sadb, entry, seq) == 0;
}

int station_new(const struct worker_setup *setup, struct station **ret_station)
{
	CLEANUP(station_freep) struct station *station = calloc(1, sizeof(*station));
	struct engine_setup engine = { .worker = setup->index,
		.view = setup->view,
		.counters = setup->counters,
		.on_acquire = on_acquire,
		.on_event = on_event,
		.hold = hold,
		.reach = setup->sadb ? reach : NULL,
		.userdata = station,
		.fragments = setup->fragments,
		.mtu_of = mtu_of,
		.padding = padding_of(setup) };
	int r;

	if (!station)
		return -ENOMEM;
	station->setup = *setup;
	/* The control thread reads no queue; any is good to write to. */
	station->queue = setup->index == SAD_CONTROL_WORKER ? 0 : setup->index;
	station->mtus = path_mtu_new();
	station->paths = path_copy_new(setup->paths);
	if (!station->mtus || !station->paths)
		return -ENOMEM;
	r = mailbox_new(setup->wake_fd, &station->mailbox);
	if (r == 0)
		r = wire_port_new(setup->wire, station->mtus, station->paths, &station->port);
	if (r == 0)
		r = engine_new(&engine, &station->engine);
	if (r < 0)
		return r;
	*ret_station = STEAL(station);
	return 0;
}

struct station *station_free(struct station *station)
{
	if (!station)
		return NULL;
	engine_free(station->engine);
	wire_port_free(station->port);
	path_mtu_free(station->mtus);
	path_copy_free(station->paths);
	mailbox_free(station->mailbox);
	free(station);
	return NULL;
}

struct engine *station_engine(struct station *station)
{
	return station->engine;
}

struct wire_port *station_port(struct station *station)
{
	return station->port;
}

struct mailbox *station_mailbox(struct station *station)
{
	return station->mailbox;
}

void station_refresh(struct station *station)
{
	engine_set_padding(station->engine, padding_of(&station->setup));
	engine_set_path_mtu(station->engine,
		atomic_load_explicit(station->setup.path_mtu, memory_order_relaxed));
}

static void to_stack(struct station *station, struct packet *pkt, int tunnel)
{
	const struct tun *tun = station->setup.host;

	if (tunnel >= 0)
		tun = rcu_read(&station->setup.tunnels[tunnel]);
	if (!tun || tun_write(tun->queues[station->queue], &pkt, 1) != 1)
		counters_add(station->setup.counters, VERDICT_IO_SEND_FAILED);
}

static void to_wire(struct station *station, size_t n)
{
	wire_send(station->port, station->to_wire, n, station->sent);
	for (size_t i = 0; i < n; i++)
		if (!station->sent[i])
			counters_add(station->setup.counters, VERDICT_IO_SEND_FAILED);
}

static void follow(struct station *station, struct engine_result *result, struct packet *pkt)
{
	while (engine_follow(station->engine, result, pkt)) {
		if (result->exit == ENGINE_TO_HOST) {
			to_stack(station, pkt, result->tunnel);
			continue;
		}
		station->to_wire[0] = pkt;
		to_wire(station, 1);
	}
}

void station_deliver(struct station *station, struct packet *const *pkts,
	struct engine_result *results, size_t n, enum direction direction)
{
	size_t n_wire = 0;

	for (size_t i = 0; i < n; i++) {
		const struct engine_result *result = &results[i];

		switch (result->exit) {
		case ENGINE_DROP:
			drop_note(station->setup.drops, pkts[i], direction, result);
			break;
		case ENGINE_HELD:
		case ENGINE_TO_CONTROL:
			break;
		case ENGINE_TO_WIRE:
		case ENGINE_TO_WIRE_CLEAR:
			station->to_wire[n_wire++] = pkts[i];
			break;
		case ENGINE_TO_HOST:
		case ENGINE_TO_SENDER:
			to_stack(station, pkts[i], result->tunnel);
			break;
		}
	}
	if (n_wire > 0)
		to_wire(station, n_wire);
	/* The batch is away, so its buffers are free for the fragments that follow. */
	for (size_t i = 0; i < n; i++)
		if (results[i].more && results[i].exit != ENGINE_TO_CONTROL)
			follow(station, &results[i], pkts[i]);
}
