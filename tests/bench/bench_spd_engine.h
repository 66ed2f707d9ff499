/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What many rules cost a packet on its way through the whole engine and back. */
#ifndef BENCH_SPD_ENGINE_H
#define BENCH_SPD_ENGINE_H

#include <stddef.h>

#include "common/base/cleanup.h"
#include "tests/bench/bench_rules.h"

/*
 * AES-128-GCM, 1400 octets, batches of 32: sealed and opened under @count rules, in turns with one
 * rule. @ret_ns: a packet under many rules; @ret_ratio: the rate under many to that under one.
 * Return: 0 or negative errno.
 */
int bench_spd_engine(
	struct bench_random *random, size_t count, double *ret_ns, double *ret_ratio) MUST_CHECK;

#endif
