/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rule decides for a packet, and what was chosen by it: the view's classifier behind a cache. */
#include "services/datapath/engine/engine_internal.h"

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

void engine_classify(
	struct engine *engine, int tunnel, const struct flow *flow, struct engine_match *ret_match)
{
	const struct engine_view *view = engine->view;
	struct flow_note *note;
	bool known;
	int head;

	if (!begin_match(view, tunnel, &head, ret_match))
		return;
	flow_cache_begin(engine->cache, view->version);
	note = flow_cache_get(engine->cache, flow, head, &known);
	if (!known)
		note->rule = classifier_find(view->classifier, head, flow);
	ret_match->note = note;
	ret_match->stamp = note->stamp;
	set_rule(view, note->rule, ret_match);
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
