/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients ask of the PF_KEY door: a row for each message type. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "services/datapath/pfkey/pfkey_door_parts.h"
#include "services/datapath/pfkey/pfkey_linux.h"

static int on_add(struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct sadb_request request = pfkey_request_of(peer, msg);
	int r = pfkey_check_flags(msg, refusal);

	if (r == 0 && pfkey_has(msg, PFKEY_EXT_PAIR) && msg->sa->pair_spi == 0)
		r = pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_PAIR_INAPPROPRIATE);
	if (r == 0)
		r = sadb_add(peer->door->sadb, msg->sa, &request, refusal);
	if (r == 0)
		msg->sa = NULL; /* consumed; the answer went out as an event, to all */
	else /* who answers a question badly has answered it */
		sadb_answer_failed(peer->door->sadb, msg->sa, msg->seq);
	return r;
}

static int on_delete(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct sadb_request request = pfkey_request_of(peer, msg);
	const struct address *src = pfkey_has(msg, PFKEY_EXT_ADDRESS_SRC) ? &msg->sa->src : NULL;
	const struct address *dst = pfkey_has(msg, PFKEY_EXT_ADDRESS_DST) ? &msg->sa->dst : NULL;
	const struct sadb_match match = { .src = src,
		.dst = dst,
		.identity_src = msg->sa->identity_src,
		.identity_dst = msg->sa->identity_dst,
		.km_cookie = pfkey_has(msg, PFKEY_EXT_KM_COOKIE) ? &msg->km_cookie : NULL,
		.km_protocol = msg->km_protocol };
	struct sa_key key = sa_key_of(msg->sa);

	if (pfkey_has(msg, PFKEY_EXT_SA))
		return sadb_delete(peer->door->sadb, &key, src, &request, refusal);
	if (sadb_delete_between(peer->door->sadb, msg->sa->proto, &match, &request) == 0)
		return pfkey_door_refuse(refusal, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	return 0;
}

void pfkey_answer_and_show(struct pfkey_peer *peer, struct pfkey_message *msg)
{
	pfkey_answer(peer, msg);
	for (struct pfkey_peer *other = peer->door->peers; other; other = other->next)
		if (other != peer && other->promiscuous)
			pfkey_answer(other, msg);
}

static int on_get(struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *answer = NULL;
	struct sa_key key = sa_key_of(msg->sa);
	struct sad_entry *entry = sadb_get(peer->door->sadb, &key,
		pfkey_has(msg, PFKEY_EXT_ADDRESS_SRC) ? &msg->sa->src : NULL);

	if (!entry)
		return pfkey_door_refuse(refusal, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	answer = pfkey_message_of_entry(PFKEY_GET, entry, true);
	if (!answer)
		return pfkey_door_refuse(refusal, ENOMEM, PFKEY_DIAG_NONE);
	answer->seq = msg->seq;
	answer->pid = msg->pid;
	pfkey_answer_and_show(peer, answer);
	return 0;
}

static int on_flush(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct sadb_request request = pfkey_request_of(peer, msg);

	(void)refusal;
	/* Key managers on Linux begin with it, and mean what a former one of them left. */
	if (peer->dialect == PFKEY_LINUX)
		sadb_flush_managed(peer->door->sadb, pfkey_proto_of(msg->satype), &request);
	else
		sadb_flush(peer->door->sadb, pfkey_proto_of(msg->satype), &request);
	return 0;
}

static int on_dump(struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct pfkey_dump *dump = &peer->dump;
	uint64_t idle = msg->dump_idle_sec;

	if (dump->going) /* one at a time */
		return pfkey_door_refuse(refusal, ENOMEM, PFKEY_DIAG_NONE);
	dump->going = true;
	dump->idle_usec = idle > UINT64_MAX / USEC_PER_SEC ? UINT64_MAX : idle * USEC_PER_SEC;
	dump->proto = pfkey_proto_of(msg->satype);
	dump->satype = msg->satype;
	dump->seq = msg->seq;
	dump->pid = msg->pid;
	sadb_walk(peer->door->sadb, &dump->cursor);
	pfkey_peer_wake(peer); /* goes out as the reader takes it */
	return 0;
}

static int tell_algorithms(
	struct pfkey_peer *peer, const struct pfkey_message *msg, uint8_t satype, bool to_all)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *answer = pfkey_message_of_algorithms(
		peer->door->sadb, satype);

	if (!answer)
		return -ENOMEM;
	answer->seq = msg->seq;
	answer->pid = msg->pid;
	if (to_all)
		pfkey_answer_registered(peer->door, satype, answer);
	else
		pfkey_answer(peer, answer);
	return 0;
}

/* For a list of SA types, once and for all: their questions come as one. */
static int register_extended(
	struct pfkey_peer *peer, const struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	const uint8_t *types = msg->extended_register;
	uint32_t registered = 0;
	int r = 0;

	if (peer->registered != 0)
		return pfkey_door_refuse(refusal, EBUSY, PFKEY_DIAG_NONE);
	for (size_t i = 0; i < sizeof(msg->extended_register) && types[i]; i++) {
		if (pfkey_proto_of(types[i]) == 0)
			return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_UNKNOWN_SATYPE);
		registered |= 1U << types[i];
	}
	if (registered == 0)
		return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_SATYPE_NEEDED);
	peer->registered = registered;
	peer->extended = true;
	pfkey_count_managers(peer->door);
	for (size_t i = 0; r == 0 && i < sizeof(msg->extended_register) && types[i]; i++)
		r = tell_algorithms(peer, msg, types[i], false);
	return r < 0 ? pfkey_door_refuse(refusal, -r, PFKEY_DIAG_NONE) : 0;
}

