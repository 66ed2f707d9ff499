/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Policy1; its contract stands in dbus/. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/memfd.h"
#include "common/daemon/log.h"
#include "services/policy/policyd.h"

int policyd_bus_submit(struct policyd *d, struct policy_change *change, struct bus_call *call)
{
	if (!d->configured) {
		(void)policy_change_free(change);
		bus_call_fail(call, "Unavailable", "the service is starting");
		return 0;
	}
	change->call = bus_call_keep(call);
	policyd_submit(d, change);
	return 0;
}

static int reload(struct policyd *d, struct bus_call *call, uint64_t confirm_usec)
{
	struct policy_change *change = policy_change_new(CHANGE_RELOAD);

	if (!change)
		return -ENOMEM;
	change->confirm_usec = confirm_usec;
	if (d->configured) {
		daemon_reloading(d->service.daemon);
		change->reloading = true;
	}
	return policyd_bus_submit(d, change, call);
}

static int on_reload(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	(void)args;
	return reload(service_owner(userdata), call, 0);
}

static int on_reload_with(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	uint64_t confirm_usec = 0;
	const struct bus_option options[] = { { "confirm_usec", "t", &confirm_usec } };
	const char *bad_key;
	int r = bus_read_options(args, options, ARRAY_SIZE(options), &bad_key);

	return r < 0 ? r : reload(service_owner(userdata), call, confirm_usec);
}

static void on_confirmed(int result, uint64_t generation, const char *error, void *userdata)
{
	struct bus_call *call = userdata;

	if (result < 0)
		bus_call_fail(call, result == -ENOENT ? "NotFound" : "Io", "%s",
			error ? error : strerror(-result));
	else if (bus_call_reply(call, "t", generation) < 0)
		log_warning("cannot answer Confirm");
}

static int on_confirm(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct policyd *d = service_owner(userdata);
	struct bus_call *kept;
	int r;

	(void)args;
	if (!publisher_on_trial(d->service.publisher)) {
		bus_call_fail(call, "NotFound", "nothing waits to be confirmed");
		return 0;
	}
	kept = bus_call_keep(call);
	r = publisher_confirm(d->service.publisher, on_confirmed, kept);
	if (r < 0)
		bus_call_fail(kept, "Unavailable", "%s", strerror(-r));
	return 0;
}

static bool read_mode(const char *mode, enum change_kind *ret_kind)
{
	static const struct {
		const char *mode;
		enum change_kind kind;
	} modes[] = {
		{ "add", CHANGE_ADD },
		{ "replace", CHANGE_REPLACE },
		{ "replace-all", CHANGE_REPLACE_ALL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (strcmp(mode, modes[i].mode) == 0) {
			*ret_kind = modes[i].kind;
			return true;
		}
	}
	return false;
}

int policyd_bus_read_source(int fd, struct policy_change *change)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return file_read_fd(fd, POLICY_MAX_FILE_BYTES, &change->source, &change->len);
}

/* A source and what diagnostics call it. Return: 0, 1 when the caller was told why not, errno. */
static int take_source(
	struct bus_call *call, int fd, const char *label, struct policy_change *change)
{
	int r = policyd_bus_read_source(fd, change);

	if (r < 0) {
		bus_call_fail(call, "Io", "the source cannot be read: %s", strerror(-r));
		return 1;
	}
	change->label = strdup(label);
	return change->label ? 0 : -ENOMEM;
}

static int on_apply(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(policy_change_freep) struct policy_change *change = policy_change_new(CHANGE_ADD);
	CLEANUP(fd_closep) int fd = -1;
	const char *label, *mode = "add", *bad_key;
	int r;

	if (!change)
		return -ENOMEM;
	r = bus_read(args, "hs", &fd, &label);
	if (r == 0) {
		const struct bus_option options[] = { { "mode", "s", &mode },
			{ "confirm_usec", "t", &change->confirm_usec } };

		r = bus_read_options(args, options, ARRAY_SIZE(options), &bad_key);
	}
	if (r < 0)
		return r;
	if (!read_mode(mode, &change->kind))
		return -EINVAL;
	r = take_source(call, fd, label, change);
	if (r != 0)
		return r < 0 ? r : 0;
	return policyd_bus_submit(service_owner(userdata), STEAL(change), call);
}

static int on_remove(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(policy_change_freep)
	struct policy_change *change = policy_change_new(CHANGE_REMOVE);
	CLEANUP(fd_closep) int fd = -1;
	const char *label, *bad_key;
	int r;

	if (!change)
		return -ENOMEM;
	r = bus_read(args, "hs", &fd, &label);
	if (r == 0)
		r = bus_read_options(args, NULL, 0, &bad_key);
	if (r == 0)
		r = take_source(call, fd, label, change);
	if (r != 0)
		return r < 0 ? r : 0;
	return policyd_bus_submit(service_owner(userdata), STEAL(change), call);
}

static int on_delete(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(policy_change_freep)
	struct policy_change *change = policy_change_new(CHANGE_DELETE);
	const char *tunnel, *bad_key;
	int r;

	if (!change)
		return -ENOMEM;
	r = bus_read(args, "su", &tunnel, &change->index);
	if (r == 0)
		r = bus_read_options(args, NULL, 0, &bad_key);
	if (r < 0)
		return r;
	if (change->index == 0 || text_copy(change->tunnel, sizeof(change->tunnel), tunnel) < 0)
		return -EINVAL;
	return policyd_bus_submit(service_owner(userdata), STEAL(change), call);
}

