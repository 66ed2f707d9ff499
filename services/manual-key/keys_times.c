/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_times.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/conf/value.h"

#define YEAR_MIN 1970
#define YEAR_MAX 9999

bool keys_times_given(const struct keys_times *times)
{
	return times->send_from || times->send_until || times->receive_until;
}

static bool is_behind(uint64_t late, uint64_t early)
{
	return late && early && late <= early;
}

bool keys_times_stand(const struct keys_times *times)
{
	bool ends_first = times->send_until && times->receive_until &&
			  times->receive_until < times->send_until;

	return !is_behind(times->send_until, times->send_from) &&
	       !is_behind(times->receive_until, times->send_from) && !ends_first;
}

/* Decimal digits of a fixed number, and what has to stand behind them. */
static bool take_field(const char **at, const char *end, size_t digits, char behind, int *ret_x)
{
	int x = 0;

	if ((size_t)(end - *at) < digits + 1)
		return false;
	for (size_t i = 0; i < digits; i++) {
		char c = (*at)[i];

		if (c < '0' || c > '9')
			return false;
		x = 10 * x + (c - '0');
	}
	if ((*at)[digits] != behind)
		return false;
	*at += digits + 1;
	*ret_x = x;
	return true;
}

int keys_time_parse(const char *word, size_t len, uint64_t *ret_sec)
{
	const char *at = word, *end = word + len;
	struct tm tm = { 0 }, back;
	int year = 0, month = 0;
	time_t sec;

	if (value_number(word, len, INT64_MAX, ret_sec) == 0)
		return *ret_sec > 0 ? 0 : -EINVAL;
	if (!take_field(&at, end, 4, '-', &year) || !take_field(&at, end, 2, '-', &month) ||
		!take_field(&at, end, 2, 'T', &tm.tm_mday) ||
		!take_field(&at, end, 2, ':', &tm.tm_hour) ||
		!take_field(&at, end, 2, ':', &tm.tm_min) ||
		!take_field(&at, end, 2, 'Z', &tm.tm_sec) || at != end || year < YEAR_MIN)
		return -EINVAL;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	back = tm;
	sec = timegm(&back);
	/* It puts the 31st of June right; a file that says so means something else. */
	if (sec <= 0 || back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday ||
		back.tm_hour != tm.tm_hour || back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
		return -EINVAL;
	*ret_sec = (uint64_t)sec;
	return 0;
}

const char *keys_time_format(uint64_t sec, char str[static KEYS_TIME_TEXT_MAX])
{
	time_t when = (time_t)sec;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || tm.tm_year > YEAR_MAX - 1900 ||
		strftime(str, KEYS_TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)!text_fixed(str, KEYS_TIME_TEXT_MAX, "%" PRIu64, sec); /* it has room */
	return str;
}

/* What an SA does at a moment. */
struct phase {
	bool sends, receives;
	uint64_t next_sec; /* when it will do something else; 0: never */
};

/* The first time that is still to come. */
static void note_next(uint64_t *next_sec, uint64_t sec, uint64_t now_sec)
{
	if (sec > now_sec && (*next_sec == 0 || sec < *next_sec))
		*next_sec = sec;
}

static struct phase phase_at(const struct keys_times *times, uint64_t now_sec)
{
	struct phase phase = { 0 };

	phase.receives = !times->receive_until || now_sec < times->receive_until;
	phase.sends = phase.receives && now_sec >= times->send_from &&
		      (!times->send_until || now_sec < times->send_until);
	note_next(&phase.next_sec, times->send_from, now_sec);
	note_next(&phase.next_sec, times->send_until, now_sec);
	note_next(&phase.next_sec, times->receive_until, now_sec);
	return phase;
}

/*
 * An SA that does not send is an inbound one. At the end that would send, that is an SA for packets
 * to somebody else, which never come; so the same file does at both ends.
 */
static int add_copy(struct sa_list *list, const struct sa *sa, bool sends)
{
	struct sa *copy;
	int r;

	if (!sends && sa->directions == SA_OUTBOUND)
		return 0;
	copy = sa_copy(sa);
	if (!copy)
		return -ENOMEM;
	if (!sends)
		copy->directions = SA_INBOUND;
	r = sa_list_add(list, copy);
	if (r < 0)
		sa_free(copy);
	return r;
}

int keys_times_apply(const struct sa_list *list, const struct keys_times *times, uint64_t now_sec,
	struct sa_list **ret_list, uint64_t *ret_next_sec)
{
	static const struct keys_times always = { 0 };
	CLEANUP(sa_list_freep) struct sa_list *now = sa_list_new(list->count);
	int r = now ? 0 : -ENOMEM;

	*ret_next_sec = 0;
	for (int sending = 1; r == 0 && sending >= 0; sending--)
		for (size_t i = 0; r == 0 && i < list->count; i++) {
			struct phase phase = phase_at(times ? &times[i] : &always, now_sec);

			note_next(ret_next_sec, phase.next_sec, now_sec);
			if (phase.receives && phase.sends == (sending == 1))
				r = add_copy(now, list->sas[i], phase.sends);
		}
	if (r < 0)
		return r;
	now->partial = list->partial;
	now->flush = list->flush;
	*ret_list = STEAL(now);
	return 0;
}
