/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * X_MIGRATE: a policy and its SAs between other ends, all of it or nothing. Requests of the policy come
 * in twos, what it is and what it shall be.
 */
#include <errno.h>
#include <netinet/in.h>

#include "services/datapath/pfkey/pfkey_linux.h"

#define SRC PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC)
#define DST PFKEY_BIT(PFKEY_EXT_ADDRESS_DST)

static bool is_end(const struct address *addr)
{
	return addr->family != AF_UNSPEC && !address_is_unspecified(addr) &&
	       !address_is_multicast(addr);
}

static bool ends_equal(const struct pfkey_request *a, const struct pfkey_request *b)
{
	return address_equal(&a->src, &b->src) && address_equal(&a->dst, &b->dst);
}

static int read_pair(const struct pfkey_request *old, struct sadb_move *ret)
{
	const struct pfkey_request *next = old + 1;

	if (old->proto != next->proto || old->mode != next->mode || old->reqid != next->reqid ||
		(old->proto != IPPROTO_ESP && old->proto != IPPROTO_AH) ||
		(old->mode != PFKEY_LINUX_MODE_TRANSPORT && old->mode != PFKEY_LINUX_MODE_TUNNEL))
		return -EINVAL;
	if (!is_end(&old->src) || !is_end(&old->dst) || !is_end(&next->src) ||
		!is_end(&next->dst) || ends_equal(old, next))
		return -EINVAL;
	*ret = (struct sadb_move){ .proto = (enum sa_proto)old->proto,
		.mode = old->mode == PFKEY_LINUX_MODE_TUNNEL ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT,
		.reqid = old->reqid,
		.src = old->src,
		.dst = old->dst,
		.new_src = next->src,
		.new_dst = next->dst };
	return 0;
}

/* The request of the policy that the pair is about gets the new ends; transport mode has none. */
static int change_policy(struct pfkey_policy *policy, const struct pfkey_request *old)
{
	for (size_t i = 0; i < policy->n_requests; i++) {
		struct pfkey_request *at = &policy->requests[i];
		bool tunnel = at->mode == PFKEY_LINUX_MODE_TUNNEL;

		if (at->proto != old->proto || (old->mode == PFKEY_LINUX_MODE_TUNNEL) != tunnel ||
			(old->reqid != 0 && at->reqid != old->reqid) ||
			(tunnel && at->src.family != AF_UNSPEC && !ends_equal(at, old)))
			continue;
		if (tunnel) {
			at->src = (old + 1)->src;
			at->dst = (old + 1)->dst;
		}
		return 0;
	}
	return -ENODATA;
}

struct change {
	struct pfkey_door *door;
	struct pfkey_linux_entry *entry;
	struct pfkey_policy wanted;
	bool is_other; /* tunnel mode: the rule has ends, too */
};

/* The SAs are where they shall be; the rules follow, or nothing has happened. */
static int agree(void *userdata)
{
	struct change *change = userdata;
	struct pfkey_policy former = change->entry->policy;
	int r;

	if (!change->is_other)
		return 0;
	change->entry->policy = change->wanted;
	r = pfkey_linux_enforce(change->door);
	if (r < 0)
		change->entry->policy = former;
	return r;
}

static int refuse(struct sadb_refusal *refusal, int error)
{
	return pfkey_door_refuse(refusal, error, PFKEY_DIAG_NONE);
}

int pfkey_linux_on_migrate(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct pfkey_policy *asked = &msg->policy;
	struct sadb_move moves[PFKEY_MAX_REQUESTS / 2];
	struct change change = { .door = peer->door };
	struct sadb_moves all = {
		.moves = moves, .n = asked->n_requests / 2, .agree = agree, .userdata = &change
	};
	int r = asked->n_requests == 0 || asked->n_requests % 2 ? -EINVAL : 0;

	for (size_t i = 0; i < all.n && r == 0; i++) {
		r = read_pair(&asked->requests[2 * i], &moves[i]);
		change.is_other |= r == 0 && moves[i].mode == SA_MODE_TUNNEL;
	}
	if (r < 0 || asked->direction < PFKEY_LINUX_DIR_IN ||
		asked->direction > PFKEY_LINUX_DIR_FWD)
		return refuse(refusal, EINVAL);
	/* Who sees that an end has moved is seldom who keeps the keys. */
	change.entry = pfkey_linux_by_selector(peer->door->policies, 0, asked);
	if (!change.entry)
		return refuse(refusal, ENOENT);
	change.wanted = change.entry->policy;
	for (size_t i = 0; i < all.n; i++)
		if (change_policy(&change.wanted, &asked->requests[2 * i]) < 0)
			return refuse(refusal, ENODATA);
	r = sadb_move(peer->door->sadb, &all, refusal);
	if (r < 0)
		return r;
	asked->id = change.wanted.id;
	msg->present &= SRC | DST | PFKEY_LINUX_HAS_POLICY | PFKEY_LINUX_HAS_KMADDRESS;
	pfkey_answer_all(peer->door, msg);
	return 0;
}
