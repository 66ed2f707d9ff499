/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors are judged by the packet inside: what can be read of it, and what the engine makes of it. */
#include "services/datapath/packet/packet_about.h"
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define ROUTER	 "198.51.100.7"
#define ELSE	 "192.0.2.9"
#define ABOUT_AT 28 /* of an IPv4 error */
#define PORT	 1234

/* ---- what it is about ---- */

/* An error of @len octets behind its IP header; all octets of the enclosed packet are given. */
static void make_error(struct test_packet *error, const char *src, const char *dst,
	const uint8_t *about, size_t len)
{
	bool v4 = test_address(src).family == AF_INET;
	size_t head = v4 ? 20 : 40;
	uint8_t *p;

	packet_init(&error->pkt, error->buffer, sizeof(error->buffer));
	p = packet_append(&error->pkt, head + 8 + len);
	memset(p, 0, head + 8);
	p[0] = v4 ? 0x45 : 0x60;
	p[v4 ? 8 : 7] = 64;
	p[v4 ? 9 : 6] = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	memcpy(p + (v4 ? 12 : 8), test_address(src).bytes, v4 ? 4 : 16);
	memcpy(p + (v4 ? 16 : 24), test_address(dst).bytes, v4 ? 4 : 16);
	p[head] = v4 ? 3 : 1;
	memcpy(p + head + 8, about, len);
	packet_set_length(&error->pkt);
}

#define V4(HEAD, FRAG, PROTO) HEAD "000400 0001" FRAG "40" PROTO "0000 c0000201 c0000202"
#define V6(NEXT)                                                    \
	"60000000 0400" NEXT "40 20010db8000000000000000000000001 " \
	"20010db8000000000000000000000002"
#define PORTS "04d2 0035 0000 0000" /* 1234, 53 */

static const struct {
	const char *name, *about;
	uint8_t type; /* 0: unreachable */
	enum packet_subject subject;
	uint8_t protocol;
	uint16_t local_port, remote_port;
	int icmp_type; /* -1: none */
} readings[] = {
	{ "TCP", V4("45", "0000", "06") PORTS, 0, PACKET_ANOTHER, 6, 1234, 53, -1 },
	{ "time exceeded", V4("45", "0000", "11") PORTS, 11, PACKET_ANOTHER, 17, 1234, 53, -1 },
	{ "source quench", V4("45", "0000", "11") PORTS, 4, PACKET_ANOTHER, 17, 1234, 53, -1 },
	{ "parameter problem", V4("45", "0000", "11") PORTS, 12, PACKET_ANOTHER, 17, 1234, 53, -1 },
	{ "redirect", V4("45", "0000", "11") PORTS, 5, PACKET_ITSELF, 1, 0, 0, 5 },
	{ "echo", V4("45", "0000", "11") PORTS, 8, PACKET_ITSELF, 1, 0, 0, 8 },
	{ "about an echo", V4("45", "0000", "01") "0800 0000 0000 0000", 0, PACKET_ANOTHER, 1, 0, 0,
		8 },
	{ "first fragment", V4("45", "2000", "11") PORTS, 0, PACKET_ANOTHER, 17, 1234, 53, -1 },
	{ "later fragment", V4("45", "2001", "11") PORTS, 0, PACKET_UNREADABLE, 1, 0, 0, 3 },
	{ "later fragment without ports", V4("45", "2001", "2f"), 0, PACKET_ANOTHER, 47, 0, 0, -1 },
	{ "options", V4("46", "0000", "11") "01010101" PORTS, 0, PACKET_ANOTHER, 17, 1234, 53, -1 },
	{ "cut in the options", V4("4f", "0000", "11") PORTS, 0, PACKET_UNREADABLE, 1, 0, 0, 3 },
	{ "cut in the ports", V4("45", "0000", "11") "04d2 0035 0000 00", 0, PACKET_UNREADABLE, 1,
		0, 0, 3 },
	{ "cut in the header", "45000004 00010000 40110000 c0000201 c00002", 0, PACKET_UNREADABLE,
		1, 0, 0, 3 },
	{ "nothing", "", 0, PACKET_UNREADABLE, 1, 0, 0, 3 },
	{ "other version", V4("65", "0000", "11") PORTS, 0, PACKET_UNREADABLE, 1, 0, 0, 3 },
	{ "no header", V4("44", "0000", "11") PORTS, 0, PACKET_UNREADABLE, 1, 0, 0, 3 },
	{ "IPv6", V6("06") PORTS, 0, PACKET_ANOTHER, 6, 1234, 53, -1 },
	{ "IPv6, too big", V6("06") PORTS, 2, PACKET_ANOTHER, 6, 1234, 53, -1 },
	{ "IPv6, unknown", V6("06") PORTS, 127, PACKET_ANOTHER, 6, 1234, 53, -1 },
	{ "IPv6, echo", V6("06") PORTS, 128, PACKET_ITSELF, 58, 0, 0, 128 },
	{ "IPv6 options", V6("3c") "1100 0104 00000000" PORTS, 0, PACKET_ANOTHER, 17, 1234, 53,
		-1 },
	{ "IPv6 first fragment", V6("2c") "1100 0001 00000000" PORTS, 0, PACKET_ANOTHER, 17, 1234,
		53, -1 },
	{ "IPv6 later fragment", V6("2c") "1100 0009 00000000" PORTS, 0, PACKET_UNREADABLE, 58, 0,
		0, 1 },
	{ "IPv6, cut in options", V6("3c") "1103 0104 00000000" PORTS, 0, PACKET_UNREADABLE, 58, 0,
		0, 1 },
};

