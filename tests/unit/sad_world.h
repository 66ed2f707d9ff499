/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A SAD alone, without its keeper, and entries for it. */
#ifndef UNIT_SAD_WORLD_H
#define UNIT_SAD_WORLD_H

#include "services/datapath/sad/sad.h"
#include "tests/unit/suite.h"

/* Run states live in a real SAD's arena; here the heap does. */
static inline void run_free(struct sad_entry *entry, void *userdata)
{
	size_t *freed = userdata;

	free(entry->run);
	if (freed)
		*freed += 1;
}

static inline struct address addr(const char *text)
{
	struct address out;

	ck_assert_int_eq(address_parse(text, &out), 0);
	return out;
}

static inline struct sad_entry *entry_new(
	uint32_t spi, const char *src, const char *dst, uint8_t directions)
{
	struct sad_entry *entry = sad_entry_new();
	uint8_t key[32] = { 1 };

	ck_assert_ptr_nonnull(entry);
	entry->sa = sa_new();
	entry->sa->proto = SA_PROTO_ESP;
	entry->sa->spi = spi;
	entry->sa->dst = addr(dst);
	entry->sa->src = src ? addr(src) : address_any(entry->sa->dst.family);
	entry->sa->encr = ALG_ENCR_AES_CBC;
	ck_assert_int_eq(secret_new(key, 16, &entry->sa->encr_key), 0);
	entry->sa->encr_key_bits = 128;
	entry->sa->auth = ALG_AUTH_HMAC_SHA256;
	ck_assert_int_eq(secret_new(key, 32, &entry->sa->auth_key), 0);
	entry->sa->auth_key_bits = 256;
	ck_assert_int_eq(suite_of(entry->sa, &entry->suite), 0);
	entry->provider = suite_provider_for(SUITE_CHOICE_AUTO, &entry->suite);
	entry->directions = directions;
	entry->run = calloc(1, sizeof(*entry->run));
	entry->run->state = SA_MATURE;
	return entry;
}

struct fixture {
	struct rcu *rcu;
	struct sad *sad;
};

static inline struct fixture fixture_new(void)
{
	struct fixture f;

	ck_assert_int_eq(rcu_new(&f.rcu), 0);
	f.sad = sad_new(f.rcu);
	ck_assert_ptr_nonnull(f.sad);
	return f;
}

static inline bool remove_one(struct sad_entry *entry, void *userdata)
{
	sad_remove(userdata, entry, run_free, NULL);
	return true;
}

static inline void fixture_done(struct fixture *f)
{
	sad_each(f->sad, remove_one, f->sad);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	sad_free(f->sad);
	rcu_free(f->rcu);
}

static inline struct sad_entry *add(struct fixture *f, struct sad_entry *entry)
{
	ck_assert_int_eq(sad_insert(f->sad, entry), 0);
	return entry;
}

#endif
