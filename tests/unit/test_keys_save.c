/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What save writes is what makes the same SA again; what others forms of an SA say. */
#include "services/manual-key/keys_save.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/daemon/algs.h"
#include "services/manual-key/keys_parse.h"
#include "tests/unit/suite.h"

#define ROUNDS 400

static uint32_t next(uint64_t *seed, uint32_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33) % below;
}

static struct secret *random_key(uint64_t *seed, size_t len)
{
	uint8_t bytes[64];
	struct secret *key = NULL;

	ck_assert_uint_le(len, sizeof(bytes));
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(1 + next(seed, 255));
	ck_assert_int_eq(secret_new(bytes, len, &key), 0);
	return key;
}

static void random_addresses(uint64_t *seed, struct sa *sa)
{
	static const char *const names[] = { "192.0.2.1", "198.51.100.7", "2001:db8::1",
		"2001:db8::beef" };
	size_t v6 = next(seed, 2) ? 2 : 0;

	ck_assert_int_eq(address_parse(names[v6], &sa->src), 0);
	ck_assert_int_eq(address_parse(names[v6 + 1], &sa->dst), 0);
	if (next(seed, 5) == 0)
		sa->src = address_any(sa->dst.family);
	if (next(seed, 3) == 0) {
		struct address inner;

		sa->mode = SA_MODE_TUNNEL;
		ck_assert_int_eq(address_parse("10.1.0.0", &inner), 0);
		ck_assert_int_eq(prefix_make(&inner, 8 + next(seed, 25), &sa->inner_src), 0);
		ck_assert_int_eq(prefix_make(&inner, 8 + next(seed, 25), &sa->inner_dst), 0);
		sa->inner_protocol = next(seed, 2) ? 17 : 0;
		sa->inner_dst_port = sa->inner_protocol ? 53 : 0;
		sa->tfc_pad = next(seed, 2) && sa->proto == SA_PROTO_ESP ? 1200 : 0;
		sa->tfc_dummy_msec = sa->tfc_pad ? 1 + next(seed, 60000) : 0;
	} else if (next(seed, 2)) {
		sa->protocol = 6;
		sa->src_port = (uint16_t)next(seed, 65536);
		sa->dst_port = (uint16_t)next(seed, 65536);
	}
}

static void random_algorithms(uint64_t *seed, struct sa *sa)
{
	bool ah = sa->proto == SA_PROTO_AH;

	if (!ah && next(seed, 2)) {
		sa->encr = ALG_ENCR_AES_GCM16;
		sa->encr_key_bits = 256;
		sa->salt_bits = 32;
		sa->encr_key = random_key(seed, 36);
		return;
	}
	sa->auth = ALG_AUTH_HMAC_SHA256;
	sa->auth_key_bits = 256;
	sa->auth_key = random_key(seed, 32);
	if (ah)
		return;
	sa->encr = next(seed, 3) ? ALG_ENCR_AES_CBC : ALG_ENCR_NULL;
	if (sa->encr == ALG_ENCR_NULL)
		return;
	sa->encr_key_bits = 192;
	sa->encr_key = random_key(seed, 24);
}

static void random_limits(uint64_t *seed, struct sa *sa)
{
	if (next(seed, 2)) {
		sa->hard = (struct sa_limits){ 1000 + next(seed, 1U << 30), 8000, 7000, 60 };
		sa->soft = (struct sa_limits){ 1 + next(seed, 999), 6000, 0, 50 };
		sa->idle_add_sec = next(seed, 5000);
	}
	sa->replay_window = 64 * next(seed, 3);
	sa->replay_value = next(seed, 2) ? next(seed, 1U << 30) : 0;
	sa->flags |= next(seed, 4) == 0 ? SA_FLAG_ESN : 0;
}

static struct sa *random_sa(uint64_t *seed)
{
	struct sa *sa = sa_new();

	ck_assert_ptr_nonnull(sa);
	sa->proto = next(seed, 3) ? SA_PROTO_ESP : SA_PROTO_AH;
	sa->spi = 256 + next(seed, 1U << 30);
	sa->state = SA_MATURE;
	sa->directions = (uint8_t)(1 + next(seed, 2));
	random_addresses(seed, sa);
	random_algorithms(seed, sa);
	random_limits(seed, sa);
	if (sa->dst.family == AF_INET && sa->proto == SA_PROTO_ESP && next(seed, 3) == 0) {
		sa->flags |= SA_FLAG_ENCAP;
		if (next(seed, 2))
			ck_assert_int_eq(address_parse("203.0.113.9", &sa->natt_remote), 0);
		sa->natt_remote_port = (uint16_t)(1 + next(seed, 65535));
		sa->natt_local_port = (uint16_t)next(seed, 2);
	}
	sa_normalise(sa);
	return sa;
}

