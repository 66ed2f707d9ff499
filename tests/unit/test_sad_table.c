/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table behind the SAD against a plain array, with few tags and with many; and its cards. */
#include <string.h>

#include "services/datapath/sad/sad_card.h"
#include "services/datapath/sad/sad_index.h"
#include "tests/unit/suite.h"

#define TAGS  3000U
#define STEPS 60000U

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

/* How tags lie to each other: all in one bucket of a small table, side by side, anywhere, at the end. */
static const struct {
	const char *name;
	uint32_t first, step;
} kinds[] = {
	{ "one bucket", 7, 4096 },
	{ "side by side", 1, 1 },
	{ "anywhere", 3, 2654435761U },
	{ "at the end", UINT32_MAX - 1 - TAGS, 1 },
};

static uint32_t tag_of(unsigned int kind, uint32_t i)
{
	return sad_index_tag(kinds[kind].first + (uint64_t)i * kinds[kind].step);
}

START_TEST(answers_as_an_array)
{
	static uint32_t want[TAGS];
	struct rcu *rcu;
	struct sad_index index;
	uint32_t state = 4303;
	size_t tags = 0;

	memset(want, 0, sizeof(want));
	ck_assert_int_eq(rcu_new(&rcu), 0);
	ck_assert_int_eq(sad_index_init(&index, rcu), 0);
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t i = next_random(&state) % (step < STEPS / 2 ? TAGS : TAGS / 20);
		uint32_t tag = tag_of((unsigned int)_i, i);

		ck_assert_uint_eq(sad_index_find(&index, tag), want[i]);
		/* It fills and empties by turns. */
		if (next_random(&state) % 8 < (step / 8000 % 2 ? 2 : 6)) {
			ck_assert(sad_index_reserve(&index));
			tags += want[i] == 0;
			want[i] = step + 1;
			ck_assert_int_eq(sad_index_set(&index, tag, want[i]), 0);
		} else {
			tags -= want[i] != 0;
			want[i] = SAD_INDEX_NONE;
			sad_index_clear(&index, tag);
		}
		ck_assert_uint_eq(index.tags, tags);
	}
	for (uint32_t i = 0; i < TAGS; i++)
		ck_assert_msg(sad_index_find(&index, tag_of((unsigned int)_i, i)) == want[i], "%s",
			kinds[_i].name);
	/* What was given up did not make it large. */
	ck_assert_uint_le(index.table->mask + 1, 1024);
	sad_index_done(&index);
	rcu_free(rcu);
}
END_TEST

/* Without reserving it takes what fits, says no to the next, and still finds every one. */
START_TEST(full)
{
	struct rcu *rcu;
	struct sad_index index;
	uint32_t n = 1;

	ck_assert_int_eq(rcu_new(&rcu), 0);
	ck_assert_int_eq(sad_index_init(&index, rcu), 0);
	while (sad_index_set(&index, n * 64, n) == 0)
		ck_assert_uint_lt(n++, 1000);
	ck_assert_uint_eq(index.tags, n - 1);
	ck_assert_uint_eq(index.tags, (index.table->mask + 1) * SAD_INDEX_SLOTS);
	for (uint32_t i = 1; i < n; i++)
		ck_assert_uint_eq(sad_index_find(&index, i * 64), i);
	ck_assert_uint_eq(sad_index_find(&index, n * 64), SAD_INDEX_NONE);
	/* What is there may change, and what goes makes room. */
	ck_assert_int_eq(sad_index_set(&index, 64, 77), 0);
	ck_assert_uint_eq(sad_index_find(&index, 64), 77);
	sad_index_clear(&index, 128);
	ck_assert_int_eq(sad_index_set(&index, n * 64, n), 0);
	ck_assert_uint_eq(sad_index_find(&index, n * 64), n);
	ck_assert_uint_eq(sad_index_find(&index, 128), SAD_INDEX_NONE);
	sad_index_done(&index);
	rcu_free(rcu);
}
END_TEST

/* Every card is one's own, in two lines of memory that no other has, and comes back to be used. */
START_TEST(cards_come_back)
{
	static struct sad_cards cards;
	static struct sad_card *taken[3 * SAD_CARD_CHUNK_CARDS];

	for (uint32_t i = 0; i < ARRAY_SIZE(taken); i++) {
		ck_assert(sad_cards_reserve(&cards));
		taken[i] = sad_cards_take(&cards);
		ck_assert_ptr_nonnull(taken[i]);
		ck_assert_ptr_eq(sad_card_at(&cards, taken[i]->number), taken[i]);
		ck_assert_uint_eq((uintptr_t)taken[i] % 64, 0);
		taken[i]->spi = i;
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(taken); i++)
		ck_assert_uint_eq(taken[i]->spi, i);
	for (uint32_t i = 0; i < ARRAY_SIZE(taken); i += 2)
		sad_cards_give(&cards, taken[i]);
	for (uint32_t i = 0; i < ARRAY_SIZE(taken); i += 2) {
		struct sad_card *card = sad_cards_take(&cards);

		ck_assert_ptr_eq(sad_card_at(&cards, card->number), card);
		ck_assert_uint_eq(card->spi % 2, 0); /* nobody else's */
		card->spi = 1;
	}
	ck_assert_uint_eq(cards.made, ARRAY_SIZE(taken)); /* none was made for them */
	sad_cards_done(&cards);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sad_table");
	TCase *tc = tcase_create("sad_table");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, answers_as_an_array, 0, (int)ARRAY_SIZE(kinds));
	tcase_add_test(tc, full);
	tcase_add_test(tc, cards_come_back);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
