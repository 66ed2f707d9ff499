/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SAs that nobody replaces come to an end some day. Of each limit the control thread tells when half,
 * four fifths and 95 percent of it are used, once each, also over the lives of this process.
 */
#include "services/datapath/sad/sadb_parts.h"

#include "common/base/clock.h"

#define PACE_USEC (30 * USEC_PER_SEC) /* a rate is taken over one to two of these */

static struct sad_pace pace_now(const struct sad_entry *entry, uint64_t now)
{
	return (struct sad_pace){ .usec = now,
		.seq = atomic_load(&entry->run->seq),
		.bytes = atomic_load(&entry->run->bytes) };
}

void sadb_forecast_pace(struct sad_entry *entry, uint64_t now)
{
	struct sad_control *control = &entry->control;

	if (control->pace[1].usec == 0)
		control->pace[1] = control->pace[0] = pace_now(entry, now);
	if (now < control->pace[1].usec + PACE_USEC)
		return;
	control->pace[0] = control->pace[1];
	control->pace[1] = pace_now(entry, now);
}

struct forecast_facts sadb_forecast_facts(const struct sad_entry *entry, uint64_t now)
{
	const struct sad_pace *since = &entry->control.pace[0];
	const struct sa_limits *hard = &entry->sa->hard;
	const struct sa_run *run = entry->run;
	struct forecast_facts facts = {
		.now_usec = now,
		.added_usec = run->added_usec,
		.used_usec = atomic_load(&run->first_use_usec),
		.add_sec = hard->add_sec,
		.use_sec = hard->use_sec,
		.bytes = atomic_load(&run->bytes),
		.bytes_limit = hard->bytes,
	};

	if (entry->directions & SA_OUTBOUND) {
		facts.seq = atomic_load(&run->seq);
		facts.seq_limit = sadb_seq_limit(entry->sa);
	}
	if (since->usec == 0 || now <= since->usec)
		return facts;
	facts.pace_usec = now - since->usec;
	facts.pace_seq = facts.seq > since->seq ? facts.seq - since->seq : 0;
	facts.pace_bytes = facts.bytes > since->bytes ? facts.bytes - since->bytes : 0;
	return facts;
}

/* Key management hears of soft limits; where there are none, or nobody listens, people have to. */
static bool is_for_people(const struct sad_entry *entry)
{
	const struct sa_limits *soft = &entry->sa->soft;

	return entry->sa->origin == SA_ORIGIN_KEYS ||
	       (!soft->bytes && !soft->add_sec && !soft->use_sec);
}

/* Levels stand in the run state, a byte for each limit. */
static unsigned int told_level(const struct sa_run *run, enum forecast_limit which)
{
	return run->told >> (8 * which) & 0xffU;
}

static void set_told(struct sa_run *run, enum forecast_limit which, unsigned int level)
{
	run->told = (run->told & ~(0xffU << (8 * which))) | level << (8 * which);
}

void sadb_forecast(struct sadb *sadb, struct sad_entry *entry, uint64_t now)
{
	struct forecast_facts facts;

	sadb_forecast_pace(entry, now);
	if (!is_for_people(entry))
		return;
	facts = sadb_forecast_facts(entry, now);
	for (enum forecast_limit which = 0; which < FORECAST_LIMITS; which++) {
		struct forecast forecast = forecast_of(&facts, which);
		unsigned int level = forecast_level(&forecast),
			     told = told_level(entry->run, which);
		struct sadb_event event = {
			.kind = SADB_EVENT_FORECAST,
			.entry = entry,
			.forecast = &forecast,
			.limit = which,
		};

		set_told(entry->run, which, level); /* lower than before: the limit is another */
		if (level > told)
			sadb_emit(sadb, &event);
	}
}

uint64_t sadb_forecast_due(const struct sad_entry *entry, uint64_t now)
{
	struct forecast_facts facts;
	uint64_t add_usec, use_usec;

	if (!is_for_people(entry))
		return 0;
	facts = sadb_forecast_facts(entry, now);
	for (enum forecast_limit which = 0; which < FORECAST_LIMITS; which++) {
		struct forecast forecast = forecast_of(&facts, which);

		if (forecast_level(&forecast) > told_level(entry->run, which))
			return now; /* reached while nobody looked */
	}
	add_usec = forecast_next_usec(&facts, FORECAST_ADD_TIME);
	use_usec = forecast_next_usec(&facts, FORECAST_USE_TIME);
	if (add_usec == 0 || use_usec == 0)
		return add_usec ? add_usec : use_usec;
	return add_usec < use_usec ? add_usec : use_usec;
}
