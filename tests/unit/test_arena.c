/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/sad/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/model/algorithm.h"
#include "services/datapath/sad/arena_layout.h"
#include "tests/unit/suite.h"

static struct sa *sa_numbered(uint32_t spi, uint32_t window)
{
	struct sa *sa = sa_new();
	uint8_t key[16], auth[32];

	memset(key, (int)(spi % 251 + 1), sizeof(key));
	memset(auth, 0x5a, sizeof(auth));
	sa->proto = SA_PROTO_ESP;
	sa->spi = spi;
	ck_assert_int_eq(address_parse("192.0.2.1", &sa->src), 0);
	ck_assert_int_eq(address_parse("192.0.2.17", &sa->dst), 0);
	sa->encr = ALG_ENCR_AES_CBC;
	sa->encr_key_bits = 128;
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	sa->auth = ALG_AUTH_HMAC_SHA256;
	sa->auth_key_bits = 256;
	ck_assert_int_eq(secret_new(auth, sizeof(auth), &sa->auth_key), 0);
	sa->state = SA_MATURE;
	sa->replay_window = window;
	return sa;
}

struct left {
	size_t n;
	uint32_t spis[2048];
	uint64_t seqs[2048];
	uint8_t directions;
	struct sa_run *run;
};

static int collect(
	size_t slot, struct sa *sa, uint8_t directions, struct sa_run *run, void *userdata)
{
	struct left *left = userdata;

	(void)slot;
	if (left->n < ARRAY_SIZE(left->spis)) {
		left->spis[left->n] = sa->spi;
		left->seqs[left->n] = run->seq;
		left->n++;
	}
	left->directions = directions;
	left->run = run;
	sa_free(sa);
	return 0;
}

static struct left *left_in(struct arena *arena)
{
	struct left *left = calloc(1, sizeof(*left));

	ck_assert_ptr_nonnull(left);
	ck_assert_int_eq(arena_each(arena, collect, left), 0);
	return left;
}

static struct arena *arena_new(void)
{
	struct arena *arena = NULL;

	ck_assert_int_eq(arena_open(-1, &arena), 0);
	return arena;
}

/* The daemon dies, the service manager keeps the file, another daemon opens it. */
static struct arena *next_life(struct arena *arena)
{
	int fd = fcntl(arena_fd(arena), F_DUPFD_CLOEXEC, 3);
	struct arena *next = NULL;

	ck_assert_int_ge(fd, 0);
	arena_free(arena);
	ck_assert_int_eq(arena_open(fd, &next), 0);
	return next;
}

static struct sa_run *add(struct arena *arena, uint32_t spi, uint32_t window, size_t *ret_slot)
{
	struct sa *sa = sa_numbered(spi, window);
	struct sa_run *run = NULL;

	ck_assert_int_eq(arena_add(arena, sa, SA_INBOUND, ret_slot, &run), 0);
	ck_assert_uint_eq(run->window, arena_window(window));
	ck_assert_uint_eq(run->seq, 0);
	ck_assert_uint_eq((uintptr_t)run % 64, 0);
	sa_free(sa);
	return run;
}

START_TEST(survives)
{
	struct arena *arena = arena_new();
	static struct sa_run *runs[1500];
	struct left *left;
	size_t slot;

	/* Enough for several chunks of two sizes; none of them moves. */
	for (uint32_t i = 0; i < ARRAY_SIZE(runs); i++) {
		runs[i] = add(arena, i + 1, i % 3 ? 64 : SA_RUN_WINDOW_MAX, &slot);
		runs[i]->seq = i * 10;
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(runs); i++)
		ck_assert_uint_eq(runs[i]->seq, i * 10);
	arena = next_life(arena);
	left = left_in(arena);
	ck_assert_uint_eq(left->n, ARRAY_SIZE(runs));
	for (uint32_t i = 0; i < ARRAY_SIZE(runs); i++) {
		ck_assert_uint_eq(left->spis[i], i + 1); /* in the order of addition */
		ck_assert_uint_eq(left->seqs[i], i * 10);
	}
	ck_assert_uint_eq(left->directions, SA_INBOUND);
	free(left);
	arena_free(arena);
}
END_TEST

START_TEST(removed_is_wiped)
{
	struct arena *arena = arena_new();
	struct left *left;
	size_t slots[3], again;
	uint8_t *bytes;
	struct stat st;

	for (uint32_t i = 0; i < 3; i++)
		(void)add(arena, 0x41424344 + i, 64, &slots[i]);
	arena_remove(arena, slots[1]);
	ck_assert_uint_eq(arena_count(arena), 2);
	arena_remove(arena, slots[0]);
	arena_remove(arena, slots[2]);
	/* Not one octet of the authentication key is left in the file. */
	ck_assert_int_eq(fstat(arena_fd(arena), &st), 0);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, arena_fd(arena), 0);
	ck_assert(bytes != MAP_FAILED);
	ck_assert_ptr_null(memmem(bytes, (size_t)st.st_size, "\x5a\x5a\x5a\x5a", 4));
	ck_assert_int_eq(munmap(bytes, (size_t)st.st_size), 0);
	(void)add(arena, 9, 64, &again);
	arena = next_life(arena);
	left = left_in(arena);
	ck_assert_uint_eq(left->n, 1);
	ck_assert_uint_eq(left->spis[0], 9);
	free(left);
	arena_free(arena);
}
END_TEST

