/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks of messages that do not describe an SA, as the monitor shows them. */
#include "services/manual-key/keys_print.h"

#include <string.h>

#include "common/daemon/algs.h"
#include "tests/unit/suite.h"

struct shown {
	struct text text;
	struct alg_table *algs;
};

static void shown_done(struct shown *shown)
{
	text_done(&shown->text);
	alg_table_free(shown->algs);
}

/* What stands behind the two lines of the base message. */
static const char *blocks(struct shown *shown, const struct pfkey_message *msg,
	const struct keys_wire *wire, bool paranoid)
{
	struct keys_print_style style = { .paranoid = paranoid, .raw_seconds = true };
	const char *line;

	ck_assert_int_eq(algs_builtin(&shown->algs), 0);
	style.algs = shown->algs;
	keys_print_message(msg, wire, &style, &shown->text);
	ck_assert_ptr_nonnull(shown->text.str);
	line = strchr(shown->text.str, '\n');
	return strchr(line + 1, '\n') + 1;
}

START_TEST(proposal)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();
	CLEANUP(shown_done) struct shown shown = { 0 };

	msg->type = PFKEY_ACQUIRE;
	msg->satype = PFKEY_SATYPE_ESP;
	msg->present = PFKEY_BIT(PFKEY_EXT_PROPOSAL) | PFKEY_BIT(PFKEY_EXT_SPIRANGE);
	msg->proposal_replay = 32;
	msg->n_combs = 2;
	msg->combs[0] = (struct pfkey_comb){ .auth = ALG_AUTH_HMAC_SHA256,
		.auth_min_bits = 256,
		.auth_max_bits = 256,
		.encrypt = ALG_ENCR_AES_CBC,
		.encrypt_min_bits = 128,
		.encrypt_max_bits = 256,
		.hard = { .bytes = 7, .add_sec = 28800 },
		.soft = { .allocations = 5, .use_sec = 9 } };
	msg->combs[1] = (struct pfkey_comb){ .encrypt = ALG_ENCR_AES_GCM16,
		.encrypt_min_bits = 128,
		.encrypt_max_bits = 128,
		.salt_bits = 32 };
	msg->spi_min = 0x100;
	msg->spi_max = 0xffffffff;
	ck_assert_str_eq(blocks(&shown, msg, &(struct keys_wire){ 0 }, false),
		"PRP: Proposal, replay window size=32, number of combinations=2.\n"
		"PRP: Combination #1\n"
		"PRP: Authentication algorithm = hmac-sha256, minbits=256, maxbits=256.\n"
		"PRP: Encryption algorithm = aes-cbc, minbits=128, maxbits=256.\n"
		"PRP: HARD: allocations=0, bytes=7, post-add seconds=28800, post-use seconds=0.\n"
		"PRP: SOFT: allocations=5, bytes=0, post-add seconds=0, post-use seconds=9.\n"
		"PRP: Combination #2\n"
		"PRP: Encryption algorithm = aes-gcm, minbits=128, maxbits=128, saltbits=32.\n"
		"PRP: HARD: allocations=0, bytes=0, post-add seconds=0, post-use seconds=0.\n"
		"PRP: SOFT: allocations=0, bytes=0, post-add seconds=0, post-use seconds=0.\n"
		"SPR: SPI range, min=0x100, max=0xffffffff\n");
}
END_TEST

START_TEST(extended_proposal)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();
	CLEANUP(shown_done) struct shown shown = { 0 };
	struct pfkey_ecomb *ecomb;

	msg->type = PFKEY_ACQUIRE;
	msg->present = PFKEY_BIT(PFKEY_EXT_EPROP);
	msg->eprop = calloc(1, sizeof(*msg->eprop));
	ck_assert_ptr_nonnull(msg->eprop);
	msg->eprop->replay = 64;
	msg->eprop->n_ecombs = 1;
	ecomb = &msg->eprop->ecombs[0];
	ecomb->n_algs = 3;
	ecomb->hard.add_sec = 28800;
	ecomb->algs[0] = (struct pfkey_algdesc){ .satype = PFKEY_SATYPE_AH,
		.kind = PFKEY_ALGORITHM_AUTH,
		.number = ALG_AUTH_HMAC_SHA1,
		.min_bits = 160,
		.max_bits = 160 };
	ecomb->algs[1] = (struct pfkey_algdesc){ .satype = PFKEY_SATYPE_ESP,
		.kind = PFKEY_ALGORITHM_CRYPT,
		.number = ALG_ENCR_AES_GCM16,
		.salt_bits = 32,
		.min_bits = 128,
		.max_bits = 256 };
	ecomb->algs[2] = (struct pfkey_algdesc){ .satype = 9, .kind = 3, .number = 2 };
	ck_assert_str_eq(blocks(&shown, msg, &(struct keys_wire){ 0 }, false),
		"EPR: Extended proposal, replay window size=64, number of combinations=1.\n"
		"EPR: Extended combination #1, number of algorithms=3\n"
		"EPR: AH Authentication algorithm = hmac-sha1, minbits=160, maxbits=160.\n"
		"EPR: ESP Encryption algorithm = aes-gcm, minbits=128, maxbits=256, saltbits=32.\n"
		"EPR: <unknown 9> <unknown 3> algorithm 2.\n"
		"EPR: HARD: allocations=0, bytes=0, post-add seconds=28800, post-use seconds=0.\n"
		"EPR: SOFT: allocations=0, bytes=0, post-add seconds=0, post-use seconds=0.\n");
}
END_TEST

