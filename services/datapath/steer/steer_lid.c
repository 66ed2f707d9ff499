/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_lid.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "services/datapath/steer/nft_set.h"
#include "services/datapath/steer/steer_exempt.h"
#include "services/datapath/steer/steer_former.h"
#include "services/datapath/steer/steer_intra.h"

#define CHUNK_LEAST (96U << 10) /* fits the send buffer of an unprivileged user */
#define CHUNK_MOST  (1U << 20)

int lid_open(struct lid *lid, const char *table, uint32_t flags, int owner_fd)
{
	*lid = (struct lid){ .table = table, .flags = flags, .nl = { .fd = -1 } };
	if (owner_fd >= 0 && netlink_adopt(owner_fd, NETLINK_NETFILTER, &lid->nl) == 0)
		return 0;
	if (owner_fd >= 0)
		(void)close(owner_fd); /* it is of no use */
	return netlink_open(NETLINK_NETFILTER, 0, &lid->nl);
}

static int commit(struct nft_batch *batch, struct lid *lid)
{
	bool empty = batch->messages == 0;
	int r = nft_commit(batch, &lid->nl);

	if (r == 0 && !empty)
		lid->transactions++;
	return r;
}

/* The kernel charges a message for about twice its octets. */
static size_t chunk_of(struct lid *lid)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	if (lid->chunk)
		return lid->chunk;
	lid->chunk = CHUNK_LEAST;
	if (getsockopt(lid->nl.fd, SOL_SOCKET, SO_SNDBUF, &bytes, &len) == 0 &&
		(size_t)bytes / 4 > lid->chunk)
		lid->chunk = (size_t)bytes / 4 < CHUNK_MOST ? (size_t)bytes / 4 : CHUNK_MOST;
	return lid->chunk;
}

static int commit_when_full(struct nft_batch *batch, struct lid *lid)
{
	return batch->buf.len < chunk_of(lid) ? 0 : commit(batch, lid);
}

int lid_try(struct lid *lid)
{
	CLEANUP(nft_done) struct nft_batch batch;

	nft_begin(&batch, lid->table);
	nft_table_add(&batch, lid->flags);
	return commit(&batch, lid);
}

int lid_exists(struct lid *lid, bool *ret_exists)
{
	CLEANUP(former_done) struct former former = { 0 };
	int r = former_read(&lid->nl, lid->table, false, &former);

	*ret_exists = former.n_chains > 0;
	return r;
}

/* One program on its way into one table. */
struct loading {
	struct lid *lid;
	struct nft_batch *batch;
	struct former *former;
	struct former_count *wanted; /* named counters that the program uses; owned, sorted */
	size_t n_wanted;
};

static void loading_done(struct loading *loading)
{
	free(loading->wanted);
}

