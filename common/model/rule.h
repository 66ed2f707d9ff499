/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy rules: a selector, the directions it holds for, and an ordered list of alternatives. A
 * rule is what one entry of ipsecinit.conf means for one pair of addresses; it is valid once made.
 */
#ifndef MODEL_RULE_H
#define MODEL_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/model/algorithm.h"
#include "common/model/selector.h"

#define RULE_MAX_ACTIONS 512 /* after `any` was expanded */
#define RULE_TUNNEL_MAX	 32 /* with its NUL */
#define RULE_ID_TEXT_MAX 17

enum action_kind { ACTION_BYPASS, ACTION_DISCARD, ACTION_PROTECT };

/* One algorithm as a rule asks for it. */
struct alg_need {
	uint8_t number;
	uint16_t min_bits; /* key size without salt */
	uint16_t max_bits; /* UINT16_MAX: as long as the algorithm goes */
};

/* One alternative. */
struct action {
	enum action_kind kind;
	bool unique; /* sa unique */
	bool has_ah, has_esp, has_esp_auth;
	struct alg_need ah; /* valid with has_ah */
	struct alg_need esp; /* cipher, valid with has_esp; ALG_ENCR_NULL for integrity alone */
	struct alg_need esp_auth; /* valid with has_esp_auth */
	uint32_t reqid; /* of the SAs, 0: any; a policy file has no word for it */
};

enum tunnel_mode { TUNNEL_NONE, TUNNEL_TRANSPORT, TUNNEL_TUNNEL };

struct rule {
	uint64_t id; /* stable: hash of the canonical text and occurrence, see rule_assign_id() */
	uint32_t index; /* number shown by ipsecconf -l; 0 before it is given */
	uint32_t line; /* of the entry in its file, 0: unknown */
	uint32_t order; /* position: the lower was parsed earlier */
	uint8_t directions; /* DIRECTION_BIT_* */
	bool audit; /* counted where it would have decided; changes nothing */
	uint16_t source; /* where it came from: index into spd->sources */
	enum tunnel_mode negotiate;
	char tunnel[RULE_TUNNEL_MAX]; /* "" for host policy */
	struct selector selector;
	size_t n_actions; /* 1 to RULE_MAX_ACTIONS */
	struct action actions[];
};

/* A zeroed rule with room for @n_actions. NULL: no memory, or more than RULE_MAX_ACTIONS. */
struct rule *rule_new(size_t n_actions);
struct rule *rule_free(struct rule *rule);
DEFINE_CLEANUP(struct rule *, rule_free)
struct rule *rule_copy(const struct rule *rule); /* NULL: no memory */

bool action_equal(const struct action *a, const struct action *b);
bool rule_has_bypass(const struct rule *rule); /* one of its alternatives is bypass/pass */
bool rule_is_bypass(const struct rule *rule); /* the first alternative is */
bool rule_is_discard(const struct rule *rule); /* the first alternative is */
bool rule_protects(const struct rule *rule); /* some alternative uses AH or ESP */

/*
 * Canonical text in the language of ipsecinit.conf (reference of its listing format), ending in a
 * blank after the last brace: "{ tunnel t negotiate tunnel ulp 6 ... dir out } ipsec { ... } ".
 * @directions: which to print: one bit prints "dir in|out", both print "dir both".
 * @table: for names; NULL prints numbers.
 */
void rule_print(const struct rule *rule, const struct alg_table *table, uint8_t directions,
	struct text *text);
/*
 * Give id: FNV-1a of the canonical numeric text and of @occurrence (0 for the first rule with this
 * text in the policy); audit rules have ids of their own. Return: 0 or -ENOMEM.
 */
int rule_assign_id(struct rule *rule, uint32_t occurrence) MUST_CHECK;
/* 16 hex digits. Return: @ret_text. */
const char *rule_id_format(uint64_t id, char ret_text[static RULE_ID_TEXT_MAX]);

#endif
