/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/policy/policyd.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/daemon/algs.h"
#include "common/daemon/log.h"
#include "common/daemon/settings.h"
#include "services/policy/policyd_names.h"

const struct daemon_identity policyd_identity = {
	.program = "ipsec-policyd",
	.summary = "Read the IPsec policy file and publish it to the datapath.",
	.bus_name = POLICYD_BUS_NAME,
	.bus_path = POLICYD_BUS_PATH,
	.unit = POLICYD_UNIT,
	.config = "/etc/netipsec/policy.cfg",
};

/* In the order of enum spd_precedence. */
static const char *const precedences[] = { "first-match", "solaris-priority", NULL };

static const struct setting settings_table[] = {
	{ .type = SETTING_STRING,
		.name = "config_file",
		.help = "the policy file",
		.offset = offsetof(struct policyd_settings, config_file) },
	{ .type = SETTING_CHOICE,
		.name = "precedence",
		.help = "which of several matching rules decides",
		.offset = offsetof(struct policyd_settings, precedence),
		.choices = precedences },
	{ .type = SETTING_END },
};

struct policyd *policyd_free(struct policyd *d)
{
	if (!d)
		return NULL;
	(void)publisher_free(d->publisher);
	while (d->queue) {
		struct policy_change *change = d->queue;

		d->queue = change->following;
		(void)policy_change_free(change);
	}
	(void)daemon_free(d->daemon);
	(void)alg_table_free(d->algs);
	(void)policy_file_free(d->current);
	free(d->counters);
	free(d->settings.config_file);
	free(d->load_error);
	free(d->publish_error);
	free(d);
	return NULL;
}

int policyd_new(const struct daemon_options *options, struct policyd **ret_policyd)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policyd_freep) struct policyd *d = calloc(1, sizeof(*d));
	int r;

	if (!d || !diags)
		return -ENOMEM;
	d->options = *options;
	d->settings.config_file = strdup(POLICY_FILE_PATH);
	if (!d->settings.config_file)
		return -ENOMEM;
	r = settings_load(
		options->config, !options->config_given, settings_table, &d->settings, diags);
	daemon_report(&d->options, diags);
	if (r < 0)
		return r;
	*ret_policyd = STEAL(d);
	return 0;
}

int policyd_load_algs(struct policyd *d)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct alg_table *table = NULL;
	int r = diags ? algs_load(NULL, diags, &table) : -ENOMEM;

	if (diags)
		daemon_report(&d->options, diags);
	if (r == 0) {
		(void)alg_table_free(d->algs);
		d->algs = table;
		return 0;
	}
	if (r == -ENOMEM || !d->algs)
		return r;
	log_warning("%s: the table that was read before stays in use", ALGS_FILE);
	return 0;
}

/* The file as a whole cannot be read. */
static int report_unreadable(const struct policyd *d, struct conf_diags *diags, int error)
{
	const char *label = conf_diags_file(diags, d->settings.config_file, "", 0, false);
	struct conf_loc at = { .file = label };

	(void)conf_error(diags, at, "policy-file", "cannot read: %s", strerror(-error));
	return error;
}

int policyd_load(struct policyd *d, struct conf_diags *diags, struct policy_file **ret_file,
	bool *ret_absent)
{
	CLEANUP(freep) char *path = NULL, *source = NULL;
	struct policy_input input = {
		.label = d->settings.config_file,
		.source = "",
		.resolver = &resolver_system,
	};
	int r = file_system_path(d->settings.config_file, &path);

	if (r == 0)
		r = file_read_path(path, POLICY_MAX_FILE_BYTES, &source, &input.len);
	*ret_absent = r == -ENOENT;
	if (r < 0 && !*ret_absent)
		return report_unreadable(d, diags, r);
	if (source)
		input.source = source;
	r = policyd_load_algs(d);
	if (r < 0)
		return report_unreadable(d, diags, r);
	input.algs = d->algs;
	return policy_parse(&input, diags, ret_file);
}

