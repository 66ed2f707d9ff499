/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the PF_KEY door says, and to whom: never keys to everybody. */
#include <errno.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "services/datapath/pfkey/pfkey_door_parts.h"
#include "services/datapath/pfkey/pfkey_linux.h"
#include "services/datapath/replay/replay.h"

#define KEY_BITS (PFKEY_BIT(PFKEY_EXT_KEY_AUTH) | PFKEY_BIT(PFKEY_EXT_KEY_ENCRYPT))

bool pfkey_is_public(uint8_t type)
{
	switch (type) {
	case PFKEY_GETSPI:
	case PFKEY_UPDATE:
	case PFKEY_ADD:
	case PFKEY_DELETE:
	case PFKEY_FLUSH:
	case PFKEY_X_UPDATEPAIR:
	case PFKEY_X_DELPAIR:
	case PFKEY_LINUX_SPDUPDATE:
	case PFKEY_LINUX_SPDADD:
	case PFKEY_LINUX_SPDDELETE:
	case PFKEY_LINUX_SPDDELETE2:
	case PFKEY_LINUX_SPDFLUSH:
	case PFKEY_LINUX_SPDSETIDX:
	case PFKEY_LINUX_MIGRATE:
		return true;
	default:
		return false;
	}
}

int pfkey_encode_for(enum pfkey_dialect dialect, const struct pfkey_message *msg,
	enum pfkey_side side, uint8_t buffer[static PFKEY_MAX_BYTES], size_t *ret_len)
{
	if (dialect == PFKEY_LINUX)
		return pfkey_linux_write(msg, side, buffer, ret_len);
	if (msg->type & PFKEY_LINUX_BIT)
		return -EINVAL;
	return pfkey_encode(msg, side, buffer, PFKEY_MAX_BYTES, ret_len);
}

/* In the place of keys, for administrators who may not see them: by it two ends can be compared. */
static void add_check(const struct pfkey_peer *peer, struct pfkey_message *msg)
{
	bool asked = msg->type == PFKEY_GET || msg->type == PFKEY_DUMP;

	if (asked && peer->may_change && msg->present & KEY_BITS &&
		pfkey_check_keys(msg->sa, &msg->key_check) == 0)
		msg->present |= PFKEY_BIT(PFKEY_EXT_CHECK);
}

void pfkey_answer(struct pfkey_peer *peer, struct pfkey_message *msg)
{
	uint8_t bytes[PFKEY_MAX_BYTES];
	uint64_t present = msg->present;
	size_t len;

	if (!peer->sees_keys) {
		add_check(peer, msg);
		msg->present &= ~KEY_BITS;
	}
	if (pfkey_encode_for(peer->dialect, msg, PFKEY_ANSWER, bytes, &len) == 0) {
		pfkey_send(peer, bytes, len);
		secret_wipe(bytes, len);
	}
	msg->present = present;
}

/* REGISTERED are also those with an extended registration, MANAGERS those without. */
enum audience { EVERYBODY, REGISTERED, MANAGERS, EXTENDED };

static bool is_meant(const struct pfkey_peer *peer, enum audience audience, uint8_t satype)
{
	bool registered = peer->registered & 1U << satype;

	if (pfkey_is_stranger(peer))
		return false;
	if (peer->promiscuous)
		return true;
	switch (audience) {
	case EVERYBODY:
		return true;
	case REGISTERED:
		return registered;
	case MANAGERS:
		return registered && !peer->extended;
	case EXTENDED:
		return peer->extended;
	}
	return false;
}

static void answer_many(
	struct pfkey_door *door, enum audience audience, uint8_t satype, struct pfkey_message *msg)
{
	uint8_t bytes[PFKEY_MAX_BYTES];
	size_t len;

	msg->present &= ~KEY_BITS;
	for (enum pfkey_dialect i = PFKEY_SOLARIS; i < PFKEY_DIALECTS; i++) {
		if (pfkey_encode_for(i, msg, PFKEY_ANSWER, bytes, &len) < 0)
			continue;
		for (struct pfkey_peer *peer = door->peers; peer; peer = peer->next)
			if (peer->dialect == i && is_meant(peer, audience, satype))
				pfkey_send(peer, bytes, len);
	}
}

void pfkey_answer_all(struct pfkey_door *door, struct pfkey_message *msg)
{
	answer_many(door, EVERYBODY, 0, msg);
}

void pfkey_answer_registered(struct pfkey_door *door, uint8_t satype, struct pfkey_message *msg)
{
	answer_many(door, REGISTERED, satype, msg);
}

void pfkey_answer_managers(struct pfkey_door *door, uint8_t satype, struct pfkey_message *msg)
{
	answer_many(door, MANAGERS, satype, msg);
}

