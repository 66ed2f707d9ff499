/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecstat --forecast: which limits of SAs run out, and when, the first of them first. */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "services/datapath/sad/forecast.h"
#include "services/datapath/stat/stat_table.h"

#define FAR_SEC (UINT64_C(1000) * 366 * 86400) /* nobody plans for longer */

struct prospect {
	struct json_object *sa; /* borrowed */
	enum forecast_limit limit;
	struct forecast forecast;
};

struct prospects {
	struct prospect *rows; /* owned */
	size_t count;
};

static uint64_t number_in(struct json_object *entry, const char *key, const char *inner)
{
	struct json_object *object;

	return json_object_object_get_ex(entry, key, &object) ? stat_number(object, inner) : 0;
}

static struct forecast_facts facts_of(struct json_object *sa, uint64_t now_usec)
{
	return (struct forecast_facts){
		.now_usec = now_usec,
		.added_usec = stat_number(sa, "added_usec"),
		.used_usec = stat_number(sa, "used_usec"),
		.add_sec = number_in(sa, "hard", "add_sec"),
		.use_sec = number_in(sa, "hard", "use_sec"),
		.seq = stat_number(sa, "sequence"),
		.seq_limit = stat_number(sa, "sequence_limit"),
		.bytes = stat_number(sa, "bytes"),
		.bytes_limit = number_in(sa, "hard", "bytes"),
		.pace_usec = number_in(sa, "pace", "usec"),
		.pace_seq = number_in(sa, "pace", "sequence"),
		.pace_bytes = number_in(sa, "pace", "bytes"),
	};
}

static int compare(const void *a, const void *b)
{
	const struct prospect *x = a, *y = b;

	return (x->forecast.left_sec > y->forecast.left_sec) -
	       (x->forecast.left_sec < y->forecast.left_sec);
}

/* @all: also what is hardly used and does not run out as things are. */
static int gather(
	struct json_object *list, uint64_t now_usec, bool all, struct prospects *ret_prospects)
{
	size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list)
								  : 0;
	struct prospects found = { .rows = calloc(
					   count * FORECAST_LIMITS + 1, sizeof(*found.rows)) };

	if (!found.rows)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct json_object *sa = json_object_array_get_idx(list, i);
		struct forecast_facts facts = facts_of(sa, now_usec);

		for (enum forecast_limit limit = 0; limit < FORECAST_LIMITS; limit++) {
			struct forecast forecast = forecast_of(&facts, limit);

			if (forecast.limit == 0 || (!all && forecast.left_sec > FAR_SEC &&
							   forecast_level(&forecast) == 0))
				continue;
			found.rows[found.count++] = (struct prospect){ sa, limit, forecast };
		}
	}
	qsort(found.rows, found.count, sizeof(*found.rows), compare);
	*ret_prospects = found;
	return 0;
}

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		(void)json_object_put(value);
}

static void copy_string(struct json_object *to, struct json_object *from, const char *key)
{
	const char *str = stat_string(from, key);

	if (str[0])
		add(to, key, json_object_new_string(str));
}

static struct json_object *entry_of(const struct prospect *prospect, uint64_t now_usec)
{
	static const char *const copied[] = { "proto", "spi", "source", "destination", "direction",
		"state", "origin" };
	const struct forecast *forecast = &prospect->forecast;
	struct json_object *entry = json_object_new_object();

	for (size_t i = 0; entry && i < ARRAY_SIZE(copied); i++)
		copy_string(entry, prospect->sa, copied[i]);
	if (!entry)
		return NULL;
	add(entry, "limit", json_object_new_string(forecast_name(prospect->limit)));
	add(entry, "used", json_object_new_uint64(forecast->used));
	add(entry, "of", json_object_new_uint64(forecast->limit));
	add(entry, "percent", json_object_new_double(forecast_percent(forecast)));
	add(entry, "per_sec", json_object_new_double(forecast->per_sec));
	if (forecast->left_sec <= FAR_SEC) {
		add(entry, "left_sec", json_object_new_uint64(forecast->left_sec));
		add(entry, "ends_usec",
			json_object_new_uint64(now_usec + forecast->left_sec * USEC_PER_SEC));
	}
	return entry;
}

/* ---- the table ---- */

static void cell_sa(struct json_object *entry, struct text *text)
{
	text_addf(text, "%s %s", stat_string(entry, "proto"), stat_string(entry, "spi"));
}

static void cell_ends(struct json_object *entry, struct text *text)
{
	const char *src = stat_string(entry, "source");

	text_addf(text, "%s > %s", src[0] ? src : "any", stat_string(entry, "destination"));
}

static void cell_limit(struct json_object *entry, struct text *text)
{
	text_add(text, stat_string(entry, "limit"));
}

static void cell_used(struct json_object *entry, struct text *text)
{
	text_addf(text, "%" PRIu64, stat_number(entry, "used"));
}

static void cell_of(struct json_object *entry, struct text *text)
{
	text_addf(text, "%" PRIu64, stat_number(entry, "of"));
}

static double real(struct json_object *entry, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(entry, key, &value) ? json_object_get_double(value) : 0;
}

static void cell_percent(struct json_object *entry, struct text *text)
{
	text_addf(text, "%.2f", real(entry, "percent"));
}

static void cell_rate(struct json_object *entry, struct text *text)
{
	text_addf(text, "%.1f", real(entry, "per_sec"));
}

static void cell_end(struct json_object *entry, struct text *text)
{
	uint64_t usec = stat_number(entry, "ends_usec");
	time_t when = (time_t)(usec / USEC_PER_SEC);
	char str[64];
	struct tm tm;

	if (usec == 0 || !localtime_r(&when, &tm) ||
		strftime(str, sizeof(str), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		text_add(text, "-");
	else
		text_add(text, str);
}

static const struct stat_column columns[] = {
	{ "SA", 0, cell_sa },
	{ "ENDS", 0, cell_ends },
	{ "LIMIT", 0, cell_limit },
	{ "USED", SCOLS_FL_RIGHT, cell_used },
	{ "OF", SCOLS_FL_RIGHT, cell_of },
	{ "PERCENT", SCOLS_FL_RIGHT, cell_percent },
	{ "PER SECOND", SCOLS_FL_RIGHT, cell_rate },
	{ "RUNS OUT", 0, cell_end },
};

static int show(struct json_object *out, struct json_object *rows, bool json)
{
	const char *str;

	if (!json)
		return stat_show_list(rows, columns, ARRAY_SIZE(columns));
	str = json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN);
	return str && puts(str) >= 0 ? 0 : -EIO;
}

int stat_show_forecast(struct json_object *listing, const struct stat_request *request)
{
	struct json_object *out = json_object_new_object(), *rows = json_object_new_array();
	uint64_t now_usec = clock_wall_usec();
	struct json_object *list = NULL;
	struct prospects found = { 0 };
	int r = out && rows ? 0 : -ENOMEM;

	(void)json_object_object_get_ex(listing, "sas", &list); /* absent: NULL */
	if (r == 0)
		r = gather(list, now_usec, request->all || request->json, &found);
	for (size_t i = 0; r == 0 && i < found.count; i++) {
		struct json_object *entry = entry_of(&found.rows[i], now_usec);

		if (!entry || json_object_array_add(rows, entry) < 0) {
			(void)json_object_put(entry);
			r = -ENOMEM;
		}
	}
	if (r == 0) {
		add(out, "version", json_object_new_int(1));
		add(out, "forecast", json_object_get(rows));
		r = show(out, rows, request->json);
	}
	(void)json_object_put(rows);
	(void)json_object_put(out);
	free(found.rows);
	return r;
}
