/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant.h"

#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>

#include "common/base/clock.h"
#include "common/daemon/log.h"
#include "services/datapath/plant/plant_arena.h"
#include "services/datapath/plant/plant_devices.h"
#include "services/datapath/plant/plant_groups.h"
#include "services/datapath/plant/plant_waiting.h"
#include "services/datapath/plant/plant_ways.h"
#include "services/datapath/steer/rtnl.h"

#define SETTLING_USEC (USEC_PER_SEC / 4) /* longer than a packet waits in the TUN's queue */

static bool is_local(const struct address *addr, void *userdata)
{
	const struct plant *plant = userdata;

	return locals_has(plant->locals, addr);
}

static int open_databases(struct plant *plant, struct fdstore *store)
{
	struct sadb_parts parts = { .is_local = is_local,
		.is_local_userdata = plant,
		.provider = (enum suite_choice)plant->settings->provider,
		.tunables = &plant->tunables,
		.release = plant_release,
		.lost = plant_lost,
		.packets_userdata = plant };
	CLEANUP(freep) char *state = NULL;
	int r = file_system_path(DATAPATH_STATE_DIR, &state);

	if (r == 0)
		r = rcu_new(&plant->rcu);
	if (r == 0)
		r = plant_arena_open(plant, store);
	if (r < 0)
		return r;
	plant->seqstore_error = seqstore_open(state, &plant->seqstore);
	if (plant->seqstore_error < 0)
		plant->seqstore = NULL; /* outbound SAs are refused then, with a reason */
	plant->sad = sad_new(plant->rcu);
	if (!plant->sad)
		return -ENOMEM;
	parts.sad = plant->sad;
	parts.arena = plant->arena;
	parts.seqstore = plant->seqstore;
	parts.no_udp = plant->natt_error < 0;
	parts.tunables = &plant->tunables;
	r = sadb_new(&parts, &plant->sadb);
	if (r < 0)
		return r;
	sadb_set_limit(plant->sadb, (size_t)plant->settings->sa_limit);
	return sadb_restore(plant->sadb);
}

static int open_devices(struct plant *plant, struct fdstore *store)
{
	CLEANUP(netlink_close) struct netlink route = { .fd = -1 };
	int r = netlink_open(NETLINK_ROUTE, 0, &route);

	if (r == 0)
		r = tun_open(
			plant->settings->interface, plant->settings->workers, false, &plant->host);
	if (r == 0)
		r = rtnl_link_quiet(&route, plant->host.ifindex);
	if (r == 0)
		r = rtnl_link_setup(&route, plant->host.ifindex, TUN_MTU);
	return r < 0 ? r : plant_tunnels_open(plant, store);
}

/* What nftables must know of the tunables. */
static int set_exceptions(struct plant *plant)
{
	const struct tunables *tunables = &plant->tunables;
	struct steer_tunables next = {
		.icmp_accept_clear = tunables_get(tunables, TUNABLE_ICMP_ACCEPT_CLEAR),
		.igmp_accept_clear = tunables_get(tunables, TUNABLE_IGMP_ACCEPT_CLEAR),
		.pim_accept_clear = tunables_get(tunables, TUNABLE_PIM_ACCEPT_CLEAR),
	};

	return steer_set_tunables(plant->steer, &next);
}

void plant_steer_options(
	const struct datapath_settings *settings, struct steer_options *ret_options)
{
	const struct passwd *ike = getpwnam(settings->ike_user);

	*ret_options = (struct steer_options){
		.interface = settings->interface,
		.route_table = (uint32_t)settings->route_table,
		.rule_priority = (uint32_t)settings->rule_priority,
		.uids = { geteuid() },
		.n_uids = 1,
		.log_group = (uint16_t)settings->log_group,
		.owner_fd = -1,
	};
	if (ike && ike->pw_uid != ret_options->uids[0])
		ret_options->uids[ret_options->n_uids++] = ike->pw_uid;
}

static int tell_own_addresses(struct plant *plant)
{
	size_t count;
	const struct address *addresses = locals_list(plant->locals, &count);

	return steer_set_own(plant->steer, addresses, count);
}

