/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the place of suite_mb.c where the library is not: a provider that takes nothing. */
#include "services/datapath/suite/suite_provider.h"

static bool supports(const struct suite *suite)
{
	(void)suite;
	return false;
}

const struct suite_provider suite_ipsec_mb = { .name = "ipsec-mb", .supports = supports };
