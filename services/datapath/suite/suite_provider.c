/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/suite/suite_provider.h"

#include <errno.h>

struct suite_context {
	const struct suite_provider *provider;
	void *own; /* the provider's */
};

int suite_context_new(const struct sa *sa, struct suite_context **ret_context)
{
	CLEANUP(suite_context_freep) struct suite_context *context = NULL;
	struct suite suite;
	int r;

	r = suite_of(sa, &suite);
	if (r < 0)
		return r;
	context = calloc(1, sizeof(*context));
	if (!context)
		return -ENOMEM;
	context->provider = &suite_openssl;
	r = context->provider->context_new(&suite, sa, &context->own);
	if (r < 0)
		return r;
	*ret_context = STEAL(context);
	return 0;
}

struct suite_context *suite_context_free(struct suite_context *context)
{
	if (context && context->own)
		context->provider->context_free(context->own);
	free(context);
	return NULL;
}

void suite_seal(struct suite_context *context, struct suite_job *jobs, size_t n)
{
	context->provider->seal(context->own, jobs, n);
}

void suite_open(struct suite_context *context, struct suite_job *jobs, size_t n)
{
	context->provider->open(context->own, jobs, n);
}
