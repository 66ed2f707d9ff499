/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/sad/forecast.h"

#include "common/base/cleanup.h"
#include "common/base/clock.h"

static const unsigned int thresholds[FORECAST_LEVELS] = { 50, 80, 95 };

const char *forecast_name(enum forecast_limit which)
{
	static const char *const names[FORECAST_LIMITS] = { "sequence", "bytes", "addtime",
		"usetime" };

	return names[which];
}

/* So much of the limit, rounded up; limits go up to the largest number. */
static uint64_t part_of(uint64_t limit, unsigned int percent)
{
	return limit / 100 * percent + (limit % 100 * percent + 99) / 100;
}

double forecast_percent(const struct forecast *forecast)
{
	return forecast->limit ? 100.0 * (double)forecast->used / (double)forecast->limit : 0;
}

unsigned int forecast_level(const struct forecast *forecast)
{
	unsigned int level = 0;

	while (forecast->limit && level < FORECAST_LEVELS &&
		forecast->used >= part_of(forecast->limit, thresholds[level]))
		level++;
	return level;
}

unsigned int forecast_threshold(unsigned int level)
{
	return thresholds[level - 1];
}

static struct forecast in_use(
	const struct forecast_facts *facts, uint64_t used, uint64_t limit, uint64_t used_of_late)
{
	struct forecast f = { .used = used, .limit = limit, .left_sec = FORECAST_NEVER };
	double left;

	if (limit == 0)
		return f;
	if (facts->pace_usec > 0)
		f.per_sec = (double)used_of_late * (double)USEC_PER_SEC / (double)facts->pace_usec;
	if (used >= limit) {
		f.left_sec = 0;
	} else if (f.per_sec > 0) {
		left = (double)(limit - used) / f.per_sec;
		if (left < (double)INT64_MAX)
			f.left_sec = (uint64_t)left;
	}
	return f;
}

static struct forecast in_time(uint64_t now_usec, uint64_t since_usec, uint64_t limit_sec)
{
	struct forecast f = { .limit = limit_sec, .left_sec = FORECAST_NEVER };

	if (limit_sec == 0 || since_usec == 0)
		return f;
	f.per_sec = 1;
	f.used = now_usec > since_usec ? (now_usec - since_usec) / USEC_PER_SEC : 0;
	f.left_sec = f.used < limit_sec ? limit_sec - f.used : 0;
	return f;
}

struct forecast forecast_of(const struct forecast_facts *facts, enum forecast_limit which)
{
	switch (which) {
	case FORECAST_SEQUENCE:
		return in_use(facts, facts->seq, facts->seq_limit, facts->pace_seq);
	case FORECAST_BYTES:
		return in_use(facts, facts->bytes, facts->bytes_limit, facts->pace_bytes);
	case FORECAST_ADD_TIME:
		return in_time(facts->now_usec, facts->added_usec, facts->add_sec);
	case FORECAST_USE_TIME:
		return in_time(facts->now_usec, facts->used_usec, facts->use_sec);
	case FORECAST_LIMITS:
		break;
	}
	return (struct forecast){ .left_sec = FORECAST_NEVER };
}

uint64_t forecast_next_usec(const struct forecast_facts *facts, enum forecast_limit which)
{
	uint64_t since = which == FORECAST_ADD_TIME ? facts->added_usec : facts->used_usec;
	struct forecast f = forecast_of(facts, which);
	unsigned int level = forecast_level(&f);
	uint64_t usec;

	if ((which != FORECAST_ADD_TIME && which != FORECAST_USE_TIME) || f.limit == 0 ||
		since == 0 || level == FORECAST_LEVELS ||
		__builtin_mul_overflow(part_of(f.limit, thresholds[level]), USEC_PER_SEC, &usec) ||
		__builtin_add_overflow(usec, since, &usec))
		return 0;
	return usec;
}
