/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two hash tables of chains: every SA by (protocol, SPI, destination), outbound ones by (protocol,
 * destination) too, newest first. Growing builds the next pair of tables over the other set of
 * links and publishes it whole; it waits until nobody reads the former pair before it grows again.
 */
#include "services/datapath/sad/sad.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/sad/sad_parts.h"

#define SAD_MIN_BUCKETS 64U

struct retired {
	struct sad_table *table;
	struct sad *sad;
};

struct sad_entry *sad_entry_new(void)
{
	return calloc(1, sizeof(struct sad_entry));
}

struct sad_entry *sad_entry_free(struct sad_entry *entry)
{
	if (!entry)
		return NULL;
	for (size_t i = 0; i < SAD_MAX_WORKERS; i++) {
		if (entry->sa && entry->sa->proto == SA_PROTO_AH)
			suite_mac_free(entry->macs[i]);
		else
			suite_context_free(entry->contexts[i]);
	}
	sa_free(entry->sa);
	free(entry);
	return NULL;
}

static uint64_t hash_of(
	const struct sad *sad, enum sa_proto proto, uint32_t spi, const struct address *dst)
{
	/* Words, so that they are read as they were written: each packet waits for this. */
	uint64_t key[3] = { spi | (uint64_t)proto << 32 | (uint64_t)dst->family << 40 };

	memcpy(&key[1], dst->bytes, sizeof(dst->bytes));
	return hash_keyed(&sad->hash_key, key, sizeof(key));
}

static _Atomic(struct sad_entry *) *key_bucket(const struct sad *sad, struct sad_table *table,
	enum sa_proto proto, uint32_t spi, const struct address *dst)
{
	return &table->buckets[hash_of(sad, proto, spi, dst) & table->mask];
}

static _Atomic(struct sad_entry *) *out_bucket(struct sad_table *table, uint64_t hash)
{
	return &table->buckets[table->mask + 1 + (hash & table->mask)];
}

static struct sad_table *table_new(size_t buckets, unsigned int links)
{
	struct sad_table *table = calloc(
		1, sizeof(*table) + 2 * buckets * sizeof(table->buckets[0]));

	if (table) {
		table->mask = buckets - 1;
		table->links = links;
	}
	return table;
}

enum chain { CHAIN_KEY, CHAIN_OUT };

static _Atomic(struct sad_entry *) *next_of(
	struct sad_entry *entry, enum chain chain, unsigned int links)
{
	return chain == CHAIN_KEY ? &entry->next_key[links] : &entry->next_out[links];
}

static struct sad_entry **prev_of(struct sad_entry *entry, enum chain chain, unsigned int links)
{
	return chain == CHAIN_KEY ? &entry->prev_key[links] : &entry->prev_out[links];
}

static _Atomic(struct sad_entry *) *bucket_of(const struct sad *sad, struct sad_table *table,
	const struct sad_entry *entry, enum chain chain)
{
	const struct sa *sa = entry->sa;

	return chain == CHAIN_KEY ? key_bucket(sad, table, sa->proto, sa->spi, &sa->dst)
				  : out_bucket(table, sad_shape_hash(sad, entry->shape, sa));
}

static void chain_link(
	const struct sad *sad, struct sad_table *table, struct sad_entry *entry, enum chain chain)
{
	_Atomic(struct sad_entry *) *bucket = bucket_of(sad, table, entry, chain);
	struct sad_entry *first = rcu_read(bucket);

	atomic_store(next_of(entry, chain, table->links), first);
	*prev_of(entry, chain, table->links) = NULL;
	if (first)
		*prev_of(first, chain, table->links) = entry;
	rcu_publish(bucket, entry);
}

/* Put @next in the place of @entry, or nothing; a reader at @entry goes on from there as before. */
static void chain_replace(const struct sad *sad, struct sad_table *table, struct sad_entry *entry,
	struct sad_entry *next, enum chain chain)
{
	struct sad_entry *after = rcu_read(next_of(entry, chain, table->links));
	struct sad_entry *before = *prev_of(entry, chain, table->links);

