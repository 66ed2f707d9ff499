/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which SAs a packet leaves by: for those that are sent, and for who only asks. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "services/datapath/engine/engine_internal.h"

static void flow_of_outer(const struct tunnel *tunnel, int family, struct flow *ret_outer)
{
	*ret_outer = (struct flow){
		.direction = DIRECTION_OUT,
		.local = tunnel->src,
		.remote = tunnel->dst,
		.protocol = family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6,
	};
}

void engine_ask(const struct tunnel *tunnel, const struct rule *rule, const struct flow *flow,
	struct flow *outer, struct sad_query *ret_query)
{
	/* Tunnel mode is for rules of tunnels; host policy may protect a tunnel's outer packets. */
	bool inside = rule->tunnel[0] != '\0' && rule->negotiate != TUNNEL_TRANSPORT;

	ret_query->proto = SA_PROTO_ESP;
	ret_query->mode = inside ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT;
	ret_query->src = *(tunnel ? &tunnel->src : &flow->local);
	ret_query->dst = *(tunnel ? &tunnel->dst : &flow->remote);
	ret_query->flow = flow;
	ret_query->rule = inside ? rule : NULL;
	ret_query->action = NULL;
	ret_query->between_ends = false;
	ret_query->peek = false;
	/* A rule of the host was found by the tunnel's own packets: @flow is of them already. */
	if (rule->tunnel[0] != '\0' && tunnel && !inside) {
		flow_of_outer(tunnel, flow->local.family, outer);
		ret_query->flow = outer;
	}
}

/* Both from the same alternative. False: one is missing, and query->proto says of which kind. */
static bool find_pair(const struct sad *sad, struct sad_query *query, struct engine_pair *ret_pair)
{
	const struct action *action = query->action;

	*ret_pair = (struct engine_pair){ .esp = NULL };
	query->proto = SA_PROTO_ESP;
	if (action->has_esp || action->has_esp_auth) {
		ret_pair->esp = sad ? sad_find_outbound(sad, query) : NULL;
		if (!ret_pair->esp)
			return false;
	}
	if (!action->has_ah)
		return ret_pair->esp != NULL;
	query->proto = SA_PROTO_AH;
	ret_pair->ah = sad ? sad_find_outbound(sad, query) : NULL;
	return ret_pair->ah != NULL;
}

/*
 * Alternatives in their order; the first that SAs serve. A pass behind a protecting alternative is no
 * way out, or whoever disturbs key management could force it.
 */
static bool pick_alternative(const struct sad *sad, struct sad_query *query,
	struct engine_match *match, struct engine_pair *ret_pair)
{
	const struct rule *rule = match->rule;
	const struct action *first = NULL;
	enum sa_proto missing = SA_PROTO_ESP;

	for (size_t i = 0; i < rule->n_actions; i++) {
		if (rule->actions[i].kind != ACTION_PROTECT || !engine_may_use(match, i))
			continue;
		query->action = &rule->actions[i];
		if (find_pair(sad, query, ret_pair)) {
			match->satisfied = (uint16_t)(i + 1);
			return true;
		}
		if (!first) {
			first = query->action;
			missing = query->proto;
		}
	}
	query->action = first;
	query->proto = missing;
	return false;
}

bool engine_pick(const struct sad *sad, const struct tunnel *tunnel, struct sad_query *query,
	struct engine_match *match, struct engine_pair *ret_pair)
{
	struct sad_query self;

	if (pick_alternative(sad, query, match, ret_pair))
		return true;
	/* Host policy asks for transport mode; a tunnel between the very ends of the packet does as well. */
	if (tunnel || query->mode != SA_MODE_TRANSPORT)
		return false;
	self = *query;
	self.mode = SA_MODE_TUNNEL;
	self.rule = match->rule;
	self.between_ends = true;
	return pick_alternative(sad, &self, match, ret_pair);
}

static int tunnel_index(const struct engine_view *view, const char *name)
{
	for (size_t i = 0; view->tunnels && i < view->tunnels->count; i++)
		if (strcmp(view->tunnels->tunnels[i].name, name) == 0)
			return (int)i;
	return ENGINE_HOST;
}

/* The tunnel that is asked about. Return: 0, -ENOENT: it is not there. */
static int find_head(const struct engine_view *view, const struct spd_query *asked, int *ret_at)
{
	*ret_at = tunnel_index(view, asked->tunnel);
	return (asked->tunnel[0] != '\0') == (*ret_at != ENGINE_HOST) ? 0 : -ENOENT;
}

