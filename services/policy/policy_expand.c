/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one good entry to its rules: one for each pair of addresses. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "services/policy/policy_parser.h"

static struct prefix host_prefix(const struct pattern_host *host, size_t i)
{
	struct prefix prefix;
	unsigned int bits = host->mask_bits ? host->mask_bits : host->bits[i];

	if (prefix_make(&host->addrs[i], bits, &prefix) < 0)
		return prefix_host(&host->addrs[i]); /* bits were checked when they were read */
	return prefix;
}

/* Everything but the addresses. */
static struct rule *make_rule(const struct policy_parser *p, uint8_t directions)
{
	const struct pattern *pattern = &p->pattern;
	struct rule *rule = rule_new(p->n_actions);
	bool swapped = pattern->style == STYLE_OLD && directions == DIRECTION_BIT_IN;
	struct selector *selector;

	if (!rule)
		return NULL;
	selector = &rule->selector;
	rule->line = p->entry_at.line;
	rule->directions = directions;
	rule->negotiate = pattern->negotiate;
	memcpy(rule->tunnel, pattern->tunnel, sizeof(rule->tunnel));
	selector->protocol = pattern->protocol;
	selector->local_port = pattern->ports[swapped ? END_DST : END_SRC];
	selector->remote_port = pattern->ports[swapped ? END_SRC : END_DST];
	selector->local_port_last = pattern->last_ports[swapped ? END_DST : END_SRC];
	selector->remote_port_last = pattern->last_ports[swapped ? END_SRC : END_DST];
	selector->has_icmp_type = pattern->word_at[SLOT_ICMP_TYPE].line != 0;
	selector->has_icmp_code = pattern->word_at[SLOT_ICMP_CODE].line != 0;
	selector->icmp_type_low = pattern->icmp_type_low;
	selector->icmp_type_high = pattern->icmp_type_high;
	selector->icmp_code_low = pattern->icmp_code_low;
	selector->icmp_code_high = pattern->icmp_code_high;
	memcpy(rule->actions, p->actions, p->n_actions * sizeof(rule->actions[0]));
	return rule;
}

/* Is it what was left when the other direction of an entry was deleted (ipsecconf -d)? */
static bool is_remainder(const struct policy_file *file, const struct rule *rule)
{
	size_t at = 0;

	for (size_t i = 0; i < file->n_entries; at += file->entries[i++].n_rules)
		for (size_t k = at; file->entries[i].cut && k < at + file->entries[i].n_rules; k++)
			if (file->rules[k] == rule)
				return true;
	return false;
}

/*
 * The whole of what a part is left of: the part that is missing is added. NULL when there is nothing
 * in its way any more, else the rule that is.
 */
static const struct rule *find_other(const struct policy_parser *p, struct rule *rule)
{
	const struct rule *other = policy_seen_find(p->seen, rule);

	while (other && p->has_cut && (rule->directions & ~other->directions) != 0 &&
		selector_equal(&other->selector, &rule->selector) &&
		policy_same_actions(other, rule) && is_remainder(p->file, other)) {
		rule->directions &= (uint8_t)~other->directions;
		other = policy_seen_find(p->seen, rule);
	}
	return other;
}

/* The other one is configured already, from a text of its own: its line would tell nothing. */
static void warn_of_number(
	const struct policy_parser *p, const struct rule *rule, const struct rule *other)
{
	conf_warning(p->diags, p->entry_at, "rule-duplicate",
		"Duplicate policy entry (ignored): number %s%s%" PRIu32 " %s", other->tunnel,
		other->tunnel[0] ? "," : "", other->index,
		selector_equal(&other->selector, &rule->selector)
			? "has the same selectors"
			: "protects some of the same ICMP messages in another way");
}

static int add_rule(struct policy_parser *p, struct rule *made)
{
	CLEANUP(rule_freep) struct rule *rule = made;
	const struct rule *other = find_other(p, rule);
	int r;

	if (other && other->index != 0) {
		warn_of_number(p, rule, other);
		return 0;
	}
	if (other) {
		conf_warning(p->diags, p->entry_at, "rule-duplicate",
			selector_equal(&other->selector, &rule->selector)
				? "Duplicate policy entry (ignored): the same selectors stand on "
				  "line %u"
				: "Duplicate policy entry (ignored): line %u protects some of the "
				  "same ICMP messages in another way",
			other->line);
		return 0;
	}
	rule->order = (uint32_t)p->file->n_rules;
	r = policy_file_add_rule(p->file, rule);
	if (r < 0)
		return r;
	return policy_seen_add(p->seen, STEAL(rule)); /* the file owns it */
}

static int add_pair(struct policy_parser *p, uint8_t directions, const struct prefix *src,
	const struct prefix *dst)
{
	struct rule *rule = make_rule(p, directions);
	bool swapped = p->pattern.style == STYLE_OLD && directions == DIRECTION_BIT_IN;

	if (!rule)
		return -ENOMEM;
	if (src)
		*(swapped ? &rule->selector.remote : &rule->selector.local) = *src;
	if (dst)
		*(swapped ? &rule->selector.local : &rule->selector.remote) = *dst;
	if (src || dst)
		rule->selector.family = src ? src->addr.family : dst->addr.family;
	return add_rule(p, rule);
}

/* One end given: a rule for each of its addresses. */
static int add_single(struct policy_parser *p, uint8_t directions, int end)
{
	const struct pattern_host *host = &p->pattern.hosts[end];
	int r = 0;

	for (size_t i = 0; r == 0 && i < host->n_addrs; i++) {
		struct prefix prefix = host_prefix(host, i);

		r = add_pair(p, directions, end == END_SRC ? &prefix : NULL,
			end == END_DST ? &prefix : NULL);
	}
	return r;
}

static int add_pairs(struct policy_parser *p, uint8_t directions)
{
	const struct pattern_host *src = &p->pattern.hosts[END_SRC];
	const struct pattern_host *dst = &p->pattern.hosts[END_DST];
	int r = 0;

	for (size_t i = 0; i < src->n_addrs; i++) {
		struct prefix from = host_prefix(src, i);

		for (size_t j = 0; r == 0 && j < dst->n_addrs; j++) {
			struct prefix to = host_prefix(dst, j);

			if (from.addr.family == to.addr.family)
				r = add_pair(p, directions, &from, &to);
		}
	}
	return r;
}

int entry_expand(struct policy_parser *p, uint8_t directions, const char *text)
{
	const struct pattern *pattern = &p->pattern;
	int r;

	r = policy_file_add_entry(p->file, text, pattern->tunnel, p->entry_at.line);
	if (r < 0)
		return r;
	p->file->entries[p->file->n_entries - 1].source = p->source;
	p->file->entries[p->file->n_entries - 1].column = p->entry_at.column;
	if (pattern->hosts[END_SRC].n_addrs > 0 && pattern->hosts[END_DST].n_addrs > 0)
		return add_pairs(p, directions);
	if (pattern->hosts[END_SRC].n_addrs > 0)
		return add_single(p, directions, END_SRC);
	if (pattern->hosts[END_DST].n_addrs > 0)
		return add_single(p, directions, END_DST);
	return add_pair(p, directions, NULL, NULL);
}
