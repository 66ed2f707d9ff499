/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/steer/steer_plan.h"

/* Prefixes that are every machine's own. */
static const struct prefix always[] = {
	{ .addr = { .family = AF_INET, .bytes = { 127 } }, .bits = 8 },
	{ .addr = { .family = AF_INET6, .bytes = { [15] = 1 } }, .bits = 128 },
	/* Groups, which are heard on `lo` too. */
	{ .addr = { .family = AF_INET, .bytes = { 224 } }, .bits = 4 },
	{ .addr = { .family = AF_INET6, .bytes = { 0xff } }, .bits = 8 },
};

struct picker {
	const struct steer_program *program;
	const struct address *addresses;
	size_t count;
	struct steer_own *own;
};

static bool is_always(const struct address *addr)
{
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (prefix_contains(&always[i], addr))
			return true;
	return false;
}

/* Is one of our addresses in it? One binary search. */
static bool has_room(const struct picker *picker, const struct prefix *prefix)
{
	size_t low = 0, high = picker->count;

	if (prefix->addr.family == AF_UNSPEC)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (prefix_overlaps(&always[i], prefix))
			return true;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (address_compare(&picker->addresses[middle], &prefix->addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < picker->count && prefix_contains(prefix, &picker->addresses[low]);
}

/* A line for each address, either at packets' sources or at their destinations. */
static int add_address(const struct picker *picker, const struct prefix *prefix)
{
	struct steer_line line = { .verdict = STEER_PASS, .family = prefix->addr.family };
	int r;

	line.src = *prefix;
	r = steer_lines_add(&picker->own->from.lines, &line);
	line.src = (struct prefix){ 0 };
	line.dst = *prefix;
	return r < 0 ? r : steer_lines_add(&picker->own->to.lines, &line);
}

static int pick_addresses(const struct picker *picker)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(always) && r == 0; i++)
		r = add_address(picker, &always[i]);
	for (size_t i = 0; i < picker->count && r == 0; i++) {
		struct prefix host = prefix_host(&picker->addresses[i]);

		if (!is_always(&picker->addresses[i]))
			r = add_address(picker, &host);
	}
	return r;
}

static int pick_lines(const struct picker *picker, const struct steer_lines *lines,
	struct steer_lines *ret_picked)
{
	int r = 0;

	for (size_t i = 0; i < lines->count && r == 0; i++)
		if (has_room(picker, &lines->lines[i].src) &&
			has_room(picker, &lines->lines[i].dst))
			r = steer_lines_add(ret_picked, &lines->lines[i]);
	return r;
}

static int make_effects(struct steer_lines *lines)
{
	lines->effects = calloc(lines->count + 1, sizeof(*lines->effects));
	return lines->effects ? 0 : -ENOMEM;
}

static void number_out(struct steer_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++) {
		const struct steer_line *line = &lines->lines[i];

		if (line->verdict == STEER_PROTECT)
			lines->effects[i] = OWN_ACTION + (uint32_t)line->action;
		else
			lines->effects[i] = line->verdict == STEER_DROP ? OWN_DROP : OWN_ACCEPT;
	}
}

static bool same_alternatives(
	const struct steer_program *program, const struct steer_line *a, const struct steer_line *b)
{
	return a->n_alternatives == b->n_alternatives &&
	       (a->n_alternatives == 0 ||
		       memcmp(program->alternatives + a->alternatives_at,
			       program->alternatives + b->alternatives_at, a->n_alternatives) == 0);
}

/* What a protected packet may have: few combinations among many lines. */
static int number_in(struct steer_own *own, const struct steer_program *program)
{
	struct steer_lines *lines = &own->in.lines;

	own->models = calloc(lines->count + 1, sizeof(*own->models));
	if (!own->models)
		return -ENOMEM;
	for (size_t i = 0; i < lines->count; i++) {
		size_t k = 0;

		while (k < own->n_models &&
			!same_alternatives(
				program, &lines->lines[own->models[k]], &lines->lines[i]))
			k++;
		if (k == own->n_models)
			own->models[own->n_models++] = (uint32_t)i;
		lines->effects[i] = (uint32_t)k;
	}
	return 0;
}

static int plan(struct steer_own *own)
{
	int r = steer_plan_new(&own->from.lines, true, &own->from.plan);

	if (r == 0)
		r = steer_plan_new(&own->to.lines, true, &own->to.plan);
	if (r == 0)
		r = steer_plan_new(&own->out.lines, true, &own->out.plan);
	if (r == 0)
		r = steer_plan_new(&own->in.lines, false, &own->in.plan);
	return r;
}

int steer_own_new(const struct steer_program *program, const struct address *addresses,
	size_t count, struct steer_own **ret_own)
{
	CLEANUP(steer_own_freep) struct steer_own *own = calloc(1, sizeof(*own));
	struct picker picker = { program, addresses, count, own };
	int r;

	if (!own)
		return -ENOMEM;
	r = pick_addresses(&picker);
	if (r == 0)
		r = pick_lines(&picker, &program->out, &own->out.lines);
	if (r == 0)
		r = pick_lines(&picker, &program->in, &own->in.lines);
	if (r == 0)
		r = make_effects(&own->from.lines);
	if (r == 0)
		r = make_effects(&own->to.lines);
	if (r == 0)
		r = make_effects(&own->out.lines);
	if (r == 0)
		r = make_effects(&own->in.lines);
	if (r < 0)
		return r;
	number_out(&own->out.lines);
	r = number_in(own, program);
	if (r == 0)
		r = plan(own);
	if (r < 0)
		return r;
	*ret_own = STEAL(own);
	return 0;
}

static void side_done(struct steer_side *side)
{
	steer_plan_free(side->plan);
	free(side->lines.effects);
	free(side->lines.lines);
}

struct steer_own *steer_own_free(struct steer_own *own)
{
	if (!own)
		return NULL;
	side_done(&own->from);
	side_done(&own->to);
	side_done(&own->out);
	side_done(&own->in);
	free(own->models);
	free(own);
	return NULL;
}
