/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of tunnels, held against the tunnels of this host. */
#include <errno.h>
#include <string.h>

#include "services/policy/lint.h"

struct policy_tunnels *policy_tunnels_new(void)
{
	return calloc(1, sizeof(struct policy_tunnels));
}

struct policy_tunnels *policy_tunnels_free(struct policy_tunnels *tunnels)
{
	if (tunnels) {
		free(tunnels->tunnels);
		free(tunnels);
	}
	return NULL;
}

static struct policy_tunnel *find_tunnel(const struct policy_tunnels *tunnels, const char *name)
{
	for (size_t i = 0; i < tunnels->count; i++)
		if (strcmp(tunnels->tunnels[i].name, name) == 0)
			return &tunnels->tunnels[i];
	return NULL;
}

int policy_tunnels_add(
	struct policy_tunnels *tunnels, const char *name, bool configured, bool routed)
{
	struct policy_tunnel *tunnel = find_tunnel(tunnels, name), *grown;
	int r;

	if (!tunnel) {
		grown = reallocarray(tunnels->tunnels, tunnels->count + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		tunnels->tunnels = grown;
		tunnel = &grown[tunnels->count];
		*tunnel = (struct policy_tunnel){ 0 };
		r = text_copy(tunnel->name, sizeof(tunnel->name), name);
		if (r < 0)
			return r;
		tunnels->count++;
	}
	tunnel->is_configured |= configured;
	tunnel->is_routed |= routed;
	return 0;
}

static bool names_a_subnet(const struct rule *rule)
{
	return rule->selector.local.bits > 0 || rule->selector.remote.bits > 0;
}

static void lint_entry(const struct policy_lint *lint, const struct policy_tunnels *tunnels,
	const struct policy_entry *entry, const struct rule *rule)
{
	const struct policy_tunnel *tunnel = find_tunnel(tunnels, entry->tunnel);

	if (tunnels->known && !(tunnel && tunnel->is_configured)) {
		conf_warning(lint->diags, lint_place(lint, entry), "tunnel-absent",
			"there is no tunnel '%s' in datapath.cfg", entry->tunnel);
		if (tunnels->count > 0)
			conf_hint(lint->diags,
				"policy may stand there before its tunnel; until then the rule "
				"matches nothing");
	}
	if (tunnel && tunnel->is_routed && rule->negotiate == TUNNEL_TUNNEL && names_a_subnet(rule))
		conf_warning(lint->diags, lint_place(lint, entry), "tunnel-routing",
			"routes over '%s' come from a routing protocol, but the rule is for one "
			"subnet: what is routed beside it is dropped",
			entry->tunnel);
}

int policy_lint_tunnels(const struct policy_lint *lint, const struct policy_tunnels *tunnels)
{
	const struct policy_file *file = lint->file;
	size_t rule = 0;

	for (size_t i = 0; i < file->n_entries; i++) {
		const struct policy_entry *entry = &file->entries[i];

		if (i >= lint->first_entry && entry->n_rules > 0 && entry->tunnel[0] != '\0')
			lint_entry(lint, tunnels, entry, file->rules[rule]);
		rule += entry->n_rules;
	}
	return conf_diags_failed(lint->diags) ? -ENOMEM : 0;
}
