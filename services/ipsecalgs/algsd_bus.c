/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Algorithms1; its contract stands in dbus/. */
#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/daemon/log.h"
#include "services/ipsecalgs/algsd.h"

static int on_list(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(fd_closep) int fd = -1;
	struct algsd *d = service_owner(userdata);
	int r;

	(void)args;
	if (!d->published) {
		bus_call_fail(call, "NotFound", "no algorithms were published");
		return 0;
	}
	r = memfd_seal("netipsec-algorithms", d->published->text, strlen(d->published->text), &fd);
	if (r < 0) {
		bus_call_fail(call, "Io", "cannot make a memory file: %s", strerror(-r));
		return 0;
	}
	return bus_call_reply(call, "h", fd);
}

static int read_change(struct bus_reader *args, struct algs_change *change, bool *ret_synchronize,
	struct text *why)
{
	const char *operation, *bad_key = NULL;
	int force = 0, synchronize = 0;
	const struct bus_option options[] = {
		{ "protocol", "s", &change->protocol },
		{ "protocol-number", "u", &change->protocol_number },
		{ "name", "s", &change->name },
		{ "number", "u", &change->number },
		{ "entry", "s", &change->entry },
		{ "exec-mode", "s", &change->mode },
		{ "force", "b", &force },
		{ "synchronize", "b", &synchronize },
	};
	int r = bus_read(args, "s", &operation);

	if (r == 0)
		r = bus_read_options(args, options, ARRAY_SIZE(options), &bad_key);
	if (bad_key)
		text_addf(why, "argument '%s' is unknown or of another type", bad_key);
	if (r == 0 && !algs_operation_find(operation, &change->operation)) {
		text_addf(why, "there is no operation '%s'", operation);
		r = -EINVAL;
	}
	change->force = force;
	*ret_synchronize = synchronize;
	return r;
}

/* The answer for what was not done. */
static int refuse_change(struct bus_call *call, enum algs_change_verdict verdict, const char *why)
{
	static const char *const names[] = {
		[ALGS_CHANGE_INVALID] = "Invalid",
		[ALGS_CHANGE_EXISTS] = "Exists",
		[ALGS_CHANGE_UNKNOWN] = "NotFound",
		[ALGS_CHANGE_NO_MEMORY] = "Io",
	};

	bus_call_fail(call, names[verdict], "%s", why ? why : strerror(ENOMEM));
	return 0;
}

static int make_change(
	struct algsd *d, struct bus_call *call, const struct algs_change *change, bool synchronize)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(algsd_table_freep) struct algsd_table *table = NULL;
	CLEANUP(text_done) struct text why = { 0 };
	enum algs_change_verdict verdict = ALGS_CHANGE_NO_MEMORY;
	int r = diags ? algsd_change_file(d, change, diags, &why, &verdict, &table) : -ENOMEM;

	if (r == -EBADMSG) {
		text_done(&why);
		conf_diags_print(diags, &why);
	}
	if (r < 0) {
		bus_call_fail(call, r == -EBADMSG ? "Syntax" : "Io", "%s",
			why.str ? why.str : strerror(-r));
		return 0;
	}
	if (!table)
		return refuse_change(call, verdict, why.str);
	if (verdict == ALGS_CHANGE_MADE)
		log_info("the algorithm file was changed on behalf of %s", bus_call_sender(call));
	if (!synchronize)
		return bus_call_reply(call, "t", publisher_generation(d->service.publisher));
	daemon_reloading(d->service.daemon);
	r = service_publish(&d->service, STEAL(table), bus_call_keep(call));
	if (r < 0)
		daemon_reloaded(d->service.daemon, r);
	return 0; /* the caller was told, or will be */
}

static int on_change(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(text_done) struct text why = { 0 };
	struct algs_change change = { 0 };
	struct algsd *d = service_owner(userdata);
	bool synchronize = false;
	int r;

	r = read_change(args, &change, &synchronize, &why);
	if (r < 0) {
		bus_call_fail(call, "Invalid", "%s", why.str ? why.str : strerror(-r));
		return 0;
	}
	return make_change(d, call, &change, synchronize);
}

static int get_config_file(struct bus_writer *value, void *userdata)
{
	const struct algsd *d = service_owner(userdata);

	return bus_write(value, "s", d->settings.config_file);
}

static int get_count(struct bus_writer *value, void *userdata)
{
	const struct algsd *d = service_owner(userdata);

	return bus_write(value, "u", d->published ? d->published->count : 0);
}

static int get_crypto_cpu_max(struct bus_writer *value, void *userdata)
{
	const struct algsd *d = service_owner(userdata);

	return bus_write(value, "u", (uint32_t)d->settings.crypto_cpu_max);
}

static const struct bus_member members[] = {
	BUS_METHOD("Reload", "", "t", "generation", service_on_reload),
	BUS_METHOD("ListAlgorithms", "", "h", "listing", on_list),
	BUS_METHOD("Change", "sa{sv}", "t", "operation arguments generation", on_change),
	SERVICE_PROPERTIES,
	BUS_PROPERTY("ConfigFile", "s", get_config_file, BUS_EMITS_TRUE),
	BUS_PROPERTY("AlgorithmCount", "u", get_count, BUS_EMITS_TRUE),
	BUS_PROPERTY("CryptoCpuMax", "u", get_crypto_cpu_max, BUS_EMITS_FALSE),
	BUS_END,
};

int algsd_bus_add(void *userdata)
{
	struct algsd *d = userdata;

	return service_add_members(&d->service, members);
}
