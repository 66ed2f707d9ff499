/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/fdstore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/base/text.h"

#define NAME_BYTES    64
#define MESSAGE_BYTES 128

struct fdstore {
	int count;
	char **names; /* owned, as are the strings */
	int *fds; /* -1: taken */
};

int fdstore_new(struct fdstore **ret_store)
{
	CLEANUP(fdstore_freep) struct fdstore *store = calloc(1, sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->count = sd_listen_fds_with_names(1, &store->names);
	if (store->count < 0)
		return store->count;
	store->fds = calloc((size_t)store->count + 1, sizeof(*store->fds));
	if (!store->fds)
		return -ENOMEM;
	for (int i = 0; i < store->count; i++)
		store->fds[i] = SD_LISTEN_FDS_START + i;
	*ret_store = STEAL(store);
	return 0;
}

struct fdstore *fdstore_free(struct fdstore *store)
{
	if (!store)
		return NULL;
	for (int i = 0; i < store->count; i++) {
		if (store->fds)
			fd_closep(&store->fds[i]);
		if (store->names)
			free(store->names[i]);
	}
	free(store->names);
	free(store->fds);
	free(store);
	return NULL;
}

int fdstore_take(struct fdstore *store, const char *name)
{
	for (int i = 0; i < store->count; i++)
		if (store->fds[i] >= 0 && strcmp(store->names[i], name) == 0)
			return STEAL_FD(store->fds[i]);
	return -1;
}

/* "policy.7" of section "policy" is 7; 0 for other names. */
static uint64_t name_generation(const char *name, const char *section)
{
	size_t len = strlen(section);
	uint64_t generation = 0;

	if (strncmp(name, section, len) != 0 || name[len] != '.')
		return 0;
	for (name += len + 1; *name; name++) {
		if (*name < '0' || *name > '9' || generation > UINT64_MAX / 16)
			return 0;
		generation = generation * 10 + (uint64_t)(*name - '0');
	}
	return generation;
}

int fdstore_take_section(
	struct fdstore *store, enum snapshot_section section, uint64_t *ret_generation)
{
	uint64_t newest = 0;
	int at = -1;

	for (int i = 0; i < store->count; i++) {
		uint64_t generation = name_generation(
			store->names[i], snapshot_section_name(section));

		if (store->fds[i] >= 0 && generation > newest) {
			newest = generation;
			at = i;
		}
	}
	if (at < 0)
		return -1;
	*ret_generation = newest;
	return STEAL_FD(store->fds[at]);
}

bool fdstore_has_manager(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

void fdstore_put(const char *name, int fd)
{
	char message[MESSAGE_BYTES];

	/* Not polled: a socket with an error queued would be dropped from the store. */
	if (text_fixed(message, sizeof(message), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name) == 0)
		(void)sd_pid_notify_with_fds(0, 0, message, &fd, 1); /* there may be no manager */
}

void fdstore_drop(const char *name)
{
	char message[MESSAGE_BYTES];

	if (text_fixed(message, sizeof(message), "FDSTOREREMOVE=1\nFDNAME=%s", name) == 0)
		(void)sd_notify(0, message); /* there may be no manager */
}

static int section_name(
	enum snapshot_section section, uint64_t generation, char ret_name[static NAME_BYTES])
{
	return text_fixed(
		ret_name, NAME_BYTES, "%s.%" PRIu64, snapshot_section_name(section), generation);
}

void fdstore_put_section(
	enum snapshot_section section, uint64_t generation, int fd, uint64_t former)
{
	char name[NAME_BYTES];

	if (fd >= 0 && section_name(section, generation, name) == 0)
		fdstore_put(name, fd);
	if (former && (fd < 0 || former != generation) && section_name(section, former, name) == 0)
		fdstore_drop(name);
}
