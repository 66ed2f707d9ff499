/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DES keys: parity bits that carry no key, and the keys that must not be used (FIPS 74, RFC 2405). */
#ifndef MODEL_DES_KEY_H
#define MODEL_DES_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DES_KEY_BYTES 8

/* Odd parity in each octet; the other bits stay. */
void des_key_set_parity(uint8_t *bytes, size_t len);
/* Equal but for parity? All octets are looked at. */
bool des_key_equal(const uint8_t a[static DES_KEY_BYTES], const uint8_t b[static DES_KEY_BYTES]);
/* One of the four weak or twelve semi-weak keys? Parity is not looked at. */
bool des_key_is_weak(const uint8_t key[static DES_KEY_BYTES]);
/* RFC 2451 section 2.3: two equal keys in a row leave single DES. */
bool des_key_is_weak_triple(const uint8_t key[static 3 * DES_KEY_BYTES]);

#endif
