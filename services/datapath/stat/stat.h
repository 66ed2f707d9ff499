/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecstat(8): what the command asks the datapath for, and how it shows the answers. */
#ifndef DATAPATH_STAT_H
#define DATAPATH_STAT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "common/base/text.h"
#include "common/bus/bus.h"
#include "services/datapath/packet/counters.h"

enum stat_topic { STAT_COUNTERS, STAT_SAS, STAT_RULES, STAT_TUNNELS };

struct stat_request {
	enum stat_topic topic;
	bool all; /* counters that are zero too */
	bool json;
	const char *bus; /* "system" or an address */
};

struct stat_counter {
	char name[48];
	uint64_t packets;
};

/* stat_fetch.c: each returns 0, or negative errno with a message in *ret_error. */
int stat_fetch_counters(struct bus *bus, struct stat_counter ret_counters[static VERDICT_COUNT],
	size_t *ret_count, struct bus_error *ret_error) MUST_CHECK;
/* @method: "ListRules" or "DumpSas". *ret_text: the JSON as it came, owned. */
int stat_fetch_listing(struct bus *bus, const char *method, char **ret_text,
	struct bus_error *ret_error) MUST_CHECK;

/* stat_show.c: on standard output. */
int stat_show_counters(const struct stat_counter *counters, size_t count,
	const struct stat_request *request) MUST_CHECK;
int stat_show_sas(struct json_object *listing) MUST_CHECK;
int stat_show_rules(struct json_object *listing) MUST_CHECK;

/* stat_tunnels.c: from the settings file and the kernel's interface counters. */
int stat_show_tunnels(struct json_object *rules, const struct stat_request *request) MUST_CHECK;

#endif
