/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of the policy: one after the other, each parsed whole, published whole, then answered. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
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
	(void)policy_file_free(change->in_force);
	(void)policyd_fragment_free(change->fragment);
	(void)sd_event_source_disable_unref(change->job_source);
	(void)resolve_job_free(change->job);
	text_done(&change->removed);
	text_done(&change->rest);
	policyd_settings_done(&change->former);
	free(change->fragment_name);
	free(change->label);
	free(change->source);
	free(change->warnings);
	free(change);
	return NULL;
}

/* ---- the end of a change ---- */

static int reply(struct policy_change *change, uint64_t generation)
{
	const char *warnings = change->warnings ? change->warnings : "";
	struct bus_call *call = STEAL(change->call); /* a reply ends it */

	switch (change->kind) {
	case CHANGE_RELOAD:
	case CHANGE_FLUSH:
	case CHANGE_FRAGMENT_REMOVE:
		return bus_call_reply(call, "t", generation);
	case CHANGE_ADD:
	case CHANGE_REPLACE:
	case CHANGE_REPLACE_ALL:
	case CHANGE_FRAGMENT_ADD:
		return bus_call_reply(call, "ts", generation, warnings);
	case CHANGE_DELETE:
		return bus_call_reply(call, "tss", generation,
			change->removed.str ? change->removed.str : "",
			change->rest.str ? change->rest.str : "");
	case CHANGE_REMOVE:
		return bus_call_reply(call, "tuus", generation, (uint32_t)change->removal.removed,
			(uint32_t)change->removal.unmatched, warnings);
	case CHANGE_EXPAND:
	case CHANGE_RESTORE:
		return bus_call_reply(call, "");
	}
	return -EINVAL;
}

static void answer(struct policy_change *change, uint64_t generation)
{
	int r = change->call ? reply(change, generation) : 0;

	if (r < 0)
		log_warning("cannot answer a caller: %s", strerror(-r));
}

static void refuse(struct policy_change *change, const char *error, const char *message)
{
	if (change->call)
		bus_call_fail(change->call, error, "%s", message);
	change->call = NULL;
}

/* @result: for the service manager, if it waits. The change is gone afterwards. */
static void end_change(struct policyd *d, struct policy_change *change, int result)
{
	struct policyd_settings tried = d->settings;

	if (change->former.config_file && result < 0) {
		d->settings = change->former;
		change->former = tried;
	}
	if (change->reloading)
		daemon_reloaded(d->service.daemon, result);
	d->queue = change->following;
	d->service.busy = false;
	service_show(&d->service);
	(void)policy_change_free(change);
}

static const char *error_name(int result)
{
	switch (result) {
	case -EBADMSG:
		return "Syntax";
	case -ENOENT:
		return "NotFound";
	case -ENOTCONN:
	case -EBUSY:
		return "Unavailable";
	default:
		return "Io";
	}
}

/* What went wrong before the datapath was asked; @diags may be NULL. */
static void fail_change(struct policyd *d, struct policy_change *change, int result,
	const struct conf_diags *diags, const char *message)
{
	if (change->kind == CHANGE_RELOAD) {
		service_load_ended(&d->service, diags, message);
		d->without_rules = false; /* it has, or nobody knows */
	}
	refuse(change, error_name(result), message);
	end_change(d, change, result);
}

/* ---- publishing it ---- */

static void former_done(struct policyd_former *former)
{
	(void)policy_file_free(former->configured);
	(void)policy_file_free(former->in_force);
	*former = (struct policyd_former){ 0 };
}

/* A former process knew what is in force again, and has left it on disk. */
static void enqueue_restore(struct policyd *d)
{
	CLEANUP(policy_change_freep) struct policy_change *change = policy_change_new(
		CHANGE_RESTORE);

	if (change)
		change->label = strdup("policy before the trial");
	if (change && change->label)
		policyd_enqueue(d, STEAL(change));
	else
		log_warning("the policy before the trial is not read: %s", strerror(ENOMEM));
}

static int on_restore(sd_event_source *source, void *userdata)
{
	(void)source;
	policyd_start(userdata);
	return 0;
}

