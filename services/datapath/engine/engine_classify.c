/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rule decides for a packet, and what was chosen by it: the view's classifier behind a cache. */
#include "services/datapath/engine/engine_internal.h"

/* New flows in one batch from which on it pays to look at the next one as a whole first. */
#define WARM_FLOWS 8U

static void set_rule(const struct engine_view *view, uint32_t index, struct engine_match *match)
{
	if (index == CLASSIFIER_NONE)
		return;
	match->index = index;
	match->rule = view->spd->rules[index];
}

/* Its head; false: it has no rules. */
static bool begin_match(
	const struct engine_view *view, int tunnel, int *ret_head, struct engine_match *ret_match)
{
	int head = view->classifier ? view->heads[tunnel + 1] : CLASSIFIER_NO_HEAD;

	*ret_match = (struct engine_match){ .rule = NULL };
	if (head == CLASSIFIER_NO_HEAD)
		return false;
	ret_match->has_rules = true;
	ret_match->mode = classifier_mode(view->classifier, head);
	*ret_head = head;
	return true;
}

void engine_look_up(const struct engine_view *view, int tunnel, const struct flow *flow,
	struct engine_match *ret_match)
{
	int head;

	if (begin_match(view, tunnel, &head, ret_match))
		set_rule(view, classifier_find(view->classifier, head, flow), ret_match);
}

static bool is_same_flow(const struct flow *a, const struct flow *b)
{
	return a->direction == b->direction && a->has_icmp == b->has_icmp &&
	       a->icmp_type == b->icmp_type && a->icmp_code == b->icmp_code && flow_same_ends(a, b);
}

/* The note of the flow, without a look at the cache when it is that of the packet before. */
static struct flow_note *note_of(
	struct engine *engine, const struct flow *flow, int head, bool *ret_known)
{
	struct engine_recent *recent = &engine->recent[flow->direction];
	uint64_t version = engine->view->version;

	*ret_known = true;
	if (recent->version == version && recent->head == head &&
		recent->note->stamp == recent->stamp && is_same_flow(&recent->flow, flow))
		return recent->note;
	flow_cache_begin(engine->cache, version);
	*recent = (struct engine_recent){
		.flow = *flow,
		.head = head,
		.version = version,
		.note = flow_cache_get(engine->cache, flow, head, ret_known),
	};
	recent->stamp = recent->note->stamp;
	return recent->note;
}

void engine_classify(
	struct engine *engine, int tunnel, const struct flow *flow, struct engine_match *ret_match)
{
	const struct engine_view *view = engine->view;
	struct flow_note *note;
	bool known;
	int head;

	if (!begin_match(view, tunnel, &head, ret_match))
		return;
	note = note_of(engine, flow, head, &known);
	if (!known) {
		note->rule = classifier_find(view->classifier, head, flow);
		engine->new_flows++;
	}
	ret_match->note = note;
	ret_match->stamp = note->stamp;
	set_rule(view, note->rule, ret_match);
}

/* Flows of a batch that the cache does not know, with the notes that wait for their rules. */
struct newcomers {
	struct flow flows[ENGINE_PROSPECTS];
	struct classifier_query queries[ENGINE_PROSPECTS];
	struct flow_note *notes[ENGINE_PROSPECTS];
	uint32_t stamps[ENGINE_PROSPECTS];
	size_t n;
};

/* Whether the first way of a rule is one SA of ESP: what can be asked for without waiting. */
static bool asks_for_one(const struct rule *rule)
{
	const struct action *first = &rule->actions[0];

	return rule->n_actions > 0 && first->kind == ACTION_PROTECT &&
	       (first->has_esp || first->has_esp_auth) && !first->has_ah;
}

/* The SAs of those that a rule protects, as their notes will be asked for them. */
static void find_their_sas(struct engine *engine, const struct newcomers *new, int tunnel)
{
	const struct engine_view *view = engine->view;
	struct engine_prospects *all = &engine->prospects;
	uint64_t generation = sad_generation(view->sad);
	size_t n = 0;

	for (size_t i = 0; i < new->n; i++) {
		struct flow_note *note = new->notes[i];
		const struct rule *rule;

		if (note->stamp != new->stamps[i] || note->rule == CLASSIFIER_NONE)
			continue;
		rule = view->spd->rules[note->rule];
		if (!asks_for_one(rule))
			continue;
		engine_ask(tunnel < 0 ? NULL : &view->tunnels->tunnels[tunnel], rule,
			&new->flows[i], &all->outers[n], &all->queries[n]);
		all->queries[n].action = &rule->actions[0];
		all->notes[n++] = note;
	}
	sad_find_outbound_batch(view->sad, all->queries, n, all->entries);
	for (size_t i = 0; i < n; i++) {
		if (!all->entries[i])
			continue;
		all->notes[i]->sad_generation = generation + 1;
		all->notes[i]->esp = all->entries[i];
		all->notes[i]->ah = NULL;
		sad_ask_entry(all->entries[i], engine->setup.worker);
	}
	for (size_t i = 0; i < n; i++)
		sad_ask_use(all->entries[i], engine->setup.worker);
}

