/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When what an SA may use will be used up, at the rate at which it is used now. Knows no SAD and no
 * clock: the datapath warns by it, and ipsecstat(8) shows it.
 */
#ifndef DATAPATH_FORECAST_H
#define DATAPATH_FORECAST_H

#include <stddef.h>
#include <stdint.h>

enum forecast_limit {
	FORECAST_SEQUENCE, /* numbers of outbound packets */
	FORECAST_BYTES,
	FORECAST_ADD_TIME, /* seconds since it was added */
	FORECAST_USE_TIME, /* seconds since its first packet */
	FORECAST_LIMITS
};

#define FORECAST_NEVER UINT64_MAX

/* One SA at one moment. Times are of one clock, in microseconds; 0: not yet. */
struct forecast_facts {
	uint64_t now_usec, added_usec, used_usec;
	uint64_t add_sec, use_sec; /* hard limits; 0: none */
	uint64_t seq, seq_limit; /* 0: it gives out no numbers */
	uint64_t bytes, bytes_limit; /* 0: none */
	/* What it used in an interval that ended now; 0: not known yet. */
	uint64_t pace_usec, pace_seq, pace_bytes;
};

struct forecast {
	uint64_t used, limit; /* limit 0: there is none */
	uint64_t left_sec; /* FORECAST_NEVER at the present rate */
	double per_sec;
};

struct forecast forecast_of(const struct forecast_facts *facts, enum forecast_limit which);
/* "sequence", "bytes", "addtime", "usetime". */
const char *forecast_name(enum forecast_limit which);
double forecast_percent(const struct forecast *forecast); /* 0 without a limit */

/* How many of the thresholds are reached, and the percents that the last of these stands for. */
#define FORECAST_LEVELS 3U
unsigned int forecast_level(const struct forecast *forecast);
unsigned int forecast_threshold(unsigned int level); /* 1 to FORECAST_LEVELS: 50, 80, 95 */
/* When a limit in time reaches its next threshold, and is it one? 0: never. */
uint64_t forecast_next_usec(const struct forecast_facts *facts, enum forecast_limit which);

#endif
