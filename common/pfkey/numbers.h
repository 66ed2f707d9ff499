/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of PF_KEY: those of RFC 2367, and above its range those of Solaris. Numbers of our own
 * start at 128 (extensions) and use a flag bit that Solaris leaves free.
 */
#ifndef PFKEY_NUMBERS_H
#define PFKEY_NUMBERS_H

#include <stdint.h>

#define PFKEY_VERSION 2

/* Number, name as it prints. */
/* clang-format off */
#define PFKEY_TYPES(X)                                 \
	X(1,  GETSPI,            "GETSPI")             \
	X(2,  UPDATE,            "UPDATE")             \
	X(3,  ADD,               "ADD")                \
	X(4,  DELETE,            "DELETE")             \
	X(5,  GET,               "GET")                \
	X(6,  ACQUIRE,           "ACQUIRE")            \
	X(7,  REGISTER,          "REGISTER")           \
	X(8,  EXPIRE,            "EXPIRE")             \
	X(9,  FLUSH,             "FLUSH")              \
	X(10, DUMP,              "DUMP")               \
	X(11, X_PROMISC,         "X_PROMISC")          \
	X(12, X_INVERSE_ACQUIRE, "X_INVERSE_ACQUIRE")  \
	X(13, X_UPDATEPAIR,      "UPDATE PAIR")        \
	X(14, X_DELPAIR,         "DELETE PAIR")        \
	X(15, X_DELPAIR_STATE,   "DELETE PAIR STATE")

#define PFKEY_TYPE_ENUM(number, ID, name) PFKEY_##ID = (number),
enum pfkey_type { PFKEY_TYPES(PFKEY_TYPE_ENUM) PFKEY_TYPE_END };
#undef PFKEY_TYPE_ENUM

enum pfkey_satype { PFKEY_SATYPE_UNSPEC = 0, PFKEY_SATYPE_AH = 2, PFKEY_SATYPE_ESP = 3 };

enum pfkey_extension {
	PFKEY_EXT_SA = 1,
	PFKEY_EXT_LIFETIME_CURRENT, PFKEY_EXT_LIFETIME_HARD, PFKEY_EXT_LIFETIME_SOFT,
	PFKEY_EXT_ADDRESS_SRC, PFKEY_EXT_ADDRESS_DST, PFKEY_EXT_INNER_SRC,
	PFKEY_EXT_KEY_AUTH, PFKEY_EXT_KEY_ENCRYPT,
	PFKEY_EXT_IDENTITY_SRC, PFKEY_EXT_IDENTITY_DST,
	PFKEY_EXT_SENSITIVITY, PFKEY_EXT_PROPOSAL,
	PFKEY_EXT_SUPPORTED_AUTH, PFKEY_EXT_SUPPORTED_ENCRYPT,
	PFKEY_EXT_SPIRANGE = 16,
	PFKEY_EXT_EREG, PFKEY_EXT_EPROP, PFKEY_EXT_KM_COOKIE,
	PFKEY_EXT_NATT_LOC, PFKEY_EXT_NATT_REM, PFKEY_EXT_INNER_DST,
	PFKEY_EXT_PAIR, PFKEY_EXT_REPLAY_VALUE, PFKEY_EXT_EDUMP,
	PFKEY_EXT_LIFETIME_IDLE, PFKEY_EXT_OUTER_SENS,
	/* Ours: replay window of any size; on the wire its number is PFKEY_WINDOW_NUMBER. */
	PFKEY_EXT_WINDOW,
	/* Ours: traffic flow padding; on the wire PFKEY_PADDING_NUMBER. */
	PFKEY_EXT_PADDING,
	/* Ours: dummy packets; on the wire PFKEY_DUMMY_NUMBER. */
	PFKEY_EXT_DUMMY,
	/* Ours: check value of keys that are not told; on the wire PFKEY_CHECK_NUMBER. */
	PFKEY_EXT_CHECK,
	/* Ours: ports of UDP encapsulation without addresses; on the wire PFKEY_PORTS_NUMBER. */
	PFKEY_EXT_NATT_PORTS,
	PFKEY_EXT_END
};
/* clang-format on */
#define PFKEY_WINDOW_NUMBER  128
#define PFKEY_PADDING_NUMBER 129
#define PFKEY_DUMMY_NUMBER   130
#define PFKEY_CHECK_NUMBER   131
#define PFKEY_PORTS_NUMBER   132

