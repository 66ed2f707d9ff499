/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/drops/drop_words.h"

#include <stddef.h>

#define NOT_COMMON "both ends' policies ask for different algorithms"
#define UNKNOWN	   "unknown SPI: the peer has an SA that we do not have, or it expired here"
#define BAD_ICV	   "known SPI, bad ICV: keys differ"
#define REPLAYED   "replay: a duplicated packet, a second sender, or memory was lost just before"
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
	[VERDICT_SPD_AH_INNERMISMATCH] = "peer sends through an SA what it was not made for",
	[VERDICT_SPD_ESP_INNERMISMATCH] = "peer sends through an SA what it was not made for",
	[VERDICT_SPD_NO_POLICY] = "the packet came while policy changed, or was steered by hand",
	[VERDICT_SPD_EXPIRED_FRAGS] = "a fragment was lost on the way",
	[VERDICT_SADB_ACQUIRE_TOOFULL] =
		"key management is slow: four packets wait, this one gave way",
	[VERDICT_SADB_ACQUIRE_TIMEOUT] = "key management did not answer: its log says why",
	[VERDICT_SADB_INLARVAL_REPLACE] = "the peer was faster than key management here",
	[VERDICT_SADB_INLARVAL_TIMEOUT] = "an exchange of keys was begun and never finished",
	[VERDICT_SADB_ACQUIRE] = "no SA yet: ipseckey dump shows what there is, is IKE running?",
	[VERDICT_ESP_NO_SA] = UNKNOWN,
	[VERDICT_ESP_EARLY_REPLAY] = REPLAYED,
	[VERDICT_ESP_REPLAY] = REPLAYED,
	[VERDICT_ESP_WINDOW_UNRESERVED] = NOT_KEPT,
	[VERDICT_ESP_BAD_AUTH] = BAD_ICV,
	[VERDICT_ESP_BAD_PADLEN] = "without integrity: keys differ",
	[VERDICT_ESP_BAD_PADDING] = "without integrity: keys differ; see ipsecesp_padding_check",
	[VERDICT_ESP_BAD_INNER] = "without integrity: keys differ",
	[VERDICT_ESP_SEQ_EXHAUSTED] = USED_UP,
	[VERDICT_ESP_SEQ_UNRESERVED] = NO_NUMBERS,
	[VERDICT_ESP_BYTES_EXPIRE] = USED_UP,
	[VERDICT_ESP_TOO_BIG] = "the sender ignores path MTU discovery",
	[VERDICT_ESP_NAT_T_IKE] = "no key management listens here",
	[VERDICT_AH_NO_SA] = UNKNOWN,
	[VERDICT_AH_EARLY_REPLAY] = REPLAYED,
	[VERDICT_AH_REPLAY] = REPLAYED,
	[VERDICT_AH_WINDOW_UNRESERVED] = NOT_KEPT,
	[VERDICT_AH_BAD_AUTH] = "known SPI, bad ICV: keys differ, or a NAT is between",
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
