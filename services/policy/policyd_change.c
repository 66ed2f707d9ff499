/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of the policy: one after the other, each parsed whole, published whole, then answered. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/policy/policyd.h"

#define NO_RULES "Policy file does not contain any valid rules."

struct policy_change *policy_change_new(enum change_kind kind)
{
	struct policy_change *change = calloc(1, sizeof(*change));

	if (change)
		change->kind = kind;
	return change;
}

struct policy_change *policy_change_free(struct policy_change *change)
{
	if (!change)
		return NULL;
	(void)bus_call_free(change->call);
	(void)policy_file_free(change->next);
	free(change->label);
	free(change->source);
	free(change->warnings);
	free(change);
	return NULL;
}

/* ---- the end of a change ---- */

static void answer(struct policy_change *change, uint64_t generation)
{
	const char *warnings = change->warnings ? change->warnings : "";
	int r = 0;

	if (!change->call)
		return;
	switch (change->kind) {
	case CHANGE_RELOAD:
	case CHANGE_FLUSH:
		r = bus_call_reply(change->call, "t", generation);
		break;
	case CHANGE_ADD:
	case CHANGE_REPLACE:
	case CHANGE_REPLACE_ALL:
		r = bus_call_reply(change->call, "ts", generation, warnings);
		break;
	case CHANGE_EXPAND:
		r = bus_call_reply(change->call, "");
		break;
	}
	change->call = NULL; /* a reply ends it */
	if (r < 0)
		log_warning("cannot answer a caller: %s", strerror(-r));
}

static void refuse(struct policy_change *change, const char *error, const char *message)
{
	if (change->call)
		bus_call_fail(change->call, error, "%s", message);
	change->call = NULL;
}

static void start_next(struct policyd *d);

/* @result: for the service manager, if it waits. The change is gone afterwards. */
static void end_change(struct policyd *d, struct policy_change *change, int result)
{
	if (change->reloading)
		daemon_reloaded(d->service.daemon, result);
	d->queue = change->following;
	d->service.busy = false;
	service_show(&d->service);
	(void)policy_change_free(change);
}

/* What went wrong before the datapath was asked. */
static void fail_change(
	struct policyd *d, struct policy_change *change, int result, const char *message)
{
	const char *error = "Io";

	if (result == -EBADMSG)
		error = "Syntax";
	else if (result == -ENOTCONN)
		error = "Unavailable";
	if (change->kind == CHANGE_RELOAD)
		service_load_failed(&d->service, message);
	refuse(change, error, message);
	end_change(d, change, result);
}

/* ---- what a change comes to ---- */

static int parse_source(struct policyd *d, struct policy_change *change,
	const struct policy_file *base, struct conf_diags *diags)
{
	struct policy_input input = {
		.label = change->label,
		.source = change->source,
		.len = change->len,
		.algs = d->algs,
		.resolver = &resolver_system,
		.precedence = (enum spd_precedence)d->settings.precedence,
		.extensions = d->settings.extensions,
		.base = base,
		.ret_bad = &change->bad,
	};
	int r = policyd_load_algs(d);

	input.algs = d->algs;
	return r < 0 ? r : policy_parse(&input, diags, &change->next);
}

static int parse_without(struct policyd *d, struct policy_change *change, enum policy_scope scope,
	struct conf_diags *diags)
{
	CLEANUP(policy_file_freep) struct policy_file *rest = NULL;
	int r = policy_file_without(d->current, scope, "", &rest);

	return r < 0 ? r : parse_source(d, change, rest, diags);
}

/* The lines of entries that were written out and read again are those of their first source. */
static void restore_lines(struct policy_file *file, const struct policy_file *former)
{
	size_t rule = 0;

	for (size_t i = 0; i < file->n_entries && i < former->n_entries; i++) {
		file->entries[i].line = former->entries[i].line;
		for (size_t n = 0; n < file->entries[i].n_rules; n++)
			file->rules[rule++]->line = former->entries[i].line;
	}
}

static int expand_again(struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	struct text text = { 0 };
	int r;

	policy_file_print(d->current, &text);
	change->len = text.len;
	r = text_take(&text, &change->source);
	if (r == 0)
		r = parse_source(d, change, NULL, diags);
	if (r == 0)
		restore_lines(change->next, d->current);
	return r;
}

static int work_out(struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	switch (change->kind) {
	case CHANGE_RELOAD:
		return policyd_load(d, diags, &change->next, &change->absent);
	case CHANGE_ADD:
		return parse_source(d, change, d->current, diags);
	case CHANGE_REPLACE:
		return parse_without(d, change, POLICY_HOST, diags);
	case CHANGE_REPLACE_ALL:
		return parse_without(d, change, POLICY_ALL, diags);
	case CHANGE_FLUSH:
		return policy_file_without(
			d->current, change->scope, change->tunnel, &change->next);
	case CHANGE_EXPAND:
		return expand_again(d, change, diags);
	}
	return -EINVAL;
}

