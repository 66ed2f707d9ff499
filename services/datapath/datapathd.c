/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/datapathd.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/base/clock.h"
#include "common/daemon/keys_door.h"
#include "common/daemon/log-ids.h"
#include "common/daemon/log.h"
#include "services/datapath/pfkey/pfkey_door.h"
#include "services/datapath/plant/plant_policy.h"
#include "services/datapath/plant/plant_ways.h"

#define TICK_USEC      USEC_PER_SEC
#define ADDRESSES_USEC (USEC_PER_SEC / 5) /* in which changes of addresses are gathered */
#define KEYS_USER      "netipsec-keys"

const struct daemon_identity datapathd_identity = {
	.program = "ipsec-datapathd",
	.summary = "Protect packets: policy and SAs in force, counters, the lid.",
	.bus_name = "org.netipsec.Datapath1",
	.bus_path = "/org/netipsec/Datapath1",
	.unit = "ipsec-datapath.service",
	.config = DATAPATH_CONFIG,
	.without = "what policy protects is dropped",
};

struct datapathd *datapathd_free(struct datapathd *d)
{
	if (!d)
		return NULL;
	sd_event_source_disable_unref(d->on_wake);
	sd_event_source_disable_unref(d->on_links);
	sd_event_source_disable_unref(d->on_tables);
	sd_event_source_disable_unref(d->on_ways);
	sd_event_source_disable_unref(d->on_tick);
	sd_event_source_disable_unref(d->on_drops);
	sd_event_source_disable_unref(d->on_drops_again);
	sd_event_source_disable_unref(d->on_nflog);
	sd_event_source_disable_unref(d->on_addresses);
	sd_event_source_disable_unref(d->on_trial);
	keys_door_free(d->keys_door);
	natt_door_free(d->natt_door);
	pfkey_door_free(d->pfkey_door);
	load_note_done(&d->note);
	plant_free(d->plant);
	sections_done(&d->sections);
	fdstore_free(d->store);
	(void)daemon_free(d->daemon);
	datapath_settings_free(d->settings);
	free(d);
	return NULL;
}

static int load_settings(
	struct datapathd *d, struct conf_diags *diags, struct datapath_settings **ret)
{
	int r = datapath_settings_load(d->options.config, d->options.config_given, diags, ret);

	daemon_report(&d->options, diags);
	return r;
}

int datapathd_new(const struct daemon_options *options, struct datapathd **ret_datapathd)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(datapathd_freep) struct datapathd *d = calloc(1, sizeof(*d));
	int r;

	if (!d || !diags)
		return -ENOMEM;
	d->options = *options;
	r = load_settings(d, diags, &d->settings);
	if (r < 0) {
		daemon_start_failed(options, diags, strerror(-r));
		return daemon_file_fault(r);
	}
	if (options->action == DAEMON_SETTINGS)
		datapath_settings_show(d->settings);
	*ret_datapathd = STEAL(d);
	return 0;
}

void datapathd_remember(char kept[static DATAPATH_ERROR_MAX], const char *error)
{
	size_t len = strnlen(error, DATAPATH_ERROR_MAX - 1);

	memcpy(kept, error, len);
	kept[len] = '\0';
}

/* What can change while packets flow. *next is taken on success. */
static int take_settings(struct datapathd *d, struct datapath_settings **next, struct text *why)
{
	int r = plant_tunnels_reload(d->plant, &(*next)->tunnels, why);

	if (r < 0)
		return r == -EEXIST ? -EINVAL : r;
	for (size_t i = 0; i < TUNABLE_COUNT; i++) /* checked when they were read */
		(void)!plant_set_tunable(d->plant, (enum tunable)i, (*next)->tunables[i]);
	d->plant->settings = *next;
	sadb_set_limit(d->plant->sadb, (size_t)(*next)->sa_limit);
	datapath_settings_free(d->settings);
	d->settings = STEAL(*next);
	r = plant_follow_links(d->plant); /* path_mtu may be another */
	if (r < 0)
		text_addf(why, "interface addresses cannot be read: %s", strerror(-r));
	return r;
}

