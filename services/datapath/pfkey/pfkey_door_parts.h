/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the PF_KEY door: connections, requests, answers. */
#ifndef DATAPATH_PFKEY_DOOR_PARTS_H
#define DATAPATH_PFKEY_DOOR_PARTS_H

#include "common/pfkey/linux.h"
#include "common/pfkey/pfkey.h"
#include "services/datapath/pfkey/pfkey_door.h"

#define PFKEY_DOOR_MAX_PEERS 128
/* Of these, such as may do nothing: they cannot keep the others out. */
#define PFKEY_DOOR_MAX_STRANGERS 16
/* What waits for a slow reader; beyond it messages are lost to it, and then it is told so (ENOBUFS). */
#define PFKEY_DOOR_QUEUE_BYTES (256U << 10)

struct pfkey_packet {
	struct pfkey_packet *next;
	size_t len;
	uint8_t bytes[];
};

/* SAs that a DUMP looks at before others have their turn. */
#define PFKEY_DUMP_PER_TURN 256

/* A DUMP on its way: SAs that were there when it began and are there when their turn comes. */
struct pfkey_dump {
	bool going;
	struct sad_cursor cursor;
	uint64_t idle_usec; /* only what was not used for so long */
	int proto; /* 0: all */
	uint8_t satype;
	uint32_t seq, pid;
	uint32_t told;
};

/* How a connection numbers messages: which socket it came to. */
enum pfkey_dialect { PFKEY_SOLARIS, PFKEY_LINUX, PFKEY_DIALECTS };

struct pfkey_peer {
	struct pfkey_door *door;
	enum pfkey_dialect dialect;
	struct pfkey_peer *next;
	int fd;
	sd_event_source *source;
	uint64_t number;
	uid_t uid;
	pid_t pid;
	const char *right; /* to change, "none" */
	bool may_change, sees_keys;
	bool promiscuous;
	uint32_t registered; /* bit 1 << satype */
	bool extended; /* for all of them at once, with extended proposals */
	bool gone; /* to be freed when nobody walks the list */
	struct pfkey_packet *first, **last;
	size_t queued_bytes;
	bool has_lost; /* messages, since it was told of that last */
	struct pfkey_dump dump;
};

/* Changes that were too many to be told one by one. */
#define PFKEY_LEDGER_ROWS 64
struct pfkey_ledger_row {
	uid_t uid;
	pid_t pid;
	const char *right;
	uint8_t type;
	int error;
	uint64_t times;
};

struct pfkey_ledger {
	uint64_t since_usec; /* 0: nothing was told of late */
	unsigned int told;
	struct pfkey_ledger_row rows[PFKEY_LEDGER_ROWS];
	size_t n_rows;
	sd_event_source *timer;
};

struct pfkey_listener {
	struct pfkey_door *door;
	char *path; /* NULL: nobody listens */
	int fd, spare;
	sd_event_source *source;
};

struct pfkey_door {
	sd_event *event;
	struct sadb *sadb;
	struct pfkey_door_groups groups;
	struct pfkey_listener listeners[PFKEY_DIALECTS];
	struct pfkey_linux_policies *policies; /* NULL: nobody listens in the Linux numbering */
	struct pfkey_peer *peers;
	size_t n_peers;
	uint64_t next_number;
	pfkey_policy_fn policy;
	void *policy_userdata;
	pfkey_audit_fn audit;
	void *audit_userdata;
	struct pfkey_ledger ledger;
};

static inline bool pfkey_is_stranger(const struct pfkey_peer *peer)
{
	return !peer->may_change && !peer->sees_keys;
}

/* pfkey_door.c: bytes to one, or to all that @wants (NULL: everybody). */
void pfkey_send(struct pfkey_peer *peer, const void *bytes, size_t len);
/* Somebody has registered, or has gone: who is left to answer questions for SAs? */
void pfkey_count_managers(struct pfkey_door *door);
/* Something for this peer can be written when it is ready. */
void pfkey_peer_wake(struct pfkey_peer *peer);

