/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/policy/policyd.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/instance.h"
#include "common/base/memfd.h"
#include "common/conf/resolve_job.h"
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
	{ .type = SETTING_BOOL,
		.name = "enforce",
		.help = "false: count what the file's rules would decide, and change nothing",
		.offset = offsetof(struct policyd_settings, enforce) },
	{ .type = SETTING_BOOL,
		.name = "extensions",
		.help = "allow port ranges and lists of addresses, which Solaris has not",
		.offset = offsetof(struct policyd_settings, extensions) },
	{ .type = SETTING_NUMBER,
		.name = "resolve_timeout",
		.help = "how long the names of a file may be looked up, in seconds",
		.offset = offsetof(struct policyd_settings, resolve_timeout_sec),
		.min = 1,
		.max = 600 },
	{ .type = SETTING_END },
};

struct policyd *policyd_free(struct policyd *d)
{
	if (!d)
		return NULL;
	service_done(&d->service);
	while (d->queue) {
		struct policy_change *change = d->queue;

		d->queue = change->following;
		(void)policy_change_free(change);
	}
	(void)alg_table_free(d->algs);
	(void)policy_file_free(d->configured);
	(void)policy_file_free(d->in_force);
	(void)policy_file_free(d->former.configured);
	(void)policy_file_free(d->former.in_force);
	policyd_fragments_done(&d->fragments);
	for (size_t i = 0; i < d->owners.count; i++)
		free(d->owners.watched[i]);
	free(d->owners.watched);
	free(d->counters);
	policyd_settings_done(&d->settings);
	free(d);
	return NULL;
}

void policyd_settings_done(struct policyd_settings *settings)
{
	free(settings->config_file);
	*settings = (struct policyd_settings){ 0 };
}

int policyd_settings_read(const struct daemon_options *options, struct conf_diags *diags,
	struct policyd_settings *ret_settings)
{
	struct policyd_settings settings = { .enforce = true,
		.resolve_timeout_sec = RESOLVE_TIMEOUT_USEC / USEC_PER_SEC,
		.config_file = instance_path(POLICY_FILE_PATH) };
	int r = settings.config_file ? daemon_settings(options, settings_table, &settings, diags)
				     : -ENOMEM;

	if (r < 0)
		policyd_settings_done(&settings);
	else
		*ret_settings = settings;
	return r;
}

int policyd_new(const struct daemon_options *options, struct policyd **ret_policyd)
{
	CLEANUP(policyd_freep) struct policyd *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	service_init(&d->service, &policyd_identity, &policyd_hooks, options, d);
	r = policyd_settings_read(options, NULL, &d->settings);
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
		daemon_report(&d->service.options, diags);
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

	(void)conf_error(diags, at, error == -EPERM ? "policy-rights" : "policy-file",
		"cannot read: %s", file_error(error));
	if (error == -EPERM)
		conf_hint(diags, "it must belong to root, and only its owner may write it");
	return error;
}

int policyd_read(const struct policyd *d, struct conf_diags *diags, char **ret_source,
	size_t *ret_len, bool *ret_absent)
{
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(d->settings.config_file, &path);

	*ret_len = 0;
	if (r == 0)
		r = file_read_guarded(path, POLICY_MAX_FILE_BYTES, ret_source, ret_len);
	*ret_absent = r == -ENOENT;
	return r < 0 && !*ret_absent ? report_unreadable(d, diags, r) : 0;
}

/* At the start, before there is a loop that could go on. */
static int load_file(struct policyd *d, struct conf_diags *diags, struct policyd_content *content)
{
	CLEANUP(freep) char *source = NULL;
	struct policy_input input;
	size_t len;
	int r = policyd_read(d, diags, &source, &len, &content->absent);

	if (r < 0)
		return r;
	r = policyd_load_algs(d);
	if (r < 0)
		return report_unreadable(d, diags, r);
	input = policyd_input(d, &resolver_system);
	input.label = d->settings.config_file;
	input.source = source ? source : "";
	input.len = len;
	content->tried = policyd_trial_is_of(input.source, len);
	return policy_parse_bounded(
		&input, d->settings.resolve_timeout_sec * USEC_PER_SEC, diags, &content->file);
}

const struct policy_file *policyd_in_force(const struct policyd *d)
{
	return d->in_force ? d->in_force : d->configured;
}

struct policyd_content *policyd_content_free(struct policyd_content *content)
{
	if (content)
		(void)policy_file_free(content->file);
	free(content);
	return NULL;
}

uint32_t policyd_rule_count(const struct policy_file *file)
{
	uint32_t count = 0;

	for (size_t i = 0; file && i < file->n_rules; i++)
		count += file->rules[i]->directions == DIRECTION_BIT_BOTH ? 2 : 1;
	return count;
}

static int load(void *userdata, struct conf_diags *diags, void **ret_content)
{
	CLEANUP(policyd_content_freep)
	struct policyd_content *content = calloc(1, sizeof(*content));
	int r = content ? load_file(userdata, diags, content) : -ENOMEM;

	if (r == 0)
		*ret_content = STEAL(content);
	return r;
}

static void discard(void *content)
{
	(void)policyd_content_free(content);
}

static void tell(const void *userdata, const void *loaded, struct text *text)
{
	const struct policyd *d = userdata;
	const struct policyd_content *content = loaded;

	text_addf(text, "%s: %zu entries, %" PRIu32 " rules%s", d->settings.config_file,
		content->file->n_entries, policyd_rule_count(content->file),
		content->absent ? "; there is no such file, which is an empty policy" : "");
}

static void describe(const void *userdata, const char *state, struct text *text)
{
	const struct policyd *d = userdata;

	uint32_t count = policyd_rule_count(policyd_in_force(d));

	if (d->gone_back) {
		text_addf(text, "the policy before a trial, not known here, is %s", state);
		return;
	}
	if (d->absent)
		text_addf(text, "%s does not exist: ", d->settings.config_file);
	else if (d->without_rules)
		text_addf(text,
			"%s has no rules, the policy before stays: ", d->settings.config_file);
	text_addf(text, "%" PRIu32 " rule%s %s", count, count == 1 ? "" : "s", state);
}

/* What was read before the bus was opened is the first change. */
static int publish_first(void *userdata, void *loaded)
{
	CLEANUP(policyd_content_freep) struct policyd_content *content = loaded;
	struct policyd *d = userdata;
	int r;

	r = policyd_watch(d);
	if (r == 0)
		r = policyd_fragments_load(&d->fragments);
	if (r < 0)
		return r;
	if (content->absent)
		log_warning("%s does not exist: the policy is empty", d->settings.config_file);
	return policyd_publish_first(d, content);
}

const struct service_hooks policyd_hooks = {
	.section = SECTION_POLICY,
	.count_property = "RuleCount",
	.subject = "policy",
	.load = load,
	.discard = discard,
	.tell = tell,
	.add_to_bus = policyd_bus_add,
	.describe = describe,
	.publish = publish_first,
	.reload = policyd_reload,
};
