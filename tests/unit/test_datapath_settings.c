/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/settings/settings.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "services/datapath/settings/settings_tunnel.h"
#include "tests/unit/suite.h"

static char path[] = "/tmp/netipsec-datapath-XXXXXX";

static int load(const char *text, struct datapath_settings **ret_settings)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = NULL;
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	diags = conf_diags_new();
	ck_assert_ptr_nonnull(diags);
	return datapath_settings_load(path, true, diags, ret_settings);
}

static int load_tunnel(const char *members, struct datapath_settings **ret_settings)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
		"tunnels = ({ name = \"vpn0\"; source = \"192.0.2.1\"; "
		"destination = \"192.0.2.2\"; %s });\n",
		members);

	ck_assert(n > 0 && (size_t)n < sizeof(text));
	return load(text, ret_settings);
}

static const struct {
	const char *members;
	bool sound;
	struct packet_outer_rules outer;
	uint32_t pad_to;
	bool any_source;
} cases[] = {
	{ "", true, { 0 }, 0, false },
	{ "df = \"copy\";", true, { 0 }, 0, false },
	{ "df = \"set\";", true, { .df = PACKET_DF_SET }, 0, false },
	{ "df = \"clear\";", true, { .df = PACKET_DF_CLEAR }, 0, false },
	{ "df = \"Clear\";", false, { 0 }, 0, false },
	{ "df = 1;", false, { 0 }, 0, false },
	{ "dscp = \"copy\";", true, { 0 }, 0, false },
	{ "dscp = 0;", true, { .set_dscp = true }, 0, false },
	{ "dscp = 63;", true, { .set_dscp = true, .dscp = 63 }, 0, false },
	{ "dscp = 64;", false, { 0 }, 0, false },
	{ "dscp = -1;", false, { 0 }, 0, false },
	{ "dscp = \"ef\";", false, { 0 }, 0, false },
	{ "flow_label = \"zero\";", true, { 0 }, 0, false },
	{ "flow_label = \"copy\";", true, { .copy_flow_label = true }, 0, false },
	{ "flow_label = 7;", false, { 0 }, 0, false },
	{ "hop_limit = 1;", true, { .hop_limit = 1 }, 0, false },
	{ "hop_limit = 255;", true, { .hop_limit = 255 }, 0, false },
	{ "hop_limit = 0;", false, { 0 }, 0, false },
	{ "hop_limit = 256;", false, { 0 }, 0, false },
	{ "pad_to = 65535;", true, { 0 }, 65535, false },
	{ "pad_to = 65536;", false, { 0 }, 0, false },
	{ "pad_to = -1;", false, { 0 }, 0, false },
	{ "check_source = true;", true, { 0 }, 0, false },
	{ "check_source = false;", true, { 0 }, 0, true },
	{ "check_source = 0;", false, { 0 }, 0, false },
};

START_TEST(tunnels)
{
	CLEANUP(datapath_settings_freep) struct datapath_settings *settings = NULL, *plain = NULL;
	const struct tunnel *tunnel;
	int r = load_tunnel(cases[_i].members, &settings);

	ck_assert_msg(r == (cases[_i].sound ? 0 : -EBADMSG), "%s: %d", cases[_i].members, r);
	if (r < 0)
		return;
	ck_assert_uint_eq(settings->tunnels.count, 1);
	tunnel = &settings->tunnels.tunnels[0];
	ck_assert_int_eq(tunnel->outer.df, cases[_i].outer.df);
	ck_assert_int_eq(tunnel->outer.set_dscp, cases[_i].outer.set_dscp);
	ck_assert_uint_eq(tunnel->outer.dscp, cases[_i].outer.dscp);
	ck_assert_int_eq(tunnel->outer.copy_flow_label, cases[_i].outer.copy_flow_label);
	ck_assert_uint_eq(tunnel->outer.hop_limit, cases[_i].outer.hop_limit);
	ck_assert_uint_eq(tunnel->pad_to, cases[_i].pad_to);
	ck_assert_int_eq(tunnel->any_source, cases[_i].any_source);
	/* A change of any of them is one that a reload brings. */
	ck_assert_int_eq(load_tunnel("", &plain), 0);
	ck_assert(datapath_settings_same_layout(settings, plain));
	ck_assert(tunnel_equal(tunnel, tunnel));
	ck_assert_msg(
		tunnel_equal(tunnel, &plain->tunnels.tunnels[0]) ==
			(memcmp(&cases[_i].outer, &cases[0].outer, sizeof(cases[0].outer)) == 0 &&
				cases[_i].pad_to == 0 && !cases[_i].any_source),
		"%s", cases[_i].members);
}
END_TEST

START_TEST(padding_levels)
{
	static const char *const bad[] = { "padding_check = 3;", "padding_check = -1;",
		"padding_check = \"all\";" };
	struct datapath_settings *settings = NULL;

	ck_assert_int_eq(load("", &settings), 0);
	ck_assert_uint_eq(settings->tunables[TUNABLE_ESP_PADDING_CHECK], 1);
	(void)datapath_settings_free(settings);
	for (unsigned int level = 0; level <= 2; level++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "padding_check = %u;", level);
		ck_assert_int_eq(load(text, &settings), 0);
		ck_assert_uint_eq(settings->tunables[TUNABLE_ESP_PADDING_CHECK], level);
		(void)datapath_settings_free(settings);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(load(bad[i], &settings), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("datapath_settings");
	TCase *tc = tcase_create("datapath_settings");
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return EXIT_FAILURE;
	(void)close(fd);
	tcase_add_loop_test(tc, tunnels, 0, (int)ARRAY_SIZE(cases));
	tcase_add_test(tc, padding_levels);
	suite_add_tcase(suite, tc);
	failed = suite_main(suite);
	(void)unlink(path);
	return failed;
}
