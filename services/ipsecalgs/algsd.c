/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/ipsecalgs/algsd.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "common/base/instance.h"
#include "common/base/memfd.h"
#include "common/daemon/algs.h"
#include "common/daemon/log.h"
#include "common/daemon/settings.h"
#include "lib/netipsec/ipsecalgs.h"

#define FILE_MAX_BYTES (1U << 20)
#define FILE_MODE      0444

const struct daemon_identity algsd_identity = {
	.program = "ipsecalgsd",
	.summary = "Read the IPsec algorithm file and publish it to the datapath.",
	.bus_name = "org.netipsec.Algorithms1",
	.bus_path = "/org/netipsec/Algorithms1",
	.unit = "ipsecalgs.service",
	.config = "/etc/netipsec/ipsecalgs.cfg",
	.without = "what was in force stays",
};

static const struct setting settings_table[] = {
	{ .type = SETTING_STRING,
		.name = "config_file",
		.help = "the algorithm file",
		.offset = offsetof(struct algsd_settings, config_file) },
	{ .type = SETTING_NUMBER,
		.name = "crypto_cpu_max",
		.help = "share of the CPUs, in percent, that the engine may take",
		.offset = offsetof(struct algsd_settings, crypto_cpu_max),
		.min = 1,
		.max = ALG_CPU_ALL },
	{ .type = SETTING_END },
};

DEFINE_CLEANUP(struct ipsecalgs *, ipsecalgs_free)

struct algsd_table *algsd_table_free(struct algsd_table *table)
{
	if (!table)
		return NULL;
	free(table->text);
	snapshot_bytes_done(&table->snapshot);
	free(table);
	return NULL;
}

struct algsd *algsd_free(struct algsd *d)
{
	if (!d)
		return NULL;
	service_done(&d->service);
	(void)algsd_table_free(d->published);
	free(d->settings.config_file);
	free(d);
	return NULL;
}

static int read_settings(const struct daemon_options *options, struct conf_diags *diags,
	struct algsd_settings *ret_settings)
{
	struct algsd_settings settings = { .crypto_cpu_max = ALG_CPU_ALL };
	int r;

	settings.config_file = instance_path(ALGS_FILE);
	if (!settings.config_file)
		return -ENOMEM;
	r = settings_load(
		options->config, !options->config_given, settings_table, &settings, diags);
	if (r < 0)
		free(settings.config_file);
	else
		*ret_settings = settings;
	return r;
}

int algsd_new(const struct daemon_options *options, struct algsd **ret_algsd)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(algsd_freep) struct algsd *d = calloc(1, sizeof(*d));
	int r;

	if (!d || !diags)
		return -ENOMEM;
	service_init(&d->service, &algsd_identity, &algsd_hooks, options, d);
	r = read_settings(options, diags, &d->settings);
	daemon_report(options, diags);
	if (r < 0) {
		daemon_start_failed(options, diags, strerror(-r));
		return daemon_file_fault(r);
	}
	if (options->action == DAEMON_SETTINGS)
		settings_show(settings_table, &d->settings);
	*ret_algsd = STEAL(d);
	return 0;
}

/* The file's text, or the built-in one when there is no file. */
static int read_source(
	const struct algsd *d, struct conf_diags *diags, char **ret_source, bool *ret_builtin)
{
	CLEANUP(freep) char *path = NULL;
	size_t len;
	int r;

	r = file_system_path(d->settings.config_file, &path);
	if (r == 0)
		r = file_read_guarded(path, FILE_MAX_BYTES, ret_source, &len);
	*ret_builtin = r == -ENOENT;
	if (*ret_builtin) {
		*ret_source = strdup(ipsecalgs_default_text());
		return *ret_source ? 0 : -ENOMEM;
	}
	if (r == 0 && strlen(*ret_source) != len)
		r = -EILSEQ;
	if (r < 0) {
		/* The settings may be others by the time that this is shown. */
		struct conf_loc at = { .file = conf_diags_file(
					       diags, d->settings.config_file, "", 0, false) };

		(void)conf_error(diags, at, r == -EPERM ? "algs-rights" : "algs-file",
			"cannot read: %s", file_error(r));
		if (r == -EPERM)
			conf_hint(diags,
				"it must belong to root or to the service's user, and only its "
				"owner may write it");
	}
	return r;
}

/* The parsed file in both of its forms: text for those who ask, snapshot for the datapath. */
static int fill_table(const struct algsd *d, struct conf_diags *diags, const char *source,
	struct algsd_table *table)
{
	CLEANUP(alg_table_freep) struct alg_table *model = NULL;
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *file = NULL;
	size_t len = strlen(source);
	int r;

	r = algs_parse(d->settings.config_file, source, len, diags, &model);
	if (r == 0) /* what was to be reported was reported by algs_parse() */
		r = ipsecalgs_parse(source, len, NULL, NULL, &file);
	if (r == 0)
		r = ipsecalgs_print(file, &table->text);
	if (r == 0)
		model->execution.cpu_percent = (uint8_t)d->settings.crypto_cpu_max;
	if (r == 0)
		r = snapshot_write_algorithms(model, &table->snapshot);
	if (r == 0)
		table->count = (uint32_t)model->count;
	return r;
}

