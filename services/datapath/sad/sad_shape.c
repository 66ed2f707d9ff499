/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shapes of outbound SAs: which fields they name, see sad_parts.h. */
#include <string.h>

#include "services/datapath/sad/sad_parts.h"

#define NAMES_NOTHING UINT64_C(0)
#define SHAPE_GIVEN   0x01U /* set in all others */
#define SHAPE_TUNNEL  0x02U
#define SHAPE_SOURCE  0x04U
#define SHAPE_PROTO   0x08U
#define SHAPE_SPORT   0x10U
#define SHAPE_DPORT   0x20U
#define SHAPE_INNER6  0x40U
#define SHAPE_INNER   0x80U
#define SRC_BITS_AT   8
#define DST_BITS_AT   16

/* What is hashed: fields that the shape does not name are zero. */
struct named {
	uint64_t code;
	uint8_t dst[16], src[16], inner_src[16], inner_dst[16];
	uint16_t src_port, dst_port;
	uint8_t proto, protocol, family, zero;
};

static bool is_tunnel(uint64_t code)
{
	return code & SHAPE_TUNNEL;
}

static uint64_t code_of(const struct sa *sa)
{
	bool tunnel = sa->mode == SA_MODE_TUNNEL;
	uint64_t code = SHAPE_GIVEN;

	if (!address_is_unspecified(&sa->src))
		code |= SHAPE_SOURCE;
	if (tunnel ? sa->inner_protocol : sa->protocol)
		code |= SHAPE_PROTO;
	if (tunnel ? sa->inner_src_port : sa->src_port)
		code |= SHAPE_SPORT;
	if (tunnel ? sa->inner_dst_port : sa->dst_port)
		code |= SHAPE_DPORT;
	if (!tunnel)
		return code;
	code |= SHAPE_TUNNEL;
	if (sa->inner_src.addr.family == AF_UNSPEC || sa->inner_dst.addr.family == AF_UNSPEC)
		return code;
	if (sa->inner_src.addr.family == AF_INET6)
		code |= SHAPE_INNER6;
	return code | SHAPE_INNER | (uint64_t)sa->inner_src.bits << SRC_BITS_AT |
	       (uint64_t)sa->inner_dst.bits << DST_BITS_AT;
}

uint64_t sad_shape_take(struct sad *sad, const struct sa *sa)
{
	struct sad_shapes *shapes = &sad->shapes;
	uint64_t code = code_of(sa);
	size_t n = atomic_load_explicit(&shapes->n, memory_order_relaxed), room = n;

	for (size_t i = 0; i < n; i++) {
		uint64_t at = atomic_load_explicit(&shapes->codes[i], memory_order_relaxed);

		if (at == code) {
			shapes->counts[i]++;
			return code;
		}
		if (at == SAD_SHAPE_FREE)
			room = i;
	}
	/* The last place is kept for those that find none. */
	if (room >= SAD_MAX_SHAPES - 1 && code != NAMES_NOTHING) {
		atomic_store_explicit(
			&shapes->codes[SAD_MAX_SHAPES - 1], NAMES_NOTHING, memory_order_release);
		atomic_store_explicit(&shapes->n, SAD_MAX_SHAPES, memory_order_release);
		return NAMES_NOTHING;
	}
	shapes->counts[room] = 1;
	atomic_store_explicit(&shapes->codes[room], code, memory_order_release);
	if (room == n)
		atomic_store_explicit(&shapes->n, n + 1, memory_order_release);
	return code;
}

void sad_shape_drop(struct sad *sad, uint64_t code)
{
	struct sad_shapes *shapes = &sad->shapes;
	size_t n = atomic_load_explicit(&shapes->n, memory_order_relaxed);

	if (code == NAMES_NOTHING)
		return;
	for (size_t i = 0; i < n; i++) {
		if (atomic_load_explicit(&shapes->codes[i], memory_order_relaxed) != code)
			continue;
		if (--shapes->counts[i] == 0)
			atomic_store_explicit(
				&shapes->codes[i], SAD_SHAPE_FREE, memory_order_release);
		break;
	}
	while (n > 0 &&
		atomic_load_explicit(&shapes->codes[n - 1], memory_order_relaxed) == SAD_SHAPE_FREE)
		n--;
	atomic_store_explicit(&shapes->n, n, memory_order_release);
}

static uint64_t hash(const struct sad *sad, const struct named *named)
{
	return hash_keyed(&sad->hash_key, named, sizeof(*named));
}

static void begin(
	struct named *named, uint64_t code, enum sa_proto proto, const struct address *dst)
{
	memset(named, 0, sizeof(*named));
	named->code = code;
	named->proto = (uint8_t)proto;
	named->family = dst->family;
	memcpy(named->dst, dst->bytes, sizeof(named->dst));
}

uint64_t sad_shape_hash(const struct sad *sad, uint64_t code, const struct sa *sa)
{
	struct named named;

	begin(&named, code, sa->proto, &sa->dst);
	if (code & SHAPE_SOURCE)
		memcpy(named.src, sa->src.bytes, sizeof(named.src));
	if (code & SHAPE_PROTO)
		named.protocol = is_tunnel(code) ? sa->inner_protocol : sa->protocol;
	if (code & SHAPE_SPORT)
		named.src_port = is_tunnel(code) ? sa->inner_src_port : sa->src_port;
	if (code & SHAPE_DPORT)
		named.dst_port = is_tunnel(code) ? sa->inner_dst_port : sa->dst_port;
	if (code & SHAPE_INNER) {
		memcpy(named.inner_src, sa->inner_src.addr.bytes, sizeof(named.inner_src));
		memcpy(named.inner_dst, sa->inner_dst.addr.bytes, sizeof(named.inner_dst));
	}
	return hash(sad, &named);
}

static bool put_inner(struct named *named, uint64_t code, const struct flow *flow)
{
	struct prefix src, dst;

	if ((flow->local.family == AF_INET6) != ((code & SHAPE_INNER6) != 0) ||
		prefix_make(&flow->local, (uint8_t)(code >> SRC_BITS_AT), &src) < 0 ||
		prefix_make(&flow->remote, (uint8_t)(code >> DST_BITS_AT), &dst) < 0)
		return false;
	memcpy(named->inner_src, src.addr.bytes, sizeof(named->inner_src));
	memcpy(named->inner_dst, dst.addr.bytes, sizeof(named->inner_dst));
	return true;
}

bool sad_shape_probe(
	const struct sad *sad, uint64_t code, const struct sad_query *query, uint64_t *ret_hash)
{
	const struct flow *flow = query->flow;
	struct named named;

	if (code == SAD_SHAPE_FREE)
		return false;
	begin(&named, code, query->proto, &query->dst);
	if (code == NAMES_NOTHING) {
		*ret_hash = hash(sad, &named);
		return true;
	}
	if (is_tunnel(code) != (query->mode == SA_MODE_TUNNEL) ||
		(code & (SHAPE_SPORT | SHAPE_DPORT) && !flow->has_ports))
		return false;
	if (code & SHAPE_SOURCE)
		memcpy(named.src, query->src.bytes, sizeof(named.src));
	if (code & SHAPE_PROTO)
		named.protocol = flow->protocol;
	if (code & SHAPE_SPORT)
		named.src_port = flow->local_port;
	if (code & SHAPE_DPORT)
		named.dst_port = flow->remote_port;
	if (code & SHAPE_INNER && !put_inner(&named, code, flow))
		return false;
	*ret_hash = hash(sad, &named);
	return true;
}
