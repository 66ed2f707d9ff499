/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/pfkey/pfkey_door.h"

#include <sys/stat.h>

#include "tests/unit/pfkey_lab.h"

START_TEST(socket_mode)
{
	struct lab *lab = lab_new();
	struct stat st;

	ck_assert_int_eq(stat(lab->path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0666);
	lab_done(lab);
}
END_TEST

START_TEST(add_is_told_to_all_without_keys)
{
	struct lab *lab = lab_new();

	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	for (int i = 0; i < CLIENTS; i++) {
		struct pfkey_message *msg = hear_type(lab, i, PFKEY_ADD, 0, 0);

		ck_assert_uint_eq(msg->seq, 7);
		ck_assert_uint_eq(msg->pid, 8);
		ck_assert_uint_eq(msg->sa->spi, 0x1001);
		ck_assert_ptr_null(msg->sa->encr_key);
		ck_assert_ptr_null(msg->sa->auth_key);
		ck_assert(msg->sa_flags & PFKEY_SAF_OUTBOUND);
		pfkey_message_free(msg);
	}
	ck_assert_uint_eq(sad_count(lab->f->sad), 1);
	say_sa(lab, 1, PFKEY_ADD, fixture_sa(0x1001));
	expect_all(lab, PFKEY_ADD, EEXIST, 0);
	lab_done(lab);
}
END_TEST

START_TEST(get)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg;
	struct sad_entry *entry;

	say_sa(lab, 0, PFKEY_GET, fixture_sa_gcm(0x1005, 1));
	expect(lab, 0, PFKEY_GET, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	hear_nothing(lab, 1);
	entry = fixture_add(lab->f, fixture_sa_gcm(0x1005, 1));
	expect_all(lab, PFKEY_ADD, 0, 0);
	atomic_store(&entry->run->bytes, 4321);
	atomic_store(&entry->run->packets, 3);
	atomic_store(&entry->run->seq, 3);
	atomic_store(&entry->run->first_use_usec, entry->run->added_usec + 5000000);
	say_sa(lab, 0, PFKEY_GET, fixture_sa_gcm(0x1005, 1));
	msg = hear_type(lab, 0, PFKEY_GET, 0, 0);
	ck_assert_uint_eq(msg->sa->encr_key_bits, 128);
	ck_assert_uint_eq(msg->sa->salt_bits, 32);
	ck_assert_uint_eq(secret_len(msg->sa->encr_key), 20);
	ck_assert_uint_eq(msg->current.bytes, 4321);
	ck_assert_uint_eq(msg->current.allocations, 3);
	ck_assert_uint_eq(msg->current.use_wall_sec - msg->current.add_wall_sec, 5);
	ck_assert_uint_eq(msg->sa->replay_value, 3);
	ck_assert(msg->sa_flags & PFKEY_SAF_USED);
	ck_assert_uint_eq(msg->sa->state, SA_MATURE);
	pfkey_message_free(msg);
	hear_nothing(lab, 1);
	lab_done(lab);
}
END_TEST

START_TEST(delete_and_flush)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg = request(PFKEY_DELETE, fixture_sa(0x1001));

	say_sa(lab, 0, PFKEY_DELETE, fixture_sa(0x1001));
	expect_all(lab, PFKEY_DELETE, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	(void)fixture_add(lab->f, fixture_sa(0x1001));
	(void)fixture_add(lab->f, fixture_sa(0x1002));
	expect_all(lab, PFKEY_ADD, 0, 0);
	expect_all(lab, PFKEY_ADD, 0, 0);
	say(lab, 0, msg);
	expect_all(lab, PFKEY_DELETE, 0, 0);
	msg->present &= ~PFKEY_BIT(PFKEY_EXT_SA);
	say(lab, 0, msg);
	expect_all(lab, PFKEY_DELETE, 0, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
	say(lab, 0, msg);
	expect_all(lab, PFKEY_DELETE, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	pfkey_message_free(msg);
	(void)fixture_add(lab->f, fixture_sa(0x1001));
	expect_all(lab, PFKEY_ADD, 0, 0);
	say_base(lab, 2, PFKEY_FLUSH, PFKEY_SATYPE_AH);
	expect_all(lab, PFKEY_FLUSH, 0, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 1);
	say_base(lab, 2, PFKEY_FLUSH, 0);
	expect_all(lab, PFKEY_FLUSH, 0, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
	lab_done(lab);
}
END_TEST

static const unsigned int dump_sizes[] = { 0, 1, 1000 };

START_TEST(dump)
{
	struct lab *lab = lab_new();
	unsigned int n = dump_sizes[_i], heard = 0;
	bool over = false;

	for (unsigned int i = 1; i <= n; i++)
		(void)fixture_add(lab->f, fixture_sa(0x1000 + i));
	for (int i = 1; i < CLIENTS; i++) { /* they do not read, and lose what is too much */
		(void)close(lab->fds[i]);
		lab->fds[i] = -1;
	}
	turn(lab);
	for (struct pfkey_message *msg; (msg = hear(lab, 0)) || (turn(lab), msg = hear(lab, 0));)
		pfkey_message_free(msg);
	say_base(lab, 0, PFKEY_DUMP, 0);
	if (n == 1000) { /* the second of two at a time */
		say_base(lab, 0, PFKEY_DUMP, 0);
	}
	while (!over) {
		struct pfkey_message *msg = hear(lab, 0);

		if (!msg) {
			turn(lab);
			msg = hear(lab, 0);
			ck_assert_ptr_nonnull(msg);
		}
		ck_assert_uint_eq(msg->type, PFKEY_DUMP);
		if (msg->error) {
			ck_assert_uint_eq(msg->error, ENOMEM);
		} else if (msg->seq == 0) {
			over = true;
			ck_assert_uint_eq(msg->present, 0);
			ck_assert_uint_eq(msg->pid, 8);
		} else {
			ck_assert_ptr_nonnull(msg->sa->encr_key);
			ck_assert_uint_eq(msg->sa->spi, 0x1000 + ++heard);
		}
		pfkey_message_free(msg);
	}
	ck_assert_uint_eq(heard, n);
	hear_nothing(lab, 0);
	lab_done(lab);
}
END_TEST

START_TEST(registered)
{
	struct lab *lab = lab_new();
	struct sadb_acquire acquire = { .proto = SA_PROTO_ESP,
		.src = fixture_addr("192.0.2.1"),
		.dst = fixture_addr("192.0.2.17"),
		.rule_id = 5 };
	CLEANUP(rule_freep) struct rule *rule = rule_new(1);
	struct pfkey_message *msg;
	bool has_gcm = false, has_sha256 = false, has_gmac = false;

	say_base(lab, 0, PFKEY_REGISTER, 0);
	expect(lab, 0, PFKEY_REGISTER, EINVAL, PFKEY_DIAG_SATYPE_NEEDED);
	say_base(lab, 0, PFKEY_REGISTER, PFKEY_SATYPE_AH);
	msg = hear_type(lab, 0, PFKEY_REGISTER, 0, 0);
	ck_assert_uint_eq(msg->n_encrypt, 0);
	for (size_t i = 0; i < msg->n_auth; i++)
		has_gmac |= msg->auth[i].number == ALG_AUTH_AES_GMAC128;
	ck_assert(has_gmac);
	pfkey_message_free(msg);
	say_base(lab, 0, PFKEY_REGISTER, PFKEY_SATYPE_ESP);
	msg = hear_type(lab, 0, PFKEY_REGISTER, 0, 0);
	for (size_t i = 0; i < msg->n_encrypt; i++)
		has_gcm |= msg->encrypt[i].number == ALG_ENCR_AES_GCM16 &&
			   msg->encrypt[i].salt_bits == 32 && msg->encrypt[i].min_bits == 128 &&
			   msg->encrypt[i].max_bits == 256;
	for (size_t i = 0; i < msg->n_auth; i++)
		ck_assert(!alg_is_ah_only(msg->auth[i].number));
	for (size_t i = 0; i < msg->n_auth; i++)
		has_sha256 |= msg->auth[i].number == ALG_AUTH_HMAC_SHA256 &&
			      msg->auth[i].min_bits == 256;
	ck_assert(has_gcm && has_sha256);
	pfkey_message_free(msg);
	rule->actions[0] = (struct action){ .kind = ACTION_PROTECT,
		.has_esp = true,
		.esp = { ALG_ENCR_AES_CBC, 128, 256 },
		.has_esp_auth = true,
		.esp_auth = { ALG_AUTH_HMAC_SHA256, 256, 256 } };
	acquire.rule = rule;
	sadb_need(lab->f->sadb, &acquire);
	hear_nothing(lab, 1);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	ck_assert_uint_eq(msg->pid, 0);
	ck_assert_uint_ge(msg->seq, 0x80000000U);
	ck_assert_uint_eq(msg->n_combs, 1);
	ck_assert_uint_eq(msg->combs[0].encrypt, ALG_ENCR_AES_CBC);
	ck_assert_uint_eq(msg->combs[0].auth_min_bits, 256);
	ck_assert(address_equal(&msg->sa->dst, &acquire.dst));
	/* The key manager cannot; then the question may be asked again. */
	sadb_need(lab->f->sadb, &acquire);
	hear_nothing(lab, 0);
	msg->error = ETIMEDOUT;
	msg->present = 0;
	say(lab, 0, msg);
	pfkey_message_free(msg);
	sadb_need(lab->f->sadb, &acquire);
	expect(lab, 0, PFKEY_ACQUIRE, 0, 0);
	/* Other algorithms: told again. */
	pfkey_door_algorithms_changed(lab->door);
	expect(lab, 0, PFKEY_REGISTER, 0, 0);
	hear_nothing(lab, 1);
	lab_done(lab);
}
END_TEST

START_TEST(expiry)
{
	struct lab *lab = lab_new();
	struct sa *sa = fixture_sa(0x1001);
	struct pfkey_message *msg;

	sa->soft.add_sec = 10;
	sa->hard.add_sec = 20;
	(void)fixture_add(lab->f, sa);
	expect_all(lab, PFKEY_ADD, 0, 0);
	fixture_pass(lab->f, 10);
	msg = hear_type(lab, 0, PFKEY_EXPIRE, 0, 0);
	ck_assert(msg->present & PFKEY_BIT(PFKEY_EXT_LIFETIME_SOFT));
	ck_assert(!(msg->present & PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD)));
	ck_assert(msg->present & PFKEY_BIT(PFKEY_EXT_LIFETIME_CURRENT));
	ck_assert_uint_eq(msg->sa->soft.add_sec, 10);
	ck_assert_uint_eq(msg->sa->state, SA_DYING);
	pfkey_message_free(msg);
	fixture_pass(lab->f, 10);
	msg = hear_type(lab, 0, PFKEY_EXPIRE, 0, 0);
	ck_assert(msg->present & PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD));
	pfkey_message_free(msg);
	expect(lab, 1, PFKEY_EXPIRE, 0, 0);
	lab_done(lab);
}
END_TEST

START_TEST(promiscuous)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg;

	say_base(lab, 2, PFKEY_X_PROMISC, 1);
	expect(lab, 2, PFKEY_X_PROMISC, 0, 0);
	hear_nothing(lab, 0);
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	msg = hear_type(lab, 2, PFKEY_ADD, 0, 0); /* the request, then the answer */
	ck_assert(msg->present & PFKEY_BIT(PFKEY_EXT_KEY_ENCRYPT));
	pfkey_message_free(msg);
	msg = hear_type(lab, 2, PFKEY_ADD, 0, 0);
	ck_assert(!(msg->present & PFKEY_BIT(PFKEY_EXT_KEY_ENCRYPT)));
	pfkey_message_free(msg);
	expect(lab, 0, PFKEY_ADD, 0, 0);
	hear_nothing(lab, 0);
	say_base(lab, 2, PFKEY_X_PROMISC, 0);
	expect(lab, 2, PFKEY_X_PROMISC, 0, 0);
	say_sa(lab, 0, PFKEY_GET, fixture_sa(0x1001));
	hear_nothing(lab, 2);
	say_base(lab, 2, PFKEY_X_PROMISC, 2);
	expect(lab, 2, PFKEY_X_PROMISC, EINVAL, PFKEY_DIAG_UNKNOWN_SATYPE);
	lab_done(lab);
}
END_TEST

/* Expiry is what the database says, never what it is told. */
START_TEST(not_supported)
{
	struct lab *lab = lab_new();

	say_base(lab, 0, PFKEY_EXPIRE, PFKEY_SATYPE_ESP);
	expect(lab, 0, PFKEY_EXPIRE, EOPNOTSUPP, 0);
	lab_done(lab);
}
END_TEST

START_TEST(rubbish)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg;
	static uint8_t big[70000];
	uint8_t base[16] = { 2, PFKEY_DUMP, 0, 3, 2, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0 };

	say_bytes(lab, 0, base, 15);
	expect(lab, 0, 0, EMSGSIZE, 0);
	base[1] = 99;
	say_bytes(lab, 0, base, 16);
	msg = hear_type(lab, 0, 0, EINVAL, PFKEY_DIAG_UNKNOWN_MSG);
	ck_assert_uint_eq(msg->seq, 9);
	ck_assert_uint_eq(msg->pid, 5);
	pfkey_message_free(msg);
	memcpy(big, base, sizeof(base));
	big[1] = PFKEY_GET;
	say_bytes(lab, 0, big, sizeof(big));
	expect(lab, 0, PFKEY_GET, EMSGSIZE, 0);
	hear_nothing(lab, 1);
	ck_assert_uint_eq(pfkey_door_peers(lab->door), CLIENTS);
	lab_done(lab);
}
END_TEST

