/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign bytes as the payload of a datagram to port 4500, first octet: family, kind of SA, lies about
 * the length. Each ends in the one verdict that its first octets earn, none is accepted, moves a window or a
 * port. Taken as a TCP or UDP segment, a checksum that holds goes on to hold between other addresses.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/model/algorithm.h"
#include "services/datapath/engine/engine_internal.h"

#define INPUT_MAX 60000
#define SPI	  0x1001

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const uint8_t ends[2][2][16] = {
	{ { 192, 0, 2, 2 }, { 192, 0, 2, 1 } },
	{ { 0x20, 1, 0xd, 0xb8, [15] = 2 }, { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
};

static void require(bool promise)
{
	if (!promise)
		abort();
}

struct door {
	struct rcu *rcu;
	unsigned int slot;
	struct sad *sad;
	struct sa_run *runs[2];
	RCU_POINTER(struct engine_view) view;
	struct counters counters;
	struct engine *engine;
};

static struct sa_run *add_sa(
	struct door *door, const struct address *src, const struct address *dst, uint32_t spi)
{
	static const uint8_t key[20] = { 1, 2, 3 };
	struct sad_entry *entry = sad_entry_new();
	struct sa *sa = sa_new();

	require(entry && sa && secret_new(key, sizeof(key), &sa->encr_key) == 0);
	sa->proto = SA_PROTO_ESP;
	sa->spi = spi;
	sa->src = *src;
	sa->dst = *dst;
	sa->encr = ALG_ENCR_AES_GCM16;
	sa->encr_key_bits = 128;
	sa->salt_bits = 32;
	sa->flags = SA_FLAG_ENCAP;
	sa->state = SA_MATURE;
	sa->pair_spi = spi == SPI ? SPI + 1 : 0;
	entry->sa = sa;
	entry->directions = spi == SPI ? SA_INBOUND : SA_OUTBOUND;
	entry->run = calloc(1, sizeof(*entry->run) + SA_RUN_WINDOW_MAX / 8);
	require(entry->run && suite_of(sa, &entry->suite) == 0);
	entry->run->window = 64;
	atomic_store(&entry->run->state, SA_MATURE);
	require(sad_insert(door->sad, entry) == 0);
	return entry->run;
}

static void door_init(struct door *door, const struct address *src, const struct address *dst)
{
	struct engine_setup setup = { .view = &door->view, .counters = &door->counters };
	struct engine_view_parts parts = { .generation = 1 };
	struct engine_view *view;

	memset(door, 0, sizeof(*door));
	require(rcu_new(&door->rcu) == 0 && rcu_register(door->rcu, &door->slot) == 0);
	parts.sad = door->sad = sad_new(door->rcu);
	require(door->sad != NULL);
	door->runs[0] = add_sa(door, src, dst, SPI);
	door->runs[1] = add_sa(door, dst, src, SPI + 1);
	require(engine_view_new(&parts, &view) == 0);
	rcu_publish(&door->view, view);
	require(engine_new(&setup, &door->engine) == 0);
}

static void door_done(struct door *door)
{
	(void)engine_free(door->engine);
	(void)engine_view_free(rcu_read(&door->view));
	rcu_unregister(door->rcu, door->slot);
	(void)sad_free(door->sad);
	(void)rcu_free(door->rcu);
	free(door->runs[0]);
	free(door->runs[1]);
}

/* By RFC 3948 section 2.2, and the two of the lengths. */
static enum verdict expected(const uint8_t *payload, size_t len, uint16_t lie, bool decrypted)
{
	if (lie != 0)
		return VERDICT_SPD_MALFORMED_PACKET;
	if (len < 4)
		return VERDICT_ESP_NAT_T_KA;
	if (load_be32(payload) == 0)
		return VERDICT_ESP_NAT_T_IKE;
	if (decrypted)
		return VERDICT_ESP_NAT_T_IPSEC;
	if (len < ESP_HEADER || load_be32(payload) != SPI)
		return VERDICT_ESP_NO_SA;
	return VERDICT_IN_ACCEPTED; /* ESP's own business from here on */
}

static void arrive(uint8_t choice, const struct address *src, const struct address *dst,
	const uint8_t *payload, size_t len)
{
	uint16_t lie = choice & 2 ? (uint16_t)(1 + (choice >> 4)) : 0;
	size_t size = PACKET_HEADROOM + len + 8;
	uint8_t *buffer = malloc(size), *udp;
	struct packet_outer outer = { .src = src, .dst = dst, .protocol = IPPROTO_UDP };
	struct engine_result result;
	enum verdict want = expected(payload, len, lie, (choice & 4) != 0);
	struct packet pkt, *pkts[1] = { &pkt };
	static struct door door;

	require(buffer != NULL);
	door_init(&door, src, dst);
	packet_init(&pkt, buffer, size);
	pkt.decrypted = (choice & 4) != 0;
	udp = packet_append(&pkt, len + 8);
	require(udp && packet_push(&pkt, packet_outer_len(dst)));
	store_be16(udp, 40000);
	store_be16(udp + 2, ESP_NATT_PORT);
	store_be16(udp + 4, (uint16_t)(len + 8 + lie));
	store_be16(udp + 6, 0);
	memcpy(udp + 8, payload, len);
	packet_write_outer(pkt.data, &outer);
	packet_set_length(&pkt);
	engine_inbound(door.engine, pkts, 1, &result);
	require(result.exit == ENGINE_DROP);
	require(want == VERDICT_IN_ACCEPTED ? result.verdict != VERDICT_IN_ACCEPTED
					    : result.verdict == want);
	require(door.runs[0]->top == 0 && atomic_load(&door.runs[0]->packets) == 0);
	require(atomic_load(&door.runs[1]->peer_port) == 0);
	door_done(&door);
	free(buffer);
}

static uint16_t sum_of(const struct packet *pkt, const struct packet_view *view,
	const struct address *src, const struct address *dst)
{
	size_t n = address_len(src->family), len = view->total_len - view->upper;
	uint8_t pseudo[40] = { 0 };

	memcpy(pseudo, src->bytes, n);
	memcpy(pseudo + n, dst->bytes, n);
	store_be32(pseudo + 2 * n, (uint32_t)len);
	pseudo[2 * n + 7] = view->protocol;
	return packet_checksum(
		pkt->data + view->upper, len, (uint16_t)~packet_checksum(pseudo, 2 * n + 8, 0));
}

/* The bytes as a segment between the first two addresses, in a header with the second two. */
static void translate(uint8_t protocol, const struct address *src, const struct address *dst,
	const uint8_t *segment, size_t len)
{
	struct address made_src = *src, made_dst = *dst;
	struct packet_outer outer = { .src = src, .dst = dst, .protocol = protocol };
	size_t size = PACKET_HEADROOM + len, at = protocol == IPPROTO_TCP ? 16 : 6;
	uint8_t *buffer = malloc(size);
	struct packet_view view;
	struct packet pkt;
	uint16_t sum;

	require(buffer != NULL);
	made_src.bytes[3] ^= 0x55;
	made_dst.bytes[2] ^= len & 0xff;
	packet_init(&pkt, buffer, size);
	require(packet_append(&pkt, len) && packet_push(&pkt, packet_outer_len(dst)));
	memcpy(pkt.data + pkt.len - len, segment, len);
	packet_write_outer(pkt.data, &outer);
	packet_set_length(&pkt);
	require(packet_parse(&pkt, &view));
	if (len >= at + 2) {
		store_be16(pkt.data + view.upper + at, 0);
		sum = sum_of(&pkt, &view, &made_src, &made_dst);
		store_be16(pkt.data + view.upper + at, sum == 0 ? 0xffff : sum);
	}
	packet_move_checksum(&pkt, &view, &made_src, &made_dst);
	require(len < at + 2 || sum_of(&pkt, &view, src, dst) == 0);
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct address src, dst;
	bool ipv6;

	if (len < 1 || len > INPUT_MAX)
		return 0;
	ipv6 = (bytes[0] & 1) != 0;
	src = ipv6 ? address_v6(ends[1][0]) : address_v4(ends[0][0]);
	dst = ipv6 ? address_v6(ends[1][1]) : address_v4(ends[0][1]);
	arrive(bytes[0], &src, &dst, bytes + 1, len - 1);
	translate(bytes[0] & 8 ? IPPROTO_TCP : IPPROTO_UDP, &src, &dst, bytes + 1, len - 1);
	return 0;
}
