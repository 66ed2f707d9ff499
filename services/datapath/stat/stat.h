/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecstat(8): what the command asks the datapath for, and how it shows the answers. */
#ifndef DATAPATH_STAT_H
#define DATAPATH_STAT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "common/base/text.h"
#include "common/bus/bus.h"
#include "services/datapath/packet/counters.h"

struct stat_topic; /* what is asked for */

#define STAT_MAX_SETTINGS 32

struct stat_request {
	const struct stat_topic *topic; /* NULL: counters */
	bool all; /* counters that are zero too */
	bool json;
	bool follow; /* drops: those that come, until interrupted */
	const char *settings[STAT_MAX_SETTINGS]; /* "NAME=VALUE" of --set */
	size_t n_settings;
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

/* @after: number of a drop that is known. */
int stat_fetch_drops(
	struct bus *bus, uint64_t after, char **ret_text, struct bus_error *ret_error) MUST_CHECK;
int stat_set_tunable(
	struct bus *bus, const char *name, uint64_t value, struct bus_error *ret_error) MUST_CHECK;

/* stat_tunables.c */
int stat_show_tunables(struct json_object *listing) MUST_CHECK;
/* "NAME=VALUE" with a number, "on" or "off": 0 or -EINVAL. @size: of @ret_name. */
int stat_parse_assignment(
	const char *str, char *ret_name, size_t size, uint64_t *ret_value) MUST_CHECK;

/* stat_drops.c: what there is, and with request->follow what comes. */
int stat_drops(struct bus *bus, const struct stat_request *request,
	struct bus_error *ret_error) MUST_CHECK;
void stat_print_drop(struct json_object *entry, struct text *text);

/* stat_openmetrics.c: counters, rules and SAs in OpenMetrics' text format. */
int stat_openmetrics(struct bus *bus, struct bus_error *ret_error) MUST_CHECK;
int stat_collect_metrics(struct bus *bus, struct text *out, struct bus_error *ret_error) MUST_CHECK;

/* stat_show.c: on standard output. */
int stat_show_counters(const struct stat_counter *counters, size_t count,
	const struct stat_request *request) MUST_CHECK;
int stat_show_sas(struct json_object *listing) MUST_CHECK;
int stat_show_rules(struct json_object *listing) MUST_CHECK;

/* stat_forecast.c */
int stat_show_forecast(struct json_object *listing, const struct stat_request *request) MUST_CHECK;

/* stat_tunnels.c: with the kernel's interface counters. */
int stat_show_tunnels(struct json_object *listing, const struct stat_request *request) MUST_CHECK;

#endif
