/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/packet/frag_store.h"

#include <netinet/in.h>

#include "tests/unit/packets.h"
#include "tests/unit/suite.h"

#define START_USEC UINT64_C(1000000)

/* One fragment of a UDP datagram whose octets are their offsets, all shifted by @shift. */
struct piece {
	size_t offset, len;
	bool more;
	uint8_t shift;
};

static struct test_packet made;

static void make(const struct piece *piece, int family, uint32_t id)
{
	struct packet *pkt = &made.pkt;
	uint8_t *p;

	packet_init(pkt, made.buffer, sizeof(made.buffer));
	p = packet_append(pkt, piece->len);
	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < piece->len; i++)
		p[i] = (uint8_t)(piece->offset + i + piece->shift);
	if (family == AF_INET6) {
		p = packet_push(pkt, 8);
		memset(p, 0, 8);
		p[0] = IPPROTO_UDP;
		store_be16(p + 2, (uint16_t)(piece->offset | piece->more));
		store_be32(p + 4, id);
		test_push_ip(pkt, IPPROTO_FRAGMENT, "2001:db8::5", "2001:db8::6");
		return;
	}
	test_push_ip(pkt, IPPROTO_UDP, "10.1.0.5", "10.2.0.6");
	store_be16(pkt->data + 4, (uint16_t)id);
	store_be16(pkt->data + 6, (uint16_t)(piece->offset / 8 | (piece->more ? 0x2000 : 0)));
	packet_set_length(pkt);
}

static struct frag_store *store;
static struct counters counters;
static struct frag_train *train;

static void setup(void)
{
	memset(&counters, 0, sizeof(counters));
	store = frag_store_new();
	ck_assert_ptr_nonnull(store);
	train = NULL;
}

static void teardown(void)
{
	train = frag_train_free(train);
	store = frag_store_free(store);
}

static enum verdict add(const struct piece *piece, int family, uint32_t id, uint64_t now)
{
	struct packet_view view;
	struct frag_arrival arrival = {
		.pkt = &made.pkt, .view = &view, .direction = DIRECTION_IN, .now_usec = now
	};

	make(piece, family, id);
	ck_assert(packet_parse(&made.pkt, &view));
	ck_assert(view.is_fragment);
	train = frag_train_free(train);
	return frag_store_add(store, &arrival, &counters, &train);
}

static uint64_t count(enum verdict verdict)
{
	return atomic_load(&counters.packets[verdict]);
}

#define HELD	VERDICT_IN_HELD
#define OVERLAP VERDICT_SPD_OVERLAP_FRAG
#define EVIL	VERDICT_SPD_EVIL_FRAG
#define BAD	VERDICT_SPD_MALFORMED_FRAG

/* Pieces in the order in which they come, what each earns, and how many come out at the end. */
static const struct {
	const char *name;
	struct piece pieces[5];
	enum verdict want[5];
	size_t out; /* of the last one */
	uint64_t lost; /* counted on behalf of others */
	int family; /* 0: both */
} cases[] = {
	{ "in order", { { 0, 16, true, 0 }, { 16, 16, true, 0 }, { 32, 5, false, 0 } },
		{ HELD, HELD, HELD }, 3, 0, 0 },
	{ "backwards", { { 32, 5, false, 0 }, { 16, 16, true, 0 }, { 0, 16, true, 0 } },
		{ HELD, HELD, HELD }, 3, 0, 0 },
	{ "middle last", { { 0, 16, true, 0 }, { 32, 5, false, 0 }, { 16, 16, true, 0 } },
		{ HELD, HELD, HELD }, 3, 0, 0 },
	{ "a hole", { { 0, 16, true, 0 }, { 24, 5, false, 0 } }, { HELD, HELD }, 0, 0, 0 },
	{ "a copy", { { 0, 16, true, 0 }, { 0, 16, true, 0 }, { 16, 5, false, 0 } },
		{ HELD, EVIL, HELD }, 2, 0, 0 },
	{ "part of what is there", { { 0, 32, true, 0 }, { 16, 16, true, 0 }, { 32, 1, false, 0 } },
		{ HELD, EVIL, HELD }, 2, 0, 0 },
	{ "the same octets again and new ones",
		{ { 0, 32, true, 0 }, { 24, 16, true, 0 }, { 32, 1, false, 0 } },
		{ HELD, EVIL, HELD }, 2, 0, 0 },
	{ "other octets in their place",
		{ { 0, 32, true, 0 }, { 16, 24, true, 1 }, { 0, 32, true, 0 },
			{ 32, 1, false, 0 } },
		{ HELD, OVERLAP, OVERLAP, OVERLAP }, 0, 1, 0 },
	{ "a second first one", { { 0, 32, true, 0 }, { 0, 32, true, 7 } }, { HELD, OVERLAP }, 0, 1,
		0 },
	{ "over several", { { 16, 16, true, 0 }, { 32, 16, true, 0 }, { 16, 64, true, 9 } },
		{ HELD, HELD, OVERLAP }, 0, 2, 0 },
	{ "two ends", { { 0, 16, true, 0 }, { 32, 8, false, 0 }, { 48, 8, false, 0 } },
		{ HELD, HELD, OVERLAP }, 0, 2, 0 },
	{ "behind the end", { { 32, 8, false, 0 }, { 40, 8, true, 0 } }, { HELD, OVERLAP }, 0, 1,
		0 },
	{ "an end before it", { { 40, 8, true, 0 }, { 16, 8, false, 0 } }, { HELD, OVERLAP }, 0, 1,
		0 },
	{ "begins at 8", { { 8, 16, true, 0 } }, { BAD }, 0, 0, 0 },
	{ "begins at 16", { { 16, 16, true, 0 } }, { HELD }, 0, 0, 0 },
	{ "no multiple of 8", { { 16, 15, true, 0 } }, { BAD }, 0, 0, 0 },
	{ "no payload", { { 16, 0, false, 0 } }, { BAD }, 0, 0, 0 },
	{ "ends at 65535 with its header", { { 65512, 3, false, 0 } }, { HELD }, 0, 0, AF_INET },
	{ "ends beyond", { { 65512, 4, false, 0 } }, { EVIL }, 0, 0, AF_INET },
	{ "ends far beyond", { { 65528, 1400, false, 0 } }, { EVIL }, 0, 0, 0 },
};