static int open_steer(struct plant *plant, struct fdstore *store)
{
	struct steer_options options;
	bool kept;
	int r;

	plant_steer_options(plant->settings, &options);
	options.owner_fd = fdstore_take(store, FDSTORE_OWNER);
	kept = options.owner_fd >= 0;
	r = steer_new(&options, &plant->steer);
	if (r < 0)
		return r;
	if (!kept)
		fdstore_put(FDSTORE_OWNER, steer_owner_fd(plant->steer));
	/* Without it drops are counted all the same. */
	if (options.log_group && nflog_open(options.log_group, &plant->nflog) < 0)
		plant->nflog.fd = -1;
	r = set_exceptions(plant);
	return r < 0 ? r : steer_present(plant->steer, &plant->was_lidded);
}

/* Somebody else may have the port: then SAs that ask for UDP are refused, and all else works. */
static int open_natt(struct plant *plant, struct fdstore *store)
{
	static const char *const names[] = { FDSTORE_NATT_4, FDSTORE_NATT_6 };
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int kept[2], r;
	bool was_kept[2];

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		kept[i] = fdstore_take(store, names[i]);
		was_kept[i] = kept[i] >= 0;
	}
	r = wire_open_natt(&plant->wire, kept);
	for (size_t i = 0; i < ARRAY_SIZE(kept) && r == 0; i++)
		if (!was_kept[i] && wire_natt_fd(&plant->wire, families[i]) >= 0)
			fdstore_put(names[i], wire_natt_fd(&plant->wire, families[i]));
	return r;
}

static int open_counters(struct plant *plant, struct fdstore *store)
{
	int fd = fdstore_take(store, FDSTORE_COUNTERS);
	bool is_new, kept = fd >= 0;
	int r = counter_store_open(fd, &plant->counters, &is_new);

	if (kept && is_new)
		fdstore_drop(FDSTORE_COUNTERS);
	if (r == 0 && is_new)
		fdstore_put(FDSTORE_COUNTERS, plant->counters.fd);
	return r;
}

/* Nothing is known of policy yet: without a table of tunnels the engine lets nothing into them. */
static int open_view(struct plant *plant)
{
	struct engine_view_parts parts = { .sad = plant->sad };
	struct engine_view *view = NULL;
	int r = engine_view_new(&parts, &view);

	if (r == 0)
		rcu_publish(&plant->view, view);
	return r;
}

static unsigned int usable_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (unsigned int)CPU_COUNT(&cpus) : 1;
}

int plant_open(const struct datapath_settings *settings, struct fdstore *store,
	struct plant **ret_plant, const char **ret_fault)
{
	CLEANUP(plant_freep) struct plant *plant = calloc(1, sizeof(*plant));
	int r;

	*ret_fault = "memory";
	if (!plant)
		return -ENOMEM;
	plant->settings = settings;
	plant->wire = (struct wire){ .out4 = -1, .out6 = -1 };
	plant->nflog.fd = plant->ways.notices.fd = -1;
	plant->counters.fd = plant->wake_fd = plant->drops_fd = -1;
	budget_init(&plant->budget, usable_cpus());
	plant->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	plant->drops_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (plant->wake_fd < 0 || plant->drops_fd < 0)
		return -errno;
	tunables_init(&plant->tunables);
	for (size_t i = 0; i < TUNABLE_COUNT; i++) /* checked when they were read */
		(void)!plant_set_tunable(plant, (enum tunable)i, settings->tunables[i]);
	r = drops_new(plant->drops_fd, settings->workers + 2, &plant->drops);
	if (r < 0)
		return r;
	*ret_fault = "interface addresses";
	r = locals_new(&plant->locals);
	if (r < 0)
		return r;
	*ret_fault = "nftables";
	r = open_steer(plant, store);
	if (r == 0)
		r = tell_own_addresses(plant);
	if (r < 0)
		return r;
	*ret_fault = "the TUN interface";
	r = open_devices(plant, store);
	if (r < 0)
		return r;
	*ret_fault = "routing rules";
	r = plant_ways_open(plant);
	if (r < 0)
		return r;
	plant->paths = path_table_new(settings->path_mtu_age);
	if (!plant->paths)
		return -ENOMEM;
	*ret_fault = "raw sockets";
	r = wire_open(true, &plant->wire);
	if (r < 0)
		return r;
	plant_devices_tell_wire(plant);
	plant->natt_error = open_natt(plant, store);
	*ret_fault = "the SA database";
	r = open_databases(plant, store);
	if (r == 0)
		r = plant_groups_open(plant);
	if (r == 0)
		r = open_counters(plant, store);
	if (r == 0)
		r = open_view(plant);
	if (r == 0)
		r = plant_follow_links(plant);
	if (r < 0)
		return r;
	*ret_plant = STEAL(plant);
	return 0;
}