/* Flags are checked where they still can be seen. */
static const struct {
	uint32_t flags;
	uint16_t diagnostic;
} bad_flags[] = {
	{ PFKEY_SAF_PFS, PFKEY_DIAG_BAD_SAFLAGS },
	{ PFKEY_SAF_TUNNEL, PFKEY_DIAG_MISSING_INNER_SRC },
	{ PFKEY_SAF_NATT_LOC, PFKEY_DIAG_MISSING_NATT_LOC },
	{ PFKEY_SAF_NATT_REM, PFKEY_DIAG_MISSING_NATT_REM },
};

START_TEST(flags)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg = request(PFKEY_ADD, fixture_sa(0x1001));
	uint8_t bytes[PFKEY_MAX_BYTES];
	size_t len;

	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, sizeof(bytes), &len), 0);
	memcpy(bytes + 16 + 12, &bad_flags[_i].flags, 4); /* the SA extension is the first */
	say_bytes(lab, 0, bytes, len);
	expect_all(lab, PFKEY_ADD, EINVAL, bad_flags[_i].diagnostic);
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
	pfkey_message_free(msg);
	lab_done(lab);
}
END_TEST

/* UDP encapsulation that needs no address has a flag of its own. */
START_TEST(encapsulation_without_addresses)
{
	struct lab *lab = lab_new();
	struct sa *sa = fixture_sa(0x1001);

	sa->flags |= SA_FLAG_ENCAP;
	say_sa(lab, 0, PFKEY_ADD, sa);
	expect_all(lab, PFKEY_ADD, 0, 0);
	ck_assert_ptr_nonnull(fixture_find(lab->f, 0x1001));
	ck_assert(fixture_find(lab->f, 0x1001)->sa->flags & SA_FLAG_ENCAP);
	lab_done(lab);
}
END_TEST

