/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last requests for SAs as the datapath's Acquire signal told them. */
#ifndef IKE_STUB_ACQUIRES_H
#define IKE_STUB_ACQUIRES_H

#include <stdint.h>

#include "common/base/text.h"
#include "common/bus/bus.h"

#define ACQUIRES_KEPT 16

struct json_object;

struct acquire {
	uint64_t number; /* counted from 1 */
	uint64_t at_usec; /* monotonic */
	struct json_object *request;
};

/* All zero is an empty list. */
struct acquires {
	uint64_t count; /* ever */
	struct acquire last[ACQUIRES_KEPT]; /* ring, number n at n % ACQUIRES_KEPT */
};

void acquires_done(struct acquires *acquires);
/* One signal's argument, a{sv}. Return: 0, -EBADMSG, -ENOMEM; not counted then. */
int acquires_add(struct acquires *acquires, struct bus_reader *args, uint64_t now_usec) MUST_CHECK;
/* The kept ones, oldest first: 0 <= i < acquires_kept(). */
size_t acquires_kept(const struct acquires *acquires);
const struct acquire *acquires_get(const struct acquires *acquires, size_t i);
/* "7: esp, rule 0123456789abcdef": nothing that tells whose flow it was. */
void acquire_print(const struct acquire *acquire, struct text *text);
/* Everything, for those who may see it. Return: 0 or -ENOMEM. */
int acquires_json(const struct acquires *acquires, struct text *text) MUST_CHECK;

#endif
