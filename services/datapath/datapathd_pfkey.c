/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <string.h>

#include "common/daemon/audit.h"
#include "common/daemon/log.h"
#include "services/datapath/datapathd.h"
#include "services/datapath/pfkey/pfkey_door.h"

#define ADMINS	"ipsecadm"
#define KEEPERS "ipseckey"

static int enforce(struct rule *const *rules, size_t n, void *userdata)
{
	struct datapathd *d = userdata;
	int r = plant_set_annex(d->plant, rules, n);

	if (r < 0)
		log_warning("policies of PF_KEY clients cannot be enforced: %s", strerror(-r));
	else
		datapath_bus_rules_changed(d);
	return r;
}

static bool find_tunnel(const struct address *src, const struct address *dst,
	char ret_name[static RULE_TUNNEL_MAX], void *userdata)
{
	const struct datapathd *d = userdata;
	const struct tunnel_table *table = &d->plant->tunnels.list->table;

	for (size_t i = 0; i < table->count; i++) {
		const struct tunnel *tunnel = &table->tunnels[i];

		if (address_equal(&tunnel->src, src) && address_equal(&tunnel->dst, dst))
			return text_fixed(ret_name, RULE_TUNNEL_MAX, "%s", tunnel->name) == 0;
	}
	return false;
}

/* The rules of clients are those of the last source. */
static void measure(uint32_t id, uint64_t *ret_packets, uint64_t *ret_bytes, void *userdata)
{
	const struct datapathd *d = userdata;
	const struct engine_view *view = plant_view(d->plant);
	const struct spd *spd = view->spd;

	for (size_t i = 0; spd && d->plant->annex.n > 0 && i < spd->count; i++) {
		const struct rule *rule = spd->rules[i];

		if (rule->line != id || rule->source + 1U != spd->n_sources)
			continue;
		*ret_packets += atomic_load_explicit(&view->hits[i].packets, memory_order_relaxed);
		*ret_bytes += atomic_load_explicit(&view->hits[i].bytes, memory_order_relaxed);
	}
}

static void write_down(const struct pfkey_audit *change, void *userdata)
{
	char what[64], times[32] = "";
	struct audit record = { .what = what,
		.object = change->object,
		.known = true,
		.uid = change->uid,
		.pid = change->pid,
		.sender = "",
		.right = change->right,
		.error = change->error ? strerrorname_np(change->error) : NULL };

	(void)userdata;
	if (change->error)
		record.result = change->error == EPERM ? AUDIT_REFUSED : AUDIT_FAILED;
	if (record.result == AUDIT_REFUSED)
		record.right = "none";
	if (change->times > 1) {
		(void)!text_fixed(times, sizeof(times), "%" PRIu64 " times", change->times);
		record.object = times;
	}
	if (text_fixed(what, sizeof(what), "PF_KEY.%s", change->message) == 0)
		audit_write(&record);
}

static gid_t group_of(const char *name)
{
	const struct group *group = getgrnam(name);

	return group ? group->gr_gid : (gid_t)-1;
}

int datapathd_open_pfkey(struct datapathd *d)
{
	const struct pfkey_door_groups groups = { .admin = group_of(ADMINS),
		.keys = group_of(KEEPERS) };
	const struct pfkey_door_policy policy = {
		.enforce = enforce, .find_tunnel = find_tunnel, .measure = measure, .userdata = d
	};
	CLEANUP(freep) char *path = NULL, *linux_path = NULL;
	int r = file_system_path(DATAPATH_PFKEY_PATH, &path);

	if (r == 0)
		r = file_system_path(DATAPATH_PFKEY_LINUX_PATH, &linux_path);
	if (r == 0)
		r = pfkey_door_new(
			daemon_event(d->daemon), d->plant->sadb, path, &groups, &d->pfkey_door);
	if (r == 0)
		pfkey_door_set_audit(d->pfkey_door, write_down, d);
	if (r == 0)
		r = pfkey_door_listen_linux(d->pfkey_door, linux_path, &policy);
	return r;
}
