/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole engine. From the wire, where an SA stands ready for whatever SPI and destination the
 * input names: nothing without a good ICV goes anywhere, and each packet is counted as dropped for
 * one reason with a name. Into a tunnel over a short path: an ICMP error is sound, short, from the
 * packet's destination to its source, and never about an error.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/model/algorithm.h"
#include "services/datapath/engine/engine.h"

#define PATH_MTU 700
#define ROOM	 (PACKET_HEADROOM + PACKET_MAX_LEN + 40 + PACKET_TAILROOM)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool promise)
{
	if (!promise)
		abort();
}

struct world {
	struct rcu *rcu;
	unsigned int slot;
	struct sad *sad;
	struct tunnel_table tunnels;
	RCU_POINTER(struct engine_view) view;
	struct counters counters;
	struct frag_store *store;
	struct engine *engine;
	uint8_t *buffer;
};

static void add_sa(struct world *world, const struct sa *like)
{
	struct sad_entry *entry = sad_entry_new();
	uint8_t key[20] = { 1 };

	require(entry != NULL);
	entry->sa = sa_copy(like);
	require(entry->sa != NULL);
	entry->sa->state = SA_MATURE;
	entry->sa->encr = ALG_ENCR_AES_GCM16;
	entry->sa->encr_key_bits = 128;
	entry->sa->salt_bits = 32;
	require(secret_new(key, sizeof(key), &entry->sa->encr_key) == 0);
	require(suite_of(entry->sa, &entry->suite) == 0);
	entry->run = calloc(1, sizeof(*entry->run) + 8);
	require(entry->run != NULL);
	entry->run->window = 64;
	entry->run->seq_reserved = UINT64_MAX;
	entry->run->state = SA_MATURE;
	entry->directions = SA_INBOUND | SA_OUTBOUND;
	require(sad_insert(world->sad, entry) == 0);
}

static bool free_run(struct sad_entry *entry, void *userdata)
{
	(void)userdata;
	free(entry->run);
	return true;
}

static void add_tunnel(struct world *world)
{
	struct tunnel *tunnel = &world->tunnels.tunnels[world->tunnels.count++];

	require(text_copy(tunnel->name, sizeof(tunnel->name), "vpn0") == 0);
	require(address_parse("192.0.2.1", &tunnel->src) == 0);
	require(address_parse("192.0.2.2", &tunnel->dst) == 0);
}

static struct rule *make_rule(const char *tunnel)
{
	struct rule *rule = rule_new(1);

	require(rule && text_copy(rule->tunnel, sizeof(rule->tunnel), tunnel) == 0);
	rule->negotiate = tunnel[0] != '\0' ? TUNNEL_TUNNEL : TUNNEL_NONE;
	rule->directions = DIRECTION_BIT_BOTH;
	rule->order = tunnel[0] != '\0' ? 1 : 2;
	rule->actions[0] = (struct action){ .kind = ACTION_PROTECT,
		.has_esp = true,
		.esp = { .number = ALG_ENCR_AES_GCM16, .max_bits = UINT16_MAX } };
	return rule;
}

static void begin(struct world *world)
{
	struct rule *rules[2] = { make_rule("vpn0"), make_rule("") };
	struct engine_view_parts parts = { .tunnels = &world->tunnels, .generation = 1 };
	struct engine_setup setup = { .view = &world->view,
		.counters = &world->counters,
		.path_mtu = PATH_MTU,
		.fragments = &world->store };
	struct engine_view *view;

	memset(world, 0, sizeof(*world));
	require(rcu_new(&world->rcu) == 0 && rcu_register(world->rcu, &world->slot) == 0);
	parts.sad = world->sad = sad_new(world->rcu);
	world->store = frag_store_new();
	world->buffer = malloc(ROOM);
	require(world->sad && world->store && world->buffer);
	add_tunnel(world);
	require(spd_new(rules, 2, SPD_FIRST_MATCH, &parts.spd) == 0);
	require(engine_view_new(&parts, &view) == 0);
	rcu_publish(&world->view, view);
	require(engine_new(&setup, &world->engine) == 0);
}

static void end(struct world *world)
{
	(void)engine_free(world->engine);
	(void)engine_view_free(rcu_read(&world->view));
	sad_each(world->sad, free_run, NULL);
	rcu_unregister(world->rcu, world->slot);
	(void)sad_free(world->sad);
	(void)rcu_free(world->rcu);
	(void)frag_store_free(world->store);
	free(world->buffer);
}

