/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines once more, asked about the packet inside an ICMP error as if it went the way of the error:
 * who sent the error does not matter, and the maps are the ones that are there.
 */
#ifndef DATAPATH_STEER_ABOUT_H
#define DATAPATH_STEER_ABOUT_H

#include "services/datapath/steer/steer_side.h"

/*
 * Behind steer_side_add_with() for the same lines. Where errors go in has the name that the frame says.
 * Return: 0 or negative errno; not all may be sent yet.
 */
int steer_about_add(struct loading *loading, const struct side *side,
	const struct steer_side *audit, const struct steer_frame *frame) MUST_CHECK;

#endif
