/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the files of an instance stand, and what its units are called. */
#include <errno.h>
#include <stdlib.h>

#include "common/base/instance.h"

#include "tests/unit/suite.h"

static const struct {
	const char *instance, *path, *want; /* want NULL: no such instance */
} paths[] = {
	{ NULL, "/etc/inet/ipsecinit.conf", "/etc/inet/ipsecinit.conf" },
	{ "red", "/etc/inet/ipsecinit.conf", "/etc/netipsec/ns/red/ipsecinit.conf" },
	{ "red", "/etc/inet/secret/ipseckeys", "/etc/netipsec/ns/red/secret/ipseckeys" },
	{ "red", "/etc/netipsec/policy.cfg", "/etc/netipsec/ns/red/policy.cfg" },
	{ "red", "/etc/netipsec/ns/red/ipsecinit.conf", "/etc/netipsec/ns/red/ipsecinit.conf" },
	{ "red", "/var/lib/netipsec/withdrawn/policy",
		"/var/lib/netipsec/ns/red/withdrawn/policy" },
	{ "red", "/run/netipsec/pfkey", "/run/netipsec@red/pfkey" },
	{ "red", "/run/netipsec", "/run/netipsec@red" },
	{ "red", "/etc/inetd.conf", "/etc/inetd.conf" },
	{ "red", "/etc/hosts", "/etc/hosts" },
	{ "red", "policy", "policy" },
	{ "", "/etc/hosts", NULL },
	{ "..", "/etc/hosts", NULL },
	{ "a/b", "/etc/hosts", NULL },
	{ "a-b", "/etc/hosts", NULL },
	{ "abcdefghijklmnopqrstuvwxyz012345", "/etc/hosts", NULL },
	{ "abcdefghijklmnopqrstuvwxyz01234", "/etc/hosts", "/etc/hosts" },
};

static void set_instance(const char *name)
{
	if (name)
		ck_assert_int_eq(setenv("NETIPSEC_INSTANCE", name, 1), 0);
	else
		ck_assert_int_eq(unsetenv("NETIPSEC_INSTANCE"), 0);
}

START_TEST(files_have_places_of_their_own)
{
	CLEANUP(text_done) struct text text = { 0 };
	int r;

	set_instance(paths[_i].instance);
	r = instance_add_path(&text, paths[_i].path);
	if (!paths[_i].want) {
		ck_assert_int_eq(r, -EINVAL);
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(text.str, paths[_i].want);
}
END_TEST

START_TEST(units_are_templates)
{
	CLEANUP(text_done) struct text host = { 0 }, red = { 0 };

	set_instance(NULL);
	ck_assert_int_eq(instance_add_unit(&host, "ipsec-policy.service"), 0);
	ck_assert_str_eq(host.str, "ipsec-policy.service");
	set_instance("red");
	ck_assert_int_eq(instance_add_unit(&red, "ipsec-policy.service"), 0);
	ck_assert_str_eq(red.str, "ipsec-policy@red.service");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("instance");
	TCase *tc = tcase_create("instance");

	tcase_add_loop_test(tc, files_have_places_of_their_own, 0, ARRAY_SIZE(paths));
	tcase_add_test(tc, units_are_templates);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
