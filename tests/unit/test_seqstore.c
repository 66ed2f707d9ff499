/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of the store above all: whatever it handed out once, it never hands out again. So
 * every test that breaks the file compares the next number with the last one granted.
 */
#include "services/datapath/sad/seqstore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/memfd.h"
#include "common/base/text.h"
#include "tests/unit/suite.h"

#define FILE_MAX (1U << 20)
#define NO_LIMIT UINT32_MAX

struct place {
	char dir[64];
	char file[96];
};

static struct place place_new(void)
{
	/* Thousands of files are written through to the disk: better to none. */
	struct place place = { .dir = "/dev/shm/seqstore-XXXXXX" };

	ck_assert_ptr_nonnull(mkdtemp(place.dir));
	ck_assert_int_eq(text_fixed(place.file, sizeof(place.file), "%s/counters", place.dir), 0);
	return place;
}

static void place_done(const struct place *place)
{
	(void)unlink(place->file);
	ck_assert_int_eq(rmdir(place->dir), 0);
}

static struct seqstore *store_open(const struct place *place)
{
	struct seqstore *store = NULL;

	ck_assert_int_eq(seqstore_open(place->dir, &store), 0);
	return store;
}

static void id_of(unsigned int number, uint8_t id[static SEQSTORE_ID_BYTES])
{
	memset(id, 0, SEQSTORE_ID_BYTES);
	memcpy(id, &number, sizeof(number));
	id[15] = 1;
}

static struct seqstore_range reserve(struct seqstore *store, unsigned int key, uint64_t count)
{
	struct seqstore_range range = { 0 };
	uint8_t id[SEQSTORE_ID_BYTES];

	id_of(key, id);
	ck_assert_int_eq(seqstore_reserve(store, id, count, NO_LIMIT, &range), 0);
	return range;
}

static struct sa *sa_with(uint8_t fill, uint32_t spi)
{
	struct sa *sa = sa_new();
	uint8_t key[20];

	memset(key, fill, sizeof(key));
	sa->proto = SA_PROTO_ESP;
	sa->spi = spi;
	sa->encr_key_bits = 128;
	sa->salt_bits = 32;
	ck_assert_int_eq(address_parse("192.0.2.1", &sa->dst), 0);
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	return sa;
}

START_TEST(counts_on)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);
	struct seqstore_range a = reserve(store, 1, 100), b = reserve(store, 1, 50);
	struct stat st;

	ck_assert_uint_eq(a.first, 1);
	ck_assert_uint_eq(a.last, 100);
	ck_assert_uint_eq(b.first, 101);
	ck_assert_uint_eq(b.last, 150);
	ck_assert_uint_eq(reserve(store, 2, 5).first, 1);
	seqstore_free(store);
	store = store_open(&place);
	ck_assert_uint_eq(reserve(store, 1, 1).first, 151);
	ck_assert_uint_eq(reserve(store, 2, 1).first, 6);
	seqstore_free(store);
	ck_assert_int_eq(stat(place.file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(place.dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	place_done(&place);
}
END_TEST

START_TEST(many_keys)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);

	seqstore_begin(store);
	for (unsigned int i = 0; i < 5000; i++)
		ck_assert_uint_eq(reserve(store, i, i + 1).last, i + 1);
	ck_assert_int_eq(seqstore_commit(store), 0);
	seqstore_free(store);
	store = store_open(&place);
	for (unsigned int i = 0; i < 5000; i++)
		ck_assert_uint_eq(reserve(store, i, 1).first, i + 2);
	seqstore_free(store);
	place_done(&place);
}
END_TEST

START_TEST(used_up)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);
	struct seqstore_range range;
	uint8_t id[SEQSTORE_ID_BYTES];

	id_of(1, id);
	ck_assert_int_eq(seqstore_reserve(store, id, 90, 100, &range), 0);
	ck_assert_int_eq(seqstore_reserve(store, id, 90, 100, &range), 0);
	ck_assert_uint_eq(range.first, 91);
	ck_assert_uint_eq(range.last, 100); /* what is left, and no more */
	ck_assert_int_eq(seqstore_reserve(store, id, 1, 100, &range), -ERANGE);
	ck_assert(seqstore_exhausted(store, id));
	seqstore_free(store);
	store = store_open(&place);
	/* For good: a higher limit does not bring the key back. */
	ck_assert_int_eq(seqstore_reserve(store, id, 1, UINT64_MAX, &range), -ERANGE);
	ck_assert_int_eq(seqstore_settle(store, id, 100, 5), 0);
	ck_assert_uint_eq(seqstore_reserved(store, id), 100);
	seqstore_free(store);
	place_done(&place);
}
END_TEST

