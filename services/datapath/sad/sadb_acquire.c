/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions for SAs that are missing: asked once, remembered while they stand, and with each a few of
 * the packets that wait for the answer (kernel-semantics of the original, section 9).
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/datapath/sad/sadb_parts.h"

/* Any packet under the same rule asks the same, unless the rule wants an SA for each flow. */
static bool is_unique(const struct sadb_acquire *acquire)
{
	for (size_t i = 0; acquire->rule && i < acquire->rule->n_actions; i++)
		if (acquire->rule->actions[i].unique)
			return true;
	return false;
}

static bool is_same(const struct sadb_question *question, const struct sadb_acquire *acquire)
{
	return question->seq && question->mode == acquire->mode &&
	       question->rule_id == acquire->rule_id &&
	       address_equal(&question->src, &acquire->src) &&
	       address_equal(&question->dst, &acquire->dst) &&
	       (!is_unique(acquire) || flow_same_ends(&question->flow, &acquire->flow));
}

static bool is_over(const struct sadb *sadb, const struct sadb_question *question, uint64_t now)
{
	bool is_ah = question->proto == SA_PROTO_AH;
	uint64_t sec = sadb_tunable(sadb, TUNABLE_OF(is_ah, ACQUIRE_TIMEOUT));

	return question->seq == 0 || now - question->asked_usec >= sec * USEC_PER_SEC;
}

void sadb_packet_lost(struct sadb *sadb, struct sadb_packet *packet, enum verdict why)
{
	if (packet && sadb->parts.lost)
		sadb->parts.lost(why, sadb->parts.packets_userdata);
	free(packet);
}

void sadb_packet_release(struct sadb *sadb, struct sadb_packet *packet)
{
	if (packet && sadb->parts.release)
		sadb->parts.release(packet, sadb->parts.packets_userdata);
	free(packet);
}

/* The oldest packet that waits. */
static struct sadb_packet *take(struct sadb_question *question)
{
	struct sadb_packet *packet = question->packets;

	if (packet) {
		question->packets = packet->next;
		question->n_packets--;
	}
	return packet;
}

/* @packet: NULL or owned. */
static void keep(struct sadb *sadb, struct sadb_question *question, struct sadb_packet *packet)
{
	struct sadb_packet **end = &question->packets;

	if (!packet)
		return;
	if (question->n_packets == SADB_ACQUIRE_PACKETS)
		sadb_packet_lost(sadb, take(question), VERDICT_SADB_ACQUIRE_TOOFULL);
	while (*end)
		end = &(*end)->next;
	packet->next = NULL;
	*end = packet;
	question->n_packets++;
}

static void forget(struct sadb *sadb, struct sadb_question *question, enum verdict why)
{
	struct sadb_packet *packet;

	sadb->n_questions -= question->seq != 0;
	question->seq = 0;
	question->stage = SADB_ASKED;
	while ((packet = take(question)))
		sadb_packet_lost(sadb, packet, why);
}

/* What is remembered of a need for SAs. */
struct standing {
	struct sadb_question *esp, *ah; /* asked; NULL: not */
	struct sadb_question *leave; /* ESP has come, so AH may be asked for; NULL: it has not */
	struct sadb_question *room; /* for another: a free one, or that of the oldest */
};

static bool is_managed(const struct sadb *sadb, enum sa_proto proto)
{
	return sadb->managed & SADB_MANAGED(proto);
}

static void find(
	struct sadb *sadb, const struct sadb_acquire *acquire, uint64_t now, struct standing *ret)
{
	*ret = (struct standing){ .room = &sadb->questions[0] };
	for (size_t i = 0; i < SADB_MAX_ACQUIRES; i++) {
		struct sadb_question *at = &sadb->questions[i];

		if (at->seq && is_over(sadb, at, now))
			forget(sadb, at, VERDICT_SADB_ACQUIRE_TIMEOUT);
		/* Now somebody is there to be asked. */
		if (at->stage == SADB_UNHEARD && is_managed(sadb, at->proto))
			forget(sadb, at, VERDICT_SADB_ACQUIRE);
		if (is_same(at, acquire))
			*(at->stage == SADB_ESP_CAME	   ? &ret->leave
				: at->proto == SA_PROTO_AH ? &ret->ah
							   : &ret->esp) = at;
		if (ret->room->seq && (!at->seq || at->asked_usec < ret->room->asked_usec))
			ret->room = at;
	}
}

/* A place for a question that is not asked yet; @asked has its number. */
static struct sadb_question *note(struct sadb *sadb, const struct standing *standing,
	struct sadb_acquire *asked, uint64_t now)
{
	struct sadb_question *question = asked->behind_esp ? standing->leave : standing->room;

	forget(sadb, question, VERDICT_SADB_ACQUIRE_TIMEOUT);
	if (sadb->next_acquire < UINT32_C(0x80000000))
		sadb->next_acquire = UINT32_MAX;
	asked->seq = sadb->next_acquire--;
	*question = (struct sadb_question){ .seq = asked->seq,
		.stage = is_managed(sadb, asked->proto) ? SADB_ASKED : SADB_UNHEARD,
		.asked_usec = now,
		.proto = asked->proto,
		.mode = asked->mode,
		.src = asked->src,
		.dst = asked->dst,
		.rule_id = asked->rule_id,
		.flow = asked->flow };
	sadb->n_questions++;
	return question;
}

