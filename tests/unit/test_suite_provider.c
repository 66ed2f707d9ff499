/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two providers of the same suites: who serves which, and that they agree. */
#include "services/datapath/suite/suite_provider.h"

#include "tests/unit/packets.h"
#include "tests/unit/suite.h"

static const struct test_suite suites[] = { TEST_SUITES };

static bool is_hmac(uint8_t auth)
{
	return auth == ALG_AUTH_HMAC_MD5 || auth == ALG_AUTH_HMAC_SHA1 ||
	       auth == ALG_AUTH_HMAC_SHA256 || auth == ALG_AUTH_HMAC_SHA384 ||
	       auth == ALG_AUTH_HMAC_SHA512;
}

/* Where it is built in and the CPU can, the fast provider takes what it is for, and no more. */
START_TEST(provider_choice)
{
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&suites[_i], SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	bool gcm = sa->encr >= ALG_ENCR_AES_GCM8 && sa->encr <= ALG_ENCR_AES_GCM16;
	bool fast = gcm || (sa->encr == ALG_ENCR_AES_CBC && is_hmac(sa->auth));
	struct suite suite;

	ck_assert_int_eq(suite_of(sa, &suite), 0);
	ck_assert_ptr_eq(suite_provider_for(SUITE_CHOICE_OPENSSL, &suite), &suite_openssl);
	if (!suite_ipsec_mb.context_new) { /* not in this build */
		ck_assert(!suite_ipsec_mb.supports(&suite));
		fast = false;
	}
	ck_assert_ptr_eq(suite_provider_for(SUITE_CHOICE_AUTO, &suite),
		fast ? &suite_ipsec_mb : &suite_openssl);
	ck_assert_ptr_eq(suite_provider_for(SUITE_CHOICE_IPSEC_MB, &suite),
		fast ? &suite_ipsec_mb : &suite_openssl);
}
END_TEST

/* What one provider seals the other opens; numbers and lengths of every remainder of a block. */
START_TEST(providers_agree)
{
	enum { JOBS = 70, STEP = 16, ROOM = 8 + SUITE_MAX_IV + JOBS * STEP + SUITE_MAX_ICV };
	CLEANUP(sa_freep) struct sa *sa = test_sa(
		&suites[_i], SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2");
	CLEANUP(suite_context_freep) struct suite_context *one = NULL, *other = NULL;
	CLEANUP(freep) uint8_t *esp = calloc(JOBS, ROOM), *clear = malloc(ROOM);
	struct suite_job jobs[JOBS];
	struct suite suite;

	ck_assert(esp && clear);
	memset(clear, 0x5a, ROOM);
	ck_assert_int_eq(suite_of(sa, &suite), 0);
	ck_assert_int_eq(suite_context_new(sa, &one), 0);
	ck_assert_int_eq(suite_context_new_by(suite_provider_for(SUITE_CHOICE_AUTO, &suite), &suite,
				 sa, NULL, &other),
		0);
	for (unsigned int turn = 0; turn < 4; turn++) {
		for (size_t k = 0; k < JOBS; k++) {
			uint8_t *at = esp + k * ROOM;
			size_t len = STEP * (k + 1) - (suite.align == 4 ? k % 4 * 4 : 0);

			memset(at, (int)k, ROOM);
			memcpy(at + 8 + suite.iv_bytes, clear, len);
			jobs[k] = (struct suite_job){ .esp = at,
				.text_len = len,
				.seq = UINT64_C(0x700000000) + k,
				.esn = turn >= 2 };
		}
		suite_seal(turn % 2 ? one : other, jobs, JOBS);
		for (size_t k = 0; k < JOBS; k++)
			ck_assert(jobs[k].ok);
		suite_open(turn % 2 ? other : one, jobs, JOBS);
		for (size_t k = 0; k < JOBS; k++) {
			ck_assert_msg(jobs[k].ok, "%s, job %zu", suites[_i].name, k);
			ck_assert_int_eq(
				memcmp(jobs[k].esp + 8 + suite.iv_bytes, clear, jobs[k].text_len),
				0);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("suite_provider");
	TCase *tc = tcase_create("suite_provider");

	tcase_add_loop_test(tc, provider_choice, 0, (int)ARRAY_SIZE(suites));
	tcase_add_loop_test(tc, providers_agree, 0, (int)ARRAY_SIZE(suites));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