int datapathd_reload(void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(datapath_settings_freep) struct datapath_settings *next = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	int r = diags ? load_settings(d, diags, &next) : -ENOMEM;

	load_note_take(&d->note, diags);
	if (r == -EBADMSG) {
		conf_diags_print(diags, &text);
		datapathd_remember(
			d->settings_error, text.str ? text.str : "the settings are not valid");
	} else if (r < 0) {
		datapathd_remember(d->settings_error, strerror(-r));
	} else if (!datapath_settings_same_layout(next, d->settings)) {
		datapathd_remember(d->settings_error,
			"interface, threads and routes change at a restart, "
			"which is gapless");
		r = -EINVAL;
	} else {
		r = take_settings(d, &next, &text);
		datapathd_remember(d->settings_error, text.str ? text.str
						      : r < 0  ? strerror(-r)
							       : "");
	}
	datapath_bus_settings_read(d);
	datapathd_show_status(d);
	return r;
}

size_t datapathd_rule_count(const struct datapathd *d)
{
	const struct spd *spd = plant_view(d->plant)->spd;
	size_t count = 0;

	/* As ipsecconf numbers them: one for each direction. */
	for (size_t i = 0; spd && i < spd->count; i++)
		count += spd->rules[i]->directions == DIRECTION_BIT_BOTH ? 2 : 1;
	return count;
}

void datapathd_show_status(struct datapathd *d)
{
	CLEANUP(text_done) struct text text = { 0 };
	const struct section *policy = sections_get(&d->sections, SECTION_POLICY);
	size_t sas = sad_count(d->plant->sad), rules = datapathd_rule_count(d);
	const char *many = sas == 1 ? "" : "s";

	if (policy->generation)
		text_addf(&text, "%zu rule%s and %zu SA%s in force (generation %llu)", rules,
			rules == 1 ? "" : "s", sas, many, (unsigned long long)policy->generation);
	else if (plant_holds_lid(d->plant))
		text_addf(&text,
			"holding the lid of a former policy until one is published; %zu SA%s", sas,
			many);
	else
		text_addf(&text, "no policy, everything passes; %zu SA%s", sas, many);
	if (d->settings->absent)
		text_addf(&text, "; %s does not exist: the defaults hold", d->options.config);
	if (!d->plant->seqstore)
		text_add(
			&text, "; outbound SAs are refused: " DATAPATH_STATE_DIR " cannot be used");
	if (d->settings_error[0])
		load_note_add_fault(&text, "last reload", &d->note, d->settings_error);
	if (text.str && !text.failed)
		daemon_status(d->daemon, "%s", text.str);
}

/* ---- what the loop waits for ---- */

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct datapathd *d = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	if (plant_hear(d->plant))
		sadb_tick(d->plant->sadb);
	if (plant_is_broken(d->plant)) {
		log_error("a TUN interface was deleted; starting again");
		daemon_quit(d->daemon, -ENODEV);
	}
	return 0;
}

/* A burst of changes, as when a link comes up, is one. */
static int on_addresses(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct datapathd *d = userdata;

	(void)source;
	(void)usec;
	datapath_bus_addresses_changed(d);
	return 0;
}

