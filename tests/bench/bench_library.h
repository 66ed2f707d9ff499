/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bare library: what a program that knows nothing of IPsec would call to encrypt and to sum a
 * text of that length, with a fresh IV, eight octets of AAD, and the key set beforehand.
 */
#ifndef BENCH_LIBRARY_H
#define BENCH_LIBRARY_H

#include "tests/bench/bench_world.h"

struct bench_library;

/* Of the same suite, provider and keys as the world's SA. Return: 0 or negative errno. */
int bench_library_new(
	const struct bench_world *world, struct bench_library **ret_library) MUST_CHECK;
struct bench_library *bench_library_free(struct bench_library *library);
DEFINE_CLEANUP(struct bench_library *, bench_library_free)
/* BENCH_BATCH texts of @len. False: a sum was wrong, or a call failed. */
bool bench_library_seal(struct bench_library *library, size_t len);
bool bench_library_open(struct bench_library *library, size_t len);
/* "openssl 3.0.17" */
void bench_library_version(const struct bench_world *world, struct text *ret_text);

#endif
