/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Policy1; its contract stands in dbus/. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/memfd.h"
#include "services/policy/policyd.h"

/* Queue a change for this caller, who is answered by its end. */
static int submit(struct policyd *d, struct policy_change *change, struct bus_call *call)
{
	if (!d->current) {
		(void)policy_change_free(change);
		bus_call_fail(call, "Unavailable", "the service is starting");
		return 0;
	}
	change->call = bus_call_keep(call);
	policyd_submit(d, change);
	return 0;
}

static int on_reload(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct policyd *d = service_owner(userdata);
	struct policy_change *change = policy_change_new(CHANGE_RELOAD);

	(void)args;
	if (!change)
		return -ENOMEM;
	if (d->current) {
		daemon_reloading(d->service.daemon);
		change->reloading = true;
	}
	return submit(d, change, call);
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

/* Regular files and memfds only: nothing that could keep the daemon waiting. */
static int read_source(int fd, struct policy_change *change)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return file_read_fd(fd, POLICY_MAX_FILE_BYTES, &change->source, &change->len);
}

static int on_apply(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(policy_change_freep) struct policy_change *change = policy_change_new(CHANGE_ADD);
	CLEANUP(fd_closep) int fd = -1;
	const char *label, *mode = "add", *bad_key;
	const struct bus_option options[] = { { "mode", "s", &mode } };
	int r;

	if (!change)
		return -ENOMEM;
	r = bus_read(args, "hs", &fd, &label);
	if (r == 0)
		r = bus_read_options(args, options, ARRAY_SIZE(options), &bad_key);
	if (r < 0)
		return r;
	if (!read_mode(mode, &change->kind))
		return -EINVAL;
	r = read_source(fd, change);
	if (r < 0) {
		bus_call_fail(call, "Io", "the source cannot be read: %s", strerror(-r));
		return 0;
	}
	change->label = strdup(label);
	if (!change->label)
		return -ENOMEM;
	return submit(service_owner(userdata), STEAL(change), call);
}

static int on_flush(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(policy_change_freep) struct policy_change *change = policy_change_new(CHANGE_FLUSH);
	const char *tunnel, *bad_key;
	int all = 0;
	const struct bus_option options[] = { { "all", "b", &all } };
	int r;

	if (!change)
		return -ENOMEM;
	r = bus_read(args, "s", &tunnel);
	if (r == 0)
		r = bus_read_options(args, options, ARRAY_SIZE(options), &bad_key);
	if (r < 0)
		return r;
	if ((all && *tunnel) || text_copy(change->tunnel, sizeof(change->tunnel), tunnel) < 0)
		return -EINVAL;
	change->scope = *tunnel ? POLICY_ONE_TUNNEL : POLICY_HOST;
	if (all)
		change->scope = POLICY_ALL;
	return submit(service_owner(userdata), STEAL(change), call);
}

static int on_list(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(text_done) struct text text = { 0 };
	CLEANUP(fd_closep) int fd = -1;
	const struct policyd *d = service_owner(userdata);
	int r;

	(void)args;
	if (d->current)
		policy_file_print(d->current, &text);
	r = text.failed
		    ? -ENOMEM
		    : memfd_seal("netipsec-configured", text.str ? text.str : "", text.len, &fd);
	if (r < 0) {
		bus_call_fail(call, "Io", "cannot make a memory file: %s", strerror(-r));
		return 0;
	}
	return bus_call_reply(call, "h", fd);
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
	return submit(service_owner(userdata), STEAL(change), call);
}

static int get_config_file(struct bus_writer *value, void *userdata)
{
	const struct policyd *d = service_owner(userdata);

	return bus_write(value, "s", d->settings.config_file);
}

static int get_rule_count(struct bus_writer *value, void *userdata)
{
	const struct policyd *d = service_owner(userdata);

	return bus_write(value, "u", policyd_rule_count(d->current));
}

static const struct bus_member members[] = {
	BUS_METHOD("Reload", "", "t", "generation", on_reload),
	BUS_METHOD("Apply", "hsa{sv}", "ts", "source label options generation warnings", on_apply),
	BUS_METHOD("Flush", "sa{sv}", "t", "tunnel options generation", on_flush),
	BUS_METHOD("ListConfigured", "", "h", "listing", on_list),
	BUS_METHOD("AddressesChanged", "", "", "", on_addresses_changed),
	SERVICE_PROPERTIES,
	BUS_PROPERTY("ConfigFile", "s", get_config_file, BUS_EMITS_TRUE),
	BUS_PROPERTY("RuleCount", "u", get_rule_count, BUS_EMITS_TRUE),
	BUS_END,
};

int policyd_bus_add(void *userdata)
{
	struct policyd *d = userdata;

	return service_add_members(&d->service, members);
}
