/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/forecast_log.h"

#include <inttypes.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/daemon/log-ids.h"
#include "common/daemon/log.h"

#define FAR_SEC (UINT64_C(1000) * 366 * 86400) /* nobody plans for longer */

static const char *words_of(enum forecast_limit limit)
{
	switch (limit) {
	case FORECAST_SEQUENCE:
		return "sequence numbers";
	case FORECAST_BYTES:
		return "bytes";
	case FORECAST_ADD_TIME:
	case FORECAST_USE_TIME:
	case FORECAST_LIMITS:
		break;
	}
	return "time";
}

void forecast_print(const struct sadb_event *event, uint64_t now_sec, struct text *text)
{
	const struct forecast *forecast = event->forecast;
	char when[32];
	struct tm tm;
	time_t end;

	sa_print(event->entry->sa, text);
	text_addf(text, ": %u %% of its %s %s used", forecast_threshold(forecast_level(forecast)),
		words_of(event->limit), event->limit >= FORECAST_ADD_TIME ? "is" : "are");
	if (forecast->left_sec > FAR_SEC) {
		text_add(text, "; at the present rate there is no end to see");
		return;
	}
	end = (time_t)(now_sec + forecast->left_sec);
	if (gmtime_r(&end, &tm) && strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		text_addf(text, "; %sit ends at %s",
			event->limit >= FORECAST_ADD_TIME ? "" : "at the present rate ", when);
}

void forecast_log(const struct sadb_event *event)
{
	CLEANUP(text_done) struct text text = { 0 };
	char spi[32], limit[32];
	const char *const fields[] = { spi, limit, NULL };

	forecast_print(event, clock_wall_usec() / USEC_PER_SEC, &text);
	if (text_fixed(spi, sizeof(spi), "IPSEC_SPI=0x%08" PRIx32, event->entry->sa->spi) == 0 &&
		text_fixed(limit, sizeof(limit), "IPSEC_LIMIT=%s", forecast_name(event->limit)) ==
			0 &&
		text.str)
		log_event(LOG_WARNING, LOG_ID_FORECAST, fields, "%s", text.str);
}
