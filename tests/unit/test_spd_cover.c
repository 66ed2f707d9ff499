/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of covering rules gives what a scan from rule to rule gives. */
#include "common/spd/spd_cover.h"
#include "tests/unit/suite.h"

#define N_RULES	  400
#define N_QUERIES 3000

static uint64_t state;

static uint32_t pick(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % below;
}

/* Few values, so that many selectors meet. */
static struct prefix some_prefix(int family)
{
	struct prefix prefix = { 0 };
	struct address addr = { .family = (uint8_t)family, .bytes = { 10, (uint8_t)pick(3) } };

	if (family == AF_UNSPEC || pick(3) == 0)
		return prefix;
	addr.bytes[2] = (uint8_t)(pick(4) << 6);
	addr.bytes[3] = (uint8_t)pick(3);
	ck_assert_int_eq(
		prefix_make(&addr, pick(4) ? pick(5) * 8 : pick(address_bits(family) + 1), &prefix),
		0);
	return prefix;
}

static void some_ports(uint16_t *ret_port, uint16_t *ret_last)
{
	*ret_port = (uint16_t)pick(4);
	*ret_last = 0;
	if (*ret_port && pick(8) == 0)
		*ret_last = (uint16_t)(*ret_port + 1 + pick(3));
}

static struct rule *some_rule(void)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	static const uint8_t protocols[] = { 0, 6, 17, 1 };
	int family = families[pick(3)];
	struct rule *rule = rule_new(1);
	struct selector *s = &rule->selector;

	ck_assert_ptr_nonnull(rule);
	s->local = some_prefix(family);
	s->remote = some_prefix(family);
	if (s->local.addr.family != AF_UNSPEC || s->remote.addr.family != AF_UNSPEC)
		s->family = (uint8_t)family;
	s->protocol = protocols[pick(4)];
	some_ports(&s->local_port, &s->local_port_last);
	some_ports(&s->remote_port, &s->remote_port_last);
	if (s->protocol == 1 && pick(2)) {
		s->has_icmp_type = true;
		s->icmp_type_low = (uint8_t)pick(3);
		s->icmp_type_high = (uint8_t)(s->icmp_type_low + pick(3));
	}
	if (pick(4) == 0)
		ck_assert_int_eq(text_fixed(rule->tunnel, sizeof(rule->tunnel), "t%u", pick(3)), 0);
	return rule;
}

static const struct rule *scan(struct rule *const *rules, size_t count, const struct rule *of)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i]->tunnel, of->tunnel) == 0 &&
			selector_covers(&rules[i]->selector, &of->selector))
			return rules[i];
	return NULL;
}

START_TEST(as_a_scan)
{
	CLEANUP(spd_cover_freep) struct spd_cover *cover = spd_cover_new();
	struct rule *rules[N_RULES];
	size_t covered = 0;

	state = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(_i + 1);
	ck_assert_ptr_nonnull(cover);
	for (size_t i = 0; i < N_RULES; i++) {
		rules[i] = some_rule();
		/* Before it is added, as whoever looks for shadows asks. */
		ck_assert_ptr_eq(spd_cover_find(cover, rules[i]->tunnel, &rules[i]->selector),
			scan(rules, i, rules[i]));
		ck_assert_int_eq(spd_cover_add(cover, rules[i]), 0);
	}
	for (size_t i = 0; i < N_QUERIES; i++) {
		struct rule *query = some_rule();
		const struct rule *found = spd_cover_find(cover, query->tunnel, &query->selector);

		ck_assert_ptr_eq(found, scan(rules, N_RULES, query));
		covered += found != NULL;
		rule_free(query);
	}
	ck_assert_uint_gt(covered, 100);
	for (size_t i = 0; i < N_RULES; i++)
		rule_free(rules[i]);
}
END_TEST

START_TEST(an_empty_index_covers_nothing)
{
	CLEANUP(spd_cover_freep) struct spd_cover *cover = spd_cover_new();
	struct selector selector = { 0 };

	ck_assert_ptr_null(spd_cover_find(cover, "", &selector));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spd_cover");
	TCase *tc = tcase_create("spd_cover");

	tcase_add_loop_test(tc, as_a_scan, 0, 20);
	tcase_add_test(tc, an_empty_index_covers_nothing);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