/* From now on this is the policy. What waits to be confirmed leaves the way back open. */
static void take_over(struct policyd *d, struct policy_change *change)
{
	bool on_trial = publisher_on_trial(d->service.publisher);

	former_done(&d->former);
	if (change->next)
		d->unheld = NULL;
	d->gone_back = publisher_gone_back(d->service.publisher);
	if (d->gone_back) {
		log_warning("the policy of %s was rolled back: the one before it is in force",
			d->settings.config_file);
		enqueue_restore(d);
	} else if (change->kind == CHANGE_RELOAD && !on_trial) {
		policyd_trial_unmark();
	}
	if (on_trial && change->next && d->configured) {
		d->former = (struct policyd_former){ .valid = true, .absent = d->absent };
		d->former.in_force = STEAL(d->in_force);
		d->former.configured = STEAL(d->configured);
	}
	if (change->next) {
		(void)policy_file_free(d->configured);
		d->configured = STEAL(change->next);
	}
	(void)policy_file_free(d->in_force);
	d->in_force = STEAL(change->in_force);
	if (change->kind == CHANGE_RELOAD) {
		d->absent = change->absent;
		d->service.warnings = d->service.note.warnings;
	}
	if (change->kind == CHANGE_FRAGMENT_REMOVE)
		policyd_fragments_take(&d->fragments, change->fragment_name);
	if (change->fragment)
		policyd_fragments_put(&d->fragments, STEAL(change->fragment));
	if (change->kind == CHANGE_FRAGMENT_ADD || change->kind == CHANGE_FRAGMENT_REMOVE)
		policyd_watch_owners(d);
	d->without_rules = false;
	d->service.loaded = true;
	d->service.absent = d->absent && policyd_in_force(d)->n_entries == 0;
}

/* What had to wait for the end of the trial. */
static void catch_up(struct policyd *d)
{
	policyd_watch_owners(d);
	policyd_expand(d); /* starts what is queued, too */
}

void policyd_rolled_back(struct policyd *d)
{
	int r;

	if (!d->former.valid) {
		d->gone_back = true;
		log_warning("nobody confirmed the policy: the one before it is in force again");
		enqueue_restore(d);
		/* The publisher is still busy with what it told. */
		r = sd_event_add_defer(daemon_event(d->service.daemon), NULL, on_restore, d);
		if (r < 0)
			log_warning("the policy before the trial waits for the next change: %s",
				strerror(-r));
		return;
	}
	log_warning("nobody confirmed the policy: the former one is in force again");
	d->unheld = NULL;
	(void)policy_file_free(d->configured);
	(void)policy_file_free(d->in_force);
	d->configured = STEAL(d->former.configured);
	d->in_force = STEAL(d->former.in_force);
	d->absent = d->former.absent;
	d->former.valid = false;
	d->service.absent = d->absent && policyd_in_force(d)->n_entries == 0;
	service_show(&d->service);
	catch_up(d);
}

void policyd_confirmed(struct policyd *d)
{
	former_done(&d->former);
	policyd_trial_unmark();
	log_info("the policy is confirmed");
	catch_up(d);
}

/* What the disk has of a fragment, which may be NULL: then that of this name goes, if any. */
static int write_fragment(const struct policyd_fragment *fragment, const char *name)
{
	if (fragment && fragment->persistent)
		return policyd_fragment_store(fragment);
	if (fragment)
		name = fragment->name;
	return name ? policyd_fragment_forget(name) : 0;
}

/* The datapath refused: the disk shall have what is in force. */
static void unwrite_fragment(const struct policyd *d, const struct policy_change *change)
{
	const char *name = change->fragment ? change->fragment->name : change->fragment_name;
	int r = name ? write_fragment(policyd_fragments_find(&d->fragments, name), name) : 0;

	if (r < 0)
		log_error("fragment %s: %s", name, strerror(-r));
}

static void on_published(int result, uint64_t generation, const char *error, void *userdata)
{
	struct policy_change *change = userdata;
	struct policyd *d = change->d;

	if (result == 0 || result == -ENOTCONN) {
		take_over(d, change);
		log_info("policy of %zu entries, %" PRIu32 " rules", policyd_in_force(d)->n_entries,
			policyd_rule_count(policyd_in_force(d)));
		answer(change, generation);
		/* At the start the other services have not published yet. */
		if (result == 0 && change->kind == CHANGE_RELOAD && d->service.ready)
			policyd_ask_sas(d);
		end_change(d, change, 0);
	} else {
		unwrite_fragment(d, change);
		if (change->confirm_usec > 0)
			policyd_trial_unmark();
		refuse(change, result == -ECANCELED ? "Unavailable" : "Invalid",
			error ? error : strerror(-result));
		end_change(d, change, result);
	}
	policyd_start(d);
}

/* The configured entries stand first among those in force: they have the same numbers. */
static void copy_indexes(const struct policy_file *from, struct policy_file *to)
{
	for (size_t i = 0; i < to->n_rules && i < from->n_rules; i++) {
		to->rules[i]->index = from->rules[i]->index;
		to->rules[i]->id = from->rules[i]->id;
	}
}

