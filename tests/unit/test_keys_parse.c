/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_parse.h"

#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/base/text.h"
#include "common/daemon/algs.h"
#include "services/manual-key/keys_parser.h"
#include "tests/unit/suite.h"

#define KEY128 "000102030405060708090a0b0c0d0e0f"
#define KEY256 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define ENDS   "src 192.0.2.1 dst 192.0.2.17 "
#define ESP    "encr_alg aes encrkey " KEY128 " auth_alg sha256 authkey " KEY256 " "
#define ADD    "add esp spi 1001 " ENDS ESP

struct parsed {
	struct alg_table *algs;
	struct conf_diags *diags;
	struct keys_file *file;
	struct text said; /* "line:column code; " of each diagnostic */
};

static void parsed_done(struct parsed *p)
{
	keys_file_free(p->file);
	conf_diags_free(p->diags);
	alg_table_free(p->algs);
	text_done(&p->said);
}

/* One name stands for two addresses of each family, another for one. */
static int host(void *userdata, const char *name, int family, struct resolved *ret)
{
	struct address addrs[4];

	(void)userdata;
	ck_assert_int_eq(address_parse("192.0.2.50", &addrs[0]), 0);
	ck_assert_int_eq(address_parse("192.0.2.51", &addrs[1]), 0);
	ck_assert_int_eq(address_parse("2001:db8::50", &addrs[2]), 0);
	ck_assert_int_eq(address_parse("2001:db8::51", &addrs[3]), 0);
	ret->count = 0;
	ck_assert_ptr_null(strstr(name, "00010203")); /* a key would leave the machine */
	if (strcmp(name, "one") == 0)
		ret->addrs[ret->count++] = addrs[0];
	if (strcmp(name, "many") != 0)
		return ret->count ? 0 : -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++)
		if (family == AF_UNSPEC || addrs[i].family == family)
			ret->addrs[ret->count++] = addrs[i];
	return 0;
}

static const struct resolver names = { .host = host };

static struct parsed parse(const char *text, enum keys_place place, const struct resolver *resolver)
{
	struct parsed p = { .diags = conf_diags_new() };
	struct keys_input in = {
		.label = "keys",
		.source = text,
		.len = strlen(text),
		.resolver = resolver,
		.place = place,
	};

	ck_assert_ptr_nonnull(p.diags);
	ck_assert_int_eq(algs_builtin(&p.algs), 0);
	in.algs = p.algs;
	ck_assert_int_eq(keys_parse(&in, p.diags, &p.file), 0);
	for (size_t i = 0; i < conf_diags_count(p.diags); i++) {
		const struct conf_diag *diag = conf_diags_get(p.diags, i);

		text_addf(&p.said, "%u:%u %s%s; ", diag->loc.line, diag->loc.column,
			diag->severity == CONF_ERROR ? "" : "~", diag->code);
	}
	text_add(&p.said, "");
	return p;
}

