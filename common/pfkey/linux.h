/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PF_KEY version 2 in the numbering of Linux (<linux/pfkeyv2.h>): a second way to write the same typed
 * messages. What both numberings share is in numbers.h; here is what differs. Knows no sockets.
 *
 * An SA's selectors are not told in this numbering: transport mode takes all protocols, tunnel mode
 * all inner addresses of one family, or those of ADDRESS_PROXY at the source. Extensions of ours
 * carry the rest: WINDOW, PADDING and DUMMY as in numbers.h, and ESN.
 */
#ifndef PFKEY_LINUX_H
#define PFKEY_LINUX_H

#include "common/pfkey/pfkey.h"

/*
 * Types up to X_PROMISC are those of RFC 2367. Above, the two numberings mean different messages by
 * one number, so in struct pfkey_message those of Linux have a bit of their own.
 */
#define PFKEY_LINUX_BIT 0x80U
/* clang-format off */
#define PFKEY_LINUX_TYPES(X)             \
	X(13, SPDUPDATE,         "X_SPDUPDATE")         \
	X(14, SPDADD,            "X_SPDADD")            \
	X(15, SPDDELETE,         "X_SPDDELETE")         \
	X(16, SPDGET,            "X_SPDGET")            \
	X(17, SPDACQUIRE,        "X_SPDACQUIRE")        \
	X(18, SPDDUMP,           "X_SPDDUMP")           \
	X(19, SPDFLUSH,          "X_SPDFLUSH")          \
	X(20, SPDSETIDX,         "X_SPDSETIDX")         \
	X(21, SPDEXPIRE,         "X_SPDEXPIRE")         \
	X(22, SPDDELETE2,        "X_SPDDELETE2")        \
	X(23, NAT_T_NEW_MAPPING, "X_NAT_T_NEW_MAPPING") \
	X(24, MIGRATE,           "X_MIGRATE")
/* clang-format on */

#define PFKEY_LINUX_TYPE_ENUM(number, ID, name) PFKEY_LINUX_##ID = PFKEY_LINUX_BIT | (number),
enum pfkey_linux_type { PFKEY_LINUX_TYPES(PFKEY_LINUX_TYPE_ENUM) PFKEY_LINUX_TYPE_END };
#undef PFKEY_LINUX_TYPE_ENUM

/* Extensions that the other numbering does not have; their bits of `present`. */
#define PFKEY_LINUX_HAS_POLICY	  (UINT64_C(1) << 48)
#define PFKEY_LINUX_HAS_SA2	  (UINT64_C(1) << 49)
#define PFKEY_LINUX_HAS_NATT_TYPE (UINT64_C(1) << 50)
#define PFKEY_LINUX_HAS_SPORT	  (UINT64_C(1) << 51)
#define PFKEY_LINUX_HAS_DPORT	  (UINT64_C(1) << 52)
#define PFKEY_LINUX_HAS_ESN	  (UINT64_C(1) << 53)
#define PFKEY_LINUX_HAS_KMADDRESS (UINT64_C(1) << 54)

#define PFKEY_LINUX_EXT_KMPRIVATE 17
#define PFKEY_LINUX_EXT_POLICY	  18
#define PFKEY_LINUX_EXT_SA2	  19
#define PFKEY_LINUX_EXT_NATT_TYPE 20
#define PFKEY_LINUX_EXT_SPORT	  21
#define PFKEY_LINUX_EXT_DPORT	  22
#define PFKEY_LINUX_EXT_OA	  23
#define PFKEY_LINUX_EXT_SEC_CTX	  24
#define PFKEY_LINUX_EXT_KMADDRESS 25
#define PFKEY_LINUX_EXT_FILTER	  26
#define PFKEY_LINUX_EXT_ESN	  131 /* ours: 64-bit sequence numbers; one unit */

#define PFKEY_LINUX_POLICY_BYTES  16 /* before the requests */
#define PFKEY_LINUX_REQUEST_BYTES 16 /* before its two sockaddrs */
#define PFKEY_LINUX_SA2_BYTES	  16

#define PFKEY_LINUX_POLICY_DISCARD 0
#define PFKEY_LINUX_POLICY_NONE	   1
#define PFKEY_LINUX_POLICY_IPSEC   2

#define PFKEY_LINUX_DIR_IN  1
#define PFKEY_LINUX_DIR_OUT 2
#define PFKEY_LINUX_DIR_FWD 3

#define PFKEY_LINUX_MODE_ANY	   0
#define PFKEY_LINUX_MODE_TRANSPORT 1
#define PFKEY_LINUX_MODE_TUNNEL	   2

#define PFKEY_LINUX_LEVEL_DEFAULT 0
#define PFKEY_LINUX_LEVEL_USE	  1
#define PFKEY_LINUX_LEVEL_REQUIRE 2
#define PFKEY_LINUX_LEVEL_UNIQUE  3

#define PFKEY_LINUX_PROTO_ANY 255
#define PFKEY_LINUX_AUTH_NULL 251 /* "none", where Solaris has 0 */

/* SPIs that GETSPI draws from when the request names none. */
#define PFKEY_LINUX_SPI_MIN 0x100U
#define PFKEY_LINUX_SPI_MAX 0x0fffffffU

/* As pfkey_decode_base(). */
int pfkey_linux_decode_base(
	const void *bytes, size_t len, struct pfkey_message *ret_msg) MUST_CHECK;
/*
 * As pfkey_decode(). sa->natt_*_port are left alone: natt_src_port and natt_dst_port are of the SA's
 * ends, and only its direction tells which of them is ours.
 */
int pfkey_linux_decode(const void *bytes, size_t len, enum pfkey_side side,
	struct pfkey_message **ret_msg, struct pfkey_fault *ret_fault) MUST_CHECK;
/*
 * As pfkey_encode(). What this numbering cannot say is left out: identities, inner addresses at the
 * destination, pairs, cookies, idle limits. -EINVAL: a type that it does not have.
 */
int pfkey_linux_encode(const struct pfkey_message *msg, enum pfkey_side side, uint8_t *buffer,
	size_t size, size_t *ret_len) MUST_CHECK;

/* "X_SPDADD", and the names of pfkey_type_name(); NULL for unknown types. */
const char *pfkey_linux_type_name(uint8_t type);

#endif
