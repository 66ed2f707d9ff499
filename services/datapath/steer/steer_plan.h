/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the lines of a program stand in the kernel, still abstract. A short program is a list of
 * rules. A long one becomes layers: maps that are asked one after the other, each about lines of one
 * shape (the same fields, masked alike), so that a packet costs a look-up a layer, however many lines
 * there are. Knows no netlink.
 *
 * The first layer that knows a packet decides. That is what the first line would decide, but for
 * this: outbound, a packet may be given to the engine where the first line drops it, and a packet
 * that several lines of one verdict match may be counted for another of them than the first.
 */
#ifndef DATAPATH_STEER_PLAN_H
#define DATAPATH_STEER_PLAN_H

#include "services/datapath/steer/steer_program.h"

#define STEER_LIST_MAX	 64 /* so many lines stand in a list */
#define STEER_LAYERS_MAX 128
#define STEER_KEY_MAX	 40 /* octets */
#define STEER_KEY_FAMILY 4 /* octets of a key that has none of the fields: the family, three zero */
#define STEER_TH_LEN	 4 /* octets of the transport header that lines look at */

/*
 * Fields of a key, in this order, each present or not: protocol in four octets (three are zero), the
 * head of the transport header (two ports, or ICMP type and code), the local address, the remote.
 * All are masked by the layer.
 */
struct steer_layer {
	uint8_t family; /* AF_INET, AF_INET6 */
	bool has_protocol;
	uint8_t th_mask[STEER_TH_LEN]; /* all zero: not looked at */
	uint8_t local_bits, remote_bits; /* 0: not looked at */
	bool ranges; /* elements are ranges of keys: first, and one past the last */
	size_t key_len;
	size_t count; /* elements */
	size_t lines_at, keys_at; /* where they begin in the plan */
};

struct steer_plan {
	size_t n_layers;
	struct steer_layer *layers; /* owned, in the order in which they are asked */
	uint32_t *lines; /* owned: of each element, the line that decides */
	/* Owned: of each element one key, or two where the layer has ranges. No end: all zero. */
	uint8_t *keys;
	size_t n_lines, n_keys; /* in use; n_keys in octets */
	size_t list_from; /* behind the layers, lines from this one on stand in a list */
};

/* @lines: borrowed by the caller of later functions only. Return: 0 or -ENOMEM. */
int steer_plan_new(
	const struct steer_lines *lines, bool outbound, struct steer_plan **ret_plan) MUST_CHECK;
struct steer_plan *steer_plan_free(struct steer_plan *plan);
DEFINE_CLEANUP(struct steer_plan *, steer_plan_free)
bool steer_layer_has_th(const struct steer_layer *layer);

#endif
