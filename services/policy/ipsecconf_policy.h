/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies that ipsecconf compares and explains: the one in force, and files that are not loaded. */
#ifndef POLICY_IPSECCONF_POLICY_H
#define POLICY_IPSECCONF_POLICY_H

#include <json-c/json.h>

#include "common/model/algorithm.h"
#include "common/spd/spd.h"
#include "common/spd/spd_flow.h"
#include "services/policy/ipsecconf.h"

DEFINE_CLEANUP(struct json_object *, json_object_put)

/*
 * What the service published, as the datapath was given it.
 * Return: 0, -ENOTCONN when the service does not run (nothing is said then), other errno, said.
 */
int conf_policy_published(struct bus *bus, struct spd **ret_spd) MUST_CHECK;
/* A file as it would be loaded; with request->audit as audit rules. Return: 0 or negative errno, said. */
int conf_policy_of_file(const struct conf_request *request, const char *file,
	enum spd_precedence precedence, struct spd **ret_spd) MUST_CHECK;
/* The same without what other programs brought. Return: 0 or -ENOMEM. */
int conf_policy_without_fragments(const struct spd *spd, struct spd **ret_spd) MUST_CHECK;
/* For names in listings; NULL: numbers. */
struct alg_table *conf_algs(void);

/* {"source":..,"line":..,"index":..,"tunnel":..,"id":..,"text":..}; JSON null for no rule. NULL: no memory. */
struct json_object *conf_rule_json(
	const struct spd *spd, const struct rule *rule, const struct alg_table *algs);
/* "FILE:LINE: " and the text of such an object, on one line. */
void conf_rule_line(struct json_object *rule, struct text *text);
/* The value is consumed, also when it fails. */
bool conf_json_add(struct json_object *to, const char *key, struct json_object *value);
const char *conf_json_string(struct json_object *row, const char *key); /* "": there is none */

/* ---- ipsecconf_flows.c ---- */
struct conf_flows {
	size_t count, room;
	struct spd_query *list; /* each as its outbound packets; owned */
};
/* Connections of this network namespace that are established, IPv4 and IPv6. 0 or negative errno. */
int conf_flows_read(struct conf_flows *flows) MUST_CHECK;
/* The lines of one file of /proc/net; @ipv6 says how addresses stand in it. 0 or -ENOMEM. */
int conf_flows_parse(
	struct conf_flows *flows, const char *text, uint8_t protocol, bool ipv6) MUST_CHECK;
void conf_flows_done(struct conf_flows *flows);

#endif
