/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an algorithm can be used, as the datapath and the table in force say together. */
#ifndef IPSECALGS_ALGS_STATUS_H
#define IPSECALGS_ALGS_STATUS_H

#include "common/base/cleanup.h"
#include "lib/netipsec/ipsecalgs.h"

#define ALGS_LIBRARY_MAX 64 /* with its NUL */

/* By protocol and number. */
struct algs_status {
	struct {
		bool served; /* the datapath has it */
		bool in_force; /* the table in force has it */
		char served_by[ALGS_LIBRARY_MAX]; /* "OpenSSL 3.0.17"; "" where none is needed */
	} algs[IPSECALGS_NUMBER_MAX + 1][IPSECALGS_NUMBER_MAX + 1];
};

struct algs_status *algs_status_free(struct algs_status *status);
DEFINE_CLEANUP(struct algs_status *, algs_status_free)

/*
 * "available"; "disabled": the datapath has it, the table in force does not; "unsupported": the
 * datapath has it not. Static.
 */
const char *algs_status_name(
	const struct algs_status *status, unsigned int proto, unsigned int number);
/* Works for old peers' sake only: broken or short. */
bool algs_status_deprecated(unsigned int proto, unsigned int number);
/* "" when it is not served, or by code without a library's help. */
const char *algs_status_library(
	const struct algs_status *status, unsigned int proto, unsigned int number);

#endif
