/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/sad/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "common/base/hash.h"
#include "common/base/secret.h"
#include "services/datapath/sad/arena_layout.h"

struct free_slots {
	size_t *slots;
	size_t count, room;
};

struct arena {
	int fd;
	struct arena_header *header;
	uint8_t **chunks;
	size_t n_chunks;
	struct free_slots free[ARENA_CLASSES];
	size_t count;
};

#define SLOT_SHIFT 16 /* a slot number is chunk << SLOT_SHIFT | index */

static struct arena_slot *slot_at(const struct arena *arena, size_t slot)
{
	uint8_t *chunk = arena->chunks[slot >> SLOT_SHIFT];
	struct arena_chunk_head head;

	memcpy(&head, chunk, sizeof(head));
	return (void *)(chunk + (slot & ((1U << SLOT_SHIFT) - 1)) * head.slot_bytes);
}

static uint32_t slot_bytes(const struct arena *arena, size_t slot)
{
	struct arena_chunk_head head;

	memcpy(&head, arena->chunks[slot >> SLOT_SHIFT], sizeof(head));
	return head.slot_bytes;
}

static uint8_t *record_of(struct arena_slot *slot)
{
	return (uint8_t *)slot + arena_record_at(slot->window);
}

static int class_of(size_t bytes)
{
	for (unsigned int i = 0; i < ARENA_CLASSES; i++)
		if (bytes <= (size_t)ARENA_SLOT_MIN << i)
			return (int)i;
	return -1;
}

static int free_push(struct free_slots *list, size_t slot)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 512;
		size_t *slots = reallocarray(list->slots, room, sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		list->slots = slots;
		list->room = room;
	}
	list->slots[list->count++] = slot;
	return 0;
}

static void *map(int fd, size_t at, size_t len)
{
	void *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)at);

	if (bytes == MAP_FAILED)
		return NULL;
	/* Keys stay out of core dumps and of children; the process itself is not dumpable either. */
	(void)madvise(bytes, len, MADV_DONTDUMP);
	(void)madvise(bytes, len, MADV_DONTFORK);
	return bytes;
}

/* Map chunk number n_chunks, which the file has. */
static int chunk_map(struct arena *arena)
{
	uint8_t **chunks = reallocarray(arena->chunks, arena->n_chunks + 1, sizeof(*chunks));

	if (!chunks)
		return -ENOMEM;
	arena->chunks = chunks;
	chunks[arena->n_chunks] = map(arena->fd,
		ARENA_HEADER_BYTES + arena->n_chunks * ARENA_CHUNK_BYTES, ARENA_CHUNK_BYTES);
	if (!chunks[arena->n_chunks])
		return -ENOMEM;
	arena->n_chunks++;
	return 0;
}

static size_t chunk_slots(uint32_t bytes)
{
	return ARENA_CHUNK_BYTES / bytes;
}

/* A chunk more for slots of a class. */
static int chunk_add(struct arena *arena, unsigned int class)
{
	struct arena_chunk_head head = { ARENA_CHUNK_MAGIC, ARENA_SLOT_MIN << class };
	size_t n = arena->n_chunks, slots = chunk_slots(head.slot_bytes);
	int r;

	if (n >= ARENA_MAX_CHUNKS)
		return -ENOSPC;
	if (ftruncate(arena->fd, (off_t)(ARENA_HEADER_BYTES + (n + 1) * ARENA_CHUNK_BYTES)) < 0)
		return -errno;
	r = chunk_map(arena);
	if (r < 0)
		return r;
	memcpy(arena->chunks[n], &head, sizeof(head));
	for (size_t i = slots - 1; i >= 1; i--) {
		r = free_push(&arena->free[class], n << SLOT_SHIFT | i);
		if (r < 0)
			return r;
	}
	return 0;
}

