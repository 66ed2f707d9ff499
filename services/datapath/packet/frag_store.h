/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inner fragments of a tunnel whose rules name ports: kept until the whole datagram is there, since
 * only the first one shows its ports, and let go together (RFC 4301 section 7.3). Knows no policy.
 */
#ifndef DATAPATH_FRAG_STORE_H
#define DATAPATH_FRAG_STORE_H

#include "services/datapath/packet/counters.h"
#include "services/datapath/packet/packet.h"

#define FRAG_STORE_DATAGRAMS 1024
#define FRAG_STORE_PIECES    1366 /* of one datagram: 65535 octets in pieces of 48 */
#define FRAG_STORE_LIFE_USEC UINT64_C(5000000)

struct frag_store; /* one a tunnel; any thread */

struct frag_store *frag_store_new(void); /* NULL: no memory */
struct frag_store *frag_store_free(struct frag_store *store);
DEFINE_CLEANUP(struct frag_store *, frag_store_free)

/* Fragments of one datagram in the order of their offsets, copied. */
struct frag_train;
struct frag_train *frag_train_free(struct frag_train *train);
DEFINE_CLEANUP(struct frag_train *, frag_train_free)
size_t frag_train_left(const struct frag_train *train);
/* Move the next one into @pkt, which is initialised on its own buffer. False: none is left. */
bool frag_train_next(struct frag_train *train, struct packet *pkt);
/* What is left of a packet cut to @mtu octets; NULL: it must not or cannot be cut. */
struct frag_train *frag_train_cut(struct packet *pkt, size_t mtu, uint32_t id);

struct frag_arrival {
	const struct packet *pkt; /* borrowed, copied */
	const struct packet_view *view; /* says is_fragment */
	enum direction direction;
	uint64_t tag; /* fragments that came by different ways never join: the SA's serial */
	uint64_t now_usec; /* never goes back by more than the threads' skew */
};

/**
 * frag_store_add() - keep a fragment
 * @counters: where others that are lost by this arrival are counted (expired, pushed out)
 * @ret_train: the datagram, when this was the last one missing; the caller's. Else NULL.
 *
 * Return: VERDICT_IN_HELD or VERDICT_OUT_HELD, also with a train; else why the fragment is dropped.
 */
enum verdict frag_store_add(struct frag_store *store, const struct frag_arrival *arrival,
	struct counters *counters, struct frag_train **ret_train);
size_t frag_store_count(struct frag_store *store); /* datagrams */

#endif
