/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One SADB behind both numberings. */
#include "services/datapath/esp/esp.h"
#include "tests/unit/pfkey_linux_world.h"

/* An SA by either numbering is one SA, and told to all of both without keys. */
START_TEST(one_database)
{
	struct world *w = world_new();
	CLEANUP(sa_freep) struct sa *sa = fixture_sa(0x2002);
	struct pfkey_message *msg = pfkey_message_of_sa(PFKEY_ADD, sa, true), *heard;

	msg->present |= PFKEY_LINUX_HAS_SA2 | PFKEY_LINUX_HAS_NATT_TYPE | PFKEY_LINUX_HAS_SPORT |
			PFKEY_LINUX_HAS_DPORT;
	msg->sa->reqid = 99;
	msg->sa->flags |= SA_FLAG_ENCAP;
	msg->natt_src_port = 4501;
	msg->natt_dst_port = 40000;
	tell(w, 0, msg);
	for (int i = 0; i < LINUX_CLIENTS; i++) {
		heard = told(w, i, PFKEY_ADD, 0);
		ck_assert_uint_eq(heard->sa->reqid, 99);
		ck_assert_ptr_null(heard->sa->encr_key);
		/* It is outbound: the source's port is ours. */
		ck_assert_uint_eq(heard->natt_src_port, 4501);
		ck_assert_uint_eq(heard->natt_dst_port, 40000);
		pfkey_message_free(heard);
	}
	for (int i = 0; i < CLIENTS; i++) {
		heard = hear_type(w->lab, i, PFKEY_ADD, 0, 0);
		ck_assert_uint_eq(heard->sa->spi, 0x2002);
		pfkey_message_free(heard);
	}
	pfkey_message_free(msg);
	say_sa(w->lab, 0, PFKEY_DELETE, fixture_sa(0x2002));
	pfkey_message_free(told(w, 0, PFKEY_DELETE, 0));
	ck_assert_uint_eq(sad_count(w->lab->f->sad), 0);
	world_done(w);
}
END_TEST

/* A key manager that begins with a FLUSH does not mean manual keys. */
START_TEST(flush_is_for_managed_keys)
{
	struct world *w = world_new();
	struct sa *manual = fixture_sa(0x3001);
	struct pfkey_message *msg = policy_message(PFKEY_FLUSH, PFKEY_LINUX_DIR_OUT);

	manual->origin = SA_ORIGIN_KEYS;
	(void)fixture_add(w->lab->f, manual);
	(void)fixture_add(w->lab->f, fixture_sa_gcm(0x3002, 2));
	for (int i = 0; i < 2; i++) {
		expect_all(w->lab, PFKEY_ADD, 0, 0);
		pfkey_message_free(told(w, 0, PFKEY_ADD, 0));
	}
	msg->present = 0;
	tell(w, 0, msg);
	pfkey_message_free(told(w, 0, PFKEY_FLUSH, 0));
	ck_assert_uint_eq(sad_count(w->lab->f->sad), 1);
	pfkey_message_free(msg);
	world_done(w);
}
END_TEST

/* Octets of IV where the other numbering has bits, and a number for "no integrity". */
START_TEST(supported)
{
	struct world *w = world_new();
	struct pfkey_message *msg = pfkey_message_new(), *heard;
	bool gcm = false;

	msg->type = PFKEY_REGISTER;
	msg->satype = PFKEY_SATYPE_ESP;
	tell(w, 0, msg);
	heard = told(w, 0, PFKEY_REGISTER, 0);
	told_nothing(w, 1);
	for (size_t i = 0; i < heard->n_encrypt; i++)
		if (heard->encrypt[i].number == ALG_ENCR_AES_GCM16) {
			ck_assert_uint_eq(heard->encrypt[i].iv_bits, 8);
			gcm = true;
		}
	ck_assert(gcm);
	ck_assert_uint_eq(heard->auth[heard->n_auth - 1].number, PFKEY_LINUX_AUTH_NULL);
	pfkey_message_free(heard);
	pfkey_message_free(msg);
	world_done(w);
}
END_TEST