/* Whoever asks with the words of the packet inside asks about what the engine looks at. */
static void expect_same_words(
	const struct test_packet *error, const struct packet_view *view, const struct flow *subject)
{
	struct spd_query asked = { .has_about = true, .about = *subject }, read;
	CLEANUP(text_done) struct text text = { 0 };
	const struct flow *about = &read.about;

	packet_flow(&error->pkt, view, subject->direction, &asked.flow);
	spd_flow_print(&asked, &text);
	ck_assert_msg(spd_flow_parse(text.str, text.len, &read, NULL, NULL) == 0, "%s", text.str);
	ck_assert(read.has_about && about->direction == subject->direction);
	ck_assert(address_equal(&about->local, &subject->local) &&
		  address_equal(&about->remote, &subject->remote));
	ck_assert(about->protocol == subject->protocol &&
		  about->local_port == subject->local_port &&
		  about->remote_port == subject->remote_port);
	ck_assert(about->has_icmp == subject->has_icmp && about->icmp_type == subject->icmp_type);
}

/* Both ways the local end is where the error comes to, or goes out from. */
START_TEST(what_can_be_read)
{
	static struct test_packet error;
	bool v6 = strncmp(readings[_i].about, "60", 2) == 0;
	struct packet_view view;
	struct flow in, out;
	uint8_t about[128];

	make_error(&error, v6 ? THERE6 : ROUTER, v6 ? HERE6 : HERE, about,
		test_hex(readings[_i].about, about, sizeof(about)));
	if (readings[_i].type)
		error.pkt.data[v6 ? 40 : 20] = readings[_i].type;
	ck_assert(packet_parse(&error.pkt, &view));
	ck_assert_msg(packet_subject(&error.pkt, &view, DIRECTION_IN, &in) == readings[_i].subject,
		"%s", readings[_i].name);
	ck_assert_uint_eq(in.direction, DIRECTION_IN);
	ck_assert_msg(in.protocol == readings[_i].protocol, "%s", readings[_i].name);
	ck_assert_msg(in.local_port == readings[_i].local_port &&
			      in.remote_port == readings[_i].remote_port,
		"%s: %u, %u", readings[_i].name, in.local_port, in.remote_port);
	ck_assert_int_eq(in.has_icmp ? in.icmp_type : -1, readings[_i].icmp_type);
	if (readings[_i].subject != PACKET_ANOTHER)
		return;
	ck_assert(address_equal(
		&in.local, (const struct address[]){ test_address(v6 ? HERE6 : HERE) }));
	ck_assert(address_equal(
		&in.remote, (const struct address[]){ test_address(v6 ? THERE6 : THERE) }));
	/* The same outbound is about what came from the other side. */
	ck_assert_int_eq(packet_subject(&error.pkt, &view, DIRECTION_OUT, &out), PACKET_ANOTHER);
	ck_assert_uint_eq(out.direction, DIRECTION_OUT);
	ck_assert(address_equal(&out.local, &in.remote) && address_equal(&out.remote, &in.local));
	ck_assert(out.local_port == in.remote_port && out.remote_port == in.local_port);
	expect_same_words(&error, &view, &in);
	expect_same_words(&error, &view, &out);
}
END_TEST

/* ---- what becomes of it ---- */

static struct host host;