static int publish(struct policyd *d, struct policy_change *change)
{
	CLEANUP(spd_freep) struct spd *spd = NULL;
	struct policy_file *file = change->in_force ? change->in_force : change->next;
	struct snapshot_bytes snap = { 0 };
	int r;

	if (!file) /* the last fragment goes: what is configured is left */
		file = d->configured;
	r = policyd_give_indexes(d, file);
	if (r == 0 && change->in_force)
		copy_indexes(file, change->next ? change->next : d->configured);
	if (r == 0)
		r = policy_file_spd(file, (enum spd_precedence)d->settings.precedence, &spd);
	if (r == 0)
		r = snapshot_write_policy(spd, &snap);
	if (r == 0 && change->resumes)
		r = publisher_resume(d->service.publisher, &snap, on_published, change);
	else if (r == 0)
		r = publisher_publish_on_trial(
			d->service.publisher, &snap, change->confirm_usec, on_published, change);
	if (r < 0)
		snapshot_bytes_done(&snap);
	return r;
}

/* The warnings of a source, for the one who brought it. */
static void keep_warnings(
	struct policy_change *change, const struct conf_diags *diags, bool no_rules)
{
	struct text text = { 0 };

	conf_diags_print(diags, &text);
	if (no_rules)
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
	if (change->kind == CHANGE_DELETE && result == -ENOENT)
		text_addf(&text, "%s has the number %s%s%" PRIu32,
			policyd_edit_has(policyd_in_force(d), change->tunnel, change->index)
				? "an entry of a fragment, which only its owner changes,"
				: "no entry",
			change->tunnel, change->tunnel[0] ? "," : "", change->index);
	if (change->kind == CHANGE_FLUSH && result == -ENOENT)
		text_addf(
			&text, "Tunnel not found: no policy has named a tunnel %s", change->tunnel);
	fail_change(d, change, result, diags, text.str ? text.str : strerror(-result));
}

/* Nothing is left to do: say so. */
static void end_idle(struct policyd *d, struct policy_change *change)
{
	if (change->kind != CHANGE_REMOVE)
		log_warning(
			"%s: " NO_RULES, change->label ? change->label : d->settings.config_file);
	answer(change, publisher_generation(d->service.publisher));
	end_change(d, change, 0);
}

/* Names are known: parse, and publish. What fails is answered, and the change is gone. */
static void carry_out(struct policyd *d, struct policy_change *change)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	bool nothing;
	int r = diags ? policyd_work_out(d, change, diags) : -ENOMEM;

	if (diags)
		log_diags(diags);
	if (r < 0) {
		report_failure(d, change, diags, r);
		return;
	}
	nothing = policyd_brings_nothing(d, change);
	keep_warnings(change, diags, nothing && change->kind != CHANGE_REMOVE);
	if (change->kind == CHANGE_RELOAD) {
		service_load_ended(&d->service, diags, NULL);
		d->without_rules = nothing && policyd_in_force(d)->n_entries > 0;
	}
	if (nothing) {
		end_idle(d, change);
		return;
	}
	/* On disk before it is in force: what was promised to stay does. */
	r = write_fragment(change->fragment, change->fragment_name);
	if (r == 0)
		r = policyd_trial_mark(d, change);
	if (r == 0)
		r = publish(d, change);
	if (r < 0)
		fail_change(d, change, r, NULL, strerror(-r));
}

/* ---- looking names up, and the queue ---- */

static int on_names(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct policy_change *change = userdata;
	struct policyd *d = change->d;

	(void)source;
	(void)fd;
	(void)events;
	change->job_source = sd_event_source_disable_unref(change->job_source);
	change->answers = resolve_job_answers(change->job);
	carry_out(d, change);
	policyd_start(d);
	return 0;
}

/* Return: 1 when names are being looked up, 0 when there are none, negative errno. */
static int look_up(struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	char **names = NULL;
	size_t count = 0;
	int r = policyd_prepare(d, change, diags, &names, &count);

	change->answers = resolver_system;
	if (r < 0 || count == 0) {
		free(names);
		return r;
	}
	r = resolve_job_new(&resolver_system, (const char *const *)names, count,
		d->settings.resolve_timeout_sec * USEC_PER_SEC, &change->job);
	policy_host_names_free(names, count);
	return r < 0 ? r : 1;
}