static const struct {
	const char *text;
	const char *want;
} cases[] = {
	{ "", "" },
	{ "# nothing\n\n", "" },
	{ ADD, "" },
	{ "add ESP spi 1001 " ENDS "encr_alg AES encrkey " KEY128, "" },
	{ "add 3 spi 1001 " ENDS "encr_alg 12 encrkey " KEY128, "" },
	{ "add esp spi 1001 \\\n" ENDS "encr_alg aes \\\nencrkey " KEY128 "\n", "" },
	/* commands */
	{ "ad esp", "1:1 key-command; " },
	{ "dump esp", "1:1 key-command; " },
	{ "save all", "1:1 key-command; " },
	{ "add", "1:1 key-satype; " },
	{ "add all spi 1001", "1:5 key-satype; " },
	{ "add tcp spi 1001", "1:5 key-satype; " },
	{ "flush", "" },
	{ "flush esp", "" },
	{ "flush foo", "1:7 key-satype; " },
	{ "flush esp now", "1:11 key-surplus; " },
	{ "quit\nad esp", "" },
	{ "ad\nad\n", "1:1 key-command; 2:1 key-command; " },
	/* what is needed */
	{ "add esp " ENDS ESP, "1:1 key-spi; " },
	{ "add esp spi 1001 " ESP, "1:1 key-address; " },
	{ "add esp spi 1001 " ENDS, "1:1 key-algorithm; " },
	{ "add esp spi 1001 " ENDS "encr_alg null", "1:47 key-algorithm; " },
	{ "add esp spi 1001 " ENDS "encr_alg aes", "1:47 key-missing; " },
	{ "add esp spi 1001 " ENDS "auth_alg sha1", "1:47 key-missing; " },
	{ "add esp spi 1001 " ENDS "authkey " KEY256, "1:1 key-algorithm; " },
	{ "add ah spi 1001 " ENDS "encr_alg aes auth_alg sha256 authkey " KEY256,
		"1:55 key-cipher-ah; " },
	{ "add ah spi 1001 " ENDS "auth_alg sha256 authkey " KEY256 " encrkey " KEY128,
		"1:135 key-cipher-ah; " },
	{ "add esp spi 1001 " ENDS "encr_alg null auth_alg sha256 authkey " KEY256
	  " encrkey " KEY128,
		"1:150 key-null; " },
	{ "add esp spi 1001 " ENDS "auth_alg sha256 authkey " KEY256 " encrkey " KEY128,
		"1:136 key-null; " },
	/* words and numbers */
	{ ADD "colour red", "1:190 key-keyword; " },
	{ "add esp spy 1 dest 192.0.2.1 encr aes",
		"1:9 key-keyword; 1:15 key-keyword; 1:30 key-keyword; " },
	{ ADD "soft_byte 5 proto 6", "1:190 key-keyword; " },
	{ ADD "proto", "1:190 key-value; " },
	{ ADD "isrc", "1:190 key-value; " },
	{ ADD "encap", "1:190 key-value; " },
	{ ADD "proto tcp", "1:196 key-number; " },
	{ ADD "proto 256", "1:196 key-range; " },
	{ ADD "spi 1002", "1:190 key-repeated; " },
	{ ADD "reserved_bits 0 reserved_bits 0", "1:204 key-order; 1:206 key-repeated; " },
	{ ADD "idle_addtime 0 idle_addtime 1", "1:205 key-repeated; " },
	{ "add esp spi 0x100000001 " ENDS ESP, "1:13 key-range; " },
	{ "add esp spi 0 " ENDS ESP, "1:13 key-spi; " },
	{ ADD "pair-spi 0", "1:199 key-spi; " },
	{ ADD "pair-spi 1001", "1:190 key-pair; " },
	{ ADD "replay 64", "1:197 ~key-replay; " },
	{ ADD "replay 0", "" },
	{ ADD "state mature", "" },
	{ ADD "state larval", "1:196 key-state; " },
	{ ADD "state dead", "1:196 key-state; " },
	{ ADD "state 1", "1:196 key-state; " },
	{ ADD "flags esn", "" },
	{ ADD "replay 8192", "1:197 ~key-replay; " },
	{ ADD "replay 8193", "1:197 key-range; " },
	{ ADD "flags 1", "1:196 key-refused; " },
	{ ADD "current_bytes 5", "1:190 key-refused; " },
	{ ADD "label secret", "1:190 key-refused; " },
	{ ADD "replay_value 4294967296", "1:190 key-range; " },
	{ ADD "flags esn replay_value 4294967296", "" },
	{ ADD "inbound outbound", "" },
	{ "add esp inbound spi 1001 " ENDS ESP, "" },
	{ ADD "srcidtype fqdn \"a.example\" dstidtype prefix 192.0.2.0/24", "" },
	{ ADD "srcidtype colour red", "1:200 key-identity; " },
	{ ADD "srcidtype fqdn", "1:190 key-value; " },
	/* limits */
	{ ADD "soft_bytes 5 hard_bytes 4", "1:190 key-lifetime; " },
	{ ADD "soft_bytes 5 hard_bytes 0", "" },
	{ ADD "soft_bytes 5 hard_bytes 5", "" },
	{ ADD "idle_addtime 9 soft_addtime 8", "1:190 key-lifetime; " },
	{ ADD "idle_usetime 9 hard_usetime 8", "1:190 key-lifetime; " },
	/* addresses */
	{ "add esp spi 1001 dst 192.0.2.300 " ESP, "1:22 key-address; " },
	{ "add esp spi 1001 dst6 192.0.2.3 " ESP, "1:23 key-address; " },
	{ "add esp spi 1001 src 2001:db8::1 dst 192.0.2.1 " ESP, "1:34 key-family; " },
	{ "add esp spi 1001 src :: dst 192.0.2.1 " ESP, "" },
	{ "add esp spi 1001 src 224.0.0.1 dst 192.0.2.1 " ESP, "1:18 key-address; " },
	{ "add esp spi 1001 dst 0.0.0.0 " ESP, "1:18 key-address; " },
	{ "add esp spi 1001 dst one " ESP, "" },
	{ "add esp spi 1001 src many dst 192.0.2.1 " ESP, "1:18 ~key-ambiguous; " },
	{ "add esp spi 1001 dst nobody " ESP, "1:22 key-address; " },
	{ "add esp spi 1001 dst " KEY128 " " ESP, "1:22 key-address; " },
	{ ADD "isrc " KEY128 "/128 idst 10.2.0.0/16", "1:195 key-address; " },
	{ ADD "isrc 10.1.0.0/16 idst 10.2.0.0/16", "" },
	{ ADD "isrc 10.1.0.0/33 idst 10.2.0.0/16", "1:195 key-prefix; " },
	{ ADD "isrc 10.1.0.0/x idst 10.2.0.0/16", "1:195 key-prefix; " },
	{ ADD "isrc 10.1.0.0/16", "1:190 key-family; " },
	{ ADD "idst6 2001:db8::/32", "" },
	{ ADD "isrc many idst 10.2.0.0/16", "1:195 key-ambiguous; " },
	{ ADD "isrc 10.1.0.0/16 idst 10.2.0.0/16 proto 4", "" },
	{ ADD "isrc 10.1.0.0/16 idst 10.2.0.0/16 proto 41", "1:224 key-family; " },
	{ ADD "isrc 10.1.0.0/16 idst 10.2.0.0/16 proto 6", "1:224 key-tunnel; " },
	{ ADD "isrc 10.1.0.0/16 idst 10.2.0.0/16 sport 5 isport 6", "1:224 key-tunnel; " },
	/* NAT traversal */
	{ ADD "encap udp nat_rem 192.0.2.9 nat_rport 4500", "" },
	{ ADD "encap udpx nat_rem 192.0.2.9", "1:196 key-encap; " },
	{ ADD "encap udp", "1:190 key-encap; " },
	{ ADD "nat_rem 192.0.2.9", "1:190 key-encap; " },
	{ ADD "nat_rport 4500", "1:190 key-encap; " },
	{ ADD "encap udp nat_loc 2001:db8::1", "1:208 key-address; " },
	/* lookups */
	{ "delete esp spi 1001 dst 192.0.2.1", "" },
	{ "delete esp spi 1001", "" },
	{ "delete esp dst 192.0.2.1", "1:1 key-spi; " },
	{ "delete all spi 1001", "1:8 key-satype; " },
	{ "delete esp spi 1001 auth_alg sha1", "1:21 key-unfit; " },
	{ "get esp spi 1001 dst 192.0.2.1 proto 6 sport 5 dport 6 inbound", "" },
	{ "update esp spi 1001 dst 192.0.2.1 hard_bytes 10", "" },
	{ "update-pair esp spi 1001 dst 192.0.2.1 pair-spi 1002", "1:40 key-unfit; " },
};

