/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <net/if.h>
#include <string.h>

#include "common/base/memfd.h"
#include "services/datapath/settings.h"
#include "services/datapath/stat/stat.h"

#define SYSFS_BYTES 64
#define PATH_BYTES  128

/* What the kernel counts on an interface: in is what we handed up, out is what was sent into it. */
static uint64_t interface_counter(const char *name, const char *counter)
{
	CLEANUP(freep) char *bytes = NULL;
	char path[PATH_BYTES];
	uint64_t value = 0;
	size_t len;

	if (text_fixed(path, sizeof(path), "/sys/class/net/%s/statistics/%s", name, counter) < 0 ||
		file_read_path(path, SYSFS_BYTES, &bytes, &len) < 0)
		return 0;
	for (const char *at = bytes; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return value;
}

static size_t count_rules(struct json_object *rules, const char *tunnel)
{
	struct json_object *list, *name;
	size_t n = 0;

	if (!json_object_object_get_ex(rules, "rules", &list))
		return 0;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (json_object_object_get_ex(
			    json_object_array_get_idx(list, i), "tunnel", &name) &&
			strcmp(json_object_get_string(name), tunnel) == 0)
			n++;
	return n;
}

static struct json_object *tunnel_entry(const struct tunnel *tunnel, struct json_object *rules)
{
	struct json_object *entry = json_object_new_object();
	char addr[ADDRESS_TEXT_MAX];

	(void)json_object_object_add(entry, "name", json_object_new_string(tunnel->name));
	(void)json_object_object_add(
		entry, "source", json_object_new_string(address_format(&tunnel->src, addr)));
	(void)json_object_object_add(
		entry, "destination", json_object_new_string(address_format(&tunnel->dst, addr)));
	(void)json_object_object_add(
		entry, "up", json_object_new_boolean(if_nametoindex(tunnel->name) != 0));
	(void)json_object_object_add(
		entry, "rules", json_object_new_uint64(count_rules(rules, tunnel->name)));
	(void)json_object_object_add(entry, "in_packets",
		json_object_new_uint64(interface_counter(tunnel->name, "rx_packets")));
	(void)json_object_object_add(entry, "out_packets",
		json_object_new_uint64(interface_counter(tunnel->name, "tx_packets")));
	return entry;
}

static int show_table(struct json_object *list)
{
	static const char *const keys[] = { "name", "source", "destination", "up", "rules",
		"in_packets", "out_packets" };
	static const char *const heads[] = { "TUNNEL", "SOURCE", "DESTINATION", "UP", "RULES", "IN",
		"OUT" };
	struct libscols_table *out = scols_new_table();
	int r = out ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(heads) && r == 0; i++)
		if (!scols_table_new_column(out, heads[i], 0, i > 3 ? SCOLS_FL_RIGHT : 0))
			r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < json_object_array_length(list); i++) {
		struct libscols_line *line = scols_table_new_line(out, NULL);
		struct json_object *value;

		for (size_t k = 0; k < ARRAY_SIZE(keys) && r == 0; k++)
			if (!line ||
				!json_object_object_get_ex(
					json_object_array_get_idx(list, i), keys[k], &value) ||
				scols_line_set_data(line, k, json_object_get_string(value)) < 0)
				r = -ENOMEM;
	}
	if (r == 0)
		r = scols_print_table(out) < 0 ? -EIO : 0;
	scols_unref_table(out);
	return r;
}

int stat_show_tunnels(struct json_object *rules, const struct stat_request *request)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(datapath_settings_freep) struct datapath_settings *settings = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	struct json_object *out, *list;
	int r = diags ? datapath_settings_load(DATAPATH_CONFIG, false, diags, &settings) : -ENOMEM;

	if (r == -EBADMSG) {
		conf_diags_print(diags, &text);
		fputs(text.str ? text.str : "", stderr);
	}
	if (r < 0)
		return r;
	out = json_object_new_object();
	list = json_object_new_array();
	if (!out || !list)
		return -ENOMEM;
	(void)json_object_object_add(out, "version", json_object_new_int(1));
	(void)json_object_object_add(out, "tunnels", list);
	for (size_t i = 0; i < settings->tunnels.count; i++)
		(void)json_object_array_add(
			list, tunnel_entry(&settings->tunnels.tunnels[i], rules));
	if (request->json)
		puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
	else if (settings->tunnels.count == 0)
		puts("no tunnels (see " DATAPATH_CONFIG ")");
	else
		r = show_table(list);
	(void)json_object_put(out);
	return r;
}