/* What is asked by hand is answered with the truth, and without a datapath there is none to tell. */
static bool needs_datapath(const struct policy_change *change)
{
	switch (change->kind) {
	case CHANGE_RELOAD:
	case CHANGE_EXPAND:
	case CHANGE_RESTORE:
	case CHANGE_FRAGMENT_ADD:
	case CHANGE_FRAGMENT_REMOVE:
		return change->confirm_usec > 0;
	case CHANGE_ADD:
	case CHANGE_REPLACE:
	case CHANGE_REPLACE_ALL:
	case CHANGE_FLUSH:
	case CHANGE_DELETE:
	case CHANGE_REMOVE:
		break;
	}
	return true;
}

/* What would publish the policy that nobody confirmed, without saying so. */
static bool brings_back(const struct policyd *d, const struct policy_change *change)
{
	return d->gone_back && change->kind != CHANGE_RELOAD && change->kind != CHANGE_RESTORE &&
	       change->kind != CHANGE_REPLACE_ALL &&
	       (change->kind != CHANGE_FLUSH || change->scope != POLICY_ALL);
}

static void start_change(struct policyd *d, struct policy_change *change)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	int r;

	d->service.busy = true;
	if (needs_datapath(change) && publisher_state(d->service.publisher) == PUBLISH_ABSENT) {
		fail_change(
			d, change, -ENOTCONN, NULL, "the datapath is absent; nothing was changed");
		return;
	}
	if (brings_back(d, change)) {
		fail_change(d, change, -EBUSY, NULL,
			"a change was rolled back that began before the service did: "
			"'ipsecconf --reload' first; nothing was changed");
		return;
	}
	if (publisher_on_trial(d->service.publisher)) {
		fail_change(d, change, -EBUSY, NULL,
			"a change waits to be confirmed ('ipsecconf --confirm-yes') or rolled "
			"back; nothing was changed");
		return;
	}
	r = diags ? look_up(d, change, diags) : -ENOMEM;
	if (r > 0)
		r = sd_event_add_io(daemon_event(d->service.daemon), &change->job_source,
			resolve_job_fd(change->job), EPOLLIN, on_names, change);
	else if (r == 0)
		carry_out(d, change);
	if (r < 0) {
		if (diags)
			log_diags(diags);
		report_failure(d, change, diags, r);
	}
}

void policyd_start(struct policyd *d)
{
	while (d->queue && !d->service.busy)
		start_change(d, d->queue); /* whoever asked is answered */
}

void policyd_enqueue(struct policyd *d, struct policy_change *change)
{
	struct policy_change **end = &d->queue;

	change->d = d;
	while (*end)
		end = &(*end)->following;
	*end = change;
}

void policyd_submit(struct policyd *d, struct policy_change *change)
{
	policyd_enqueue(d, change);
	policyd_start(d);
}

int policyd_reload(void *userdata)
{
	struct policyd *d = userdata;
	struct policy_change *change = policy_change_new(CHANGE_RELOAD);

	if (!change)
		return -ENOMEM;
	change->reloading = true;
	policyd_submit(d, change);
	return DAEMON_RELOADS_LATER;
}

void policyd_expand(struct policyd *d)
{
	CLEANUP(policy_change_freep) struct policy_change *change = policy_change_new(
		CHANGE_EXPAND);

	if (change)
		change->label = strdup("policy in force");
	if (!d->configured)
		return;
	for (const struct policy_change *queued = d->queue; queued; queued = queued->following)
		if (queued->kind == CHANGE_EXPAND && !(queued == d->queue && d->service.busy))
			return; /* one look at the names is enough for all that was told */
	if (!change || !change->label) {
		log_warning("names are not looked up again: %s", strerror(ENOMEM));
		return;
	}
	policyd_submit(d, STEAL(change));
}

/* Names of fragments: nobody is kept waiting before the service is there. */
static int wait_for_names(struct policyd *d, struct policy_change *change)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	int r = diags ? look_up(d, change, diags) : -ENOMEM;

	if (r > 0) {
		r = resolve_job_wait(change->job);
		change->answers = resolve_job_answers(change->job);
	}
	return r < 0 ? r : policyd_work_out(d, change, diags);
}

int policyd_publish_first(struct policyd *d, struct policyd_content *content)
{
	struct policy_change *change = policy_change_new(CHANGE_RELOAD);
	int r;

	if (!change)
		return -ENOMEM;
	change->d = d;
	change->next = STEAL(content->file);
	change->absent = content->absent;
	change->resumes = content->tried;
	d->queue = change;
	d->service.busy = true;
	r = wait_for_names(d, change);
	if (r == 0)
		r = publish(d, change);
	if (r < 0)
		end_change(d, change, r);
	return r;
}
