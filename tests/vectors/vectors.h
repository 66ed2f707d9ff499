/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of netipsec-vectors: each runs one object of a file and says why it failed. */
#ifndef VECTORS_VECTORS_H
#define VECTORS_VECTORS_H

#include "common/base/text.h"
#include "services/datapath/suite/suite_provider.h"
#include "tests/vectors/vector.h"

struct tally {
	unsigned int passed, failed, skipped;
	enum suite_choice choice;
	struct text why; /* of the case in work; "skip:" at its start: CAST */
};

/* False, and why is set. */
bool vectors_fail(struct tally *tally, const char *format, ...) PRINTF_LIKE(2, 3);

/* A packet, opened and sealed. */
bool vectors_run_case(struct json_object *object, struct tally *tally);
/* Numbers against the window of one SA. */
bool vectors_run_sequence(struct json_object *object, struct tally *tally);

#endif