START_TEST(update_keeps_the_run_state)
{
	struct arena *arena = arena_new();
	struct sa *sa = sa_numbered(7, 64);
	struct sa_run *run;
	struct left *left;
	size_t slot;

	run = add(arena, 7, 64, &slot);
	run->seq = 1234;
	sa->spi = 8;
	ck_assert(arena_fits(arena, slot, sa));
	ck_assert_int_eq(arena_update(arena, slot, sa), 0);
	sa_free(sa);
	arena = next_life(arena);
	left = left_in(arena);
	ck_assert_uint_eq(left->n, 1);
	ck_assert_uint_eq(left->spis[0], 8);
	ck_assert_uint_eq(left->seqs[0], 1234);
	free(left);
	arena_free(arena);
}
END_TEST

/* Death between the two copies of an update: the journal has the record, the slot half of it. */
START_TEST(update_interrupted)
{
	struct arena *arena = arena_new(), *scratch = arena_new();
	struct arena_header *header;
	struct sa *sa = sa_numbered(8, 64);
	struct left *left;
	size_t slot, other;
	uint8_t *chunk;

	(void)add(arena, 7, 64, &slot);
	header = mmap(
		NULL, ARENA_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, arena_fd(arena), 0);
	ck_assert(header != MAP_FAILED);
	ck_assert_int_eq(
		snapshot_write_sa(sa, header->journal.record, ARENA_RECORD_ROOM, &(size_t){ 0 }),
		0);
	sa_free(sa);
	/* What the journal would say comes from an arena in which the update went well. */
	(void)add(scratch, 8, 64, &other);
	chunk = mmap(NULL, ARENA_CHUNK_BYTES, PROT_READ, MAP_SHARED, arena_fd(scratch),
		ARENA_HEADER_BYTES);
	ck_assert(chunk != MAP_FAILED);
	memcpy(&header->journal.check,
		chunk + other * ARENA_SLOT_MIN + offsetof(struct arena_slot, check),
		sizeof(header->journal.check));
	memcpy(&header->journal.len,
		chunk + other * ARENA_SLOT_MIN + offsetof(struct arena_slot, record_len),
		sizeof(header->journal.len));
	header->journal.slot = slot;
	header->journal.valid = 1;
	ck_assert_int_eq(munmap(chunk, ARENA_CHUNK_BYTES), 0);
	ck_assert_int_eq(munmap(header, ARENA_HEADER_BYTES), 0);
	arena = next_life(arena);
	left = left_in(arena);
	ck_assert_uint_eq(left->n, 1);
	ck_assert_uint_eq(left->spis[0], 8);
	free(left);
	arena_free(arena);
	arena_free(scratch);
}
END_TEST

START_TEST(window_in_motion)
{
	struct arena *arena = arena_new();
	struct sa_run *run;
	struct left *left;
	size_t slot;

	run = add(arena, 7, 96, &slot);
	run->top = 500;
	run->replay_lock = 1;
	arena = next_life(arena);
	left = left_in(arena);
	ck_assert_uint_eq(left->run->replay_lock, 0);
	ck_assert_uint_eq(left->run->top, 500);
	ck_assert(left->run->bitmap[0] == UINT64_MAX && left->run->bitmap[1] == UINT64_MAX);
	free(left);
	arena_free(arena);
}
END_TEST

START_TEST(foreign)
{
	struct arena *arena = NULL;
	int fd;

	fd = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(arena_open(fd, &arena), -EBADMSG); /* may shrink */
	fd = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	ck_assert_int_eq(arena_open(fd, &arena), -EBADMSG); /* empty */
	fd = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(fd, ARENA_HEADER_BYTES), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	ck_assert_int_eq(arena_open(fd, &arena), -EBADMSG); /* zeros */
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(arena_open(fd, &arena), -EBADMSG);
	ck_assert_ptr_null(arena);
}
END_TEST

START_TEST(nobody_can_shrink_it)
{
	struct arena *arena = arena_new();
	size_t slot;

	(void)add(arena, 1, 64, &slot);
	ck_assert_int_eq(ftruncate(arena_fd(arena), 0), -1);
	ck_assert_int_eq(errno, EPERM);
	arena_free(arena);
}
END_TEST

/*
 * Any octet of the first slots turned over: the reader survives, hands out at most what was there,
 * and a record that it hands out is one of those that were written.
 */
