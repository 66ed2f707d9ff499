/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Datapath1; its contract stands in dbus/. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/daemon/log.h"
#include "services/datapath/bus/datapath_bus_parts.h"
#include "services/datapath/bus/listing.h"

#define NAME_BYTES	 256
#define CONFIRM_MAX_USEC (24 * 3600 * UINT64_C(1000000))
#define CHOICE_MAX_BYTES (64U << 10)

/* Who publishes a section. */
static const struct publisher_of {
	const char *name, *user;
} publishers[SNAPSHOT_SECTIONS] = {
	[SECTION_ALGORITHMS] = { "org.netipsec.Algorithms1", "netipsec-algs" },
	[SECTION_POLICY] = { "org.netipsec.Policy1", "netipsec-policy" },
	[SECTION_KEYS] = { "org.netipsec.ManualKey1", "netipsec-keys" },
};

static bool is_publisher(struct datapathd *d, struct bus_call *call, enum snapshot_section section)
{
	const struct publisher_of *who = &publishers[section];
	const struct passwd *user;
	struct bus *bus = daemon_bus(d->daemon);
	struct bus_credentials credentials;
	char owner[NAME_BYTES];

	if (bus_name_owner(bus, who->name, owner, sizeof(owner)) == 0 &&
		strcmp(owner, bus_call_sender(call)) == 0 &&
		bus_credentials(bus, owner, &credentials) == 0) {
		if (credentials.uid == 0 || credentials.uid == geteuid())
			return true;
		user = getpwnam(who->user);
		if (user && user->pw_uid == credentials.uid)
			return true;
	}
	(void)bus_call_fail(
		call, "NotOwner", "only the owner of %s, as its own user, may do this", who->name);
	return false;
}

static bool read_section(
	struct bus_call *call, const char *name, enum snapshot_section *ret_section)
{
	if (snapshot_section_parse(name, ret_section) == 0)
		return true;
	(void)bus_call_fail(call, "Invalid", "'%s' is no section", name);
	return false;
}

static void remember(struct datapathd *d, const char *error)
{
	static const char *const changed[] = { "LastError", NULL };

	datapathd_remember(d->last_error, error);
	if (bus_properties_changed(daemon_bus(d->daemon), datapathd_identity.bus_path,
		    datapathd_identity.bus_name, changed) < 0)
		log_warning("a change could not be told on the bus");
}

static int reply_verdict(struct datapathd *d, struct bus_call *call, enum snapshot_section section,
	enum publish_verdict verdict, const char *why)
{
	static const char *const errors[] = { [PUBLISH_STALE] = "Stale",
		[PUBLISH_BAD_SNAPSHOT] = "BadSnapshot",
		[PUBLISH_INVALID] = "Invalid",
		[PUBLISH_FAULT] = "Io" };
	uint64_t in_force = sections_get(&d->sections, section)->generation;

	if (verdict == PUBLISH_OK || verdict == PUBLISH_SAME) {
		if (verdict == PUBLISH_OK) {
			remember(d, "");
			datapath_bus_section_changed(d, section);
		}
		return bus_call_reply(call, "t", in_force);
	}
	if (verdict != PUBLISH_STALE) {
		log_error("%s: refused: %s", snapshot_section_name(section), why);
		remember(d, why);
	}
	return bus_call_fail(call, errors[verdict], "%s", why);
}

/* How a section is to be published. */
struct publish_options {
	uint64_t confirm_usec; /* 0: for good */
	int keep_trial;
};

static bool read_publish_options(
	struct bus_call *call, struct bus_reader *args, struct publish_options *ret_options)
{
	struct publish_options options = { .confirm_usec = 0 };
	const struct bus_option known[] = {
		{ "confirm_usec", "t", &options.confirm_usec },
		{ "keep_trial", "b", &options.keep_trial },
	};
	const char *bad = "";

	if (bus_read_options(args, known, ARRAY_SIZE(known), &bad) < 0) {
		(void)bus_call_fail(call, "Invalid", "unknown option '%s'", bad ? bad : "");
		return false;
	}
	if (options.confirm_usec > CONFIRM_MAX_USEC) {
		(void)bus_call_fail(call, "Invalid", "confirm_usec is longer than a day");
		return false;
	}
	*ret_options = options;
	return true;
}