static int memfd_new(struct arena *arena)
{
	arena->fd = memfd_create("netipsec-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (arena->fd < 0)
		return -errno;
	if (ftruncate(arena->fd, ARENA_HEADER_BYTES) < 0)
		return -errno;
	/* Nobody may pull mapped memory away from under a worker. */
	return fcntl(arena->fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0 ? -errno : 0;
}

/* Of a file that has room for it, all zeros. */
static int header_new(struct arena *arena)
{
	struct hash_key key;

	arena->header = map(arena->fd, 0, ARENA_HEADER_BYTES);
	if (!arena->header)
		return -ENOMEM;
	arena->header->version = ARENA_VERSION;
	arena->header->chunk_bytes = ARENA_CHUNK_BYTES;
	arena->header->run_bytes = sizeof(struct sa_run);
	arena->header->slot_head_bytes = sizeof(struct arena_slot);
	hash_key_random(&key);
	arena->header->flow_key[0] = key.k0;
	arena->header->flow_key[1] = key.k1;
	arena->header->magic = ARENA_MAGIC;
	return 0;
}

static int header_check(const struct arena_header *header)
{
	if (header->magic != ARENA_MAGIC || header->version != ARENA_VERSION ||
		header->chunk_bytes != ARENA_CHUNK_BYTES ||
		header->run_bytes != sizeof(struct sa_run) ||
		header->slot_head_bytes != sizeof(struct arena_slot))
		return -EBADMSG;
	return 0;
}

/* A slot's own numbers, before anything behind them is touched. */
static bool slot_is_sound(const struct arena *arena, size_t number)
{
	struct arena_slot *slot = slot_at(arena, number);
	size_t at;

	if (slot->window > SA_RUN_WINDOW_MAX || slot->window % 32 ||
		arena_run_of(slot)->window != slot->window)
		return false;
	at = arena_record_at(slot->window);
	if (at > slot_bytes(arena, number) || slot->record_len > slot_bytes(arena, number) - at)
		return false;
	return hash_stable(record_of(slot), slot->record_len) == slot->check;
}

/* Finish an update that death interrupted between its two copies. */
static void journal_replay(struct arena *arena)
{
	struct arena_journal *journal = &arena->header->journal;
	size_t slot = (size_t)journal->slot, index = slot & ((1U << SLOT_SHIFT) - 1);
	struct arena_slot *at;

	if (journal->valid != 1 || journal->len > ARENA_RECORD_ROOM ||
		hash_stable(journal->record, journal->len) != journal->check ||
		slot >> SLOT_SHIFT >= arena->n_chunks || index == 0 ||
		index >= chunk_slots(slot_bytes(arena, slot)))
		goto done;
	at = slot_at(arena, slot);
	if (at->state != ARENA_SLOT_USED || at->window > SA_RUN_WINDOW_MAX ||
		arena_record_at(at->window) + journal->len > slot_bytes(arena, slot))
		goto done;
	memcpy(record_of(at), journal->record, journal->len);
	at->record_len = journal->len;
	at->check = journal->check;
done:
	journal->valid = 0;
	secret_wipe(journal->record, sizeof(journal->record));
}

/* Everything behind the slot's state word. */
static void slot_wipe(const struct arena *arena, size_t number)
{
	struct arena_slot *slot = slot_at(arena, number);

	atomic_store(&slot->state, ARENA_SLOT_DYING);
	secret_wipe((uint8_t *)slot + sizeof(slot->state),
		slot_bytes(arena, number) - sizeof(slot->state));
	atomic_store(&slot->state, ARENA_SLOT_FREE);
}

/* One chunk of a former life: which of its slots are in use. */
static int chunk_adopt(struct arena *arena, size_t n)
{
	struct arena_chunk_head head;
	size_t slots, number;
	int class, r;

	memcpy(&head, arena->chunks[n], sizeof(head));
	/* Death between the file's growth and the chunk's header: nothing stands there yet. */
	if (head.magic == 0 && head.slot_bytes == 0) {
		head = (struct arena_chunk_head){ ARENA_CHUNK_MAGIC, ARENA_SLOT_MIN };
		memcpy(arena->chunks[n], &head, sizeof(head));
	}
	class = class_of(head.slot_bytes);
	if (head.magic != ARENA_CHUNK_MAGIC || class < 0 ||
		head.slot_bytes != ARENA_SLOT_MIN << class)
		return -EBADMSG;
	slots = chunk_slots(head.slot_bytes);
	for (size_t i = slots - 1; i >= 1; i--) {
		uint32_t state;

		number = n << SLOT_SHIFT | i;
		state = slot_at(arena, number)->state;
		if (state == ARENA_SLOT_USED) {
			arena->count++;
			continue;
		}
		if (state != ARENA_SLOT_FREE)
			slot_wipe(arena, number);
		r = free_push(&arena->free[class], number);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK);
}

static int header_adopt(struct arena *arena)
{
	struct stat st;
	int r;

	if (fstat(arena->fd, &st) < 0)
		return -EBADMSG;
	if (st.st_size < (off_t)ARENA_HEADER_BYTES ||
		((size_t)st.st_size - ARENA_HEADER_BYTES) % ARENA_CHUNK_BYTES ||
		((size_t)st.st_size - ARENA_HEADER_BYTES) / ARENA_CHUNK_BYTES > ARENA_MAX_CHUNKS)
		return -EBADMSG;
	arena->header = map(arena->fd, 0, ARENA_HEADER_BYTES);
	if (!arena->header)
		return -ENOMEM;
	r = header_check(arena->header);
	while (r == 0 &&
		ARENA_HEADER_BYTES + arena->n_chunks * ARENA_CHUNK_BYTES < (size_t)st.st_size) {
		r = chunk_map(arena);
		if (r == 0)
			r = chunk_adopt(arena, arena->n_chunks - 1);
	}
	if (r == 0)
		journal_replay(arena);
	return r;
}

/* All but the descriptor. */
static void forget(struct arena *arena)
{
	int fd = arena->fd;

	for (size_t i = 0; i < arena->n_chunks; i++)
		(void)munmap(arena->chunks[i], ARENA_CHUNK_BYTES);
	if (arena->header)
		(void)munmap(arena->header, ARENA_HEADER_BYTES);
	for (unsigned int i = 0; i < ARENA_CLASSES; i++)
		free(arena->free[i].slots);
	free(arena->chunks);
	*arena = (struct arena){ .fd = fd };
}

int arena_open(int fd, struct arena **ret_arena)
{
	CLEANUP(arena_freep) struct arena *arena = calloc(1, sizeof(*arena));
	int r;

	if (!arena) {
		fd_closep(&fd);
		return -ENOMEM;
	}
	arena->fd = fd;
	if (fd >= 0) {
		r = is_sealed(fd) ? header_adopt(arena) : -EBADMSG;
	} else {
		r = memfd_new(arena);
		if (r == 0)
			r = header_new(arena);
	}
	if (r < 0)
		return r;
	*ret_arena = STEAL(arena);
	return 0;
}

/* Ours alone, now and while we live; in memory. */
static int file_check(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0 ||
		st.st_nlink != 1)
		return -EPERM;
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
		return -EMEDIUMTYPE;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

static int file_begin(struct arena *arena)
{
	if (ftruncate(arena->fd, 0) < 0 || ftruncate(arena->fd, ARENA_HEADER_BYTES) < 0)
		return -errno;
	return header_new(arena);
}

int arena_open_file(const char *path, struct arena **ret_arena)
{
	CLEANUP(arena_freep) struct arena *arena = calloc(1, sizeof(*arena));
	int r;

	if (!arena)
		return -ENOMEM;
	arena->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (arena->fd < 0)
		return -errno;
	r = file_check(arena->fd);
	if (r == 0)
		r = header_adopt(arena);
	if (r == -EBADMSG) {
		forget(arena);
		r = file_begin(arena);
	}
	if (r < 0)
		return r;
	*ret_arena = STEAL(arena);
	return 0;
}

struct arena *arena_free(struct arena *arena)
{
	if (!arena)
		return NULL;
	forget(arena);
	fd_closep(&arena->fd);
	free(arena);
	return NULL;
}

int arena_fd(const struct arena *arena)
{
	return arena->fd;
}

struct hash_key arena_flow_key(const struct arena *arena)
{
	return (struct hash_key){ arena->header->flow_key[0], arena->header->flow_key[1] };
}

size_t arena_count(const struct arena *arena)
{
	return arena->count;
}

uint32_t arena_window(uint32_t packets)
{
	return packets == 0 ? 0 : (packets + 31) / 32 * 32;
}

int arena_add(struct arena *arena, const struct sa *sa, uint8_t directions, size_t *ret_slot,
	struct sa_run **ret_run)
{
	uint8_t record[ARENA_RECORD_ROOM];
	uint32_t window = arena_window(sa->replay_window);
	struct arena_slot *slot;
	size_t len, number;
	int class, r;

	if (sa->replay_window > SA_RUN_WINDOW_MAX)
		return -EINVAL;
	r = snapshot_write_sa(sa, record, sizeof(record), &len);
	if (r < 0)
		return r;
	class = class_of(arena_record_at(window) + len);
	r = class < 0 ? -ENOSPC : 0;
	if (r == 0 && arena->free[class].count == 0)
		r = chunk_add(arena, (unsigned int)class);
	if (r == 0) {
		number = arena->free[class].slots[--arena->free[class].count];
		slot = slot_at(arena, number);
		slot->record_len = (uint32_t)len;
		slot->window = window;
		slot->directions = directions;
		slot->order = arena->header->next_order++;
		arena_run_of(slot)->window = window;
		memcpy(record_of(slot), record, len);
		slot->check = hash_stable(record, len);
		atomic_store(&slot->state, ARENA_SLOT_USED); /* from here on it survives */
		arena->count++;
		*ret_slot = number;
		*ret_run = arena_run_of(slot);
	}
	secret_wipe(record, sizeof(record));
	return r;
}

bool arena_fits(const struct arena *arena, size_t slot, const struct sa *sa)
{
	uint8_t record[ARENA_RECORD_ROOM];
	size_t len = 0;
	int r = snapshot_write_sa(sa, record, sizeof(record), &len);

	secret_wipe(record, sizeof(record));
	return r == 0 &&
	       arena_record_at(slot_at(arena, slot)->window) + len <= slot_bytes(arena, slot);
}

int arena_update(struct arena *arena, size_t slot, const struct sa *sa)
{
	struct arena_journal *journal = &arena->header->journal;
	struct arena_slot *at = slot_at(arena, slot);
	size_t len;
	int r;

	r = snapshot_write_sa(sa, journal->record, sizeof(journal->record), &len);
	if (r < 0)
		return r;
	if (arena_record_at(at->window) + len > slot_bytes(arena, slot)) {
		secret_wipe(journal->record, sizeof(journal->record));
		return -ENOSPC;
	}
	journal->len = (uint32_t)len;
	journal->slot = slot;
	journal->check = hash_stable(journal->record, len);
	atomic_store(&journal->valid, 1);
	journal_replay(arena);
	return 0;
}

void arena_remove(struct arena *arena, size_t slot)
{
	int class = class_of(slot_bytes(arena, slot));

	slot_wipe(arena, slot);
	arena->count--;
	/* Without memory for the list the slot is only found again by the next life. */
	(void)free_push(&arena->free[class], slot);
}

struct used {
	uint64_t order;
	size_t slot;
};

static int used_compare(const void *a, const void *b)
{
	const struct used *x = a, *y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

static size_t list_used(const struct arena *arena, struct used *list)
{
	size_t n = 0;

	for (size_t chunk = 0; chunk < arena->n_chunks; chunk++) {
		size_t slots = chunk_slots(slot_bytes(arena, chunk << SLOT_SHIFT));

		for (size_t i = 1; i < slots; i++) {
			size_t number = chunk << SLOT_SHIFT | i;
			const struct arena_slot *slot = slot_at(arena, number);

			if (slot->state == ARENA_SLOT_USED && n < arena->count)
				list[n++] = (struct used){ slot->order, number };
		}
	}
	return n;
}

/* Nobody else is alive: locks are open, and a window in motion is one whose bits cannot be trusted. */
static void run_recover(struct sa_run *run)
{
	if (run->replay_lock)
		memset(run->bitmap, 0xff,
			(size_t)((run->window + 63) / 64) * sizeof(run->bitmap[0]));
	run->replay_lock = 0;
	if (run->state > SA_DEAD)
		run->state = SA_DEAD;
}

static int slot_restore(struct arena *arena, size_t number, arena_entry_fn fn, void *userdata)
{
	struct arena_slot *slot = slot_at(arena, number);
	struct sa *sa = NULL;
	int r = -EBADMSG;

	if (slot_is_sound(arena, number))
		r = snapshot_read_sa(record_of(slot), slot->record_len, &sa);
	if (r == 0 && arena_window(sa->replay_window) != slot->window) {
		sa_free(sa);
		r = -EBADMSG;
	}
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		arena_remove(arena, number);
		return 0;
	}
	run_recover(arena_run_of(slot));
	return fn(number, sa, slot->directions, arena_run_of(slot), userdata);
}

int arena_each(struct arena *arena, arena_entry_fn fn, void *userdata)
{
	CLEANUP(freep) struct used *list = calloc(arena->count + 1, sizeof(*list));
	size_t n;
	int r = 0;

	if (!list)
		return -ENOMEM;
	n = list_used(arena, list);
	qsort(list, n, sizeof(*list), used_compare);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = slot_restore(arena, list[i].slot, fn, userdata);
	return r < 0 ? r : 0;
}