START_TEST(slow_reader)
{
	struct lab *lab = lab_new();
	unsigned int heard = 0, told = 0;
	struct pfkey_message *msg;

	/* Client 1 never reads. The others get everything, and memory stays bounded. */
	for (uint32_t i = 1; i <= 6000; i++) {
		(void)fixture_add(lab->f, fixture_sa(0x1000 + i));
		turn(lab);
		expect(lab, 0, PFKEY_ADD, 0, 0);
		expect(lab, 2, PFKEY_ADD, 0, 0);
	}
	do {
		for (; (msg = hear(lab, 1)); heard++) {
			told += msg->error == ENOBUFS && msg->type == 0;
			pfkey_message_free(msg);
		}
		turn(lab);
	} while ((msg = hear(lab, 1)) &&
		 (heard++, told += msg->error == ENOBUFS, pfkey_message_free(msg), true));
	ck_assert_uint_gt(heard, 100);
	ck_assert_uint_lt(heard, 6000);
	ck_assert_uint_eq(told, 1);
	/* It is heard again after that. */
	say_base(lab, 1, PFKEY_FLUSH, 0);
	expect_all(lab, PFKEY_FLUSH, 0, 0);
	lab_done(lab);
}
END_TEST

/* SAs come and go while a DUMP is on its way: each that stays is told of once, nobody waits. */
START_TEST(dump_under_change)
{
	enum { STAY = 100000, FIRST = 0x1000 };
	struct lab *lab = lab_new();
	uint8_t *heard = calloc(STAY, 1);
	struct sadb_refusal refusal;
	struct pfkey_message *msg;
	unsigned int turns = 0;
	uint32_t n;
	bool over = false;

	for (int i = 1; i < CLIENTS; i++) {
		(void)close(lab->fds[i]);
		lab->fds[i] = -1;
	}
	turn(lab);
	for (uint32_t i = 0; i < STAY; i++)
		(void)fixture_add(lab->f, fixture_sa(FIRST + i));
	do {
		turn(lab);
		for (n = 0; (msg = hear(lab, 0)); n++)
			pfkey_message_free(msg);
	} while (n > 0);
	say_base(lab, 0, PFKEY_DUMP, 0);
	for (n = 0; !over; n++) {
		struct sa_key key = { SA_PROTO_ESP, FIRST + (n * 7919U) % STAY,
			fixture_addr("192.0.2.17") };

		/* Every seventh goes in the end. */
		if (n % 3 == 0 && key.spi % 7 == 0)
			(void)!sadb_delete(lab->f->sadb, &key, NULL, NULL, &refusal);
		while (!over && (msg = hear(lab, 0))) {
			over = msg->type == PFKEY_DUMP && msg->sa->spi == 0;
			if (msg->type == PFKEY_DUMP && !over) {
				ck_assert_uint_ge(msg->sa->spi, FIRST);
				ck_assert_uint_lt(msg->sa->spi, FIRST + STAY);
				ck_assert_uint_eq(heard[msg->sa->spi - FIRST]++, 0);
			}
			pfkey_message_free(msg);
		}
		ck_assert_int_ge(sd_event_run(lab->event, 0), 0); /* one turn, never more */
		turns++;
	}
	ck_assert_uint_gt(turns, STAY / 256 / 2);
	for (uint32_t i = 0; i < STAY; i++)
		ck_assert_msg(heard[i] == 1 || (FIRST + i) % 7 == 0, "SPI %x", FIRST + i);
	free(heard);
	lab_done(lab);
}
END_TEST

