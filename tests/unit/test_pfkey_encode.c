/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the encoder writes, the decoder reads; the decoder's own suite does not need the encoder. */
#include <errno.h>
#include <string.h>

#include "common/model/algorithm.h"
#include "common/pfkey/pfkey.h"
#include "tests/unit/suite.h"

static struct sa *sample(void)
{
	struct sa *sa = sa_new();
	uint8_t key[28];

	ck_assert_ptr_nonnull(sa);
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i + 1);
	sa->proto = SA_PROTO_ESP;
	sa->spi = 0xdeadbeef;
	ck_assert_int_eq(address_parse("2001:db8::1", &sa->src), 0);
	ck_assert_int_eq(address_parse("2001:db8::2", &sa->dst), 0);
	sa->protocol = 6;
	sa->src_port = 1000;
	sa->dst_port = 389;
	sa->encr = ALG_ENCR_AES_GCM16;
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	sa->encr_key_bits = 128;
	sa->salt_bits = 32;
	sa->iv_bits = 64;
	sa->state = SA_MATURE;
	sa->origin = SA_ORIGIN_PFKEY;
	sa->replay_window = 1024;
	sa->tfc_pad = 1400;
	sa->tfc_dummy_msec = 70000;
	sa->replay_value = UINT64_C(1) << 33;
	sa->flags = SA_FLAG_ESN;
	sa->directions = SA_OUTBOUND;
	sa->pair_spi = 0x77;
	sa->soft = (struct sa_limits){ 1, 2, 3, 4 };
	sa->hard = (struct sa_limits){ 10, 20, 30, 40 };
	sa->idle_add_sec = 1;
	sa->idle_use_sec = 2;
	return sa;
}

START_TEST(round_trip)
{
	CLEANUP(sa_freep) struct sa *sa = sample();
	CLEANUP(pfkey_message_freep) struct pfkey_message *out = NULL, *in = NULL;
	uint8_t bytes[PFKEY_MAX_BYTES];
	struct pfkey_fault fault = { 0 };
	size_t len;

	/* Answers come without the initial IV and with the salt apart. */
	out = pfkey_message_of_sa(PFKEY_ADD, sa, true);
	out->seq = 5;
	ck_assert_int_eq(pfkey_encode(out, PFKEY_REQUEST, bytes, sizeof(bytes), &len), 0);
	ck_assert_uint_eq(len % 8, 0);
	ck_assert_int_eq(pfkey_decode(bytes, len, PFKEY_REQUEST, &in, &fault), 0);
	ck_assert_uint_eq(in->present, out->present);
	ck_assert_uint_eq(in->sa->encr_key_bits, 160);
	ck_assert_int_eq(pfkey_split_salt(in->sa, 32), 0);
	ck_assert(sa_equal(sa, in->sa));
	pfkey_message_freep(&in);
	ck_assert_int_eq(pfkey_encode(out, PFKEY_ANSWER, bytes, sizeof(bytes), &len), 0);
	in = NULL;
	ck_assert_int_eq(pfkey_decode(bytes, len, PFKEY_ANSWER, &in, &fault), 0);
	ck_assert_uint_eq(in->sa->encr_key_bits, 128);
	ck_assert_uint_eq(in->sa->salt_bits, 32);
	ck_assert_uint_eq(secret_len(in->sa->encr_key), 20);
	ck_assert_uint_eq(in->sa->pair_spi, 0x77);
	ck_assert(in->sa_flags & PFKEY_SAF_PAIRED);
}
END_TEST