START_TEST(diagnostics)
{
	CLEANUP(parsed_done) struct parsed p = parse(cases[_i].text, KEYS_OF_FILE, &names);
	bool failed = false;

	ck_assert_msg(strcmp(p.said.str, cases[_i].want) == 0, "%s\nsaid %s\nwant %s",
		cases[_i].text, p.said.str, cases[_i].want);
	for (size_t i = 0; i < p.file->count; i++)
		failed |= p.file->commands[i].failed;
	ck_assert(failed == (conf_diags_errors(p.diags) > 0));
	ck_assert(failed == (p.file->n_failed > 0));
}
END_TEST

#define ALGS "add esp spi 1001 " ENDS

static const struct {
	const char *text;
	const char *want;
} keys[] = {
	{ ALGS "encr_alg aes encrkey 0x" KEY128, "" },
	{ ALGS "encr_alg aes encrkey " KEY128 "/128", "" },
	{ ALGS "encr_alg aes encrkey " KEY128 "/129", "1:68 key-bits; " },
	{ ALGS "encr_alg aes encrkey " KEY128 "/0", "1:68 key-bits; " },
	{ ALGS "encr_alg aes encrkey " KEY128 "/x", "1:68 key-bits; " },
	{ ALGS "encr_alg aes encrkey /128", "1:68 key-hex; " },
	{ ALGS "encr_alg aes encrkey 0g", "1:68 key-hex; " },
	{ ALGS "encr_alg aes encrkey " KEY256 "/128", "1:68 ~key-cut; " },
	{ ALGS "encr_alg aes encrkey 0011", "1:60 key-length; " },
	{ ALGS "encr_alg aes encrkey 00000000000000000000000000000000", "1:60 key-zero; " },
	{ ALGS "auth_alg sha1 authkey 0000000000000000000000000000000000000000",
		"1:69 key-zero; " },
	{ ALGS "auth_alg sha1 authkey " KEY256, "1:61 key-length; " },
	{ ALGS "encr_alg typo encrkey " KEY128, "1:56 key-algorithm; " },
	{ ALGS "encr_alg any encrkey " KEY128, "1:56 key-algorithm; " },
	{ ALGS "encr_alg 256 encrkey " KEY128, "1:56 key-algorithm; " },
	{ ALGS "encr_alg typo auth_alg sha256 authkey " KEY256, "1:56 key-algorithm; " },
	{ ALGS "encr_alg des encrkey 0123456789abcdef", "1:56 ~alg-weak; " },
	{ ALGS "encr_alg des encrkey 0101010101010101", "1:56 ~alg-weak; 1:60 key-weak; " },
	{ ALGS "encr_alg des encrkey fe01fe01fe01fe01", "1:56 ~alg-weak; 1:60 key-weak; " },
	{ ALGS "encr_alg des encrkey 1f011f010e010e01", "1:56 ~alg-weak; 1:60 key-weak; " },
	{ ALGS "encr_alg 3des encrkey 0123456789abcdef0123456789abcdeffedcba9876543210",
		"1:56 ~alg-weak; 1:61 key-weak; " },
	{ ALGS "encr_alg 3des encrkey 0123456789abcdeffedcba98765432100123456789abcdef",
		"1:56 ~alg-weak; " },
	{ ALGS "encr_alg aes-gcm16 encrkey " KEY128 "a0a1a2a3", "1:56 ~key-static-counter; " },
	{ ALGS "encr_alg aes-gcm16 encrkey " KEY128,
		"1:56 ~key-static-counter; 1:66 key-length; " },
	{ ALGS "encr_alg aes-gcm16 reserved_bits 64 encrkey " KEY128 "a0a1a2a30000000000000001",
		"1:56 ~key-static-counter; " },
	{ ALGS "encr_alg aes-gcm16 reserved_bits 32 encrkey " KEY128 "a0a1a2a300000001",
		"1:56 ~key-static-counter; 1:66 key-iv; " },
	{ ALGS "encr_alg aes reserved_bits 64 encrkey " KEY128 "0000000000000001",
		"1:60 key-iv; " },
	{ ALGS "encr_alg aes-gcm16 encrkey " KEY128 "a0a1a2a3 auth_alg sha256 authkey " KEY256,
		"1:56 ~key-static-counter; 1:115 key-algorithm; " },
};