static void check_train(int family)
{
	static struct test_packet out;
	size_t next = 0, n = frag_train_left(train), at = family == AF_INET ? 20 : 48;

	out.pkt.buffer = out.buffer;
	out.pkt.size = sizeof(out.buffer);
	for (size_t i = 0; i < n; i++) {
		struct packet_view view;

		ck_assert(frag_train_next(train, &out.pkt));
		ck_assert(packet_parse(&out.pkt, &view));
		ck_assert(view.is_first_fragment == (i == 0));
		for (size_t k = at; k < out.pkt.len; k++)
			ck_assert_uint_eq(out.pkt.data[k], (uint8_t)next++);
	}
	ck_assert(!frag_train_next(train, &out.pkt));
}

static void play(size_t which, int family)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases[which].pieces); i++) {
		const struct piece *piece = &cases[which].pieces[i];
		enum verdict got;

		if (piece->offset == 0 && piece->len == 0)
			break;
		got = add(piece, family, 0x77, START_USEC + i);
		ck_assert_msg(got == cases[which].want[i], "%s, fragment %zu: %s",
			cases[which].name, i, verdict_name(got));
	}
	for (size_t i = 0; i < VERDICT_COUNT; i++)
		lost += count((enum verdict)i);
	ck_assert_msg(lost == cases[which].lost, "%s: lost %lu", cases[which].name, lost);
	ck_assert_msg(frag_train_left(train) == cases[which].out, "%s: %zu come out",
		cases[which].name, frag_train_left(train));
	check_train(family);
}

START_TEST(fragments)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (cases[_i].family != 0 && cases[_i].family != families[i])
			continue;
		teardown();
		setup();
		play((size_t)_i, families[i]);
	}
}
END_TEST

START_TEST(first_one_without_ports)
{
	ck_assert_int_eq(add(&(struct piece){ 0, 8, true, 0 }, AF_INET, 1, START_USEC), HELD);
	make(&(struct piece){ 0, 8, true, 0 }, AF_INET6, 2);
	/* Destination options fill the first fragment: what is behind them is not seen. */
	made.pkt.data[40] = IPPROTO_DSTOPTS;
	memset(made.pkt.data + 48, 0, 8);
	made.pkt.data[48] = IPPROTO_UDP;
	{
		struct packet_view view;
		struct frag_arrival arrival = {
			.pkt = &made.pkt, .view = &view, .now_usec = START_USEC
		};

		ck_assert(packet_parse(&made.pkt, &view));
		ck_assert_int_eq(frag_store_add(store, &arrival, &counters, &train), BAD);
	}
}
END_TEST

