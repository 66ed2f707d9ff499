/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One change of the algorithm file, as Algorithms1.Change asks for it. */
#ifndef IPSECALGS_ALGSD_CHANGE_H
#define IPSECALGS_ALGSD_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"
#include "lib/netipsec/ipsecalgs.h"

enum algs_operation {
	ALGS_ADD_ALGORITHM,
	ALGS_ADD_PROTOCOL,
	ALGS_REMOVE_ALGORITHM,
	ALGS_REMOVE_PROTOCOL,
	ALGS_SET_MODE
};

/* Strings are borrowed; NULL and 0: not given. */
struct algs_change {
	enum algs_operation operation;
	const char *protocol; /* name */
	uint32_t protocol_number;
	const char *name; /* of the algorithm to be removed */
	uint32_t number;
	const char *entry; /* an ALG line of ipsecalgs(5) from its third field on */
	const char *mode; /* "sync", "async" */
	bool force;
};

enum algs_change_verdict {
	ALGS_CHANGE_MADE,
	ALGS_CHANGE_NONE, /* the table says so already */
	ALGS_CHANGE_INVALID, /* the request makes no sense */
	ALGS_CHANGE_EXISTS,
	ALGS_CHANGE_UNKNOWN,
	ALGS_CHANGE_NO_MEMORY
};

/* By the name that the operation has on the bus. */
bool algs_operation_find(const char *name, enum algs_operation *ret_operation) MUST_CHECK;
/* @why: what to tell the caller of a verdict after the second. */
enum algs_change_verdict algs_change_apply(
	struct ipsecalgs *table, const struct algs_change *change, struct text *why) MUST_CHECK;

#endif
