/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of ipseckeys(5): commands, and what may follow them. */
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "common/conf/value.h"
#include "services/manual-key/keys_parser.h"

/* clang-format off */
#define IN_SA(member) \
	.offset = offsetof(struct sa, member), .size = sizeof(((struct sa *)0)->member)
#define SA_NUMBER(word, text, id, member, most)                                          \
	{                                                                                \
		.name = (word), .help = (text), .field = (id), .values = 1,              \
		IN_SA(member), .max = (most),                                            \
		.parse = keys_parse_number                                               \
	}
#define LOOKUP_NUMBER(word, text, id, member, most)                                      \
	{                                                                                \
		.name = (word), .help = (text), .field = (id), .values = 1,              \
		.lookup = true, IN_SA(member), .max = (most),                            \
		.parse = keys_parse_number                                               \
	}
#define OUTER(word, text, id, af)                                                        \
	{                                                                                \
		.name = (word), .help = (text), .field = (id), .values = 1,              \
		.lookup = true, .family = (af), .parse = keys_parse_outer                \
	}
#define INNER(word, text, id, af)                                                        \
	{                                                                                \
		.name = (word), .help = (text), .field = (id), .values = 1,              \
		.family = (af), .parse = keys_parse_inner                                \
	}
#define WORD(word, text, id, n, fn)                                                      \
	{ .name = (word), .help = (text), .field = (id), .values = (n), .parse = (fn) }
#define REFUSED(word, text, n)                                                           \
	{                                                                                \
		.name = (word), .help = (text), .field = KEYS_REFUSED, .values = (n),    \
		.parse = keys_parse_refused                                              \
	}

#define REPLAY_MAX 8192 /* packets; what the datapath keeps a window for */

