/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drops of late, a line each, and those that come. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "services/datapath/stat/stat_table.h"

#define ASK_MSEC 250 /* between two questions for new ones */

static void add_time(struct text *text, uint64_t usec)
{
	time_t sec = (time_t)(usec / USEC_PER_SEC);
	struct tm tm;
	char str[32];

	if (localtime_r(&sec, &tm) && strftime(str, sizeof(str), "%F %T", &tm) > 0)
		text_addf(text, "%s.%03u", str, (unsigned int)(usec % USEC_PER_SEC / 1000));
}

static const char *protocol_name(uint64_t number, char ret_name[static 24])
{
	static const struct {
		uint64_t number;
		const char *name;
	} names[] = { { 1, "icmp" }, { 6, "tcp" }, { 17, "udp" }, { 50, "esp" }, { 51, "ah" },
		{ 58, "icmp6" }, { 132, "sctp" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].number == number)
			return names[i].name;
	if (text_fixed(ret_name, 24, "protocol %" PRIu64, number) < 0)
		ret_name[0] = '\0';
	return ret_name;
}

static void add_end(
	struct json_object *entry, const char *key, const char *port_key, struct text *text)
{
	const char *addr = stat_string(entry, key);
	uint64_t port = stat_number(entry, port_key);

	if (!port)
		text_add(text, addr);
	else
		text_addf(text, strchr(addr, ':') ? "[%s]:%" PRIu64 : "%s:%" PRIu64, addr, port);
}

static void add_flow(struct json_object *entry, struct text *text)
{
	const char *spi = stat_string(entry, "spi");
	char name[24];

	if (*stat_string(entry, "source") == '\0') {
		text_add(text, "no readable headers");
		return;
	}
	text_addf(text, "%s ", protocol_name(stat_number(entry, "protocol"), name));
	add_end(entry, "source", "source_port", text);
	text_add(text, " > ");
	add_end(entry, "destination", "destination_port", text);
	if (*spi)
		text_addf(text, " spi %s", spi);
}

/* "2026-11-22 01:20:03.123 in spd_got_clear: tcp ... > ...: in clear ...; rule at ... (hint)". */
void stat_print_drop(struct json_object *entry, struct text *text)
{
	const char *tunnel = stat_string(entry, "tunnel"), *rule = stat_string(entry, "rule"),
		   *place = stat_string(entry, "place"), *hint = stat_string(entry, "hint");

	add_time(text, stat_number(entry, "time_usec"));
	text_addf(text, " %s %s: ", stat_string(entry, "direction"), stat_string(entry, "reason"));
	add_flow(entry, text);
	text_addf(text, ": %s", stat_string(entry, "text"));
	if (*tunnel)
		text_addf(text, "; tunnel %s", tunnel);
	if (*rule)
		text_addf(text, "; rule %s%s%s", *place ? "at " : "", *place ? place : rule,
			*place ? "" : ", not in force any more");
	if (*hint)
		text_addf(text, " (%s)", hint);
}

static int show_drop(struct json_object *entry, const struct stat_request *request)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (request->json) {
		puts(json_object_to_json_string_ext(entry, JSON_C_TO_STRING_PLAIN));
		return 0;
	}
	stat_print_drop(entry, &text);
	if (text.failed)
		return -ENOMEM;
	puts(text.str);
	return 0;
}

/* *next: number of the next drop that we do not know. */
static int show_new(struct json_object *listing, const struct stat_request *request, uint64_t *next)
{
	struct json_object *list = NULL;
	int r = 0;

	if (!json_object_object_get_ex(listing, "drops", &list))
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(list) && r == 0; i++)
		r = show_drop(json_object_array_get_idx(list, i), request);
	*next = stat_number(listing, "next");
	if (r == 0 && fflush(stdout) == EOF)
		r = -errno;
	return r;
}

int stat_drops(struct bus *bus, const struct stat_request *request, struct bus_error *ret_error)
{
	uint64_t next = 1;
	int r;

	do {
		CLEANUP(freep) char *text = NULL;
		struct json_object *listing;

		r = stat_fetch_drops(bus, next - 1, &text, ret_error);
		if (r < 0)
			return r;
		if (request->json && !request->follow) {
			fputs(text, stdout);
			return 0;
		}
		listing = json_tokener_parse(text);
		if (!listing)
			return -EBADMSG;
		r = show_new(listing, request, &next);
		(void)json_object_put(listing);
		if (r == 0 && request->follow)
			(void)poll(NULL, 0, ASK_MSEC); /* an early end only asks sooner */
	} while (r == 0 && request->follow);
	if (r == 0 && next == 1)
		puts("no drops yet");
	return r;
}