/* UDP port 1234 of ours is protected, TCP dropped, all else is nobody's. */
static void setup(void)
{
	struct rule *rule;

	host_init(&host);
	rule = add_rule(
		&host, "", IPPROTO_UDP, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	rule->selector.local_port = PORT;
	(void)add_rule(&host, "", IPPROTO_TCP, plain_action(ACTION_DISCARD), NULL);
	(void)add_sa(&host, &gcm, 0x3001, SA_MODE_TRANSPORT, HERE, THERE);
	(void)add_sa(&host, &gcm, 0x3002, SA_MODE_TRANSPORT, THERE, HERE);
	host_start(&host, HERE, HERE6);
}

static void teardown(void)
{
	host_done(&host);
}

/* An error about a packet of 28 octets, whose ports come first. */
static void make_about(
	struct test_packet *error, const char *from, const char *to, const struct flow *about)
{
	uint8_t inside[28] = { [0] = 0x45, [3] = 28, [8] = 64, [9] = about->protocol };

	memcpy(inside + 12, about->remote.bytes, 4);
	memcpy(inside + 16, about->local.bytes, 4);
	store_be16(inside + 20, about->remote_port);
	store_be16(inside + 22, about->local_port);
	make_error(error, from, to, inside, sizeof(inside));
}

static const struct {
	const char *name, *asked; /* whom the packet was for */
	uint8_t protocol;
	uint16_t port;
	enum engine_exit exit;
	enum verdict verdict;
} sent[] = {
	{ "about what came protected", HERE, IPPROTO_UDP, PORT, ENGINE_TO_WIRE,
		VERDICT_OUT_PROTECTED },
	{ "about what came in clear", HERE, IPPROTO_UDP, 53, ENGINE_TO_WIRE_CLEAR,
		VERDICT_OUT_BYPASSED },
	{ "about what is refused", HERE, IPPROTO_TCP, 53, ENGINE_DROP, VERDICT_SPD_EXPLICIT },
	{ "about what we forward", ELSE, IPPROTO_UDP, PORT, ENGINE_TO_WIRE_CLEAR,
		VERDICT_OUT_BYPASSED },
	{ "about TCP that we forward", ELSE, IPPROTO_TCP, 53, ENGINE_TO_WIRE_CLEAR,
		VERDICT_OUT_BYPASSED },
};

START_TEST(errors_that_we_send)
{
	static struct test_packet error;
	struct flow about = { .local = test_address(sent[_i].asked),
		.remote = test_address(THERE),
		.protocol = sent[_i].protocol,
		.local_port = sent[_i].port,
		.remote_port = 7 };

	make_about(&error, HERE, THERE, &about);
	expect(send_one(&host, &error.pkt, -1), sent[_i].exit, sent[_i].verdict, sent[_i].name);
}
END_TEST

/* Cut short it goes by its own addresses, and where no rule names them as it is. */
START_TEST(errors_that_say_too_little)
{
	static struct test_packet error;
	struct flow about = { .local = test_address(HERE),
		.remote = test_address(THERE),
		.protocol = IPPROTO_UDP,
		.local_port = PORT };

	make_about(&error, HERE, THERE, &about);
	ck_assert(packet_trim(&error.pkt, 8));
	packet_set_length(&error.pkt);
	expect(send_one(&host, &error.pkt, -1), ENGINE_TO_WIRE_CLEAR, VERDICT_OUT_BYPASSED, "cut");
}
END_TEST

static const struct {
	const char *name;
	uint8_t protocol;
	uint16_t port, sa_port; /* 0: the SA is for all ports */
	enum engine_exit exit;
	enum verdict verdict;
} opened[] = {
	{ "about what is protected", IPPROTO_UDP, PORT, 0, ENGINE_TO_HOST, VERDICT_IN_ACCEPTED },
	{ "within the SA", IPPROTO_UDP, PORT, PORT, ENGINE_TO_HOST, VERDICT_IN_ACCEPTED },
	{ "outside the SA", IPPROTO_UDP, PORT, 53, ENGINE_DROP, VERDICT_SPD_ESP_INNERMISMATCH },
	{ "about what is clear", IPPROTO_UDP, 53, 0, ENGINE_DROP, VERDICT_SPD_GOT_SECURE },
	{ "about what is refused", IPPROTO_TCP, 53, 0, ENGINE_DROP, VERDICT_SPD_EXPLICIT },
};

START_TEST(errors_out_of_an_sa)
{
	static struct test_packet error;
	uint8_t inside[28] = { [0] = 0x45, [3] = 28, [8] = 64, [9] = opened[_i].protocol };
	struct test_esp out;

	host.entries[1]->sa->dst_port = opened[_i].sa_port;
	test_esp_init(&out, test_sa(&gcm, SA_MODE_TRANSPORT, THERE, HERE), 0);
	out.sa->spi = 0x3002;
	memcpy(inside + 12, test_address(HERE).bytes, 4);
	memcpy(inside + 16, test_address(THERE).bytes, 4);
	store_be16(inside + 20, opened[_i].port);
	make_error(&error, THERE, HERE, inside, sizeof(inside));
	ck_assert_int_eq(esp_seal(&out.esp, &error.pkt, NULL), VERDICT_OUT_PROTECTED);
	expect(receive_one(&host, &error.pkt), opened[_i].exit, opened[_i].verdict,
		opened[_i].name);
	test_esp_done(&out);
}
END_TEST

/* What stands in an error about a packet of @len octets to UDP port PORT of the peer. */
static const struct {
	const char *name;
	const char *about_src;
	uint16_t len, mtu, port;
	uint8_t type, code;
	bool told;
} paths[] = {
	{ "too big", HERE, 1400, 1300, PORT, 3, 4, true },
	{ "too small to be believed", HERE, 1400, 68, PORT, 3, 4, true }, /* the table's business */
	{ "it would have fitted", HERE, 1300, 1300, PORT, 3, 4, false },
	{ "another code", HERE, 1400, 1300, PORT, 3, 3, false },
	{ "another type", HERE, 1400, 1300, PORT, 11, 4, false },
	{ "of what is clear", HERE, 1400, 1300, 53, 3, 4, false },
	{ "of somebody else", ELSE, 1400, 1300, PORT, 3, 4, false },
};

START_TEST(paths_that_errors_tell)
{
	static struct test_packet error;
	uint8_t inside[28] = { [0] = 0x45, [8] = 64, [9] = IPPROTO_UDP };
	struct address there = test_address(THERE);
	struct engine_path path;
	struct packet_view view;
	bool told;

	store_be16(inside + 2, paths[_i].len);
	memcpy(inside + 12, test_address(paths[_i].about_src).bytes, 4);
	memcpy(inside + 16, there.bytes, 4);
	store_be16(inside + 20, paths[_i].port);
	store_be16(inside + 22, 7);
	make_error(&error, ROUTER, HERE, inside, sizeof(inside));
	error.pkt.data[20] = paths[_i].type;
	error.pkt.data[21] = paths[_i].code;
	store_be16(error.pkt.data + 26, paths[_i].mtu);
	ck_assert(packet_parse(&error.pkt, &view));
	told = engine_path_told(rcu_read(&host.view), &error.pkt, &view, &path);
	ck_assert_msg(told == paths[_i].told, "%s", paths[_i].name);
	if (told)
		ck_assert(path.mtu == paths[_i].mtu && address_equal(&path.dst, &there));
}
END_TEST

/* Cut short anywhere, nothing is read that is not there. */
START_TEST(paths_that_are_cut_short)
{
	static struct test_packet error;
	uint8_t inside[28] = { 0x45, [8] = 64, [9] = IPPROTO_UDP };
	struct engine_path path;
	struct packet_view view;

	store_be16(inside + 2, 1400);
	memcpy(inside + 12, test_address(HERE).bytes, 4);
	memcpy(inside + 16, test_address(THERE).bytes, 4);
	store_be16(inside + 20, PORT);
	for (size_t cut = 0; cut <= 36; cut++) {
		make_error(&error, ROUTER, HERE, inside, sizeof(inside));
		error.pkt.data[21] = 4;
		store_be16(error.pkt.data + 26, 1300);
		ck_assert(packet_trim(&error.pkt, cut));
		packet_set_length(&error.pkt);
		if (!packet_parse(&error.pkt, &view))
			continue;
		ck_assert_int_eq(
			engine_path_told(rcu_read(&host.view), &error.pkt, &view, &path), cut == 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_about");
	TCase *tc = tcase_create("reading");

	tcase_add_loop_test(tc, what_can_be_read, 0, (int)ARRAY_SIZE(readings));
	suite_add_tcase(suite, tc);
	tc = tcase_create("engine");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, errors_that_we_send, 0, (int)ARRAY_SIZE(sent));
	tcase_add_test(tc, errors_that_say_too_little);
	tcase_add_loop_test(tc, errors_out_of_an_sa, 0, (int)ARRAY_SIZE(opened));
	tcase_add_loop_test(tc, paths_that_errors_tell, 0, (int)ARRAY_SIZE(paths));
	tcase_add_test(tc, paths_that_are_cut_short);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
