/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_list.h"

#include <errno.h>
#include <string.h>

#include "common/base/hash.h"

#define NO_ENTRY SIZE_MAX

/* An SA, where it was added, and two hash chains. */
struct entry {
	struct sa *sa; /* NULL: deleted again */
	struct conf_loc at;
	struct keys_times times;
	size_t next_name, next_key; /* entries, NO_ENTRY ends a chain */
};

struct list {
	const struct alg_table *algs;
	bool whole;
	struct conf_diags *diags;
	struct hash_key hash_key;
	size_t count, size, n_buckets; /* buckets: a power of two */
	struct entry *entries;
	size_t *names; /* by protocol, SPI and destination */
	size_t *keys; /* counter-mode SAs by key and salt */
};

static void list_done(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		sa_free(list->entries[i].sa);
	free(list->entries);
	free(list->names);
	free(list->keys);
}

static int list_init(struct list *list, size_t room)
{
	list->size = room ? room : 1;
	for (list->n_buckets = 16; list->n_buckets < room; list->n_buckets *= 2)
		;
	list->entries = calloc(list->size, sizeof(*list->entries));
	list->names = malloc(list->n_buckets * sizeof(*list->names));
	list->keys = malloc(list->n_buckets * sizeof(*list->keys));
	if (!list->entries || !list->names || !list->keys)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_buckets; i++)
		list->names[i] = list->keys[i] = NO_ENTRY;
	hash_key_random(&list->hash_key);
	return 0;
}

static size_t name_bucket(const struct list *list, const struct sa_key *name)
{
	struct {
		uint32_t proto, spi;
		uint8_t dst[sizeof(name->dst.bytes)];
	} bytes = { (uint32_t)name->proto, name->spi, { 0 } };

	memcpy(bytes.dst, name->dst.bytes, sizeof(bytes.dst));
	return hash_keyed(&list->hash_key, &bytes, sizeof(bytes)) & (list->n_buckets - 1);
}

static struct entry *find_name(const struct list *list, const struct sa_key *name)
{
	for (size_t i = list->names[name_bucket(list, name)]; i != NO_ENTRY;
		i = list->entries[i].next_name) {
		struct sa *sa = list->entries[i].sa;
		struct sa_key other;

		if (!sa)
			continue;
		other = sa_key_of(sa);
		if (sa_key_equal(name, &other))
			return &list->entries[i];
	}
	return NULL;
}

/* Senders to one group may have an SA each under the same SPI (RFC 4301 section 4.1). */
static const struct entry *find_same(const struct list *list, const struct sa *sa)
{
	struct sa_key name = sa_key_of(sa);

	for (size_t i = list->names[name_bucket(list, &name)]; i != NO_ENTRY;
		i = list->entries[i].next_name) {
		const struct sa *other = list->entries[i].sa;
		struct sa_key key;

		if (!other)
			continue;
		key = sa_key_of(other);
		if (sa_key_equal(&name, &key) &&
			(!address_is_multicast(&sa->dst) || address_equal(&sa->src, &other->src)))
			return &list->entries[i];
	}
	return NULL;
}

/* Bytes of cipher key and salt; 0: a repeated key does no harm. */
static size_t counter_key_len(const struct list *list, const struct sa *sa)
{
	const struct algorithm *alg = alg_find(list->algs, ALG_PROTO_ESP, sa->encr);

	if (sa->proto != SA_PROTO_ESP || !alg || !sa->encr_key ||
		!(alg->flags & (ALG_FLAG_COUNTER | ALG_FLAG_COMBINED)))
		return 0;
	return ((size_t)sa->encr_key_bits + sa->salt_bits) / 8;
}

static bool same_counter_key(const struct list *list, const struct sa *a, const struct sa *b)
{
	size_t len = counter_key_len(list, a);
	const uint8_t *bytes_a = secret_bytes(a->encr_key), *bytes_b;
	uint8_t differs = 0;

	if (len == 0 || counter_key_len(list, b) != len)
		return false;
	bytes_b = secret_bytes(b->encr_key);
	for (size_t i = 0; i < len; i++)
		differs |= bytes_a[i] ^ bytes_b[i];
	return differs == 0;
}

