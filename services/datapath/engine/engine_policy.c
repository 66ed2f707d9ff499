/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inbound decisions: does what came, and how it came, agree with the rule that was found for it? */
#include "common/model/algorithm.h"
#include "services/datapath/engine/engine_internal.h"

static enum verdict check_ah(const struct action *action, const struct sa *ah)
{
	if (!action->has_ah)
		return ah ? VERDICT_SPD_GOT_AH : VERDICT_IN_ACCEPTED;
	if (!ah)
		return VERDICT_SPD_GOT_CLEAR;
	return ah->auth == action->ah.number ? VERDICT_IN_ACCEPTED : VERDICT_SPD_BAD_AHALG;
}

static enum verdict check_esp(const struct action *action, const struct sa *esp)
{
	if (!action->has_esp && !action->has_esp_auth)
		return esp ? VERDICT_SPD_GOT_ESP : VERDICT_IN_ACCEPTED;
	if (!esp)
		return VERDICT_SPD_GOT_CLEAR;
	/* Integrity alone is ESP with the NULL cipher. Key lengths are not looked at. */
	if (esp->encr != (action->has_esp ? action->esp.number : ALG_ENCR_NULL))
		return VERDICT_SPD_BAD_ESPEALG;
	if (action->has_esp_auth && esp->auth != action->esp_auth.number)
		return VERDICT_SPD_BAD_ESPAALG;
	return VERDICT_IN_ACCEPTED;
}

/* One alternative against a protected packet; every alternative is as good as the first. */
static enum verdict check_action(const struct action *action, const struct engine_secured *by)
{
	enum verdict verdict;

	switch (action->kind) {
	case ACTION_DISCARD:
		return VERDICT_SPD_EXPLICIT;
	case ACTION_BYPASS:
		return VERDICT_SPD_GOT_SECURE;
	case ACTION_PROTECT:
		break;
	}
	verdict = check_ah(action, by->ah);
	return verdict == VERDICT_IN_ACCEPTED ? check_esp(action, by->esp) : verdict;
}

enum verdict engine_check_rule(const struct rule *rule, const struct engine_secured *by)
{
	enum verdict verdict = VERDICT_SPD_EXPLICIT;

	if (!by->ah && !by->esp) {
		if (rule_has_bypass(rule))
			return VERDICT_IN_CLEAR;
		return rule_is_discard(rule) ? VERDICT_SPD_EXPLICIT : VERDICT_SPD_GOT_CLEAR;
	}
	for (size_t i = 0; i < rule->n_actions; i++) {
		verdict = check_action(&rule->actions[i], by);
		if (verdict == VERDICT_IN_ACCEPTED)
			break;
	}
	return verdict;
}

static bool port_agrees(uint16_t port, const struct flow *flow, uint16_t flow_port)
{
	return port == 0 || (flow->has_ports && flow_port == port);
}

static bool prefix_agrees(const struct prefix *prefix, const struct address *addr)
{
	return prefix->addr.family == AF_UNSPEC || prefix_contains(prefix, addr);
}

static bool within_sa(const struct sa *sa, const struct flow *flow)
{
	/* The packet's source is the remote end: the SA is inbound. */
	if (sa->mode == SA_MODE_TUNNEL)
		return prefix_agrees(&sa->inner_src, &flow->remote) &&
		       prefix_agrees(&sa->inner_dst, &flow->local) &&
		       (sa->inner_protocol == 0 || sa->inner_protocol == flow->protocol) &&
		       port_agrees(sa->inner_src_port, flow, flow->remote_port) &&
		       port_agrees(sa->inner_dst_port, flow, flow->local_port);
	return (sa->protocol == 0 || sa->protocol == flow->protocol) &&
	       port_agrees(sa->src_port, flow, flow->remote_port) &&
	       port_agrees(sa->dst_port, flow, flow->local_port);
}

enum verdict engine_check_selectors(const struct engine_secured *by, const struct flow *flow)
{
	/* Of a transport-mode AH around a tunnel only the outer packet is known, which was looked up. */
	bool around = by->ah && by->esp && by->ah->mode != by->esp->mode &&
		      !(by->ah->flags & SA_FLAG_UNIQUE);

	if (by->ah && !around && !within_sa(by->ah, flow))
		return VERDICT_SPD_AH_INNERMISMATCH;
	if (by->esp && !within_sa(by->esp, flow))
		return VERDICT_SPD_ESP_INNERMISMATCH;
	return VERDICT_IN_ACCEPTED;
}

enum verdict engine_check_clear(const struct engine_view *view, const struct flow *flow)
{
	static const struct engine_secured in_clear = { .ah = NULL };
	struct engine_match match;

	engine_classify(view, "", flow, &match);
	return match.rule ? engine_check_rule(match.rule, &in_clear) : VERDICT_IN_CLEAR;
}
