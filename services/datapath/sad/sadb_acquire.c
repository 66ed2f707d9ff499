/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions for SAs that are missing: asked once, remembered while they stand. */
#include <string.h>

#include "common/base/clock.h"
#include "services/datapath/sad/sadb_parts.h"

static bool flow_equal(const struct flow *a, const struct flow *b)
{
	return a->protocol == b->protocol && a->has_ports == b->has_ports &&
	       a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       address_equal(&a->local, &b->local) && address_equal(&a->remote, &b->remote);
}

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
	return question->seq && question->proto == acquire->proto &&
	       question->mode == acquire->mode && question->rule_id == acquire->rule_id &&
	       address_equal(&question->src, &acquire->src) &&
	       address_equal(&question->dst, &acquire->dst) &&
	       (!is_unique(acquire) || flow_equal(&question->flow, &acquire->flow));
}

static bool is_over(const struct sadb_question *question, uint64_t now)
{
	return question->seq == 0 || now - question->asked_usec >= SADB_ACQUIRE_SEC * USEC_PER_SEC;
}

void sadb_need(struct sadb *sadb, const struct sadb_acquire *acquire)
{
	struct sadb_question *room = &sadb->questions[0];
	struct sadb_acquire asked = *acquire;
	struct sadb_event event = { .kind = SADB_EVENT_ACQUIRE, .acquire = &asked };
	uint64_t now = sadb_now(sadb);

	for (size_t i = 0; i < SADB_MAX_ACQUIRES; i++) {
		struct sadb_question *at = &sadb->questions[i];

		if (is_over(at, now))
			at->seq = 0;
		else if (is_same(at, acquire))
			return;
		/* A free place, or else the oldest question gives way. */
		if (room->seq && (!at->seq || at->asked_usec < room->asked_usec))
			room = at;
	}
	if (sadb->next_acquire < UINT32_C(0x80000000))
		sadb->next_acquire = UINT32_MAX;
	asked.seq = sadb->next_acquire--;
	event.seq = asked.seq;
	*room = (struct sadb_question){ .seq = asked.seq,
		.asked_usec = now,
		.proto = acquire->proto,
		.mode = acquire->mode,
		.src = acquire->src,
		.dst = acquire->dst,
		.rule_id = acquire->rule_id,
		.flow = acquire->flow };
	sadb_emit(sadb, &event);
}

void sadb_acquire_failed(struct sadb *sadb, uint32_t seq)
{
	for (size_t i = 0; i < SADB_MAX_ACQUIRES; i++)
		if (seq && sadb->questions[i].seq == seq)
			sadb->questions[i].seq = 0;
}

void sadb_answered(struct sadb *sadb, const struct sa *sa)
{
	for (size_t i = 0; i < SADB_MAX_ACQUIRES; i++)
		if (!sa || (sadb->questions[i].proto == sa->proto &&
				   address_equal(&sadb->questions[i].dst, &sa->dst)))
			sadb->questions[i].seq = 0;
}