static int publish(struct datapathd *d, struct bus_call *call, enum snapshot_section section,
	uint64_t generation, int fd, const struct publish_options *options)
{
	CLEANUP(text_done) struct text why = { 0 };
	uint64_t confirm_usec = options->confirm_usec;
	enum publish_verdict verdict;

	if (options->keep_trial) {
		confirm_usec = sections_trial_left(&d->sections, section);
		if (confirm_usec == 0)
			return bus_call_fail(call, "Stale", "the trial is over");
	}
	if (confirm_usec)
		verdict = sections_try(&d->sections, section, generation, fd, confirm_usec, &why);
	else
		verdict = sections_publish(&d->sections, section, generation, fd, &why);
	datapathd_watch_trials(d);
	return reply_verdict(d, call, section, verdict, why.str ? why.str : "");
}

static int on_publish(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(fd_closep) int fd = -1;
	enum snapshot_section section;
	const char *name;
	struct publish_options options;
	uint64_t generation;
	int r = bus_read(args, "sth", &name, &generation, &fd);

	if (r < 0)
		return r;
	if (!read_section(call, name, &section) || !is_publisher(d, call, section) ||
		!read_publish_options(call, args, &options))
		return 0;
	if (section == SECTION_KEYS)
		return bus_call_fail(
			call, "Invalid", "keys do not go over the bus: see PublishKeys");
	return publish(d, call, section, generation, fd, &options);
}

static int on_publish_keys(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(fd_closep) int fd = -1;
	const uint8_t *hash;
	struct publish_options options;
	uint64_t generation;
	size_t len;
	int r = bus_read(args, "tay", &generation, &hash, &len);

	if (r < 0)
		return r;
	if (!is_publisher(d, call, SECTION_KEYS) || !read_publish_options(call, args, &options))
		return 0;
	if (len != MEMFD_HASH_BYTES)
		return bus_call_fail(call, "Invalid", "the hash is not one of SHA-256");
	fd = keys_door_take(d->keys_door, generation, hash);
	if (fd < 0)
		return bus_call_fail(
			call, "NotFound", "no memfd with this generation and hash was handed over");
	return publish(d, call, SECTION_KEYS, generation, fd, &options);
}

static int on_withdraw(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	enum snapshot_section section;
	const char *name;
	int r = bus_read(args, "s", &name);

	if (r < 0)
		return r;
	if (!read_section(call, name, &section) || !is_publisher(d, call, section))
		return 0;
	r = sections_withdraw(&d->sections, section);
	if (r < 0)
		return bus_call_fail(call, "Io", "%s cannot be withdrawn: %s", name, strerror(-r));
	datapathd_watch_trials(d);
	log_info("%s: withdrawn", name);
	datapath_bus_section_changed(d, section);
	return bus_call_reply(call, "");
}

static int on_confirm(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	enum snapshot_section section;
	const char *name;
	uint64_t generation;
	int r = bus_read(args, "st", &name, &generation);

	if (r < 0)
		return r;
	if (!read_section(call, name, &section) || !is_publisher(d, call, section))
		return 0;
	r = sections_confirm(&d->sections, section, generation);
	if (r == -ENOENT)
		return bus_call_fail(call, "NotFound", "nothing of %s waits for this", name);
	if (r < 0)
		return bus_call_fail(call, "Stale",
			"generation %" PRIu64 " is not the one on trial", generation);
	datapathd_watch_trials(d);
	log_info("%s: generation %" PRIu64 " is confirmed", name, generation);
	return bus_call_reply(call, "");
}

static int on_get_section(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	enum snapshot_section number;
	const struct section *section;
	const char *name;
	bool present;
	int r = bus_read(args, "s", &name);

	if (r < 0)
		return r;
	if (!read_section(call, name, &number))
		return 0;
	section = sections_get(&d->sections, number);
	present = section->generation != 0;
	return bus_call_reply(call, "tays", section->generation, section->hash,
		present ? sizeof(section->hash) : (size_t)0,
		!present			    ? "absent"
		: d->sections.trials[number].active ? "trial"
						    : "enforced");
}