START_TEST(comes_and_goes)
{
	struct lab *lab = lab_new();

	(void)close(lab->fds[1]);
	lab->fds[1] = -1;
	turn(lab);
	ck_assert_uint_eq(pfkey_door_peers(lab->door), CLIENTS - 1);
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	expect(lab, 0, PFKEY_ADD, 0, 0);
	expect(lab, 2, PFKEY_ADD, 0, 0);
	lab_done(lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_door");
	TCase *tc = tcase_create("pfkey_door");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, socket_mode);
	tcase_add_test(tc, add_is_told_to_all_without_keys);
	tcase_add_test(tc, get);
	tcase_add_test(tc, delete_and_flush);
	tcase_add_loop_test(tc, dump, 0, (int)ARRAY_SIZE(dump_sizes));
	tcase_add_test(tc, registered);
	tcase_add_test(tc, expiry);
	tcase_add_test(tc, promiscuous);
	tcase_add_test(tc, not_supported);
	tcase_add_test(tc, rubbish);
	tcase_add_loop_test(tc, flags, 0, (int)ARRAY_SIZE(bad_flags));
	tcase_add_test(tc, encapsulation_without_addresses);
	tcase_add_test(tc, slow_reader);
	tcase_add_test(tc, dump_under_change);
	tcase_add_test(tc, comes_and_goes);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
