/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control thread's state: the plant, the sections in force, and the doors that change them. */
#ifndef DATAPATH_DATAPATHD_H
#define DATAPATH_DATAPATHD_H

#include "common/daemon/daemon.h"
#include "common/daemon/status.h"
#include "services/datapath/bus/keys_door.h"
#include "services/datapath/bus/natt_door.h"
#include "services/datapath/plant/plant.h"
#include "services/datapath/drops/policy_log.h"
#include "services/datapath/bus/section.h"

#define DATAPATH_ERROR_MAX 512

struct pfkey_door;

struct datapathd {
	struct daemon_options options;
	struct datapath_settings *settings;
	struct daemon *daemon;
	struct fdstore *store;
	struct plant *plant;
	struct sections sections;
	struct keys_door *keys_door;
	struct natt_door *natt_door; /* NULL: nobody has port 4500 */
	struct pfkey_door *pfkey_door;
	sd_event_source *on_wake, *on_links, *on_tables, *on_ways, *on_tick;
	sd_event_source *on_nflog;
	sd_event_source *on_drops, *on_drops_again, *on_addresses, *on_trial;
	uint64_t drops_seen; /* number of the last drop that was told of */
	struct drop_limit log_limit, signal_limit;
	struct load_note note; /* of the settings' last reading */
	int disk_error; /* that the log was told of */
	char settings_error[DATAPATH_ERROR_MAX]; /* of that; "" after a success */
	char last_error[DATAPATH_ERROR_MAX]; /* of the last publication */
};

extern const struct daemon_identity datapathd_identity;

/* Settings are read; nothing is touched yet. */
int datapathd_new(
	const struct daemon_options *options, struct datapathd **ret_datapathd) MUST_CHECK;
struct datapathd *datapathd_free(struct datapathd *d);
DEFINE_CLEANUP(struct datapathd *, datapathd_free)
int datapathd_run(struct datapathd *d) MUST_CHECK;
/* The settings file again: 0 when it says what runs, -EBADMSG, or -EINVAL when a restart is needed. */
int datapathd_reload(void *userdata);

/* For LastError; cut where it gets too long. */
void datapathd_remember(char kept[static DATAPATH_ERROR_MAX], const char *error);
void datapathd_show_status(struct datapathd *d);
size_t datapathd_rule_count(const struct datapathd *d);

/* datapathd_trials.c: sections that nobody confirms in time go back to what was before. */
/* After anything that may have begun or ended a trial. */
void datapathd_watch_trials(struct datapathd *d);

/* datapathd_pfkey.c: both sockets of PF_KEY, and the policies that clients add. */
int datapathd_open_pfkey(struct datapathd *d) MUST_CHECK;

/* datapathd_drops.c: what workers drop goes to the journal and the bus, so far as limits allow. */
/* datapathd_nflog.c: what nftables drops joins them. */
int datapathd_watch_nflog(struct datapathd *d) MUST_CHECK;
int datapathd_watch_drops(struct datapathd *d) MUST_CHECK;
/* Up to this moment. */
void datapathd_gather_drops(struct datapathd *d);

/* datapath_bus.c */
int datapath_bus_add(struct datapathd *d) MUST_CHECK;
/* After a section changed: signal and properties. */
void datapath_bus_section_changed(struct datapathd *d, enum snapshot_section section);
/* Policy refused a packet; @held: how many others were not told of since the last. */
void datapath_bus_policy_failure(struct datapathd *d, const struct drop *drop, uint64_t held);
/* Addresses of this machine came or went. */
void datapath_bus_addresses_changed(struct datapathd *d);
/* The settings file was read again, for better or worse. */
void datapath_bus_settings_read(struct datapathd *d);
/* Rules came or went that are no section's. */
void datapath_bus_rules_changed(struct datapathd *d);
void datapath_bus_event(struct datapathd *d, const struct sadb_event *event);

#endif
