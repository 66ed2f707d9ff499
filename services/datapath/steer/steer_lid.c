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
#include "services/datapath/steer/steer_about.h"
#include "services/datapath/steer/steer_exempt.h"
#include "services/datapath/steer/steer_former.h"
#include "services/datapath/steer/steer_intra.h"
#include "services/datapath/steer/steer_own_load.h"
#include "services/datapath/steer/steer_side.h"

int lid_open(struct lid *lid, const char *table, uint32_t flags, int owner_fd)
{
	*lid = (struct lid){ .table = table, .flags = flags, .nl = { .fd = -1 } };
	if (owner_fd >= 0 && netlink_adopt(owner_fd, NETLINK_NETFILTER, &lid->nl) == 0)
		return 0;
	if (owner_fd >= 0)
		(void)close(owner_fd); /* it is of no use */
	return netlink_open(NETLINK_NETFILTER, 0, &lid->nl);
}

int lid_commit(struct lid *lid, struct nft_batch *batch)
{
	bool empty = batch->messages == 0;
	int r = nft_commit(batch, &lid->nl);

	if (r == 0 && !empty)
		lid->transactions++;
	return r;
}

int lid_try(struct lid *lid)
{
	CLEANUP(nft_done) struct nft_batch batch;

	nft_begin(&batch, lid->table);
	nft_table_add(&batch, lid->flags);
	return lid_commit(lid, &batch);
}

int lid_exists(struct lid *lid, bool *ret_exists)
{
	CLEANUP(former_done) struct former former = { 0 };
	int r = former_read(&lid->nl, lid->table, FORMER_NO_COUNTS, &former);

	*ret_exists = former.n_chains > 0;
	return r;
}

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
	size_t n = 0, unique = 0, room = 3;
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
	n += (size_t)(text_copy(wanted[n].name, STEER_COUNTER_MAX, STEER_COUNTER_UNREADABLE) == 0);
	if (n)
		qsort(wanted, n, sizeof(*wanted), compare_names);
	for (size_t i = 0; i < n; i++)
		if (unique == 0 || strcmp(wanted[unique - 1].name, wanted[i].name) != 0)
			wanted[unique++] = wanted[i];
	loading->wanted = wanted;
	loading->n_wanted = unique;
	return 0;
}

static int add_counters(struct loading *loading)
{
	const struct former *former = loading->former;
	int r = 0;

	for (size_t i = 0; i < loading->n_wanted && r == 0; i++) {
		const char *name = loading->wanted[i].name;
		uint64_t packets = 0, bytes = 0;

		loading_take_count(loading, name, &packets, &bytes);
		if (!former_find(former->named, former->n_named, name))
			nft_counter_add(loading->batch, name, packets, bytes);
		r = loading_commit_when_full(loading);
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
		r = loading_commit_when_full(loading);
	}
	if (r == 0)
		r = loading_commit(loading);
	(void)r;
}

/* A short program: its own lines once more, as lists. */
static int add_intra(
	struct loading *loading, const struct steer_program *program, struct own_chains *chains)
{
	bool counts = loading->lid->counts;
	int r = text_fixed(chains->own_out, sizeof(chains->own_out), "%s-lo", chains->out_chain);

	if (r == 0)
		r = text_fixed(chains->own_in, sizeof(chains->own_in), "%s-lo", chains->in_chain);
	if (r < 0)
		return r;
	nft_chain_add(loading->batch, chains->own_out);
	steer_intra_out(loading->batch, chains->own_out, program, counts);
	nft_chain_add(loading->batch, chains->own_in);
	steer_intra_in(loading->batch, chains->own_in, program, counts);
	return loading_commit_when_full(loading);
}

/* What leads nowhere is sent first, then the hooked chains alone. */
static int switch_to(struct loading *loading, const struct steer_frame *frame)
{
	int r = loading_commit(loading);

	if (r < 0)
		return r;
	steer_rules_frame(loading->batch, frame);
	return loading_commit(loading);
}

/* What the chains of one program are called, and the frame that leads to them. */
struct naming {
	char out[STEER_NAME_MAX], in[STEER_NAME_MAX];
	char errors_out[STEER_NAME_MAX], errors_in[STEER_NAME_MAX];
	struct own_chains own; /* points to the two */
	struct steer_frame frame; /* points to all of them */
};