	if (next) {
		atomic_store(next_of(next, chain, table->links), after);
		*prev_of(next, chain, table->links) = before;
	}
	if (after)
		*prev_of(after, chain, table->links) = next ? next : before;
	rcu_publish(
		before ? next_of(before, chain, table->links) : bucket_of(sad, table, entry, chain),
		next ? next : after);
}

static void table_link(const struct sad *sad, struct sad_table *table, struct sad_entry *entry)
{
	chain_link(sad, table, entry, CHAIN_KEY);
	if (entry->directions & SA_OUTBOUND)
		chain_link(sad, table, entry, CHAIN_OUT);
}

struct sad *sad_new(struct rcu *rcu)
{
	CLEANUP(sad_freep) struct sad *sad = calloc(1, sizeof(*sad));

	if (!sad)
		return NULL;
	sad->rcu = rcu;
	hash_key_random(&sad->hash_key);
	hash_key_random(&sad->flow_key);
	sad->table = table_new(SAD_MIN_BUCKETS, 0);
	return sad->table ? STEAL(sad) : NULL;
}

struct sad *sad_free(struct sad *sad)
{
	if (!sad)
		return NULL;
	/* Whatever waits for readers refers to this SAD; there is no reader left to wait for. */
	rcu_barrier(sad->rcu);
	for (struct sad_entry *entry = sad->oldest, *next; entry; entry = next) {
		next = entry->newer;
		sad_entry_free(entry);
	}
	for (size_t i = 0; i < SAD_MAX_WORKERS; i++)
		(void)suite_lane_free(sad->lanes[i]);
	free(sad->table);
	free(sad);
	return NULL;
}

void sad_prefer_oldest(struct sad *sad, bool oldest)
{
	if (atomic_exchange(&sad->oldest_first, oldest) != oldest)
		sad_touch(sad);
}

void sad_set_managed(struct sad *sad, bool managed)
{
	atomic_store_explicit(&sad->managed, managed, memory_order_relaxed);
}

bool sad_is_managed(const struct sad *sad)
{
	return atomic_load_explicit(&sad->managed, memory_order_relaxed);
}

void sad_set_flow_key(struct sad *sad, const struct hash_key *key)
{
	sad->flow_key = *key;
}

struct rcu *sad_rcu(const struct sad *sad)
{
	return sad->rcu;
}

uint64_t sad_generation(const struct sad *sad)
{
	return atomic_load_explicit(&sad->generation, memory_order_acquire);
}

void sad_touch(struct sad *sad)
{
	(void)atomic_fetch_add_explicit(&sad->generation, 1, memory_order_release);
}

static void table_retired(void *object)
{
	struct retired *retired = object;

	retired->sad->retiring = false;
	free(retired->table);
	free(retired);
}

/* More buckets when chains get long. Failing is no harm: chains are longer for a while. */
static void grow(struct sad *sad)
{
	struct sad_table *old = sad->table, *next;
	struct retired *retired;

	if (sad->count <= old->mask)
		return;
	(void)rcu_poll(sad->rcu);
	if (sad->retiring) /* the other set of links is still being read */
		return;
	next = table_new((old->mask + 1) * 4, !old->links);
	retired = malloc(sizeof(*retired));
	if (!next || !retired) {
		free(next);
		free(retired);
		return;
	}
	for (struct sad_entry *entry = sad->oldest; entry; entry = entry->newer)
		table_link(sad, next, entry);
	rcu_publish(&sad->table, next);
	*retired = (struct retired){ old, sad };
	sad->retiring = true;
	if (rcu_defer(sad->rcu, table_retired, retired) < 0) {
		rcu_barrier(sad->rcu);
		if (rcu_defer(sad->rcu, table_retired, retired) < 0)
			free(retired); /* the old table leaks, and this one never grows */
	}
}

int sad_insert(struct sad *sad, struct sad_entry *entry)
{
	if (sad_find_same(sad, entry->sa))
		return -EEXIST;
	grow(sad);
	entry->sad = sad;
	if (entry->serial == 0)
		entry->serial = ++sad->next_serial;
	entry->older = sad->newest;
	entry->newer = NULL;
	*(sad->newest ? &sad->newest->newer : &sad->oldest) = entry;
	sad->newest = entry;
	sad->count++;
	if (entry->directions & SA_OUTBOUND)
		entry->shape = sad_shape_take(sad, entry->sa);
	table_link(sad, sad->table, entry);
	sad_touch(sad);
	return 0;
}