static void stop_workers(struct plant *plant)
{
	for (size_t i = 0; i < plant->n_workers; i++)
		plant->workers[i] = worker_stop(plant->workers[i]);
	plant->n_workers = 0;
	plant->lane = control_lane_free(plant->lane);
}

struct plant *plant_free(struct plant *plant)
{
	if (!plant)
		return NULL;
	stop_workers(plant);
	engine_view_free(rcu_read(&plant->view));
	plant_groups_close(plant);
	sadb_free(plant->sadb);
	sad_free(plant->sad);
	rcu_free(plant->rcu);
	plant_tunnels_close(plant);
	plant_annex_done(&plant->annex);
	seqstore_free(plant->seqstore);
	arena_free(plant->arena);
	wire_close(&plant->wire);
	tun_close(&plant->host);
	path_table_free(plant->paths);
	netlink_close(&plant->nflog);
	steer_ways_close(&plant->ways);
	steer_free(plant->steer);
	counter_store_close(&plant->counters);
	locals_free(plant->locals);
	drops_free(plant->drops);
	fd_closep(&plant->drops_fd);
	fd_closep(&plant->wake_fd);
	free(plant);
	return NULL;
}

int plant_start(struct plant *plant)
{
	struct worker_setup setup = {
		.rcu = plant->rcu,
		.view = &plant->view,
		.wire = &plant->wire,
		.host = &plant->host,
		.tunnels = plant->tunnels.tuns,
		.fragments = plant->tunnels.fragments,
		.paths = plant->paths,
		.tunables = &plant->tunables,
		.path_mtu = &plant->path_mtu,
		.sync = &plant->sync,
		.budget = &plant->budget,
		.wake_fd = plant->wake_fd,
	};
	int r;

	setup.index = SAD_CONTROL_WORKER;
	setup.counters = counter_store_of(&plant->counters, SAD_CONTROL_WORKER);
	setup.drops = drops_ring_of(plant->drops, plant->settings->workers);
	setup.sadb = plant->sadb;
	r = control_lane_new(&setup, &plant->lane);
	setup.sadb = NULL;
	if (r < 0)
		return r;
	for (size_t i = 0; i < plant->settings->workers; i++) {
		setup.index = (unsigned int)i;
		setup.counters = counter_store_of(&plant->counters, i);
		setup.drops = drops_ring_of(plant->drops, i);
		r = worker_start(&setup, &plant->workers[i]);
		if (r < 0)
			return r;
		plant->n_workers++;
	}
	return 0;
}

void plant_set_execution(struct plant *plant, const struct alg_execution *execution)
{
	uint32_t sync = (execution->ah_async ? 0 : ENGINE_SYNC_AH) |
			(execution->esp_async ? 0 : ENGINE_SYNC_ESP);

	atomic_store_explicit(&plant->sync, sync, memory_order_relaxed);
	budget_set(&plant->budget, execution->cpu_percent);
}

static void free_view(void *view)
{
	engine_view_free(view);
}

/* Each once in a life: who reads the journal then knows what stands in for it. */
static void tell_lacks(struct plant *plant)
{
	static const char *const texts[] = {
		"tables go with their owner, so there are two of them (Linux before 6.9)",
		"nothing matches sockets, so ESP in UDP comes in by a bypass rule only",
		"nothing can be logged, so drops are counted only",
	};
	unsigned int news = steer_lacks(plant->steer) & ~plant->told_lacks;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (news & 1U << i)
			log_info("nftables of this kernel: %s", texts[i]);
	plant->told_lacks |= news;
}

