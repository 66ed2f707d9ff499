/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UPDATE: a larval SA is filled in, of one that lives limits and pairing change. Section 10. */
#include <errno.h>

#include "common/pfkey/linux.h"
#include "services/datapath/replay/replay.h"
#include "services/datapath/sad/sadb_parts.h"

static bool has(uint64_t present, enum pfkey_extension extension)
{
	return present & PFKEY_BIT(extension);
}

/* Fields of zero leave what there is. */
static void take_limits(struct sa_limits *to, const struct sa_limits *from)
{
	if (from->bytes)
		to->bytes = from->bytes;
	if (from->add_sec)
		to->add_sec = from->add_sec;
	if (from->use_sec)
		to->use_sec = from->use_sec;
	if (from->allocations)
		to->allocations = from->allocations;
}

static void clip(uint64_t *soft, uint64_t hard)
{
	if (hard && *soft > hard)
		*soft = hard;
}

static int change_limits(struct sa *sa, const struct sa *wanted, struct sadb_refusal *refusal)
{
	int r = sadb_check_limits(wanted, refusal); /* against each other, as they came */

	if (r < 0)
		return r;
	take_limits(&sa->hard, &wanted->hard);
	take_limits(&sa->soft, &wanted->soft);
	if (wanted->idle_add_sec)
		sa->idle_add_sec = wanted->idle_add_sec;
	if (wanted->idle_use_sec)
		sa->idle_use_sec = wanted->idle_use_sec;
	/* Against those that stood before; a limit that is absent clips nothing. */
	clip(&sa->soft.bytes, sa->hard.bytes);
	clip(&sa->soft.add_sec, sa->hard.add_sec);
	clip(&sa->soft.use_sec, sa->hard.use_sec);
	clip(&sa->idle_add_sec, sa->soft.add_sec ? sa->soft.add_sec : sa->hard.add_sec);
	clip(&sa->idle_use_sec, sa->soft.use_sec ? sa->soft.use_sec : sa->hard.use_sec);
	if (sa->hard.allocations && sa->soft.allocations > sa->hard.allocations)
		sa->soft.allocations = sa->hard.allocations;
	return 0;
}

/* Who manages the keys may be named once. */
static int change_cookie(
	struct sa *sa, const struct sa *wanted, uint64_t present, struct sadb_refusal *refusal)
{
	if (!has(present, PFKEY_EXT_KM_COOKIE))
		return 0;
	if (sa->km_protocol && wanted->km_protocol && sa->km_protocol != wanted->km_protocol)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_DUPLICATE_KMP);
	if (sa->km_cookie && wanted->km_cookie && sa->km_cookie != wanted->km_cookie)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_DUPLICATE_KMC);
	if (wanted->km_protocol)
		sa->km_protocol = wanted->km_protocol;
	if (wanted->km_cookie)
		sa->km_cookie = wanted->km_cookie;
	return 0;
}

/* The window moves as if the number had come in an authentic packet. */
static int change_replay(
	struct sadb *sadb, struct sad_entry *entry, uint64_t value, struct sadb_refusal *refusal)
{
	struct sa_run *run = entry->run;
	enum replay_verdict verdict;
	int r;

	if (atomic_load(&run->state) != SA_DYING)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_SASTATE);
	if (!(entry->directions & SA_INBOUND) || run->window == 0)
		return 0;
	if (value == 0 || value > sadb_seq_limit(entry->sa))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_INVALID_REPLAY);
	r = sadb_window_reach(sadb, entry, value);
	if (r < 0)
		return sadb_refuse(refusal, -r, PFKEY_DIAG_NONE);
	replay_lock(run);
	verdict = replay_accept(run, value);
	replay_unlock(run);
	return verdict == REPLAY_OK ? 0 : sadb_refuse(refusal, EINVAL, PFKEY_DIAG_INVALID_REPLAY);
}

/* Keys never change; who names the whole SA may name them again. */
static int check_keys(
	const struct sad_entry *entry, const struct sadb_wish *wish, struct sadb_refusal *refusal)
{
	const struct sa *sa = entry->sa, *wanted = wish->sa;
	bool same_auth = wish->whole && secret_equal(sa->auth_key, wanted->auth_key);
	bool same_encr = wish->whole && secret_equal(sa->encr_key, wanted->encr_key);

	if (has(wish->present, PFKEY_EXT_KEY_AUTH) && !same_auth)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_AKEY_PRESENT);
	if (has(wish->present, PFKEY_EXT_KEY_ENCRYPT) && !same_encr)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_EKEY_PRESENT);
	return 0;
}