static void entry_retired(void *object)
{
	struct sad_entry *entry = object;

	sad_raised_forget(entry);
	if (entry->on_free)
		entry->on_free(entry, entry->on_free_userdata);
	sad_entry_free(entry);
}

static void entry_retire(struct sad *sad, struct sad_entry *entry,
	void (*on_free)(struct sad_entry *entry, void *userdata), void *userdata)
{
	entry->on_free = on_free;
	entry->on_free_userdata = userdata;
	if (rcu_defer(sad->rcu, entry_retired, entry) < 0) {
		rcu_barrier(sad->rcu); /* runs what is deferred, which gives memory back */
		(void)!rcu_defer(sad->rcu, entry_retired, entry);
	}
}

void sad_remove(struct sad *sad, struct sad_entry *entry,
	void (*on_free)(struct sad_entry *entry, void *userdata), void *userdata)
{
	chain_replace(sad, sad->table, entry, NULL, CHAIN_KEY);
	if (entry->directions & SA_OUTBOUND) {
		chain_replace(sad, sad->table, entry, NULL, CHAIN_OUT);
		sad_shape_drop(sad, entry->shape);
	}
	sad_cursors_pass(sad, entry, NULL);
	*(entry->older ? &entry->older->newer : &sad->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &sad->newest) = entry->older;
	sad->count--;
	sad_touch(sad);
	entry_retire(sad, entry, on_free, userdata);
}

int sad_replace(struct sad *sad, struct sad_entry *old, struct sad_entry *next,
	void (*on_free)(struct sad_entry *entry, void *userdata), void *userdata)
{
	struct sa_key old_key = sa_key_of(old->sa), next_key = sa_key_of(next->sa);

	if (!sa_key_equal(&old_key, &next_key))
		return -EINVAL;
	next->sad = sad;
	next->serial = old->serial;
	next->older = old->older;
	next->newer = old->newer;
	*(old->older ? &old->older->newer : &sad->oldest) = next;
	*(old->newer ? &old->newer->older : &sad->newest) = next;
	chain_replace(sad, sad->table, old, next, CHAIN_KEY);
	sad_cursors_pass(sad, old, next);
	/* Another shape stands in another chain. The new one first: readers find one of them. */
	if (next->directions & SA_OUTBOUND) {
		next->shape = sad_shape_take(sad, next->sa);
		chain_link(sad, sad->table, next, CHAIN_OUT);
	}
	if (old->directions & SA_OUTBOUND) {
		chain_replace(sad, sad->table, old, NULL, CHAIN_OUT);
		sad_shape_drop(sad, old->shape);
	}
	sad_touch(sad);
	entry_retire(sad, old, on_free, userdata);
	return 0;
}

size_t sad_count(const struct sad *sad)
{
	return sad->count;
}

static bool has_key(
	const struct sad_entry *entry, enum sa_proto proto, uint32_t spi, const struct address *dst)
{
	return entry->sa->spi == spi && entry->sa->proto == proto &&
	       address_equal(&entry->sa->dst, dst);
}

static struct sad_entry *find(
	const struct sad *sad, enum sa_proto proto, uint32_t spi, const struct address *dst)
{
	struct sad_table *table = rcu_read(&sad->table);
	struct sad_entry *entry = rcu_read(key_bucket(sad, table, proto, spi, dst));

	while (entry && !has_key(entry, proto, spi, dst))
		entry = rcu_read(&entry->next_key[table->links]);
	return entry;
}

/* The same among those of one group that differ in their sources. */
static struct sad_entry *find_source(const struct sad *sad, enum sa_proto proto, uint32_t spi,
	const struct address *dst, const struct address *src)
{
	struct sad_table *table = rcu_read(&sad->table);
	struct sad_entry *entry = rcu_read(key_bucket(sad, table, proto, spi, dst));

	while (entry && !(has_key(entry, proto, spi, dst) && address_equal(&entry->sa->src, src)))
		entry = rcu_read(&entry->next_key[table->links]);
	return entry;
}