START_TEST(supported)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();
	CLEANUP(shown_done) struct shown shown = { 0 };

	msg->type = PFKEY_REGISTER;
	msg->present = PFKEY_BIT(PFKEY_EXT_SUPPORTED_AUTH) | PFKEY_BIT(PFKEY_EXT_SUPPORTED_ENCRYPT);
	msg->n_auth = msg->n_encrypt = 1;
	msg->auth[0] = (struct pfkey_algorithm){
		.number = ALG_AUTH_HMAC_SHA512, .min_bits = 512, .max_bits = 512
	};
	msg->encrypt[0] = (struct pfkey_algorithm){ .number = ALG_ENCR_AES_CCM16,
		.iv_bits = 64,
		.min_bits = 128,
		.max_bits = 256,
		.increment_bits = 64,
		.salt_bits = 24 };
	ck_assert_str_eq(blocks(&shown, msg, &(struct keys_wire){ 0 }, false),
		"SUA: Supported authentication algorithms\n"
		"SUA: hmac-sha512 minbits=512, maxbits=512, ivlen=0, saltbits=0.\n"
		"SUE: Supported encryption algorithms\n"
		"SUE: aes-ccm minbits=128, maxbits=256, ivlen=64, saltbits=24, increment=64.\n");
}
END_TEST

/* A base, a label with one word of bitmap, something unheard of, and one that ends too late. */
static const uint64_t wire_words[] = { 0, 0, 0, 0, 0, 0, 0x1122334455667788, 0 };

static struct keys_wire strange_wire(uint64_t words[static ARRAY_SIZE(wire_words)])
{
	const uint16_t label[] = { 3, PFKEY_EXT_SENSITIVITY }, unknown[] = { 2, 99 },
		       cut[] = { 200, 77 };
	const uint32_t dpd = 4;
	uint8_t *bytes = (uint8_t *)words;

	memcpy(words, wire_words, sizeof(wire_words));
	memcpy(bytes + 16, label, sizeof(label));
	memcpy(bytes + 20, &dpd, sizeof(dpd));
	bytes[24] = 5;
	bytes[25] = 1;
	bytes[26] = 6;
	memset(bytes + 32, 0x77, 8);
	memcpy(bytes + 40, unknown, sizeof(unknown));
	memcpy(bytes + 56, cut, sizeof(cut));
	return (struct keys_wire){ bytes, sizeof(wire_words) };
}

START_TEST(what_has_no_name)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();
	CLEANUP(shown_done) struct shown shown = { 0 }, hidden = { 0 };
	uint64_t words[ARRAY_SIZE(wire_words)];
	struct keys_wire wire = strange_wire(words);
	const char *found;

	msg->type = PFKEY_ADD;
	found = blocks(&shown, msg, &wire, false);
	ck_assert_ptr_eq(found,
		strstr(found,
			"SNS: Sensitivity label, DPD=4, sensitivity level=5, integrity level=6\n"
			"SNS: Bitmaps 0x7777777777777777\n"
			"UNK: Unknown extension type 99, length 16 bytes.\nUNK: 0x"));
	ck_assert_ptr_nonnull(strstr(found, " 0x1122334455667788\n"));
	ck_assert_ptr_null(strstr(found, "type 77"));
	/* Nobody knows whether it is a key. */
	found = blocks(&hidden, msg, &wire, true);
	ck_assert_ptr_nonnull(strstr(found, "UNK: XXXXXXXXXXXXXXXX XXXXXXXXXXXXXXXX\n"));
	ck_assert_ptr_null(strstr(found, "1122"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys_print");
	TCase *tc = tcase_create("keys_print");

	tcase_add_test(tc, proposal);
	tcase_add_test(tc, extended_proposal);
	tcase_add_test(tc, supported);
	tcase_add_test(tc, what_has_no_name);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
