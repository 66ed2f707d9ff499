/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <net/if.h>
#include <string.h>

#include "common/base/memfd.h"
#include "services/datapath/settings/settings.h"
#include "services/datapath/stat/stat_table.h"

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

/* What the kernel knows of it is told here, beside what the daemon knows. */
static void add_kernel_facts(struct json_object *entry)
{
	const char *name = stat_string(entry, "name");

	(void)json_object_object_add(
		entry, "up", json_object_new_boolean(if_nametoindex(name) != 0));
	(void)json_object_object_add(
		entry, "in_packets", json_object_new_uint64(interface_counter(name, "rx_packets")));
	(void)json_object_object_add(entry, "out_packets",
		json_object_new_uint64(interface_counter(name, "tx_packets")));
}

static int show_table(struct json_object *list)
{
	static const char *const keys[] = { "name", "source", "destination", "origin", "up",
		"rules", "in_packets", "out_packets" };
	static const char *const heads[] = { "TUNNEL", "SOURCE", "DESTINATION", "FROM", "UP",
		"RULES", "IN", "OUT" };
	struct libscols_table *out = scols_new_table();
	int r = out ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(heads) && r == 0; i++)
		if (!scols_table_new_column(out, heads[i], 0, i > 4 ? SCOLS_FL_RIGHT : 0))
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

int stat_show_tunnels(struct json_object *listing, const struct stat_request *request)
{
	struct json_object *list;

	if (!json_object_object_get_ex(listing, "tunnels", &list))
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		add_kernel_facts(json_object_array_get_idx(list, i));
	if (request->json)
		puts(json_object_to_json_string_ext(listing, JSON_C_TO_STRING_PLAIN));
	else if (json_object_array_length(list) == 0)
		puts("no tunnels (see " DATAPATH_CONFIG ")");
	else
		return show_table(list);
	return 0;
}