/* Nobody who numbers as Linux repeats the number of a question: by its ends an SA answers it. */
START_TEST(an_sa_answers_by_its_ends)
{
	struct world *w = world_new();
	CLEANUP(sa_freep) struct sa *sa = fixture_sa(0x2002);
	struct pfkey_message *reg = pfkey_message_new(), *msg, *heard;
	struct sadb_acquire acquire = { .proto = SA_PROTO_ESP, .src = sa->src, .dst = sa->dst };

	reg->type = PFKEY_REGISTER;
	reg->satype = PFKEY_SATYPE_ESP;
	tell(w, 0, reg);
	pfkey_message_free(told(w, 0, PFKEY_REGISTER, 0));
	acquire.packet = calloc(1, sizeof(*acquire.packet) + 1);
	acquire.packet->len = 1;
	sadb_need(w->lab->f->sadb, &acquire);
	heard = told(w, 0, PFKEY_ACQUIRE, 0);
	say_sa(w->lab, 0, PFKEY_ADD,
		fixture_sa(0x2001)); /* in the other numbering that is no answer */
	pfkey_message_free(told(w, 0, PFKEY_ADD, 0));
	ck_assert_uint_eq(w->lab->f->n_released, 0);
	msg = pfkey_message_of_sa(PFKEY_ADD, sa, true);
	msg->seq = heard->seq + 1;
	tell(w, 0, msg);
	pfkey_message_free(told(w, 0, PFKEY_ADD, 0));
	ck_assert_uint_eq(w->lab->f->n_released, 1);
	pfkey_message_free(heard);
	pfkey_message_free(msg);
	pfkey_message_free(reg);
	world_done(w);
}
END_TEST

/* What a worker does that hears an authentic packet from another port. */
static void come_from(struct world *w, struct sad_entry *entry, uint16_t port)
{
	atomic_store(&entry->run->peer_port, port);
	atomic_fetch_or(&entry->run->events, SA_EVENT_MAPPING);
	sad_raise(entry);
	sadb_tick(w->lab->f->sadb);
}

static void ck_mapping(struct world *w, uint16_t before, uint16_t now)
{
	struct pfkey_message *heard = told(w, 0, PFKEY_LINUX_NAT_T_NEW_MAPPING, 0);

	ck_assert_uint_eq(heard->satype, PFKEY_SATYPE_ESP);
	ck_assert_uint_eq(heard->sa->spi, 0x2003);
	ck_assert_uint_eq(heard->natt_src_port, before);
	ck_assert_uint_eq(heard->natt_dst_port, now);
	ck_assert(heard->present & PFKEY_LINUX_HAS_SA2);
	ck_assert(prefix_is_host(&heard->policy.src) && prefix_is_host(&heard->policy.dst));
	pfkey_message_free(heard);
}

/* Who is registered hears where the peer's NAT is now, once for each change. */
START_TEST(a_nat_forgets)
{
	struct world *w = world_new();
	struct pfkey_message *reg = pfkey_message_new();
	struct sa *sa = fixture_sa_in(0x2003);
	struct sad_entry *entry;

	reg->type = PFKEY_REGISTER;
	reg->satype = PFKEY_SATYPE_ESP;
	tell(w, 0, reg);
	pfkey_message_free(told(w, 0, PFKEY_REGISTER, 0));
	pfkey_message_free(reg);
	sa->flags |= SA_FLAG_ENCAP;
	entry = fixture_add(w->lab->f, sa);
	expect_all(w->lab, PFKEY_ADD, 0, 0);
	for (int i = 0; i < LINUX_CLIENTS; i++)
		pfkey_message_free(told(w, i, PFKEY_ADD, 0));
	come_from(w, entry, 40000);
	ck_mapping(w, 4500, 40000);
	come_from(w, entry, 40000); /* a second worker's word */
	told_nothing(w, 0);
	come_from(w, entry, 40001);
	ck_mapping(w, 40000, 40001);
	told_nothing(w, 1);
	for (int i = 0; i < CLIENTS; i++) /* the other numbering has no such message */
		hear_nothing(w->lab, i);
	world_done(w);
}
END_TEST