START_TEST(settling)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);
	uint8_t id[SEQSTORE_ID_BYTES];

	id_of(1, id);
	ck_assert_uint_eq(reserve(store, 1, 1000).last, 1000);
	ck_assert_int_eq(seqstore_settle(store, id, 1000, 10), 0);
	ck_assert_int_eq(seqstore_sync(store), 0);
	seqstore_free(store);
	store = store_open(&place);
	ck_assert_uint_eq(reserve(store, 1, 10).first, 11);
	/* Somebody reserved behind it: nothing to give back. */
	ck_assert_int_eq(seqstore_settle(store, id, 1000, 5), 0);
	ck_assert_uint_eq(seqstore_reserved(store, id), 20);
	/* And never forward. */
	ck_assert_int_eq(seqstore_settle(store, id, 20, 30), 0);
	ck_assert_uint_eq(seqstore_reserved(store, id), 20);
	ck_assert_int_eq(seqstore_raise(store, id, 500), 0);
	ck_assert_int_eq(seqstore_raise(store, id, 400), 0);
	ck_assert_uint_eq(reserve(store, 1, 1).first, 501);
	seqstore_free(store);
	place_done(&place);
}
END_TEST

START_TEST(tops)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);
	uint8_t id[SEQSTORE_ID_BYTES];

	id_of(9, id);
	ck_assert_uint_eq(seqstore_top(store, id), 0);
	ck_assert_int_eq(seqstore_set_top(store, id, 0), 0);
	ck_assert_int_eq(seqstore_set_top(store, id, 77), 0);
	ck_assert_int_eq(seqstore_set_top(store, id, 5), 0);
	ck_assert_int_eq(seqstore_sync(store), 0);
	seqstore_free(store);
	store = store_open(&place);
	ck_assert_uint_eq(seqstore_top(store, id), 77);
	seqstore_free(store);
	place_done(&place);
}
END_TEST

START_TEST(identities)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);
	struct sa *a = sa_with(1, 100), *b = sa_with(1, 200), *c = sa_with(2, 100);
	uint8_t ids[4][SEQSTORE_ID_BYTES];

	ck_assert_int_eq(seqstore_id(store, a, ids[0]), 0);
	ck_assert_int_eq(seqstore_id(store, b, ids[1]), 0);
	ck_assert_int_eq(seqstore_id(store, c, ids[2]), 0);
	ck_assert_mem_eq(ids[0], ids[1], SEQSTORE_ID_BYTES); /* the key's, not the SA's */
	ck_assert_mem_ne(ids[0], ids[2], SEQSTORE_ID_BYTES);
	ck_assert_int_eq(seqstore_id(NULL, a, ids[3]), 0);
	ck_assert_mem_ne(ids[0], ids[3], SEQSTORE_ID_BYTES); /* the host's secret is in it */
	ck_assert_int_eq(seqstore_window_id(store, a, ids[1]), 0);
	ck_assert_int_eq(seqstore_window_id(store, b, ids[2]), 0);
	ck_assert_mem_ne(ids[1], ids[2], SEQSTORE_ID_BYTES);
	ck_assert_mem_ne(ids[0], ids[1], SEQSTORE_ID_BYTES);
	/* The initial IV behind the salt is no part of the key. */
	a->salt_bits = 0;
	a->iv_bits = 32;
	c->salt_bits = 32;
	ck_assert_int_eq(seqstore_id(store, a, ids[3]), 0);
	ck_assert_mem_ne(ids[0], ids[3], SEQSTORE_ID_BYTES);
	sa_free(a);
	sa_free(b);
	sa_free(c);
	seqstore_free(store);
	/* The secret stays. */
	store = store_open(&place);
	b = sa_with(1, 300);
	ck_assert_int_eq(seqstore_id(store, b, ids[3]), 0);
	ck_assert_mem_eq(ids[0], ids[3], SEQSTORE_ID_BYTES);
	sa_free(b);
	seqstore_free(store);
	place_done(&place);
}
END_TEST

