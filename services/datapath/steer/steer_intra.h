/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traffic that stays on this machine: policy without cryptography. The sender's rule attaches its
 * first alternative to the packet as a number in the mark, the receiver's rule must have it too.
 */
#ifndef DATAPATH_STEER_INTRA_H
#define DATAPATH_STEER_INTRA_H

#include "services/datapath/steer/nft.h"
#include "services/datapath/steer/steer_program.h"

/* Chains of both sides, filled; what no line matches is judged at their ends. */
void steer_intra_out(struct nft_batch *batch, const char *chain,
	const struct steer_program *program, bool counted);
void steer_intra_in(struct nft_batch *batch, const char *chain, const struct steer_program *program,
	bool counted);

/* The same for programs that stand in maps, which have chains of their own for each action. */
void steer_intra_mark(struct nft_batch *batch, const char *chain, uint8_t action);
void steer_intra_enter_out(struct nft_batch *batch, const char *chain, const char *then);
/* What is protected: is it by one of the line's actions? */
void steer_intra_alternatives(struct nft_batch *batch, const char *chain,
	const struct steer_program *program, const struct steer_line *line);
/* @clear: where that goes which its sender did not protect. */
void steer_intra_enter_in(
	struct nft_batch *batch, const char *chain, const char *clear, const char *then);

#endif