struct sad_entry *sad_find_same(const struct sad *sad, const struct sa *sa)
{
	return address_is_multicast(&sa->dst)
		       ? find_source(sad, sa->proto, sa->spi, &sa->dst, &sa->src)
		       : find(sad, sa->proto, sa->spi, &sa->dst);
}

struct sad_entry *sad_find(const struct sad *sad, const struct sa_key *key)
{
	return find(sad, key->proto, key->spi, &key->dst);
}

bool sad_is_usable(const struct sad_entry *entry)
{
	uint32_t state = atomic_load_explicit(&entry->run->state, memory_order_relaxed);

	return state == SA_MATURE || state == SA_DYING;
}

bool sad_is_larval(
	const struct sad *sad, enum sa_proto proto, uint32_t spi, const struct address *dst)
{
	const struct sad_entry *entry = find(sad, proto, spi, dst);

	return entry && atomic_load_explicit(&entry->run->state, memory_order_relaxed) == SA_LARVAL;
}

struct sad_entry *sad_find_inbound(const struct sad *sad, enum sa_proto proto, uint32_t spi,
	const struct address *dst, const struct address *src)
{
	struct sad_entry *entry;

	if (address_is_multicast(dst)) {
		struct address any = address_any(dst->family);

		entry = find_source(sad, proto, spi, dst, src);
		if (!entry)
			entry = find_source(sad, proto, spi, dst, &any);
	} else {
		entry = find(sad, proto, spi, dst);
	}
	if (!entry || !(entry->directions & SA_INBOUND) || !sad_is_usable(entry))
		return NULL;
	if (!address_is_unspecified(&entry->sa->src) && !address_equal(&entry->sa->src, src))
		return NULL;
	return entry;
}

static bool make_context(
	const struct sad_entry *entry, struct suite_lane **lane, struct suite_context **ret_context)
{
	const struct suite_provider *provider = entry->provider ? entry->provider : &suite_openssl;

	if (!*lane)
		*lane = suite_lane_new();
	return *lane &&
	       suite_context_new_by(provider, &entry->suite, entry->sa, *lane, ret_context) == 0;
}

struct suite_context *sad_context(struct sad_entry *entry, unsigned int worker)
{
	struct suite_context *context = atomic_load_explicit(
		&entry->contexts[worker], memory_order_relaxed); /* only this worker writes it */

	if (!context && make_context(entry, &entry->sad->lanes[worker], &context))
		atomic_store_explicit(&entry->contexts[worker], context, memory_order_release);
	return context;
}

struct suite_mac *sad_mac(struct sad_entry *entry, unsigned int worker)
{
	struct suite_mac *mac = atomic_load_explicit(&entry->macs[worker], memory_order_relaxed);
	const struct secret *key = entry->sa->auth_key;

	if (!mac && suite_mac_new(entry->suite.auth, secret_bytes(key), secret_len(key), &mac) == 0)
		atomic_store_explicit(&entry->macs[worker], mac, memory_order_release);
	return mac;
}

struct sad_entry *sad_outbound_first(const struct sad *sad, uint64_t hash, unsigned int *ret_links)
{
	struct sad_table *table = rcu_read(&sad->table);

	*ret_links = table->links;
	return rcu_read(out_bucket(table, hash));
}

uint64_t sad_flow_hash(const struct sad *sad, const struct flow *flow)
{
	struct {
		uint8_t local[16], remote[16];
		uint16_t local_port, remote_port;
		uint8_t family, protocol;
		uint8_t icmp[2];
	} key = { .family = flow->local.family, .protocol = flow->protocol };
	uint64_t hash;

	memcpy(key.local, flow->local.bytes, sizeof(key.local));
	memcpy(key.remote, flow->remote.bytes, sizeof(key.remote));
	if (flow->has_ports) {
		key.local_port = flow->local_port;
		key.remote_port = flow->remote_port;
	}
	hash = hash_keyed(&sad->flow_key, &key, sizeof(key));
	return hash ? hash : 1; /* 0 means unclaimed */
}
