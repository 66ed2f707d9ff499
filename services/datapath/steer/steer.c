/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "common/marks.h"
#include "services/datapath/steer/rtnl.h"
#include "services/datapath/steer/steer_rules.h"

#define LIDS		 2
#define OWNED_TABLE	 "netipsec-own"
#define CHUNK_BYTES	 (96U << 10) /* fits the send buffer of an unprivileged user */
#define BLACKHOLE_METRIC 9999
#define COUNTERS_STEP	 256
#define OUT_PREFIX	 "out-"
#define IN_PREFIX	 "in-"

struct counter_name {
	char str[STEER_COUNTER_MAX];
};

/* One table. The one whose flags say owner is owned by `nl`. */
struct lid {
	const char *table;
	uint32_t flags;
	bool counts; /* packets that pass several lids are counted in the first */
	struct netlink nl;
};

struct steer {
	struct steer_options options;
	struct netlink route, notify;
	struct lid lids[LIDS];
	size_t n_lids;
	struct steer_program *program; /* what was loaded last; NULL: nothing yet */
	const struct tunnel_table *tunnels;
	bool no_sockets; /* the kernel has no matches on sockets */
};

/* What a table held before it was replaced. */
struct former {
	char (*chains)[STEER_CHAIN_MAX];
	size_t n_chains;
	struct counter_name *counters;
	size_t n_counters;
	uint32_t serial; /* highest number of its policy chains */
};

static void former_done(struct former *former)
{
	free(former->chains);
	free(former->counters);
}

static int former_add_chain(const char *name, void *userdata)
{
	struct former *former = userdata;
	bool out = strncmp(name, OUT_PREFIX, strlen(OUT_PREFIX)) == 0;
	const char *digits = name + (out ? strlen(OUT_PREFIX) : strlen(IN_PREFIX));
	char(*more)[STEER_CHAIN_MAX];
	uint32_t serial = 0;

	if (!out && strncmp(name, IN_PREFIX, strlen(IN_PREFIX)) != 0)
		return 0;
	for (; *digits >= '0' && *digits <= '9' && serial < 400000000; digits++)
		serial = serial * 10 + (uint32_t)(*digits - '0');
	if (serial > former->serial)
		former->serial = serial;
	more = reallocarray(former->chains, former->n_chains + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	former->chains = more;
	return text_copy(more[former->n_chains++], STEER_CHAIN_MAX, name);
}

static int former_add_counter(const char *name, uint64_t packets, uint64_t bytes, void *userdata)
{
	struct former *former = userdata;
	struct counter_name *more = former->counters;

	(void)packets;
	(void)bytes;
	if (strlen(name) >= STEER_COUNTER_MAX)
		return 0;
	if (former->n_counters % COUNTERS_STEP == 0)
		more = reallocarray(more, former->n_counters + COUNTERS_STEP, sizeof(*more));
	if (!more)
		return -ENOMEM;
	former->counters = more;
	return text_copy(more[former->n_counters++].str, STEER_COUNTER_MAX, name);
}

static int compare_names(const void *a, const void *b)
{
	const struct counter_name *left = a, *right = b;

	return strcmp(left->str, right->str);
}

static int former_read(struct lid *lid, struct former *former)
{
	int r = nft_list_chains(&lid->nl, lid->table, former_add_chain, former);

	if (r < 0 || !lid->counts)
		return r;
	r = nft_list_counters(&lid->nl, lid->table, former_add_counter, former);
	if (r == 0 && former->n_counters)
		qsort(former->counters, former->n_counters, sizeof(struct counter_name),
			compare_names);
	return r;
}

/* Names of the counters that a program's lines use, sorted, each once. */
static int wanted_counters(
	const struct steer_program *program, struct counter_name **ret_names, size_t *ret_count)
{
	size_t room = program->out.count + program->in.count, n = 0, unique = 0;
	struct counter_name *names = calloc(room + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < program->out.count; i++)
		if (steer_counter_name(&program->out.lines[i], true, names[n].str)[0])
			n++;
	for (size_t i = 0; i < program->in.count; i++)
		if (steer_counter_name(&program->in.lines[i], false, names[n].str)[0])
			n++;
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++)
		if (unique == 0 || strcmp(names[unique - 1].str, names[i].str) != 0)
			names[unique++] = names[i];
	*ret_names = names;
	*ret_count = unique;
	return 0;
}

