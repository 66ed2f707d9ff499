/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PF_KEY version 2 (RFC 2367) in the numbering of Solaris: numbers, and the translation between
 * message bytes and struct sa. Knows no sockets. The decoder takes hostile bytes; what it refuses,
 * it refuses with the errno and diagnostic code of the original.
 */
#ifndef PFKEY_PFKEY_H
#define PFKEY_PFKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/sa.h"
#include "common/pfkey/numbers.h"

/* Largest message that either side makes: an ACQUIRE with a full proposal. */
#define PFKEY_MAX_BYTES	     3072
#define PFKEY_BASE_BYTES     16
#define PFKEY_MAX_ALGORITHMS 64 /* of one SUPPORTED extension */
#define PFKEY_MAX_COMBS	     32 /* of one PROPOSAL */
#define PFKEY_MAX_ALGDESCS   3 /* of one of its combinations: AH auth, ESP auth, ESP crypt */
#define PFKEY_IDENTITY_MAX   SA_IDENTITY_MAX

/* A row of SUPPORTED_AUTH or SUPPORTED_ENCRYPT. */
struct pfkey_algorithm {
	uint8_t number;
	uint8_t iv_bits;
	uint16_t min_bits, max_bits;
	uint8_t increment_bits, salt_bits;
};

/* One combination of a PROPOSAL; bits are 0 exactly when the algorithm is 0. */
struct pfkey_comb {
	uint8_t auth, encrypt;
	uint16_t flags;
	uint16_t auth_min_bits, auth_max_bits;
	uint16_t encrypt_min_bits, encrypt_max_bits;
	uint8_t salt_bits;
	struct sa_limits soft, hard;
};

/* One algorithm of an extended combination. */
struct pfkey_algdesc {
	uint8_t satype; /* enum pfkey_satype */
	uint8_t kind; /* PFKEY_ALGORITHM_* */
	uint8_t number, salt_bits;
	uint16_t min_bits, max_bits;
};

struct pfkey_ecomb {
	uint16_t flags;
	struct sa_limits soft, hard;
	size_t n_algs;
	struct pfkey_algdesc algs[PFKEY_MAX_ALGDESCS];
};

/* X_EPROP: what would do, AH and ESP together. */
struct pfkey_eprop {
	uint8_t replay; /* packets */
	size_t n_ecombs;
	struct pfkey_ecomb ecombs[PFKEY_MAX_COMBS];
};

struct pfkey_identity {
	uint16_t type; /* PFKEY_IDENTITY_* */
	uint64_t id;
	char value[PFKEY_IDENTITY_MAX];
};

/* LIFETIME_CURRENT: what an SA has used. */
struct pfkey_current {
	uint32_t allocations;
	uint64_t bytes;
	uint64_t add_wall_sec, use_wall_sec; /* seconds since 1970; 0: never used */
};

#define PFKEY_MAX_REQUESTS 4 /* of one X_POLICY */

/* Linux: what an X_POLICY asks of SAs, one protocol each. */
struct pfkey_request {
	uint16_t proto; /* IP protocol number */
	uint8_t mode, level; /* PFKEY_LINUX_MODE_*, PFKEY_LINUX_LEVEL_* */
	uint32_t reqid;
	struct address src, dst; /* of the tunnel; AF_UNSPEC: not given */
};

/* Linux: a policy entry. The selector stands in the message's address extensions. */
struct pfkey_policy {
	uint16_t type; /* PFKEY_LINUX_POLICY_* */
	uint8_t direction; /* PFKEY_LINUX_DIR_* */
	uint32_t id, priority;
	struct prefix src, dst;
	uint16_t src_port, dst_port; /* host order, 0: any; type and code of ICMP */
	uint8_t protocol; /* 0: any */
	size_t n_requests;
	struct pfkey_request requests[PFKEY_MAX_REQUESTS];
};

/*
 * One message. `present` says which extensions it has: PFKEY_BIT(PFKEY_EXT_...) each; fields of
 * absent extensions are zero. What describes an SA stands in @sa, with these notes:
 * - protocol, ports and replay window are those of their extensions, windows over 255 included;
 * - mode is tunnel when both inner addresses are present;
 * - in a request encr_key holds key, salt and initial IV, encr_key_bits counts key and salt (only
 *   the algorithm's row tells them apart, see pfkey_split_salt()) and salt_bits is 0; in an answer
 *   both are apart;
 * - sa->proto is 0 when satype is neither AH nor ESP;
 * - identities and the cookie of key management stand in both places.
 */
