/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host's own protocols may do in clear, whatever policy says: chains that can be changed
 * while a program stays. Answers to echo requests go out as the request came.
 */
#ifndef DATAPATH_STEER_EXEMPT_H
#define DATAPATH_STEER_EXEMPT_H

#include "services/datapath/steer/nft.h"
#include "services/datapath/steer/steer.h"

#define STEER_EXEMPT_IN	 "exempt-in"
#define STEER_EXEMPT_OUT "exempt-out"

/* The chains: made if missing, their rules replaced. */
void steer_exempt_add(struct nft_batch *batch, const struct steer_tunables *tunables);

#endif