static int on_register(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	int r;

	if (pfkey_has(msg, PFKEY_EXT_EREG) && msg->satype == PFKEY_SATYPE_UNSPEC)
		return register_extended(peer, msg, refusal);
	if (msg->satype == PFKEY_SATYPE_UNSPEC)
		return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_SATYPE_NEEDED);
	if (peer->extended)
		return pfkey_door_refuse(refusal, EBUSY, PFKEY_DIAG_NONE);
	peer->registered |= 1U << msg->satype;
	pfkey_count_managers(peer->door);
	r = tell_algorithms(peer, msg, msg->satype, true);
	return r < 0 ? pfkey_door_refuse(refusal, -r, PFKEY_DIAG_NONE) : 0;
}

/* From key management: it gave up. From a consumer: others may know what to do. */
static int on_acquire(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	if (msg->satype == PFKEY_SATYPE_UNSPEC && !(msg->error && peer->extended))
		return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_SATYPE_NEEDED);
	if (msg->error)
		sadb_acquire_failed(peer->door->sadb, msg->seq);
	else
		pfkey_answer_registered(peer->door, msg->satype, msg);
	return 0;
}

static int on_promisc(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	if (msg->satype > 1)
		return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_UNKNOWN_SATYPE);
	peer->promiscuous = msg->satype == 1;
	pfkey_answer(peer, msg);
	return 0;
}

static int on_unsupported(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	(void)peer;
	(void)msg;
	return pfkey_door_refuse(refusal, EOPNOTSUPP, PFKEY_DIAG_NONE);
}

static const struct {
	pfkey_handler *handle;
	bool changes; /* takes the right to change */
} handlers[PFKEY_TYPE_END] = {
	[PFKEY_GETSPI] = { pfkey_on_getspi, true },
	[PFKEY_UPDATE] = { pfkey_on_update, true },
	[PFKEY_ADD] = { on_add, true },
	[PFKEY_DELETE] = { on_delete, true },
	[PFKEY_GET] = { on_get, false },
	[PFKEY_ACQUIRE] = { on_acquire, true },
	[PFKEY_REGISTER] = { on_register, true }, /* an ACQUIRE shows other users' flows */
	[PFKEY_EXPIRE] = { on_unsupported, false },
	[PFKEY_FLUSH] = { on_flush, true },
	[PFKEY_DUMP] = { on_dump, false },
	[PFKEY_X_PROMISC] = { on_promisc, true },
	[PFKEY_X_INVERSE_ACQUIRE] = { pfkey_on_inverse_acquire, false },
	[PFKEY_X_UPDATEPAIR] = { pfkey_on_update, true },
	[PFKEY_X_DELPAIR] = { pfkey_on_delete_pair, true },
	[PFKEY_X_DELPAIR_STATE] = { pfkey_on_delete_pair_state, true },
};

int pfkey_on_common(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	return handlers[msg->type].handle(peer, msg, refusal);
}

bool pfkey_changes(uint8_t type)
{
	return type & PFKEY_LINUX_BIT ? pfkey_linux_changes(type) : handlers[type].changes;
}