static int compare_names(const void *a, const void *b)
{
	const struct former_count *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* Names of the counters of lines in the list, sorted, each once. */
static int find_wanted(struct loading *loading, const struct steer_program *program)
{
	const struct steer_lines *sides[] = { &program->out, &program->in,
		&program->audit_out.lines, &program->audit_in.lines };
	const struct steer_plan *plans[] = { program->out_plan, program->in_plan,
		program->audit_out.plan, program->audit_in.plan };
	size_t n = 0, unique = 0, room = 2;
	struct former_count *wanted;

	for (size_t k = 0; k < ARRAY_SIZE(sides); k++)
		room += sides[k]->count - plans[k]->list_from;
	wanted = calloc(room, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	for (size_t k = 0; k < ARRAY_SIZE(sides); k++)
		for (size_t i = plans[k]->list_from; i < sides[k]->count; i++)
			if (steer_counter_name(&sides[k]->lines[i], k % 2 == 0, wanted[n].name)[0])
				n++;
	n += (size_t)(text_copy(wanted[n].name, STEER_COUNTER_MAX, STEER_COUNTER_MISMATCH) == 0);
	n += (size_t)(text_copy(wanted[n].name, STEER_COUNTER_MAX, STEER_COUNTER_GOT_SECURE) == 0);
	if (n)
		qsort(wanted, n, sizeof(*wanted), compare_names);
	for (size_t i = 0; i < n; i++)
		if (unique == 0 || strcmp(wanted[unique - 1].name, wanted[i].name) != 0)
			wanted[unique++] = wanted[i];
	loading->wanted = wanted;
	loading->n_wanted = unique;
	return 0;
}

/* What the kernel counted for a name so far; the first who asks goes on from it. */
static void take_count(
	struct loading *loading, const char *name, uint64_t *packets, uint64_t *bytes)
{
	struct former_count *count = former_find(
		loading->former->counted, loading->former->n_counted, name);

	if (!count || count->taken)
		return;
	count->taken = true;
	*packets = count->packets;
	*bytes = count->bytes;
}

static int add_counters(struct loading *loading)
{
	const struct former *former = loading->former;
	int r = 0;

	for (size_t i = 0; i < loading->n_wanted && r == 0; i++) {
		const char *name = loading->wanted[i].name;
		uint64_t packets = 0, bytes = 0;

		take_count(loading, name, &packets, &bytes);
		if (!former_find(former->named, former->n_named, name))
			nft_counter_add(loading->batch, name, packets, bytes);
		r = commit_when_full(loading->batch, loading->lid);
	}
	return r;
}

/* Counters of rules that are gone. */
static void drop_counters(struct loading *loading)
{
	const struct former *former = loading->former;
	int r = 0;

	for (size_t i = 0; i < former->n_named && r == 0; i++) {
		if (!former_find(loading->wanted, loading->n_wanted, former->named[i].name))
			nft_counter_delete(loading->batch, former->named[i].name);
		r = commit_when_full(loading->batch, loading->lid);
	}
	if (r == 0)
		r = commit(loading->batch, loading->lid);
	(void)r;
}

/* One side of a program: chains and maps have names that begin alike. */
struct side {
	const struct steer_lines *lines;
	const struct steer_plan *plan;
	const char *chain;
	const char *then; /* where packets go that no line knows; NULL: back */
	bool outbound;
};

static void name_part(char ret_name[static STEER_NAME_MAX], const char *chain, size_t number)
{
	if (text_fixed(ret_name, STEER_NAME_MAX, "%s-%zu", chain, number) < 0)
		ret_name[0] = '\0'; /* the kernel refuses it */
}

static int fill_map(struct loading *loading, const struct side *side,
	const struct steer_layer *layer, const char *map)
{
	const uint8_t *key = side->plan->keys + layer->keys_at;
	static const uint8_t no_end[STEER_KEY_MAX];
	struct nft_elements elements;
	int r = 0;

	nft_elements_begin(&elements, loading->batch, map);
	for (size_t i = 0; i < layer->count && r == 0; i++) {
		const struct steer_line *line =
			&side->lines->lines[side->plan->lines[layer->lines_at + i]];
		char name[STEER_COUNTER_MAX];
		struct nft_element element = { .key = key,
			.key_len = layer->key_len,
			.chain = steer_rules_target(line->verdict) };

		if (loading->lid->counts &&
			steer_counter_name(line, side->outbound, name)[0] != '\0') {
			element.name = name;
			take_count(loading, name, &element.packets, &element.bytes);
		}
		nft_elements_add(&elements, &element);
		key += layer->key_len;
		if (layer->ranges) {
			element = (struct nft_element){
				.key = key, .key_len = layer->key_len, .is_end = true
			};
			if (memcmp(key, no_end, layer->key_len) != 0)
				nft_elements_add(&elements, &element);
			key += layer->key_len;
		}
		if (loading->batch->buf.len < chunk_of(loading->lid))
			continue;
		nft_elements_end(&elements);
		r = commit(loading->batch, loading->lid);
	}
	nft_elements_end(&elements);
	return r;
}

static int add_layers(struct loading *loading, const struct side *side)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	char map[STEER_NAME_MAX];
	int r = 0;

	for (size_t i = 0; i < side->plan->n_layers && r == 0; i++) {
		const struct steer_layer *layer = &side->plan->layers[i];

		name_part(map, side->chain, i);
		nft_map_add(loading->batch,
			&(struct nft_map){ map, (uint32_t)layer->key_len, layer->ranges });
		r = fill_map(loading, side, layer, map);
	}
	/* The parts of a chain are made before it, so that it can be deleted before them. */
	for (size_t k = 0; k < ARRAY_SIZE(families) && r == 0; k++) {
		char part[STEER_NAME_MAX];

		name_part(part, side->chain, families[k]);
		nft_chain_add(loading->batch, part);
		for (size_t i = 0; i < side->plan->n_layers; i++) {
			if (side->plan->layers[i].family != families[k])
				continue;
			name_part(map, side->chain, i);
			steer_rules_layer(
				loading->batch, part, map, &side->plan->layers[i], side->outbound);
		}
	}
	return r;
}

static int add_side(struct loading *loading, const struct side *side)
{
	bool layered = side->plan->n_layers > 0;
	int r = layered ? add_layers(loading, side) : 0;

	if (r < 0)
		return r;
	nft_chain_add(loading->batch, side->chain);
	if (layered) {
		static const uint8_t families[] = { AF_INET, AF_INET6 };
		char part[STEER_NAME_MAX];

		for (size_t k = 0; k < ARRAY_SIZE(families); k++) {
			name_part(part, side->chain, families[k]);
			steer_rules_family(loading->batch, side->chain, families[k], part);
		}
	}
	for (size_t i = side->plan->list_from; i < side->lines->count && r == 0; i++) {
		steer_rules_line(loading->batch, side->chain, &side->lines->lines[i],
			side->outbound, loading->lid->counts);
		r = commit_when_full(loading->batch, loading->lid);
	}
	if (side->then)
		steer_rules_jump(loading->batch, side->chain, side->then);
	return r;
}

/* Behind the lines of a side those of the audit rules, if there are any. */
static int add_sides(
	struct loading *loading, const struct side *side, const struct steer_side *audit)
{
	char chain[STEER_NAME_MAX];
	struct side with = *side,
		    behind = { &audit->lines, audit->plan, chain, NULL, side->outbound };
	int r;

	if (audit->lines.count == 0)
		return add_side(loading, side);
	with.then = chain;
	r = text_fixed(chain, sizeof(chain), "%s-audit", side->chain);
	if (r == 0)
		r = add_side(loading, &behind);
	return r < 0 ? r : add_side(loading, &with);
}

static bool has_layers(const struct steer_program *program)
{
	return program->out_plan->n_layers || program->in_plan->n_layers;
}

static int add_intra(struct loading *loading, const struct steer_program *program,
	const struct steer_frame *frame)
{
	bool counts = loading->lid->counts;

	nft_chain_add(loading->batch, frame->intra_out_chain);
	steer_intra_out(loading->batch, frame->intra_out_chain, program, counts);
	nft_chain_add(loading->batch, frame->intra_in_chain);
	steer_intra_in(loading->batch, frame->intra_in_chain, program, counts);
	return commit_when_full(loading->batch, loading->lid);
}

/*
 * Maps and lines go where nothing leads to, in as many transactions as they take. The last one
 * changes only the rules of the hooked chains, which stay where they are: a packet sees all of the
 * old or all of the new, for the old stays whole until lid_load() retires it.
 */
static int fill(struct loading *loading, const struct steer_image *image)
{
	char out[STEER_NAME_MAX], in[STEER_NAME_MAX];
	char intra_out[STEER_NAME_MAX], intra_in[STEER_NAME_MAX];
	struct steer_frame frame = image->frame;
	const struct former *former = loading->former;
	const struct steer_program *program = image->program;
	int r = text_fixed(out, sizeof(out), OUT_PREFIX "%u", former->serial + 1);

	frame.out_chain = out;
	frame.in_chain = in;
	frame.delay = loading->lid->counts ? 0 : 1;
	if (r == 0)
		r = text_fixed(in, sizeof(in), IN_PREFIX "%u", former->serial + 1);
	if (r == 0)
		r = text_fixed(intra_out, sizeof(intra_out), "%s-lo", out);
	if (r == 0)
		r = text_fixed(intra_in, sizeof(intra_in), "%s-lo", in);
	if (r == 0)
		r = add_sides(loading,
			&(struct side){ &program->out, program->out_plan, out, NULL, true },
			&program->audit_out);
	if (r == 0)
		r = add_sides(loading,
			&(struct side){ &program->in, program->in_plan, in, NULL, false },
			&program->audit_in);
	if (r == 0 && !has_layers(program)) {
		frame.intra_out_chain = intra_out;
		frame.intra_in_chain = intra_in;
		r = add_intra(loading, program, &frame);
	}
	if (r == 0)
		r = commit(loading->batch, loading->lid);
	if (r < 0)
		return r;
	steer_rules_frame(loading->batch, &frame);
	return commit(loading->batch, loading->lid);
}

/*
 * Wait until no packet is inside the rules as they were. The kernel chooses a packet's rules when it
 * enters them, but looks its keys up in the maps as they are by then: were the old maps deleted at
 * once, a packet inside the old rules would find nothing in them and pass in clear. The barrier is a
 * grace period of RCU, under which every packet is judged. It cannot wait on some kernels (nohz_full)
 * and need not on one processor; there the pause stands in for it.
 */
static void await_packets_inside(void)
{
	static const struct timespec pause = { .tv_nsec = 20000000 };

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 ||
		sysconf(_SC_NPROCESSORS_ONLN) < 2)
		(void)nanosleep(&pause, NULL);
}