static size_t key_bucket(const struct list *list, const struct sa *sa)
{
	return hash_keyed(&list->hash_key, secret_bytes(sa->encr_key), counter_key_len(list, sa)) &
	       (list->n_buckets - 1);
}

static const struct entry *find_counter_key(const struct list *list, const struct sa *sa)
{
	if (counter_key_len(list, sa) == 0)
		return NULL;
	for (size_t i = list->keys[key_bucket(list, sa)]; i != NO_ENTRY;
		i = list->entries[i].next_key)
		if (list->entries[i].sa && same_counter_key(list, list->entries[i].sa, sa))
			return &list->entries[i];
	return NULL;
}

/* @sa is consumed. */
static int list_add(struct list *list, struct sa *sa, const struct keys_command *command)
{
	struct conf_loc at = command->at;
	struct sa_key name = sa_key_of(sa);
	const struct entry *other = find_same(list, sa);
	struct entry *entry;
	size_t bucket;

	if (other) {
		(void)conf_error(list->diags, at, "key-exists",
			"this association exists already, see line %u", other->at.line);
		sa_free(sa);
		return 0;
	}
	other = find_counter_key(list, sa);
	if (other) {
		(void)conf_error(list->diags, at, "key-reused",
			"counter-mode key and salt are those of line %u: never use them twice",
			other->at.line);
		sa_free(sa);
		return 0;
	}
	if (list->count == list->size) {
		sa_free(sa);
		return -ENOMEM; /* list_init() was given room for all */
	}
	entry = &list->entries[list->count];
	*entry =
		(struct entry){ .sa = sa, .at = at, .times = command->times, .next_key = NO_ENTRY };
	bucket = name_bucket(list, &name);
	entry->next_name = list->names[bucket];
	list->names[bucket] = list->count;
	if (counter_key_len(list, sa) > 0) {
		bucket = key_bucket(list, sa);
		entry->next_key = list->keys[bucket];
		list->keys[bucket] = list->count;
	}
	list->count++;
	return 0;
}

static int carry_out_add(struct list *list, const struct keys_command *command)
{
	int r = 0;

	for (size_t i = 0; i < keys_command_sas(command) && r == 0; i++) {
		struct sa *sa = keys_command_sa(command, i);

		r = sa ? list_add(list, sa, command) : -ENOMEM;
	}
	return r;
}

static void carry_out_flush(struct list *list, const struct keys_command *command)
{
	for (size_t i = 0; i < list->count; i++) {
		struct sa *sa = list->entries[i].sa;
		bool ah = sa && sa->proto == SA_PROTO_AH;

		if (sa && (command->satype == KEYS_SATYPE_ALL ||
				  ah == (command->satype == KEYS_SATYPE_AH)))
			list->entries[i].sa = sa_free(sa);
	}
}

/* The SA that a lookup names; reported when there is none. */
static struct entry *look_up(struct list *list, const struct keys_command *command)
{
	struct sa *sa = command->sa;
	struct entry *entry = NULL;
	struct sa_key name = { .proto = sa->proto, .spi = sa->spi };

	for (size_t i = 0; i < command->n_dsts && !entry; i++) {
		name.dst = command->dsts[i];
		entry = find_name(list, &name);
	}
	if (!entry && list->whole)
		(void)conf_error(list->diags, command->at, "key-absent",
			command->n_dsts ? "this association does not exist"
					: "Need destination address to find the association");
	return entry;
}

static void carry_out_delete(struct list *list, const struct keys_command *command)
{
	struct entry *entry = look_up(list, command);
	struct entry *other = NULL;

	if (!entry)
		return;
	if (command->verb == KEYS_DELETE_PAIR) {
		struct sa_key name = {
			.proto = entry->sa->proto,
			.spi = entry->sa->pair_spi,
			.dst = entry->sa->src,
		};

		other = find_name(list, &name);
		if (!other && list->whole)
			(void)conf_error(list->diags, command->at, "key-pair",
				"the other SA of the pair was not found");
	}
	entry->sa = sa_free(entry->sa);
	if (other)
		other->sa = sa_free(other->sa);
}

