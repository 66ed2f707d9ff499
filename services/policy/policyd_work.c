/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change of the policy comes to: texts, their names, the entries that will be configured. */
#include <errno.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/policy/policyd.h"
#include "services/policy/policyd_names.h"

/* ---- the names of all that will be parsed ---- */

struct name_list {
	char **names;
	size_t count;
};

static int add_names(struct name_list *list, const char *source, size_t len)
{
	char **names, **grown;
	size_t count;
	int r = policy_host_names(source, len, &names, &count);

	if (r < 0 || count == 0) {
		if (r == 0)
			policy_host_names_free(names, count);
		return r;
	}
	grown = reallocarray(list->names, list->count + count, sizeof(*grown));
	if (!grown) {
		policy_host_names_free(names, count);
		return -ENOMEM;
	}
	memcpy(grown + list->count, names, count * sizeof(*names));
	list->names = grown;
	list->count += count;
	free(names); /* what it points to was taken over */
	return 0;
}

/* Every entry, also those that are not shown: what was cut keeps its place. */
static int write_out(const struct policy_file *file, struct policy_change *change)
{
	struct text text = { 0 };

	for (size_t i = 0; i < file->n_entries; i++)
		text_addf(&text, "%s\n\n", file->entries[i].text);
	change->len = text.len;
	return text_take(&text, &change->source);
}

static bool has_text(const struct policy_change *change)
{
	/* For -r words are compared: what they stand for does not matter. */
	return change->source && change->kind != CHANGE_REMOVE;
}

/* A reload reads the settings too: both are in force afterwards, or neither. */
static int read_again(struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	struct policyd_settings settings;
	int r = policyd_settings_read(&d->service.options, diags, &settings);

	if (r < 0)
		return r;
	change->former = d->settings;
	d->settings = settings;
	return policyd_read(d, diags, &change->source, &change->len, &change->absent);
}

int policyd_prepare(struct policyd *d, struct policy_change *change, struct conf_diags *diags,
	char ***ret_names, size_t *ret_count)
{
	struct name_list list = { 0 };
	int r = 0;

	if (change->kind == CHANGE_RELOAD && !change->next) /* else it was read at the start */
		r = read_again(d, change, diags);
	else if (change->kind == CHANGE_EXPAND)
		r = write_out(d->configured, change);
	else if (change->kind == CHANGE_RESTORE)
		r = policyd_former_read(&change->source, &change->len);
	if (r == 0 && has_text(change))
		r = add_names(&list, change->source, change->len);
	if (r == 0 && change->fragment)
		r = add_names(&list, change->fragment->source, change->fragment->len);
	for (const struct policyd_fragment *f = d->fragments.first; r == 0 && f; f = f->next)
		r = add_names(&list, f->source, f->len);
	if (r < 0) {
		policy_host_names_free(list.names, list.count);
		return r;
	}
	*ret_names = list.names;
	*ret_count = list.count;
	return 0;
}

/* ---- what will be configured ---- */

struct policy_input policyd_input(const struct policyd *d, const struct resolver *resolver)
{
	return (struct policy_input){
		.algs = d->algs,
		.resolver = resolver,
		.precedence = (enum spd_precedence)d->settings.precedence,
		.extensions = d->settings.extensions,
	};
}

static int parse_source(const struct policyd *d, struct policy_change *change,
	const struct policy_file *base, struct conf_diags *diags)
{
	struct policy_input input = policyd_input(d, &change->answers);

	input.label = change->label ? change->label : d->settings.config_file;
	input.source = change->source ? change->source : "";
	input.len = change->len;
	input.base = base;
	input.ret_bad = &change->bad;
	return policy_parse(&input, diags, &change->next);
}

static int parse_without(const struct policyd *d, struct policy_change *change,
	enum policy_scope scope, struct conf_diags *diags)
{
	CLEANUP(policy_file_freep) struct policy_file *rest = NULL;
	int r = policy_file_without(d->configured, scope, "", &rest);

	return r < 0 ? r : parse_source(d, change, rest, diags);
}

/* What was read again stands where it was first written. */
static int restore_places(struct policy_file *again, const struct policy_file *former)
{
	size_t rule = 0;
	uint16_t source;
	int r = 0;

	while (again->n_sources > 0)
		free(again->sources[--again->n_sources]);
	for (size_t i = 0; r == 0 && i < former->n_sources; i++)
		r = policy_file_add_source(again, former->sources[i], &source);
	for (size_t i = 0; i < again->n_entries && i < former->n_entries; i++) {
		again->entries[i].line = former->entries[i].line;
		again->entries[i].source = former->entries[i].source;
		for (size_t n = 0; n < again->entries[i].n_rules; n++)
			again->rules[rule++]->line = former->entries[i].line;
	}
	return r;
}

