/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers that an administrator may turn while packets flow: names, defaults and ranges are the
 * original's. Written by the control thread, read by workers without a lock.
 */
#ifndef DATAPATH_TUNABLES_H
#define DATAPATH_TUNABLES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"

/* LIVE: read at every use. IDLE: kept and shown under its name, nothing of ours depends on it. */
enum tunable_use { TUNABLE_USE_LIVE, TUNABLE_USE_IDLE };

/* clang-format off */
/* ID, name, default, least, most, unit, use, what it says */
#define TUNABLES(X)                                                                        \
	X(ICMP_ACCEPT_CLEAR,      "_icmp_accept_clear_messages",      1, 0, 1, "", LIVE,   \
		"the stack's own ICMP is taken in clear, whatever policy says")            \
	X(IGMP_ACCEPT_CLEAR,      "_igmp_accept_clear_messages",      1, 0, 1, "", LIVE,   \
		"IGMP is taken in clear, whatever policy says")                            \
	X(PIM_ACCEPT_CLEAR,       "_pim_accept_clear_messages",       1, 0, 1, "", LIVE,   \
		"PIM is taken in clear, whatever policy says")                             \
	X(POLICY_LOG_INTERVAL,    "_ipsec_policy_log_interval",       0, 0, 999999, "ms", LIVE, \
		"at most one policy message in this time; 0: none")                        \
	X(OVERRIDE_PERSOCKET,     "_ipsec_override_persocket_policy", 0, 0, 1, "", IDLE,   \
		"system policy stands above a socket's own")                               \
	X(PERSOCKET_ALG_PRIVILEGE, "_ipsec_persocket_alg_privilege",  1, 0, 1, "", IDLE,   \
		"a socket's algorithms that differ from system policy need privilege")     \
	X(PREFER_OLDEST_SA,       "_ipsec_prefer_oldest_sa",          0, 0, 1, "", LIVE,   \
		"of outbound SAs that fit the oldest is taken, not the newest")            \
	TUNABLES_OF(X, ESP, "ipsecesp_")                                                   \
	X(ESP_PADDING_CHECK,      "ipsecesp_padding_check",           1, 0, 2, "", LIVE,   \
		"padding received: 0 not looked at, 1 its last octet, 2 all of it")        \
	X(ESP_NAT_KEEPALIVE,      "ipsecesp_nat_keepalive_interval",  20, 0, 600, "s", LIVE, \
		"an idle SA behind a NAT shows a sign of life so often; 0: never")         \
	TUNABLES_OF(X, AH, "ipsecah_")

/* What ESP and AH both have. */
#define TUNABLES_OF(X, P, p)                                                               \
	X(P##_DEBUG,              p "debug",               0, 0, 3, "", IDLE,              \
		"level of debugging messages of the original")                             \
	X(P##_AGE_INTERVAL,       p "age_interval",        8000, 125, 32000, "ms", IDLE,   \
		"how often SAs are looked at for their lifetimes")                         \
	X(P##_REAP_DELAY,         p "reap_delay",          1, 1, 10, "s", LIVE,            \
		"a dead SA stays so long")                                                 \
	X(P##_REPLAY_SIZE,        p "replay_size",         64, 1, 256, "packets", LIVE,    \
		"replay window proposed to key management")                                \
	X(P##_ACQUIRE_TIMEOUT,    p "acquire_timeout",     15, 1, 300, "s", LIVE,          \
		"packets wait so long for key management")                                 \
	X(P##_LARVAL_TIMEOUT,     p "larval_timeout",      90, 1, 1800, "s", LIVE,         \
		"a reserved SPI waits so long for its SA")                                 \
	X(P##_SOFT_BYTES,         p "default_soft_bytes",  0, 0, UINT32_MAX, "bytes", LIVE, \
		"soft lifetime proposed to key management; 0: none")                       \
	X(P##_HARD_BYTES,         p "default_hard_bytes",  0, 0, UINT32_MAX, "bytes", LIVE, \
		"hard lifetime proposed to key management; 0: none")                       \
	X(P##_SOFT_ADDTIME,       p "default_soft_addtime", 24000, 0, UINT32_MAX, "s", LIVE, \
		"soft lifetime proposed to key management; 0: none")                       \
	X(P##_HARD_ADDTIME,       p "default_hard_addtime", 28800, 0, UINT32_MAX, "s", LIVE, \
		"hard lifetime proposed to key management; 0: none")                       \
	X(P##_SOFT_USETIME,       p "default_soft_usetime", 0, 0, UINT32_MAX, "s", LIVE,   \
		"soft lifetime from first use proposed to key management; 0: none")        \
	X(P##_HARD_USETIME,       p "default_hard_usetime", 0, 0, UINT32_MAX, "s", LIVE,   \
		"hard lifetime from first use proposed to key management; 0: none")        \
	X(P##_LOG_UNKNOWN_SPI,    p "log_unknown_spi",     0, 0, 1, "", LIVE,              \
		"packets of unknown SPIs earn a policy message")
/* clang-format on */

#define TUNABLE_ENUM(ID, name, value, least, most, unit, use, help) TUNABLE_##ID,
enum tunable { TUNABLES(TUNABLE_ENUM) TUNABLE_COUNT };
#undef TUNABLE_ENUM

/* Those that ESP and AH both have, by TUNABLE_OF(SA_PROTO_AH == proto, AGE_INTERVAL). */
#define TUNABLE_OF(is_ah, NAME) ((is_ah) ? TUNABLE_AH_##NAME : TUNABLE_ESP_##NAME)

struct tunables {
	_Atomic uint64_t values[TUNABLE_COUNT];
};

struct tunable_row {
	const char *name, *unit, *help;
	uint64_t initial, least, most;
	enum tunable_use use;
};

void tunables_init(struct tunables *tunables); /* to the defaults */
/* Any thread; the next look may see another value. */
static inline uint64_t tunables_get(const struct tunables *tunables, enum tunable which)
{
	return atomic_load_explicit(&tunables->values[which], memory_order_relaxed);
}
/* Control thread. Return: 0, or -ERANGE with nothing changed. */
int tunables_set(struct tunables *tunables, enum tunable which, uint64_t value) MUST_CHECK;

const struct tunable_row *tunable_row(enum tunable which);
/*
 * By its name, with or without the underscore in front (libconfig knows no such names), or, what
 * only ESP has, without its prefix. False: there is none.
 */
bool tunable_find(const char *name, enum tunable *ret_which);

#endif
