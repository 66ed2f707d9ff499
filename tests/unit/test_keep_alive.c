/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which SAs in UDP are taken, and when their translator is reminded of them. */
#include <errno.h>

#include "tests/unit/sadb_fixture.h"

#define EVERY (20 * UINT64_C(1000000))

static struct sa *natt_sa(uint32_t spi, const char *natt_local)
{
	struct sa *sa = fixture_sa(spi);

	sa->flags |= SA_FLAG_ENCAP;
	if (natt_local)
		sa->natt_local = fixture_addr(natt_local);
	else
		sa->natt_remote = fixture_addr("10.0.0.2");
	return sa;
}

static void count(const struct sad_entry *entry, void *userdata)
{
	unsigned int *sent = userdata;

	ck_assert_uint_eq(entry->sa->spi, 0x1001);
	(*sent)++;
}

static unsigned int pass(struct sadb_fixture *f, uint64_t sec, uint64_t every)
{
	unsigned int sent = 0;

	fixture_pass(f, sec);
	sadb_keep_alive(f->sadb, every, count, &sent);
	return sent;
}

START_TEST(idle_ones_are_kept_alive)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, natt_sa(0x1001, "198.51.100.1"));

	ck_assert_uint_eq(pass(f, 19, EVERY), 0);
	ck_assert_uint_eq(pass(f, 1, EVERY), 1);
	ck_assert_uint_eq(pass(f, 1, EVERY), 0); /* the last one is young */
	ck_assert_uint_eq(pass(f, 18, EVERY), 0);
	ck_assert_uint_eq(pass(f, 1, EVERY), 1);
	/* Traffic does the same. */
	atomic_store(&entry->run->last_use_usec, f->now + 10 * UINT64_C(1000000));
	ck_assert_uint_eq(pass(f, 20, EVERY), 0);
	ck_assert_uint_eq(pass(f, 9, EVERY), 0);
	ck_assert_uint_eq(pass(f, 1, EVERY), 1);
	atomic_store(&entry->run->state, SA_DYING);
	ck_assert_uint_eq(pass(f, 20, EVERY), 1);
	atomic_store(&entry->run->state, SA_DEAD);
	ck_assert_uint_eq(pass(f, 20, EVERY), 0);
	fixture_done(f);
}
END_TEST

/* Only what goes out, in UDP, from behind a translator. */
START_TEST(others_are_not)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *in = fixture_sa_in(0x1002);

	in->flags |= SA_FLAG_ENCAP;
	in->natt_local = fixture_addr("198.51.100.1");
	(void)fixture_add(f, in);
	(void)fixture_add(f, fixture_sa(0x1003));
	(void)fixture_add(f, natt_sa(0x1004, NULL));
	ck_assert_uint_eq(pass(f, 100, EVERY), 0);
	fixture_done(f);
}
END_TEST

enum natt { LOCAL, REMOTE };
static const struct {
	const char *name;
	enum natt which;
	const char *addr;
	bool ipv6, no_socket;
	int error;
	uint16_t diagnostic;
} natts[] = {
	{ "ours was translated", LOCAL, "198.51.100.1", false, false, 0, 0 },
	{ "the peer's was translated", REMOTE, "10.0.0.2", false, false, 0, 0 },
	{ "the local one is ours", LOCAL, "192.0.2.1", false, false, EINVAL,
		PFKEY_DIAG_MALFORMED_NATT_LOC },
	{ "the remote one is ours", REMOTE, "192.0.2.1", false, false, EINVAL,
		PFKEY_DIAG_MALFORMED_NATT_REM },
	{ "the local one is IPv6", LOCAL, "2001:db8::7", false, false, EINVAL,
		PFKEY_DIAG_MALFORMED_NATT_LOC },
	{ "the remote one is IPv6", REMOTE, "2001:db8::7", false, false, EINVAL,
		PFKEY_DIAG_MALFORMED_NATT_REM },
	{ "nobody", LOCAL, "0.0.0.0", false, false, EINVAL, PFKEY_DIAG_MALFORMED_NATT_LOC },
	{ "nobody there", REMOTE, "0.0.0.0", false, false, EINVAL, PFKEY_DIAG_MALFORMED_NATT_REM },
	{ "a group", LOCAL, "224.0.0.9", false, false, EINVAL, PFKEY_DIAG_MALFORMED_NATT_LOC },
	{ "IPv4 for an SA of IPv6", LOCAL, "198.51.100.1", true, false, EINVAL,
		PFKEY_DIAG_BAD_NATT_LOC_AF },
	{ "the same, remote", REMOTE, "198.51.100.1", true, false, EINVAL,
		PFKEY_DIAG_BAD_NATT_REM_AF },
	{ "IPv6 with ports alone", LOCAL, NULL, true, false, 0, 0 },
	{ "no socket", LOCAL, "198.51.100.1", false, true, EOPNOTSUPP, PFKEY_DIAG_BAD_SAFLAGS },
};

START_TEST(who_is_taken)
{
	struct sadb_fixture *f = fixture_new();
	struct sadb_refusal refusal = { 0 };
	struct sa *sa = fixture_sa(0x1001);
	struct sadb_parts parts = { .sad = f->sad,
		.arena = f->arena,
		.seqstore = f->seqstore,
		.is_local = fixture_is_local,
		.no_udp = natts[_i].no_socket,
		.now_usec = fixture_now,
		.now_userdata = f };
	int r;

	f->sadb = sadb_free(f->sadb);
	ck_assert_int_eq(sadb_new(&parts, &f->sadb), 0);
	sa->flags |= SA_FLAG_ENCAP;
	if (natts[_i].ipv6) {
		sa->src = fixture_addr("2001:db8::1");
		sa->dst = fixture_addr("2001:db8::2");
	}
	if (natts[_i].addr)
		*(natts[_i].which == LOCAL ? &sa->natt_local : &sa->natt_remote) = fixture_addr(
			natts[_i].addr);
	r = sadb_add(f->sadb, sa, NULL, &refusal);
	ck_assert_msg(r == -natts[_i].error && refusal.diagnostic == natts[_i].diagnostic,
		"%s: %d, diagnostic %u", natts[_i].name, r, refusal.diagnostic);
	if (r < 0)
		sa_free(sa);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keep_alive");
	TCase *tc = tcase_create("keep_alive");

	tcase_add_test(tc, idle_ones_are_kept_alive);
	tcase_add_test(tc, others_are_not);
	tcase_add_loop_test(tc, who_is_taken, 0, (int)ARRAY_SIZE(natts));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
