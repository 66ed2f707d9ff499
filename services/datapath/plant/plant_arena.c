/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant_arena.h"

#include <errno.h>

#include "common/base/memfd.h"

int plant_arena_open(struct plant *plant, struct fdstore *store)
{
	CLEANUP(freep) char *path = NULL;
	int fd = fdstore_take(store, FDSTORE_ARENA), r;

	if (fd >= 0) {
		r = arena_open(fd, &plant->arena);
		if (r != -EBADMSG)
			return r;
		/* It cannot be trusted: begin anew, and let the manager forget it. */
		fdstore_drop(FDSTORE_ARENA);
	} else if (!fdstore_has_manager()) {
		r = file_system_path(DATAPATH_ARENA_PATH, &path);
		if (r == 0)
			r = arena_open_file(path, &plant->arena);
		if (r == 0 || r == -ENOMEM)
			return r;
	}
	r = arena_open(-1, &plant->arena);
	if (r == 0)
		fdstore_put(FDSTORE_ARENA, arena_fd(plant->arena));
	return r;
}
