/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules, selectors and flows written in one line, for suites about policy. */
#ifndef UNIT_RULES_H
#define UNIT_RULES_H

#include <string.h>

#include "common/base/text.h"
#include "common/model/rule.h"
#include "tests/unit/suite.h"

static inline struct address rules_addr(const char *text)
{
	struct address addr;

	ck_assert_msg(address_parse(text, &addr) == 0, "%s", text);
	return addr;
}

static inline struct prefix rules_prefix(const char *text, unsigned int bits)
{
	struct address addr = rules_addr(text);
	struct prefix prefix;

	ck_assert_int_eq(prefix_make(&addr, bits, &prefix), 0);
	return prefix;
}

/* A rule of one action, in force in both directions. */
static inline struct rule *rules_make(
	struct selector selector, struct action action, uint32_t order)
{
	struct rule *rule = rule_new(1);

	ck_assert_ptr_nonnull(rule);
	rule->directions = DIRECTION_BIT_BOTH;
	rule->selector = selector;
	rule->actions[0] = action;
	rule->order = order;
	return rule;
}

static const struct action rules_bypass = { .kind = ACTION_BYPASS };
static const struct action rules_drop = { .kind = ACTION_DISCARD };
static const struct action rules_esp = {
	.kind = ACTION_PROTECT,
	.has_esp = true,
	.has_esp_auth = true,
	.esp = { ALG_ENCR_AES_CBC, 128, 256 },
	.esp_auth = { ALG_AUTH_HMAC_SHA256, 256, 256 },
};
static const struct action rules_ah = {
	.kind = ACTION_PROTECT,
	.has_ah = true,
	.ah = { ALG_AUTH_HMAC_SHA1, 160, 160 },
};

#endif