static bool has_name(
	const struct counter_name *names, size_t count, const struct counter_name *name)
{
	return count && bsearch(name, names, count, sizeof(*names), compare_names);
}

static int commit_when_full(struct nft_batch *batch, struct lid *lid)
{
	return batch->buf.len < CHUNK_BYTES ? 0 : nft_commit(batch, &lid->nl);
}

static int add_counters(struct nft_batch *batch, struct lid *lid, const struct former *former,
	const struct counter_name *wanted, size_t n_wanted)
{
	int r = 0;

	for (size_t i = 0; i < n_wanted && r == 0; i++) {
		if (!has_name(former->counters, former->n_counters, &wanted[i]))
			nft_counter_add(batch, wanted[i].str);
		r = commit_when_full(batch, lid);
	}
	return r;
}

static int add_lines(struct nft_batch *batch, struct lid *lid, const char *chain,
	const struct steer_lines *lines, bool outbound)
{
	int r = 0;

	nft_chain_add(batch, chain);
	for (size_t i = 0; i < lines->count && r == 0; i++) {
		steer_rules_line(batch, chain, &lines->lines[i], outbound, lid->counts);
		r = commit_when_full(batch, lid);
	}
	return r;
}

/* Counters of rules that are gone; they hold nobody up, so one that stays is no failure. */
static void drop_counters(struct nft_batch *batch, struct lid *lid, const struct former *former,
	const struct counter_name *wanted, size_t n_wanted)
{
	int r = 0;

	for (size_t i = 0; i < former->n_counters && r == 0; i++) {
		if (!has_name(wanted, n_wanted, &former->counters[i]))
			nft_counter_delete(batch, former->counters[i].str);
		r = commit_when_full(batch, lid);
	}
	if (r == 0)
		r = nft_commit(batch, &lid->nl);
	(void)r;
}

/*
 * Lines go into chains that nothing jumps to, in as many transactions as they take. The last one
 * changes only the rules of the hooked chains, which stay where they are: a packet sees all of the
 * old or all of the new.
 */
static int lid_fill(const struct steer *steer, struct lid *lid, struct nft_batch *batch,
	const struct former *former)
{
	char out[STEER_CHAIN_MAX], in[STEER_CHAIN_MAX];
	struct steer_frame frame = { .options = &steer->options,
		.tunnels = steer->tunnels,
		.out_chain = out,
		.in_chain = in,
		.diverts = steer->program->diverts,
		.no_sockets = steer->no_sockets,
		.delay = lid->counts ? 0 : 1 };
	int r = text_fixed(out, sizeof(out), OUT_PREFIX "%u", former->serial + 1);

	if (r == 0)
		r = text_fixed(in, sizeof(in), IN_PREFIX "%u", former->serial + 1);
	if (r == 0)
		r = add_lines(batch, lid, out, &steer->program->out, true);
	if (r == 0)
		r = add_lines(batch, lid, in, &steer->program->in, false);
	if (r < 0)
		return r;
	steer_rules_frame(batch, &frame);
	for (size_t i = 0; i < former->n_chains; i++)
		nft_chain_delete(batch, former->chains[i]);
	return nft_commit(batch, &lid->nl);
}

static int lid_load(const struct steer *steer, struct lid *lid)
{
	CLEANUP(former_done) struct former former = { 0 };
	CLEANUP(nft_done) struct nft_batch batch;
	CLEANUP(freep) struct counter_name *wanted = NULL;
	size_t n_wanted = 0;
	int r;

	nft_begin(&batch, lid->table);
	r = former_read(lid, &former);
	if (r == 0 && lid->counts)
		r = wanted_counters(steer->program, &wanted, &n_wanted);
	if (r < 0)
		return r;
	nft_table_add(&batch, lid->flags);
	r = add_counters(&batch, lid, &former, wanted, n_wanted);
	if (r == 0)
		r = lid_fill(steer, lid, &batch, &former);
	if (r == 0)
		drop_counters(&batch, lid, &former, wanted, n_wanted);
	return r;
}

