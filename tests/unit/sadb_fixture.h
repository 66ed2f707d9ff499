/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole SADB in memory, with a clock that the test turns: host 192.0.2.1 and 2001:db8::1. */
#ifndef UNIT_SADB_FIXTURE_H
#define UNIT_SADB_FIXTURE_H

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "services/datapath/sad/sadb.h"
#include "tests/unit/suite.h"

#define SADB_FIXTURE_EVENTS 64

struct sadb_fixture {
	char dir[64];
	struct rcu *rcu;
	struct sad *sad;
	struct arena *arena;
	struct seqstore *seqstore;
	struct sadb *sadb;
	uint64_t now;
	struct tunables tunables;
	uint32_t jitter; /* of outbound soft limits, seconds */
	uint8_t released[SADB_FIXTURE_EVENTS]; /* first octets of packets that went on */
	size_t n_released, n_lost;
	enum verdict lost[SADB_FIXTURE_EVENTS];
	enum sadb_event_kind events[SADB_FIXTURE_EVENTS];
	uint32_t event_spis[SADB_FIXTURE_EVENTS];
	uint32_t event_seqs[SADB_FIXTURE_EVENTS];
	enum sa_proto asked[SADB_FIXTURE_EVENTS]; /* of ACQUIRE */
	size_t n_events;
};

static inline struct address fixture_addr(const char *text)
{
	struct address addr;

	ck_assert_int_eq(address_parse(text, &addr), 0);
	return addr;
}

static inline bool fixture_is_local(const struct address *addr, void *userdata)
{
	struct address v4 = fixture_addr("192.0.2.1"), v6 = fixture_addr("2001:db8::1");

	(void)userdata;
	return address_equal(addr, &v4) || address_equal(addr, &v6);
}

static inline uint64_t fixture_now(void *userdata)
{
	return ((struct sadb_fixture *)userdata)->now;
}

static inline uint32_t fixture_jitter(void *userdata)
{
	return ((struct sadb_fixture *)userdata)->jitter;
}

static inline void fixture_release(const struct sadb_packet *packet, void *userdata)
{
	struct sadb_fixture *f = userdata;

	ck_assert_uint_lt(f->n_released, SADB_FIXTURE_EVENTS);
	f->released[f->n_released++] = packet->bytes[0];
}

static inline void fixture_lost(enum verdict why, void *userdata)
{
	struct sadb_fixture *f = userdata;

	ck_assert_uint_lt(f->n_lost, SADB_FIXTURE_EVENTS);
	f->lost[f->n_lost++] = why;
}

static inline void fixture_event(const struct sadb_event *event, void *userdata)
{
	struct sadb_fixture *f = userdata;

	if (f->n_events == SADB_FIXTURE_EVENTS)
		return;
	f->events[f->n_events] = event->kind;
	f->event_spis[f->n_events] = event->entry ? event->entry->sa->spi : 0;
	f->event_seqs[f->n_events] = event->seq;
	if (event->acquire)
		f->asked[f->n_events] = event->acquire->proto;
	f->n_events++;
}

/* @arena_fd: what the fd store kept, or -1. The sequence store is that of f->dir. */
static inline void fixture_start(struct sadb_fixture *f, int arena_fd)
{
	struct sadb_parts parts = { .is_local = fixture_is_local,
		.now_usec = fixture_now,
		.jitter_sec = fixture_jitter,
		.tunables = &f->tunables,
		.release = fixture_release,
		.lost = fixture_lost,
		.packets_userdata = f,
		.now_userdata = f };

	ck_assert_int_eq(rcu_new(&f->rcu), 0);
	ck_assert_int_eq(arena_open(arena_fd, &f->arena), 0);
	ck_assert_int_eq(seqstore_open(f->dir, &f->seqstore), 0);
	f->sad = sad_new(f->rcu);
	ck_assert_ptr_nonnull(f->sad);
	parts.sad = f->sad;
	parts.arena = f->arena;
	parts.seqstore = f->seqstore;
	ck_assert_int_eq(sadb_new(&parts, &f->sadb), 0);
	ck_assert_int_eq(sadb_listen(f->sadb, fixture_event, f), 0);
	ck_assert_int_eq(sadb_restore(f->sadb), 0);
}

static inline struct sadb_fixture *fixture_new(void)
{
	struct sadb_fixture *f = calloc(1, sizeof(*f));

	ck_assert_ptr_nonnull(f);
	memcpy(f->dir, "/dev/shm/sadb-XXXXXX", 21);
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	f->now = 1000 * UINT64_C(1000000);
	tunables_init(&f->tunables);
	fixture_start(f, -1);
	return f;
}