static const struct keys_keyword keywords[] = {
	{ .name = "spi", .help = "SPI, not 0", .field = KEYS_SPI, .values = 1, .lookup = true,
		IN_SA(spi), .max = UINT32_MAX, .parse = keys_parse_spi },
	{ .name = "pair-spi", .help = "SPI of the SA going the other way", .field = KEYS_PAIR_SPI,
		.values = 1, IN_SA(pair_spi), .max = UINT32_MAX, .parse = keys_parse_spi },
	SA_NUMBER("replay", "replay window in packets", KEYS_REPLAY, replay_window, REPLAY_MAX),
	SA_NUMBER("replay_value", "current sequence number or highest one received",
		KEYS_REPLAY_VALUE, replay_value, UINT64_MAX),
	WORD("state", "state of the SA: mature", KEYS_STATE, 1, keys_parse_state),
	WORD("flags", "esn: 64-bit sequence numbers", KEYS_FLAGS, 1, keys_parse_flags),
	WORD("auth_alg", "integrity algorithm, name or number", KEYS_AUTH_ALG, 1, keys_parse_algorithm),
	WORD("authalg", "auth_alg", KEYS_AUTH_ALG, 1, keys_parse_algorithm),
	WORD("encr_alg", "cipher, name or number", KEYS_ENCR_ALG, 1, keys_parse_algorithm),
	WORD("encralg", "encr_alg", KEYS_ENCR_ALG, 1, keys_parse_algorithm),
	SA_NUMBER("soft_bytes", "bytes until a warning", KEYS_SOFT_BYTES, soft.bytes, UINT64_MAX),
	SA_NUMBER("hard_bytes", "bytes until the SA ends", KEYS_HARD_BYTES, hard.bytes, UINT64_MAX),
	SA_NUMBER("soft_addtime", "seconds from now until a warning", KEYS_SOFT_ADD, soft.add_sec,
		UINT64_MAX),
	SA_NUMBER("hard_addtime", "seconds from now until the SA ends", KEYS_HARD_ADD, hard.add_sec,
		UINT64_MAX),
	SA_NUMBER("soft_usetime", "seconds from first use until a warning", KEYS_SOFT_USE,
		soft.use_sec, UINT64_MAX),
	SA_NUMBER("hard_usetime", "seconds from first use until the SA ends", KEYS_HARD_USE,
		hard.use_sec, UINT64_MAX),
	SA_NUMBER("soft_alloc", "packets until a warning", KEYS_SOFT_ALLOC, soft.allocations, UINT32_MAX),
	SA_NUMBER("hard_alloc", "packets until the SA ends", KEYS_HARD_ALLOC, hard.allocations, UINT32_MAX),
	SA_NUMBER("idle_addtime", "seconds of idleness since it was added", KEYS_IDLE_ADD,
		idle_add_sec, UINT64_MAX),
	SA_NUMBER("idle_usetime", "seconds of idleness since first use", KEYS_IDLE_USE,
		idle_use_sec, UINT64_MAX),
	OUTER("src", "source address or name", KEYS_SRC, AF_UNSPEC),
	OUTER("saddr", "src", KEYS_SRC, AF_UNSPEC),
	OUTER("srcaddr", "src", KEYS_SRC, AF_UNSPEC),
	OUTER("src6", "IPv6 source", KEYS_SRC, AF_INET6),
	OUTER("saddr6", "src6", KEYS_SRC, AF_INET6),
	OUTER("srcaddr6", "src6", KEYS_SRC, AF_INET6),
	OUTER("dst", "destination address or name", KEYS_DST, AF_UNSPEC),
	OUTER("daddr", "dst", KEYS_DST, AF_UNSPEC),
	OUTER("dstaddr", "dst", KEYS_DST, AF_UNSPEC),
	OUTER("dst6", "IPv6 destination", KEYS_DST, AF_INET6),
	OUTER("daddr6", "dst6", KEYS_DST, AF_INET6),
	OUTER("dstaddr6", "dst6", KEYS_DST, AF_INET6),
	INNER("innersrc", "inner source, address/prefix: a tunnel-mode SA", KEYS_INNER_SRC, AF_UNSPEC),
	INNER("isrc", "innersrc", KEYS_INNER_SRC, AF_UNSPEC),
	INNER("proxyaddr", "innersrc", KEYS_INNER_SRC, AF_UNSPEC),
	INNER("proxy", "innersrc", KEYS_INNER_SRC, AF_UNSPEC),
	INNER("innersrc6", "IPv6 inner source", KEYS_INNER_SRC, AF_INET6),
	INNER("isrc6", "innersrc6", KEYS_INNER_SRC, AF_INET6),
	INNER("proxyaddr6", "innersrc6", KEYS_INNER_SRC, AF_INET6),
	INNER("proxy6", "innersrc6", KEYS_INNER_SRC, AF_INET6),
	INNER("innerdst", "inner destination, address/prefix", KEYS_INNER_DST, AF_UNSPEC),
	INNER("idst", "innerdst", KEYS_INNER_DST, AF_UNSPEC),
	INNER("innerdst6", "IPv6 inner destination", KEYS_INNER_DST, AF_INET6),
	INNER("idst6", "innerdst6", KEYS_INNER_DST, AF_INET6),
	LOOKUP_NUMBER("sport", "source port number", KEYS_SRC_PORT, src_port, UINT16_MAX),
	LOOKUP_NUMBER("dport", "destination port number", KEYS_DST_PORT, dst_port, UINT16_MAX),
	SA_NUMBER("innersport", "inner source port number", KEYS_INNER_SRC_PORT, inner_src_port,
		UINT16_MAX),
	SA_NUMBER("isport", "innersport", KEYS_INNER_SRC_PORT, inner_src_port, UINT16_MAX),
	SA_NUMBER("innerdport", "inner destination port number", KEYS_INNER_DST_PORT,
		inner_dst_port, UINT16_MAX),
	SA_NUMBER("idport", "innerdport", KEYS_INNER_DST_PORT, inner_dst_port, UINT16_MAX),
	LOOKUP_NUMBER("proto", "transport protocol number", KEYS_PROTO, protocol, UINT8_MAX),
	LOOKUP_NUMBER("ulp", "proto", KEYS_PROTO, protocol, UINT8_MAX),
	SA_NUMBER("iproto", "inner protocol number", KEYS_INNER_PROTO, inner_protocol, UINT8_MAX),
	SA_NUMBER("iulp", "iproto", KEYS_INNER_PROTO, inner_protocol, UINT8_MAX),
	WORD("authkey", "integrity key: hex[/bits]", KEYS_AUTH_KEY, 1, keys_parse_auth_key),
	WORD("encrkey", "cipher key, salt, initial IV: hex[/bits]", KEYS_ENCR_KEY, 1,
		keys_parse_encr_key),
	SA_NUMBER("reserved_bits", "bits at the end of encrkey that are an initial IV",
		KEYS_RESERVED_BITS, iv_bits, UINT16_MAX),
	WORD("srcidtype", "source identity: type and value", KEYS_SRC_ID, 2, keys_parse_identity),
	WORD("dstidtype", "destination identity: type and value", KEYS_DST_ID, 2,
		keys_parse_identity),
	WORD("nat_loc", "NAT-Traversal local address", KEYS_NAT_LOCAL, 1, keys_parse_nat),
	WORD("nat_rem", "NAT-Traversal remote address", KEYS_NAT_REMOTE, 1, keys_parse_nat),
	SA_NUMBER("nat_lport", "NAT-Traversal local port number", KEYS_NAT_LOCAL_PORT,
		natt_local_port, UINT16_MAX),
	SA_NUMBER("nat_rport", "NAT-Traversal remote port number", KEYS_NAT_REMOTE_PORT,
		natt_remote_port, UINT16_MAX),
	WORD("encap", "udp: UDP encapsulation", KEYS_ENCAP, 1, keys_parse_encap),
	SA_NUMBER("tfc_pad", "octets to which shorter inner packets are padded", KEYS_TFC_PAD,
		tfc_pad, UINT16_MAX),
	SA_NUMBER("tfc_dummy", "milliseconds of silence before a dummy packet", KEYS_TFC_DUMMY,
		tfc_dummy_msec, UINT32_MAX),
	{ .name = "inbound", .help = "the SA is for packets coming in", .field = KEYS_INBOUND,
		.lookup = true, .parse = keys_parse_direction },
	{ .name = "outbound", .help = "the SA is for packets going out", .field = KEYS_OUTBOUND,
		.lookup = true, .parse = keys_parse_direction },
	WORD("send_from", "time from which the SA sends; before, it only receives", KEYS_SEND_FROM, 1,
		keys_parse_time),
	WORD("send_until", "time from which the SA only receives", KEYS_SEND_UNTIL, 1,
		keys_parse_time),
	WORD("receive_until", "time at which the SA ends", KEYS_RECEIVE_UNTIL, 1, keys_parse_time),
	REFUSED("label", "refused: no labels on this system", 1),
	REFUSED("outer-label", "refused: no labels on this system", 1),
	REFUSED("implicit-label", "refused: no labels on this system", 1),
	REFUSED("current_bytes", "refused: kept by the system", 1),
	REFUSED("current_addtime", "refused: kept by the system", 1),
	REFUSED("current_usetime", "refused: kept by the system", 1),
	REFUSED("current_alloc", "refused: kept by the system", 1),
	REFUSED("dpd", "refused: no labels on this system", 1),
	REFUSED("sens_level", "refused: no labels on this system", 1),
	REFUSED("sens_map", "refused: no labels on this system", 1),
	REFUSED("integ_level", "refused: no labels on this system", 1),
	REFUSED("integ_map", "refused: no labels on this system", 1),
	{ .name = NULL },
};

