/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The algorithm registry as a value: which numbers and names exist and what sizes they take. Filled
 * from /etc/inet/ipsecalgs; the numbers are those of RFC 2407 section 4.4 and PF_KEY.
 */
#ifndef MODEL_ALGORITHM_H
#define MODEL_ALGORITHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"

#define ALG_PROTO_AH  2 /* authentication algorithms, of AH and of ESP */
#define ALG_PROTO_ESP 3 /* encryption algorithms */

/* Well-known numbers that code has to tell apart from the rest. */
#define ALG_AUTH_NONE	     0
#define ALG_AUTH_HMAC_MD5    2
#define ALG_AUTH_HMAC_SHA1   3
#define ALG_AUTH_HMAC_SHA256 5
#define ALG_AUTH_HMAC_SHA384 6
#define ALG_AUTH_HMAC_SHA512 7
#define ALG_AUTH_AES_XCBC    9
#define ALG_AUTH_AES_GMAC128 11
#define ALG_AUTH_AES_GMAC192 12
#define ALG_AUTH_AES_GMAC256 13
#define ALG_AUTH_AES_CMAC    249
#define ALG_ENCR_NONE	     0
#define ALG_ENCR_DES	     2
#define ALG_ENCR_3DES	     3
#define ALG_ENCR_BLOWFISH    7
#define ALG_ENCR_NULL	     11
#define ALG_ENCR_AES_CBC     12
#define ALG_ENCR_AES_CTR     13
#define ALG_ENCR_AES_CCM8    14
#define ALG_ENCR_AES_CCM12   15
#define ALG_ENCR_AES_CCM16   16
#define ALG_ENCR_AES_GCM8    18
#define ALG_ENCR_AES_GCM12   19
#define ALG_ENCR_AES_GCM16   20
#define ALG_ENCR_AES_GMAC    23
#define ALG_ENCR_CHACHA20    28

#define ALG_FLAG_VALID	  0x01U
#define ALG_FLAG_COUNTER  0x02U
#define ALG_FLAG_COMBINED 0x04U
#define ALG_FLAG_CCM	  0x08U
#define ALG_FLAG_GCM	  0x10U

#define ALG_MAX_NAMES	8
#define ALG_NAME_MAX	40 /* with its NUL */
#define ALG_MAX_KEYS	8
#define ALG_MAX_ENTRIES 512 /* per table, both protocols */
#define ALG_CPU_ALL	100

struct algorithm {
	uint8_t proto; /* ALG_PROTO_* */
	uint8_t number;
	uint8_t n_names;
	char names[ALG_MAX_NAMES][ALG_NAME_MAX]; /* the first is primary */
	char mechanism[ALG_NAME_MAX]; /* CKM_..., or "" */
	uint16_t key_default_bits; /* 0: takes no key */
	uint16_t key_min_bits, key_max_bits;
	uint16_t key_increment_bits; /* 0: an enumeration, in key_sizes_bits */
	uint16_t key_sizes_bits[ALG_MAX_KEYS]; /* first is the default; 0 ends it when shorter */
	uint16_t block_bytes; /* block of a cipher, MAC length of an authentication algorithm */
	uint16_t iv_bytes; /* the block when the file gives none */
	uint16_t icv_bytes; /* combined ciphers */
	uint16_t salt_bytes;
	uint32_t flags; /* ALG_FLAG_* */
};

/* Where packets are worked, and how much of the machine that may take. */
struct alg_execution {
	bool ah_async, esp_async; /* by the packet workers; else by the control thread */
	uint8_t cpu_percent; /* of all CPUs, 1 to 100 */
};

/* Immutable once filled. */
struct alg_table {
	struct alg_execution execution;
	size_t count;
	struct algorithm entries[]; /* in file order */
};

/* Of asynchronous protocols that may take all CPUs. NULL: no memory. */
struct alg_table *alg_table_new(const struct algorithm *entries, size_t count);
struct alg_table *alg_table_free(struct alg_table *table);
DEFINE_CLEANUP(struct alg_table *, alg_table_free)

/* NULL when there is none. Names compare without case. */
const struct algorithm *alg_find(const struct alg_table *table, uint8_t proto, uint8_t number);
const struct algorithm *alg_find_name(
	const struct alg_table *table, uint8_t proto, const char *name, size_t len);
bool alg_is_combined(const struct algorithm *alg);
/* Is this a key size (without salt) that the algorithm takes, increment and list included? */
bool alg_takes_key(const struct algorithm *alg, unsigned int bits);
/* Known to be broken or short: DES, 3DES, Blowfish, HMAC-MD5. */
bool alg_is_weak(uint8_t proto, uint8_t number);
/* One of those above: there is code that computes it. Others may stand in the registry, too. */
bool alg_is_known(uint8_t proto, uint8_t number);
/* An authentication algorithm that ESP must not combine with a cipher (RFC 4543 section 5.3): GMAC. */
bool alg_is_ah_only(uint8_t number);
/* Primary name, or the number when the table has none. */
void alg_print(const struct alg_table *table, uint8_t proto, uint8_t number, struct text *text);

#endif
