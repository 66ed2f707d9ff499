/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who does the cryptography: each provider is one table of functions, and one row of suite_provider.c. */
#ifndef DATAPATH_SUITE_PROVIDER_H
#define DATAPATH_SUITE_PROVIDER_H

#include "services/datapath/suite/suite.h"

/* What the contexts of one thread may share: memory of a provider that is too much for each SA. */
struct suite_lane {
	void *memory; /* NULL until an SA needs it */
	void (*release)(void *memory);
};
struct suite_lane *suite_lane_new(void); /* NULL: no memory */
/* When none of its contexts will seal or open again. */
struct suite_lane *suite_lane_free(struct suite_lane *lane);
DEFINE_CLEANUP(struct suite_lane *, suite_lane_free)

struct suite_provider {
	const char *name; /* "openssl" */
	bool (*supports)(const struct suite *suite);
	/* @suite: of @sa, and supported. Return: 0, -ENOTSUP, -EIO (key refused), -ENOMEM. */
	int (*context_new)(const struct suite *suite, const struct sa *sa, struct suite_lane *lane,
		void **ret_context);
	void (*context_free)(void *context); /* cleansed */
	/* As suite_seal() and suite_open(). */
	void (*seal)(void *context, struct suite_job *jobs, size_t n);
	void (*open)(void *context, struct suite_job *jobs, size_t n);
};

extern const struct suite_provider suite_openssl; /* takes every row */
extern const struct suite_provider suite_ipsec_mb; /* AES-GCM, and AES-CBC with HMAC */

/* As `provider` in datapath.cfg says. */
enum suite_choice { SUITE_CHOICE_AUTO, SUITE_CHOICE_OPENSSL, SUITE_CHOICE_IPSEC_MB };
/* Where the chosen one does not take the suite, or is not in this build or CPU: the reference one. */
const struct suite_provider *suite_provider_for(
	enum suite_choice choice, const struct suite *suite);

/*
 * suite_context_new() for a provider that supports the suite. @lane: of the thread that will use the
 * context; NULL: it gets one of its own.
 */
int suite_context_new_by(const struct suite_provider *provider, const struct suite *suite,
	const struct sa *sa, struct suite_lane *lane,
	struct suite_context **ret_context) MUST_CHECK;

/* For providers: RFC 3602 section 3, unpredictable octets, drawn for many packets at once. */
#define SUITE_RANDOM_POOL 512U
struct suite_random {
	size_t left;
	uint8_t octets[SUITE_RANDOM_POOL];
};
bool suite_random_iv(struct suite_random *random, uint8_t *iv, size_t len);

/* RFC 4106 section 5: SPI and sequence number, with the high half between them for ESN. */
#define SUITE_MAX_AAD 12U
size_t suite_job_aad(const struct suite_job *job, uint8_t aad[static SUITE_MAX_AAD]);

#endif