void pfkey_answer_extended(struct pfkey_door *door, struct pfkey_message *msg)
{
	answer_many(door, EXTENDED, PFKEY_SATYPE_UNSPEC, msg);
}

void pfkey_answer_error(struct pfkey_peer *peer, const struct pfkey_message *request, int error,
	uint16_t diagnostic)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();

	if (!msg)
		return;
	msg->type = request->type;
	msg->satype = request->satype;
	msg->error = (uint8_t)error;
	msg->diagnostic = diagnostic;
	msg->seq = request->seq;
	msg->pid = request->pid;
	/* A refusal for want of rights is nobody else's business. */
	if (pfkey_is_public(request->type) && error != EPERM)
		pfkey_answer_all(peer->door, msg);
	else
		pfkey_answer(peer, msg);
}

static uint64_t top_of(struct sa_run *run)
{
	uint64_t top;

	replay_lock(run);
	top = run->top;
	replay_unlock(run);
	return top;
}

struct pfkey_message *pfkey_message_of_entry(uint8_t type, const struct sad_entry *entry, bool keys)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_of_sa(
		type, entry->sa, keys);
	struct sa_run *run = entry->run;
	uint64_t first_use = atomic_load(&run->first_use_usec);

	if (!msg)
		return NULL;
	msg->sa->state = (uint8_t)atomic_load(&run->state);
	msg->sa->directions = entry->directions;
	/* Who is its partner now, whatever was asked for when it was added. */
	msg->sa->pair_spi = entry->control.pair_spi;
	if (msg->sa->pair_spi)
		msg->present |= PFKEY_BIT(PFKEY_EXT_PAIR);
	else
		msg->present &= ~PFKEY_BIT(PFKEY_EXT_PAIR);
	msg->sa->replay_value = entry->directions & SA_OUTBOUND ? atomic_load(&run->seq)
								: top_of(run);
	if (msg->sa->replay_value)
		msg->present |= PFKEY_BIT(PFKEY_EXT_REPLAY_VALUE);
	else
		msg->present &= ~PFKEY_BIT(PFKEY_EXT_REPLAY_VALUE);
	msg->current.allocations = (uint32_t)atomic_load(&run->packets);
	msg->current.bytes = atomic_load(&run->bytes);
	msg->current.add_wall_sec = run->added_wall_usec / USEC_PER_SEC;
	if (first_use) {
		msg->sa_flags |= PFKEY_SAF_USED;
		msg->current.use_wall_sec = (run->added_wall_usec + (first_use - run->added_usec)) /
					    USEC_PER_SEC;
	}
	msg->present |= PFKEY_BIT(PFKEY_EXT_LIFETIME_CURRENT);
	return STEAL(msg);
}

struct pfkey_message *pfkey_message_of_algorithms(const struct sadb *sadb, uint8_t satype)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();
	enum sa_proto proto;

	if (!msg)
		return NULL;
	msg->type = PFKEY_REGISTER;
	msg->satype = satype;
	proto = (enum sa_proto)pfkey_proto_of(satype);
	msg->n_auth = sadb_supported(sadb, proto, ALG_PROTO_AH, msg->auth);
	if (proto == SA_PROTO_ESP)
		msg->n_encrypt = sadb_supported(sadb, proto, ALG_PROTO_ESP, msg->encrypt);
	if (msg->n_auth)
		msg->present |= PFKEY_BIT(PFKEY_EXT_SUPPORTED_AUTH);
	if (msg->n_encrypt)
		msg->present |= PFKEY_BIT(PFKEY_EXT_SUPPORTED_ENCRYPT);
	return STEAL(msg);
}

void pfkey_door_algorithms_changed(struct pfkey_door *door)
{
	static const uint8_t satypes[] = { PFKEY_SATYPE_AH, PFKEY_SATYPE_ESP };

	for (size_t i = 0; i < ARRAY_SIZE(satypes); i++) {
		struct pfkey_message *msg = pfkey_message_of_algorithms(door->sadb, satypes[i]);

		if (msg)
			pfkey_answer_registered(door, satypes[i], msg);
		pfkey_message_free(msg);
	}
	/* Rules of policies that name no algorithm name all that there are. */
	if (door->policies && door->policies->first)
		pfkey_linux_enforce_rest(door);
}