struct pfkey_message {
	uint8_t type; /* enum pfkey_type */
	uint8_t satype; /* enum pfkey_satype */
	uint8_t error; /* errno of an answer */
	uint16_t diagnostic;
	uint32_t seq, pid;
	uint64_t present;
	uint32_t sa_flags; /* as on the wire: PFKEY_SAF_*; sa->flags is derived from it */
	uint32_t spi_min, spi_max; /* SPIRANGE, host order */
	uint32_t km_protocol;
	uint64_t km_cookie;
	uint64_t dump_idle_sec; /* X_EDUMP */
	uint64_t key_check; /* CHECK, of an answer: pfkey_check_keys() */
	uint8_t extended_register[4]; /* X_EREG: SA types, ended by 0 */
	struct pfkey_current current;
	struct pfkey_identity identity_src, identity_dst;
	size_t n_auth, n_encrypt, n_combs;
	struct pfkey_algorithm auth[PFKEY_MAX_ALGORITHMS], encrypt[PFKEY_MAX_ALGORITHMS];
	uint8_t proposal_replay;
	struct pfkey_comb combs[PFKEY_MAX_COMBS];
	struct pfkey_eprop *eprop; /* owned; NULL: none */
	struct pfkey_policy policy; /* linux.h: of X_SPD messages and ACQUIRE */
	struct address km_local, km_remote; /* linux.h: who exchanges the keys */
	uint16_t natt_src_port, natt_dst_port; /* linux.h: ports of the SA's ends, 0: not given */
	struct sa *sa; /* owned, never NULL */
};

/* Which way a message goes: what a client asks, or what the owner of the database says. */
enum pfkey_side { PFKEY_REQUEST, PFKEY_ANSWER };

/* Why bytes were refused. */
struct pfkey_fault {
	int error; /* errno value, positive */
	uint16_t diagnostic; /* PFKEY_DIAG_* */
};

/* Zeroed, with an empty SA. NULL: no memory. */
struct pfkey_message *pfkey_message_new(void);
struct pfkey_message *pfkey_message_free(struct pfkey_message *msg);
DEFINE_CLEANUP(struct pfkey_message *, pfkey_message_free)
/* A message of this type whose SA is a copy of @sa, with the extensions that describe it, keys
 * included if @keys. NULL: no memory. */
struct pfkey_message *pfkey_message_of_sa(uint8_t type, const struct sa *sa, bool keys);

/*
 * Only the base header: what an error answer needs. Version and length are not looked at.
 * Return: 0, or -EBADMSG for less than PFKEY_BASE_BYTES.
 */
int pfkey_decode_base(const void *bytes, size_t len, struct pfkey_message *ret_msg) MUST_CHECK;
/*
 * @bytes: one whole message, any alignment. A request also has to hold the extensions that its type
 * requires and none that it forbids; whether the values make an SA is the database's to say.
 * @ret_fault: written when the result is negative.
 * Return: 0, -EINVAL, -EMSGSIZE, -EOPNOTSUPP, -ENOMEM (always -ret_fault->error).
 */
int pfkey_decode(const void *bytes, size_t len, enum pfkey_side side,
	struct pfkey_message **ret_msg, struct pfkey_fault *ret_fault) MUST_CHECK;
/*
 * Extensions go out in the order of their numbers. Return: 0, -EMSGSIZE (buffer too small),
 * -EINVAL (a value that the wire cannot carry: salt without key, ports without address).
 */
int pfkey_encode(const struct pfkey_message *msg, enum pfkey_side side, uint8_t *buffer,
	size_t size, size_t *ret_len) MUST_CHECK;

/*
 * Are the addresses of an SA fit for each other? Families, unspecified, multicast, protocol 4 / 41 of
 * tunnels, two sets of ports. @present: as in a message; absent addresses are not looked at.
 * Return: 0 or -ret_fault->error.
 */
int pfkey_check_addresses(
	const struct sa *sa, uint64_t present, struct pfkey_fault *ret_fault) MUST_CHECK;
/* The extensions that describe this SA in a message. */
uint64_t pfkey_extensions_of(const struct sa *sa, bool keys);

/*
 * Take @salt_bits of salt out of the encr_key_bits of an SA that came in a request.
 * Return: 0 or -EINVAL when the key is not longer than the salt.
 */
int pfkey_split_salt(struct sa *sa, uint16_t salt_bits) MUST_CHECK;

/*
 * Six octets of an HMAC under the keys of an SA, over what both ends have alike: enough to hear a mistake
 * on the telephone, too little to say which of many keys it is. The salt of the cipher is split off.
 * Return: 0, -ENOENT (it has no keys here), -ENOMEM.
 */
int pfkey_check_keys(const struct sa *sa, uint64_t *ret_check) MUST_CHECK;

/* SA type of an IP protocol number (enum sa_proto), and back; 0 for everything else. */
uint8_t pfkey_satype_of(int proto);
int pfkey_proto_of(uint8_t satype);

/* "ADD", "X_PROMISC", "UPDATE PAIR"; NULL for unknown types. */
const char *pfkey_type_name(uint8_t type);
/* Text of a diagnostic code, "Unknown diagnostic code" for others; and its name without prefix. */
const char *pfkey_diagnostic_text(unsigned int code);
const char *pfkey_diagnostic_name(unsigned int code); /* "MISSING_SRC"; NULL for others */
/* Flag bits in the order in which they print; ends with a NULL name. */
struct pfkey_flag {
	uint32_t bit;
	const char *name; /* "X_INBOUND" */
};
extern const struct pfkey_flag pfkey_flags[];

#endif
