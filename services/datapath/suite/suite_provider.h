/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who does the cryptography: each provider is one table of functions, and one row of suite_provider.c. */
#ifndef DATAPATH_SUITE_PROVIDER_H
#define DATAPATH_SUITE_PROVIDER_H

#include "services/datapath/suite/suite.h"

struct suite_provider {
	const char *name; /* "openssl" */
	bool (*supports)(const struct suite *suite);
	/* @suite: of @sa, and supported. Return: 0, -ENOTSUP, -EIO (key refused), -ENOMEM. */
	int (*context_new)(const struct suite *suite, const struct sa *sa, void **ret_context);
	void (*context_free)(void *context); /* cleansed */
	/* As suite_seal() and suite_open(). */
	void (*seal)(void *context, struct suite_job *jobs, size_t n);
	void (*open)(void *context, struct suite_job *jobs, size_t n);
};

extern const struct suite_provider suite_openssl; /* takes every row */

#endif
