/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GETSPI, UPDATE and the messages about pairs, as clients see them. */
#include <errno.h>

#include "tests/unit/pfkey_lab.h"

static void say_getspi(struct lab *lab, uint32_t min, uint32_t max)
{
	struct pfkey_message *msg = request(PFKEY_GETSPI, fixture_sa_in(0x1000));

	msg->present = PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) | PFKEY_BIT(PFKEY_EXT_ADDRESS_DST) |
		       PFKEY_BIT(PFKEY_EXT_SPIRANGE);
	msg->spi_min = min;
	msg->spi_max = max;
	say(lab, 0, msg);
	pfkey_message_free(msg);
}

/* With keys. */
static void say_whole(struct lab *lab, int who, struct sa *sa)
{
	struct pfkey_message *msg = pfkey_message_of_sa(PFKEY_UPDATE, sa, true);

	ck_assert_ptr_nonnull(msg);
	sa_free(sa);
	msg->seq = 9;
	say(lab, who, msg);
	pfkey_message_free(msg);
}

START_TEST(reserved_then_filled)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg;

	say_getspi(lab, 0x4000, 0x4000);
	for (int i = 0; i < CLIENTS; i++) {
		msg = hear_type(lab, i, PFKEY_GETSPI, 0, 0);
		ck_assert_uint_eq(msg->sa->spi, 0x4000);
		ck_assert_uint_eq(msg->seq, 7);
		ck_assert(address_equal(&msg->sa->dst,
			&(struct address){ .family = AF_INET, .bytes = { 192, 0, 2, 1 } }));
		pfkey_message_free(msg);
	}
	say_getspi(lab, 0x4000, 0x4000);
	expect_all(lab, PFKEY_GETSPI, EEXIST, 0);
	say_whole(lab, 1, fixture_sa_in(0x4000));
	for (int i = 0; i < CLIENTS; i++) {
		msg = hear_type(lab, i, PFKEY_UPDATE, 0, 0);
		ck_assert_uint_eq(msg->seq, 9);
		ck_assert_uint_eq(msg->sa->state, SA_MATURE);
		ck_assert_ptr_null(msg->sa->encr_key);
		pfkey_message_free(msg);
	}
	/* It lives, so its keys are what they are. */
	say_whole(lab, 1, fixture_sa_in(0x4000));
	expect_all(lab, PFKEY_UPDATE, EINVAL, PFKEY_DIAG_AKEY_PRESENT);
	say_sa(lab, 0, PFKEY_UPDATE, fixture_sa_in(0x5000));
	expect_all(lab, PFKEY_UPDATE, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	lab_done(lab);
}
END_TEST

