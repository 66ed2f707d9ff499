/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HMAC (RFC 2104) with both key blocks hashed beforehand: a packet starts by copying a hash state,
 * which neither allocates nor looks anything up.
 */
#ifndef DATAPATH_SUITE_HMAC_H
#define DATAPATH_SUITE_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "services/datapath/suite/suite.h"

#define SUITE_HMAC_MAX_DIGEST 64

struct suite_hmac;

/* Return: 0, -ENOTSUP (no such digest), -ENOMEM. The key is not kept. */
int suite_hmac_new(const struct suite_auth *auth, const uint8_t *key, size_t key_len,
	struct suite_hmac **ret_hmac) MUST_CHECK;
struct suite_hmac *suite_hmac_free(struct suite_hmac *hmac); /* cleansed */
DEFINE_CLEANUP(struct suite_hmac *, suite_hmac_free)
/* Over all parts in their order. @ret_icv: auth->icv_bytes. */
void suite_hmac_sum(
	const struct suite_hmac *hmac, const struct suite_part *parts, size_t n, uint8_t *ret_icv);

#endif