/* A text without entries changes nothing, not even when it was to replace everything. */
static bool brings_nothing(const struct policyd *d, const struct policy_change *change)
{
	size_t kept = 0;

	switch (change->kind) {
	case CHANGE_FLUSH:
	case CHANGE_EXPAND:
		return false;
	case CHANGE_RELOAD:
		return !change->absent && change->next->n_entries == 0;
	case CHANGE_REPLACE_ALL:
		break;
	case CHANGE_ADD:
		kept = d->current->n_entries;
		break;
	case CHANGE_REPLACE:
		for (size_t i = 0; i < d->current->n_entries; i++)
			kept += d->current->entries[i].tunnel[0] != '\0';
		break;
	}
	return change->next->n_entries == kept;
}

/* ---- publishing it ---- */

static void on_published(int result, uint64_t generation, const char *error, void *userdata)
{
	struct policy_change *change = userdata;
	struct policyd *d = change->d;

	if (result == 0 || result == -ENOTCONN) {
		(void)policy_file_free(d->current);
		d->current = STEAL(change->next);
		if (change->kind == CHANGE_RELOAD)
			d->absent = change->absent;
		d->service.loaded = true;
		d->service.absent = d->absent && d->current->n_entries == 0;
		log_info("policy of %zu entries, %" PRIu32 " rules", d->current->n_entries,
			policyd_rule_count(d->current));
		answer(change, generation);
		end_change(d, change, 0);
	} else {
		refuse(change, result == -ECANCELED ? "Unavailable" : "Invalid",
			error ? error : strerror(-result));
		end_change(d, change, result);
	}
	start_next(d);
}

static int publish(struct policyd *d, struct policy_change *change)
{
	CLEANUP(spd_freep) struct spd *spd = NULL;
	struct snapshot_bytes snap = { 0 };
	int r = policyd_give_indexes(d, change->next);

	if (r == 0)
		r = policy_file_spd(
			change->next, (enum spd_precedence)d->settings.precedence, &spd);
	if (r == 0)
		r = snapshot_write_policy(spd, &snap);
	if (r == 0)
		r = publisher_publish(d->service.publisher, &snap, on_published, change);
	if (r < 0)
		snapshot_bytes_done(&snap);
	return r;
}

/* The warnings of a source, for the one who brought it. */
static void keep_warnings(
	struct policy_change *change, const struct conf_diags *diags, bool nothing)
{
	struct text text = { 0 };

	conf_diags_print(diags, &text);
	if (nothing)
		text_add(&text, NO_RULES "\n");
	if (text.str && text_take(&text, &change->warnings) < 0)
		change->warnings = NULL; /* the log has them */
	text_done(&text);
}

static void report_failure(
	struct policyd *d, struct policy_change *change, const struct conf_diags *diags, int result)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (diags)
		conf_diags_print(diags, &text);
	if (change->bad > 0)
		text_addf(&text, "%zu policy rule(s) contained errors.\n", change->bad);
	fail_change(d, change, result, text.str ? text.str : strerror(-result));
}

/* Return: 0 when it is under way or done, negative errno when it failed; it is gone then. */
static int start_change(struct policyd *d, struct policy_change *change)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	bool nothing;
	int r = diags ? 0 : -ENOMEM;

	d->service.busy = true;
	/* What is asked by hand is answered with the truth, and there is none to tell. */
	if (r == 0 && change->kind != CHANGE_RELOAD && change->kind != CHANGE_EXPAND &&
		publisher_state(d->service.publisher) == PUBLISH_ABSENT) {
		fail_change(d, change, -ENOTCONN, "the datapath is absent; nothing was changed");
		return -ENOTCONN;
	}
	if (r == 0)
		r = work_out(d, change, diags);
	if (diags)
		log_diags(diags);
	if (r < 0) {
		report_failure(d, change, diags, r);
		return r;
	}
	nothing = brings_nothing(d, change);
	keep_warnings(change, diags, nothing);
	if (change->kind == CHANGE_RELOAD)
		service_load_failed(&d->service, NULL);
	if (nothing) {
		log_warning(
			"%s: " NO_RULES, change->label ? change->label : d->settings.config_file);
		answer(change, publisher_generation(d->service.publisher));
		end_change(d, change, 0);
		return 0;
	}
	r = publish(d, change);
	if (r < 0)
		fail_change(d, change, r, strerror(-r));
	return r;
}

static void start_next(struct policyd *d)
{
	while (d->queue && !d->service.busy)
		(void)start_change(d, d->queue); /* whoever asked was answered */
}

void policyd_submit(struct policyd *d, struct policy_change *change)
{
	struct policy_change **end = &d->queue;

	change->d = d;
	while (*end)
		end = &(*end)->following;
	*end = change;
	start_next(d);
}

int policyd_reload(void *userdata)
{
	struct policyd *d = userdata;
	struct policy_change *change = policy_change_new(CHANGE_RELOAD);

	if (!change)
		return -ENOMEM;
	policyd_submit(d, change);
	return d->service.load_error ? -EBADMSG : 0;
}

int policyd_publish_first(struct policyd *d, struct policy_file **file, bool absent)
{
	struct policy_change *change = policy_change_new(CHANGE_RELOAD);
	int r;

	if (!change)
		return -ENOMEM;
	change->d = d;
	change->next = STEAL(*file);
	change->absent = absent;
	d->queue = change;
	d->service.busy = true;
	r = publish(d, change);
	if (r < 0)
		end_change(d, change, r);
	return r;
}