START_TEST(pairs)
{
	struct lab *lab = lab_new();
	struct sa *in = fixture_sa_in(0x2001);
	struct pfkey_message *msg;

	in->pair_spi = 0x1001;
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	expect_all(lab, PFKEY_ADD, 0, 0);
	say_sa(lab, 0, PFKEY_ADD, in);
	expect_all(lab, PFKEY_ADD, 0, 0);
	/* The first one shows who found it. */
	say_sa(lab, 0, PFKEY_GET, fixture_sa(0x1001));
	msg = hear_type(lab, 0, PFKEY_GET, 0, 0);
	ck_assert_uint_eq(msg->sa->pair_spi, 0x2001);
	ck_assert(msg->sa_flags & PFKEY_SAF_PAIRED);
	pfkey_message_free(msg);
	msg = request(PFKEY_X_UPDATEPAIR, fixture_sa(0x1001));
	msg->sa->hard.add_sec = 99;
	msg->present |= PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD);
	say(lab, 0, msg);
	pfkey_message_free(msg);
	expect_all(lab, PFKEY_UPDATE, 0, 0); /* of the partner */
	expect_all(lab, PFKEY_X_UPDATEPAIR, 0, 0);
	say_sa(lab, 0, PFKEY_X_DELPAIR, fixture_sa(0x1001));
	expect_all(lab, PFKEY_X_DELPAIR, 0, 0);
	expect_all(lab, PFKEY_DELETE, 0, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
	say_sa(lab, 0, PFKEY_X_DELPAIR, fixture_sa(0x1001));
	expect_all(lab, PFKEY_X_DELPAIR, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	lab_done(lab);
}
END_TEST

/* One answer to who asked; what became of the SA itself is told as nobody's request. */
START_TEST(half_a_pair)
{
	static const uint8_t types[] = { PFKEY_X_UPDATEPAIR, PFKEY_X_DELPAIR };
	struct lab *lab = lab_new();
	struct pfkey_message *msg;

	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	expect_all(lab, PFKEY_ADD, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		say_sa(lab, 0, types[i], fixture_sa(0x1001));
		for (int who = 0; who < CLIENTS; who++) {
			msg = hear_type(lab, who, i == 0 ? PFKEY_UPDATE : PFKEY_DELETE, 0, 0);
			ck_assert_uint_eq(msg->pid, 0);
			pfkey_message_free(msg);
		}
		expect_all(lab, types[i], ESRCH, PFKEY_DIAG_PAIR_SA_NOTFOUND);
	}
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
	lab_done(lab);
}
END_TEST

START_TEST(pair_by_state)
{
	struct lab *lab = lab_new();

	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	expect_all(lab, PFKEY_ADD, 0, 0);
	say_sa(lab, 1, PFKEY_X_DELPAIR_STATE, fixture_sa(0x3333));
	expect_all(lab, PFKEY_DELETE, 0, 0);
	expect(lab, 1, PFKEY_X_DELPAIR_STATE, 0, 0);
	hear_nothing(lab, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
	say_sa(lab, 1, PFKEY_X_DELPAIR_STATE, fixture_sa(0x3333));
	expect(lab, 1, PFKEY_X_DELPAIR_STATE, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	hear_nothing(lab, 0);
	lab_done(lab);
}
END_TEST

/* Who key management says is at the ends, and its cookie, are told back. */
START_TEST(management_is_kept)
{
	struct lab *lab = lab_new();
	struct sa *sa = fixture_sa(0x1001);
	struct pfkey_message *msg;

	ck_assert_int_eq(sa_set_identity(&sa->identity_src, 2, 5, "alpha.example"), 0);
	sa->km_protocol = 1;
	sa->km_cookie = 0x1234;
	say_sa(lab, 0, PFKEY_ADD, sa);
	expect_all(lab, PFKEY_ADD, 0, 0);
	say_sa(lab, 0, PFKEY_GET, fixture_sa(0x1001));
	msg = hear_type(lab, 0, PFKEY_GET, 0, 0);
	ck_assert_str_eq(msg->identity_src.value, "alpha.example");
	ck_assert_uint_eq(msg->identity_src.id, 5);
	ck_assert(!(msg->present & PFKEY_BIT(PFKEY_EXT_IDENTITY_DST)));
	ck_assert_uint_eq(msg->km_protocol, 1);
	ck_assert_uint_eq(msg->km_cookie, 0x1234);
	pfkey_message_free(msg);
	lab_done(lab);
}
END_TEST

/* Who asks is told why there cannot be one more. */
START_TEST(full)
{
	struct lab *lab = lab_new();

	sadb_set_limit(lab->f->sadb, 1);
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	expect_all(lab, PFKEY_ADD, 0, 0);
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1002));
	expect_all(lab, PFKEY_ADD, ENOSPC, PFKEY_DIAG_SAD_FULL);
	ck_assert_str_eq(pfkey_diagnostic_text(PFKEY_DIAG_SAD_FULL), PFKEY_DIAG_SAD_FULL_TEXT);
	lab_done(lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_updates");
	TCase *tc = tcase_create("pfkey_updates");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, reserved_then_filled);
	tcase_add_test(tc, pairs);
	tcase_add_test(tc, half_a_pair);
	tcase_add_test(tc, pair_by_state);
	tcase_add_test(tc, management_is_kept);
	tcase_add_test(tc, full);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