static bool table_exists(struct lid *lid, int *ret_error)
{
	CLEANUP(former_done) struct former former = { 0 };

	*ret_error = nft_list_chains(&lid->nl, lid->table, former_add_chain, &former);
	return former.n_chains > 0;
}

/* A probe: can this table, made or adopted, have these flags? */
static int try_table(struct lid *lid)
{
	CLEANUP(nft_done) struct nft_batch batch;

	nft_begin(&batch, lid->table);
	nft_table_add(&batch, lid->flags);
	return nft_commit(&batch, &lid->nl);
}

static int lid_open(struct lid *lid, const char *table, uint32_t flags, int owner_fd)
{
	*lid = (struct lid){ .table = table, .flags = flags, .nl = { .fd = -1 } };
	if (owner_fd >= 0 && netlink_adopt(owner_fd, NETLINK_NETFILTER, &lid->nl) == 0)
		return 0;
	if (owner_fd >= 0)
		(void)close(owner_fd); /* it is of no use */
	return netlink_open(NETLINK_NETFILTER, 0, &lid->nl);
}

static int open_lids(struct steer *steer)
{
	struct lid *first = &steer->lids[0];
	int r = lid_open(
		first, STEER_TABLE, NFT_FLAG_OWNER | NFT_FLAG_PERSIST, steer->options.owner_fd);

	if (r < 0)
		return r;
	steer->n_lids = 1;
	first->counts = true;
	r = steer->options.two_tables ? -EOPNOTSUPP : try_table(first);
	if (r == 0 || r == -EPERM)
		return r;
	/* An older kernel: the flag is unknown, or the plain table stands there already. */
	steer->lids[1] = *first;
	steer->lids[1].table = OWNED_TABLE;
	steer->lids[1].flags = NFT_FLAG_OWNER;
	steer->lids[1].counts = false;
	steer->n_lids = LIDS;
	r = lid_open(first, STEER_TABLE, 0, -1);
	first->counts = true;
	return r < 0 ? r : try_table(first);
}

int steer_new(const struct steer_options *options, struct steer **ret_steer)
{
	CLEANUP(steer_freep) struct steer *steer = calloc(1, sizeof(*steer));
	int r;

	if (!steer)
		return -ENOMEM;
	steer->options = *options;
	steer->route.fd = steer->notify.fd = -1;
	for (size_t i = 0; i < LIDS; i++)
		steer->lids[i].nl.fd = -1;
	r = netlink_open(NETLINK_ROUTE, 0, &steer->route);
	if (r == 0)
		r = netlink_open(NETLINK_NETFILTER, 1U << (NFNLGRP_NFTABLES - 1), &steer->notify);
	if (r == 0)
		r = open_lids(steer);
	if (r < 0)
		return r;
	*ret_steer = STEAL(steer);
	return 0;
}

struct steer *steer_free(struct steer *steer)
{
	if (!steer)
		return NULL;
	netlink_close(&steer->route);
	netlink_close(&steer->notify);
	for (size_t i = 0; i < LIDS; i++)
		netlink_close(&steer->lids[i].nl);
	steer_program_free(steer->program);
	free(steer);
	return NULL;
}

static const int families[] = { AF_INET, AF_INET6 };

static bool is_family_absent(int family, int error)
{
	return family == AF_INET6 && (error == -EAFNOSUPPORT || error == -EOPNOTSUPP);
}

int steer_routes(struct steer *steer)
{
	struct rtnl_mark_rule rule = { .mark = MARK_PROTECT,
		.mask = MARK_PROTECT,
		.table = steer->options.route_table,
		.priority = steer->options.rule_priority };
	unsigned int ifindex = if_nametoindex(steer->options.interface);

	/* The blackhole first: from here on nothing marked can take another way. */
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		int r = rtnl_route_blackhole(
			&steer->route, families[i], rule.table, BLACKHOLE_METRIC);

		if (is_family_absent(families[i], r))
			continue;
		if (r == 0)
			r = rtnl_rule_add(&steer->route, families[i], &rule);
		if (r == 0 && ifindex)
			r = rtnl_route_default(
				&steer->route, families[i], (int)ifindex, rule.table);
		if (r < 0)
			return r;
	}
	return 0;
}

