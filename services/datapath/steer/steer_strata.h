/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which lines must be asked before which: lines that let a packet through in clear and lines that do
 * not keep their order where they overlap, all others may change places.
 */
#ifndef DATAPATH_STEER_STRATA_H
#define DATAPATH_STEER_STRATA_H

#include "services/datapath/steer/steer_program.h"

#define STEER_STRATA_MAX 8

/*
 * @ret_strata: a number a line, to be freed; the lower is asked first, and lines of one stratum are
 * of one kind. Lines from *ret_placed on would need more than STEER_STRATA_MAX.
 */
int steer_strata(
	const struct steer_lines *lines, uint8_t **ret_strata, size_t *ret_placed) MUST_CHECK;
/* Can a packet match both? */
bool steer_lines_overlap(const struct steer_line *a, const struct steer_line *b);

#endif