#define PFKEY_BIT(extension) (UINT64_C(1) << (extension))

/* Sizes in octets of what stands on the wire. */
#define PFKEY_UNIT	      8
#define PFKEY_SA_BYTES	      16
#define PFKEY_LIFETIME_BYTES  32
#define PFKEY_ADDRESS_BYTES   8 /* before the sockaddr */
#define PFKEY_KEY_BYTES	      8 /* before the key */
#define PFKEY_IDENTITY_BYTES  16 /* before the string */
#define PFKEY_SENS_BYTES      16
#define PFKEY_PROPOSAL_BYTES  8
#define PFKEY_COMB_BYTES      72
#define PFKEY_SUPPORTED_BYTES 8
#define PFKEY_ALGORITHM_BYTES 8
#define PFKEY_RANGE_BYTES     16
#define PFKEY_ECOMB_BYTES     64
#define PFKEY_ALGDESC_BYTES   8
#define PFKEY_KMC_BYTES	      16
#define PFKEY_PAIR_BYTES      8
#define PFKEY_EREG_BYTES      8
#define PFKEY_REPLAY_BYTES    16
#define PFKEY_EDUMP_BYTES     16
#define PFKEY_WINDOW_BYTES    16
#define PFKEY_PADDING_BYTES   16
#define PFKEY_DUMMY_BYTES     16
#define PFKEY_CHECK_BYTES     16
#define PFKEY_PORTS_BYTES     8

/* What an algorithm of an extended proposal is for. */
#define PFKEY_ALGORITHM_AUTH  1
#define PFKEY_ALGORITHM_CRYPT 2

#define PFKEY_STATE_ACTIVE_ELSEWHERE 4
#define PFKEY_STATE_IDLE	     5
#define PFKEY_STATE_ACTIVE	     6

#define PFKEY_IDENTITY_PREFIX	 1
#define PFKEY_IDENTITY_FQDN	 2
#define PFKEY_IDENTITY_USER_FQDN 3
#define PFKEY_IDENTITY_DN	 4
#define PFKEY_IDENTITY_GN	 5
#define PFKEY_IDENTITY_KEY_ID	 6
#define PFKEY_IDENTITY_RANGE	 7

#define PFKEY_SAF_PFS	   UINT32_C(0x00000001)
#define PFKEY_SAF_NOREPLAY UINT32_C(0x00000002)
#define PFKEY_SAF_ESN	   UINT32_C(0x00000400) /* ours: 64-bit sequence numbers */
#define PFKEY_SAF_NATTED \
	UINT32_C(0x00001000) /* settable here: UDP encapsulation without addresses */
#define PFKEY_SAF_INBOUND  UINT32_C(0x00004000)
#define PFKEY_SAF_OUTBOUND UINT32_C(0x00008000)
#define PFKEY_SAF_PAIRED   UINT32_C(0x00010000)
#define PFKEY_SAF_TUNNEL   UINT32_C(0x00020000)
#define PFKEY_SAF_NATT_REM UINT32_C(0x00080000)
#define PFKEY_SAF_NATT_LOC UINT32_C(0x00100000)
#define PFKEY_SAF_EALG2	   UINT32_C(0x04000000)
#define PFKEY_SAF_EALG1	   UINT32_C(0x08000000)
#define PFKEY_SAF_AALG2	   UINT32_C(0x10000000)
#define PFKEY_SAF_AALG1	   UINT32_C(0x20000000)
#define PFKEY_SAF_UNIQUE   UINT32_C(0x40000000)
#define PFKEY_SAF_USED	   UINT32_C(0x80000000)
/* What a client may set. */
#define PFKEY_SAF_SETTABLE                                                             \
	(PFKEY_SAF_NOREPLAY | PFKEY_SAF_ESN | PFKEY_SAF_INBOUND | PFKEY_SAF_OUTBOUND | \
		PFKEY_SAF_TUNNEL | PFKEY_SAF_NATT_LOC | PFKEY_SAF_NATT_REM | PFKEY_SAF_NATTED)

