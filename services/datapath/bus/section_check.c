/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/bus/section_check.h"

#include <errno.h>
#include <inttypes.h>

#include "services/datapath/suite/suite.h"

/* Why not, or NULL. */
static const char *refuse_number(const struct alg_table *algorithms, uint8_t proto, uint8_t number)
{
	bool known = proto == ALG_PROTO_ESP ? suite_cipher_row(number) != NULL
					    : suite_auth_row(number) != NULL;

	if (number == 0)
		return NULL; /* "none" needs nobody */
	if (!known)
		return "is not served by this engine";
	if (algorithms && !alg_find(algorithms, proto, number))
		return "is not in the table of algorithms in force";
	return NULL;
}

static const char *refuse_action(const struct alg_table *algorithms, const struct action *action,
	uint8_t *ret_proto, uint8_t *ret_number)
{
	const char *why = NULL;

	if (action->has_ah) {
		*ret_proto = ALG_PROTO_AH;
		*ret_number = action->ah.number;
		why = refuse_number(algorithms, ALG_PROTO_AH, action->ah.number);
	}
	if (!why && action->has_esp) {
		*ret_proto = ALG_PROTO_ESP;
		*ret_number = action->esp.number;
		why = refuse_number(algorithms, ALG_PROTO_ESP, action->esp.number);
	}
	if (!why && action->has_esp_auth) {
		*ret_proto = ALG_PROTO_AH;
		*ret_number = action->esp_auth.number;
		why = alg_is_ah_only(action->esp_auth.number)
			      ? "is not for ESP"
			      : refuse_number(algorithms, ALG_PROTO_AH, action->esp_auth.number);
	}
	return why;
}

static int check_rule(const struct rule *rule, const struct alg_table *algorithms, struct text *why)
{
	const char *trouble = NULL;
	uint8_t proto = 0, number = 0;
	bool served = !rule_protects(rule);

	for (size_t i = 0; i < rule->n_actions && !served; i++) {
		uint8_t p = 0, n = 0;
		const char *now;

		if (rule->actions[i].kind != ACTION_PROTECT)
			continue;
		now = refuse_action(algorithms, &rule->actions[i], &p, &n);
		served = !now;
		if (now && !trouble) {
			trouble = now;
			proto = p;
			number = n;
		}
	}
	if (served)
		return 0;
	text_addf(why, "rule %" PRIu32 " (line %" PRIu32 "): algorithm '", rule->index, rule->line);
	alg_print(algorithms, proto, number, why);
	text_addf(why, "' %s", trouble ? trouble : "is not served");
	return -EINVAL;
}

int section_check_policy(
	const struct spd *spd, const struct alg_table *algorithms, struct text *why)
{
	for (size_t i = 0; i < spd->count; i++) {
		int r = check_rule(spd->rules[i], algorithms, why);

		if (r < 0)
			return r;
	}
	return 0;
}
