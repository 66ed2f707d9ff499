/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that read the arguments of ipsecalgs(8). */
#ifndef IPSECALGS_REQUEST_PARTS_H
#define IPSECALGS_REQUEST_PARTS_H

#include <errno.h>

#include "services/ipsecalgs/request.h"

#define REQUEST_LETTERS 128

/* What getopt found. */
struct letters {
	bool given[REQUEST_LETTERS];
	const char *value[REQUEST_LETTERS];
	uint32_t flags; /* of all -F together */
};

void request_complain(const char *format, ...) PRINTF_LIKE(1, 2);
/* Say what is wrong; the value is -EINVAL. */
#define request_refuse(...) (request_complain(__VA_ARGS__), -EINVAL)
/* A decimal number from 1 to @max, else "Invalid @what value". */
int request_number(const char *text, const char *what, uint32_t max, uint32_t *ret) MUST_CHECK;
/* One -F: a number or names of flags, added to *flags. */
int request_flags(const char *text, uint32_t *flags) MUST_CHECK;
/* The entry that -a describes, after checks in the order of the original. */
int request_entry(const struct letters *letters, struct text *ret_entry) MUST_CHECK;

#endif