/* The message with which the datapath tells of it. */
static struct pfkey_message *told(const struct sa *sa)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_of_sa(
		PFKEY_DUMP, sa, true);
	struct pfkey_message *heard = NULL;
	struct pfkey_fault fault;
	uint8_t buffer[PFKEY_MAX_BYTES];
	size_t len = 0;

	ck_assert_int_eq(pfkey_encode(msg, PFKEY_ANSWER, buffer, sizeof(buffer), &len), 0);
	ck_assert_int_eq(pfkey_decode(buffer, len, PFKEY_ANSWER, &heard, &fault), 0);
	return heard;
}

struct world {
	struct alg_table *algs;
	struct keys_locals locals;
	struct keys_saved saved;
	struct text text;
};

static void world_init(struct world *w)
{
	*w = (struct world){ 0 };
	ck_assert_int_eq(algs_builtin(&w->algs), 0);
	ck_assert_int_eq(keys_saved_init(&w->saved, w->algs, &w->locals), 0);
}

static void world_done(struct world *w)
{
	keys_text_wipe(&w->text);
	keys_saved_done(&w->saved);
	alg_table_free(w->algs);
}

static struct keys_file *read_back(struct world *w)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(text_done) struct text said = { 0 };
	struct keys_file *file = NULL;
	struct keys_input in = { .label = "saved",
		.source = w->text.str,
		.len = w->text.len,
		.algs = w->algs,
		.place = KEYS_OF_FILE };

	ck_assert_int_eq(keys_parse(&in, diags, &file), 0);
	conf_diags_print(diags, &said);
	ck_assert_msg(conf_diags_errors(diags) == 0, "%s\n%s", said.str, w->text.str);
	return file;
}

START_TEST(reads_back)
{
	uint64_t seed = 20261122U + (uint64_t)_i;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		CLEANUP(sa_freep) struct sa *sa = random_sa(&seed);
		CLEANUP(pfkey_message_freep) struct pfkey_message *msg = told(sa);
		CLEANUP(keys_file_freep) struct keys_file *file = NULL;
		CLEANUP(sa_freep) struct sa *again = NULL;
		struct world w;

		world_init(&w);
		msg->sa->state = i % 2 ? SA_DYING : SA_MATURE;
		ck_assert_int_eq(keys_save(&w.saved, msg, &w.text), 0);
		ck_assert_int_eq(strstr(w.text.str, "# was dying\nadd ") != NULL, i % 2);
		file = read_back(&w);
		ck_assert_uint_eq(file->count, 1);
		again = keys_command_sa(&file->commands[0], 0);
		again->directions = again->directions ? again->directions : sa->directions;
		ck_assert_msg(sa_equal(again, sa), "%s", w.text.str);
		world_done(&w);
	}
}
END_TEST

START_TEST(encapsulation_alone_reads_back)
{
	uint64_t seed = 5;
	CLEANUP(sa_freep) struct sa *sa = random_sa(&seed);
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	struct world w;

	sa->proto = SA_PROTO_ESP;
	sa->flags |= SA_FLAG_ENCAP;
	sa->natt_local = sa->natt_remote = (struct address){ 0 };
	sa->natt_local_port = sa->natt_remote_port = 0;
	world_init(&w);
	msg = told(sa);
	ck_assert_int_eq(keys_save(&w.saved, msg, &w.text), 0);
	file = read_back(&w);
	ck_assert(file->commands[0].sa->flags & SA_FLAG_ENCAP);
	ck_assert_uint_eq(file->commands[0].sa->natt_remote_port, 4500);
	world_done(&w);
}
END_TEST

static const struct {
	uint16_t type;
	const char *value;
	bool reads_back;
} identities[] = {
	{ PFKEY_IDENTITY_FQDN, "beta.example", true },
	{ PFKEY_IDENTITY_USER_FQDN, "C=US, O=\tExample # 1", true },
	{ PFKEY_IDENTITY_KEY_ID, "0x17", true },
	{ 65535, "x", true },
	{ PFKEY_IDENTITY_DN, "CN=beta", false },
	{ PFKEY_IDENTITY_GN, "beta", false },
	{ PFKEY_IDENTITY_FQDN, "", false },
	{ PFKEY_IDENTITY_FQDN, " blanks", false },
	{ PFKEY_IDENTITY_FQDN, "say \"friend\"", false },
	{ PFKEY_IDENTITY_FQDN, "back\\slash", false },
	{ PFKEY_IDENTITY_FQDN, "two\nlines", false },
	{ PFKEY_IDENTITY_FQDN, "bell\a", false },
	{ PFKEY_IDENTITY_FQDN, "delete\x7f", false },
};