static const struct keys_verb_row verbs[] = {
	{ "add",         "add an SA",                             KEYS_ADD,         true,  true,  true,  false },
	{ "update",      "change the limits of an SA, or its times", KEYS_UPDATE,      true,  true,  true,  false },
	{ "update-pair", "change the limits of an SA and its pair", KEYS_UPDATE_PAIR, true, false, true, false },
	{ "delete",      "delete an SA",                          KEYS_DELETE,      true,  true,  true,  true },
	{ "delete-pair", "delete an SA and its pair",             KEYS_DELETE_PAIR, true,  true,  true,  true },
	{ "get",         "show an SA",                            KEYS_GET,         true,  false, true,  true },
	{ "flush",       "delete all SAs of a type",              KEYS_FLUSH,       false, true,  true,  true },
	{ "dump",        "show all SAs of a type",                KEYS_DUMP,        false, false, false, true },
	{ "quit",        "end here",                              KEYS_QUIT,        false, true,  true,  false },
	{ "exit",        "end here",                              KEYS_QUIT,        false, true,  true,  false },
	{ "monitor",     "show all PF_KEY messages",              KEYS_MONITOR,     false, false, false, true },
	{ "passive_monitor", "show the messages that every socket hears", KEYS_PASSIVE_MONITOR, false, false, false, true },
	{ "pmonitor",    "passive_monitor",                       KEYS_PASSIVE_MONITOR, false, false, false, true },
	{ "save",        "write commands that make the SAs again", KEYS_SAVE,       false, false, false, true },
	{ "fingerprint", "show a short check value of each SA",   KEYS_FINGERPRINT, false, false, false, true },
	{ "help",        "help, help COMMAND or help attr",       KEYS_HELP,        false, false, false, true },
	{ "?",           "help",                                  KEYS_HELP,        false, false, false, true },
	{ .name = NULL },
};
/* clang-format on */

const struct keys_keyword *keys_keyword_find(const struct token *tok)
{
	for (const struct keys_keyword *kw = keywords; kw->name; kw++)
		if (token_is(tok, kw->name))
			return kw;
	return NULL;
}

const struct keys_verb_row *keys_verb_find(const struct token *tok)
{
	for (const struct keys_verb_row *row = verbs; row->name; row++)
		if (token_is(tok, row->name))
			return row;
	return NULL;
}

void keys_hint_keyword(struct keys_parser *p, const struct token *tok)
{
	const char *names[ARRAY_SIZE(keywords)];
	const char *nearest;

	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		names[i] = keywords[i].name;
	nearest = value_nearest(tok->text, tok->len, names);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
}

void keys_hint_verb(struct keys_parser *p, const struct token *tok)
{
	const char *names[ARRAY_SIZE(verbs)];
	const char *nearest;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		names[i] = verbs[i].name;
	nearest = value_nearest(tok->text, tok->len, names);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
}

const struct keys_verb_row *keys_verbs(void)
{
	return verbs;
}

const struct keys_keyword *keys_keywords(void)
{
	return keywords;
}