START_TEST(damaged)
{
	struct arena *arena = arena_new();
	size_t slots[2], len = ARENA_HEADER_BYTES + 4 * ARENA_SLOT_MIN;
	uint8_t *bytes;

	(void)add(arena, 1, 64, &slots[0]);
	(void)add(arena, 2, 64, &slots[1]);
	for (size_t i = 0; i < len; i++) {
		struct arena *copy = NULL;
		struct left *left;
		uint8_t buffer[1024];
		int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		if (i == sizeof(struct arena_header) - ARENA_RECORD_ROOM)
			i = ARENA_HEADER_BYTES; /* the journal's room says nothing while it is not valid */
		ck_assert_int_eq(ftruncate(fd, ARENA_HEADER_BYTES + ARENA_CHUNK_BYTES), 0);
		for (size_t at = 0; at < len; at += sizeof(buffer)) {
			ck_assert_int_eq(pread(arena_fd(arena), buffer, sizeof(buffer), (off_t)at),
				(ssize_t)sizeof(buffer));
			ck_assert_int_eq(pwrite(fd, buffer, sizeof(buffer), (off_t)at),
				(ssize_t)sizeof(buffer));
		}
		bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ck_assert(bytes != MAP_FAILED);
		bytes[i] ^= 0xff;
		ck_assert_int_eq(munmap(bytes, len), 0);
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
		if (arena_open(fd, &copy) < 0)
			continue;
		left = left_in(copy);
		ck_assert_uint_le(left->n, 2);
		for (size_t n = 0; n < left->n; n++)
			ck_assert_msg(left->spis[n] == 1 || left->spis[n] == 2, "octet %zu", i);
		free(left);
		arena_free(copy);
	}
	arena_free(arena);
}
END_TEST

START_TEST(limits)
{
	struct arena *arena = arena_new();
	struct sa *sa = sa_numbered(1, SA_RUN_WINDOW_MAX + 1);
	struct sa_run *run;
	size_t slot;

	ck_assert_int_eq(arena_add(arena, sa, SA_INBOUND, &slot, &run), -EINVAL);
	sa_free(sa);
	ck_assert_uint_eq(arena_window(0), 0);
	ck_assert_uint_eq(arena_window(1), 32);
	ck_assert_uint_eq(arena_window(33), 64);
	arena_free(arena);
}
END_TEST

/* ---- in a file ---- */

static char *file_path(void)
{
	static char dir[64];
	static char path[96];

	memcpy(dir, "/dev/shm/arena-XXXXXX", 22);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(text_fixed(path, sizeof(path), "%s/arena", dir), 0);
	return path;
}

static void file_done(const char *path)
{
	char dir[96];

	memcpy(dir, path, strlen(path) + 1);
	*strrchr(dir, '/') = '\0';
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(file_survives)
{
	CLEANUP(sa_freep) struct sa *sa = sa_numbered(7, 64);
	const char *path = file_path();
	struct arena *arena = NULL, *other = NULL;
	static struct left left;
	struct sa_run *run;
	struct stat st;
	size_t slot;

	ck_assert_int_eq(arena_open_file(path, &arena), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(arena_add(arena, sa, SA_OUTBOUND, &slot, &run), 0);
	run->seq = 99;
	ck_assert_int_eq(arena_open_file(path, &other), -EBUSY); /* one life at a time */
	arena_free(arena);
	ck_assert_int_eq(arena_open_file(path, &arena), 0);
	ck_assert_int_eq(arena_each(arena, collect, &left), 0);
	ck_assert_uint_eq(left.n, 1);
	ck_assert_uint_eq(left.spis[0], 7);
	ck_assert_uint_eq(left.seqs[0], 99);
	arena_free(arena);
	/* Cut off: nothing of it counts, and it is begun anew. */
	ck_assert_int_eq(truncate(path, 100), 0);
	ck_assert_int_eq(arena_open_file(path, &arena), 0);
	ck_assert_uint_eq(arena_count(arena), 0);
	ck_assert_int_eq(arena_add(arena, sa, SA_OUTBOUND, &slot, &run), 0);
	ck_assert_uint_eq(run->seq, 0);
	arena_free(arena);
	file_done(path);
}
END_TEST

START_TEST(file_is_ours_alone)
{
	const char *path = file_path();
	struct arena *arena = NULL;

	ck_assert_int_eq(arena_open_file(path, &arena), 0);
	arena_free(arena);
	arena = NULL;
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(arena_open_file(path, &arena), -EPERM);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	ck_assert_int_eq(arena_open_file(path, &arena), -ELOOP);
	ck_assert_ptr_null(arena);
	file_done(path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *tc = tcase_create("arena");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, survives);
	tcase_add_test(tc, removed_is_wiped);
	tcase_add_test(tc, update_keeps_the_run_state);
	tcase_add_test(tc, update_interrupted);
	tcase_add_test(tc, window_in_motion);
	tcase_add_test(tc, foreign);
	tcase_add_test(tc, nobody_can_shrink_it);
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, file_survives);
	tcase_add_test(tc, file_is_ours_alone);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
