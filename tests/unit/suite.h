/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main() of every Check suite: TAP-free text, one process a case, exit status true to it. */
#ifndef UNIT_SUITE_H
#define UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

#include "common/base/cleanup.h"

static inline int suite_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