START_TEST(round_trip_of_lists)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *out = pfkey_message_new(), *in = NULL;
	uint8_t bytes[PFKEY_MAX_BYTES];
	struct pfkey_fault fault = { 0 };
	size_t len;

	out->type = PFKEY_ACQUIRE;
	out->satype = 3;
	out->present = PFKEY_BIT(PFKEY_EXT_PROPOSAL) | PFKEY_BIT(PFKEY_EXT_SUPPORTED_AUTH) |
		       PFKEY_BIT(PFKEY_EXT_SUPPORTED_ENCRYPT) | PFKEY_BIT(PFKEY_EXT_IDENTITY_SRC) |
		       PFKEY_BIT(PFKEY_EXT_SPIRANGE) | PFKEY_BIT(PFKEY_EXT_KM_COOKIE);
	out->n_combs = 2;
	out->combs[1] = (struct pfkey_comb){ .auth = 5,
		.encrypt = 12,
		.auth_min_bits = 256,
		.auth_max_bits = 256,
		.encrypt_min_bits = 128,
		.encrypt_max_bits = 256,
		.hard = { .bytes = 9, .allocations = 8 } };
	out->n_auth = 1;
	out->auth[0] = (struct pfkey_algorithm){ 5, 0, 256, 256, 0, 0 };
	out->n_encrypt = 2;
	out->encrypt[1] = (struct pfkey_algorithm){ 20, 64, 128, 256, 64, 32 };
	out->identity_src.type = PFKEY_IDENTITY_FQDN;
	memcpy(out->identity_src.value, "alpha.example", 14);
	out->spi_min = 0x100;
	out->spi_max = 0xffffffff;
	out->km_protocol = 1;
	out->km_cookie = UINT64_C(0x1122334455667788);
	ck_assert_int_eq(pfkey_encode(out, PFKEY_ANSWER, bytes, sizeof(bytes), &len), 0);
	ck_assert_int_eq(pfkey_decode(bytes, len, PFKEY_ANSWER, &in, &fault), 0);
	ck_assert_uint_eq(in->n_combs, 2);
	ck_assert_mem_eq(&in->combs[1], &out->combs[1], sizeof(out->combs[1]));
	ck_assert_uint_eq(in->n_auth, 1);
	ck_assert_uint_eq(in->encrypt[1].max_bits, 256);
	ck_assert_uint_eq(in->encrypt[1].salt_bits, 32);
	ck_assert_str_eq(in->identity_src.value, "alpha.example");
	ck_assert_uint_eq(in->spi_min, 0x100);
	ck_assert_uint_eq(in->spi_max, 0xffffffff);
	ck_assert(in->km_cookie == out->km_cookie);
}
END_TEST

static struct pfkey_message *widest_proposal(void)
{
	struct pfkey_message *msg = pfkey_message_new();

	msg->type = PFKEY_ACQUIRE;
	msg->present = PFKEY_BIT(PFKEY_EXT_EPROP);
	msg->eprop = calloc(1, sizeof(*msg->eprop));
	ck_assert_ptr_nonnull(msg->eprop);
	msg->eprop->replay = 64;
	msg->eprop->n_ecombs = PFKEY_MAX_COMBS;
	for (size_t i = 0; i < PFKEY_MAX_COMBS; i++)
		msg->eprop->ecombs[i] = (struct pfkey_ecomb){ .flags = (uint16_t)i,
			.soft = { .bytes = 1, .add_sec = 2, .use_sec = 3, .allocations = 4 },
			.hard = { .bytes = 5, .add_sec = 6, .use_sec = 7, .allocations = 8 },
			.n_algs = 3,
			.algs = { { 2, 1, 3, 0, 160, 160 }, { 3, 1, 5, 0, 256, 256 },
				{ 3, 2, 20, 32, 128, 256 } } };
	return msg;
}

/* All that an ACQUIRE can hold at once fits, and comes back. */
START_TEST(extended_proposal)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *out = widest_proposal(), *in = NULL;
	uint8_t bytes[PFKEY_MAX_BYTES];
	struct pfkey_fault fault = { 0 };
	size_t len;

	ck_assert_int_eq(pfkey_encode(out, PFKEY_ANSWER, bytes, sizeof(bytes), &len), 0);
	ck_assert_uint_eq(len, 16 + 8 + 32 * (64 + 3 * 8));
	ck_assert_uint_eq(bytes[16 + 8], 3); /* algorithms of the first combination */
	ck_assert_int_eq(pfkey_decode(bytes, len, PFKEY_ANSWER, &in, &fault), 0);
	ck_assert_ptr_nonnull(in->eprop);
	ck_assert_uint_eq(in->eprop->replay, 64);
	ck_assert_uint_eq(in->eprop->n_ecombs, PFKEY_MAX_COMBS);
	for (size_t i = 0; i < PFKEY_MAX_COMBS; i++)
		ck_assert_mem_eq(&in->eprop->ecombs[i], &out->eprop->ecombs[i],
			sizeof(in->eprop->ecombs[i]));
	out->eprop->ecombs[7].n_algs = 4;
	ck_assert_int_eq(pfkey_encode(out, PFKEY_ANSWER, bytes, sizeof(bytes), &len), -EINVAL);
}
END_TEST