static int name_chains(const struct loading *loading, const struct steer_image *image,
	uint32_t serial, struct naming *ret)
{
	int r = text_fixed(ret->out, sizeof(ret->out), OUT_PREFIX "%u", serial);

	ret->own = (struct own_chains){ .out_chain = ret->out, .in_chain = ret->in };
	ret->frame = image->frame;
	ret->frame.out_chain = ret->out;
	ret->frame.in_chain = ret->in;
	ret->frame.intra_out_chain = ret->own.own_out;
	ret->frame.intra_in_chain = ret->own.own_in;
	ret->frame.errors_out_chain = ret->errors_out;
	ret->frame.errors_in_chain = ret->errors_in;
	ret->frame.delay = loading->lid->counts ? 0 : 1;
	if (r == 0)
		r = text_fixed(ret->in, sizeof(ret->in), IN_PREFIX "%u", serial);
	if (r == 0)
		r = text_fixed(ret->errors_out, sizeof(ret->errors_out), "%s-e", ret->out);
	return r < 0 ? r : text_fixed(ret->errors_in, sizeof(ret->errors_in), "%s-e", ret->in);
}

/*
 * Maps and lines go where nothing leads to, in as many transactions as they take. The last one
 * changes only the rules of the hooked chains, which stay where they are: a packet sees all of the
 * old or all of the new, for the old stays whole until lid_load() retires it.
 */
static int fill(struct loading *loading, const struct steer_image *image)
{
	const struct steer_program *program = image->program;
	struct naming naming;
	int r = name_chains(loading, image, loading->former->serial + 1, &naming);
	const struct side out = { .lines = &program->out,
		.plan = program->out_plan,
		.chain = naming.out,
		.outbound = true };
	const struct side in = {
		.lines = &program->in, .plan = program->in_plan, .chain = naming.in
	};

	if (r == 0)
		r = steer_side_add_with(loading, &out, &program->audit_out);
	if (r == 0)
		r = steer_side_add_with(loading, &in, &program->audit_in);
	if (r == 0)
		r = steer_about_add(loading, &out, &program->audit_out, &naming.frame);
	if (r == 0)
		r = steer_about_add(loading, &in, &program->audit_in, &naming.frame);
	if (r == 0)
		r = image->own ? steer_own_add(loading, program, image->own, &naming.own)
			       : add_intra(loading, program, &naming.own);
	return r < 0 ? r : switch_to(loading, &naming.frame);
}

/*
 * Wait until no packet is inside the rules as they were. The kernel chooses a packet's rules when it
 * enters them, but looks its keys up in the maps as they are by then: were the old maps deleted at
 * once, a packet inside the old rules would find nothing in them and pass in clear. The barrier is a
 * grace period of RCU, under which every packet is judged. It cannot wait on some kernels (nohz_full)
 * and does not on one processor; there the pause stands in for it.
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

	if (former->n_maps || former->n_own_maps)
		await_packets_inside();
	steer_own_retire(loading); /* first, since it leads into the others */
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
	r = former_read(
		&lid->nl, lid->table, lid->counts ? FORMER_COUNTS : FORMER_NO_COUNTS, &former);
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

/* The program stays where it is: all that changes is where packets on `lo` go. */
static int fill_own(struct loading *loading, const struct steer_image *image)
{
	struct naming naming;
	int r = name_chains(loading, image, loading->former->serial, &naming);

	if (r == 0)
		r = steer_own_add(loading, image->program, image->own, &naming.own);
	return r < 0 ? r : switch_to(loading, &naming.frame);
}

int lid_load_own(struct lid *lid, const struct steer_image *image)
{
	CLEANUP(former_done) struct former former = { 0 };
	CLEANUP(nft_done) struct nft_batch batch;
	struct loading loading = { .lid = lid, .batch = &batch, .former = &former };
	int r;

	nft_begin(&batch, lid->table);
	r = former_read(
		&lid->nl, lid->table, lid->counts ? FORMER_OWN_COUNTS : FORMER_NO_COUNTS, &former);
	if (r == 0)
		r = fill_own(&loading, image);
	if (r < 0)
		return r;
	if (former.n_own_maps)
		await_packets_inside();
	steer_own_retire(&loading);
	(void)!loading_commit(&loading); /* what stays holds nobody up, and goes the next time */
	return 0;
}

int lid_exempt(struct lid *lid, const struct steer_tunables *tunables)
{
	CLEANUP(nft_done) struct nft_batch batch;

	nft_begin(&batch, lid->table);
	steer_exempt_add(&batch, tunables);
	return lid_commit(lid, &batch);
}

int lid_counters(struct lid *lid, nft_counter_fn fn, void *userdata)
{
	CLEANUP(former_done) struct former former = { 0 };
	int r = former_read(&lid->nl, lid->table, FORMER_COUNTS, &former);

	for (size_t i = 0; i < former.n_counted && r == 0; i++)
		r = fn(former.counted[i].name, former.counted[i].packets, former.counted[i].bytes,
			userdata);
	return r;
}
