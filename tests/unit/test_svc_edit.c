/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings files changed in place, and the names of services. */
#include <errno.h>

#include "services/svc/svc.h"

#include "tests/unit/suite.h"

static const struct {
	const char *source, *name, *literal, *want; /* want NULL: refused */
} edits[] = {
	{ "a = 1;\n", "a", "2", "a = 2;\n" },
	{ "# a = 1;\nb = 2; // a = 3\n", "a", "4", "# a = 1;\nb = 2; // a = 3\na = 4;\n" },
	{ "/* a = 1; */ a : \"x\" \"y;#\" ; # kept\n", "a", "\"z\"",
		"/* a = 1; */ a : \"z\" ; # kept\n" },
	{ "b = \"a = 1; \\\" \"; a = 1", "a", "2", "b = \"a = 1; \\\" \"; a = 2" },
	{ "b = 1", "a", "2", "b = 1\na = 2;\n" },
	{ "", "a", "true", "a = true;\n" },
	{ "t = ( { a = 1; s = \")\"; # ) a = 3\n } );\na=5#five\n", "a", "6",
		"t = ( { a = 1; s = \")\"; # ) a = 3\n } );\na=6#five\n" },
	{ "aa = 1; a-b = 2; a = 3;", "a", "4", "aa = 1; a-b = 2; a = 4;" },
	{ "a = [ 1, 2 ];", "a", "3", NULL },
	{ "a = { a = 1; };", "a", "3", NULL },
	{ "a", "a", "3", "a\na = 3;\n" }, /* its reader will refuse it, as before */
	{ "a = ", "b", "3", "a = \nb = 3;\n" },
	{ "a = \"never ends", "b", "3", "a = \"never ends\nb = 3;\n" },
	{ "a = ( 1, ", "b", "3", "a = ( 1, \nb = 3;\n" },
};

START_TEST(only_the_value_changes)
{
	CLEANUP(text_done) struct text text = { 0 };
	int r = svc_edit(edits[_i].source, edits[_i].name, edits[_i].literal, &text);

	if (!edits[_i].want) {
		ck_assert_int_eq(r, -ENOTSUP);
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(text.str, edits[_i].want);
}
END_TEST

static const struct {
	const char *word, *fmri, *unit; /* fmri NULL: no service */
} names[] = {
	{ "policy", "svc:/network/ipsec/policy:default", "ipsec-policy.service" },
	{ "ipsec/manual-key", "svc:/network/ipsec/manual-key:default", "ipsec-manual-key.service" },
	{ "svc:/network/ipsec/ike:default", "svc:/network/ipsec/ike:default", "ipsec-ike.service" },
	{ "ipsecalgs.service", "svc:/network/ipsec/ipsecalgs:default", "ipsecalgs.service" },
	{ "ipsec-datapath@red.service", "svc:/network/ipsec/datapath:red",
		"ipsec-datapath@red.service" },
	{ "policy:red_1", "svc:/network/ipsec/policy:red_1", "ipsec-policy@red_1.service" },
	{ "policy@../x", NULL, NULL },
	{ "policy@", NULL, NULL },
	{ "policy@a b", NULL, NULL },
	{ "sshd", NULL, NULL },
	{ "", NULL, NULL },
	{ "svc:/network/ssh:default", NULL, NULL },
};

START_TEST(services_go_by_many_names)
{
	CLEANUP(text_done) struct text fmri = { 0 };
	struct svc_service service;
	char unit[SVC_UNIT_MAX];
	int r = svc_parse_name(names[_i].word, &service);

	if (!names[_i].fmri) {
		ck_assert_int_eq(r, -ENOENT);
		return;
	}
	ck_assert_int_eq(r, 0);
	svc_add_fmri(&fmri, &service);
	svc_unit(&service, unit);
	ck_assert_str_eq(fmri.str, names[_i].fmri);
	ck_assert_str_eq(unit, names[_i].unit);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("svc_edit");
	TCase *tc = tcase_create("svc_edit");

	tcase_add_loop_test(tc, only_the_value_changes, 0, ARRAY_SIZE(edits));
	tcase_add_loop_test(tc, services_go_by_many_names, 0, ARRAY_SIZE(names));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