/* What nothing leads to any more. It holds nobody up, so what stays is no failure. */
static void retire(struct loading *loading)
{
	const struct former *former = loading->former;

	if (former->n_maps)
		await_packets_inside();
	for (size_t i = former->n_chains; i > 0; i--)
		nft_chain_delete(loading->batch, former->chains[i - 1]);
	for (size_t i = 0; i < former->n_maps; i++)
		nft_map_delete(loading->batch, former->maps[i]);
	drop_counters(loading);
}

int lid_load(struct lid *lid, const struct steer_image *image)
{
	CLEANUP(former_done) struct former former = { 0 };
	CLEANUP(nft_done) struct nft_batch batch;
	CLEANUP(loading_done) struct loading loading = {
		.lid = lid, .batch = &batch, .former = &former
	};
	int r;

	nft_begin(&batch, lid->table);
	r = former_read(&lid->nl, lid->table, lid->counts, &former);
	if (r == 0 && lid->counts)
		r = find_wanted(&loading, image->program);
	if (r < 0)
		return r;
	nft_table_add(&batch, lid->flags);
	steer_rules_targets(&batch, image->frame.log_group, lid->counts);
	steer_exempt_add(&batch, image->tunables);
	r = add_counters(&loading);
	if (r == 0)
		r = fill(&loading, image);
	if (r == 0)
		retire(&loading);
	return r;
}

int lid_exempt(struct lid *lid, const struct steer_tunables *tunables)
{
	CLEANUP(nft_done) struct nft_batch batch;

	nft_begin(&batch, lid->table);
	steer_exempt_add(&batch, tunables);
	return commit(&batch, lid);
}

int lid_counters(struct lid *lid, nft_counter_fn fn, void *userdata)
{
	CLEANUP(former_done) struct former former = { 0 };
	int r = former_read(&lid->nl, lid->table, true, &former);

	for (size_t i = 0; i < former.n_counted && r == 0; i++)
		r = fn(former.counted[i].name, former.counted[i].packets, former.counted[i].bytes,
			userdata);
	return r;
}