/* What the command does not say of times stays as it was said before. */
static void carry_out_times(struct list *list, const struct keys_command *command)
{
	struct entry *entry = look_up(list, command);
	struct keys_times times;

	if (!entry)
		return;
	times = entry->times;
	if (command->given & KEYS_BIT(KEYS_SEND_FROM))
		times.send_from = command->times.send_from;
	if (command->given & KEYS_BIT(KEYS_SEND_UNTIL))
		times.send_until = command->times.send_until;
	if (command->given & KEYS_BIT(KEYS_RECEIVE_UNTIL))
		times.receive_until = command->times.receive_until;
	if (keys_times_stand(&times))
		entry->times = times;
	else
		(void)conf_error(list->diags, command->at, "key-time",
			"these times do not go with those of line %u", entry->at.line);
}

/* A pair has to be there, going the other way, once the file has been read; else no SA is made. */
static void check_pairs(struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct sa *sa = list->entries[i].sa;
		const struct entry *other;
		struct sa_key name;

		if (!sa || sa->pair_spi == 0)
			continue;
		name = (struct sa_key){ .proto = sa->proto, .spi = sa->pair_spi, .dst = sa->src };
		other = find_name(list, &name);
		if (!other && !list->whole)
			continue;
		if (other && address_equal(&other->sa->src, &sa->dst) &&
			(other->sa->pair_spi == 0 || other->sa->pair_spi == sa->spi))
			continue;
		if (!other)
			(void)conf_error(list->diags, list->entries[i].at, "key-pair",
				"no SA going the other way has the SPI that pair-spi names");
		else
			(void)conf_error(list->diags, list->entries[i].at, "key-pair",
				"the SA of line %u cannot be the pair of this one", other->at.line);
		list->entries[i].sa = sa_free(list->entries[i].sa);
	}
}

static int hand_over(struct list *list, struct sa_list **ret_list, struct keys_times **ret_times)
{
	CLEANUP(sa_list_freep) struct sa_list *sas = sa_list_new(list->count);
	CLEANUP(freep) struct keys_times *times = calloc(list->count + 1, sizeof(*times));
	bool timed = false;
	int r;

	if (!sas || !times)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		const struct entry *entry = &list->entries[i];

		if (!entry->sa)
			continue;
		timed |= keys_times_given(&entry->times);
		times[sas->count] = entry->times;
		r = sa_list_add(sas, entry->sa);
		if (r < 0)
			return r;
		list->entries[i].sa = NULL;
	}
	*ret_list = STEAL(sas);
	*ret_times = timed ? STEAL(times) : NULL;
	return 0;
}

int keys_list_build(const struct keys_file *file, const struct alg_table *algs, bool whole,
	struct conf_diags *diags, struct sa_list **ret_list, struct keys_times **ret_times)
{
	CLEANUP(list_done) struct list list = { .algs = algs, .whole = whole, .diags = diags };
	size_t room = 0;
	int r;

	for (size_t i = 0; i < file->count; i++)
		room += keys_command_sas(&file->commands[i]);
	r = list_init(&list, room);
	for (size_t i = 0; i < file->count && r == 0; i++) {
		const struct keys_command *command = &file->commands[i];

		if (command->failed)
			continue;
		if (command->verb == KEYS_ADD)
			r = carry_out_add(&list, command);
		else if (command->verb == KEYS_FLUSH)
			carry_out_flush(&list, command);
		else if (command->verb == KEYS_DELETE || command->verb == KEYS_DELETE_PAIR)
			carry_out_delete(&list, command);
		else if (command->verb == KEYS_UPDATE && command->given & KEYS_TIME_BITS)
			carry_out_times(&list, command);
	}
	if (r < 0)
		return r;
	check_pairs(&list);
	return hand_over(&list, ret_list, ret_times);
}