static int replace_view(struct plant *plant, const struct engine_view_parts *parts,
	const struct tunnel_table *dense, bool load)
{
	struct engine_view *former = rcu_read(&plant->view), *next = NULL;
	bool same = parts->spd && parts->spd == former->spd;
	int r = engine_view_new(parts, &next);

	if (r < 0) {
		if (!same)
			(void)spd_free(parts->spd);
		return r;
	}
	former->lent = same;
	atomic_store_explicit(
		&next->settling, parts->spd != NULL || former->spd != NULL, memory_order_relaxed);
	rcu_publish(&plant->view, next);
	if (load)
		r = steer_load(plant->steer, parts->spd, dense);
	tell_lacks(plant);
	/* The kernel keeps the former lines then, so the engine goes back to the former rules. */
	if (r < 0) {
		former->lent = false;
		next->lent = same;
		rcu_publish(&plant->view, former);
	}
	plant->enforced_usec = clock_boot_usec();
	/* Without memory one version is lost, nothing else. */
	if (rcu_defer(plant->rcu, free_view, r < 0 ? next : former) < 0)
		rcu_barrier(plant->rcu);
	return r;
}

int plant_enforce(struct plant *plant, struct spd *spd, uint64_t generation)
{
	struct engine_view_parts parts = { .tunnels = plant->tunnels.slots,
		.sad = plant->sad,
		.generation = generation,
		.former = rcu_read(&plant->view) };
	bool has_section = spd != NULL;
	int r = plant_annex_join(&plant->annex, spd, &parts.spd);

	if (r == 0)
		r = replace_view(plant, &parts, &plant->tunnels.list->table, true);
	if (r == 0) {
		plant->loaded = true;
		plant->annex.has_section = has_section;
		plant->annex.joined = plant->annex.n > 0;
	}
	return r;
}

int plant_enforce_tunnels(
	struct plant *plant, const struct tunnel_table *slots, const struct tunnel_table *dense)
{
	const struct engine_view *former = rcu_read(&plant->view);
	struct engine_view_parts parts = { .spd = former->spd,
		/* Before a policy is known nothing goes into tunnels. */
		.tunnels = former->tunnels ? slots : NULL,
		.sad = plant->sad,
		.generation = former->generation,
		.former = former };

	/* The lid of a former life knows the tunnels of that life, and stays shut until a policy comes. */
	return replace_view(plant, &parts, dense, !plant_holds_lid(plant));
}

static void send_keep_alive(const struct sad_entry *entry, void *userdata)
{
	const struct plant *plant = userdata;
	const struct sa *sa = entry->sa;
	struct wire_path path = {
		.src = sa->src,
		.dst = sa->dst,
		.src_port = esp_local_port(sa),
		.dst_port = esp_peer_port(sa, entry->run),
	};

	/* No route at the moment: the next one may find it. */
	(void)!wire_keep_alive(&plant->wire, &path);
}

static void send_dummy(struct sad_entry *entry, void *userdata)
{
	struct plant *plant = userdata;

	control_lane_dummy(plant->lane, entry);
}

void plant_tick(struct plant *plant)
{
	uint64_t alive_usec = tunables_get(&plant->tunables, TUNABLE_ESP_NAT_KEEPALIVE) *
			      USEC_PER_SEC;
	struct engine_view *view = rcu_read(&plant->view);

	sadb_tick(plant->sadb);
	plant_groups_tick(plant);
	if (alive_usec > 0)
		sadb_keep_alive(plant->sadb, alive_usec, send_keep_alive, plant);
	if (plant->lane)
		sadb_break_silence(plant->sadb, send_dummy, plant);
	(void)rcu_poll(plant->rcu); /* what is not ripe waits for the next tick */
	if (clock_boot_usec() - plant->enforced_usec > SETTLING_USEC)
		atomic_store_explicit(&view->settling, false, memory_order_relaxed);
}

const struct engine_view *plant_view(const struct plant *plant)
{
	return rcu_read(&plant->view);
}