static void find_newcomers(struct engine *engine, struct newcomers *new, int tunnel)
{
	engine->new_flows += (unsigned int)new->n;
	classifier_find_batch(engine->view->classifier, new->queries, new->n);
	for (size_t i = 0; i < new->n; i++)
		if (new->notes[i]->stamp == new->stamps[i]) /* else it is another flow's by now */
			new->notes[i]->rule = new->queries[i].rule;
	if (engine->view->sad)
		find_their_sas(engine, new, tunnel);
	new->n = 0;
}

void engine_warm(struct engine *engine, struct packet **pkts, size_t n, int tunnel)
{
	const struct engine_view *view = engine->view;
	bool busy = engine->new_flows >= WARM_FLOWS;
	UNINITIALISED struct newcomers new;
	struct engine_match match;
	int head;

	engine->new_flows = 0;
	if (!busy || n < WARM_FLOWS || !begin_match(view, tunnel, &head, &match))
		return;
	flow_cache_begin(engine->cache, view->version);
	new.n = 0;
	for (size_t i = 0; i < n; i++) {
		struct packet_view pkt_view;
		struct flow *flow = &new.flows[new.n];
		bool known;

		if (!packet_parse(pkts[i], &pkt_view) || pkt_view.is_fragment)
			continue;
		packet_flow(pkts[i], &pkt_view, DIRECTION_OUT, flow);
		new.notes[new.n] = flow_cache_get(engine->cache, flow, head, &known);
		if (known)
			continue;
		new.stamps[new.n] = new.notes[new.n]->stamp;
		new.queries[new.n] = (struct classifier_query){ .flow = flow, .head = head };
		if (++new.n == ENGINE_PROSPECTS)
			find_newcomers(engine, &new, tunnel);
	}
	find_newcomers(engine, &new, tunnel);
}

void engine_audit(
	struct engine *engine, int tunnel, const struct flow *flow, bool secured, size_t len)
{
	const struct engine_view *view = engine->view;
	struct engine_match match = { .rule = NULL };
	const struct rule *rule;
	uint32_t index;
	bool passes;

	if (!view->audit || tunnel < 0 || view->audit_heads[tunnel] == CLASSIFIER_NO_HEAD)
		return;
	index = classifier_find(view->audit, view->audit_heads[tunnel], flow);
	if (index == CLASSIFIER_NONE)
		return;
	rule = view->spd->audit[index];
	passes = flow->direction == DIRECTION_OUT ? rule_is_bypass(rule)
						  : !secured && rule_has_bypass(rule);
	if (passes)
		return;
	match.index = view->spd->count + index;
	engine_hit(engine, &match, len);
}

bool engine_recall(
	const struct engine *engine, const struct engine_match *match, struct engine_pair *ret_pair)
{
	const struct flow_note *note = match->note;
	struct engine_pair pair;

	if (!note || note->stamp != match->stamp || note->sad_generation == 0 ||
		!engine->view->sad || note->sad_generation != sad_generation(engine->view->sad) + 1)
		return false;
	pair = (struct engine_pair){ .esp = note->esp, .ah = note->ah };
	if ((pair.esp && !sad_is_usable(pair.esp)) || (pair.ah && !sad_is_usable(pair.ah)))
		return false;
	*ret_pair = pair;
	return true;
}

void engine_remember(
	const struct engine_match *match, uint64_t generation, const struct engine_pair *pair)
{
	struct flow_note *note = match->note;

	if (!note || note->stamp != match->stamp)
		return;
	note->sad_generation = generation + 1; /* 0 is for none */
	note->esp = pair->esp;
	note->ah = pair->ah;
}

bool engine_names_ports(const struct engine_view *view, int tunnel)
{
	return view->classifier &&
	       classifier_names_ports(view->classifier, view->heads[tunnel + 1]);
}