/* What cannot be read back is left out and said, so that the rest of the file can be. */
START_TEST(identity)
{
	uint64_t seed = 11;
	CLEANUP(sa_freep) struct sa *sa = random_sa(&seed);
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = told(sa);
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	const struct keys_identity *again;
	struct world w;

	world_init(&w);
	msg->identity_dst.type = identities[_i].type;
	ck_assert_int_eq(text_copy(msg->identity_dst.value, sizeof(msg->identity_dst.value),
				 identities[_i].value),
		0);
	ck_assert_int_eq(keys_save(&w.saved, msg, &w.text), 0);
	ck_assert_int_eq(
		strstr(w.text.str, "# left out: an identity") == NULL, identities[_i].reads_back);
	file = read_back(&w);
	ck_assert_uint_eq(file->count, 1);
	again = file->commands[0].dst_id;
	ck_assert_int_eq(again != NULL, identities[_i].reads_back);
	if (again) {
		ck_assert_uint_eq(again->type, identities[_i].type);
		ck_assert_str_eq(again->value, identities[_i].value);
	}
	world_done(&w);
}
END_TEST

/* In a dump each SA of a pair names the other; in a file only the second can. */
START_TEST(pairs)
{
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	uint64_t seed = 7;
	struct world w;

	world_init(&w);
	for (unsigned int i = 0; i < 100; i++) {
		CLEANUP(sa_freep) struct sa *one = random_sa(&seed);
		CLEANUP(sa_freep) struct sa *two = sa_copy(one);
		CLEANUP(pfkey_message_freep) struct pfkey_message *first = NULL, *second = NULL;

		ck_assert_int_eq(
			address_parse(one->dst.family == AF_INET ? "192.0.2.9" : "2001:db8::9",
				&one->src),
			0);
		two->src = one->dst;
		two->dst = one->src;
		two->spi = one->pair_spi = one->spi + 1;
		two->pair_spi = one->spi;
		first = told(one);
		second = told(two);
		ck_assert_int_eq(keys_save(&w.saved, first, &w.text), 0);
		ck_assert_int_eq(keys_save(&w.saved, second, &w.text), 0);
	}
	file = read_back(&w);
	ck_assert_uint_eq(file->count, 200);
	for (size_t i = 0; i < file->count; i++)
		ck_assert_uint_eq(
			file->commands[i].sa->pair_spi, i % 2 ? file->commands[i - 1].sa->spi : 0);
	world_done(&w);
}
END_TEST

START_TEST(passed_over_and_refused)
{
	uint64_t seed = 3;
	CLEANUP(sa_freep) struct sa *sa = random_sa(&seed);
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = told(sa);
	struct world w;

	world_init(&w);
	msg->sa->state = SA_LARVAL;
	ck_assert_int_eq(keys_save(&w.saved, msg, &w.text), 0);
	ck_assert_uint_eq(w.text.len, 0);
	msg->sa->state = SA_MATURE;
	msg->sa->encr_key = secret_unref(msg->sa->encr_key);
	msg->sa->auth_key = secret_unref(msg->sa->auth_key);
	ck_assert_int_eq(keys_save(&w.saved, msg, &w.text), -EACCES);
	ck_assert_int_eq(keys_fingerprint(msg, &w.text), -EACCES);
	ck_assert_uint_eq(w.text.len, 0);
	world_done(&w);
}
END_TEST

static void example(struct sa *sa)
{
	uint8_t key[20];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(0x10 + i);
	sa->proto = SA_PROTO_ESP;
	sa->spi = 0x3a02;
	sa->state = SA_MATURE;
	sa->encr = ALG_ENCR_AES_GCM16;
	sa->encr_key_bits = 128;
	sa->salt_bits = 32;
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	ck_assert_int_eq(address_parse("192.0.2.1", &sa->src), 0);
	ck_assert_int_eq(address_parse("192.0.2.17", &sa->dst), 0);
}

START_TEST(wireshark)
{
	CLEANUP(sa_freep) struct sa *sa = sa_new();
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	CLEANUP(text_done) struct text text = { 0 };

	example(sa);
	msg = told(sa);
	ck_assert_int_eq(keys_wireshark(msg, NULL, &text), 0);
	ck_assert_str_eq(text.str,
		"\"IPv4\",\"192.0.2.1\",\"192.0.2.17\",\"0x00003a02\","
		"\"AES-GCM with 16 octet ICV [RFC4106]\","
		"\"0x101112131415161718191a1b1c1d1e1f20212223\",\"NULL\",\"\"\n");
}
END_TEST

