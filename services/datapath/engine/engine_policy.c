/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inbound decisions: does what came, and how it came, agree with the rule that was found for it? */
#include "common/model/algorithm.h"
#include "services/datapath/engine/engine_internal.h"

/* Types of RFC 792, RFC 1256 and RFC 4443. */
#define ICMP_ECHO_REPLY		  0
#define ICMP_UNREACHABLE	  3
#define ICMP_SOURCE_QUENCH	  4
#define ICMP_ROUTER_ADVERTISEMENT 9
#define ICMP_TIME_EXCEEDED	  11
#define ICMP_TIMESTAMP_REPLY	  14
#define ICMP_INFORMATION_REPLY	  16
#define ICMP6_PARAMETER		  4
#define ICMP6_ECHO		  128

/*
 * ICMP that is taken although one of AH and ESP is missing: what routers and hosts send that cannot
 * know what was agreed on (kernel-semantics of the original, section 6).
 */
static bool icmp_is_excused(const struct flow *flow)
{
	bool host_unreachable = flow->icmp_code <= 1 || flow->icmp_code == 4;

	if (!flow->has_icmp)
		return false;
	if (flow->protocol == IPPROTO_ICMPV6)
		return flow->icmp_type != ICMP6_ECHO && flow->icmp_type != ICMP6_PARAMETER;
	switch (flow->icmp_type) {
	case ICMP_UNREACHABLE:
		return host_unreachable; /* net, host, fragmentation needed */
	case ICMP_ECHO_REPLY:
	case ICMP_SOURCE_QUENCH:
	case ICMP_ROUTER_ADVERTISEMENT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_TIMESTAMP_REPLY:
	case ICMP_INFORMATION_REPLY:
		return true;
	default:
		return false;
	}
}

static bool is_meant(const struct action *action, const struct sa *sa)
{
	return action->reqid == 0 || action->reqid == sa->reqid;
}

static enum verdict check_ah(const struct action *action, const struct sa *ah, bool excused)
{
	if (!action->has_ah)
		return ah ? VERDICT_SPD_GOT_AH : VERDICT_IN_ACCEPTED;
	if (!ah)
		return excused ? VERDICT_IN_ACCEPTED : VERDICT_SPD_GOT_CLEAR;
	if (!is_meant(action, ah))
		return VERDICT_SPD_BAD_REQID;
	return ah->auth == action->ah.number ? VERDICT_IN_ACCEPTED : VERDICT_SPD_BAD_AHALG;
}

static enum verdict check_esp(const struct action *action, const struct sa *esp, bool excused)
{
	if (!action->has_esp && !action->has_esp_auth)
		return esp ? VERDICT_SPD_GOT_ESP : VERDICT_IN_ACCEPTED;
	if (!esp)
		return excused ? VERDICT_IN_ACCEPTED : VERDICT_SPD_GOT_CLEAR;
	if (!is_meant(action, esp))
		return VERDICT_SPD_BAD_REQID;
	/* Integrity alone is ESP with the NULL cipher. Key lengths are not looked at. */
	if (esp->encr != (action->has_esp ? action->esp.number : ALG_ENCR_NULL))
		return VERDICT_SPD_BAD_ESPEALG;
	if (action->has_esp_auth && esp->auth != action->esp_auth.number)
		return VERDICT_SPD_BAD_ESPAALG;
	return VERDICT_IN_ACCEPTED;
}

/* One alternative against a protected packet; every alternative is as good as the first. */
static enum verdict check_action(
	const struct action *action, const struct engine_secured *by, bool excused)
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
	verdict = check_ah(action, by->ah, excused);
	return verdict == VERDICT_IN_ACCEPTED ? check_esp(action, by->esp, excused) : verdict;
}

static bool may_be_clear(const struct engine_match *match)
{
	for (size_t i = 0; i < match->rule->n_actions; i++)
		if (match->rule->actions[i].kind == ACTION_BYPASS && engine_may_use(match, i))
			return true;
	return false;
}

enum verdict engine_check_rule(
	struct engine_match *match, const struct engine_secured *by, const struct flow *flow)
{
	const struct rule *rule = match->rule;
	bool excused = rule->tunnel[0] == '\0' && icmp_is_excused(flow);
	enum verdict verdict = VERDICT_SPD_EXPLICIT;

	if (!by->ah && !by->esp) {
		if (may_be_clear(match))
			return VERDICT_IN_CLEAR;
		return rule_is_discard(rule) ? VERDICT_SPD_EXPLICIT : VERDICT_SPD_GOT_CLEAR;
	}
	for (size_t i = 0; i < rule->n_actions; i++) {
		if (!engine_may_use(match, i))
			continue;
		verdict = check_action(&rule->actions[i], by, excused);
		if (verdict == VERDICT_IN_ACCEPTED) {
			match->satisfied = (uint16_t)(i + 1);
			break;
		}
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

/* Both must speak of the same peer, as far as they name one. */
static bool identities_differ(const struct engine_secured *by)
{
	const struct sa *ah = by->ah, *esp = by->esp;

	if (!ah || !esp)
		return false;
	return (ah->identity_src && esp->identity_src &&
		       !sa_identity_equal(ah->identity_src, esp->identity_src)) ||
	       (ah->identity_dst && esp->identity_dst &&
		       !sa_identity_equal(ah->identity_dst, esp->identity_dst));
}

enum verdict engine_check_selectors(const struct engine_secured *by, const struct flow *flow)
{
	/* Of a transport-mode AH around a tunnel only the outer packet is known, which was looked up. */
	bool around = by->ah && by->esp && by->ah->mode != by->esp->mode &&
		      !(by->ah->flags & SA_FLAG_UNIQUE);

	if (identities_differ(by))
		return VERDICT_SPD_AHESP_DIFFID;
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

	engine_look_up(view, ENGINE_HOST, flow, &match);
	return match.rule ? engine_check_rule(&match, &in_clear, flow) : VERDICT_IN_CLEAR;
}
