/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/suite/suite.h"

#include <errno.h>
#include <openssl/crypto.h>

#include "services/datapath/suite/suite_hmac.h"
#include "tests/unit/packets.h"
#include "tests/unit/suite.h"

static const struct test_suite suites[] = { TEST_SUITES };

/* RFC 2202 sections 2 and 3, RFC 4231 section 4.2 to 4.4: test cases 1 to 3 of each. */
static const struct {
	const char *name;
	uint8_t auth;
	uint8_t key_octet; /* 0: "Jefe" */
	size_t key_len;
	const char *text; /* NULL: 50 octets of 0xdd */
	const char *sum; /* whole; the ICV is its beginning */
} hmacs[] = {
	/* clang-format off */
	{ "RFC 2202 MD5 1", ALG_AUTH_HMAC_MD5, 0x0b, 16, "Hi There", "9294727a3638bb1c13f48ef8158bfc9d" },
	{ "RFC 2202 MD5 2", ALG_AUTH_HMAC_MD5, 0, 4, "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738" },
	{ "RFC 2202 MD5 3", ALG_AUTH_HMAC_MD5, 0xaa, 16, NULL, "56be34521d144c88dbb8c733f0e8b3f6" },
	{ "RFC 2202 SHA1 1", ALG_AUTH_HMAC_SHA1, 0x0b, 20, "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00" },
	{ "RFC 2202 SHA1 2", ALG_AUTH_HMAC_SHA1, 0, 4, "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ "RFC 2202 SHA1 3", ALG_AUTH_HMAC_SHA1, 0xaa, 20, NULL, "125d7342b9ac11cd91a39af48aa17b4f63f175d3" },
	{ "RFC 4231 SHA256 1", ALG_AUTH_HMAC_SHA256, 0x0b, 20, "Hi There",
	  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "RFC 4231 SHA256 2", ALG_AUTH_HMAC_SHA256, 0, 4, "what do ya want for nothing?",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "RFC 4231 SHA256 3", ALG_AUTH_HMAC_SHA256, 0xaa, 20, NULL,
	  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
	{ "RFC 4231 SHA384 1", ALG_AUTH_HMAC_SHA384, 0x0b, 20, "Hi There",
	  "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6" },
	{ "RFC 4231 SHA384 2", ALG_AUTH_HMAC_SHA384, 0, 4, "what do ya want for nothing?",
	  "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649" },
	{ "RFC 4231 SHA512 1", ALG_AUTH_HMAC_SHA512, 0x0b, 20, "Hi There",
	  "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4"
	  "be9d914eeb61f1702e696c203a126854" },
	{ "RFC 4231 SHA512 2", ALG_AUTH_HMAC_SHA512, 0, 4, "what do ya want for nothing?",
	  "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
	  "caeab1a34d4a6b4b636e070a38bce737" },
	/* clang-format on */
};

START_TEST(hmac_vectors)
{
	const struct suite_auth *row = suite_auth_row(hmacs[_i].auth);
	CLEANUP(suite_hmac_freep) struct suite_hmac *hmac = NULL;
	uint8_t key[64], text[64], want[SUITE_HMAC_MAX_DIGEST], icv[SUITE_MAX_ICV];
	size_t len = hmacs[_i].text ? strlen(hmacs[_i].text) : 50;

	memset(key, hmacs[_i].key_octet, sizeof(key));
	if (hmacs[_i].key_octet == 0)
		memcpy(key, "Jefe", 4);
	memset(text, 0xdd, sizeof(text));
	if (hmacs[_i].text)
		memcpy(text, hmacs[_i].text, len);
	ck_assert_uint_ge(test_hex(hmacs[_i].sum, want, sizeof(want)), row->icv_bytes);
	ck_assert_int_eq(suite_hmac_new(row, key, hmacs[_i].key_len, &hmac), 0);
	/* Cut anywhere between text and tail, and twice with one prepared state. */
	for (size_t cut = 0; cut <= len; cut++) {
		const struct suite_part parts[] = { { text, cut }, { text + cut, len - cut } };

		suite_hmac_sum(hmac, parts, ARRAY_SIZE(parts), icv);
		ck_assert_msg(memcmp(icv, want, row->icv_bytes) == 0, "%s, cut at %zu",
			hmacs[_i].name, cut);
	}
}
END_TEST

/*
 * RFC 3602 section 4, cases 1 to 3 and the text of the ESP packet of case 5; RFC 3686 section 6, test
 * vectors 1, 2, 3, 4 and 7; FIPS 81 appendix C; B. Schneier's vector for Blowfish in CBC. Keys end in the
 * nonce where there is one.
 */
static const struct {
	uint8_t encr;
	const char *name, *key, *iv, *clear, *sealed;
} ciphers[] = {
	{ ALG_ENCR_AES_CBC, "RFC 3602 case 1", "06a9214036b8a15b512e03d534120006",
		"3dafba429d9eb430b422da802c9fac41", "53696e676c6520626c6f636b206d7367",
		"e353779c1079aeb82708942dbe77181a" },
	{ ALG_ENCR_AES_CBC, "RFC 3602 case 2", "c286696d887c9aa0611bbb3e2025a45a",
		"562e17996d093d28ddb3ba695a2e6f58",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1" },
	{ ALG_ENCR_AES_CBC, "RFC 3602 case 3", "6c3ea0477630ce21a2ce334aa746c2cd",
		"c782dc4c098c66cbd9cd27d825682c81",
		"5468697320697320612034382d62797465206d657373616765202865786163746c7920332041455320"
		"626c6f636b7329",
		"d0a02b3836451753d493665d33f0e8862dea54cdb293abc7506939276772f8d5021c19216bad525c85"
		"79695d83ba2684" },
	{ ALG_ENCR_AES_CBC, "RFC 3602 case 5: transport, ICMP echo",
		"90d382b410eeba7ad938c46cec1a82bf", "e96e8c08ab465763fd098d45dd3ff893",
		"08000ebda70a0000 8e9c083db95b0700 08090a0b0c0d0e0f 1011121314151617 "
		"18191a1b1c1d1e1f 2021222324252627 28292a2b2c2d2e2f 3031323334353637 "
		"01020304050607 08090a0b0c0d0e0e01",
		"f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
		"a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a"
		"a269add047ad2d5913ac19b7cfbad4a6" },
	{ ALG_ENCR_AES_CTR, "RFC 3686 1", "ae6852f8121067cc4bf7a5765577f39e 00000030",
		"0000000000000000", "53696e676c6520626c6f636b206d7367",
		"e4095d4fb7a7b3792d6175a3261311b8" },
	{ ALG_ENCR_AES_CTR, "RFC 3686 2", "7e24067817fae0d743d6ce1f32539163 006cb6db",
		"c0543b59da48d90b",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28" },
	{ ALG_ENCR_AES_CTR, "RFC 3686 3", "7691be035e5020a8ac6e618529f9a0dc 00e0017b",
		"27777f3f4a1786f0",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223",
		"c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f" },
	{ ALG_ENCR_AES_CTR, "RFC 3686 4",
		"16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb78515 00000048", "36733c147d6d93cb",
		"53696e676c6520626c6f636b206d7367", "4b55384fe259c9c84e7935a003cbe928" },
	{ ALG_ENCR_AES_CTR, "RFC 3686 7",
		"776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c104 00000060",
		"db5672c97aa8f0b2", "53696e676c6520626c6f636b206d7367",
		"145ad01dbf824ec7560863dc71e3e0c0" },
	{ ALG_ENCR_DES, "FIPS 81", "0123456789abcdef", "1234567890abcdef",
		"4e6f77206973207468652074696d6520666f7220616c6c20",
		"e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6" },
	{ ALG_ENCR_BLOWFISH, "Blowfish", "0123456789abcdeff0e1d2c3b4a59687", "fedcba9876543210",
		"37363534333231204e6f77206973207468652074696d6520666f722000000000",
		"6b77b4d63006dee605b156e27403979358deb9e7154616d959f1652bd5ff92cc" },
};

/* The bare cipher: an SA without integrity lets it be seen alone. */
START_TEST(cipher_vectors)
{
	const struct suite_cipher *row = suite_cipher_row(ciphers[_i].encr);
	uint8_t key[40], esp[256] = { 0 }, want[256];
	size_t len = test_hex(ciphers[_i].key, key, sizeof(key)), text = 8U + row->iv_bytes;
	const struct test_suite plain = { "plain", row->encr,
		(uint16_t)((len - row->salt_bytes) * 8), (uint16_t)(row->salt_bytes * 8),
		ALG_AUTH_NONE, 0, 0, row->iv_bytes, row->block_bytes };
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&plain, SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	CLEANUP(suite_context_freep) struct suite_context *context = NULL;
	struct suite_job job = { .esp = esp, .seq = 1, .iv_given = true };

	(void)secret_unref(sa->encr_key);
	ck_assert_int_eq(secret_new(key, len, &sa->encr_key), 0);
	ck_assert_int_eq(suite_context_new(sa, &context), 0);
	ck_assert_uint_eq(test_hex(ciphers[_i].iv, esp + 8, 16), row->iv_bytes);
	job.text_len = test_hex(ciphers[_i].clear, esp + text, 200);
	len = test_hex(ciphers[_i].sealed, want, sizeof(want));
	ck_assert_uint_eq(job.text_len, len);
	suite_seal(context, &job, 1);
	ck_assert(job.ok);
	ck_assert_msg(memcmp(esp + text, want, len) == 0, "%s: sealed", ciphers[_i].name);
	suite_open(context, &job, 1);
	ck_assert(job.ok);
	(void)test_hex(ciphers[_i].clear, want, sizeof(want));
	ck_assert_msg(memcmp(esp + text, want, len) == 0, "%s: opened", ciphers[_i].name);
}
END_TEST

/* GCM specification (McGrew, Viega), test case 13 has nothing and 14 a block of zeros; here through
 * the shape of ESP: AES-256, all zero key, salt and IV, so that the nonce is that of the cases. */
START_TEST(gcm_keystream)
{
	static const struct test_suite gcm = { "gcm", ALG_ENCR_AES_GCM16, 256, 32, ALG_AUTH_NONE, 0,
		16, 8, 4 };
	static const char keystream[] = "cea7403d4d606b6e074ec5d3baf39d18";
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&gcm, SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	CLEANUP(suite_context_freep) struct suite_context *context = NULL;
	uint8_t zeros[36] = { 0 }, esp[48] = { 0 }, want[16];
	struct suite_job job = { .esp = esp, .text_len = 16, .seq = 1 };

	(void)secret_unref(sa->encr_key);
	ck_assert_int_eq(secret_new(zeros, sizeof(zeros), &sa->encr_key), 0);
	ck_assert_int_eq(test_context_new(sa, &context), 0);
	suite_seal(context, &job, 1);
	ck_assert(job.ok);
	(void)test_hex(keystream, want, sizeof(want));
	ck_assert_int_eq(memcmp(esp + 16, want, sizeof(want)), 0);
}
END_TEST

START_TEST(rows_agree)
{
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&suites[_i], SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	struct suite suite;

	ck_assert_int_eq(suite_of(sa, &suite), 0);
	ck_assert_uint_eq(suite.icv_bytes, suites[_i].icv);
	ck_assert_uint_eq(suite.iv_bytes, suites[_i].iv);
	ck_assert_uint_eq(suite.align, suites[_i].align);
	ck_assert_uint_le(suite.iv_bytes, SUITE_MAX_IV);
	ck_assert_uint_le(suite.icv_bytes, SUITE_MAX_ICV);
}
END_TEST

/* One octet more or less of any key, and what else makes no suite. */
START_TEST(refusals)
{
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&suites[_i], SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	uint16_t key = sa->encr_key_bits, auth = sa->auth_key_bits;
	struct suite suite;

	sa->encr_key_bits = (uint16_t)(key + 8);
	ck_assert_int_eq(suite_of(sa, &suite), -EINVAL);
	if (key > 0) {
		sa->encr_key_bits = (uint16_t)(key - 8);
		ck_assert_int_eq(suite_of(sa, &suite), -EINVAL);
	}
	sa->encr_key_bits = key;
	sa->salt_bits = (uint16_t)(sa->salt_bits + 8);
	if (sa->encr != ALG_ENCR_NULL)
		ck_assert_int_eq(suite_of(sa, &suite), -EINVAL);
	sa->salt_bits = suites[_i].salt_bits;
	if (auth > 0) {
		sa->auth_key_bits = (uint16_t)(auth + 8);
		ck_assert_int_eq(suite_of(sa, &suite), -EINVAL);
		sa->auth_key_bits = (uint16_t)(auth - 8);
		ck_assert_int_eq(suite_of(sa, &suite), -EINVAL);
		sa->auth_key_bits = auth;
	} else {
		sa->auth = ALG_AUTH_HMAC_SHA1; /* beside a combined cipher */
		ck_assert_int_eq(suite_of(sa, &suite), -EINVAL);
		sa->auth = ALG_AUTH_NONE;
	}
	ck_assert_int_eq(suite_of(sa, &suite), 0);
	sa->auth = 200;
	ck_assert_int_eq(suite_of(sa, &suite), -ENOTSUP);
	sa->auth = suites[_i].auth;
	sa->encr = 200;
	ck_assert_int_eq(suite_of(sa, &suite), -ENOTSUP);
	sa->encr = suites[_i].encr;
	sa->proto = SA_PROTO_AH;
	ck_assert_int_eq(suite_of(sa, &suite), -ENOTSUP);
}
END_TEST

START_TEST(both_null)
{
	static const struct test_suite none = { "none", ALG_ENCR_NULL, 0, 0, ALG_AUTH_NONE, 0, 0, 0,
		4 };
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&none, SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	CLEANUP(suite_context_freep) struct suite_context *context = NULL;
	struct suite suite;

	ck_assert_int_eq(suite_of(sa, &suite), -EINVAL);
	ck_assert_int_eq(test_context_new(sa, &context), -EINVAL);
}
END_TEST

/* A batch of good and bad jobs: each is judged alone; nothing of a forged one can be read. */
START_TEST(batch_of_jobs)
{
	enum { JOBS = 9, TEXT = 48 };
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&suites[_i], SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	CLEANUP(suite_context_freep) struct suite_context *context = NULL;
	static uint8_t esp[JOBS][8 + SUITE_MAX_IV + TEXT + SUITE_MAX_ICV], clear[TEXT];
	struct suite_job jobs[JOBS];
	size_t text = 8 + suites[_i].iv;

	for (size_t k = 0; k < TEXT; k++)
		clear[k] = (uint8_t)(k * 11);
	ck_assert_int_eq(test_context_new(sa, &context), 0);
	for (size_t k = 0; k < JOBS; k++) {
		memset(esp[k], 0, sizeof(esp[k]));
		esp[k][7] = (uint8_t)k;
		if (suites[_i].iv == 8)
			esp[k][15] = (uint8_t)k;
		memcpy(esp[k] + text, clear, TEXT);
		jobs[k] = (struct suite_job){ .esp = esp[k], .text_len = TEXT, .seq = k };
	}
	suite_seal(context, jobs, JOBS);
	for (size_t k = 0; k < JOBS; k++) {
		ck_assert(jobs[k].ok);
		if (k % 3 == 1)
			esp[k][text + TEXT] ^= 1;
	}
	suite_open(context, jobs, JOBS);
	for (size_t k = 0; k < JOBS; k++) {
		ck_assert(jobs[k].ok == (k % 3 != 1));
		if (jobs[k].ok)
			ck_assert_int_eq(memcmp(esp[k] + text, clear, TEXT), 0);
		else if (sa->encr != ALG_ENCR_NULL && sa->encr != ALG_ENCR_AES_GMAC)
			ck_assert_int_ne(memcmp(esp[k] + text, clear, TEXT), 0);
	}
}
END_TEST

/* What is cut off behind some octets could be guessed. */
START_TEST(whole_icv)
{
	enum { TEXT = 16 };
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&suites[_i], SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	CLEANUP(suite_context_freep) struct suite_context *context = NULL;
	uint8_t esp[8 + SUITE_MAX_IV + TEXT + SUITE_MAX_ICV];
	struct suite_job job = { .esp = esp, .text_len = TEXT };
	size_t icv = 8 + suites[_i].iv + TEXT;

	ck_assert_int_eq(test_context_new(sa, &context), 0);
	for (size_t k = 0; k < suites[_i].icv; k++) {
		memset(esp, 0, sizeof(esp));
		job.seq = k + 1;
		suite_seal(context, &job, 1);
		ck_assert(job.ok);
		esp[icv + k] ^= 0x80;
		suite_open(context, &job, 1);
		ck_assert_msg(!job.ok, "octet %zu of the ICV is not looked at", k);
	}
}
END_TEST

static size_t allocations;

static void *count_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	return malloc(size);
}

static void *count_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	return realloc(old, size);
}

static void plain_free(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

/* The library takes memory when a context is made, and never again. */
START_TEST(packets_allocate_nothing)
{
	enum { JOBS = 40, TEXT = 96 };
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&suites[_i], SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	CLEANUP(suite_context_freep) struct suite_context *context = NULL;
	static uint8_t esp[JOBS][8 + SUITE_MAX_IV + TEXT + SUITE_MAX_ICV];
	struct suite_job jobs[JOBS];
	size_t before = allocations;

	ck_assert_int_eq(suite_context_new(sa, &context), 0);
	if (sa->encr != ALG_ENCR_NULL)
		ck_assert_uint_gt(allocations, before); /* they are seen */
	for (size_t k = 0; k < JOBS; k++)
		jobs[k] = (struct suite_job){
			.esp = esp[k], .text_len = TEXT, .seq = k + 1, .esn = true
		};
	suite_seal(context, jobs, 1); /* the first draws random octets */
	before = allocations;
	suite_seal(context, jobs + 1, JOBS - 1);
	suite_open(context, jobs, JOBS);
	ck_assert_uint_eq(allocations, before);
	for (size_t k = 0; k < JOBS; k++)
		ck_assert(jobs[k].ok);
}
END_TEST

/* What policy takes for computable is what there are rows for. */
START_TEST(known_algorithms_have_rows)
{
	for (unsigned int i = 1; i <= UINT8_MAX; i++) {
		ck_assert_msg(alg_is_known(ALG_PROTO_ESP, (uint8_t)i) ==
				      (suite_cipher_row((uint8_t)i) != NULL),
			"cipher %u", i);
		ck_assert_msg(alg_is_known(ALG_PROTO_AH, (uint8_t)i) ==
				      (suite_auth_row((uint8_t)i) != NULL),
			"authentication %u", i);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("suite");
	TCase *tc = tcase_create("suite");

	if (CRYPTO_set_mem_functions(count_malloc, count_realloc, plain_free) != 1)
		return EXIT_FAILURE;
	tcase_add_loop_test(tc, packets_allocate_nothing, 0, (int)ARRAY_SIZE(suites));
	tcase_add_loop_test(tc, hmac_vectors, 0, (int)ARRAY_SIZE(hmacs));
	tcase_add_loop_test(tc, cipher_vectors, 0, (int)ARRAY_SIZE(ciphers));
	tcase_add_test(tc, gcm_keystream);
	tcase_add_loop_test(tc, rows_agree, 0, (int)ARRAY_SIZE(suites));
	tcase_add_loop_test(tc, refusals, 0, (int)ARRAY_SIZE(suites));
	tcase_add_loop_test(tc, batch_of_jobs, 0, (int)ARRAY_SIZE(suites));
	tcase_add_loop_test(tc, whole_icv, 0, (int)ARRAY_SIZE(suites));
	tcase_add_test(tc, both_null);
	tcase_add_test(tc, known_algorithms_have_rows);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
