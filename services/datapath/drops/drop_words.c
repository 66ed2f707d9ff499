/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/drops/drop_words.h"

#include <stddef.h>

#define NOT_COMMON "both ends' policies ask for different algorithms"
#define UNKNOWN	   "unknown SPI: the peer has an SA that we do not have, or it expired here"
#define BAD_ICV	   "known SPI, bad ICV: keys differ"
#define REPLAYED   "replay: a duplicated packet, a second sender, or memory was lost just before"
#define NO_ROOM	   "memory, or what is set aside for this, is short: see the journal of the kernel"
#define DAMAGED	   "something on the way cut or changed it, or somebody tries what we make of it"
#define LIBRARY	   "the library of algorithms failed: the journal says more; restart is gapless"
#define CONGESTION "a router, or somebody, marked the outer packet of a flow without ECN (RFC 6040)"
#define USED_UP	   "the SA must be replaced: nothing is ever sent twice under one number"
#define NOT_KEPT   "windows are kept on disk ahead of use: is the state directory writable?"
#define NO_NUMBERS "numbers are reserved on disk ahead of use: is the state directory writable?"

static const char *const hints[VERDICT_COUNT] = {
	[VERDICT_SPD_EXPLICIT] = "a drop rule, or a tunnel whose rules name no such packet",
	[VERDICT_SPD_GOT_CLEAR] = "peer sends clear",
	[VERDICT_SPD_GOT_SECURE] = "peer protects what our policy has no rule for",
	[VERDICT_SPD_LOOPBACK_MISMATCH] = "the rules of the two directions differ",
	[VERDICT_SPD_GOT_AH] = "peer adds AH: its policy asks for more than ours",
	[VERDICT_SPD_GOT_ESP] = "peer adds ESP: its policy asks for more than ours",
	[VERDICT_SPD_BAD_AHALG] = NOT_COMMON,
	[VERDICT_SPD_BAD_ESPEALG] = NOT_COMMON,
	[VERDICT_SPD_BAD_ESPAALG] = NOT_COMMON,
	[VERDICT_SPD_BAD_REQID] = "key management gave policy and SA different request ids",
	[VERDICT_SPD_AHESP_DIFFID] =
		"key management made the AH and the ESP SA for different peers",
	[VERDICT_SPD_AH_INNERMISMATCH] = "peer sends through an SA what it was not made for",
	[VERDICT_SPD_ESP_INNERMISMATCH] = "peer sends through an SA what it was not made for",
	[VERDICT_SPD_NO_POLICY] = "the packet came while policy changed, or was steered by hand",
	[VERDICT_SPD_MALFORMED_PACKET] = DAMAGED,
	[VERDICT_SPD_MALFORMED_FRAG] =
		"it was cut before it was protected, or no whole datagram came of it",
	[VERDICT_SPD_OVERLAP_FRAG] = "two senders use one address, or somebody forges fragments",
	[VERDICT_SPD_EVIL_FRAG] = "a duplicated fragment, or somebody forges them",
	[VERDICT_SPD_MAX_FRAGS] =
		"an MTU on the way is far too small, or somebody forges fragments",
	[VERDICT_SPD_EXPIRED_FRAGS] = "a fragment was lost on the way",
	[VERDICT_SPD_NOMEM] = "more datagrams are incomplete at once than room is set aside for",
	[VERDICT_SADB_ACQUIRE_TOOFULL] =
		"key management is slow: four packets wait, this one gave way",
	[VERDICT_SADB_ACQUIRE_TIMEOUT] = "key management did not answer: its log says why",
	[VERDICT_SADB_INLARVAL_REPLACE] = "the peer was faster than key management here",
	[VERDICT_SADB_INLARVAL_TIMEOUT] = "an exchange of keys was begun and never finished",
	[VERDICT_SADB_ACQUIRE] = "no SA yet: ipseckey dump shows what there is, is IKE running?",
	[VERDICT_ESP_NOMEM] = NO_ROOM,
	[VERDICT_ESP_NO_SA] = UNKNOWN,
	[VERDICT_ESP_RUNT] = DAMAGED,
	[VERDICT_ESP_EARLY_REPLAY] = REPLAYED,
	[VERDICT_ESP_REPLAY] = REPLAYED,
	[VERDICT_ESP_WINDOW_UNRESERVED] = NOT_KEPT,
	[VERDICT_ESP_BAD_AUTH] = BAD_ICV,
	[VERDICT_ESP_CRYPTO_FAILED] = LIBRARY,
	[VERDICT_ESP_BAD_PADLEN] = "without integrity: keys differ",
	[VERDICT_ESP_BAD_PADDING] = "without integrity: keys differ; see ipsecesp_padding_check",
	[VERDICT_ESP_BAD_INNER] = "without integrity: keys differ",
	[VERDICT_ESP_ECN] = CONGESTION,
	[VERDICT_ESP_SEQ_EXHAUSTED] = USED_UP,
	[VERDICT_ESP_SEQ_UNRESERVED] = NO_NUMBERS,
	[VERDICT_ESP_BYTES_EXPIRE] = USED_UP,
	[VERDICT_ESP_TOO_BIG] = "the sender ignores path MTU discovery",
	[VERDICT_ESP_NAT_T_IKE] = "no key management listens here",
	[VERDICT_ESP_NAT_T_IPSEC] =
		"peer wraps ESP in ESP: its policy covers its own protected packets",
	[VERDICT_AH_NOMEM] = NO_ROOM,
	[VERDICT_AH_NO_SA] = UNKNOWN,
	[VERDICT_AH_BAD_LENGTH] = "both ends use different algorithms, or lengths of the ICV",
	[VERDICT_AH_BAD_V4_OPTS] = DAMAGED,
	[VERDICT_AH_BAD_V6_HDRS] =
		"AH cannot tell what routers change in them: ESP can protect such packets",
	[VERDICT_AH_EARLY_REPLAY] = REPLAYED,
	[VERDICT_AH_REPLAY] = REPLAYED,
	[VERDICT_AH_WINDOW_UNRESERVED] = NOT_KEPT,
	[VERDICT_AH_BAD_AUTH] = "known SPI, bad ICV: keys differ, or a NAT is between",
	[VERDICT_AH_CRYPTO_FAILED] = LIBRARY,
	[VERDICT_AH_BAD_INNER] = "peer protects what is no packet: its side is broken",
	[VERDICT_AH_ECN] = CONGESTION,
	[VERDICT_AH_SEQ_EXHAUSTED] = USED_UP,
	[VERDICT_AH_SEQ_UNRESERVED] = NO_NUMBERS,
	[VERDICT_AH_BYTES_EXPIRE] = USED_UP,
	[VERDICT_IP_IPSEC_NOT_LOADED] = "ipsecalgs -l shows what can be used",
	[VERDICT_IO_SEND_FAILED] = "no route, no room in a queue, or a firewall",
};

bool drop_is_routine(enum verdict verdict)
{
	return !verdict_is_drop(verdict) || verdict == VERDICT_ESP_DUMMY ||
	       verdict == VERDICT_ESP_ICMP || verdict == VERDICT_ESP_NAT_T_KA;
}

bool drop_is_unknown_spi(enum verdict verdict)
{
	return verdict == VERDICT_ESP_NO_SA || verdict == VERDICT_AH_NO_SA;
}

const char *drop_hint(enum verdict verdict)
{
	return (size_t)verdict < VERDICT_COUNT && hints[verdict] ? hints[verdict] : "";
}
