/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines on standard error, as a service manager or a terminal gets them. */
#include "common/daemon/log.h"

#include <fcntl.h>
#include <string.h>

#include "common/base/memfd.h"
#include "tests/unit/suite.h"

static int file = -1;

/* Standard error is a file meanwhile; what it got comes back as a string. */
static void begin(void)
{
	char path[] = "/tmp/netipsec-log-XXXXXX";

	file = mkstemp(path);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(dup2(file, STDERR_FILENO), STDERR_FILENO);
}

static char *written(void)
{
	char *bytes;
	size_t len;

	ck_assert_int_eq(fflush(stderr), 0);
	ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
	ck_assert_int_eq(file_read_fd(file, 65536, &bytes, &len), 0);
	return bytes;
}

START_TEST(priorities_lead_each_line)
{
	CLEANUP(freep) char *found = NULL;

	ck_assert_int_eq(setenv("JOURNAL_STREAM", "1:2", 1), 0); /* another file's */
	begin();
	log_error("one %d", 1);
	log_info("two\nlines");
	log_debug("%s", "");
	found = written();
	ck_assert_str_eq(found, "<3>one 1\n<6>two\n<6>lines\n");
}
END_TEST

START_TEST(diagnostics_keep_their_places)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(freep) char *found = NULL;
	const char *label = conf_diags_file(diags, "a.conf", "x\ny\n", 4, false);

	(void)conf_error(diags, (struct conf_loc){ label, 2, 1, 1 }, "some-code", "not %s", "good");
	conf_warning(diags, (struct conf_loc){ label, 1, 1, 1 }, "other-code", "odd");
	begin();
	log_diags(diags);
	found = written();
	ck_assert_str_eq(found, "<4>a.conf:1:1: warning: odd [other-code]\n<3>a.conf:2:1: error: "
				"not good [some-code]\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");

	tcase_add_test(tc, priorities_lead_each_line);
	tcase_add_test(tc, diagnostics_keep_their_places);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
