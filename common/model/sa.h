/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A security association as configured (RFC 4301 section 4.4.2): identity, algorithms, keys,
 * selectors, limits. Immutable once made; what changes while it runs lives in the datapath.
 */
#ifndef MODEL_SA_H
#define MODEL_SA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/model/address.h"

enum sa_proto { SA_PROTO_AH = 51, SA_PROTO_ESP = 50 }; /* IP protocol numbers */
enum sa_mode { SA_MODE_TRANSPORT, SA_MODE_TUNNEL };
/* PF_KEY's numbers. The last two serve clusters: they are named, and an SA in them takes no packets. */
enum sa_state {
	SA_LARVAL = 0,
	SA_MATURE = 1,
	SA_DYING = 2,
	SA_DEAD = 3,
	SA_ACTIVE_ELSEWHERE = 4,
	SA_IDLE = 5
};
enum sa_origin { SA_ORIGIN_KEYS, SA_ORIGIN_PFKEY }; /* keys section, or a PF_KEY client */

/* Bits of sa.directions; both zero: by address, see the datapath. */
#define SA_INBOUND  0x1U
#define SA_OUTBOUND 0x2U

/* RFC 4303 section 2.1: 0 is no SPI, 1 to 255 are IANA's. */
#define SA_LEAST_SPI UINT32_C(256)

#define SA_FLAG_ESN    0x1U
#define SA_FLAG_UNIQUE 0x2U /* set by sa_normalise() from ports and protocols */
#define SA_FLAG_ENCAP  0x4U /* UDP encapsulation, RFC 3948 */

/* Zero means no limit. */
struct sa_limits {
	uint64_t bytes;
	uint64_t add_sec; /* since it was added */
	uint64_t use_sec; /* since first use */
	uint32_t allocations; /* packets */
};

struct sa_key {
	enum sa_proto proto;
	uint32_t spi; /* host order */
	struct address dst;
};

#define SA_IDENTITY_MAX 256 /* with its NUL */

/* Who key management says is at one end; PF_KEY's types. */
struct sa_identity {
	uint16_t type;
	uint64_t id;
	char value[SA_IDENTITY_MAX];
};

struct sa {
	enum sa_proto proto;
	uint32_t spi; /* host order, SA_LEAST_SPI or above */
	struct address src; /* unspecified: any */
	struct address dst;
	enum sa_mode mode; /* tunnel: inner_src and inner_dst are set */
	uint8_t protocol; /* outer or transport protocol selector, 0: any */
	uint16_t src_port, dst_port; /* host order, 0: any */
	struct prefix inner_src, inner_dst; /* AF_UNSPEC in transport mode */
	uint8_t inner_protocol;
	uint16_t inner_src_port, inner_dst_port;

	uint8_t encr; /* ALG_ENCR_*, ALG_ENCR_NONE for AH */
	uint8_t auth; /* ALG_AUTH_* */
	struct secret *encr_key; /* with the salt behind it; owned reference, NULL: none */
	struct secret *auth_key;
	uint16_t encr_key_bits; /* cipher key without salt */
	uint16_t salt_bits;
	uint16_t iv_bits; /* initial IV at the end of encr_key (reserved_bits), 0: none */
	uint16_t auth_key_bits;

	uint32_t flags; /* SA_FLAG_* */
	uint8_t directions; /* SA_INBOUND | SA_OUTBOUND as asked for, 0: by address */
	uint8_t state; /* SA_MATURE when added */
	enum sa_origin origin;
	uint32_t replay_window; /* packets, 0: off */
	uint64_t replay_value; /* initial sequence number / highest received, 0: none given */
	uint32_t pair_spi; /* host order, 0: none */
	uint32_t reqid;
	struct sa_limits soft, hard;
	uint64_t idle_add_sec, idle_use_sec;
	struct address natt_local, natt_remote; /* AF_UNSPEC: none */
	uint16_t natt_local_port, natt_remote_port; /* 0: 4500 */
	/* RFC 4303 sections 2.6 and 2.7, ESP in tunnel mode, outbound. */
	uint16_t tfc_pad; /* octets: shorter inner packets are padded so far, 0: none */
	struct sa_identity *identity_src, *identity_dst; /* owned, NULL: none */
	uint32_t tfc_dummy_msec; /* a dummy packet when so long nothing was sent, 0: none */
	uint32_t km_protocol; /* key management: 0 manual, 1 IKE, 2 KINK */
	uint64_t km_cookie; /* 0: none */
};

/* Zeroed. NULL: no memory. */
struct sa *sa_new(void);
struct sa *sa_free(struct sa *sa);
DEFINE_CLEANUP(struct sa *, sa_free)
struct sa *sa_copy(const struct sa *sa);

/* Replaces what was there. Return: 0 or -ENOMEM. */
int sa_set_identity(
	struct sa_identity **identity, uint16_t type, uint64_t id, const char *value) MUST_CHECK;
bool sa_identity_equal(const struct sa_identity *a, const struct sa_identity *b); /* NULL: none */
/* "larval", "active-elsewhere"; NULL for other numbers. */
const char *sa_state_name(unsigned int state);
struct sa_key sa_key_of(const struct sa *sa);
bool sa_key_equal(const struct sa_key *a, const struct sa_key *b);
/* The same configuration, keys included (compared in constant time)? */
bool sa_equal(const struct sa *a, const struct sa *b);
/*
 * Tunnel mode whose inner addresses are its ends and nobody else: it may stand in for transport mode
 * between them, and hides the IP options too.
 */
bool sa_is_self_encapsulating(const struct sa *sa);
/* Derived flags and the filled-in protocol 4 / 41 of tunnel mode; idempotent. */
void sa_normalise(struct sa *sa);
/* "esp spi 0x1001 192.0.2.1 > 192.0.2.17 transport": never key bytes. */
void sa_print(const struct sa *sa, struct text *text);

#endif
