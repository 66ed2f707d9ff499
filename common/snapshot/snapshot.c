/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/snapshot/snapshot.h"

#include <errno.h>
#include <string.h>

static const char *const names[SNAPSHOT_SECTIONS] = {
	[SECTION_ALGORITHMS] = "algorithms",
	[SECTION_POLICY] = "policy",
	[SECTION_KEYS] = "keys",
};

const char *snapshot_section_name(enum snapshot_section section)
{
	return names[section];
}

int snapshot_section_parse(const char *name, enum snapshot_section *ret_section)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		*ret_section = (enum snapshot_section)i;
		return 0;
	}
	return -ENOENT;
}

void snapshot_bytes_done(struct snapshot_bytes *snap)
{
	if (snap->secret && snap->bytes)
		secret_wipe(snap->bytes, snap->len);
	free(snap->bytes);
	*snap = (struct snapshot_bytes){ 0 };
}

int snapshot_seal(const struct snapshot_bytes *snap, enum snapshot_section section, int *ret_fd)
{
	char name[32];
	int r = text_fixed(name, sizeof(name), "netipsec-%s", snapshot_section_name(section));

	return r < 0 ? r : memfd_seal(name, snap->bytes, snap->len, ret_fd);
}
