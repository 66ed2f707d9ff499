/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the SADB: its state, and the steps that adding an SA is made of. */
#ifndef DATAPATH_SADB_PARTS_H
#define DATAPATH_SADB_PARTS_H

#include "services/datapath/sad/sadb.h"

#define SADB_MAX_LISTENERS 8
#define SADB_MAX_ACQUIRES  512U

struct sadb_listener {
	sadb_event_fn fn;
	void *userdata;
};

/* What a question still is. */
enum sadb_stage {
	SADB_ASKED,
	SADB_UNHEARD, /* nobody was there to answer: until somebody is */
	SADB_ESP_CAME /* answered for ESP: AH may be asked for behind it */
};

/* A question that stands. */
struct sadb_question {
	uint32_t seq; /* 0: free */
	enum sadb_stage stage;
	uint64_t asked_usec;
	enum sa_proto proto;
	enum sa_mode mode;
	struct address src, dst;
	uint64_t rule_id;
	struct flow flow;
	struct sadb_packet *packets; /* that wait, the oldest first; owned */
	size_t n_packets;
};

/* A heap by due_usec. */
struct sadb_due {
	struct sad_entry **heap;
	size_t count, room;
};

struct sadb {
	struct sadb_parts parts;
	const struct alg_table *algorithms;
	size_t limit; /* of SAs, 0: none */
	struct sadb_listener listeners[SADB_MAX_LISTENERS];
	size_t n_listeners;
	/* SAs with counter-mode keys, by the key's id; chains through control.key_next. */
	struct sad_entry **keys;
	size_t n_key_buckets, n_keys;
	uint64_t marks; /* number of the last apply */
	struct sadb_due due;
	struct sad_entry *granted; /* chain of those with numbers that wait for the disk */
	int disk_error; /* of the last reservation, 0: it went well */
	size_t n_natt; /* SAs that may need to be kept alive */
	size_t n_dummies; /* SAs that may have dummy packets to send */
	struct sadb_question questions[SADB_MAX_ACQUIRES];
	size_t n_questions; /* that stand */
	unsigned int managed; /* SADB_MANAGED(): somebody answers for these */
	uint32_t next_acquire;
};

static inline int sadb_refuse(struct sadb_refusal *refusal, int error, uint16_t diagnostic)
{
	refusal->error = error;
	refusal->diagnostic = diagnostic;
	return -error;
}

void sadb_emit(struct sadb *sadb, const struct sadb_event *event);
void sadb_emit_entry(struct sadb *sadb, enum sadb_event_kind kind, const struct sad_entry *entry,
	const struct sadb_request *request);
/* Highest sequence number of an SA. */
uint64_t sadb_seq_limit(const struct sa *sa);

/* sadb_check.c: fill in what follows from the rest, then hold it against every rule. */
int sadb_settle_sa(
	const struct sadb *sadb, struct sa *sa, struct sadb_refusal *ret_refusal) MUST_CHECK;
int sadb_check_sa(const struct sadb *sadb, const struct sa *sa, struct suite *ret_suite,
	struct sadb_refusal *ret_refusal) MUST_CHECK;
/* Soft limits below hard ones, idle ones below both. */
int sadb_check_limits(const struct sa *sa, struct sadb_refusal *refusal) MUST_CHECK;
/* sadb_natt.c: may it be encapsulated in UDP as it asks to be? */
int sadb_check_natt(
	const struct sadb *sadb, const struct sa *sa, struct sadb_refusal *ret_refusal) MUST_CHECK;
uint8_t sadb_directions(const struct sadb *sadb, const struct sa *sa);

/* sadb_entry.c: an entry on its way into the SAD, and out of it. */
/* @sa: settled and copied. Suite and directions are set; it has no ids and no run state yet. */
int sadb_entry_make(const struct sadb *sadb, const struct sa *sa, struct sad_entry **ret_entry,
	struct sadb_refusal *ret_refusal) MUST_CHECK;
/*
 * A little less soft lifetime, at random: two ends that were set up alike must not ask for new keys in
 * the same moment. What the key file says stays as it says: nobody asks there.
 */
void sadb_entry_shorten(const struct sadb *sadb, struct sad_entry *entry);
/* The names under which its numbers and its window are kept. */
int sadb_entry_identify(const struct sadb *sadb, struct sad_entry *entry,
	struct sadb_refusal *ret_refusal) MUST_CHECK;
/* A run state of its own in the arena, with numbers; on disk after seqstore_commit() only. */
int sadb_entry_equip(
	struct sadb *sadb, struct sad_entry *entry, struct sadb_refusal *ret_refusal) MUST_CHECK;
/* Undo: free an entry that never got into the SAD; @own_run: with its slot. */
void sadb_entry_drop(struct sadb *sadb, struct sad_entry *entry, bool own_run);
/* Out of the SAD; its slot goes and unused numbers come back when no worker holds it any more. */
void sadb_entry_remove(struct sadb *sadb, struct sad_entry *entry);
/* For sad_replace(): what becomes of a run state that @next does not share. */
void sadb_entry_released(struct sad_entry *entry, void *sadb);
/* Numbers that were reserved and are on disk; or that are not, since the disk did not take them. */
void sadb_entry_grant(struct sad_entry *entry);
void sadb_entry_ungrant(struct sad_entry *entry);