void sadb_need(struct sadb *sadb, const struct sadb_acquire *acquire)
{
	struct sadb_acquire asked = *acquire;
	struct sadb_event event = { .kind = SADB_EVENT_ACQUIRE, .acquire = &asked };
	struct sadb_packet *packet = acquire->packet;
	uint64_t now = sadb_now(sadb);
	struct sadb_question *question;
	struct standing standing;

	asked.packet = NULL;
	find(sadb, acquire, now, &standing);
	/* Of a rule that wants both the SA of ESP comes first, though there be one. */
	if (asked.behind_esp && !standing.ah && !standing.leave) {
		asked.proto = SA_PROTO_ESP;
		asked.behind_esp = false;
	}
	/* Nobody would ever answer. */
	if (!is_managed(sadb, asked.proto)) {
		sadb_packet_lost(sadb, packet, VERDICT_SADB_ACQUIRE);
		packet = NULL;
	}
	question = asked.proto == SA_PROTO_AH ? standing.ah : standing.esp;
	if (question) {
		keep(sadb, question, packet);
		return;
	}
	/* It was on its way to us when the answer came: by now it may have what it needs. */
	if (packet && acquire->generation &&
		acquire->generation != sad_generation(sadb->parts.sad)) {
		sadb_packet_release(sadb, packet);
		return;
	}
	question = note(sadb, &standing, &asked, now);
	event.seq = asked.seq;
	keep(sadb, question, packet);
	sadb_emit(sadb, &event);
}

void sadb_acquire_failed(struct sadb *sadb, uint32_t seq)
{
	for (size_t i = 0; i < SADB_MAX_ACQUIRES; i++)
		if (seq && sadb->questions[i].seq == seq)
			forget(sadb, &sadb->questions[i], VERDICT_SADB_ACQUIRE);
}

static bool is_answer(const struct sadb_question *question, const struct sa *sa, uint32_t seq)
{
	return question->seq && question->seq == seq && question->stage != SADB_ESP_CAME &&
	       question->proto == sa->proto && address_equal(&question->dst, &sa->dst);
}

void sadb_answer_failed(struct sadb *sadb, const struct sa *sa, uint32_t seq)
{
	for (size_t i = 0; i < SADB_MAX_ACQUIRES; i++)
		if (is_answer(&sadb->questions[i], sa, seq))
			forget(sadb, &sadb->questions[i], VERDICT_SADB_ACQUIRE);
}

/* Whose protocol knows no numbers of questions: it answers all that stand between the two. */
static bool is_answer_by_ends(const struct sadb_question *question, const struct sa *sa)
{
	return question->seq && question->stage != SADB_ESP_CAME && question->proto == sa->proto &&
	       question->mode == sa->mode && address_equal(&question->dst, &sa->dst) &&
	       (address_is_unspecified(&sa->src) || address_equal(&question->src, &sa->src));
}

/* The question is over; for ESP it leaves behind that it was answered. */
static struct sadb_packet **answer(
	struct sadb *sadb, struct sadb_question *question, struct sadb_packet **end)
{
	struct sadb_packet *packet;

	while ((packet = take(question))) {
		packet->next = NULL;
		*end = packet;
		end = &packet->next;
	}
	if (question->proto == SA_PROTO_ESP) {
		question->stage = SADB_ESP_CAME;
		question->asked_usec = sadb_now(sadb);
	} else {
		forget(sadb, question, VERDICT_SADB_ACQUIRE);
	}
	return end;
}

void sadb_answered(struct sadb *sadb, const struct sa *sa, const struct sadb_request *request)
{
	struct sadb_packet *released = NULL, **end = &released, *packet;

	if (sadb->n_questions == 0 || !request) /* a hundred thousand SAs at once answer nothing */
		return;
	for (size_t i = 0; i < SADB_MAX_ACQUIRES; i++) {
		struct sadb_question *question = &sadb->questions[i];

		if (is_answer(question, sa, request->seq) ||
			(request->by_ends && is_answer_by_ends(question, sa)))
			end = answer(sadb, question, end);
	}
	/* On their way they may ask again, for AH behind ESP say: so the questions go first. */
	while ((packet = released)) {
		released = packet->next;
		sadb_packet_release(sadb, packet);
	}
}

void sadb_acquires_flush(struct sadb *sadb, int proto)
{
	for (size_t i = 0; i < SADB_MAX_ACQUIRES; i++)
		if (proto == 0 || (int)sadb->questions[i].proto == proto)
			forget(sadb, &sadb->questions[i], VERDICT_SADB_ACQUIRE);
}

void sadb_acquires_expire(struct sadb *sadb, uint64_t now)
{
	if (sadb->n_questions == 0)
		return;
	for (size_t i = 0; i < SADB_MAX_ACQUIRES; i++)
		if (sadb->questions[i].seq && is_over(sadb, &sadb->questions[i], now))
			forget(sadb, &sadb->questions[i], VERDICT_SADB_ACQUIRE_TIMEOUT);
}

void sadb_hold(struct sadb *sadb, const struct sadb_acquire *early)
{
	struct sa_key key = { early->proto, early->spi, early->dst };
	struct sad_entry *entry = sad_find(sadb->parts.sad, &key);

	if (!entry) {
		sadb_packet_lost(sadb, early->packet, VERDICT_ESP_NO_SA);
		return;
	}
	if (atomic_load(&entry->run->state) != SA_LARVAL) { /* filled in meanwhile */
		sadb_packet_release(sadb, early->packet);
		return;
	}
	sadb_packet_lost(sadb, entry->control.held, VERDICT_SADB_INLARVAL_REPLACE);
	entry->control.held = early->packet;
}

void sadb_drop_packet(struct sadb *sadb, const struct sadb_acquire *acquire)
{
	sadb_packet_lost(sadb, acquire->packet, VERDICT_SADB_ACQUIRE);
}

void sadb_managers_changed(struct sadb *sadb, unsigned int protos)
{
	sadb->managed = protos;
	sad_set_managed(sadb->parts.sad, protos != 0);
}
