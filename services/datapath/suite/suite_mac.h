/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integrity alone, over octets that need not lie together: HMAC, AES-XCBC (RFC 3566), AES-CMAC
 * (RFC 4494) and AES-GMAC (RFC 4543) behind one interface. Prepared once; a sum allocates nothing.
 */
#ifndef DATAPATH_SUITE_MAC_H
#define DATAPATH_SUITE_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "services/datapath/suite/suite.h"

struct suite_mac;

/*
 * @key: row->key_bytes octets, for GMAC with the salt behind the AES key; it is not kept.
 * One object belongs to one thread at a time.
 * Return: 0, -EINVAL (key length), -ENOTSUP (the library lacks it), -EIO (refused), -ENOMEM.
 */
int suite_mac_new(const struct suite_auth *row, const uint8_t *key, size_t key_len,
	struct suite_mac **ret_mac) MUST_CHECK;
struct suite_mac *suite_mac_free(struct suite_mac *mac); /* cleansed */
DEFINE_CLEANUP(struct suite_mac *, suite_mac_free)

/*
 * Sum of all parts in their order. @iv: row->iv_bytes octets (GMAC; unique under the key), else
 * unused. @ret_icv: row->icv_bytes octets, for GMAC the tag alone.
 * False: the library failed, and nothing may be sent or believed.
 */
bool suite_mac_sum(struct suite_mac *mac, const uint8_t *iv, const struct suite_part *parts,
	size_t n, uint8_t *ret_icv) MUST_CHECK;

#endif
