/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/suite/suite_provider.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/base/bytes.h"

struct suite_context {
	const struct suite_provider *provider;
	void *own; /* the provider's */
	struct suite_lane *lane; /* its own, or NULL */
};

const struct suite_provider *suite_provider_for(enum suite_choice choice, const struct suite *suite)
{
	return choice != SUITE_CHOICE_OPENSSL && suite_ipsec_mb.supports(suite) ? &suite_ipsec_mb
										: &suite_openssl;
}

int suite_context_new_by(const struct suite_provider *provider, const struct suite *suite,
	const struct sa *sa, struct suite_lane *lane, struct suite_context **ret_context)
{
	CLEANUP(suite_context_freep) struct suite_context *context = calloc(1, sizeof(*context));
	int r;

	if (!context)
		return -ENOMEM;
	if (!lane)
		lane = context->lane = suite_lane_new();
	if (!lane)
		return -ENOMEM;
	context->provider = provider;
	r = provider->context_new(suite, sa, lane, &context->own);
	if (r < 0)
		return r;
	*ret_context = STEAL(context);
	return 0;
}

int suite_context_new(const struct sa *sa, struct suite_context **ret_context)
{
	struct suite suite;
	int r = suite_of(sa, &suite);

	return r < 0 ? r : suite_context_new_by(&suite_openssl, &suite, sa, NULL, ret_context);
}

struct suite_context *suite_context_free(struct suite_context *context)
{
	if (!context)
		return NULL;
	if (context->own)
		context->provider->context_free(context->own);
	(void)suite_lane_free(context->lane);
	free(context);
	return NULL;
}

struct suite_lane *suite_lane_new(void)
{
	return calloc(1, sizeof(struct suite_lane));
}

struct suite_lane *suite_lane_free(struct suite_lane *lane)
{
	if (lane && lane->memory)
		lane->release(lane->memory);
	free(lane);
	return NULL;
}

bool suite_random_iv(struct suite_random *random, uint8_t *iv, size_t len)
{
	if (random->left < len) {
		if (RAND_bytes(random->octets, SUITE_RANDOM_POOL) != 1)
			return false;
		random->left = SUITE_RANDOM_POOL;
	}
	random->left -= len;
	memcpy(iv, random->octets + random->left, len);
	return true;
}

size_t suite_job_aad(const struct suite_job *job, uint8_t aad[static SUITE_MAX_AAD])
{
	if (!job->esn) {
		memcpy(aad, job->esp, 8);
		return 8;
	}
	memcpy(aad, job->esp, 4);
	store_be32(aad + 4, (uint32_t)(job->seq >> 32));
	store_be32(aad + 8, (uint32_t)job->seq);
	return SUITE_MAX_AAD;
}

void suite_seal(struct suite_context *context, struct suite_job *jobs, size_t n)
{
	context->provider->seal(context->own, jobs, n);
}

void suite_open(struct suite_context *context, struct suite_job *jobs, size_t n)
{
	context->provider->open(context->own, jobs, n);
}