START_TEST(key_diagnostics)
{
	CLEANUP(parsed_done) struct parsed p = parse(keys[_i].text, KEYS_OF_FILE, &names);
	CLEANUP(text_done) struct text rendered = { 0 };

	ck_assert_msg(strcmp(p.said.str, keys[_i].want) == 0, "%s\nsaid %s\nwant %s", keys[_i].text,
		p.said.str, keys[_i].want);
	conf_diags_print(p.diags, &rendered);
	if (rendered.str) {
		ck_assert_ptr_null(strstr(rendered.str, "01020304"));
		ck_assert_ptr_null(strstr(rendered.str, "0123456789"));
	}
}
END_TEST

START_TEST(places)
{
	CLEANUP(parsed_done) struct parsed service = parse(
		"get esp spi 1001 dst 192.0.2.1\nupdate esp spi 1001 dst 192.0.2.1\n" ADD "\nflush",
		KEYS_OF_SERVICE, &names);
	CLEANUP(parsed_done) struct parsed words = parse(ADD, KEYS_OF_ARGUMENTS, &names);
	CLEANUP(parsed_done) struct parsed dump = parse("dump esp", KEYS_OF_ARGUMENTS, &names);
	CLEANUP(parsed_done) struct parsed numeric = parse(
		"add esp spi 1001 dst one " ESP, KEYS_OF_FILE, NULL);

	ck_assert_str_eq(service.said.str, "1:1 key-command; 2:1 key-command; ");
	ck_assert_str_eq(words.said.str, "1:1 key-command; ");
	ck_assert_str_eq(dump.said.str, "");
	ck_assert_str_eq(numeric.said.str, "1:22 key-address; ");
}
END_TEST