/* Where the octet stands, and what it must not say. */
static const struct {
	const char *name;
	size_t at;
	uint8_t value;
} bad_proposals[] = {
	{ "a combination more", 16 + 6, PFKEY_MAX_COMBS + 1 },
	{ "a combination less", 16 + 6, PFKEY_MAX_COMBS - 1 },
	{ "too many algorithms", 16 + 8, 4 },
	{ "an algorithm less", 16 + 8, 2 },
	{ "the last one reaches beyond the end", 16 + 8 + 31 * (64 + 3 * 8), 255 },
};

START_TEST(bad_extended_proposal)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *out = widest_proposal(), *in = NULL;
	uint8_t bytes[PFKEY_MAX_BYTES];
	struct pfkey_fault fault = { 0 };
	size_t len;

	ck_assert_int_eq(pfkey_encode(out, PFKEY_ANSWER, bytes, sizeof(bytes), &len), 0);
	bytes[bad_proposals[_i].at] = bad_proposals[_i].value;
	ck_assert_msg(pfkey_decode(bytes, len, PFKEY_ANSWER, &in, &fault) == -EINVAL, "%s",
		bad_proposals[_i].name);
	ck_assert_int_eq(fault.error, EINVAL);
}
END_TEST

START_TEST(buffer_too_small)
{
	CLEANUP(sa_freep) struct sa *sa = sample();
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_of_sa(
		PFKEY_ADD, sa, true);
	uint8_t bytes[PFKEY_MAX_BYTES];
	size_t full, len;

	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, sizeof(bytes), &full), 0);
	for (size_t size = 0; size < full; size++)
		ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, size, &len), -EMSGSIZE);
	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, full, &len), 0);
	/* Keys that are not there cannot be written. */
	msg->present |= PFKEY_BIT(PFKEY_EXT_KEY_AUTH);
	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, sizeof(bytes), &len), -EINVAL);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(pfkey_type_name(PFKEY_ADD), "ADD");
	ck_assert_str_eq(pfkey_type_name(PFKEY_X_DELPAIR), "DELETE PAIR");
	ck_assert_ptr_null(pfkey_type_name(16));
	ck_assert_ptr_null(pfkey_type_name(255));
	ck_assert_str_eq(pfkey_diagnostic_name(18), "MISSING_SRC");
	ck_assert_str_eq(pfkey_diagnostic_name(83), "BAD_LABEL");
	ck_assert_ptr_null(pfkey_diagnostic_name(84));
	ck_assert_str_eq(pfkey_diagnostic_text(84), "Unknown diagnostic code");
	for (unsigned int i = 0; i < PFKEY_DIAG_END; i++)
		ck_assert_ptr_nonnull(pfkey_diagnostic_name(i));
	ck_assert_uint_eq(pfkey_satype_of(SA_PROTO_ESP), 3);
	ck_assert_int_eq(pfkey_proto_of(2), SA_PROTO_AH);
	ck_assert_int_eq(pfkey_proto_of(9), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_encode");
	TCase *tc = tcase_create("pfkey_encode");

	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, round_trip_of_lists);
	tcase_add_test(tc, extended_proposal);
	tcase_add_loop_test(tc, bad_extended_proposal, 0, ARRAY_SIZE(bad_proposals));
	tcase_add_test(tc, buffer_too_small);
	tcase_add_test(tc, names);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