/* *flow is @outer for a tunnel without rules: host policy decides about its own packets then. */
static void find_rule(const struct engine_view *view, int at, const struct flow **flow,
	struct flow *outer, struct engine_match *ret_match)
{
	engine_look_up(view, at, *flow, ret_match);
	if (ret_match->rule || at == ENGINE_HOST || ret_match->has_rules)
		return;
	flow_of_outer(&view->tunnels->tunnels[at], (*flow)->local.family, outer);
	*flow = outer;
	engine_look_up(view, ENGINE_HOST, *flow, ret_match);
}

int engine_choose_by(const struct engine_view *view, const struct spd_query *asked,
	const struct rule *rule, struct engine_choice *ret_choice)
{
	const struct flow *flow = spd_query_subject(asked);
	const struct tunnel *tunnel;
	struct flow outer, host;
	struct engine_pair pair = { .esp = NULL };
	struct engine_match match = { .rule = rule };
	struct sad_query query;
	int at;

	*ret_choice = (struct engine_choice){ .missing = SA_PROTO_ESP };
	if (flow->direction != DIRECTION_OUT || spd_query_is_forwarded(asked) ||
		find_head(view, asked, &at) < 0)
		return -ENOENT;
	tunnel = at == ENGINE_HOST ? NULL : &view->tunnels->tunnels[at];
	if (!rule)
		find_rule(view, at, &flow, &host, &match);
	if (!match.rule || rule_is_bypass(match.rule) || rule_is_discard(match.rule))
		return -ENOENT;
	ret_choice->rule = match.rule;
	engine_ask(tunnel, match.rule, flow, &outer, &query);
	query.peek = true;
	if (engine_pick(view->sad, tunnel, &query, &match, &pair))
		ret_choice->alternative = match.satisfied;
	ret_choice->esp = pair.esp;
	ret_choice->ah = pair.ah;
	ret_choice->missing = query.proto;
	ret_choice->src = query.src;
	ret_choice->dst = query.dst;
	if (ret_choice->alternative == 0)
		ret_choice->esp = ret_choice->ah = NULL;
	return 0;
}

int engine_choose(const struct engine_view *view, const struct spd_query *asked,
	struct engine_choice *ret_choice)
{
	return engine_choose_by(view, asked, NULL, ret_choice);
}

/* ---- the other way: what would have carried a packet that comes ---- */

bool engine_could_bring(const struct engine_view *view, const struct spd_query *asked,
	const struct sad_entry *entry)
{
	const struct address *near = &asked->flow.local, *far = &asked->flow.remote;
	uint32_t state = atomic_load_explicit(&entry->run->state, memory_order_relaxed);
	const struct sa *sa = entry->sa;
	int at;

	if (!(entry->directions & SA_INBOUND) || (state != SA_MATURE && state != SA_DYING) ||
		find_head(view, asked, &at) < 0)
		return false;
	if (at != ENGINE_HOST) {
		near = &view->tunnels->tunnels[at].src;
		far = &view->tunnels->tunnels[at].dst;
	} else if (sa->mode == SA_MODE_TUNNEL && !sa_is_self_encapsulating(sa)) {
		return false; /* tunnel mode exists on tunnels only */
	}
	return address_equal(&sa->dst, near) &&
	       (address_is_unspecified(&sa->src) || address_equal(&sa->src, far));
}

/* A transport-mode SA carried the tunnel's own packet as a whole. */
static void flow_of_carried(const struct tunnel *tunnel, const struct flow *inner, struct flow *ret)
{
	flow_of_outer(tunnel, inner->local.family, ret);
	ret->direction = DIRECTION_IN;
}

enum verdict engine_would_take(const struct engine_view *view, const struct engine_arrival *arrival,
	size_t *ret_alternative)
{
	const struct spd_query *asked = arrival->asked;
	const struct sad_entry *inmost = arrival->esp ? arrival->esp : arrival->ah;
	const struct engine_secured by = { .ah = arrival->ah ? arrival->ah->sa : NULL,
		.esp = arrival->esp ? arrival->esp->sa : NULL };
	struct engine_match match = { .rule = arrival->rule };
	struct flow flow = *spd_query_subject(asked);
	enum verdict verdict;
	int at;

	if (find_head(view, asked, &at) < 0)
		return VERDICT_SPD_NO_POLICY;
	if (at != ENGINE_HOST && inmost) {
		bool transport = inmost->sa->mode == SA_MODE_TRANSPORT;

		if (transport != (arrival->rule->negotiate == TUNNEL_TRANSPORT))
			return VERDICT_SPD_ESP_INNERMISMATCH;
		if (transport)
			flow_of_carried(&view->tunnels->tunnels[at], &asked->flow, &flow);
	}
	verdict = engine_check_selectors(&by, &flow);
	if (verdict == VERDICT_IN_ACCEPTED)
		verdict = engine_check_rule(&match, &by, &flow);
	*ret_alternative = match.satisfied;
	return verdict;
}
