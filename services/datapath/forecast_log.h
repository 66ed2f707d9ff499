/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The warning that an SA comes to its end, for the journal. */
#ifndef DATAPATH_FORECAST_LOG_H
#define DATAPATH_FORECAST_LOG_H

#include "common/base/text.h"
#include "services/datapath/sad/sadb.h"

/* @event: a SADB_EVENT_FORECAST. */
void forecast_log(const struct sadb_event *event);
/* Its words. @now_sec: since 1970. */
void forecast_print(const struct sadb_event *event, uint64_t now_sec, struct text *text);

#endif
