/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protective rules, held against the SAs that there are. */
#include <errno.h>

#include "services/policy/lint.h"

static bool key_fits(const struct alg_need *need, uint16_t bits)
{
	return bits >= need->min_bits && bits <= need->max_bits;
}

/* Does the SA compute what one header of an alternative asks for? */
static bool esp_fits(const struct action *action, const struct sa *sa)
{
	if (sa->proto != SA_PROTO_ESP || sa->encr != action->esp.number ||
		!key_fits(&action->esp, sa->encr_key_bits))
		return false;
	return !action->has_esp_auth || (sa->auth == action->esp_auth.number &&
						key_fits(&action->esp_auth, sa->auth_key_bits));
}

static bool ah_fits(const struct action *action, const struct sa *sa)
{
	return sa->proto == SA_PROTO_AH && sa->auth == action->ah.number &&
	       key_fits(&action->ah, sa->auth_key_bits);
}

static bool end_fits(const struct prefix *prefix, const struct address *addr)
{
	return prefix->addr.family == AF_UNSPEC || address_is_unspecified(addr) ||
	       prefix_contains(prefix, addr);
}

static bool either_or_equal(uint16_t a, uint16_t b)
{
	return a == 0 || b == 0 || a == b;
}

/* Could some packet of the rule, travelling outbound, be one of the SA's? */
static bool may_carry(const struct rule *rule, const struct sa *sa)
{
	const struct selector *s = &rule->selector;

	if (rule->negotiate == TUNNEL_TUNNEL)
		return sa->mode == SA_MODE_TUNNEL &&
		       (s->local.addr.family == AF_UNSPEC ||
			       prefix_overlaps(&s->local, &sa->inner_src)) &&
		       (s->remote.addr.family == AF_UNSPEC ||
			       prefix_overlaps(&s->remote, &sa->inner_dst));
	if (rule->negotiate == TUNNEL_TRANSPORT)
		return true; /* the ends are the tunnel's, which the rule does not tell */
	return end_fits(&s->local, &sa->src) && end_fits(&s->remote, &sa->dst) &&
	       either_or_equal(s->protocol, sa->protocol) &&
	       either_or_equal(s->local_port_last ? 0 : s->local_port, sa->src_port) &&
	       either_or_equal(s->remote_port_last ? 0 : s->remote_port, sa->dst_port);
}

static bool any_sa(const struct rule *rule, const struct action *action,
	const struct sa *const *sas, size_t count,
	bool (*fits)(const struct action *, const struct sa *))
{
	for (size_t i = 0; i < count; i++)
		if (fits(action, sas[i]) && may_carry(rule, sas[i]))
			return true;
	return false;
}

static bool is_served(const struct rule *rule, const struct sa *const *sas, size_t count)
{
	for (size_t i = 0; i < rule->n_actions; i++) {
		const struct action *action = &rule->actions[i];

		if (action->kind != ACTION_PROTECT)
			return true;
		if ((!action->has_ah || any_sa(rule, action, sas, count, ah_fits)) &&
			(!action->has_esp || any_sa(rule, action, sas, count, esp_fits)))
			return true;
	}
	return false;
}

/* What is_served() may cost: a look at each SA for each header. */
static uint64_t pairs_of(const struct rule *rule, size_t count)
{
	return (uint64_t)rule->n_actions * 2 * count;
}

int policy_lint_sas(
	const struct policy_lint *lint, const struct sa *const *sas, size_t count, bool negotiates)
{
	const struct policy_file *file = lint->file;
	size_t rule = 0;
	uint64_t pairs = 0;

	if (negotiates)
		return 0;
	for (size_t i = 0; i < file->n_entries; i++) {
		const struct policy_entry *entry = &file->entries[i];
		bool reported = i < lint->first_entry;

		for (size_t n = 0; n < entry->n_rules; n++, rule++) {
			/* What comes in is the peer's SA: only what goes out can be told. */
			if (reported || !(file->rules[rule]->directions & DIRECTION_BIT_OUT))
				continue;
			pairs += pairs_of(file->rules[rule], count);
			if (pairs > POLICY_SAS_PAIRS_MAX ||
				is_served(file->rules[rule], sas, count))
				continue;
			reported = true;
			conf_warning(lint->diags, lint_place(lint, entry), "rule-unserved",
				"no SA has what this rule asks for, and nobody negotiates one: "
				"its packets are dropped");
		}
	}
	if (pairs > POLICY_SAS_PAIRS_MAX)
		conf_note(lint->diags, (struct conf_loc){ .file = lint->label }, "rule-unserved",
			"so many rules and SAs that not all were held against each other");
	return conf_diags_failed(lint->diags) ? -ENOMEM : 0;
}
