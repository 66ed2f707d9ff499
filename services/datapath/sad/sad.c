/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two tables of cards: every SA by (protocol, SPI, destination), outbound ones by what they name of a
 * packet too. What has one tag in a table is a chain of cards, the newest first; the tables know its
 * first, so that they grow without a look at the others.
 */
#include "services/datapath/sad/sad.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/sad/sad_parts.h"

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

enum chain { CHAIN_KEY, CHAIN_OUT };

static struct sad_index *index_of(struct sad *sad, enum chain chain)
{
	return chain == CHAIN_KEY ? &sad->by_key : &sad->by_names;
}

static _Atomic uint32_t *next_of(struct sad_card *card, enum chain chain)
{
	return chain == CHAIN_KEY ? &card->next_key : &card->next_out;
}

static struct sad_card **prev_of(const struct sad_card *card, enum chain chain)
{
	return chain == CHAIN_KEY ? &card->entry->prev_key : &card->entry->prev_out;
}

static uint32_t tag_of(const struct sad *sad, const struct sad_entry *entry, enum chain chain)
{
	const struct sa *sa = entry->sa;

	return chain == CHAIN_KEY ? sad_key_tag(sad, sa->proto, sa->spi, &sa->dst)
				  : sad_index_tag(sad_shape_hash(sad, entry->shape, sa));
}

/* In front of those that are under its tag already. */
static int chain_link(struct sad *sad, struct sad_card *card, enum chain chain)
{
	struct sad_index *index = index_of(sad, chain);
	uint32_t tag = tag_of(sad, card->entry, chain);
	uint32_t first = sad_index_find(index, tag);
	int r;

	atomic_store_explicit(next_of(card, chain), first, memory_order_relaxed);
	*prev_of(card, chain) = NULL;
	r = sad_index_set(index, tag, card->number);
	if (r == 0 && first != SAD_INDEX_NONE)
		*prev_of(sad_card_at(&sad->cards, first), chain) = card;
	return r;
}

/* Put @next in the place of @card, or nothing; a reader at @card goes on from there as before. */
static void chain_replace(
	struct sad *sad, struct sad_card *card, struct sad_card *next, enum chain chain)
{
	uint32_t after = atomic_load_explicit(next_of(card, chain), memory_order_relaxed);
	uint32_t in_place = next ? next->number : after;
	struct sad_card *before = *prev_of(card, chain);
	uint32_t tag;

	if (next) {
		atomic_store_explicit(next_of(next, chain), after, memory_order_relaxed);
		*prev_of(next, chain) = before;
	}
	if (after != SAD_INDEX_NONE)
		*prev_of(sad_card_at(&sad->cards, after), chain) = next ? next : before;
	if (before) {
		rcu_publish(next_of(before, chain), in_place);
		return;
	}
	tag = tag_of(sad, card->entry, chain);
	if (in_place == SAD_INDEX_NONE)
		sad_index_clear(index_of(sad, chain), tag);
	else
		(void)!sad_index_set(index_of(sad, chain), tag, in_place); /* it stands there */
}

struct sad *sad_new(struct rcu *rcu)
{
	CLEANUP(sad_freep) struct sad *sad = calloc(1, sizeof(*sad));

	if (!sad)
		return NULL;
	sad->rcu = rcu;
	atomic_init(&sad->generation, 1); /* none is 0 */
	hash_key_random(&sad->hash_key);
	hash_key_random(&sad->flow_key);
	if (sad_index_init(&sad->by_key, rcu) < 0 || sad_index_init(&sad->by_names, rcu) < 0)
		return NULL;
	return STEAL(sad);
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
	sad_index_done(&sad->by_key);
	sad_index_done(&sad->by_names);
	sad_cards_done(&sad->cards);
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

/* More room where it is needed. Failing to grow is no harm as long as there is some. */
static bool reserve(struct sad *sad, uint8_t directions)
{
	return sad_cards_reserve(&sad->cards) && sad_index_reserve(&sad->by_key) &&
	       (!(directions & SA_OUTBOUND) || sad_index_reserve(&sad->by_names));
}

static void list_append(struct sad *sad, struct sad_entry *entry)
{
	entry->older = sad->newest;
	entry->newer = NULL;
	*(sad->newest ? &sad->newest->newer : &sad->oldest) = entry;
	sad->newest = entry;
	sad->count++;
}

/* Its card, and by that into the table of those that go out. -ENOMEM: nothing was done. */
static int introduce(struct sad *sad, struct sad_entry *entry)
{
	int r = 0;

	entry->card = sad_cards_take(&sad->cards);
	if (!entry->card) {
		rcu_barrier(sad->rcu); /* cards come back, and one was kept for this */
		entry->card = sad_cards_take(&sad->cards);
	}
	if (!entry->card)
		return -ENOMEM;
	sad_card_write(entry->card, entry);
	if (!(entry->directions & SA_OUTBOUND))
		return 0;
	entry->shape = sad_shape_take(sad, entry->sa);
	r = chain_link(sad, entry->card, CHAIN_OUT);
	if (r < 0) {
		sad_shape_drop(sad, entry->shape);
		sad_cards_give(&sad->cards, STEAL(entry->card));
	}
	return r;
}

int sad_insert(struct sad *sad, struct sad_entry *entry)
{
	int r;

	if (sad_find_same(sad, entry->sa))
		return -EEXIST;
	if (!reserve(sad, entry->directions))
		return -ENOMEM;
	entry->sad = sad;
	if (entry->serial == 0)
		entry->serial = ++sad->next_serial;
	r = introduce(sad, entry);
	if (r < 0)
		return r;
	(void)!chain_link(sad, entry->card, CHAIN_KEY); /* there is room */
	list_append(sad, entry);
	sad_touch(sad);
	return 0;
}

static void entry_retired(void *object)
{
	struct sad_entry *entry = object;

	sad_raised_forget(entry);
	sad_cards_give(&entry->sad->cards, STEAL(entry->card));
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
	chain_replace(sad, entry->card, NULL, CHAIN_KEY);
	if (entry->directions & SA_OUTBOUND) {
		chain_replace(sad, entry->card, NULL, CHAIN_OUT);
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

	int r;

	if (!sa_key_equal(&old_key, &next_key))
		return -EINVAL;
	(void)(next->directions & SA_OUTBOUND && sad_index_reserve(&sad->by_names));
	next->sad = sad;
	next->serial = old->serial;
	/* Another shape stands in another chain. The new one first: readers find one of them. */
	r = introduce(sad, next);
	if (r < 0)
		return r;
	next->older = old->older;
	next->newer = old->newer;
	*(old->older ? &old->older->newer : &sad->oldest) = next;
	*(old->newer ? &old->newer->older : &sad->newest) = next;
	chain_replace(sad, old->card, next->card, CHAIN_KEY);
	sad_cursors_pass(sad, old, next);
	if (old->directions & SA_OUTBOUND) {
		chain_replace(sad, old->card, NULL, CHAIN_OUT);
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

bool sad_is_usable(const struct sad_entry *entry)
{
	return sad_run_is_usable(entry->run);
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