START_TEST(rights_and_rubbish)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);

	seqstore_free(store);
	store = NULL;
	ck_assert_int_eq(chmod(place.file, 0640), 0);
	ck_assert_int_eq(seqstore_open(place.dir, &store), -EACCES);
	ck_assert_int_eq(file_replace(place.file, "rubbish", 7, 0600), 0);
	ck_assert_int_eq(seqstore_open(place.dir, &store), -EBADMSG);
	ck_assert_int_eq(seqstore_open("/nonexistent/directory", &store), -ENOENT);
	place_done(&place);
}
END_TEST

/* The file as bytes, before and after one operation. */
struct image {
	char *bytes;
	size_t len;
};

static struct image image_take(const struct place *place)
{
	struct image image;

	ck_assert_int_eq(file_read_path(place->file, FILE_MAX, &image.bytes, &image.len), 0);
	return image;
}

static void image_write(const struct place *place, const char *bytes, size_t len)
{
	CLEANUP(fd_closep) int fd = open(place->file, O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
}

/* The next number of a key, or UINT64_MAX when the store refuses to open at all. */
static uint64_t next_number(const struct place *place, unsigned int key)
{
	struct seqstore *store = NULL;
	uint64_t first;
	int r = seqstore_open(place->dir, &store);

	if (r < 0) {
		ck_assert_int_eq(r, -EBADMSG);
		return UINT64_MAX;
	}
	first = reserve(store, key, 1).first;
	seqstore_free(store);
	return first;
}

/* Header and the pair that counts the others. */
#define COUNTED_AT (4096 + 128)

/* The torn file must open, and must not hand out again what was granted before. */
static void check_torn(const struct place *place, const char *torn, size_t len, size_t octet,
	const uint64_t *granted, unsigned int n_keys)
{
	for (unsigned int key = 0; key < n_keys; key++) {
		uint64_t next;

		image_write(place, torn, len);
		next = next_number(place, key);
		ck_assert_msg(next != UINT64_MAX, "octet %zu: refused", octet);
		ck_assert_msg(next > granted[key], "octet %zu: key %u again", octet, key);
	}
}

/*
 * Power is lost while the step from @before to @after reaches the disk: first the pair, then the
 * count, any prefix of the changed octets of each.
 */
static void tear(const struct place *place, const struct image *before, const struct image *after,
	const uint64_t *granted, unsigned int n_keys)
{
	char *torn = calloc(1, after->len);
	size_t len = before->len;

	ck_assert_ptr_nonnull(torn);
	ck_assert_uint_ge(after->len, before->len);
	memcpy(torn, before->bytes, before->len);
	for (size_t i = COUNTED_AT; i < after->len; i++) {
		if (i >= len)
			len = i + 1;
		else if (torn[i] == after->bytes[i])
			continue;
		torn[i] = after->bytes[i];
		check_torn(place, torn, len, i, granted, n_keys);
	}
	for (size_t i = 0; i < COUNTED_AT; i++) {
		if (torn[i] == after->bytes[i])
			continue;
		torn[i] = after->bytes[i];
		check_torn(place, torn, len, i, granted, n_keys);
	}
	free(torn);
}

/* Each step is one write of one record: two first ones, one more each way, one that gives back. */
START_TEST(torn_writes)
{
	struct place place = place_new();
	uint64_t granted[3] = { 0 };
	uint8_t id[SEQSTORE_ID_BYTES];

	seqstore_free(store_open(&place));
	for (unsigned int step = 0; step < 6; step++) {
		struct image before = image_take(&place), after;
		struct seqstore *store = store_open(&place);
		unsigned int key = step % 3;
		uint64_t last = 0;

		id_of(key, id);
		if (step == 5)
			ck_assert_int_eq(seqstore_set_top(store, id, 4), 0);
		else
			last = reserve(store, key, 10 + step).last;
		ck_assert_int_eq(seqstore_sync(store), 0);
		seqstore_free(store);
		after = image_take(&place);
		tear(&place, &before, &after, granted, 3);
		image_write(&place, after.bytes, after.len);
		if (last)
			granted[key] = last;
		free(before.bytes);
		free(after.bytes);
	}
	place_done(&place);
}
END_TEST

/* Cut off anywhere: refused, or nothing that was granted comes again. */
START_TEST(truncated)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);
	struct image image;
	uint64_t granted[4];

	for (unsigned int key = 0; key < 4; key++) {
		granted[key] = reserve(store, key, 100).last;
		granted[key] = reserve(store, key, 100).last;
	}
	seqstore_free(store);
	image = image_take(&place);
	for (size_t len = 0; len < image.len; len++) {
		for (unsigned int key = 0; key < 4; key++) {
			image_write(&place, image.bytes, len);
			ck_assert_msg(next_number(&place, key) > granted[key], "length %zu: key %u",
				len, key);
		}
		if (len == 64)
			len = 4096 - 2; /* the zeros of the header page are all alike */
	}
	free(image.bytes);
	place_done(&place);
}
END_TEST