START_TEST(meaning)
{
	CLEANUP(parsed_done) struct parsed p = parse(
		"add esp spi 0x3001 src 198.51.100.1 dst 203.0.113.1 proto 4 isrc 10.1.2.3/16 "
		"idst 10.2.0.0/16 encr_alg aes-gcm16 reserved_bits 64 encrkey " KEY128
		"a0a1a2a30000000000000001 hard_addtime 28800 soft_addtime 24000 idle_addtime 3600 "
		"iproto 6 idport 80 pair-spi 1007 replay 512 outbound flags esn\n",
		KEYS_OF_FILE, &names);
	CLEANUP(sa_freep) struct sa *sa = NULL;
	char text[PREFIX_TEXT_MAX];

	ck_assert_uint_eq(p.file->n_failed, 0);
	ck_assert_uint_eq(p.file->count, 1);
	sa = keys_command_sa(&p.file->commands[0], 0);
	ck_assert_ptr_nonnull(sa);
	ck_assert_uint_eq(sa->spi, 0x3001);
	ck_assert_int_eq(sa->proto, SA_PROTO_ESP);
	ck_assert_int_eq(sa->mode, SA_MODE_TUNNEL);
	ck_assert_str_eq(prefix_format(&sa->inner_src, text), "10.1.0.0/16");
	ck_assert_uint_eq(sa->protocol, 4);
	ck_assert_uint_eq(sa->inner_protocol, 6);
	ck_assert_uint_eq(sa->inner_dst_port, 80);
	ck_assert_uint_eq(sa->encr, ALG_ENCR_AES_GCM16);
	ck_assert_uint_eq(sa->encr_key_bits, 128);
	ck_assert_uint_eq(sa->salt_bits, 32);
	ck_assert_uint_eq(sa->iv_bits, 64);
	ck_assert_uint_eq(secret_len(sa->encr_key), 28);
	ck_assert_uint_eq(sa->hard.add_sec, 28800);
	ck_assert_uint_eq(sa->soft.add_sec, 24000);
	ck_assert_uint_eq(sa->idle_add_sec, 3600);
	ck_assert_uint_eq(sa->pair_spi, 1007);
	ck_assert_uint_eq(sa->replay_window, 512);
	ck_assert_uint_eq(sa->directions, SA_OUTBOUND);
	ck_assert_uint_eq(sa->flags, SA_FLAG_ESN | SA_FLAG_UNIQUE);
	ck_assert_uint_eq(sa->state, SA_MATURE);
}
END_TEST

START_TEST(defaults)
{
	CLEANUP(parsed_done) struct parsed p = parse(
		"add esp spi 1001 dst 192.0.2.1 auth_alg sha256 authkey " KEY256, KEYS_OF_FILE,
		NULL);
	CLEANUP(sa_freep) struct sa *sa = keys_command_sa(&p.file->commands[0], 0);

	ck_assert_ptr_nonnull(sa);
	ck_assert_uint_eq(sa->encr, ALG_ENCR_NULL);
	ck_assert_int_eq(sa->src.family, AF_INET);
	ck_assert(address_is_unspecified(&sa->src));
	ck_assert_int_eq(sa->mode, SA_MODE_TRANSPORT);
	ck_assert_uint_eq(sa->replay_window, 0);
	ck_assert_uint_eq(sa->flags, 0);
}
END_TEST