/* A whole SA again, with its keys and where its peer is by now. Consumed. */
static void update(struct world *w, struct sa *sa, uint16_t src_port, uint16_t dst_port, int error)
{
	struct pfkey_message *msg = pfkey_message_of_sa(PFKEY_UPDATE, sa, true), *heard;

	msg->present |= PFKEY_LINUX_HAS_SA2 | PFKEY_LINUX_HAS_NATT_TYPE;
	msg->sa->flags |= SA_FLAG_ENCAP;
	if (src_port)
		msg->present |= PFKEY_LINUX_HAS_SPORT | PFKEY_LINUX_HAS_DPORT;
	msg->natt_src_port = src_port;
	msg->natt_dst_port = dst_port;
	tell(w, 0, msg);
	heard = told(w, 0, PFKEY_UPDATE, error);
	if (src_port && !error) {
		ck_assert_uint_eq(heard->natt_src_port, src_port);
		ck_assert_uint_eq(heard->natt_dst_port, dst_port);
	}
	ck_assert_ptr_null(heard->sa->encr_key);
	pfkey_message_free(heard);
	pfkey_message_free(msg);
	sa_free(sa);
}

static uint16_t peer_port(const struct world *w, uint32_t spi, const char *dst)
{
	struct sa_key key = { .proto = SA_PROTO_ESP, .spi = spi, .dst = fixture_addr(dst) };
	const struct sad_entry *entry = sad_find(w->lab->f->sad, &key);

	return esp_peer_port(entry->sa, entry->run);
}

/* Who keeps the keys moves both ways of an SA to where its peer is, and no key with them. */
START_TEST(the_key_manager_follows)
{
	struct world *w = world_new();
	struct sa *in = fixture_sa_in(0x2003), *out = fixture_sa(0x2004), *plain;
	struct sad_entry *entry;
	struct sa_key key = sa_key_of(in);

	in->flags |= SA_FLAG_ENCAP;
	out->flags |= SA_FLAG_ENCAP;
	entry = fixture_add(w->lab->f, in);
	(void)fixture_add(w->lab->f, out);
	(void)fixture_add(w->lab->f, fixture_sa(0x2005));
	for (int i = 0; i < 3; i++)
		pfkey_message_free(told(w, 0, PFKEY_ADD, 0));
	atomic_store(&entry->run->seq, 77);
	come_from(w, entry, 40000);
	update(w, fixture_sa(0x2004), 4500, 40001, 0);
	ck_assert_uint_eq(peer_port(w, 0x2004, "192.0.2.17"), 40001);
	ck_assert_uint_eq(peer_port(w, 0x2003, "192.0.2.1"), 40000);
	update(w, fixture_sa_in(0x2003), 40001, 4500, 0);
	ck_assert_uint_eq(peer_port(w, 0x2003, "192.0.2.1"), 40001);
	entry = sad_find(w->lab->f->sad, &key);
	ck_assert_uint_eq(atomic_load(&entry->run->seq), 77); /* it is the same SA */
	/* Ports that are not named stay, and so do those of what is not in UDP. */
	plain = fixture_sa(0x2004);
	plain->hard.bytes = 1000000;
	update(w, plain, 0, 0, 0);
	ck_assert_uint_eq(peer_port(w, 0x2004, "192.0.2.17"), 40001);
	plain = fixture_sa(0x2005);
	plain->encr_key = secret_unref(plain->encr_key);
	ck_assert_int_eq(secret_new((const uint8_t[16]){ 1 }, 16, &plain->encr_key), 0);
	update(w, plain, 4500, 40001, EINVAL);
	world_done(w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_linux_sadb");
	TCase *tc = tcase_create("pfkey_linux_sadb");

	tcase_add_test(tc, one_database);
	tcase_add_test(tc, flush_is_for_managed_keys);
	tcase_add_test(tc, supported);
	tcase_add_test(tc, an_sa_answers_by_its_ends);
	tcase_add_test(tc, a_nat_forgets);
	tcase_add_test(tc, the_key_manager_follows);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
