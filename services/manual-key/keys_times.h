/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the SAs of a key file do what: successors are received from the first moment on and sent from
 * a time on, what they replace is received a while longer. Seconds since 1970; 0: not said.
 */
#ifndef MANUAL_KEY_KEYS_TIMES_H
#define MANUAL_KEY_KEYS_TIMES_H

#include <stdint.h>

#include "common/base/text.h"
#include "common/snapshot/snapshot.h"

#define KEYS_TIME_TEXT_MAX 32 /* with its NUL */

struct keys_times {
	uint64_t send_from, send_until, receive_until;
};

/* Are they in their order, and does the SA send at all between them? */
bool keys_times_stand(const struct keys_times *times);
bool keys_times_given(const struct keys_times *times);

/* "2026-11-22T06:00:00Z", or seconds since 1970. Return: 0 or -EINVAL. */
int keys_time_parse(const char *word, size_t len, uint64_t *ret_sec) MUST_CHECK;
const char *keys_time_format(uint64_t sec, char str[static KEYS_TIME_TEXT_MAX]);

/*
 * What of @list is in force at @now_sec. @times: of each SA of it; NULL: none has any. SAs that send
 * stand before those that do not any more: who takes them in turn never is without one.
 * *ret_next_sec: when that will be another list; 0: never. Return: 0 or -ENOMEM.
 */
int keys_times_apply(const struct sa_list *list, const struct keys_times *times, uint64_t now_sec,
	struct sa_list **ret_list, uint64_t *ret_next_sec) MUST_CHECK;

#endif