START_TEST(several_destinations)
{
	CLEANUP(parsed_done) struct parsed p = parse(
		"add esp spi 1001 src one dst many " ESP, KEYS_OF_FILE, &names);
	static const char *const want[] = { "esp spi 0x3e9 192.0.2.50 > 192.0.2.50 transport",
		"esp spi 0x3e9 192.0.2.50 > 192.0.2.51 transport" };

	/* The IPv6 ones have no source of their family. */
	ck_assert_str_eq(p.said.str, "");
	ck_assert_uint_eq(keys_command_sas(&p.file->commands[0]), ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		CLEANUP(sa_freep) struct sa *sa = keys_command_sa(&p.file->commands[0], i);
		CLEANUP(text_done) struct text text = { 0 };

		sa_print(sa, &text);
		ck_assert_str_eq(text.str, want[i]);
	}
}
END_TEST

/* Whoever reads on might carry out half of something else. */
START_TEST(nothing_behind_a_line_too_long)
{
	static char text[8192];
	size_t len = strlen(ADD "\n#");

	ck_assert_int_eq(text_copy(text, sizeof(text), ADD "\n#"), 0);
	memset(text + len, 'x', 4093);
	ck_assert_int_eq(text_copy(text + len + 4093, sizeof(text) - len - 4093,
				 "\nflush esp\nbogus\nquit\n" ADD "\n"),
		0);
	{
		CLEANUP(parsed_done) struct parsed p = parse(text, KEYS_OF_FILE, &names);

		ck_assert_str_eq(p.said.str, "2:4094 line-too-long; 4:1 key-command; ");
		ck_assert_uint_eq(p.file->count, 5);
		for (size_t i = 0; i < p.file->count; i++)
			ck_assert(p.file->commands[i].failed == (i > 0));
	}
	text[len + 4092] = '\n'; /* a comment of the longest line, and a word */
	{
		CLEANUP(parsed_done) struct parsed p = parse(text, KEYS_OF_FILE, &names);

		ck_assert_str_eq(p.said.str, "5:1 key-command; ");
		ck_assert(!p.file->commands[0].failed && !p.file->commands[1].failed);
	}
}
END_TEST

static char *read_tree(const char *path)
{
	char whole[256];
	char *text = NULL;
	size_t len;

	ck_assert_int_eq(text_fixed(whole, sizeof(whole), "%s/%s", SOURCE_ROOT, path), 0);
	ck_assert_int_eq(file_read_path(whole, 1U << 20, &text, &len), 0);
	return text;
}

START_TEST(sample)
{
	CLEANUP(freep) char *text = read_tree("etc/inet/secret/ipseckeys.sample");
	CLEANUP(parsed_done) struct parsed p = parse(text, KEYS_OF_SERVICE, NULL);

	ck_assert_str_eq(p.said.str, "");
	ck_assert_uint_eq(p.file->count, 2);
}
END_TEST

START_TEST(manual_page_has_every_keyword)
{
	CLEANUP(freep) char *page = read_tree("man/ipseckeys.5");

	for (const struct keys_keyword *kw = keys_keywords(); kw->name; kw++) {
		size_t len = strlen(kw->name);

		if (kw->name[len - 1] !=
			'6') /* the page says of a whole row that it has this form */
			ck_assert_msg(strstr(page, kw->name), "%s", kw->name);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys_parse");
	TCase *tc = tcase_create("keys_parse");

	tcase_add_loop_test(tc, diagnostics, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, key_diagnostics, 0, ARRAY_SIZE(keys));
	tcase_add_test(tc, places);
	tcase_add_test(tc, meaning);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, several_destinations);
	tcase_add_test(tc, nothing_behind_a_line_too_long);
	tcase_add_test(tc, sample);
	tcase_add_test(tc, manual_page_has_every_keyword);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
