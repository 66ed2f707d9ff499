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

/* What is hashed: fields that the shape does not name are NULL or zero. */
struct named {
	uint64_t code;
	const struct address *dst, *src, *inner_src, *inner_dst;
	uint16_t src_port, dst_port;
	uint8_t proto, protocol;
};

/* In words, and of IPv4 addresses only what they have. */
#define NAMED_WORDS 10U

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

/* Two addresses of one family; one that is not named is zeros. */
static size_t put_pair(
	uint64_t *words, uint8_t family, const struct address *a, const struct address *b)
{
	size_t bytes = family == AF_INET ? 4 : 16;
	uint8_t *at = (uint8_t *)words;

	memset(at, 0, 2 * bytes);
	memcpy(at, a->bytes, bytes);
	if (b)
		memcpy(at + bytes, b->bytes, bytes);
	return 2 * bytes / sizeof(*words);
}

static uint64_t hash(const struct sad *sad, const struct named *named)
{
	uint64_t words[NAMED_WORDS];
	size_t n = 2;

	words[0] = named->code;
	words[1] = named->proto | (uint64_t)named->protocol << 8 |
		   (uint64_t)named->dst->family << 16 | (uint64_t)named->src_port << 32 |
		   (uint64_t)named->dst_port << 48;
	n += put_pair(&words[n], named->dst->family, named->dst, named->src);
	if (named->inner_src)
		n += put_pair(
			&words[n], named->inner_src->family, named->inner_src, named->inner_dst);
	return hash_keyed(&sad->hash_key, words, n * sizeof(*words));
}

uint64_t sad_shape_hash(const struct sad *sad, uint64_t code, const struct sa *sa)
{
	struct named named = { .code = code, .proto = (uint8_t)sa->proto, .dst = &sa->dst };

	if (code & SHAPE_SOURCE)
		named.src = &sa->src;
	if (code & SHAPE_PROTO)
		named.protocol = is_tunnel(code) ? sa->inner_protocol : sa->protocol;
	if (code & SHAPE_SPORT)
		named.src_port = is_tunnel(code) ? sa->inner_src_port : sa->src_port;
	if (code & SHAPE_DPORT)
		named.dst_port = is_tunnel(code) ? sa->inner_dst_port : sa->dst_port;
	if (code & SHAPE_INNER) {
		named.inner_src = &sa->inner_src.addr;
		named.inner_dst = &sa->inner_dst.addr;
	}
	return hash(sad, &named);
}

/* What a flow has where an SA has prefixes. */
static bool put_inner(
	struct named *named, uint64_t code, const struct flow *flow, struct prefix inner[static 2])
{
	if ((flow->local.family == AF_INET6) != ((code & SHAPE_INNER6) != 0) ||
		prefix_make(&flow->local, (uint8_t)(code >> SRC_BITS_AT), &inner[0]) < 0 ||
		prefix_make(&flow->remote, (uint8_t)(code >> DST_BITS_AT), &inner[1]) < 0)
		return false;
	named->inner_src = &inner[0].addr;
	named->inner_dst = &inner[1].addr;
	return true;
}

bool sad_shape_probe(
	const struct sad *sad, uint64_t code, const struct sad_query *query, uint32_t *ret_tag)
{
	const struct flow *flow = query->flow;
	struct named named = { .code = code, .proto = (uint8_t)query->proto, .dst = &query->dst };
	UNINITIALISED struct prefix inner[2];

	if (code == SAD_SHAPE_FREE)
		return false;
	if (code != NAMES_NOTHING) {
		if (is_tunnel(code) != (query->mode == SA_MODE_TUNNEL) ||
			(code & (SHAPE_SPORT | SHAPE_DPORT) && !flow->has_ports))
			return false;
		if (code & SHAPE_SOURCE)
			named.src = &query->src;
		if (code & SHAPE_PROTO)
			named.protocol = flow->protocol;
		if (code & SHAPE_SPORT)
			named.src_port = flow->local_port;
		if (code & SHAPE_DPORT)
			named.dst_port = flow->remote_port;
		if (code & SHAPE_INNER && !put_inner(&named, code, flow, inner))
			return false;
	}
	*ret_tag = sad_index_tag(hash(sad, &named));
	return true;
}