static inline void fixture_stop(struct sadb_fixture *f)
{
	f->sadb = sadb_free(f->sadb);
	f->sad = sad_free(f->sad);
	f->rcu = rcu_free(f->rcu);
	f->seqstore = seqstore_free(f->seqstore);
	f->arena = arena_free(f->arena);
}

static inline void fixture_done(struct sadb_fixture *f)
{
	char path[96];

	fixture_stop(f);
	ck_assert_int_eq(text_fixed(path, sizeof(path), "%s/counters", f->dir), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(f->dir), 0);
	free(f);
}

/* The process dies; @arena_survives: the machine does not. */
static inline void fixture_crash(struct sadb_fixture *f, bool arena_survives)
{
	int fd = arena_survives ? fcntl(arena_fd(f->arena), F_DUPFD_CLOEXEC, 3) : -1;

	fixture_stop(f);
	f->n_events = 0;
	fixture_start(f, fd);
}

/* What a worker does with an SA that it used. */
static inline bool fixture_raise(struct sad_entry *entry, void *userdata)
{
	(void)userdata;
	sad_raise(entry);
	return true;
}

/* Time passes, and traffic for every SA. */
static inline void fixture_pass(struct sadb_fixture *f, uint64_t sec)
{
	f->now += sec * UINT64_C(1000000);
	sad_each(f->sad, fixture_raise, NULL);
	sadb_tick(f->sadb);
}

/* Time passes, and nothing else. */
static inline void fixture_wait(struct sadb_fixture *f, uint64_t sec)
{
	f->now += sec * UINT64_C(1000000);
	sadb_tick(f->sadb);
}

/* AES-128-CBC with HMAC-SHA-256, from this host to 192.0.2.17. */
static inline struct sa *fixture_sa(uint32_t spi)
{
	struct sa *sa = sa_new();
	uint8_t key[48];

	ck_assert_ptr_nonnull(sa);
	memset(key, (int)(spi % 200 + 1), sizeof(key));
	sa->proto = SA_PROTO_ESP;
	sa->spi = spi;
	sa->src = fixture_addr("192.0.2.1");
	sa->dst = fixture_addr("192.0.2.17");
	sa->encr = ALG_ENCR_AES_CBC;
	sa->encr_key_bits = 128;
	ck_assert_int_eq(secret_new(key, 16, &sa->encr_key), 0);
	sa->auth = ALG_AUTH_HMAC_SHA256;
	sa->auth_key_bits = 256;
	ck_assert_int_eq(secret_new(key + 16, 32, &sa->auth_key), 0);
	sa->state = SA_MATURE;
	sa->origin = SA_ORIGIN_PFKEY;
	return sa;
}

/* The other way, with a window. */
static inline struct sa *fixture_sa_in(uint32_t spi)
{
	struct sa *sa = fixture_sa(spi);

	sa->src = fixture_addr("192.0.2.17");
	sa->dst = fixture_addr("192.0.2.1");
	sa->replay_window = 64;
	return sa;
}

/* AES-GCM-16 with the salt behind the key, as in a request. */
static inline struct sa *fixture_sa_gcm(uint32_t spi, uint8_t fill)
{
	struct sa *sa = fixture_sa(spi);
	uint8_t key[20];

	memset(key, fill, sizeof(key));
	sa->encr = ALG_ENCR_AES_GCM16;
	sa->encr_key = secret_unref(sa->encr_key);
	sa->auth_key = secret_unref(sa->auth_key);
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	sa->encr_key_bits = 160;
	sa->auth = ALG_AUTH_NONE;
	sa->auth_key_bits = 0;
	return sa;
}

/* Consumed. @seq: of the question that it answers. */
static inline struct sad_entry *fixture_answer(struct sadb_fixture *f, struct sa *sa, uint32_t seq)
{
	struct sadb_request request = { .owner = 1, .seq = seq, .pid = 8 };
	struct sa_key key = sa_key_of(sa);
	struct sadb_refusal refusal = { 0 };
	int r = sadb_add(f->sadb, sa, &request, &refusal);

	ck_assert_msg(r == 0, "%d, diagnostic %u", r, refusal.diagnostic);
	return sad_find(f->sad, &key);
}

/* Consumed; of no question. */
static inline struct sad_entry *fixture_add(struct sadb_fixture *f, struct sa *sa)
{
	return fixture_answer(f, sa, 7);
}

static inline struct sad_entry *fixture_find(struct sadb_fixture *f, uint32_t spi)
{
	struct sa_key key = { SA_PROTO_ESP, spi, fixture_addr("192.0.2.17") };
	struct sad_entry *entry = sad_find(f->sad, &key);

	key.dst = fixture_addr("192.0.2.1");
	return entry ? entry : sad_find(f->sad, &key);
}

#endif
