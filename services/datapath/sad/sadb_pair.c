/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pairs: an SA and the one that goes the other way (kernel-semantics of the original, section 10.3).
 * Records say who was named when an SA was added; who is whose partner now stands in both entries.
 */
#include <errno.h>

#include "services/datapath/sad/sadb_parts.h"

static struct sad_entry *opposite(
	const struct sadb *sadb, const struct sad_entry *entry, uint32_t spi)
{
	struct sa_key key = { .proto = entry->sa->proto, .spi = spi, .dst = entry->sa->src };
	struct sad_entry *other = spi && spi != entry->sa->spi ? sad_find(sadb->parts.sad, &key)
							       : NULL;

	if (!other || !address_equal(&other->sa->src, &entry->sa->dst) ||
		(other->directions ^ entry->directions) != (SA_INBOUND | SA_OUTBOUND))
		return NULL;
	return other;
}

int sadb_pair_check(const struct sadb *sadb, const struct sad_entry *entry, uint32_t spi,
	struct sadb_refusal *refusal)
{
	const struct sad_entry *partner = opposite(sadb, entry, spi);

	if (!partner || atomic_load(&partner->run->state) != SA_MATURE)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_PAIR_INAPPROPRIATE);
	if ((partner->control.pair_spi && partner->control.pair_spi != entry->sa->spi) ||
		(entry->control.pair_spi && entry->control.pair_spi != spi))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_PAIR_ALREADY);
	return 0;
}

struct sad_entry *sadb_pair_of(const struct sadb *sadb, const struct sad_entry *entry)
{
	struct sad_entry *partner = opposite(sadb, entry, entry->control.pair_spi);

	return partner && partner->control.pair_spi == entry->sa->spi ? partner : NULL;
}

void sadb_pair_link(struct sadb *sadb, struct sad_entry *entry)
{
	struct sad_entry *partner = opposite(sadb, entry, entry->sa->pair_spi);

	if (!partner || entry->control.pair_spi || partner->control.pair_spi)
		return;
	entry->control.pair_spi = partner->sa->spi;
	partner->control.pair_spi = entry->sa->spi;
}

void sadb_pair_unlink(struct sadb *sadb, struct sad_entry *entry)
{
	struct sad_entry *partner = sadb_pair_of(sadb, entry);

	if (partner)
		partner->control.pair_spi = 0;
	entry->control.pair_spi = 0;
}

/* After a restart: whoever named a partner finds it again. */
static bool link_again(struct sad_entry *entry, void *userdata)
{
	if (entry->sa->pair_spi && entry->control.pair_spi == 0)
		sadb_pair_link(userdata, entry);
	return true;
}

void sadb_pair_all(struct sadb *sadb)
{
	sad_each(sadb->parts.sad, link_again, sadb);
}

int sadb_delete_pair(struct sadb *sadb, const struct sa_key *key, const struct address *src,
	const struct sadb_request *request, struct sadb_refusal *ret_refusal)
{
	struct sad_entry *entry = sadb_get(sadb, key, src), *partner;

	if (!entry)
		return sadb_refuse(ret_refusal, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	partner = sadb_pair_of(sadb, entry);
	/* Who asked is answered once: by the event, or by the refusal. */
	sadb_entry_delete(sadb, entry, partner ? request : NULL);
	if (!partner)
		return sadb_refuse(ret_refusal, ESRCH, PFKEY_DIAG_PAIR_SA_NOTFOUND);
	sadb_entry_delete(sadb, partner, NULL);
	return 0;
}

struct state_selection {
	struct sadb *sadb;
	const struct sadb_wish *wish;
	int proto;
	uint64_t mark;
	size_t n;
};

static bool mark_in_state(struct sad_entry *entry, void *userdata)
{
	struct state_selection *selection = userdata;
	const struct sa *sa = entry->sa, *wanted = selection->wish->sa;
	struct sad_entry *partner;

	if (entry->directions != SA_OUTBOUND ||
		(selection->proto != 0 && (int)sa->proto != selection->proto) ||
		atomic_load(&entry->run->state) != wanted->state ||
		!address_equal(&sa->src, &wanted->src) || !address_equal(&sa->dst, &wanted->dst))
		return true;
	selection->n++;
	entry->control.mark = selection->mark;
	partner = sadb_pair_of(selection->sadb, entry);
	if (partner)
		partner->control.mark = selection->mark;
	return true;
}

static bool delete_marked(struct sad_entry *entry, void *userdata)
{
	struct state_selection *selection = userdata;

	if (entry->control.mark == selection->mark)
		sadb_entry_delete(selection->sadb, entry, NULL);
	return true;
}

size_t sadb_delete_pair_state(struct sadb *sadb, int proto, const struct sadb_wish *wish)
{
	struct state_selection selection = {
		.sadb = sadb, .wish = wish, .proto = proto, .mark = ++sadb->marks
	};

	sad_each(sadb->parts.sad, mark_in_state, &selection);
	if (selection.n)
		sad_each(sadb->parts.sad, delete_marked, &selection);
	return selection.n;
}
