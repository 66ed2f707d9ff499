/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was added over the bus must be there again after a restart: traffic that it carried would
 * find another way, in clear.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/hash.h"
#include "common/base/memfd.h"
#include "services/datapath/plant/plant.h"
#include "services/datapath/plant/plant_devices.h"
#include "services/datapath/settings/settings_tunnel.h"

#define STORE_NAME "tunnels"

struct record {
	uint64_t kind; /* of program and layout: another one's is not read */
	struct tunnel_table table;
};

static uint64_t this_kind(void)
{
	static const char version[] = NETIPSEC_VERSION;

	return hash_stable(version, sizeof(version)) * 31 + sizeof(struct tunnel);
}

void plant_tunnels_remember(const struct plant *plant)
{
	const struct tunnel_list *list = plant->tunnels.list;
	CLEANUP(freep) struct record *record = calloc(1, sizeof(*record));
	CLEANUP(fd_closep) int fd = memfd_create("netipsec-tunnels", MFD_CLOEXEC);

	fdstore_drop(STORE_NAME);
	if (!record || fd < 0)
		return;
	record->kind = this_kind();
	for (size_t i = 0; i < list->table.count; i++)
		if (list->by_call[i])
			record->table.tunnels[record->table.count++] = list->table.tunnels[i];
	if (record->table.count > 0 && file_write_fd(fd, record, sizeof(*record)) == 0)
		fdstore_put(STORE_NAME, fd);
}

void plant_tunnels_recall(struct fdstore *store, struct tunnel_list *ret_list)
{
	CLEANUP(freep) struct record *record = calloc(1, sizeof(*record));
	CLEANUP(fd_closep) int fd = fdstore_take(store, STORE_NAME);

	if (fd < 0 || !record || pread(fd, record, sizeof(*record), 0) != sizeof(*record) ||
		record->kind != this_kind() || record->table.count > ENGINE_MAX_TUNNELS)
		return;
	for (size_t i = 0; i < record->table.count; i++) {
		if (!is_interface_name(record->table.tunnels[i].name))
			continue;
		ret_list->by_call[ret_list->table.count] = true;
		ret_list->table.tunnels[ret_list->table.count++] = record->table.tunnels[i];
	}
}