int steer_present(struct steer *steer, bool *ret_present)
{
	int r = 0;

	*ret_present = false;
	for (size_t i = 0; i < steer->n_lids && r == 0; i++)
		if (table_exists(&steer->lids[i], &r))
			*ret_present = true;
	return r;
}

static int load_lids(struct steer *steer)
{
	int r = 0;

	for (size_t i = 0; i < steer->n_lids && r == 0; i++)
		r = lid_load(steer, &steer->lids[i]);
	return r;
}

int steer_load(struct steer *steer, const struct spd *spd, const struct tunnel_table *tunnels)
{
	struct steer_program *next = NULL, *former;
	int r = steer_compile(spd, &next);

	if (r < 0)
		return r;
	former = steer->program;
	steer->program = next;
	steer->tunnels = tunnels;
	r = load_lids(steer);
	if (r == -ENOENT && !steer->no_sockets) {
		/* A kernel without matches on sockets: ESP in UDP needs a bypass rule there. */
		steer->no_sockets = true;
		r = load_lids(steer);
	}
	if (r < 0) {
		/* The kernel still holds the former program in every lid that was not reached. */
		steer->program = former;
		steer_program_free(next);
		return r;
	}
	steer_program_free(former);
	return 0;
}

int steer_notify_fd(const struct steer *steer)
{
	return steer->notify.fd;
}

struct watch {
	const struct steer *steer;
	bool touched[LIDS];
};

static int on_notice(const struct nlmsghdr *msg, void *userdata)
{
	struct watch *watch = userdata;

	for (size_t i = 0; i < watch->steer->n_lids; i++) {
		const struct lid *lid = &watch->steer->lids[i];

		if (nft_notice_is_foreign(msg, lid->table, lid->nl.portid))
			watch->touched[i] = true;
	}
	return 0;
}

int steer_on_notify(struct steer *steer, bool *ret_restored)
{
	struct watch watch = { .steer = steer };
	int r = netlink_notices(&steer->notify, on_notice, &watch);

	*ret_restored = false;
	if (r == -ENOBUFS)
		watch.touched[0] = watch.touched[1] = true;
	else if (r < 0)
		return r;
	if (!steer->program)
		return 0;
	for (size_t i = 0; i < steer->n_lids; i++) {
		if (!watch.touched[i])
			continue;
		r = lid_load(steer, &steer->lids[i]);
		if (r < 0)
			return r;
		*ret_restored = true;
	}
	return 0;
}

int steer_owner_fd(const struct steer *steer)
{
	return steer->lids[steer->n_lids - 1].nl.fd;
}

struct count_call {
	void (*fn)(const struct steer_count *count, void *userdata);
	void *userdata;
};

static int on_counter(const char *name, uint64_t packets, uint64_t bytes, void *userdata)
{
	const struct count_call *call = userdata;
	struct steer_count count = { .packets = packets, .bytes = bytes };

	if (steer_counter_parse(name, &count.outbound, &count.verdict, &count.rule_id))
		call->fn(&count, call->userdata);
	return 0;
}

int steer_counters(struct steer *steer, void (*fn)(const struct steer_count *count, void *userdata),
	void *userdata)
{
	struct count_call call = { .fn = fn, .userdata = userdata };

	return nft_list_counters(&steer->lids[0].nl, steer->lids[0].table, on_counter, &call);
}

int steer_remove(struct steer *steer)
{
	struct rtnl_mark_rule rule = { .mark = MARK_PROTECT,
		.mask = MARK_PROTECT,
		.table = steer->options.route_table,
		.priority = steer->options.rule_priority };
	int r = 0;

	for (size_t i = 0; i < steer->n_lids && (r == 0 || r == -ENOENT); i++) {
		CLEANUP(nft_done) struct nft_batch batch;

		nft_begin(&batch, steer->lids[i].table);
		nft_table_delete(&batch);
		r = nft_commit(&batch, &steer->lids[i].nl);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		r = rtnl_rule_delete(&steer->route, families[i], &rule);
		if (is_family_absent(families[i], r))
			continue;
		if (r == 0)
			r = rtnl_route_flush(&steer->route, families[i], rule.table);
		if (r < 0)
			return r;
	}
	return 0;
}
