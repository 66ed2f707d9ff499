/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a packet was dropped or let through: verdict, name, text and counter come from one line each.
 * Names are those of the original's drop statistics where it has one.
 */
#ifndef DATAPATH_COUNTERS_H
#define DATAPATH_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define VERDICTS(X)                                                                        \
	X(OUT_PROTECTED,        out_protected,        "sent protected")                    \
	X(OUT_BYPASSED,         out_bypassed,         "sent in clear by policy")           \
	X(OUT_ENCAPSULATED,     out_encapsulated,     "sent as plain IP in IP")            \
	X(OUT_HELD,             out_held,             "fragment into a tunnel, waits for the others") \
	X(IN_HELD,              in_held,              "fragment out of a tunnel, waits for the others") \
	X(OUT_WAITING,          out_waiting,          "waits for key management to bring an SA")   \
	X(IN_WAITING,           in_waiting,           "came before its SA was filled in, waits") \
	X(IN_ACCEPTED,          in_accepted,          "opened and accepted")               \
	X(IN_CLEAR,             in_clear,             "accepted in clear by policy")       \
	X(SA_PORT_RENUMBERS,    sa_port_renumbers,    "NAT: port of a peer changed and was followed") \
	X(EXEC_SYNC,            exec_sync,            "left to the control thread, which counts it again") \
	X(SPD_EXPLICIT,         spd_explicit,         "policy says drop")                  \
	X(SPD_GOT_CLEAR,        spd_got_clear,        "in clear, policy asks for protection") \
	X(SPD_GOT_SECURE,       spd_got_secure,       "protected, policy does not ask for it") \
	X(SPD_LOOPBACK_MISMATCH, spd_loopback_mismatch, "on this machine, for the sender another action than for the receiver") \
	X(SPD_GOT_AH,           spd_got_ah,           "AH that policy does not ask for")   \
	X(SPD_GOT_ESP,          spd_got_esp,          "ESP that policy does not ask for")  \
	X(SPD_BAD_AHALG,        spd_bad_ahalg,        "AH algorithm is not the policy's")  \
	X(SPD_BAD_ESPEALG,      spd_bad_espealg,      "ESP cipher is not the policy's")    \
	X(SPD_BAD_ESPAALG,      spd_bad_espaalg,      "ESP integrity algorithm is not the policy's") \
	X(SPD_BAD_REQID,        spd_bad_reqid,        "its SA was made for another policy")  \
	X(SPD_AHESP_DIFFID,     spd_ahesp_diffid,     "AH and ESP are of different peers") \
	X(SPD_AH_INNERMISMATCH, spd_ah_innermismatch, "packet is outside the selectors of its AH SA") \
	X(SPD_ESP_INNERMISMATCH, spd_esp_innermismatch, "packet is outside the selectors of its SA") \
	X(SPD_NO_POLICY,        spd_no_policy,        "marked for protection, no rule protects it") \
	X(SPD_MALFORMED_PACKET, spd_malformed_packet, "not a sound IP packet")             \
	X(SPD_MALFORMED_FRAG,   spd_malformed_frag,   "fragment where whole datagrams are needed") \
	X(SPD_OVERLAP_FRAG,     spd_overlap_frag,     "fragment contradicts another of its datagram") \
	X(SPD_EVIL_FRAG,        spd_evil_frag,        "fragment repeats what is held, or ends beyond 65535") \
	X(SPD_MAX_FRAGS,        spd_max_frags,        "datagram in too many fragments")    \
	X(SPD_EXPIRED_FRAGS,    spd_expired_frags,    "fragment whose datagram was not complete in time") \
	X(SPD_NOMEM,            spd_nomem,            "no room for fragments")             \
	X(SADB_ACQUIRE,         sadb_acquire,         "no SA, asked for one")              \
	X(SADB_ACQUIRE_TOOFULL, sadb_acquire_toofull, "no SA yet, and later packets wait for it") \
	X(SADB_ACQUIRE_TIMEOUT, sadb_acquire_timeout, "key management brought no SA in time") \
	X(SADB_INLARVAL_REPLACE, sadb_inlarval_replace, "SA not filled in yet, and a later packet waits") \
	X(SADB_INLARVAL_TIMEOUT, sadb_inlarval_timeout, "SA was never filled in")            \
	X(ESP_NOMEM,            esp_nomem,            "no room")                           \
	X(ESP_NO_SA,            esp_no_sa,            "no SA with this SPI and destination") \
	X(ESP_RUNT,             esp_runt,             "shorter than header, IV, trailer and ICV") \
	X(ESP_EARLY_REPLAY,     esp_early_replay,     "sequence number seen or too old, before the ICV") \
	X(ESP_REPLAY,           esp_replay,           "sequence number seen, after the ICV") \
	X(ESP_WINDOW_UNRESERVED, esp_window_unreserved, "sequence number above what the disk knows of") \
	X(ESP_BAD_AUTH,         esp_bad_auth,         "integrity check failed")            \
	X(ESP_CRYPTO_FAILED,    esp_crypto_failed,    "cipher failed")                     \
	X(ESP_BAD_PADLEN,       esp_bad_padlen,       "pad length is longer than the packet") \
	X(ESP_BAD_PADDING,      esp_bad_padding,      "padding is not 1, 2, 3, ...")       \
	X(ESP_BAD_INNER,        esp_bad_inner,        "inner packet or next header is not sound") \
	X(ESP_ECN,              esp_ecn,              "congestion mark on an inner packet that cannot carry it") \
	X(ESP_DUMMY,            esp_dummy,            "dummy packet, next header 59")      \
	X(ESP_SEQ_EXHAUSTED,    esp_seq_exhausted,    "sequence numbers used up")          \
	X(ESP_SEQ_UNRESERVED,   esp_seq_unreserved,   "no reserved sequence number")       \
	X(ESP_BYTES_EXPIRE,     esp_bytes_expire,     "byte lifetime used up")             \
	X(ESP_ICMP,             esp_icmp,             "ICMP error about our own protected packets") \
	X(ESP_TOO_BIG,          esp_too_big,          "too long for the path once protected") \
	X(ESP_NAT_T_KA,         esp_nat_t_ka,         "NAT keep-alive")                    \
	X(ESP_NAT_T_IKE,        esp_nat_t_ike,        "key exchange on UDP 4500, nobody here takes it") \
	X(ESP_NAT_T_IPSEC,      esp_nat_t_ipsec,      "ESP in UDP that came out of an SA") \
	X(AH_NOMEM,             ah_nomem,             "AH: no room") \
	X(AH_NO_SA,             ah_no_sa,             "AH: no SA with this SPI and destination") \
	X(AH_BAD_LENGTH,        ah_bad_length,        "AH: header length is not the algorithm's") \
	X(AH_BAD_V4_OPTS,       ah_bad_v4_opts,       "IPv4 options are not sound")        \
	X(AH_BAD_V6_HDRS,       ah_bad_v6_hdrs,       "IPv6 extension headers that AH cannot cover") \
	X(AH_EARLY_REPLAY,      ah_early_replay,      "AH: sequence number seen or too old, before the ICV") \
	X(AH_REPLAY,            ah_replay,            "AH: sequence number seen, after the ICV") \
	X(AH_WINDOW_UNRESERVED, ah_window_unreserved, "AH: sequence number above what the disk knows of") \
	X(AH_BAD_AUTH,          ah_bad_auth,          "AH: integrity check failed") \
	X(AH_CRYPTO_FAILED,     ah_crypto_failed,     "AH: integrity algorithm failed") \
	X(AH_BAD_INNER,         ah_bad_inner,         "AH: inner packet or next header is not sound") \
	X(AH_ECN,               ah_ecn,               "AH: congestion mark on an inner packet that cannot carry it") \
	X(AH_SEQ_EXHAUSTED,     ah_seq_exhausted,     "AH: sequence numbers used up") \
	X(AH_SEQ_UNRESERVED,    ah_seq_unreserved,    "AH: no reserved sequence number") \
	X(AH_BYTES_EXPIRE,      ah_bytes_expire,      "AH: byte lifetime used up") \
	X(IP_IPSEC_NOT_LOADED,  ip_ipsec_not_loaded,  "algorithm is not available")        \
	X(IO_SEND_FAILED,       io_send_failed,       "the system refused to send")
/* clang-format on */

#define VERDICT_ENUM(ID, name, text) VERDICT_##ID,
enum verdict { VERDICTS(VERDICT_ENUM) VERDICT_COUNT };
#undef VERDICT_ENUM

/* One block a worker; read by the control thread (relaxed). */
struct counters {
	_Atomic uint64_t packets[VERDICT_COUNT];
};

const char *verdict_name(enum verdict verdict); /* "esp_no_sa" */
const char *verdict_text(enum verdict verdict);
/* Was the packet lost? False for those before SPD_EXPLICIT. */
bool verdict_is_drop(enum verdict verdict);

static inline void counters_add(struct counters *counters, enum verdict verdict)
{
	(void)atomic_fetch_add_explicit(&counters->packets[verdict], 1, memory_order_relaxed);
}

#endif