START_TEST(wireshark_opens_ccm_as_a_counter_mode)
{
	CLEANUP(sa_freep) struct sa *sa = sa_new();
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	CLEANUP(text_done) struct text text = { 0 };

	example(sa);
	sa->encr = ALG_ENCR_AES_CCM12;
	sa->salt_bits = 24;
	msg = told(sa);
	ck_assert_int_eq(keys_wireshark(msg, NULL, &text), 0);
	ck_assert_str_eq(text.str,
		"\"IPv4\",\"192.0.2.1\",\"192.0.2.17\",\"0x00003a02\","
		"\"AES-CTR [RFC3686]\",\"0x101112131415161718191a1b1c1d1e1f03202122\","
		"\"ANY 96 bit authentication [no checking]\",\"\"\n");
}
END_TEST

START_TEST(wireshark_says_what_it_cannot_open)
{
	CLEANUP(sa_freep) struct sa *sa = sa_new();
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(text_done) struct text text = { 0 };

	ck_assert_int_eq(algs_builtin(&algs), 0);
	example(sa);
	sa->encr = ALG_ENCR_AES_GMAC;
	msg = told(sa);
	ck_assert_int_eq(keys_wireshark(msg, algs, &text), 0);
	ck_assert_str_eq(text.str,
		"# left out, not in Wireshark's table: esp spi 0x3a02 192.0.2.1 > "
		"192.0.2.17 transport aes-gmac\n");
}
END_TEST

START_TEST(fingerprints)
{
	CLEANUP(sa_freep) struct sa *sa = sa_new();
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	CLEANUP(pfkey_message_freep) struct pfkey_message *other = NULL;
	CLEANUP(text_done) struct text text = { 0 }, again = { 0 }, changed = { 0 };
	uint8_t key[20] = { 1 };

	example(sa);
	msg = told(sa);
	ck_assert_int_eq(keys_fingerprint(msg, &text), 0);
	ck_assert_int_eq(keys_fingerprint(msg, &again), 0);
	ck_assert_str_eq(text.str, again.str);
	ck_assert_int_eq(strncmp(text.str, "esp 0x3a02 192.0.2.17 ", 22), 0);
	ck_assert_uint_eq(text.len, 22 + 14 + 1);
	sa->encr_key = secret_unref(sa->encr_key);
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	other = told(sa);
	ck_assert_int_eq(keys_fingerprint(other, &changed), 0);
	ck_assert_str_ne(text.str, changed.str);
	/* Whom keys are not told computes nothing, and sees the same. */
	text_done(&again);
	ck_assert_int_eq(pfkey_check_keys(msg->sa, &msg->key_check), 0);
	msg->present |= PFKEY_BIT(PFKEY_EXT_CHECK);
	msg->sa->encr_key = secret_unref(msg->sa->encr_key);
	ck_assert_int_eq(keys_fingerprint(msg, &again), 0);
	ck_assert_str_eq(text.str, again.str);
}
END_TEST

START_TEST(directions)
{
	static const struct {
		const char *src, *dst;
		uint8_t want;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.17", SA_OUTBOUND },
		{ "192.0.2.17", "192.0.2.1", SA_INBOUND },
		{ "192.0.2.1", "192.0.2.1", SA_INBOUND | SA_OUTBOUND },
		{ "0.0.0.0", "192.0.2.1", SA_INBOUND | SA_OUTBOUND },
		{ "0.0.0.0", "192.0.2.17", SA_INBOUND | SA_OUTBOUND },
		{ "192.0.2.1", "224.0.0.5", SA_INBOUND | SA_OUTBOUND },
	};
	struct address here;
	struct keys_locals locals = { .count = 1, .addresses = &here };
	CLEANUP(sa_freep) struct sa *sa = sa_new();

	ck_assert_int_eq(address_parse("192.0.2.1", &here), 0);
	ck_assert_int_eq(address_parse(rows[_i].src, &sa->src), 0);
	ck_assert_int_eq(address_parse(rows[_i].dst, &sa->dst), 0);
	ck_assert_uint_eq(keys_implied_directions(&locals, sa), rows[_i].want);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys_save");
	TCase *tc = tcase_create("keys_save");

	tcase_add_loop_test(tc, reads_back, 0, 4);
	tcase_add_test(tc, encapsulation_alone_reads_back);
	tcase_add_loop_test(tc, identity, 0, ARRAY_SIZE(identities));
	tcase_add_test(tc, pairs);
	tcase_add_test(tc, passed_over_and_refused);
	tcase_add_test(tc, wireshark);
	tcase_add_test(tc, wireshark_opens_ccm_as_a_counter_mode);
	tcase_add_test(tc, wireshark_says_what_it_cannot_open);
	tcase_add_test(tc, fingerprints);
	tcase_add_loop_test(tc, directions, 0, 6);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
