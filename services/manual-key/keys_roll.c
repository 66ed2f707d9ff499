/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_roll.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "services/manual-key/keys_save.h"

#define SPI_FIRST 256U /* those below are reserved, RFC 4303 section 2.1 */

/* An SA that is replaced, and by what. */
struct pass {
	const struct sa *old;
	struct sa *next; /* owned */
};

struct passes {
	size_t count;
	struct pass *rows; /* by the name of the old one */
};

static void passes_done(struct passes *passes)
{
	for (size_t i = 0; i < passes->count; i++)
		sa_free(passes->rows[i].next);
	free(passes->rows);
}

static int random_bytes(void *bytes, size_t len)
{
	return getrandom(bytes, len, 0) == (ssize_t)len ? 0 : -EIO;
}

/* @bits: of key and salt together; an initial IV is of no use to a key that is new. */
static int replace_key(struct secret **key, size_t bits)
{
	uint8_t bytes[SECRET_MAX_BYTES];
	size_t len = (bits + 7) / 8;
	int r;

	if (!*key)
		return 0;
	*key = secret_unref(*key);
	r = len <= sizeof(bytes) ? random_bytes(bytes, len) : -EIO;
	if (r == 0)
		r = secret_new(bytes, len, key);
	secret_wipe(bytes, sizeof(bytes));
	return r;
}

static int make_successor(struct pass *pass)
{
	struct sa *sa = pass->next = sa_copy(pass->old);
	uint32_t spi = 0;
	int r = sa ? random_bytes(&spi, sizeof(spi)) : -ENOMEM;

	if (r < 0)
		return r;
	sa->spi = spi < SPI_FIRST ? spi + SPI_FIRST : spi;
	sa->pair_spi = 0;
	sa->replay_value = 0;
	sa->iv_bits = 0;
	r = replace_key(&sa->encr_key, (size_t)sa->encr_key_bits + sa->salt_bits);
	return r < 0 ? r : replace_key(&sa->auth_key, sa->auth_key_bits);
}

static bool is_one_way(const struct sa *sa)
{
	return sa->directions == SA_INBOUND || sa->directions == SA_OUTBOUND;
}

/* @two_texts: each end gets its own. */
static bool is_wanted(
	struct keys_roll *roll, const struct sa *sa, const struct keys_times *times, bool two_texts)
{
	if (roll->peer.family != AF_UNSPEC && !address_equal(&roll->peer, &sa->src) &&
		!address_equal(&roll->peer, &sa->dst))
		return false;
	if (times && (times->send_until || times->receive_until)) {
		roll->n_replaced++;
		return false;
	}
	if (is_one_way(sa) && !two_texts) {
		roll->n_directed++;
		return false;
	}
	return true;
}

static int compare_names(const struct sa *x, const struct sa *y)
{
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->spi != y->spi)
		return x->spi < y->spi ? -1 : 1;
	return address_compare(&x->dst, &y->dst);
}

static int compare_passes(const void *a, const void *b)
{
	const struct pass *x = a, *y = b;

	return compare_names(x->old, y->old);
}

/* Successors are a pair where the old ones are, whoever of these named the other. */
static void pair_up(const struct passes *passes)
{
	for (size_t i = 0; i < passes->count; i++) {
		struct pass *pass = &passes->rows[i], *other;
		struct sa name = {
			.proto = pass->old->proto,
			.spi = pass->old->pair_spi,
			.dst = pass->old->src,
		};
		const struct pass key = { .old = &name };

		if (name.spi == 0)
			continue;
		other = bsearch(
			&key, passes->rows, passes->count, sizeof(*passes->rows), compare_passes);
		if (!other)
			continue;
		pass->next->pair_spi = other->next->spi;
		other->next->pair_spi = pass->next->spi;
	}
}

static void add_end(const struct keys_roll *roll, const struct sa *sa, struct text *text)
{
	char addr[ADDRESS_TEXT_MAX], until[KEYS_TIME_TEXT_MAX], end[KEYS_TIME_TEXT_MAX];

	text_addf(
		text, "update %s spi 0x%" PRIx32, sa->proto == SA_PROTO_AH ? "ah" : "esp", sa->spi);
	if (address_is_multicast(&sa->dst) && !address_is_unspecified(&sa->src))
		text_addf(text, " src %s", address_format(&sa->src, addr));
	text_addf(text, " dst %s \\\n    send_until %s receive_until %s\n",
		address_format(&sa->dst, addr), keys_time_format(roll->at_sec, until),
		keys_time_format(roll->at_sec + roll->overlap_sec, end));
}

static int add_successor(
	struct keys_saved *saved, const struct sa *sa, bool reversed, struct text *text)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_of_sa(
		PFKEY_DUMP, sa, true);
	bool inbound = sa->directions & SA_INBOUND, outbound = sa->directions & SA_OUTBOUND;

	if (!msg)
		return -ENOMEM;
	msg->sa_flags |= (reversed ? outbound : inbound) ? PFKEY_SAF_INBOUND : 0;
	msg->sa_flags |= (reversed ? inbound : outbound) ? PFKEY_SAF_OUTBOUND : 0;
	return keys_save(saved, msg, text);
}

static int write_all(
	const struct keys_roll *roll, const struct passes *passes, bool reversed, struct text *text)
{
	struct keys_saved saved;
	int r = keys_saved_init(&saved, roll->algs, NULL);

	if (r < 0)
		return r;
	saved.send_from = roll->at_sec;
	for (size_t i = 0; i < passes->count; i++)
		add_end(roll, passes->rows[i].old, text);
	text_add_char(text, '\n');
	for (size_t i = 0; r == 0 && i < passes->count; i++)
		r = add_successor(&saved, passes->rows[i].next, reversed, text);
	keys_saved_done(&saved);
	return r == 0 && text->failed ? -ENOMEM : r;
}

int keys_roll(struct keys_roll *roll, const struct sa_list *list, const struct keys_times *times,
	struct text *text, struct text *for_peer)
{
	CLEANUP(passes_done) struct passes passes = { .rows = calloc(list->count + 1,
							      sizeof(struct pass)) };
	int r = passes.rows ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		if (!is_wanted(roll, list->sas[i], times ? &times[i] : NULL, for_peer != NULL))
			continue;
		passes.rows[passes.count].old = list->sas[i];
		r = make_successor(&passes.rows[passes.count++]);
	}
	if (r < 0)
		return r;
	qsort(passes.rows, passes.count, sizeof(*passes.rows), compare_passes);
	pair_up(&passes);
	roll->count = passes.count;
	r = write_all(roll, &passes, false, text);
	return r == 0 && for_peer ? write_all(roll, &passes, true, for_peer) : r;
}