int algsd_load(const struct algsd *d, struct conf_diags *diags, struct algsd_table **ret_table)
{
	CLEANUP(algsd_table_freep) struct algsd_table *table = calloc(1, sizeof(*table));
	char *source = NULL;
	int r;

	if (!table)
		return -ENOMEM;
	r = read_source(d, diags, &source, &table->builtin);
	if (r == 0)
		r = fill_table(d, diags, source, table);
	free(source);
	if (r < 0)
		return r;
	*ret_table = STEAL(table);
	return 0;
}

static int write_file(const struct algsd *d, const char *text)
{
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(d->settings.config_file, &path);

	return r < 0 ? r : file_replace(path, text, strlen(text), FILE_MODE);
}

/* The changed table read again as the file will be: what cannot be used is not written. */
static int remake(const struct algsd *d, const struct ipsecalgs *file, struct text *why,
	struct algsd_table **ret_table)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(algsd_table_freep) struct algsd_table *table = calloc(1, sizeof(*table));
	char *text = NULL;
	int r = diags && table ? ipsecalgs_print(file, &text) : -ENOMEM;

	if (r == 0)
		r = fill_table(d, diags, text, table);
	free(text);
	if (r == -EBADMSG) {
		text_done(why);
		conf_diags_print(diags, why);
	}
	if (r == 0)
		*ret_table = STEAL(table);
	return r;
}

int algsd_change_file(const struct algsd *d, const struct algs_change *change,
	struct conf_diags *diags, struct text *why, enum algs_change_verdict *ret_verdict,
	struct algsd_table **ret_table)
{
	CLEANUP(algsd_table_freep) struct algsd_table *before = NULL, *after = NULL;
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *file = NULL;
	const char *text;
	int r = algsd_load(d, diags, &before);

	text = r == 0 && before->text ? before->text : "";
	if (r == 0)
		r = ipsecalgs_parse(text, strlen(text), NULL, NULL, &file);
	if (r < 0)
		return r;
	*ret_verdict = algs_change_apply(file, change, why);
	if (*ret_verdict == ALGS_CHANGE_NONE)
		*ret_table = STEAL(before);
	if (*ret_verdict != ALGS_CHANGE_MADE)
		return 0;
	r = remake(d, file, why, &after);
	if (r == -EBADMSG) {
		*ret_verdict = ALGS_CHANGE_INVALID;
		return 0;
	}
	if (r == 0)
		r = write_file(d, after->text);
	if (r == 0)
		*ret_table = STEAL(after);
	else
		text_addf(why, "%s: %s", d->settings.config_file, strerror(-r));
	return r;
}

/* The settings follow with the file, both or neither. */
static int load(void *userdata, struct conf_diags *diags, void **ret_content)
{
	struct algsd *d = userdata;
	struct algsd_settings former = d->settings, next;
	struct algsd_table *table = NULL;
	int r = read_settings(&d->service.options, diags, &next);

	if (r < 0)
		return r;
	d->settings = next;
	r = algsd_load(d, diags, &table);
	d->settings = r < 0 ? former : next;
	free(r < 0 ? next.config_file : former.config_file);
	*ret_content = table;
	return r;
}

static void discard(void *content)
{
	(void)algsd_table_free(content);
}

static struct snapshot_bytes *table_snapshot(void *content)
{
	struct algsd_table *table = content;

	return &table->snapshot;
}

static void take(void *userdata, void *content)
{
	struct algsd *d = userdata;

	(void)algsd_table_free(d->published);
	d->published = content;
	log_info("%" PRIu32 " algorithms%s", d->published->count,
		d->published->builtin ? " of the built-in table, there is no file" : "");
}

static void tell(const void *userdata, const void *content, struct text *text)
{
	const struct algsd *d = userdata;
	const struct algsd_table *table = content;

	text_addf(text, "%s: %" PRIu32 " algorithm%s%s", d->settings.config_file, table->count,
		table->count == 1 ? "" : "s",
		table->builtin ? " of the built-in table, there is no file" : "");
}

static void describe(const void *userdata, const char *state, struct text *text)
{
	const struct algsd *d = userdata;

	if (d->published->builtin)
		text_addf(text, "%s does not exist: ", d->settings.config_file);
	text_addf(text, "%" PRIu32 " %salgorithm%s %s", d->published->count,
		d->published->builtin ? "built-in " : "", d->published->count == 1 ? "" : "s",
		state);
}

/* As on Solaris the table outlives its service: without it the policy could not be loaded. */
const struct service_hooks algsd_hooks = {
	.section = SECTION_ALGORITHMS,
	.count_property = "AlgorithmCount",
	.load = load,
	.discard = discard,
	.tell = tell,
	.add_to_bus = algsd_bus_add,
	.snapshot = table_snapshot,
	.take = take,
	.describe = describe,
};