static int on_flush(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(policy_change_freep) struct policy_change *change = policy_change_new(CHANGE_FLUSH);
	const char *tunnel, *bad_key;
	int all = 0, r;

	if (!change)
		return -ENOMEM;
	r = bus_read(args, "s", &tunnel);
	if (r == 0) {
		const struct bus_option options[] = { { "all", "b", &all },
			{ "confirm_usec", "t", &change->confirm_usec } };

		r = bus_read_options(args, options, ARRAY_SIZE(options), &bad_key);
	}
	if (r < 0)
		return r;
	if ((all && *tunnel) || text_copy(change->tunnel, sizeof(change->tunnel), tunnel) < 0)
		return -EINVAL;
	change->scope = *tunnel ? POLICY_ONE_TUNNEL : POLICY_HOST;
	if (all)
		change->scope = POLICY_ALL;
	return policyd_bus_submit(service_owner(userdata), STEAL(change), call);
}

static int reply_text(struct bus_call *call, const char *name, const struct text *text)
{
	CLEANUP(fd_closep) int fd = -1;
	int r = text->failed ? -ENOMEM
			     : memfd_seal(name, text->str ? text->str : "", text->len, &fd);

	if (r == 0)
		return bus_call_reply(call, "h", fd);
	bus_call_fail(call, "Io", "cannot make a memory file: %s", strerror(-r));
	return 0;
}

static int on_list(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(text_done) struct text text = { 0 };
	const struct policyd *d = service_owner(userdata);

	(void)args;
	if (d->configured)
		policy_file_print(d->configured, &text);
	return reply_text(call, "netipsec-configured", &text);
}

static int on_list_fragments(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(text_done) struct text text = { 0 };
	const struct policyd *d = service_owner(userdata);

	(void)args;
	policyd_fragments_print(&d->fragments, &text);
	return reply_text(call, "netipsec-fragments", &text);
}

/* The same bytes as the datapath was given. */
static int make_snapshot(const struct policyd *d, int *ret_fd)
{
	CLEANUP(spd_freep) struct spd *spd = NULL;
	struct snapshot_bytes snap = { 0 };
	int r = policy_file_spd(
		policyd_in_force(d), (enum spd_precedence)d->settings.precedence, &spd);

	if (r == 0)
		r = snapshot_write_policy(spd, &snap);
	if (r == 0)
		r = snapshot_seal(&snap, SECTION_POLICY, ret_fd);
	snapshot_bytes_done(&snap);
	return r;
}

static int on_get_snapshot(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(fd_closep) int fd = -1;
	const struct policyd *d = service_owner(userdata);
	int r;

	(void)args;
	if (!d->configured) {
		bus_call_fail(call, "Unavailable", "the service is starting");
		return 0;
	}
	r = make_snapshot(d, &fd);
	if (r == 0)
		return bus_call_reply(call, "h", fd);
	bus_call_fail(call, "Io", "cannot make a memory file: %s", strerror(-r));
	return 0;
}

static int on_addresses_changed(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(policy_change_freep) struct policy_change *change = policy_change_new(
		CHANGE_EXPAND);

	(void)args;
	if (change)
		change->label = strdup("policy in force");
	if (!change || !change->label)
		return -ENOMEM;
	return policyd_bus_submit(service_owner(userdata), STEAL(change), call);
}

static int get_config_file(struct bus_writer *value, void *userdata)
{
	const struct policyd *d = service_owner(userdata);

	return bus_write(value, "s", d->settings.config_file);
}

static int get_rule_count(struct bus_writer *value, void *userdata)
{
	const struct policyd *d = service_owner(userdata);

	return bus_write(value, "u", policyd_rule_count(policyd_in_force(d)));
}

static int get_on_trial(struct bus_writer *value, void *userdata)
{
	const struct policyd *d = service_owner(userdata);

	return bus_write(value, "b", (int)publisher_on_trial(d->service.publisher));
}

static const struct bus_member members[] = {
	BUS_METHOD("Reload", "", "t", "generation", on_reload),
	BUS_METHOD("ReloadWith", "a{sv}", "t", "options generation", on_reload_with),
	BUS_METHOD("Apply", "hsa{sv}", "ts", "source label options generation warnings", on_apply),
	BUS_METHOD("Remove", "hsa{sv}", "tuus",
		"source label options generation removed unmatched warnings", on_remove),
	BUS_METHOD("Delete", "sua{sv}", "tss", "tunnel index options generation removed remaining",
		on_delete),
	BUS_METHOD("Flush", "sa{sv}", "t", "tunnel options generation", on_flush),
	BUS_METHOD("Confirm", "", "t", "generation", on_confirm),
	BUS_METHOD("ListConfigured", "", "h", "listing", on_list),
	BUS_METHOD("GetSnapshot", "", "h", "snapshot", on_get_snapshot),
	BUS_METHOD("AddFragment", "sha{sv}", "ts", "name source options generation warnings",
		policyd_on_add_fragment),
	BUS_METHOD("RemoveFragment", "s", "t", "name generation", policyd_on_remove_fragment),
	BUS_METHOD("ListFragments", "", "h", "listing", on_list_fragments),
	BUS_METHOD("AddressesChanged", "", "", "", on_addresses_changed),
	SERVICE_PROPERTIES,
	BUS_PROPERTY("ConfigFile", "s", get_config_file, BUS_EMITS_TRUE),
	BUS_PROPERTY("RuleCount", "u", get_rule_count, BUS_EMITS_TRUE),
	BUS_PROPERTY("OnTrial", "b", get_on_trial, BUS_EMITS_FALSE),
	BUS_END,
};

int policyd_bus_add(void *userdata)
{
	struct policyd *d = userdata;

	return service_add_members(&d->service, members);
}