/* Codes that stand in the reserved field of an error answer. */
/* clang-format off */
#define PFKEY_DIAGNOSTICS(X)                                                                       \
	X(0,  NONE,                 "No diagnostic information")                                   \
	X(1,  UNKNOWN_MSG,          "Unknown message type")                                        \
	X(2,  UNKNOWN_EXT,          "Unknown extension type")                                      \
	X(3,  BAD_EXTLEN,           "Bad extension length")                                        \
	X(4,  UNKNOWN_SATYPE,       "Unknown SA type")                                             \
	X(5,  SATYPE_NEEDED,        "A specific SA type is needed")                                \
	X(6,  NO_SADBS,             "No SA databases are there")                                   \
	X(7,  NO_EXT,               "No extension may be present")                                 \
	X(8,  BAD_SRC_AF,           "Bad source address family")                                   \
	X(9,  BAD_DST_AF,           "Bad destination address family")                              \
	X(10, BAD_INNER_SRC_AF,     "Bad inner source or proxy address family")                    \
	X(11, AF_MISMATCH,          "Source and destination address families differ")              \
	X(12, BAD_SRC,              "Bad source address")                                          \
	X(13, BAD_DST,              "Bad destination address")                                     \
	X(14, ALLOC_HSERR,          "Soft allocations limit above the hard one")                   \
	X(15, BYTES_HSERR,          "Soft bytes limit above the hard one")                         \
	X(16, ADDTIME_HSERR,        "Soft or idle add time limit above the hard one")              \
	X(17, USETIME_HSERR,        "Soft or idle use time limit above the hard one")              \
	X(18, MISSING_SRC,          "Missing source address")                                      \
	X(19, MISSING_DST,          "Missing destination address")                                 \
	X(20, MISSING_SA,           "Missing SA extension")                                        \
	X(21, MISSING_EKEY,         "Missing encryption key")                                      \
	X(22, MISSING_AKEY,         "Missing authentication key")                                  \
	X(23, MISSING_RANGE,        "Missing SPI range")                                           \
	X(24, DUPLICATE_SRC,        "Duplicate source address")                                    \
	X(25, DUPLICATE_DST,        "Duplicate destination address")                               \
	X(26, DUPLICATE_SA,         "Duplicate SA extension")                                      \
	X(27, DUPLICATE_EKEY,       "Duplicate encryption key")                                    \
	X(28, DUPLICATE_AKEY,       "Duplicate authentication key")                                \
	X(29, DUPLICATE_RANGE,      "Duplicate SPI range")                                         \
	X(30, MALFORMED_SRC,        "Malformed source address")                                    \
	X(31, MALFORMED_DST,        "Malformed destination address")                               \
	X(32, MALFORMED_SA,         "Malformed SA extension")                                      \
	X(33, MALFORMED_EKEY,       "Malformed encryption key")                                    \
	X(34, MALFORMED_AKEY,       "Malformed authentication key")                                \
	X(35, MALFORMED_RANGE,      "Malformed SPI range")                                         \
	X(36, AKEY_PRESENT,         "Authentication key not needed")                               \
	X(37, EKEY_PRESENT,         "Encryption key not needed")                                   \
	X(38, PROP_PRESENT,         "Proposal extension not allowed")                              \
	X(39, SUPP_PRESENT,         "Supported algorithms extension not allowed")                  \
	X(40, BAD_AALG,             "Unsupported authentication algorithm")                        \
	X(41, BAD_EALG,             "Unsupported encryption algorithm")                            \
	X(42, BAD_SAFLAGS,          "Invalid SA flags")                                            \
	X(43, BAD_SASTATE,          "Invalid SA state")                                            \
	X(44, BAD_AKEYBITS,         "Bad number of authentication key bits")                       \
	X(45, BAD_EKEYBITS,         "Bad number of encryption key bits")                           \
	X(46, ENCR_NOTSUPP,         "Encryption not supported for this SA type")                   \
	X(47, WEAK_EKEY,            "Weak encryption key")                                         \
	X(48, WEAK_AKEY,            "Weak authentication key")                                     \
	X(49, DUPLICATE_KMP,        "Duplicate key management protocol")                           \
	X(50, DUPLICATE_KMC,        "Duplicate key management cookie")                             \
	X(51, MISSING_NATT_LOC,     "Missing NAT-T local address")                                 \
	X(52, MISSING_NATT_REM,     "Missing NAT-T remote address")                                \
	X(53, DUPLICATE_NATT_LOC,   "Duplicate NAT-T local address")                               \
	X(54, DUPLICATE_NATT_REM,   "Duplicate NAT-T remote address")                              \
	X(55, MALFORMED_NATT_LOC,   "Malformed NAT-T local address")                               \
	X(56, MALFORMED_NATT_REM,   "Malformed NAT-T remote address")                              \
	X(57, DUPLICATE_NATT_PORTS, "Duplicate NAT-T ports")                                       \
	X(58, MISSING_INNER_SRC,    "Missing inner source address")                                \
	X(59, MISSING_INNER_DST,    "Missing inner destination address")                           \
	X(60, DUPLICATE_INNER_SRC,  "Duplicate inner source address")                              \
	X(61, DUPLICATE_INNER_DST,  "Duplicate inner destination address")                         \
	X(62, MALFORMED_INNER_SRC,  "Malformed inner source address")                              \
	X(63, MALFORMED_INNER_DST,  "Malformed inner destination address")                         \
	X(64, PREFIX_INNER_SRC,     "Invalid inner source prefix length")                          \
	X(65, PREFIX_INNER_DST,     "Invalid inner destination prefix length")                     \
	X(66, BAD_INNER_DST_AF,     "Bad inner destination address family")                        \
	X(67, INNER_AF_MISMATCH,    "Inner address families differ, or do not fit the protocol")   \
	X(68, BAD_NATT_REM_AF,      "Bad NAT-T remote address family")                             \
	X(69, BAD_NATT_LOC_AF,      "Bad NAT-T local address family")                              \
	X(70, PROTO_MISMATCH,       "Source and destination protocols differ")                     \
	X(71, INNER_PROTO_MISMATCH, "Inner source and destination protocols differ")               \
	X(72, DUAL_PORT_SETS,       "Both inner and outer addresses have ports")                   \
	X(73, PAIR_INAPPROPRIATE,   "These SAs cannot be a pair")                                  \
	X(74, PAIR_ADD_MISMATCH,    "Pair of an added SA does not match")                          \
	X(75, PAIR_ALREADY,         "SA is paired already")                                        \
	X(76, PAIR_SA_NOTFOUND,     "The other SA of the pair was not found")                      \
	X(77, BAD_SA_DIRECTION,     "Bad SA direction")                                            \
	X(78, SA_NOTFOUND,          "SA not found")                                                \
	X(79, SA_EXPIRED,           "SA has expired")                                              \
	X(80, BAD_CTX,              "Key was refused by the cipher")                               \
	X(81, INVALID_REPLAY,       "Invalid replay value")                                        \
	X(82, MISSING_LIFETIME,     "Lifetime missing or not allowed")                             \
	X(83, BAD_LABEL,            "Sensitivity labels are not supported")
/* clang-format on */

#define PFKEY_DIAG_ENUM(number, ID, text) PFKEY_DIAG_##ID = (number),
enum pfkey_diagnostic { PFKEY_DIAGNOSTICS(PFKEY_DIAG_ENUM) PFKEY_DIAG_END };
#undef PFKEY_DIAG_ENUM

/* Of our own, far from what the original may add. */
#define PFKEY_DIAG_SAD_FULL	 128
#define PFKEY_DIAG_SAD_FULL_TEXT "There are as many SAs as sa_limit allows"

#endif
