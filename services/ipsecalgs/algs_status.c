/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/ipsecalgs/algs_status.h"

#include "common/model/algorithm.h"

struct algs_status *algs_status_free(struct algs_status *status)
{
	free(status);
	return NULL;
}

const char *algs_status_name(
	const struct algs_status *status, unsigned int proto, unsigned int number)
{
	/* "none" and "any" need nobody. */
	if (!status->algs[proto][number].served && number != 0)
		return "unsupported";
	return status->algs[proto][number].in_force ? "available" : "disabled";
}

bool algs_status_deprecated(unsigned int proto, unsigned int number)
{
	return alg_is_weak((uint8_t)proto, (uint8_t)number);
}

const char *algs_status_library(
	const struct algs_status *status, unsigned int proto, unsigned int number)
{
	return status->algs[proto][number].served_by;
}