/* sadb_window.c: inbound windows on disk. What is reserved there counts when it is granted. */
/* A run state that is new: what an earlier one with this key saw, and room. */
int sadb_window_equip(struct sadb *sadb, struct sad_entry *entry) MUST_CHECK;
/* Undo, for an entry that never got into the SAD. */
void sadb_window_unmake(struct sadb *sadb, struct sad_entry *entry);
/* One of a former life: no more room than the store knows of today. */
void sadb_window_restore(const struct sadb *sadb, struct sad_entry *entry);
void sadb_window_grant(struct sad_entry *entry);
void sadb_window_refill(struct sadb *sadb, struct sad_entry *entry, uint64_t now);
/* When silence gives back what was reserved for much traffic; 0: never. */
uint64_t sadb_window_due(const struct sadb *sadb, const struct sad_entry *entry);
void sadb_window_settle(struct sadb *sadb, struct sad_entry *entry, uint64_t now);
/* It goes: nothing more is taken, and the store has its top exactly. */
void sadb_window_close(struct sadb *sadb, struct sad_entry *entry);
/* Before sad_replace() by one with a run state of its own: the next goes on where it stands. */
void sadb_window_succeed(struct sadb *sadb, struct sad_entry *old, struct sad_entry *next);

/* Out of the SAD with an event; its partner stays behind alone. */
void sadb_entry_delete(
	struct sadb *sadb, struct sad_entry *entry, const struct sadb_request *request);
/*
 * Put @sa (consumed) in the place of the record; run state, numbers and claim go on. Return: 0, or
 * -refusal->error with everything as it was.
 */
int sadb_entry_amend(struct sadb *sadb, struct sad_entry *old, struct sa *sa,
	struct sad_entry **ret_entry, struct sadb_refusal *refusal) MUST_CHECK;
/* Everything that the control thread keeps in @old goes on in @next, which shares its run state. */
void sadb_entry_inherit(struct sad_entry *next, struct sad_entry *old);

/* sadb.c: may there be @more than there are? */
int sadb_check_room(const struct sadb *sadb, size_t more, struct sadb_refusal *refusal) MUST_CHECK;
/* sadb.c: an SA as asked for in the place of @larval, whose key it has. */
int sadb_fill(struct sadb *sadb, const struct sa *sa, struct sad_entry *larval,
	const struct sadb_request *request, struct sadb_refusal *refusal) MUST_CHECK;
/* sadb_update.c: of an SA that lives. */
int sadb_change(struct sadb *sadb, const struct sadb_wish *wish, struct sad_entry *entry,
	struct sadb_refusal *ret_refusal) MUST_CHECK;

/* sadb_due.c */
/* Room for each SA that there is and @more. */
int sadb_due_reserve(struct sadb *sadb, size_t more) MUST_CHECK;
void sadb_due_set(struct sadb *sadb, struct sad_entry *entry, uint64_t usec); /* 0: never */
struct sad_entry *sadb_due_first(const struct sadb *sadb, uint64_t now_usec); /* NULL: nobody */
/* sadb_tick.c */
/* It has come into the SAD, or its limits are others: when is something due? */
void sadb_arm(struct sadb *sadb, struct sad_entry *entry);
/* It has left the SAD, or another stands in its place. */
void sadb_left(struct sadb *sadb, struct sad_entry *entry);
/* sadb_forecast.c: tell of what is used up, and when to look again for the sake of time; 0: never. */
void sadb_forecast(struct sadb *sadb, struct sad_entry *entry, uint64_t now);
uint64_t sadb_forecast_due(const struct sad_entry *entry, uint64_t now);
void sadb_forecast_pace(struct sad_entry *entry, uint64_t now);
bool sadb_may_need_keeping(const struct sad_entry *entry); /* sadb_natt.c */
bool sadb_may_send_dummies(const struct sad_entry *entry); /* sadb_dummy.c */

/* sadb_pair.c */
/* May it be the partner of the SA with this SPI on the other side? */
int sadb_pair_check(const struct sadb *sadb, const struct sad_entry *entry, uint32_t spi,
	struct sadb_refusal *refusal) MUST_CHECK;
/* With the one that its record names, if both are free; else nothing. */
void sadb_pair_link(struct sadb *sadb, struct sad_entry *entry);
void sadb_pair_unlink(struct sadb *sadb, struct sad_entry *entry);
struct sad_entry *sadb_pair_of(const struct sadb *sadb, const struct sad_entry *entry); /* NULL */
void sadb_pair_all(struct sadb *sadb); /* that are named and free */

int sadb_keys_add(struct sadb *sadb, struct sad_entry *entry) MUST_CHECK;
void sadb_keys_remove(struct sadb *sadb, struct sad_entry *entry);
/* An SA with the same counter-mode key and salt. */
struct sad_entry *sadb_keys_find(const struct sadb *sadb, const struct sad_entry *entry);

/* sadb_acquire.c: an SA was added (@request: NULL is nobody's); all of a protocol, 0: all, were flushed. */
void sadb_answered(struct sadb *sadb, const struct sa *sa, const struct sadb_request *request);
void sadb_acquires_flush(struct sadb *sadb, int proto);
void sadb_acquires_expire(struct sadb *sadb, uint64_t now);
/* What became of a packet that waited; consumed, NULL allowed. */
void sadb_packet_release(struct sadb *sadb, struct sadb_packet *packet);
void sadb_packet_lost(struct sadb *sadb, struct sadb_packet *packet, enum verdict why);

#endif