/* An octet turned anywhere behind the header: refused, or nothing again. */
START_TEST(flipped)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);
	struct image image;
	uint64_t granted[2];

	for (unsigned int key = 0; key < 2; key++) {
		granted[key] = reserve(store, key, 100).last;
		granted[key] = reserve(store, key, 100).last;
	}
	seqstore_free(store);
	image = image_take(&place);
	for (size_t i = 0; i < image.len; i++) {
		if (i == 64)
			i = 4096;
		image.bytes[i] ^= 0x40;
		for (unsigned int key = 0; key < 2; key++) {
			image_write(&place, image.bytes, image.len);
			ck_assert_msg(next_number(&place, key) > granted[key], "octet %zu: key %u",
				i, key);
		}
		image.bytes[i] ^= 0x40;
	}
	free(image.bytes);
	place_done(&place);
}
END_TEST

/* Full disk: an error, no number, and the store goes on when there is room again. */
START_TEST(disk_full)
{
	struct place place = place_new();
	struct seqstore *store = store_open(&place);
	struct seqstore_range range = { 0 };
	uint8_t id[SEQSTORE_ID_BYTES];
	int fd;

	ck_assert_uint_eq(reserve(store, 1, 10).last, 10);
	seqstore_free(store);
	fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	store = store_open(&place);
	for (int at = 3; at < 64; at++) {
		char link[64], target[128];
		ssize_t n;

		ck_assert_int_eq(text_fixed(link, sizeof(link), "/proc/self/fd/%d", at), 0);
		n = readlink(link, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, place.file) == 0)
			ck_assert_int_eq(dup3(fd, at, O_CLOEXEC), at);
	}
	id_of(1, id);
	ck_assert_int_eq(seqstore_reserve(store, id, 10, NO_LIMIT, &range), -ENOSPC);
	ck_assert_uint_eq(range.last, 0);
	id_of(2, id);
	ck_assert_int_eq(seqstore_reserve(store, id, 10, NO_LIMIT, &range), -ENOSPC);
	ck_assert_int_eq(seqstore_reserve(store, id, 10, NO_LIMIT, &range), -ENOSPC);
	seqstore_free(store);
	store = store_open(&place);
	ck_assert_uint_eq(reserve(store, 1, 10).first, 11);
	ck_assert_uint_eq(reserve(store, 2, 10).first, 1);
	seqstore_free(store);
	(void)close(fd);
	place_done(&place);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seqstore");
	TCase *tc = tcase_create("seqstore");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, counts_on);
	tcase_add_test(tc, many_keys);
	tcase_add_test(tc, used_up);
	tcase_add_test(tc, settling);
	tcase_add_test(tc, tops);
	tcase_add_test(tc, identities);
	tcase_add_test(tc, rights_and_rubbish);
	tcase_add_test(tc, torn_writes);
	tcase_add_test(tc, truncated);
	tcase_add_test(tc, flipped);
	tcase_add_test(tc, disk_full);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
