/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one map of packet and connection marks. Bits 16-23 are left to others; base and mask can be
 * moved in datapath.cfg, these are the defaults.
 */
#ifndef COMMON_MARKS_H
#define COMMON_MARKS_H

#include <stdint.h>

/* Packet marks, three flags in one nibble. */
#define MARK_PROTECT   UINT32_C(0x01000000) /* routed to the engine */
#define MARK_BYPASS    UINT32_C(0x02000000) /* sent by the engine or the key manager itself */
#define MARK_DECRYPTED UINT32_C(0x04000000) /* written back by the engine */
#define MARK_FLAGS     UINT32_C(0x07000000)
/* Per-socket policy: 0 is none, else an index into the table of requests. */
#define MARK_SOCKET_SHIFT 8
#define MARK_SOCKET_MASK  UINT32_C(0x0000ff00)
/* The same bits of a packet on `lo`, behind the output chain: the action that its sender's rule asks for. */
#define MARK_INTRA_SHIFT MARK_SOCKET_SHIFT
#define MARK_INTRA_MASK	 MARK_SOCKET_MASK
#define MARK_ALL	 (MARK_FLAGS | MARK_SOCKET_MASK)

/* Connection marks. */
#define CTMARK_ECHO_CLEAR UINT32_C(0x01000000) /* the request came in clear, so may the reply go */
#define CTMARK_LATCHED	  UINT32_C(0x02000000)

#endif