int datapath_reply_listing(
	struct bus_call *call, const char *name, int result, const struct text *json)
{
	CLEANUP(fd_closep) int fd = -1;

	if (result == 0)
		result = memfd_seal(name, json->str, json->len, &fd);
	if (result == 0)
		return bus_call_reply(call, "h", fd);
	return bus_call_fail(call, "Io", "cannot make a listing: %s", strerror(-result));
}

static int on_list_rules(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(text_done) struct text json = { 0 };
	int r = listing_rules(d->plant, d->sections.algorithms, &json);

	(void)args;
	return datapath_reply_listing(call, "netipsec-rules", r, &json);
}

static int on_dump_sas(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(text_done) struct text json = { 0 };
	int r = listing_sas(d->plant, d->sections.algorithms, &json);

	(void)args;
	return datapath_reply_listing(call, "netipsec-sas", r, &json);
}

/* Return: 0, 1 when the caller was told why not. */
static int read_query(struct bus_call *call, const char *flow, struct spd_query *ret_query)
{
	struct spd_flow_error error;

	if (spd_flow_parse(flow, strlen(flow), ret_query, NULL, &error) == 0)
		return 0;
	(void)bus_call_fail(call, "Invalid", "%s, behind %zu characters", error.text, error.offset);
	return 1;
}

static int reply_choice(struct datapathd *d, struct bus_call *call, const struct spd_query *query,
	const struct rule *rule)
{
	CLEANUP(text_done) struct text json = { 0 };
	int r = listing_choice(d->plant, d->sections.algorithms, query, rule, &json);

	return datapath_reply_listing(call, "netipsec-choice", r, &json);
}

static int on_choose_sas(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct spd_query query;
	const char *flow;
	int r = bus_read(args, "s", &flow);

	if (r < 0)
		return r;
	return read_query(call, flow, &query) == 0 ? reply_choice(userdata, call, &query, NULL) : 0;
}

/* Anybody may ask, so it must cost little: one rule, and a snapshot of no more. */
static int read_one_rule(int fd, struct spd **ret_spd)
{
	struct memfd_view view = { 0 };
	int r = memfd_map(fd, CHOICE_MAX_BYTES, &view);

	if (r < 0)
		return r;
	r = snapshot_read_policy(view.bytes, view.len, ret_spd);
	memfd_unmap(&view);
	return r == 0 && ((*ret_spd)->count != 1 || (*ret_spd)->n_audit > 0) ? -EBADMSG : r;
}

static int on_choose_sas_by(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(fd_closep) int fd = -1;
	struct spd_query query;
	const char *flow, *bad_key;
	int r = bus_read(args, "sh", &flow, &fd);

	if (r == 0)
		r = bus_read_options(args, NULL, 0, &bad_key);
	if (r < 0)
		return r;
	r = read_one_rule(fd, &spd);
	if (r < 0)
		return bus_call_fail(call, "Invalid", "no snapshot of one rule: %s", strerror(-r));
	if (read_query(call, flow, &query) != 0)
		return 0;
	return reply_choice(userdata, call, &query, spd->rules[0]);
}

static int write_counters(struct bus_writer *out, const uint64_t *packets)
{
	int r = bus_open_container(out, 'a', "{st}");

	for (size_t i = 0; i < VERDICT_COUNT && r == 0; i++) {
		r = bus_open_container(out, 'e', "");
		if (r == 0)
			r = bus_write(out, "st", verdict_name((enum verdict)i), packets[i]);
		if (r == 0)
			r = bus_close_container(out);
	}
	return r < 0 ? r : bus_close_container(out);
}

static int on_get_statistics(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	uint64_t packets[VERDICT_COUNT];
	struct bus_writer *out;
	int r = plant_counters(d->plant, packets);

	(void)args;
	if (r < 0)
		return bus_call_fail(call, "Io", "counters cannot be read: %s", strerror(-r));
	out = bus_call_writer(call);
	r = out ? write_counters(out, packets) : -ENOMEM;
	return r < 0 ? r : bus_call_send(call);
}