/* pfkey_answers.c */
/* To one; keys go only to who may see them. */
void pfkey_answer(struct pfkey_peer *peer, struct pfkey_message *msg);
void pfkey_answer_all(struct pfkey_door *door, struct pfkey_message *msg);
/* To all that registered for the type; to those that did so plainly; to those that did extendedly. */
void pfkey_answer_registered(struct pfkey_door *door, uint8_t satype, struct pfkey_message *msg);
void pfkey_answer_managers(struct pfkey_door *door, uint8_t satype, struct pfkey_message *msg);
void pfkey_answer_extended(struct pfkey_door *door, struct pfkey_message *msg);
/* The base header of @request with what went wrong, to whom its answer would have gone. */
void pfkey_answer_error(struct pfkey_peer *peer, const struct pfkey_message *request, int error,
	uint16_t diagnostic);
/* State of an SA as GET tells it. NULL: no memory. */
struct pfkey_message *pfkey_message_of_entry(
	uint8_t type, const struct sad_entry *entry, bool keys);
struct pfkey_message *pfkey_message_of_algorithms(const struct sadb *sadb, uint8_t satype);
void pfkey_on_event(const struct sadb_event *event, void *door);
/* Are errors and answers of this type for everybody? */
bool pfkey_is_public(uint8_t type);
/* Look at one SA more of a DUMP; false: it is over, or the socket is full. */
bool pfkey_dump_step(struct pfkey_peer *peer);
/* It read too slowly, and now there is room to tell it. */
void pfkey_tell_lost(struct pfkey_peer *peer);
/* As this peer reads it. -EINVAL: its numbering has no such message. */
int pfkey_encode_for(enum pfkey_dialect dialect, const struct pfkey_message *msg,
	enum pfkey_side side, uint8_t buffer[static PFKEY_MAX_BYTES], size_t *ret_len) MUST_CHECK;

/* A handler answers by itself when all is well; else the refusal goes out. */
typedef int pfkey_handler(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal);

static inline int pfkey_door_refuse(struct sadb_refusal *refusal, int error, uint16_t diagnostic)
{
	*refusal = (struct sadb_refusal){ error, diagnostic };
	return -error;
}

static inline bool pfkey_has(const struct pfkey_message *msg, enum pfkey_extension extension)
{
	return msg->present & PFKEY_BIT(extension);
}

static inline struct sadb_request pfkey_request_of(
	const struct pfkey_peer *peer, const struct pfkey_message *msg)
{
	return (struct sadb_request){ .owner = peer->number,
		.seq = msg->seq,
		.pid = msg->pid,
		.type = msg->type,
		.by_ends = peer->dialect == PFKEY_LINUX };
}

/* pfkey_updates.c */
/* Flags as they came: what the SA itself cannot show any more. */
int pfkey_check_flags(const struct pfkey_message *msg, struct sadb_refusal *refusal) MUST_CHECK;
pfkey_handler pfkey_on_getspi, pfkey_on_update, pfkey_on_delete_pair, pfkey_on_delete_pair_state;

/* pfkey_audit.c */
/* @object: what it is about, "" when unknown. @error: 0 or an errno value. */
void pfkey_audit_message(struct pfkey_peer *peer, uint8_t type, const char *object, int error);
void pfkey_audit_done(struct pfkey_door *door); /* tells what is left */

/* pfkey_acquire.c */
void pfkey_tell_acquire(struct pfkey_door *door, const struct sadb_acquire *acquire);
pfkey_handler pfkey_on_inverse_acquire;

/* pfkey_requests.c */
/* Private answers are seen by who watches everything, too. */
void pfkey_answer_and_show(struct pfkey_peer *peer, struct pfkey_message *msg);
/* A message that is the same in both numberings, up to X_PROMISC in that of Linux. */
pfkey_handler pfkey_on_common;
bool pfkey_changes(uint8_t type); /* takes the right to change */
/* One packet from a client. */
void pfkey_handle(struct pfkey_peer *peer, const uint8_t *bytes, size_t len, bool truncated);

#endif
