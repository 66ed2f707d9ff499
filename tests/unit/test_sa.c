/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/sa.h"

#include <stddef.h>

#include "tests/unit/rules.h"

static struct sa *make(void)
{
	static const uint8_t key[16] = { 1, 2, 3 };
	struct sa *sa = sa_new();

	ck_assert_ptr_nonnull(sa);
	sa->proto = SA_PROTO_ESP;
	sa->spi = 0x1001;
	sa->src = rules_addr("192.0.2.1");
	sa->dst = rules_addr("192.0.2.17");
	sa->encr = 12;
	sa->encr_key_bits = 128;
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	return sa;
}

START_TEST(copies_share_keys)
{
	struct sa *sa = make();
	CLEANUP(sa_freep) struct sa *copy = sa_copy(sa);

	ck_assert_ptr_nonnull(copy);
	ck_assert(sa_equal(sa, copy));
	ck_assert_ptr_null(sa_free(sa));
	ck_assert_uint_eq(secret_bytes(copy->encr_key)[2], 3);
}
END_TEST

START_TEST(keys)
{
	CLEANUP(sa_freep) struct sa *sa = make();
	struct sa_key a = sa_key_of(sa), b = a;

	ck_assert(sa_key_equal(&a, &b));
	b.proto = SA_PROTO_AH;
	ck_assert(!sa_key_equal(&a, &b));
	b = a;
	b.spi++;
	ck_assert(!sa_key_equal(&a, &b));
	b = a;
	b.dst = sa->src;
	ck_assert(!sa_key_equal(&a, &b));
}
END_TEST

/* Every field that is configuration makes a difference; one byte of it is turned over. */
static const struct {
	const char *name;
	size_t offset;
	bool counts;
} fields[] = {
#define FIELD(name, counts)                              \
	{                                                \
#name, offsetof(struct sa, name), counts \
	}
	FIELD(spi, true),
	FIELD(src, true),
	FIELD(dst, true),
	FIELD(mode, true),
	FIELD(protocol, true),
	FIELD(src_port, true),
	FIELD(dst_port, true),
	FIELD(inner_src, true),
	FIELD(inner_dst, true),
	FIELD(inner_protocol, true),
	FIELD(inner_src_port, true),
	FIELD(inner_dst_port, true),
	FIELD(encr, true),
	FIELD(auth, true),
	FIELD(encr_key_bits, true),
	FIELD(salt_bits, true),
	FIELD(iv_bits, true),
	FIELD(auth_key_bits, true),
	FIELD(flags, true),
	FIELD(directions, true),
	FIELD(replay_window, true),
	FIELD(replay_value, true),
	FIELD(pair_spi, true),
	FIELD(reqid, true),
	FIELD(soft.bytes, true),
	FIELD(soft.add_sec, true),
	FIELD(hard.use_sec, true),
	FIELD(hard.allocations, true),
	FIELD(idle_add_sec, true),
	FIELD(idle_use_sec, true),
	FIELD(natt_local, true),
	FIELD(natt_remote, true),
	FIELD(natt_local_port, true),
	FIELD(natt_remote_port, true),
	FIELD(km_protocol, true),
	FIELD(km_cookie, true),
	FIELD(tfc_pad, true),
	FIELD(tfc_dummy_msec, true),
	FIELD(state, false),
	FIELD(origin, false),
#undef FIELD
};

START_TEST(equality)
{
	CLEANUP(sa_freep) struct sa *sa = make();
	CLEANUP(sa_freep) struct sa *other = make();

	ck_assert(sa_equal(sa, other));
	((uint8_t *)other)[fields[_i].offset] ^= 1;
	ck_assert_msg(sa_equal(sa, other) != fields[_i].counts, "%s", fields[_i].name);
}
END_TEST

START_TEST(identities)
{
	CLEANUP(sa_freep) struct sa *sa = make();
	CLEANUP(sa_freep) struct sa *copy = NULL;

	ck_assert_int_eq(sa_set_identity(&sa->identity_dst, 2, 7, "vpn.example"), 0);
	copy = sa_copy(sa);
	ck_assert(sa_equal(sa, copy));
	ck_assert_ptr_ne(sa->identity_dst, copy->identity_dst);
	ck_assert_int_eq(sa_set_identity(&copy->identity_dst, 2, 7, "vpn.example."), 0);
	ck_assert(!sa_equal(sa, copy));
	ck_assert_int_eq(sa_set_identity(&copy->identity_dst, 2, 8, "vpn.example"), 0);
	ck_assert(!sa_equal(sa, copy));
	free(copy->identity_dst);
	copy->identity_dst = NULL;
	ck_assert(!sa_equal(sa, copy));
	ck_assert_str_eq(sa_state_name(SA_ACTIVE_ELSEWHERE), "active-elsewhere");
	ck_assert_ptr_null(sa_state_name(6));
}
END_TEST

START_TEST(key_bytes_count)
{
	static const uint8_t changed[16] = { 1, 2, 4 };
	CLEANUP(sa_freep) struct sa *sa = make();
	CLEANUP(sa_freep) struct sa *other = make();

	other->encr_key = secret_unref(other->encr_key);
	ck_assert(!sa_equal(sa, other));
	ck_assert_int_eq(secret_new(changed, sizeof(changed), &other->encr_key), 0);
	ck_assert(!sa_equal(sa, other));
}
END_TEST

START_TEST(normalising)
{
	CLEANUP(sa_freep) struct sa *sa = make();

	sa_normalise(sa);
	ck_assert(!(sa->flags & SA_FLAG_UNIQUE));
	sa->dst_port = 389;
	sa_normalise(sa);
	sa_normalise(sa);
	ck_assert(sa->flags & SA_FLAG_UNIQUE);
	sa->dst_port = 0;
	sa->mode = SA_MODE_TUNNEL;
	sa->inner_src = rules_prefix("10.1.0.0", 16);
	sa->inner_dst = rules_prefix("10.2.0.0", 16);
	for (int i = 0; i < 2; i++) { /* the filled-in 4 does not make it unique the second time */
		sa_normalise(sa);
		ck_assert_uint_eq(sa->protocol, IPPROTO_IPIP);
		ck_assert(!(sa->flags & SA_FLAG_UNIQUE));
	}
	sa->protocol = 0;
	sa->inner_src = sa->inner_dst = rules_prefix("2001:db8::", 32);
	sa->inner_protocol = 6;
	sa_normalise(sa);
	ck_assert_uint_eq(sa->protocol, IPPROTO_IPV6);
	ck_assert(sa->flags & SA_FLAG_UNIQUE);
}
END_TEST

START_TEST(printing)
{
	CLEANUP(sa_freep) struct sa *sa = make();
	CLEANUP(text_done) struct text text = { 0 };

	sa_print(sa, &text);
	text_add(&text, "; ");
	sa->proto = SA_PROTO_AH;
	sa->mode = SA_MODE_TUNNEL;
	sa->src = address_any(AF_UNSPEC);
	sa_print(sa, &text);
	ck_assert_str_eq(text.str, "esp spi 0x1001 192.0.2.1 > 192.0.2.17 transport; "
				   "ah spi 0x1001 - > 192.0.2.17 tunnel");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sa");
	TCase *tc = tcase_create("sa");

	tcase_add_test(tc, copies_share_keys);
	tcase_add_test(tc, keys);
	tcase_add_loop_test(tc, equality, 0, ARRAY_SIZE(fields));
	tcase_add_test(tc, identities);
	tcase_add_test(tc, key_bytes_count);
	tcase_add_test(tc, normalising);
	tcase_add_test(tc, printing);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
