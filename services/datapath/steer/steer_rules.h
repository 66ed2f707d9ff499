/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fixed part of the lid, and the lines of a program, as nftables rules. */
#ifndef DATAPATH_STEER_RULES_H
#define DATAPATH_STEER_RULES_H

#include "services/datapath/steer/nft.h"
#include "services/datapath/steer/steer.h"
#include "services/datapath/steer/steer_plan.h"

struct steer_frame {
	const struct steer_options *options;
	const struct tunnel_table *tunnels; /* NULL: none */
	const char *out_chain, *in_chain; /* where the program's lines stand */
	const char *intra_out_chain, *intra_in_chain; /* of packets on lo; NULL: they pass */
	const char *errors_out_chain, *errors_in_chain; /* of ICMP errors; NULL: as other packets */
	uint16_t log_group; /* 0: none */
	bool diverts;
	bool no_sockets; /* the kernel cannot tell whose socket takes a packet */
	int32_t delay; /* added to the hooks' priorities, so that of two tables one is first */
};

/* The chains that hang on hooks: made if missing, their rules replaced. */
void steer_rules_frame(struct nft_batch *batch, const struct steer_frame *frame);
/* The chains where verdicts lead: made if missing, their rules replaced. */
/* @counted: what counts for no rule has its counters. */
void steer_rules_targets(struct nft_batch *batch, uint16_t log_group, bool counted);
#define STEER_CHAIN_EXPLICIT "explicit"
#define STEER_CHAIN_REFUSED \
	"refused" /* the same outbound, where the engine looks at errors again */
#define STEER_CHAIN_GOT_CLEAR  "got-clear"
#define STEER_CHAIN_MISMATCH   "mismatch" /* on this machine, sender's action is not the receiver's */
#define STEER_CHAIN_GOT_SECURE "got-secure" /* on this machine, protected for nobody */
#define STEER_CHAIN_UNREADABLE "unreadable" /* errors about no one knows what */
/* The chain of a verdict; NULL: accept. */
const char *steer_rules_target(enum steer_verdict verdict);
/* The same for what comes over the network, or goes there. */
const char *steer_rules_way(enum steer_verdict verdict, bool outbound);
/* ICMP errors of a family about other packets than themselves: into a rule in the making. */
void steer_rules_match_errors(struct nft_batch *batch, size_t kind);
#define STEER_ERROR_KINDS 3U
void steer_rules_jump(struct nft_batch *batch, const char *from, const char *to);
/* Packets of a family go through another chain, and come back when nothing there decides. */
void steer_rules_family(struct nft_batch *batch, const char *chain, int family, const char *part);
/* The map of a layer is asked. */
void steer_rules_layer(struct nft_batch *batch, const char *chain, const char *map,
	const struct steer_layer *layer, bool outbound);
/* What a line matches, into the rule in the making. */
void steer_rules_match(struct nft_batch *batch, const struct steer_line *line);
/* One line at the end of a chain. @counter: one that exists, or NULL. @target: NULL: accept. */
void steer_rules_line(struct nft_batch *batch, const char *chain, const struct steer_line *line,
	const char *counter, const char *target);

/* Of the first @bits of an address of @len octets, in @mask; NULL: all of it counts. */
const uint8_t *steer_rules_mask(uint8_t bits, size_t len, uint8_t mask[static 16]);

#endif