/* Two datagrams that differ in one part of the key never join. */
START_TEST(keys)
{
	struct packet_view view;
	struct frag_arrival arrival = { .pkt = &made.pkt, .view = &view, .now_usec = START_USEC };

	ck_assert_int_eq(add(&(struct piece){ 0, 16, true, 0 }, AF_INET, 1, START_USEC), HELD);
	ck_assert_int_eq(add(&(struct piece){ 16, 16, false, 0 }, AF_INET, 2, START_USEC), HELD);
	ck_assert_ptr_null(train);
	make(&(struct piece){ 16, 16, false, 0 }, AF_INET, 1);
	ck_assert(packet_parse(&made.pkt, &view));
	arrival.tag = 9;
	ck_assert_int_eq(frag_store_add(store, &arrival, &counters, &train), HELD);
	ck_assert_ptr_null(train);
	arrival.tag = 0;
	arrival.direction = DIRECTION_OUT;
	ck_assert_int_eq(frag_store_add(store, &arrival, &counters, &train), VERDICT_OUT_HELD);
	ck_assert_ptr_null(train);
	view.protocol = IPPROTO_TCP;
	arrival.direction = DIRECTION_IN;
	ck_assert_int_eq(frag_store_add(store, &arrival, &counters, &train), HELD);
	ck_assert_ptr_null(train);
	ck_assert_uint_eq(frag_store_count(store), 5);
	ck_assert_int_eq(add(&(struct piece){ 16, 16, false, 0 }, AF_INET, 1, START_USEC), HELD);
	ck_assert_uint_eq(frag_train_left(train), 2);
	ck_assert_uint_eq(frag_store_count(store), 4);
}
END_TEST

START_TEST(time_is_up)
{
	const struct piece first = { 0, 16, true, 0 }, last = { 16, 16, false, 0 };

	ck_assert_int_eq(add(&first, AF_INET, 1, START_USEC), HELD);
	ck_assert_int_eq(add(&first, AF_INET, 2, START_USEC + 1), HELD);
	ck_assert_int_eq(add(&last, AF_INET, 1, START_USEC + FRAG_STORE_LIFE_USEC - 1), HELD);
	ck_assert_uint_eq(frag_train_left(train), 2);
	ck_assert_uint_eq(count(VERDICT_SPD_EXPIRED_FRAGS), 0);
	ck_assert_int_eq(add(&last, AF_INET, 2, START_USEC + FRAG_STORE_LIFE_USEC + 1), HELD);
	ck_assert_ptr_null(train);
	ck_assert_uint_eq(count(VERDICT_SPD_EXPIRED_FRAGS), 1);
	ck_assert_uint_eq(frag_store_count(store), 1);
}
END_TEST

START_TEST(full)
{
	const struct piece first = { 0, 16, true, 0 }, last = { 16, 16, false, 0 };

	for (uint32_t id = 0; id < FRAG_STORE_DATAGRAMS; id++)
		ck_assert_int_eq(add(&first, AF_INET6, id, START_USEC), HELD);
	ck_assert_uint_eq(count(VERDICT_SPD_NOMEM), 0);
	ck_assert_int_eq(add(&first, AF_INET6, FRAG_STORE_DATAGRAMS, START_USEC), HELD);
	ck_assert_uint_eq(count(VERDICT_SPD_NOMEM), 1);
	ck_assert_uint_eq(frag_store_count(store), FRAG_STORE_DATAGRAMS);
	ck_assert_int_eq(add(&last, AF_INET6, 1, START_USEC), HELD);
	ck_assert_uint_eq(frag_train_left(train), 2);
	ck_assert_int_eq(add(&last, AF_INET6, 0, START_USEC), HELD);
	ck_assert_ptr_null(train);
}
END_TEST

START_TEST(too_many)
{
	for (size_t i = 0; i < FRAG_STORE_PIECES; i++) {
		struct piece piece = { 16 + i * 8, 8, true, 0 };

		ck_assert_int_eq(add(&piece, AF_INET, 1, START_USEC), HELD);
	}
	ck_assert_int_eq(add(&(struct piece){ 16 + FRAG_STORE_PIECES * 8, 8, true, 0 }, AF_INET, 1,
				 START_USEC),
		VERDICT_SPD_MAX_FRAGS);
	ck_assert_uint_eq(count(VERDICT_SPD_MAX_FRAGS), FRAG_STORE_PIECES);
	ck_assert_int_eq(add(&(struct piece){ 0, 16, true, 0 }, AF_INET, 1, START_USEC),
		VERDICT_SPD_MAX_FRAGS);
}
END_TEST

START_TEST(cutting)
{
	static struct test_packet whole, out;

	out.pkt.buffer = out.buffer;
	out.pkt.size = sizeof(out.buffer);
	test_udp(&whole, "10.1.0.5", "10.2.0.6", 3000);
	train = frag_train_cut(&whole.pkt, 1434, 5);
	ck_assert_uint_eq(frag_train_left(train), 3);
	while (frag_train_next(train, &out.pkt))
		ck_assert_uint_le(out.pkt.len, 1434);
	train = frag_train_free(train);
	store_be16(whole.pkt.data + 6, 0x4000);
	ck_assert_ptr_null(frag_train_cut(&whole.pkt, 1434, 5));
	ck_assert_uint_eq(frag_train_left(NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frag_store");
	TCase *tc = tcase_create("frag_store");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, fragments, 0, (int)ARRAY_SIZE(cases));
	tcase_add_test(tc, first_one_without_ports);
	tcase_add_test(tc, keys);
	tcase_add_test(tc, time_is_up);
	tcase_add_test(tc, full);
	tcase_add_test(tc, too_many);
	tcase_add_test(tc, cutting);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