/* What was cut stays as it is. */
static int restore_entries(
	const struct policy_file *again, const struct policy_file *former, struct policy_file *made)
{
	size_t rule_again = 0, rule_former = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < again->n_entries && i < former->n_entries; i++) {
		if (former->entries[i].cut)
			r = policy_file_copy_entry(former, i, rule_former, made);
		else
			r = policy_file_copy_entry(again, i, rule_again, made);
		rule_again += again->entries[i].n_rules;
		rule_former += former->entries[i].n_rules;
	}
	return r;
}

static int expand_again(
	const struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	CLEANUP(policy_file_freep) struct policy_file *again = NULL, *made = policy_file_new();
	int r = made ? parse_source(d, change, NULL, diags) : -ENOMEM;

	again = STEAL(change->next);
	if (r == 0)
		r = restore_places(again, d->configured);
	if (r == 0)
		r = restore_entries(again, d->configured, made);
	if (r == 0)
		change->next = STEAL(made);
	return r;
}

/* Words are compared, not what they mean: every host name stands for something here. */
static int any_host(void *userdata, const char *name, int family, struct resolved *ret)
{
	(void)userdata;
	(void)name;
	*ret = (struct resolved){ .count = 1 };
	ret->addrs[0] = address_any(family == AF_INET6 ? AF_INET6 : AF_INET);
	return 0;
}

/* Its errors are told; warnings are not, for what is about to go. */
static int parse_texts(
	const struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	CLEANUP(conf_diags_freep) struct conf_diags *unheard = conf_diags_new();
	int r = unheard ? 0 : -ENOMEM;

	change->answers = resolver_system;
	change->answers.host = any_host;
	if (r == 0)
		r = parse_source(d, change, NULL, unheard);
	return r == -EBADMSG ? parse_source(d, change, NULL, diags) : r;
}

static int remove_entries(
	const struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	CLEANUP(policy_file_freep) struct policy_file *texts = NULL;
	const char *label = conf_diags_file(
		diags, change->label, change->source, change->len, false);
	int r = label ? parse_texts(d, change, diags) : -ENOMEM;

	texts = STEAL(change->next);
	if (r == 0)
		r = policyd_edit_remove(
			d->configured, texts, label, diags, &change->next, &change->removal);
	return r;
}

static int delete_entry(const struct policyd *d, struct policy_change *change)
{
	const struct policyd_number number = { change->tunnel, change->index, d->algs };

	return policyd_edit_delete(
		d->configured, &number, &change->next, &change->removed, &change->rest);
}

static int flush(const struct policyd *d, struct policy_change *change)
{
	if (change->scope == POLICY_ONE_TUNNEL && !policyd_knows_tunnel(d, change->tunnel))
		return -ENOENT;
	return policy_file_without(d->configured, change->scope, change->tunnel, &change->next);
}

/* The words of the former process, in their places. */
static int restore(const struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	int r = parse_source(d, change, NULL, diags);

	return r < 0 ? r : policyd_former_place(change->source, change->len, change->next);
}

static int make_next(struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	switch (change->kind) {
	case CHANGE_RELOAD:
		return parse_source(d, change, NULL, diags);
	case CHANGE_ADD:
		return parse_source(d, change, d->configured, diags);
	case CHANGE_REPLACE:
		return parse_without(d, change, POLICY_HOST, diags);
	case CHANGE_REPLACE_ALL:
		return parse_without(d, change, POLICY_ALL, diags);
	case CHANGE_FLUSH:
		return flush(d, change);
	case CHANGE_DELETE:
		return delete_entry(d, change);
	case CHANGE_REMOVE:
		return remove_entries(d, change, diags);
	case CHANGE_EXPAND:
		return expand_again(d, change, diags);
	case CHANGE_RESTORE:
		return restore(d, change, diags);
	case CHANGE_FRAGMENT_ADD:
	case CHANGE_FRAGMENT_REMOVE:
		return 0;
	}
	return -EINVAL;
}

/* ---- with fragments ---- */

static void mark_audit(struct policy_file *file)
{
	for (size_t i = 0; i < file->n_entries; i++)
		file->entries[i].audit = true;
	for (size_t i = 0; i < file->n_rules; i++)
		file->rules[i]->audit = true;
}