static int check_living(
	const struct sad_entry *entry, const struct sadb_wish *wish, struct sadb_refusal *refusal)
{
	const struct sa *wanted = wish->sa;
	uint32_t state = atomic_load(&entry->run->state);
	int r = check_keys(entry, wish, refusal);

	if (r < 0)
		return r;
	if (state == SA_DEAD || state == SA_LARVAL || wanted->state != SA_MATURE)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_SASTATE);
	return 0;
}

/* Key management was told that the NAT of its peer has other ports, and says which hold from now on. */
static bool change_ports(struct sa *sa, const struct sadb_wish *wish)
{
	const struct sa *wanted = wish->sa;

	if (!wish->whole || !(sa->flags & wanted->flags & SA_FLAG_ENCAP) ||
		!(wish->present & (PFKEY_LINUX_HAS_SPORT | PFKEY_LINUX_HAS_DPORT)))
		return false;
	sa->natt_local_port = wanted->natt_local_port;
	sa->natt_remote_port = wanted->natt_remote_port;
	return true;
}

/* What packets have told of the peer since is out of date. */
static void forget_ports(struct sad_entry *entry)
{
	atomic_store(&entry->run->peer_port, 0);
	entry->control.told_port = 0;
}

int sadb_change(struct sadb *sadb, const struct sadb_wish *wish, struct sad_entry *entry,
	struct sadb_refusal *ret_refusal)
{
	CLEANUP(sa_freep) struct sa *sa = sa_copy(entry->sa);
	const struct sa *wanted = wish->sa;
	struct sad_entry *fresh = entry;
	bool moved;
	int r;

	if (!sa)
		return sadb_refuse(ret_refusal, ENOMEM, PFKEY_DIAG_NONE);
	moved = change_ports(sa, wish);
	r = change_limits(sa, wanted, ret_refusal);
	if (r == 0)
		r = change_cookie(sa, wanted, wish->present, ret_refusal);
	if (r == 0 && has(wish->present, PFKEY_EXT_PAIR)) {
		sa->pair_spi = wanted->pair_spi;
		r = sadb_pair_check(sadb, entry, wanted->pair_spi, ret_refusal);
	}
	if (r == 0 && has(wish->present, PFKEY_EXT_REPLAY_VALUE))
		r = change_replay(sadb, entry, wanted->replay_value, ret_refusal);
	if (r == 0)
		r = sadb_entry_amend(sadb, entry, STEAL(sa), &fresh, ret_refusal);
	if (r < 0)
		return r;
	if (moved)
		forget_ports(fresh);
	if (has(wish->present, PFKEY_EXT_PAIR))
		sadb_pair_link(sadb, fresh);
	sadb_emit_entry(sadb, SADB_EVENT_UPDATED, fresh, wish->request);
	return 0;
}

static struct sad_entry *find(struct sadb *sadb, const struct sadb_wish *wish)
{
	struct sa_key key = sa_key_of(wish->sa);

	return sadb_get(sadb, &key, &wish->sa->src);
}

int sadb_update(struct sadb *sadb, const struct sadb_wish *wish, struct sadb_refusal *ret_refusal)
{
	struct sad_entry *entry = find(sadb, wish);
	int r;

	if (!entry)
		return sadb_refuse(ret_refusal, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	if (has(wish->present, PFKEY_EXT_PAIR) && wish->sa->pair_spi == 0)
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_PAIR_INAPPROPRIATE);
	if (atomic_load(&entry->run->state) == SA_LARVAL)
		return sadb_fill(sadb, wish->sa, entry, wish->request, ret_refusal);
	r = check_living(entry, wish, ret_refusal);
	return r < 0 ? r : sadb_change(sadb, wish, entry, ret_refusal);
}

int sadb_update_pair(
	struct sadb *sadb, const struct sadb_wish *wish, struct sadb_refusal *ret_refusal)
{
	struct sad_entry *entry = find(sadb, wish), *partner;
	struct sadb_wish alone = *wish, other = *wish;
	int r;

	if (!entry)
		return sadb_refuse(ret_refusal, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	r = check_living(entry, wish, ret_refusal);
	if (r < 0)
		return r;
	partner = sadb_pair_of(sadb, entry);
	alone.present &= ~PFKEY_BIT(PFKEY_EXT_PAIR);
	/* The number is that of the SA that was named. */
	other.present = alone.present & ~PFKEY_BIT(PFKEY_EXT_REPLAY_VALUE);
	other.request = NULL;
	/* Who asked is answered once: by the event of what was named, or by a refusal. */
	if (!partner)
		alone.request = NULL;
	else
		r = sadb_change(sadb, &other, partner, ret_refusal);
	if (r == 0)
		r = sadb_change(sadb, &alone, find(sadb, wish), ret_refusal);
	if (r == 0 && !partner)
		return sadb_refuse(ret_refusal, ESRCH, PFKEY_DIAG_PAIR_SA_NOTFOUND);
	return r;
}
