/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of the Linux numbering: what is answered to them, and how ours look there. */
#include "services/datapath/pfkey/pfkey_linux.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define SRC	 PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC)
#define DST	 PFKEY_BIT(PFKEY_EXT_ADDRESS_DST)
#define BITS_PER 8

/* Rows of SUPPORTED: octets where the other numbering has bits, and "no integrity" has a number. */
static void dress_supported(struct pfkey_message *msg)
{
	for (size_t i = 0; i < msg->n_encrypt; i++) {
		msg->encrypt[i].iv_bits /= BITS_PER;
		msg->encrypt[i].increment_bits = msg->encrypt[i].salt_bits = 0;
	}
	for (size_t i = 0; i < msg->n_auth; i++)
		msg->auth[i].increment_bits = msg->auth[i].salt_bits = 0;
	if (msg->satype == PFKEY_SATYPE_ESP && msg->n_auth < PFKEY_MAX_ALGORITHMS)
		msg->auth[msg->n_auth++] =
			(struct pfkey_algorithm){ .number = PFKEY_LINUX_AUTH_NULL };
}

static void dress_sa(struct pfkey_message *msg)
{
	const struct sa *sa = msg->sa;
	bool out = sa->directions & SA_OUTBOUND;

	msg->present |= PFKEY_LINUX_HAS_SA2;
	if (!(sa->flags & SA_FLAG_ENCAP))
		return;
	msg->present |= PFKEY_LINUX_HAS_NATT_TYPE | PFKEY_LINUX_HAS_SPORT | PFKEY_LINUX_HAS_DPORT;
	msg->natt_src_port = out ? sa->natt_local_port : sa->natt_remote_port;
	msg->natt_dst_port = out ? sa->natt_remote_port : sa->natt_local_port;
}

int pfkey_linux_write(const struct pfkey_message *msg, enum pfkey_side side,
	uint8_t buffer[static PFKEY_MAX_BYTES], size_t *ret_len)
{
	CLEANUP(freep) struct pfkey_message *dressed = malloc(sizeof(*dressed));

	if (!dressed)
		return -ENOMEM;
	*dressed = *msg; /* its SA is borrowed */
	if (dressed->present & PFKEY_BIT(PFKEY_EXT_SA) && !(dressed->type & PFKEY_LINUX_BIT))
		dress_sa(dressed);
	if (dressed->present & PFKEY_BIT(PFKEY_EXT_SUPPORTED_AUTH))
		dress_supported(dressed);
	return pfkey_linux_encode(dressed, side, buffer, PFKEY_MAX_BYTES, ret_len);
}

void pfkey_linux_name_policy(const struct pfkey_linux_policies *policies, const struct rule *rule,
	struct pfkey_message *msg)
{
	const struct pfkey_linux_entry *at = policies ? policies->first : NULL;

	/* Lines of other rules may have the number of a policy; nobody else has its tunnel and ends. */
	while (rule && at &&
		!(at->policy.id == rule->line && at->policy.direction == PFKEY_LINUX_DIR_OUT &&
			rule->directions == DIRECTION_BIT_OUT &&
			at->policy.protocol == rule->selector.protocol &&
			at->policy.src.bits == rule->selector.local.bits &&
			at->policy.dst.bits == rule->selector.remote.bits))
		at = at->next;
	if (!rule || !at)
		return;
	msg->policy = at->policy;
	msg->present |= PFKEY_LINUX_HAS_POLICY;
}

/*
 * The old end at the source, the new one at the destination, as Linux puts it. X_SA2 is not there on
 * Linux; strongSwan asks for it.
 */
void pfkey_linux_tell_mapping(struct pfkey_door *door, const struct sadb_event *event)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_of_sa(
		PFKEY_LINUX_NAT_T_NEW_MAPPING, event->entry->sa, false);

	if (!msg)
		return;
	msg->sa->dst = msg->sa->src;
	msg->natt_src_port = event->old_port;
	msg->natt_dst_port = event->new_port;
	msg->present = PFKEY_BIT(PFKEY_EXT_SA) | SRC | DST | PFKEY_LINUX_HAS_SA2 |
		       PFKEY_LINUX_HAS_SPORT | PFKEY_LINUX_HAS_DPORT;
	pfkey_answer_registered(door, msg->satype, msg);
}

/* ---- X_SPD messages ---- */

static int refuse(struct sadb_refusal *refusal, int r)
{
	return pfkey_door_refuse(refusal, -r, PFKEY_DIAG_NONE);
}

struct pfkey_message *pfkey_linux_message_of(uint8_t type, const struct pfkey_linux_entry *entry)
{
	struct pfkey_message *msg = pfkey_message_new();

	if (!msg)
		return NULL;
	msg->type = type;
	msg->policy = entry->policy;
	msg->sa->hard = entry->hard;
	msg->sa->soft = entry->soft;
	msg->current = entry->used;
	msg->present = SRC | DST | PFKEY_LINUX_HAS_POLICY | PFKEY_BIT(PFKEY_EXT_LIFETIME_CURRENT) |
		       PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD) | PFKEY_BIT(PFKEY_EXT_LIFETIME_SOFT);
	return msg;
}

static void tell_all(const struct pfkey_peer *peer, const struct pfkey_message *request,
	const struct pfkey_linux_entry *entry)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_linux_message_of(
		request->type, entry);

	if (!msg)
		return;
	msg->seq = request->seq;
	msg->pid = request->pid;
	pfkey_answer_all(peer->door, msg);
}