static int decode(struct pfkey_peer *peer, const uint8_t *bytes, size_t len,
	struct pfkey_message **ret_msg, struct pfkey_fault *ret_fault)
{
	return peer->dialect == PFKEY_LINUX
		       ? pfkey_linux_decode(bytes, len, PFKEY_REQUEST, ret_msg, ret_fault)
		       : pfkey_decode(bytes, len, PFKEY_REQUEST, ret_msg, ret_fault);
}

/* Who watches everything sees the request before its answer; its keys only by right. */
static void show_request(struct pfkey_peer *peer, struct pfkey_message *msg)
{
	uint8_t bytes[PFKEY_MAX_BYTES];
	uint64_t present = msg->present;
	size_t len;

	for (struct pfkey_peer *other = peer->door->peers; other; other = other->next) {
		if (other == peer || !other->promiscuous)
			continue;
		if (!other->sees_keys)
			msg->present &= ~(
				PFKEY_BIT(PFKEY_EXT_KEY_AUTH) | PFKEY_BIT(PFKEY_EXT_KEY_ENCRYPT));
		if (pfkey_encode_for(other->dialect, msg, PFKEY_REQUEST, bytes, &len) == 0) {
			pfkey_send(other, bytes, len);
			secret_wipe(bytes, len);
		}
		msg->present = present;
	}
}

/* What it is about, before it is consumed. Never keys. */
static void describe(const struct pfkey_message *msg, struct text *text)
{
	const struct pfkey_policy *policy = &msg->policy;
	char src[PREFIX_TEXT_MAX], dst[PREFIX_TEXT_MAX];

	if (!(msg->type & PFKEY_LINUX_BIT)) {
		if (pfkey_has(msg, PFKEY_EXT_SA) || msg->type == PFKEY_GETSPI)
			sa_print(msg->sa, text);
	} else if (policy->src.addr.family != AF_UNSPEC) {
		text_addf(text, "policy %s %s > %s",
			policy->direction == PFKEY_LINUX_DIR_IN	   ? "in"
			: policy->direction == PFKEY_LINUX_DIR_OUT ? "out"
								   : "forward",
			prefix_format(&policy->src, src), prefix_format(&policy->dst, dst));
	} else if (policy->id) {
		text_addf(text, "policy %" PRIu32, policy->id);
	}
}

static void refuse(struct pfkey_peer *peer, const struct pfkey_message *base, int error)
{
	pfkey_audit_message(peer, base->type, "", error);
	pfkey_answer_error(peer, base, error, PFKEY_DIAG_NONE);
}

static void carry_out(
	struct pfkey_peer *peer, struct pfkey_message *msg, const struct pfkey_message *base)
{
	struct sadb_refusal refusal = { 0 };
	struct text object = { 0 };

	describe(msg, &object);
	show_request(peer, msg);
	if ((peer->dialect == PFKEY_LINUX ? pfkey_linux_handle : pfkey_on_common)(
		    peer, msg, &refusal) < 0)
		pfkey_answer_error(peer, base, refusal.error, refusal.diagnostic);
	pfkey_audit_message(
		peer, base->type, object.str && !object.failed ? object.str : "", refusal.error);
	text_done(&object);
}

void pfkey_handle(struct pfkey_peer *peer, const uint8_t *bytes, size_t len, bool truncated)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	CLEANUP(pfkey_message_freep) struct pfkey_message *base = pfkey_message_new();
	struct pfkey_fault fault = { .error = EMSGSIZE };

	if (!base)
		return;
	/* Less than a base header: there is nothing to echo. */
	(void)!(peer->dialect == PFKEY_LINUX ? pfkey_linux_decode_base(bytes, len, base)
					     : pfkey_decode_base(bytes, len, base));
	if (pfkey_is_stranger(peer)) {
		refuse(peer, base, EPERM);
		return;
	}
	if (truncated || decode(peer, bytes, len, &msg, &fault) < 0) {
		if (fault.diagnostic == PFKEY_DIAG_UNKNOWN_MSG)
			base->type = 0;
		/* Noise of who may not change anything is not for everybody. */
		if (!peer->may_change && pfkey_is_public(base->type)) {
			refuse(peer, base, EPERM);
			return;
		}
		pfkey_audit_message(peer, base->type, "", fault.error);
		pfkey_answer_error(peer, base, fault.error, fault.diagnostic);
		return;
	}
	if (pfkey_changes(msg->type) && !peer->may_change) {
		refuse(peer, base, EPERM);
		return;
	}
	carry_out(peer, msg, base);
}