static int append_all(const struct policy_file *from, struct policy_file *file)
{
	size_t first_rule = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n_entries; i++) {
		r = policy_file_copy_entry(from, i, first_rule, file);
		first_rule += from->entries[i].n_rules;
	}
	return r;
}

/* @file becomes what it was with the fragment behind it, or stays untouched. */
static int add_fragment(const struct policyd *d, const struct policy_change *change,
	const struct policyd_fragment *fragment, struct conf_diags *diags,
	struct policy_file **file)
{
	CLEANUP(policy_file_freep) struct policy_file *made = NULL;
	struct policy_input input = policyd_input(d, &change->answers);
	CLEANUP(text_done) struct text label = { 0 };
	struct policy_file *former = *file;
	int r;

	text_addf(&label, POLICY_FRAGMENT_LABEL "%s", fragment->name);
	if (label.failed)
		return -ENOMEM;
	input.label = label.str;
	input.source = fragment->source;
	input.len = fragment->len;
	input.base = fragment->enforce ? former : NULL;
	r = policy_parse(&input, diags, &made);
	if (r < 0)
		return r;
	if (!fragment->enforce) {
		mark_audit(made);
		return append_all(made, former);
	}
	*file = STEAL(made);
	(void)policy_file_free(former);
	return 0;
}

/* One that fitted once and does not any more: the rest of the policy goes on without it. */
static int add_present(const struct policyd *d, const struct policy_change *change,
	struct policyd_fragment *fragment, struct policy_file **file)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(text_done) struct text text = { 0 };
	int r = diags ? add_fragment(d, change, fragment, diags, file) : -ENOMEM;

	free(fragment->problem);
	fragment->problem = NULL;
	if (r != -EBADMSG)
		return r;
	conf_diags_print(diags, &text);
	log_error("fragment %s is not in force any more", fragment->name);
	log_diags(diags);
	fragment->problem = strdup(text.str ? text.str : strerror(EBADMSG));
	return fragment->problem ? 0 : -ENOMEM;
}

static bool goes(const struct policy_change *change, const struct policyd_fragment *fragment)
{
	return change->kind == CHANGE_FRAGMENT_REMOVE &&
	       strcmp(change->fragment_name, fragment->name) == 0;
}

static bool is_replaced(const struct policy_change *change, const struct policyd_fragment *fragment)
{
	return change->fragment && strcmp(change->fragment->name, fragment->name) == 0;
}

static int add_fragments(struct policyd *d, struct policy_change *change, struct conf_diags *diags,
	struct policy_file **file)
{
	bool placed = false;
	int r = 0;

	for (struct policyd_fragment *f = d->fragments.first; r == 0 && f; f = f->next) {
		if (is_replaced(change, f)) {
			r = add_fragment(d, change, change->fragment, diags, file);
			placed = true;
		} else if (!goes(change, f)) {
			r = add_present(d, change, f, file);
		}
	}
	if (r == 0 && change->fragment && !placed)
		r = add_fragment(d, change, change->fragment, diags, file);
	return r;
}

int policyd_work_out(struct policyd *d, struct policy_change *change, struct conf_diags *diags)
{
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	int r = policyd_load_algs(d);

	if (r == 0 && !change->next) /* else it was made at the start */
		r = make_next(d, change, diags);
	if (r == 0 && change->next && !d->settings.enforce && change->kind != CHANGE_RESTORE)
		mark_audit(change->next);
	if (r < 0 || (!d->fragments.first && !change->fragment))
		return r;
	r = policy_file_without(
		change->next ? change->next : d->configured, POLICY_NOTHING, "", &file);
	if (r == 0)
		r = add_fragments(d, change, diags, &file);
	if (r == 0)
		change->in_force = STEAL(file);
	return r;
}

bool policyd_brings_nothing(const struct policyd *d, const struct policy_change *change)
{
	size_t kept = 0;

	switch (change->kind) {
	case CHANGE_FLUSH:
	case CHANGE_DELETE:
	case CHANGE_EXPAND:
	case CHANGE_RESTORE:
	case CHANGE_FRAGMENT_ADD:
	case CHANGE_FRAGMENT_REMOVE:
		return false;
	case CHANGE_REMOVE:
		return change->removal.removed == 0;
	case CHANGE_RELOAD:
		return !change->absent && change->next->n_entries == 0;
	case CHANGE_REPLACE_ALL:
		break;
	case CHANGE_ADD:
		kept = d->configured->n_entries;
		break;
	case CHANGE_REPLACE:
		for (size_t i = 0; i < d->configured->n_entries; i++)
			kept += d->configured->entries[i].tunnel[0] != '\0';
		break;
	}
	return change->next->n_entries == kept;
}
