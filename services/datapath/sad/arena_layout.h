/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of the arena's file. One page of header, then chunks of equal size; every chunk holds slots
 * of one size, its first slot is the chunk's own header. A slot is a head, the run state with its
 * window, and the SA's record behind. Numbers are in the order of the host: the file never leaves it.
 */
#ifndef DATAPATH_ARENA_LAYOUT_H
#define DATAPATH_ARENA_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/snapshot/snapshot.h"
#include "services/datapath/replay/sa_run.h"

#define ARENA_MAGIC	   UINT64_C(0x31414e4552414e49)
#define ARENA_VERSION	   3U
#define ARENA_HEADER_BYTES 4096U
#define ARENA_CHUNK_BYTES  (UINT32_C(256) << 10)
#define ARENA_CHUNK_MAGIC  UINT32_C(0x4b4e4843)
#define ARENA_MAX_CHUNKS   32768U
#define ARENA_CLASSES	   4U /* slots of 512, 1024, 2048, 4096 octets */
#define ARENA_SLOT_MIN	   512U
#define ARENA_RECORD_ROOM  SNAPSHOT_SA_MAX_BYTES

/* States of a slot. The record of a dying one is being wiped. */
#define ARENA_SLOT_FREE	 0U
#define ARENA_SLOT_USED	 UINT32_C(0x44455355)
#define ARENA_SLOT_DYING UINT32_C(0x44454946)

/* An update is written here whole before it is copied over the old record. */
struct arena_journal {
	_Atomic uint32_t valid; /* 1: not copied yet */
	uint32_t len;
	uint64_t slot;
	uint64_t check; /* of the record */
	uint8_t record[ARENA_RECORD_ROOM];
};

struct arena_header {
	uint64_t magic;
	uint32_t version;
	uint32_t chunk_bytes;
	uint32_t run_bytes, slot_head_bytes; /* sizes of the structs: another build is foreign */
	uint64_t next_order;
	uint64_t flow_key[2]; /* of claims */
	struct arena_journal journal;
};

struct arena_chunk_head {
	uint32_t magic;
	uint32_t slot_bytes;
};

/* The run state with its bitmap follows, then, at arena_record_at(), the record. */
struct arena_slot {
	_Atomic uint32_t state;
	uint32_t record_len;
	uint32_t window;
	uint8_t directions;
	uint8_t zeros[3];
	uint64_t order; /* of addition */
	uint64_t check; /* of the record */
	uint8_t more[32];
};

_Static_assert(sizeof(struct arena_header) <= ARENA_HEADER_BYTES, "the header is one page");
_Static_assert(sizeof(struct arena_slot) == 64, "the run state starts a cache line");
_Static_assert(sizeof(struct sa_run) == 128, "run states are shared with former lives");
_Static_assert(offsetof(struct sa_run, top) == 24, "run states are shared with former lives");
_Static_assert(offsetof(struct sa_run, state) == 72, "run states are shared with former lives");
_Static_assert(offsetof(struct sa_run, bitmap) == 128, "run states are shared with former lives");

static inline struct sa_run *arena_run_of(struct arena_slot *slot)
{
	return (void *)(slot + 1);
}

/* Where the record of a slot begins. */
static inline size_t arena_record_at(uint32_t window)
{
	size_t end = sizeof(struct arena_slot) + sizeof(struct sa_run) +
		     ((size_t)window + 63) / 64 * sizeof(uint64_t);

	return (end + 63) / 64 * 64;
}

#endif