static int on_reload(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	int r;

	(void)args;
	daemon_reloading(d->daemon);
	r = datapathd_reload(d);
	daemon_reloaded(d->daemon, r);
	if (r == 0)
		return bus_call_reply(
			call, "t", sections_get(&d->sections, SECTION_POLICY)->generation);
	return bus_call_fail(call,
		r == -EBADMSG  ? "Syntax"
		: r == -EINVAL ? "Invalid"
			       : "Io",
		"%s", d->settings_error);
}

static const struct bus_member members[] = {
	BUS_METHOD("Publish", "stha{sv}", "t", "section generation snapshot options in_force",
		on_publish),
	BUS_METHOD("PublishKeys", "taya{sv}", "t", "generation sha256 options in_force",
		on_publish_keys),
	BUS_METHOD("Withdraw", "s", "", "section", on_withdraw),
	BUS_METHOD("Confirm", "st", "", "section generation", on_confirm),
	BUS_METHOD("GetSection", "s", "tays", "section generation sha256 state", on_get_section),
	BUS_METHOD("ListRules", "", "h", "listing", on_list_rules),
	BUS_METHOD("DumpSas", "", "h", "listing", on_dump_sas),
	BUS_METHOD("ChooseSas", "s", "h", "flow listing", on_choose_sas),
	BUS_METHOD("ChooseSasBy", "sha{sv}", "h", "flow rule options listing", on_choose_sas_by),
	BUS_METHOD("GetStatistics", "", "a{st}", "counters", on_get_statistics),
	BUS_METHOD("SetTunable", "st", "", "name value", datapath_on_set_tunable),
	BUS_METHOD("ListTunables", "", "h", "listing", datapath_on_list_tunables),
	BUS_METHOD("AddTunnel", "a{sv}", "", "tunnel", datapath_on_add_tunnel),
	BUS_METHOD("RemoveTunnel", "s", "", "name", datapath_on_remove_tunnel),
	BUS_METHOD("ListTunnels", "", "h", "listing", datapath_on_list_tunnels),
	BUS_METHOD("ListDrops", "t", "h", "after listing", datapath_on_list_drops),
	BUS_METHOD("Reload", "", "t", "generation", on_reload),
	BUS_SIGNAL("SectionChanged", "st", "section generation"),
	BUS_SIGNAL("Acquire", "a{sv}", "request"),
	BUS_SIGNAL("SaExpired", "a{sv}", "expiry"),
	BUS_SIGNAL("AddressesChanged", "", ""),
	BUS_SIGNAL("PolicyFailure", "a{sv}", "failure"),
	BUS_PROPERTY("Generation", "t", datapath_get_generation, BUS_EMITS_TRUE),
	BUS_PROPERTY("State", "s", datapath_get_state, BUS_EMITS_TRUE),
	BUS_PROPERTY("LastError", "s", datapath_get_last_error, BUS_EMITS_TRUE),
	BUS_PROPERTY("ConfigFile", "s", datapath_get_config_file, BUS_EMITS_TRUE),
	BUS_PROPERTY("Backend", "s", datapath_get_backend, BUS_EMITS_CONST),
	BUS_PROPERTY("UsableAlgorithms", "a(yy)", datapath_get_usable_algorithms, BUS_EMITS_CONST),
	BUS_PROPERTY(
		"AlgorithmLibraries", "a(yys)", datapath_get_algorithm_libraries, BUS_EMITS_CONST),
	BUS_PROPERTY("RuleCount", "u", datapath_get_rule_count, BUS_EMITS_TRUE),
	BUS_PROPERTY("SaCount", "u", datapath_get_sa_count, BUS_EMITS_FALSE),
	BUS_END,
};

int datapath_bus_add(struct datapathd *d)
{
	return bus_add_interface(daemon_bus(d->daemon), datapathd_identity.bus_path,
		datapathd_identity.bus_name, members, d);
}