bool plant_holds_lid(const struct plant *plant)
{
	return plant->was_lidded && !plant->loaded;
}

static bool hear(struct plant *plant, struct mailbox *box)
{
	struct sadb_acquire acquire;

	while (mailbox_take_acquire(box, &acquire)) {
		/* The worker's copy carries an id: the rule is that in force by now. */
		acquire.rule = plant_find_rule(plant, acquire.rule_id);
		if (acquire.packet && acquire.packet->inbound)
			sadb_hold(plant->sadb, &acquire);
		else if (acquire.rule)
			sadb_need(plant->sadb, &acquire);
		else
			sadb_drop_packet(plant->sadb, &acquire);
	}
	return mailbox_take_events(box);
}

bool plant_hear(struct plant *plant)
{
	uint64_t wakes;
	bool events = false;

	if (read(plant->wake_fd, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
		return false;
	for (size_t i = 0; i < plant->n_workers; i++) {
		control_lane_run(plant->lane, worker_handover(plant->workers[i]));
		if (hear(plant, worker_mailbox(plant->workers[i])))
			events = true;
	}
	if (plant->lane && hear(plant, control_lane_mailbox(plant->lane)))
		events = true;
	return events;
}

bool plant_is_broken(const struct plant *plant)
{
	for (size_t i = 0; i < plant->n_workers; i++)
		if (mailbox_is_broken(worker_mailbox(plant->workers[i])))
			return true;
	return false;
}

int plant_follow_links(struct plant *plant)
{
	uint32_t mtu = (uint32_t)plant->settings->path_mtu;
	uint64_t before = locals_version(plant->locals);
	int r = locals_refresh(plant->locals);

	if (r == 0 && locals_version(plant->locals) != before)
		r = tell_own_addresses(plant);

	if (r < 0)
		return r;
	atomic_store_explicit(&plant->path_mtu, mtu ? mtu : locals_smallest_mtu(plant->locals),
		memory_order_relaxed);
	return 0;
}

static void add_count(const struct steer_count *count, void *userdata)
{
	static const enum verdict verdicts[][2] = {
		[STEER_ACCEPT] = { VERDICT_IN_CLEAR, VERDICT_OUT_BYPASSED },
		[STEER_DROP] = { VERDICT_SPD_EXPLICIT, VERDICT_SPD_EXPLICIT },
		[STEER_PROTECT] = { VERDICT_SPD_GOT_CLEAR, VERDICT_OUT_PROTECTED },
		[STEER_GOT_CLEAR] = { VERDICT_SPD_GOT_CLEAR, VERDICT_SPD_GOT_CLEAR },
		[STEER_MISMATCH] = { VERDICT_SPD_LOOPBACK_MISMATCH, VERDICT_SPD_LOOPBACK_MISMATCH },
		[STEER_GOT_SECURE] = { VERDICT_SPD_GOT_SECURE, VERDICT_SPD_GOT_SECURE },
	};
	uint64_t *packets = userdata;

	if (count->verdict == STEER_PASS || count->verdict == STEER_AUDIT)
		return; /* it passed, as packets do of which no rule knows */
	packets[verdicts[count->verdict][count->outbound]] += count->packets;
}

int plant_counters(struct plant *plant, uint64_t ret_packets[static VERDICT_COUNT])
{
	memset(ret_packets, 0, VERDICT_COUNT * sizeof(*ret_packets));
	for (size_t i = 0; i < SAD_MAX_WORKERS; i++) {
		const struct counters *counters = counter_store_of(&plant->counters, i);

		for (size_t k = 0; k < VERDICT_COUNT; k++)
			ret_packets[k] += atomic_load_explicit(
				&counters->packets[k], memory_order_relaxed);
	}
	return steer_counters(plant->steer, add_count, ret_packets);
}

int plant_set_tunable(struct plant *plant, enum tunable which, uint64_t value)
{
	int r = tunables_set(&plant->tunables, which, value);

	return r == 0 && plant->steer ? set_exceptions(plant) : r;
}

int plant_settle(struct plant *plant)
{
	stop_workers(plant);
	return sadb_settle(plant->sadb);
}
