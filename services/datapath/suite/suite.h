/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cipher and integrity algorithm together, as one row each: sizes, RFC, how the nonce is made; and
 * the prepared state with which a provider seals and opens batches of ESP packets.
 */
#ifndef DATAPATH_SUITE_H
#define DATAPATH_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/sa.h"

#define SUITE_MAX_IV  16
#define SUITE_MAX_ICV 32

enum suite_iv { SUITE_IV_NONE, SUITE_IV_RANDOM, SUITE_IV_COUNTER };

/* How key, nonce, text and ICV go together; SUITE_MODE_GMAC sums and enciphers nothing. */
enum suite_mode {
	SUITE_MODE_NULL,
	SUITE_MODE_CBC,
	SUITE_MODE_CTR,
	SUITE_MODE_CCM,
	SUITE_MODE_AEAD, /* GCM, ChaCha20-Poly1305 */
	SUITE_MODE_GMAC,
};

#define SUITE_KEY_SIZES 3

struct suite_key_size {
	uint16_t bits; /* 0: no further size */
	const char *evp; /* OpenSSL's name of the cipher */
};

struct suite_cipher {
	uint8_t encr; /* ALG_ENCR_* */
	const char *name; /* "aes-gcm-16" */
	const char *rfc;
	enum suite_mode mode;
	struct suite_key_size sizes[SUITE_KEY_SIZES]; /* rising */
	uint8_t block_bytes, iv_bytes, salt_bytes;
	uint8_t icv_bytes; /* combined mode; 0: integrity apart */
	enum suite_iv iv;
	bool legacy; /* OpenSSL has it in its legacy provider only */
};

enum suite_mac_kind { SUITE_MAC_HMAC, SUITE_MAC_XCBC, SUITE_MAC_CMAC, SUITE_MAC_GMAC };

struct suite_auth {
	uint8_t auth; /* ALG_AUTH_* */
	const char *name; /* "hmac-sha2-256-128" */
	const char *rfc;
	enum suite_mac_kind mac;
	const char *evp; /* OpenSSL's name of the digest or the cipher */
	uint8_t key_bytes; /* GMAC: with its salt */
	uint8_t icv_bytes; /* the sum as sent */
	uint8_t iv_bytes; /* sent in front of the sum, in AH's field for both: GMAC, of AH alone */
};

/* A run of octets of something that is summed; an empty one may have no address. */
struct suite_part {
	const uint8_t *bytes;
	size_t len;
};

/* What packet code needs to know; derived once from the SA. */
struct suite {
	const struct suite_cipher *cipher;
	const struct suite_auth *auth; /* NULL: none, or combined */
	uint16_t key_bits;
	uint8_t iv_bytes, icv_bytes;
	uint8_t align; /* payload, padding and the two trailer octets are a multiple of this */
};

/* Return: 0, -ENOTSUP (no row), -EINVAL (key sizes do not fit, or NULL without integrity). */
int suite_of(const struct sa *sa, struct suite *ret_suite) MUST_CHECK;
const struct suite_cipher *suite_cipher_row(uint8_t encr); /* NULL: none */
const struct suite_auth *suite_auth_row(uint8_t auth);

/* OpenSSL's name of the cipher at this key size; NULL: the size is not taken, or there is no cipher. */
const char *suite_evp_cipher(const struct suite *suite);

/* Prepared state of one SA for one worker; allocation happens here only. */
struct suite_context;
/* Return: 0, as suite_of(), -EIO (the provider refused the key), -ENOMEM. */
int suite_context_new(const struct sa *sa, struct suite_context **ret_context) MUST_CHECK;
struct suite_context *suite_context_free(struct suite_context *context);
DEFINE_CLEANUP(struct suite_context *, suite_context_free)

/* One ESP packet: SPI, sequence, IV, payload with padding and trailer, room for the ICV. */
struct suite_job {
	uint8_t *esp; /* at the SPI */
	size_t text_len; /* octets between IV and ICV */
	uint64_t seq; /* 64-bit number; the high half is authenticated when esn */
	bool esn;
	bool iv_given; /* seal: the IV octets are there; SUITE_IV_COUNTER always has them there */
	bool ok; /* set by open: authentic; by seal: done */
};
/*
 * Make a random IV unless it is given, encrypt in place, write the ICV behind the text. An SA without
 * any ICV is a row like the others (RFC 4303 section 3.3.2.1): its open says ok to everything.
 */
void suite_seal(struct suite_context *context, struct suite_job *jobs, size_t n);
/* Verify, then decrypt in place; a job that is not ok has its text wiped or untouched. */
void suite_open(struct suite_context *context, struct suite_job *jobs, size_t n);

#endif