const char *policyd_last_error(const struct policyd *d)
{
	if (d->load_error)
		return d->load_error;
	return d->publish_error ? d->publish_error : "";
}

const char *policyd_state(const struct policyd *d)
{
	static const char *const names[] = {
		[PUBLISH_ABSENT] = "not-enforced",
		[PUBLISH_PENDING] = "published",
		[PUBLISH_ENFORCED] = "enforced",
		[PUBLISH_REFUSED] = "failed",
	};

	if (d->load_error || d->publish_error)
		return "failed";
	if (!d->current)
		return "starting";
	if (d->absent && d->current->n_entries == 0)
		return "absent";
	return names[publisher_state(d->publisher)];
}

uint32_t policyd_rule_count(const struct policyd *d)
{
	uint32_t count = 0;

	for (size_t i = 0; d->current && i < d->current->n_rules; i++)
		count += d->current->rules[i]->directions == DIRECTION_BIT_BOTH ? 2 : 1;
	return count;
}

static void show_status(struct policyd *d)
{
	const char *error = policyd_last_error(d);
	uint64_t generation = publisher_generation(d->publisher);

	if (*error)
		daemon_status(d->daemon, "%s", error);
	else if (publisher_state(d->publisher) == PUBLISH_ABSENT)
		daemon_status(d->daemon, "not enforced: datapath absent");
	else if (d->current && d->absent)
		daemon_status(d->daemon,
			"%s does not exist: %" PRIu32 " rules (generation %" PRIu64 ")",
			d->settings.config_file, policyd_rule_count(d), generation);
	else if (d->current)
		daemon_status(d->daemon, "%s: %" PRIu32 " rules (generation %" PRIu64 ")",
			policyd_state(d), policyd_rule_count(d), generation);
}

void policyd_show(struct policyd *d)
{
	static const char *const changed[] = { "Generation", "State", "LastError", "RuleCount",
		NULL };

	show_status(d);
	if (bus_properties_changed(daemon_bus(d->daemon), policyd_identity.bus_path,
		    policyd_identity.bus_name, changed) < 0)
		log_warning("cannot announce changed properties");
}

/* Also for what the publisher does on its own when the datapath comes back. */
static void on_state(
	enum publish_state state, uint64_t generation, const char *error, void *userdata)
{
	struct policyd *d = userdata;

	(void)state; /* both are asked of the publisher */
	(void)generation;
	free(d->publish_error);
	d->publish_error = error ? strdup(error) : NULL;
	if (d->publisher && !d->busy) /* else the end of the change tells, with its outcome */
		policyd_show(d);
}

static void on_stop(bool withdraw, void *userdata)
{
	struct policyd *d = userdata;
	int r = withdraw ? publisher_withdraw(d->publisher) : 0;

	if (r < 0)
		log_error("cannot withdraw the policy: %s", strerror(-r));
	else if (withdraw)
		log_info("the policy was withdrawn");
}

/* What was read before the bus was opened is the first change. */
static int publish_first(struct policyd *d, struct policy_file *file, bool absent)
{
	CLEANUP(policy_file_freep) struct policy_file *first = file;
	int r = policyd_publish_first(d, &first, absent);

	if (r < 0)
		return r;
	if (absent)
		log_warning("%s does not exist: the policy is empty", d->settings.config_file);
	return publisher_wait(d->publisher);
}

int policyd_run(struct policyd *d, struct policy_file *file, bool absent)
{
	const struct daemon_hooks hooks = {
		.reload = policyd_reload, .stop = on_stop, .userdata = d
	};
	int r;

	r = daemon_new(&policyd_identity, &d->options, &hooks, &d->daemon);
	if (r == 0)
		r = policyd_bus_add(d);
	if (r == 0)
		r = publisher_new(d->daemon, SECTION_POLICY, on_state, d, &d->publisher);
	if (r < 0) {
		(void)policy_file_free(file);
		return r;
	}
	r = publish_first(d, file, absent);
	if (r == 0)
		r = daemon_ready(d->daemon);
	if (r == 0)
		r = daemon_run(d->daemon);
	return r;
}
