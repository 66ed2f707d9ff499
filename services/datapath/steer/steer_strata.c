/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_strata.h"

#include <errno.h>
#include <stdlib.h>

#define COMPARISONS_MAX 4000000U /* some ten milliseconds; beyond, lines count as overlapping */

static bool ports_overlap(uint16_t a, uint16_t a_last, uint16_t b, uint16_t b_last)
{
	if (a == 0 || b == 0)
		return true;
	return a <= steer_port_last(b, b_last) && b <= steer_port_last(a, a_last);
}

static bool prefixes_overlap(const struct prefix *a, const struct prefix *b)
{
	return a->addr.family == AF_UNSPEC || b->addr.family == AF_UNSPEC || prefix_overlaps(a, b);
}

bool steer_lines_overlap(const struct steer_line *a, const struct steer_line *b)
{
	if (a->family != AF_UNSPEC && b->family != AF_UNSPEC && a->family != b->family)
		return false;
	if (a->protocol && b->protocol && a->protocol != b->protocol)
		return false;
	if (a->has_type && b->has_type &&
		(a->type_low > b->type_high || b->type_low > a->type_high))
		return false;
	if (a->has_code && b->has_code &&
		(a->code_low > b->code_high || b->code_low > a->code_high))
		return false;
	return ports_overlap(a->sport, a->sport_last, b->sport, b->sport_last) &&
	       ports_overlap(a->dport, a->dport_last, b->dport, b->dport_last) &&
	       prefixes_overlap(&a->src, &b->src) && prefixes_overlap(&a->dst, &b->dst);
}

struct sorting {
	const struct steer_line *lines;
	uint8_t *strata;
	uint32_t *late; /* lines of their kind that are not in its first stratum */
	size_t n_late, compared;
	uint8_t top[2]; /* highest stratum of those that hold back, of those that let through */
	uint8_t top_protect;
	bool seen_other;
};

static bool lets_through(const struct steer_line *line)
{
	return line->verdict == STEER_ACCEPT || line->verdict == STEER_PASS;
}

/* The lowest stratum above every earlier line of the other kind that overlaps. */
static uint8_t stratum_of(struct sorting *s, size_t i)
{
	const struct steer_line *line = &s->lines[i];
	bool through = lets_through(line);
	uint8_t least = through ? 0 : 1, other = s->top[!through];
	size_t n = through ? i : s->n_late;

	if (through ? !s->seen_other : n == 0)
		return least;
	s->compared += n;
	if (s->compared > COMPARISONS_MAX)
		return (uint8_t)(other + 1);
	for (size_t k = 0; k < n && least <= other; k++) {
		size_t j = through ? k : s->late[k];

		if (lets_through(&s->lines[j]) != through && s->strata[j] >= least &&
			steer_lines_overlap(line, &s->lines[j]))
			least = (uint8_t)(s->strata[j] + 1);
	}
	return least;
}

/* Strata in use, by what the lines in them do. */
struct tops {
	uint32_t effect; /* of the highest */
	uint8_t highest, other; /* other: among all other effects */
	bool any, any_other;
};

static void tops_add(struct tops *tops, uint32_t effect, uint8_t stratum)
{
	if (!tops->any || (effect != tops->effect && stratum > tops->highest)) {
		tops->any_other = tops->any;
		tops->other = tops->highest;
		tops->effect = effect;
		tops->highest = stratum;
		tops->any = true;
	} else if (effect == tops->effect) {
		tops->highest = stratum > tops->highest ? stratum : tops->highest;
	} else {
		tops->other = stratum > tops->other ? stratum : tops->other;
		tops->any_other = true;
	}
}

/* The lowest stratum above every earlier line of another effect that overlaps. */
static uint8_t effect_stratum_of(const struct steer_lines *lines, const uint8_t *strata, size_t i,
	const struct tops *tops, size_t *compared)
{
	uint32_t effect = lines->effects[i];
	bool same = tops->any && tops->effect == effect;
	uint8_t least = 0, top = same ? tops->other : tops->highest;

	if (!(same ? tops->any_other : tops->any))
		return 0;
	if (*compared > COMPARISONS_MAX)
		return (uint8_t)(top + 1);
	for (size_t j = 0; j < i && least <= top; j++) {
		if (lines->effects[j] == effect || strata[j] < least)
			continue;
		++*compared;
		if (steer_lines_overlap(&lines->lines[i], &lines->lines[j]))
			least = (uint8_t)(strata[j] + 1);
	}
	return least;
}

static size_t place_by_effect(const struct steer_lines *lines, uint8_t *strata)
{
	struct tops tops = { 0 };
	size_t compared = 0, i;

	for (i = 0; i < lines->count; i++) {
		strata[i] = effect_stratum_of(lines, strata, i, &tops, &compared);
		if (strata[i] >= STEER_STRATA_MAX)
			break;
		tops_add(&tops, lines->effects[i], strata[i]);
	}
	return i;
}

int steer_strata(const struct steer_lines *lines, uint8_t **ret_strata, size_t *ret_placed)
{
	CLEANUP(freep) uint8_t *strata = calloc(lines->count + 1, sizeof(*strata));
	CLEANUP(freep) uint32_t *late = calloc(lines->count + 1, sizeof(*late));
	struct sorting s = { .lines = lines->lines, .strata = strata, .late = late };
	size_t i;

	if (!strata || !late)
		return -ENOMEM;
	if (lines->effects) {
		*ret_placed = place_by_effect(lines, strata);
		*ret_strata = STEAL(strata);
		return 0;
	}
	for (i = 0; i < lines->count; i++) {
		bool through = lets_through(&lines->lines[i]);
		uint8_t stratum = stratum_of(&s, i);

		/* What an earlier line wants protected must not be dropped first. */
		if (lines->lines[i].verdict == STEER_DROP && stratum < s.top_protect)
			stratum = s.top_protect;
		if (stratum >= STEER_STRATA_MAX)
			break;
		strata[i] = stratum;
		if (stratum > s.top[through])
			s.top[through] = stratum;
		if (through && stratum > 0)
			late[s.n_late++] = (uint32_t)i;
		if (!through)
			s.seen_other = true;
		if (lines->lines[i].verdict == STEER_PROTECT && stratum > s.top_protect)
			s.top_protect = stratum;
	}
	*ret_placed = i;
	*ret_strata = STEAL(strata);
	return 0;
}
