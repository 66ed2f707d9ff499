/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant_policy.h"

#include "tests/unit/rules.h"

static struct rule *of_tunnel(struct rule *rule, const char *name, enum tunnel_mode mode)
{
	memcpy(rule->tunnel, name, strlen(name) + 1);
	rule->negotiate = mode;
	return rule;
}

static struct rule *one_way(struct rule *rule, uint8_t directions)
{
	rule->directions = directions;
	return rule;
}

static const struct selector none;

/* Host policy, a tunnel in tunnel mode, one in transport mode, one without rules. */
static struct spd *policy(void)
{
	struct rule *rules[] = {
		rules_make((struct selector){ .protocol = 6, .remote_port = 80 }, rules_esp, 0),
		rules_make((struct selector){ .protocol = 17 }, rules_drop, 1),
		one_way(rules_make((struct selector){ .protocol = 1 }, rules_ah, 2),
			DIRECTION_BIT_IN),
		of_tunnel(rules_make((struct selector){ .remote = rules_prefix("10.2.0.0", 16) },
				  rules_esp, 3),
			"tun0", TUNNEL_TUNNEL),
		of_tunnel(rules_make((struct selector){ .protocol = 17 }, rules_bypass, 4), "tun1",
			TUNNEL_TRANSPORT),
		of_tunnel(rules_make(none, rules_ah, 5), "tun1", TUNNEL_TRANSPORT),
		rules_make((struct selector){ .protocol = 4 }, rules_esp, 6),
	};
	struct spd *spd = NULL;

	ck_assert_int_eq(spd_new(rules, ARRAY_SIZE(rules), SPD_FIRST_MATCH, &spd), 0);
	return spd;
}

static struct tunnel_table *tunnels(void)
{
	struct tunnel_table *table = calloc(1, sizeof(*table));

	ck_assert_ptr_nonnull(table);
	for (size_t i = 0; i < 3; i++) {
		struct tunnel *tunnel = &table->tunnels[i + 1]; /* the first slot is empty */
		static const char *const far[] = { "192.0.2.20", "192.0.2.21", "192.0.2.22" };

		memcpy(tunnel->name, "tun0", 5);
		tunnel->name[3] = (char)('0' + i);
		tunnel->src = rules_addr("192.0.2.1");
		tunnel->dst = rules_addr(far[i]);
	}
	table->count = 4;
	return table;
}

/* 0: no rule, else the order of the one that is meant plus one. */
static const struct {
	const char *name, *remote, *inner;
	uint8_t protocol, inner_protocol;
	uint16_t port;
	uint32_t want;
	bool tunnel_mode;
} cases[] = {
	{ "host, by port", "192.0.2.17", NULL, 6, 0, 80, 1, false },
	{ "host, another port", "192.0.2.17", NULL, 6, 0, 81, 0, false },
	{ "host, no port", "192.0.2.17", NULL, 6, 0, 0, 0, false },
	{ "host, dropped", "192.0.2.17", NULL, 17, 0, 0, 0, false },
	{ "host, protected inbound alone", "192.0.2.17", NULL, 1, 0, 0, 3, false },
	{ "tunnel mode", "192.0.2.20", "10.2.3.4", 4, 6, 80, 4, true },
	{ "tunnel mode, elsewhere", "192.0.2.20", "10.3.3.4", 4, 6, 80, 0, true },
	{ "tunnel mode without inner addresses", "192.0.2.20", NULL, 4, 0, 0, 0, false },
	{ "transport mode", "192.0.2.21", NULL, 4, 0, 0, 6, false },
	{ "transport mode with inner addresses", "192.0.2.21", "10.2.3.4", 4, 6, 0, 0, false },
	{ "a tunnel without rules", "192.0.2.22", NULL, 4, 0, 0, 7, false },
	{ "no tunnel", "192.0.2.17", NULL, 4, 0, 0, 7, false },
	{ "inner addresses, no outer protocol", "192.0.2.20", "10.2.3.4", 0, 6, 80, 0, false },
};

START_TEST(found)
{
	CLEANUP(spd_freep) struct spd *spd = policy();
	CLEANUP(freep) struct tunnel_table *table = tunnels();
	struct pfkey_policy_query query = { .outer = { .direction = DIRECTION_OUT,
						    .local = rules_addr("192.0.2.1"),
						    .remote = rules_addr(cases[_i].remote),
						    .protocol = cases[_i].protocol } };
	struct flow *ports = cases[_i].inner ? &query.inner : &query.outer;
	const struct rule *rule;

	if (cases[_i].inner) {
		query.has_inner = true;
		query.inner = (struct flow){ .direction = DIRECTION_OUT,
			.local = rules_addr("10.1.0.1"),
			.remote = rules_addr(cases[_i].inner),
			.protocol = cases[_i].inner_protocol };
	}
	ports->remote_port = cases[_i].port;
	ports->has_ports = cases[_i].port != 0;
	rule = plant_policy_find(spd, table, &query);
	ck_assert_msg((rule ? rule->order + 1 : 0) == cases[_i].want, "%s: rule %u", cases[_i].name,
		rule ? rule->order + 1 : 0);
	if (rule)
		ck_assert(query.tunnel_mode == cases[_i].tunnel_mode);
	ck_assert_ptr_null(plant_policy_find(NULL, table, &query));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plant_policy");
	TCase *tc = tcase_create("plant_policy");

	tcase_add_loop_test(tc, found, 0, ARRAY_SIZE(cases));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
