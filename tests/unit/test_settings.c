/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings files held against a table: what is taken, and what is said about the rest. */
#include "common/daemon/settings.h"

#include <errno.h>
#include <libconfig.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/memfd.h"
#include "tests/unit/suite.h"

struct sample {
	char *config_file;
	bool verbose;
	uint64_t limit;
	int backend;
	unsigned int tunnels;
};

static int take_tunnel(struct config_setting_t *group, struct conf_loc at, struct conf_diags *diags,
	void *ret_settings)
{
	struct sample *sample = ret_settings;
	const char *name;

	if (!config_setting_lookup_string(group, "name", &name))
		return conf_error(diags, at, "tunnel-name", "a tunnel needs a name");
	sample->tunnels++;
	return 0;
}

static const char *const backends[] = { "auto", "engine", NULL };

static const struct setting table[] = {
	{ SETTING_STRING, "config_file", "file", offsetof(struct sample, config_file), 0, 0, NULL,
		NULL },
	{ SETTING_BOOL, "verbose", "talk", offsetof(struct sample, verbose), 0, 0, NULL, NULL },
	{ SETTING_NUMBER, "limit", "limit", offsetof(struct sample, limit), 1, 10000000000, NULL,
		NULL },
	{ SETTING_CHOICE, "backend", "kind", offsetof(struct sample, backend), 0, 0, backends,
		NULL },
	{ SETTING_LIST, "tunnels", "tunnels", 0, 0, 0, NULL, take_tunnel },
	{ SETTING_END, NULL, NULL, 0, 0, 0, NULL, NULL },
};

#define GOOD                                                                                    \
	"config_file = \"/a\";\nverbose = true;\nlimit = 5000000000L;\nbackend = \"engine\";\n" \
	"tunnels = ( { name = \"t0\"; }, { name = \"t1\"; } );\n"

static const struct {
	const char *name, *source;
	int want;
	unsigned int line;
	const char *code; /* of the first diagnostic */
	size_t errors;
} cases[] = {
	{ "all kinds", GOOD, 0, 0, NULL, 0 },
	{ "empty", "", 0, 0, NULL, 0 },
	{ "comments", "# a\n// b\n/* c */\n", 0, 0, NULL, 0 },
	{ "syntax", "limit = 1;\nverbose = ;\n", -EBADMSG, 2, "setting-syntax", 1 },
	{ "unknown", "limit = 1;\n\nlimits = 2;\n", -EBADMSG, 3, "setting-unknown", 1 },
	{ "twice", "limit = 1;\nlimit = 2;\n", -EBADMSG, 2, "setting-syntax", 1 },
	{ "number for a string", "config_file = 1;\n", -EBADMSG, 1, "setting-type", 1 },
	{ "string for a number", "limit = \"1\";\n", -EBADMSG, 1, "setting-type", 1 },
	{ "float for a number", "limit = 1.5;\n", -EBADMSG, 1, "setting-type", 1 },
	{ "number for a truth", "verbose = 1;\n", -EBADMSG, 1, "setting-type", 1 },
	{ "below", "limit = 0;\n", -EBADMSG, 1, "setting-range", 1 },
	{ "negative", "limit = -1;\n", -EBADMSG, 1, "setting-range", 1 },
	{ "above", "limit = 10000000001L;\n", -EBADMSG, 1, "setting-range", 1 },
	{ "no choice", "\nbackend = \"xfrm\";\n", -EBADMSG, 2, "setting-choice", 1 },
	{ "no list", "tunnels = { name = \"t0\"; };\n", -EBADMSG, 1, "setting-type", 1 },
	{ "no group", "tunnels = ( { name = \"t0\"; },\n 7 );\n", -EBADMSG, 2, "setting-type", 1 },
	{ "element", "tunnels = ( { name = \"t0\"; },\n { } );\n", -EBADMSG, 2, "tunnel-name", 1 },
	{ "all at once", "limit = 0;\nbackend = 7;\nx = 1;\n", -EBADMSG, 1, "setting-range", 3 },
};

static char path[] = "/tmp/netipsec-settings-XXXXXX";

static void setup(void)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	(void)close(fd);
}

static void teardown(void)
{
	(void)unlink(path);
}

static void put(const char *source, size_t len)
{
	ck_assert_int_eq(file_replace(path, source, len, 0600), 0);
}

START_TEST(files_are_judged)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct sample sample = { .limit = 77, .config_file = strdup("/default") };

	put(cases[_i].source, strlen(cases[_i].source));
	ck_assert_msg(settings_load(path, false, table, &sample, diags) == cases[_i].want, "%s",
		cases[_i].name);
	ck_assert_uint_eq(conf_diags_errors(diags), cases[_i].errors);
	if (cases[_i].code) {
		ck_assert_str_eq(conf_diags_get(diags, 0)->code, cases[_i].code);
		ck_assert_uint_eq(conf_diags_get(diags, 0)->loc.line, cases[_i].line);
		ck_assert_str_eq(conf_diags_get(diags, 0)->loc.file, path);
	}
	free(sample.config_file);
}
END_TEST

START_TEST(values_arrive)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct sample sample = { .config_file = strdup("/default") };

	put(GOOD, strlen(GOOD));
	ck_assert_int_eq(settings_load(path, false, table, &sample, diags), 0);
	ck_assert_str_eq(sample.config_file, "/a");
	ck_assert(sample.verbose);
	ck_assert_uint_eq(sample.limit, UINT64_C(5000000000));
	ck_assert_int_eq(sample.backend, 1);
	ck_assert_uint_eq(sample.tunnels, 2);
	free(sample.config_file);
}
END_TEST

START_TEST(missing_and_misplaced)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct sample sample = { .limit = 77 };
	char root[64], nul[] = "limit = 5;\n\0limit = 6;\n";

	put("limit = 5;\n", 11);
	ck_assert_int_eq(
		settings_load("/nonexistent/x.cfg", false, table, &sample, diags), -ENOENT);
	ck_assert_int_eq(settings_load("/nonexistent/x.cfg", true, table, &sample, diags), 0);
	ck_assert_uint_eq(sample.limit, 77);
	/* The default file stands behind the root, a file that was named does not. */
	ck_assert_int_eq(text_copy(root, sizeof(root), "/tmp"), 0);
	ck_assert_int_eq(setenv("NETIPSEC_ROOT", root, 1), 0);
	ck_assert_int_eq(settings_load(path + strlen("/tmp"), true, table, &sample, diags), 0);
	ck_assert_uint_eq(sample.limit, 5);
	ck_assert_int_eq(
		settings_load(path + strlen("/tmp"), false, table, &sample, diags), -ENOENT);
	put(nul, sizeof(nul) - 1);
	ck_assert_int_eq(settings_load(path, false, table, &sample, diags), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settings");
	TCase *tc = tcase_create("settings");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, files_are_judged, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, values_arrive);
	tcase_add_test(tc, missing_and_misplaced);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