static void on_expire(
	struct pfkey_door *door, const struct sadb_event *event, enum pfkey_extension which)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_of_entry(
		PFKEY_EXPIRE, event->entry, false);

	if (!msg)
		return;
	msg->present &= PFKEY_BIT(PFKEY_EXT_SA) | PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) |
			PFKEY_BIT(PFKEY_EXT_ADDRESS_DST) | PFKEY_BIT(PFKEY_EXT_INNER_SRC) |
			PFKEY_BIT(PFKEY_EXT_INNER_DST);
	msg->present |= PFKEY_BIT(PFKEY_EXT_LIFETIME_CURRENT) | PFKEY_BIT(which);
	pfkey_answer_all(door, msg);
}

static void on_change(struct pfkey_door *door, uint8_t type, const struct sadb_event *event)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg =
		event->entry ? pfkey_message_of_entry(type, event->entry, false)
			     : pfkey_message_new();

	if (!msg)
		return;
	msg->type = event->type ? event->type : type; /* that of the request, X_UPDATEPAIR say */
	if (!event->entry)
		msg->satype = pfkey_satype_of(event->proto);
	msg->seq = event->seq;
	msg->pid = event->pid;
	pfkey_answer_all(door, msg);
}

/* Of a larval SA nothing counts but its SPI and its ends. */
static void on_reserved(struct pfkey_door *door, const struct sadb_event *event)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_of_sa(
		PFKEY_GETSPI, event->entry->sa, false);

	if (!msg)
		return;
	msg->present &= PFKEY_BIT(PFKEY_EXT_SA) | PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) |
			PFKEY_BIT(PFKEY_EXT_ADDRESS_DST);
	msg->seq = event->seq;
	msg->pid = event->pid;
	pfkey_answer_all(door, msg);
}

void pfkey_on_event(const struct sadb_event *event, void *userdata)
{
	struct pfkey_door *door = userdata;

	switch (event->kind) {
	case SADB_EVENT_RESERVED:
		on_reserved(door, event);
		break;
	case SADB_EVENT_ADDED:
		on_change(door, PFKEY_ADD, event);
		break;
	case SADB_EVENT_UPDATED:
		on_change(door, PFKEY_UPDATE, event);
		break;
	case SADB_EVENT_DELETED:
		on_change(door, PFKEY_DELETE, event);
		break;
	case SADB_EVENT_FLUSHED:
		on_change(door, PFKEY_FLUSH, event);
		break;
	case SADB_EVENT_SOFT:
		on_expire(door, event, PFKEY_EXT_LIFETIME_SOFT);
		break;
	case SADB_EVENT_HARD:
		on_expire(door, event, PFKEY_EXT_LIFETIME_HARD);
		break;
	case SADB_EVENT_IDLE:
		on_expire(door, event, PFKEY_EXT_LIFETIME_IDLE);
		break;
	case SADB_EVENT_ACQUIRE:
		pfkey_tell_acquire(door, event->acquire);
		break;
	case SADB_EVENT_MAPPING:
		pfkey_linux_tell_mapping(door, event);
		break;
	case SADB_EVENT_FORECAST:
		break;
	}
}

static void dump_end(struct pfkey_peer *peer)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();

	if (msg) {
		msg->type = PFKEY_DUMP;
		msg->satype = peer->dump.satype;
		msg->pid = peer->dump.pid;
		pfkey_answer(peer, msg);
	}
	sad_cursor_close(&peer->dump.cursor);
	peer->dump = (struct pfkey_dump){ 0 };
}

static bool is_dumped(const struct pfkey_dump *dump, const struct sad_entry *entry, uint64_t now)
{
	uint64_t used = atomic_load(&entry->run->last_use_usec);

	if (dump->proto != 0 && (int)entry->sa->proto != dump->proto)
		return false;
	if (!used)
		used = entry->run->added_usec;
	return dump->idle_usec == 0 || (now > used && now - used > dump->idle_usec);
}

bool pfkey_dump_step(struct pfkey_peer *peer)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	struct pfkey_dump *dump = &peer->dump;
	struct sad_entry *entry = sad_cursor_next(&dump->cursor);

	if (!entry) {
		dump_end(peer);
		return false;
	}
	if (!is_dumped(dump, entry, clock_boot_usec()))
		return true;
	msg = pfkey_message_of_entry(PFKEY_DUMP, entry, true);
	if (msg) {
		/* On Linux the last one is told by its number, so no other may have it. */
		msg->seq = peer->dialect == PFKEY_LINUX ? ++dump->told : dump->seq;
		msg->pid = dump->pid;
		pfkey_answer(peer, msg);
	}
	return !peer->first; /* one that had to wait: go on when the socket has room */
}

void pfkey_tell_lost(struct pfkey_peer *peer)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();

	if (!msg)
		return;
	peer->has_lost = false;
	msg->error = ENOBUFS;
	pfkey_answer(peer, msg);
}