static void put(struct world *world, struct packet *pkt, const uint8_t *bytes, size_t len)
{
	packet_init(pkt, world->buffer, ROOM);
	require(packet_append(pkt, len) != NULL);
	memcpy(pkt->data, bytes, len);
}

static uint64_t counted(struct world *world)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < VERDICT_COUNT; i++)
		sum += atomic_load(&world->counters.packets[i]);
	return sum;
}

/* An SA for the packet at hand, so that it gets as far as its ICV. */
static void fit_sa(struct world *world, struct packet *pkt)
{
	struct packet_view view;
	struct sa sa = { .proto = SA_PROTO_ESP, .mode = SA_MODE_TRANSPORT };

	if (!packet_parse(pkt, &view) || view.total_len < esp_offset(&view) + ESP_HEADER)
		return;
	sa.spi = load_be32(pkt->data + esp_offset(&view));
	sa.dst = view.dst;
	sa.src = address_any(view.family);
	if (view.protocol == IPPROTO_UDP)
		sa.flags |= SA_FLAG_ENCAP;
	add_sa(world, &sa);
}

static void check_inbound(struct world *world, const uint8_t *bytes, size_t len)
{
	struct packet pkt, *pkts[1] = { &pkt };
	struct engine_result result;

	put(world, &pkt, bytes, len);
	fit_sa(world, &pkt);
	put(world, &pkt, bytes, len);
	engine_inbound(world->engine, pkts, 1, &result);
	require(result.exit == ENGINE_DROP && verdict_is_drop(result.verdict));
	require(strcmp(verdict_name(result.verdict), "unknown") != 0);
	require(counted(world) == 1 && atomic_load(&world->counters.packets[result.verdict]) == 1);
}

static void check_error(const struct packet *pkt, const struct packet_view *about)
{
	struct packet error = *pkt;
	struct packet_view view;
	const uint8_t *icmp;
	bool v4 = about->family == AF_INET;

	require(packet_parse(&error, &view) && view.family == about->family);
	require(view.total_len <= (v4 ? 576U : 1280U) && view.protocol == (v4 ? 1 : 58));
	require(address_equal(&view.src, &about->dst) && address_equal(&view.dst, &about->src));
	icmp = error.data + view.upper;
	require(icmp[0] == (v4 ? 3 : 2) && icmp[1] == (v4 ? 4 : 0));
	require(v4 ? load_be16(icmp + 6) >= 68 && load_be16(icmp + 6) <= PATH_MTU
		   : load_be32(icmp + 4) >= 1280);
	require(!v4 || packet_checksum(icmp, view.total_len - view.upper, 0) == 0);
}

/* Return: whether the packet is itself an ICMP error. */
static bool is_error(const struct packet *pkt, const struct packet_view *view)
{
	uint8_t type = view->upper < view->total_len ? pkt->data[view->upper] : 0;

	if (view->protocol == IPPROTO_ICMP && view->family == AF_INET)
		return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
	return view->protocol == IPPROTO_ICMPV6 && view->family == AF_INET6 && type < 128;
}

static void check_outbound(struct world *world, const uint8_t *bytes, size_t len)
{
	struct packet pkt, *pkts[1] = { &pkt };
	struct engine_result result;
	struct packet_view view = { 0 };
	struct sa sa = { .proto = SA_PROTO_ESP, .spi = 0x1001, .mode = SA_MODE_TUNNEL };
	bool sound, error;

	sa.src = world->tunnels.tunnels[0].src;
	sa.dst = world->tunnels.tunnels[0].dst;
	add_sa(world, &sa);
	put(world, &pkt, bytes, len);
	sound = packet_parse(&pkt, &view);
	error = sound && is_error(&pkt, &view);
	engine_outbound(world->engine, pkts, 1, 0, &result);
	require(sound || result.exit == ENGINE_DROP);
	if (result.exit == ENGINE_TO_SENDER) {
		require(!error);
		check_error(&pkt, &view);
	}
	do
		require(result.exit != ENGINE_TO_WIRE || result.fragment || pkt.len <= PATH_MTU);
	while (engine_follow(world->engine, &result, &pkt));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct world world;

	if (len > PACKET_MAX_LEN)
		return 0;
	begin(&world);
	check_inbound(&world, bytes, len);
	end(&world);
	begin(&world);
	check_outbound(&world, bytes, len);
	end(&world);
	return 0;
}