static int tell_addresses_later(struct datapathd *d)
{
	int enabled, r = sd_event_source_get_enabled(d->on_addresses, &enabled);

	if (r > 0)
		return 0;
	r = sd_event_source_set_time_relative(d->on_addresses, ADDRESSES_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(d->on_addresses, SD_EVENT_ONESHOT);
}

static int on_links(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct datapathd *d = userdata;
	uint64_t before = locals_version(d->plant->locals);
	int r = plant_follow_links(d->plant);

	(void)source;
	(void)fd;
	(void)revents;
	if (r < 0)
		log_warning("interface addresses cannot be read: %s", strerror(-r));
	if (locals_version(d->plant->locals) != before)
		return tell_addresses_later(d);
	return 0;
}

static int on_tables(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct datapathd *d = userdata;
	bool restored;
	int r = steer_on_notify(d->plant->steer, &restored);

	(void)source;
	(void)fd;
	(void)revents;
	if (r < 0)
		log_event(LOG_ERR, LOG_ID_NOT_RESTORED, NULL,
			"nftables rules were changed and cannot be restored: %s", strerror(-r));
	else if (restored)
		log_event(LOG_WARNING, LOG_ID_RESTORED, NULL,
			"somebody changed our nftables rules; they are restored");
	return 0;
}

static int on_ways(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct datapathd *d = userdata;
	bool restored;
	int r = plant_ways_follow(d->plant, &restored);

	(void)source;
	(void)fd;
	(void)revents;
	/* With the TUN all else is gone too, which the workers find. */
	if (r < 0 && r != -ENODEV)
		log_event(LOG_ERR, LOG_ID_NOT_RESTORED, NULL,
			"routes to the TUN were changed and cannot be restored: %s", strerror(-r));
	else if (r == 0 && restored)
		log_event(LOG_WARNING, LOG_ID_RESTORED, NULL,
			"somebody changed our routes to the TUN; they are restored");
	return 0;
}

static void tell_disk(struct datapathd *d)
{
	int now = sadb_disk_error(d->plant->sadb), told = d->disk_error;

	if (now == told)
		return;
	d->disk_error = now;
	if (now < 0)
		log_error("%s: sequence numbers cannot be reserved, SAs will run out of them: %s",
			DATAPATH_STATE_DIR, strerror(-now));
	else
		log_info("%s: sequence numbers are reserved again", DATAPATH_STATE_DIR);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct datapathd *d = userdata;
	size_t before = sad_count(d->plant->sad);
	int r;

	plant_tick(d->plant);
	if (d->pfkey_door)
		pfkey_door_tick(d->pfkey_door);
	tell_disk(d);
	sections_tick(&d->sections);
	if (sad_count(d->plant->sad) != before)
		datapathd_show_status(d);
	r = sd_event_source_set_time(source, usec + TICK_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return r;
}

static int watch(struct datapathd *d)
{
	sd_event *event = daemon_event(d->daemon);
	int r = sd_event_add_io(event, &d->on_wake, d->plant->wake_fd, EPOLLIN, on_wake, d);

	if (r >= 0)
		r = sd_event_add_io(
			event, &d->on_links, locals_fd(d->plant->locals), EPOLLIN, on_links, d);
	if (r >= 0)
		r = sd_event_add_io(event, &d->on_tables, steer_notify_fd(d->plant->steer), EPOLLIN,
			on_tables, d);
	if (r >= 0)
		r = sd_event_add_io(
			event, &d->on_ways, d->plant->ways.notices.fd, EPOLLIN, on_ways, d);
	if (r >= 0)
		r = sd_event_add_time_relative(
			event, &d->on_tick, CLOCK_MONOTONIC, TICK_USEC, 0, on_tick, d);
	if (r >= 0)
		r = sd_event_add_time_relative(
			event, &d->on_addresses, CLOCK_MONOTONIC, 0, 0, on_addresses, d);
	if (r >= 0)
		r = sd_event_source_set_enabled(d->on_addresses, SD_EVENT_OFF);
	if (r < 0)
		return r;
	datapathd_watch_trials(d);
	r = datapathd_watch_nflog(d);
	return r < 0 ? r : datapathd_watch_drops(d);
}

static void on_sadb_event(const struct sadb_event *event, void *userdata)
{
	datapath_bus_event(userdata, event);
}

static int open_keys_door(struct datapathd *d)
{
	struct keys_door_setup setup = { .event = daemon_event(d->daemon), .group = (gid_t)-1 };
	const struct passwd *keys = getpwnam(KEYS_USER);
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(KEYS_DOOR_PATH, &path);

	if (r < 0)
		return r;
	setup.path = path;
	setup.uids[setup.n_uids++] = 0;
	if (geteuid() != 0)
		setup.uids[setup.n_uids++] = geteuid();
	if (keys) {
		setup.uids[setup.n_uids++] = keys->pw_uid;
		setup.group = geteuid() == 0 || group_member(keys->pw_gid) ? keys->pw_gid
									   : (gid_t)-1;
	}
	return keys_door_new(&setup, &d->keys_door);
}

/* Root, we ourselves, and the user under whom keys are negotiated. */
static int open_natt_door(struct datapathd *d)
{
	struct natt_door_setup setup = { .event = daemon_event(d->daemon) };
	const struct passwd *ike = getpwnam(d->settings->ike_user);
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(NATT_DOOR_PATH, &path);

	if (r < 0 || d->plant->natt_error < 0)
		return r;
	setup.path = path;
	setup.uids[setup.n_uids++] = 0;
	setup.uids[setup.n_uids++] = geteuid();
	if (ike)
		setup.uids[setup.n_uids++] = ike->pw_uid;
	return natt_door_new(&setup, &d->natt_door);
}

static int open_doors(struct datapathd *d)
{
	int r = open_keys_door(d);

	if (r == 0)
		r = open_natt_door(d);
	if (r == 0)
		r = datapathd_open_pfkey(d);
	if (r < 0)
		return r;
	pfkey_door_set_policy(d->pfkey_door, plant_policy_for, d->plant);
	return sadb_listen(d->plant->sadb, on_sadb_event, d);
}

static void on_stop(bool withdraw, void *userdata)
{
	struct datapathd *d = userdata;
	int r;

	/* However it ends, what is protected stays protected: there is nothing to lift here. */
	(void)withdraw;
	r = plant_settle(d->plant);
	if (r < 0)
		log_warning("sequence numbers could not be given back: %s", strerror(-r));
}

static int start(struct datapathd *d)
{
	const char *fault = "";
	int r = fdstore_new(&d->store);

	if (r == 0)
		r = plant_open(d->settings, d->store, &d->plant, &fault);
	if (r < 0) {
		log_error("%s: %s", fault, strerror(-r));
		daemon_start_failed(&d->options, NULL, fault);
		return r;
	}
	if (!d->plant->seqstore)
		log_event(LOG_ERR, LOG_ID_NO_SEQUENCES, NULL,
			"%s cannot be used, outbound SAs are refused: %s", DATAPATH_STATE_DIR,
			strerror(-d->plant->seqstore_error));
	if (d->plant->natt_error < 0)
		log_error("UDP port 4500 is not to be had, SAs that need it are refused: %s",
			strerror(-d->plant->natt_error));
	d->sections.plant = d->plant;
	r = sections_restore(&d->sections, d->store);
	d->store = fdstore_free(d->store);
	if (r == 0)
		r = plant_start(d->plant);
	if (r == 0)
		r = watch(d);
	if (r == 0)
		r = open_doors(d);
	if (r == 0)
		r = datapath_bus_add(d);
	if (r < 0)
		log_error("start: %s", strerror(-r));
	return r;
}

int datapathd_run(struct datapathd *d)
{
	const struct daemon_hooks hooks = {
		.reload = datapathd_reload, .stop = on_stop, .userdata = d
	};
	int r = daemon_new(&datapathd_identity, &d->options, &hooks, &d->daemon);

	if (r == 0)
		r = start(d);
	if (r < 0)
		return r;
	datapathd_show_status(d);
	r = daemon_ready(d->daemon);
	if (r == 0)
		r = daemon_run(d->daemon);
	return r;
}
