/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host for the suites of the engine: policy, SAs, tunnels and what its engine told. */
#ifndef UNIT_ENGINE_HOST_H
#define UNIT_ENGINE_HOST_H

#include "services/datapath/engine/engine.h"
#include "tests/unit/packets.h"

#define MAX_SAS 8
#define HERE	"192.0.2.1"
#define THERE	"192.0.2.2"
#define HERE6	"2001:db8::1"
#define THERE6	"2001:db8::2"

static const struct test_suite gcm = { "gcm", ALG_ENCR_AES_GCM16, 128, 32, ALG_AUTH_NONE, 0, 16, 8,
	4 };
static const struct test_suite cbc = { "cbc", ALG_ENCR_AES_CBC, 128, 0, ALG_AUTH_HMAC_SHA256, 256,
	16, 16, 16 };
static const struct test_suite null = { "null", ALG_ENCR_NULL, 0, 0, ALG_AUTH_HMAC_SHA1, 160, 12, 0,
	4 };

/* One host: its policy, its SAs, its engine. */
struct host {
	struct rcu *rcu;
	unsigned int slot;
	struct sad *sad;
	struct sad_entry *entries[MAX_SAS];
	struct sa_run *runs[MAX_SAS];
	size_t n_sas;
	struct rule *rules[16];
	size_t n_rules;
	struct tunnel_table tunnels;
	RCU_POINTER(struct engine_view) view;
	struct counters counters;
	struct engine *engine;
	struct sadb_acquire asked;
	unsigned int n_asked, n_events;
	_Atomic int stop; /* of threads */
	uint32_t mtu;
	engine_mtu_fn mtu_of;
	struct frag_store *const *fragments;
};

static inline void on_acquire(const struct sadb_acquire *acquire, void *userdata)
{
	struct host *host = userdata;

	host->asked = *acquire;
	host->n_asked++;
}

static inline void on_event(struct sad_entry *entry, void *userdata)
{
	struct host *host = userdata;

	ck_assert_uint_ne(atomic_load(&entry->run->events), 0);
	host->n_events++;
}

static inline void host_init(struct host *host)
{
	memset(host, 0, sizeof(*host));
	ck_assert_int_eq(rcu_new(&host->rcu), 0);
	ck_assert_int_eq(rcu_register(host->rcu, &host->slot), 0);
	host->sad = sad_new(host->rcu);
	ck_assert_ptr_nonnull(host->sad);
}

static inline struct action esp_action(uint8_t encr, uint8_t auth)
{
	struct action action = {
		.kind = ACTION_PROTECT,
		.has_esp = true,
		.esp = { .number = encr, .max_bits = UINT16_MAX },
		.has_esp_auth = auth != ALG_AUTH_NONE,
		.esp_auth = { .number = auth, .max_bits = UINT16_MAX },
	};

	return action;
}

static inline struct action plain_action(enum action_kind kind)
{
	struct action action = { .kind = kind };

	return action;
}

/* A rule for all of @protocol (0: any), both ways, with room for two alternatives. */
static inline struct rule *add_rule(struct host *host, const char *tunnel, uint8_t protocol,
	struct action first, const struct action *second)
{
	struct rule *rule = rule_new(second ? 2 : 1);

	ck_assert_ptr_nonnull(rule);
	ck_assert_int_eq(text_copy(rule->tunnel, sizeof(rule->tunnel), tunnel), 0);
	rule->negotiate = tunnel[0] != '\0' ? TUNNEL_TUNNEL : TUNNEL_NONE;
	rule->directions = DIRECTION_BIT_BOTH;
	rule->selector.protocol = protocol;
	rule->order = (uint32_t)host->n_rules + 1;
	rule->actions[0] = first;
	if (second)
		rule->actions[1] = *second;
	host->rules[host->n_rules++] = rule;
	return rule;
}

static inline struct sa *add_sa(struct host *host, const struct test_suite *suite, uint32_t spi,
	enum sa_mode mode, const char *src, const char *dst)
{
	struct sad_entry *entry = sad_entry_new();
	struct sa *sa = test_sa(suite, mode, src, dst);

	ck_assert_ptr_nonnull(entry);
	sa->spi = spi;
	entry->sa = sa;
	entry->run = host->runs[host->n_sas] = test_run(64);
	ck_assert_int_eq(suite_of(sa, &entry->suite), 0);
	host->entries[host->n_sas++] = entry;
	return sa;
}

static inline struct tunnel *add_tunnel(
	struct host *host, const char *name, const char *src, const char *dst)
{
	struct tunnel *tunnel = &host->tunnels.tunnels[host->tunnels.count++];

	ck_assert_int_eq(text_copy(tunnel->name, sizeof(tunnel->name), name), 0);
	tunnel->src = test_address(src);
	tunnel->dst = test_address(dst);
	return tunnel;
}

/* Directions by address, as the SAD's keeper settles them: @here is ours. */
static inline void host_start(struct host *host, const char *here, const char *here_too)
{
	struct address local = test_address(here), local_too = test_address(here_too);
	struct engine_view_parts parts = {
		.tunnels = &host->tunnels, .sad = host->sad, .generation = 1
	};
	struct engine_setup setup = { .view = &host->view,
		.counters = &host->counters,
		.on_acquire = on_acquire,
		.on_event = on_event,
		.userdata = host,
		.path_mtu = host->mtu,
		.mtu_of = host->mtu_of,
		.fragments = host->fragments };
	struct engine_view *view;

	for (size_t i = 0; i < host->n_sas; i++) {
		const struct address *dst = &host->entries[i]->sa->dst;

		host->entries[i]->directions = address_equal(dst, &local) ||
							       address_equal(dst, &local_too)
						       ? SA_INBOUND
						       : SA_OUTBOUND;
		if (address_is_multicast(dst))
			host->entries[i]->directions = SA_INBOUND | SA_OUTBOUND;
		sa_normalise(host->entries[i]->sa);
		ck_assert_int_eq(sad_insert(host->sad, host->entries[i]), 0);
	}
	ck_assert_int_eq(spd_new(host->rules, host->n_rules, SPD_FIRST_MATCH, &parts.spd), 0);
	ck_assert_int_eq(engine_view_new(&parts, &view), 0);
	rcu_publish(&host->view, view);
	ck_assert_int_eq(engine_new(&setup, &host->engine), 0);
}

static inline void host_done(struct host *host)
{
	(void)engine_free(host->engine);
	(void)engine_view_free(rcu_read(&host->view));
	rcu_unregister(host->rcu, host->slot);
	(void)sad_free(host->sad);
	(void)rcu_free(host->rcu);
	for (size_t i = 0; i < host->n_sas; i++)
		free(host->runs[i]);
}

static inline struct engine_result send_one(struct host *host, struct packet *pkt, int tunnel)
{
	struct engine_result result;

	engine_outbound(host->engine, &pkt, 1, tunnel, &result);
	ck_assert_uint_ge(atomic_load(&host->counters.packets[result.verdict]), 1);
	return result;
}

static inline struct engine_result receive_one(struct host *host, struct packet *pkt)
{
	struct engine_result result;

	engine_inbound(host->engine, &pkt, 1, &result);
	ck_assert_uint_ge(atomic_load(&host->counters.packets[result.verdict]), 1);
	return result;
}

static inline void expect(
	struct engine_result got, enum engine_exit exit, enum verdict verdict, const char *what)
{
	ck_assert_msg(got.verdict == verdict && got.exit == exit, "%s: exit %d, %s", what,
		(int)got.exit, verdict_name(got.verdict));
}

#endif
