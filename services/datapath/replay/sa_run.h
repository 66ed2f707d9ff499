/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SA carries while it runs: sequence number, anti-replay window, counters, times. Lives in
 * the shared arena, in a fixed layout, and so outlives the daemon.
 */
#ifndef DATAPATH_SA_RUN_H
#define DATAPATH_SA_RUN_H

#include <stdatomic.h>
#include <stdint.h>

#define SA_RUN_WINDOW_MAX 8192 /* packets */

/* Little-endian hosts only share it with themselves; layout is checked by static asserts in arena.c. */
struct sa_run {
	/* Outbound. */
	_Atomic uint64_t seq; /* last number given out; the next packet takes seq + 1 */
	_Atomic uint64_t seq_reserved; /* numbers up to here may be used */
	/* Inbound; replay_lock guards top and bitmap. */
	_Atomic uint32_t replay_lock;
	uint32_t window; /* packets, 0: off; a multiple of 32 */
	uint64_t top; /* highest authenticated number */
	/* Counters of both. */
	_Atomic uint64_t packets, bytes; /* bytes: IV, data, padding, 2, as lifetimes count */
	_Atomic uint64_t errors; /* failed ICVs, replays */
	_Atomic uint64_t first_use_usec, last_use_usec; /* CLOCK_BOOTTIME, 0: never */
	_Atomic uint32_t state; /* enum sa_state */
	_Atomic uint32_t events; /* SA_EVENT_*: for the control thread */
	/* NAT-T: the port from which the peer's last authentic packet came, 0: as configured. */
	_Atomic uint32_t peer_port;
	uint32_t told; /* warnings of its end, see sadb_forecast.c */
	uint64_t added_usec; /* CLOCK_BOOTTIME */
	uint64_t added_wall_usec;
	/* A flow that took this shared SA for its own (rules that ask for unique ones), 0: none. */
	_Atomic uint64_t claim;
	/*
	 * Inbound: the disk says that numbers below this one may have been seen, so it and what follows
	 * are not taken before the disk says more; 0: windows are not kept on disk.
	 */
	_Atomic uint64_t top_end;
	_Atomic uint32_t top_low; /* with no more than these left, more is asked for */
	_Atomic uint32_t top_beyond; /* so far behind the end was an authentic number; 0: none */
	uint64_t bitmap[]; /* window / 64 words, rounded up, of the circular window */
};

#define SA_EVENT_SOFT_BYTES 0x1U
#define SA_EVENT_HARD_BYTES 0x2U
#define SA_EVENT_SEQ_HALF   0x4U /* half of the reservation is used: refill */
#define SA_EVENT_SEQ_END    0x8U /* sequence numbers exhausted */
#define SA_EVENT_TRAFFIC    0x10U /* used since the control thread looked last */
#define SA_EVENT_TOP_LOW    0x20U /* an inbound window comes near what is reserved for it */
#define SA_EVENT_MAPPING    0x40U /* the NAT of its peer has another port for it */
/* For what the control thread is woken; the rest waits for its next round. */
#define SA_EVENT_URGENT                                                                     \
	(SA_EVENT_SOFT_BYTES | SA_EVENT_HARD_BYTES | SA_EVENT_SEQ_HALF | SA_EVENT_SEQ_END | \
		SA_EVENT_TOP_LOW | SA_EVENT_MAPPING)

#endif
