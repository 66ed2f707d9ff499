/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hashes: a keyed one for tables that strangers fill, a plain one for names that must not change. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/* A random key from getrandom(2). */
void hash_key_random(struct hash_key *ret_key);
/* SipHash-1-3 of the bytes. */
uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t len);
/* FNV-1a 64: the same on every machine and in every version; never for hostile input. */
uint64_t hash_stable(const void *bytes, size_t len);

#endif
