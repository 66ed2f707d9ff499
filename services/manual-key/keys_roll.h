/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Successors of manual SAs: the same but for SPI and keys, and with times for both generations. */
#ifndef MANUAL_KEY_KEYS_ROLL_H
#define MANUAL_KEY_KEYS_ROLL_H

#include "services/manual-key/keys_list.h"

struct keys_roll {
	const struct alg_table *algs;
	uint64_t at_sec; /* successors send from here on, since 1970 */
	uint64_t overlap_sec; /* for so long the others are received still */
	struct address peer; /* SAs with this end alone; AF_UNSPEC: any */
	size_t count; /* SAs that got a successor */
	size_t n_replaced; /* left out: something replaces them already */
	size_t n_directed; /* left out: their direction is another at the other end */
};

/*
 * Commands for the end of the key file. @times: NULL, or of each SA of @list. @for_peer: those for the
 * other end, which are the same but for the words inbound and outbound; NULL: one text is for both
 * ends. Both hold keys afterwards. Return: 0, -EIO (no random bytes), -ENOMEM.
 */
int keys_roll(struct keys_roll *roll, const struct sa_list *list, const struct keys_times *times,
	struct text *text, struct text *for_peer) MUST_CHECK;

#endif