static int on_spd_add(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct pfkey_linux_entry *entry = calloc(1, sizeof(*entry));
	int r;

	if (!entry)
		return refuse(refusal, -ENOMEM);
	entry->owner = peer->number;
	entry->policy = msg->policy;
	entry->hard = msg->sa->hard;
	entry->soft = msg->sa->soft;
	entry->used.add_wall_sec = (uint64_t)time(NULL);
	r = pfkey_linux_put(peer->door, entry, msg->type == PFKEY_LINUX_SPDUPDATE);
	if (r < 0) {
		free(entry);
		return refuse(refusal, r);
	}
	tell_all(peer, msg, entry);
	return 0;
}

static int on_spd_delete(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct pfkey_linux_policies *policies = peer->door->policies;
	struct pfkey_linux_entry *entry =
		msg->type == PFKEY_LINUX_SPDDELETE
			? pfkey_linux_by_selector(policies, peer->number, &msg->policy)
			: pfkey_linux_by_id(policies, peer->number, msg->policy.id);
	int r;

	if (!entry)
		return refuse(refusal, -ENOENT);
	r = pfkey_linux_take(peer->door, entry, &entry);
	if (r < 0)
		return refuse(refusal, r);
	tell_all(peer, msg, entry);
	free(entry);
	return 0;
}

static int on_spd_get(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *answer = NULL;
	const struct pfkey_linux_entry *entry = pfkey_linux_by_id(
		peer->door->policies, 0, msg->policy.id);

	if (!entry)
		return refuse(refusal, -ENOENT);
	answer = pfkey_linux_message_of(msg->type, entry);
	if (!answer)
		return refuse(refusal, -ENOMEM);
	answer->seq = msg->seq;
	answer->pid = msg->pid;
	pfkey_answer_and_show(peer, answer);
	return 0;
}

/* Few enough to go out at once; number 0 is the last, and none at all is an error as on Linux. */
static int on_spd_dump(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	const struct pfkey_linux_policies *policies = peer->door->policies;
	size_t left = policies->n;

	if (left == 0)
		return refuse(refusal, -ENOENT);
	for (const struct pfkey_linux_entry *at = policies->first; at; at = at->next) {
		CLEANUP(pfkey_message_freep) struct pfkey_message *answer = pfkey_linux_message_of(
			msg->type, at);

		if (!answer)
			return refuse(refusal, -ENOMEM);
		answer->seq = (uint32_t)--left;
		answer->pid = msg->pid;
		pfkey_answer(peer, answer);
	}
	return 0;
}

static int on_spd_flush(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	int r = pfkey_linux_clear(peer->door, peer->number);

	if (r < 0)
		return refuse(refusal, r);
	msg->present = 0;
	pfkey_answer_all(peer->door, msg);
	return 0;
}

static int on_unsupported(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	(void)peer;
	(void)msg;
	return refuse(refusal, -EOPNOTSUPP);
}

#define AT(type) [(type) & ~PFKEY_LINUX_BIT]
static const struct {
	pfkey_handler *handle;
	bool changes; /* takes the right to change */
} handlers[PFKEY_LINUX_TYPE_END & ~PFKEY_LINUX_BIT] = {
	AT(PFKEY_LINUX_SPDUPDATE) = { on_spd_add, true },
	AT(PFKEY_LINUX_SPDADD) = { on_spd_add, true },
	AT(PFKEY_LINUX_SPDDELETE) = { on_spd_delete, true },
	AT(PFKEY_LINUX_SPDGET) = { on_spd_get, false },
	AT(PFKEY_LINUX_SPDACQUIRE) = { on_unsupported, true },
	AT(PFKEY_LINUX_SPDDUMP) = { on_spd_dump, false },
	AT(PFKEY_LINUX_SPDFLUSH) = { on_spd_flush, true },
	AT(PFKEY_LINUX_SPDSETIDX) = { on_spd_add, true }, /* as on Linux */
	AT(PFKEY_LINUX_SPDEXPIRE) = { on_unsupported, true },
	AT(PFKEY_LINUX_SPDDELETE2) = { on_spd_delete, true },
	AT(PFKEY_LINUX_NAT_T_NEW_MAPPING) = { on_unsupported, true },
	AT(PFKEY_LINUX_MIGRATE) = { pfkey_linux_on_migrate, true },
};

bool pfkey_linux_changes(uint8_t type)
{
	return handlers[type & ~PFKEY_LINUX_BIT].changes;
}

/* Ports come with the SA's ends; which of them is ours says whose port is whose. */
static void settle_natt(const struct pfkey_door *door, struct pfkey_message *msg)
{
	struct sa *sa = msg->sa;
	bool out = sadb_is_ours(door->sadb, &sa->src);

	if (!(sa->flags & SA_FLAG_ENCAP))
		return;
	sa->natt_local_port = out ? msg->natt_src_port : msg->natt_dst_port;
	sa->natt_remote_port = out ? msg->natt_dst_port : msg->natt_src_port;
}

int pfkey_linux_handle(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	if (msg->type & PFKEY_LINUX_BIT)
		return handlers[msg->type & ~PFKEY_LINUX_BIT].handle(peer, msg, refusal);
	settle_natt(peer->door, msg);
	return pfkey_on_common(peer, msg, refusal);
}
