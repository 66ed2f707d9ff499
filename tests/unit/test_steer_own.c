/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random packets of this machine with itself through the real kernel, under random policies about its
 * own addresses: which of them arrive is held against spd_match() of both ends. Audit rules stand
 * among the rules and change nothing.
 */
#include "services/datapath/packet/packet.h"
#include "tests/unit/steer_lab.h"
#include "tests/unit/steer_random.h"

#define OWN	 4 /* addresses of each family */
#define POLICIES 6
#define PACKETS	 400
#define SHORT	 24
#define LONG	 300
#define SEED	 0x5eed0003U
#define UDP_LEN	 12 /* header, and the number of the packet */
#define SENTINEL UINT32_MAX

static struct {
	struct address addrs[2][OWN];
	int out[2], in[2];
} own;

static int open_raw(int family, int protocol)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), on = 1;
	int bytes = 4 << 20;

	ck_assert_int_ge(fd, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (family == AF_INET6 && protocol == IPPROTO_RAW)
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on)), 0);
	return fd;
}

static void add_address(const char *text, struct address *ret)
{
	char words[128];
	FILE *done;

	ck_assert_int_eq(text_fixed(words, sizeof(words), "ip addr add %s/%d dev wire0 %s", text,
				 strchr(text, ':') ? 128 : 32, strchr(text, ':') ? "nodad" : ""),
		0);
	done = popen(words, "r");
	ck_assert_ptr_nonnull(done);
	ck_assert_msg(pclose(done) == 0, "%s", words);
	ck_assert_int_eq(address_parse(text, ret), 0);
}

static void setup_own(void)
{
	struct address all[2 * OWN];
	char text[ADDRESS_TEXT_MAX];
	cpu_set_t one;

	setup();
	/* lo has a queue a processor. */
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	for (size_t i = 0; i < OWN; i++) {
		ck_assert_int_eq(text_fixed(text, sizeof(text), "10.0.0.%zu", i + 1), 0);
		add_address(text, &own.addrs[0][i]);
		ck_assert_int_eq(text_fixed(text, sizeof(text), "2000::%zu", i + 1), 0);
		add_address(text, &own.addrs[1][i]);
	}
	memcpy(all, own.addrs, sizeof(all)); /* sorted: of IPv4 first */
	ck_assert_int_eq(steer_set_own(lab.steer, all, ARRAY_SIZE(all)), 0);
	for (int v6 = 0; v6 < 2; v6++) {
		own.out[v6] = open_raw(v6 ? AF_INET6 : AF_INET, IPPROTO_RAW);
		own.in[v6] = open_raw(v6 ? AF_INET6 : AF_INET, IPPROTO_UDP);
	}
}

/* One of ours, all of them, everything. */
static struct prefix own_prefix(uint32_t *state, bool v6)
{
	struct address addr = own.addrs[v6][random_below(state, OWN)];
	struct prefix prefix = { 0 };

	switch (random_below(state, 4)) {
	case 0:
		break;
	case 1:
		ck_assert_int_eq(prefix_make(&addr, v6 ? 64 : 24, &prefix), 0);
		break;
	default:
		prefix = prefix_host(&addr);
		break;
	}
	return prefix;
}

static struct action random_action(uint32_t *state)
{
	static const uint8_t ciphers[] = { ALG_ENCR_AES_CBC, ALG_ENCR_3DES, ALG_ENCR_AES_GCM16 };
	struct action action = rules_esp;

	if (random_below(state, 4) == 0)
		return rules_bypass;
	action.esp.number = ciphers[random_below(state, ARRAY_SIZE(ciphers))];
	return action;
}

static struct rule *own_rule(uint32_t *state, uint32_t order, bool v6)
{
	static const uint8_t directions[] = { DIRECTION_BIT_BOTH, DIRECTION_BIT_OUT,
		DIRECTION_BIT_IN };
	struct rule *rule = rule_new(1 + random_below(state, 2));
	struct selector *sel = &rule->selector;

	sel->family = v6 ? AF_INET6 : AF_INET;
	sel->local = own_prefix(state, v6);
	sel->remote = own_prefix(state, v6);
	sel->protocol = random_below(state, 3) ? IPPROTO_UDP : 0;
	if (sel->protocol && random_below(state, 2))
		sel->local_port = (uint16_t)(1 + random_below(state, 4));
	if (sel->protocol && random_below(state, 2))
		sel->remote_port = (uint16_t)(1 + random_below(state, 4));
	rule->order = order;
	rule->directions = directions[random_below(state, ARRAY_SIZE(directions))];
	for (size_t i = 0; i < rule->n_actions; i++)
		rule->actions[i] = random_action(state);
	if (rule->n_actions == 1 && random_below(state, 5) == 0)
		rule->actions[0] = rules_drop;
	rule->audit = random_below(state, 6) == 0;
	return rule;
}

/* Of few rules, or of so many that they stand in maps: those about others make them more. */
static struct spd *own_policy(uint32_t *state, bool v6, bool in_maps)
{
	struct rule *rules[LONG];
	size_t n = in_maps ? LONG : SHORT;
	struct spd *spd;

	for (uint32_t i = 0; i < n; i++) {
		rules[i] = own_rule(state, i, v6);
		if (i >= SHORT) {
			struct address other = random_address(
				state, v6 ? AF_INET6 : AF_INET, RANDOM_REMOTE);

			rules[i]->selector.remote = prefix_host(&other);
		}
	}
	ck_assert_int_eq(spd_new(rules, n, SPD_FIRST_MATCH, &spd), 0);
	return spd;
}

static struct flow other_end(const struct flow *sent)
{
	struct flow flow = *sent;

	flow.direction = DIRECTION_IN;
	flow.local = sent->remote;
	flow.remote = sent->local;
	flow.local_port = sent->remote_port;
	flow.remote_port = sent->local_port;
	return flow;
}

/* What the two ends say of it, kernel semantics of the original with what is pass taken for clear. */
static bool arrives(const struct spd *spd, const struct flow *sent)
{
	struct flow came = other_end(sent);
	const struct rule *out = spd_match(spd, "", sent), *in = spd_match(spd, "", &came);

	if (out && rule_is_discard(out))
		return false;
	if (!out || rule_is_bypass(out))
		return !in || rule_has_bypass(in);
	for (size_t i = 0; in && i < in->n_actions; i++)
		if (in->actions[i].kind == ACTION_PROTECT &&
			action_equal(&in->actions[i], &out->actions[0]))
			return true;
	return false;
}

static void send_own(const struct flow *flow, uint32_t number)
{
	bool v6 = flow->local.family == AF_INET6;
	size_t head = v6 ? 40 : 20, len = address_len(flow->local.family);
	uint8_t ip[40 + UDP_LEN] = { [0] = v6 ? 0x60 : 0x45 }, *udp = ip + head;
	struct sockaddr_storage ss;
	socklen_t ss_len = address_to_sockaddr(&flow->remote, 0, &ss);

	store_be16(ip + (v6 ? 4 : 2), (uint16_t)(v6 ? UDP_LEN : head + UDP_LEN));
	ip[v6 ? 7 : 8] = 64;
	ip[v6 ? 6 : 9] = IPPROTO_UDP;
	memcpy(ip + head - 2 * len, flow->local.bytes, len);
	memcpy(ip + head - len, flow->remote.bytes, len);
	store_be16(udp, flow->local_port);
	store_be16(udp + 2, flow->remote_port);
	store_be16(udp + 4, UDP_LEN);
	store_be32(udp + 8, number);
	if (sendto(own.out[v6], ip, head + UDP_LEN, 0, (struct sockaddr *)&ss, ss_len) < 0)
		ck_assert_int_eq(errno, EPERM);
}

/* Numbers of what has come; true when the last one is among them. */
static bool collect(bool v6, bool *came)
{
	uint8_t bytes[128];
	bool last = false;
	ssize_t len;

	while ((len = recv(own.in[v6], bytes, sizeof(bytes), 0)) >= 0) {
		uint32_t number = len >= UDP_LEN ? load_be32(bytes + len - 4) : PACKETS;

		last |= number == SENTINEL;
		if (number < PACKETS)
			came[number] = true;
	}
	return last;
}

/* Without policy one arrives, and those before it have. */
static void await_all(const struct flow *some, bool *came)
{
	bool v6 = some->local.family == AF_INET6;
	struct pollfd pfd = { .fd = own.in[v6], .events = POLLIN };

	ck_assert_int_eq(steer_load(lab.steer, NULL, NULL), 0);
	send_own(some, SENTINEL);
	while (!collect(v6, came))
		ck_assert_int_eq(poll(&pfd, 1, WAIT_MSEC), 1);
}

START_TEST(both_ends_decide)
{
	bool v6 = _i & 1, in_maps = _i & 2;
	uint32_t state = SEED + (uint32_t)_i;
	size_t arrived = 0;

	for (size_t p = 0; p < POLICIES; p++) {
		CLEANUP(spd_freep) struct spd *spd = own_policy(&state, v6, in_maps);
		CLEANUP(freep) struct flow *flows = calloc(PACKETS, sizeof(*flows));
		bool came[PACKETS] = { false };

		ck_assert_int_eq(steer_load(lab.steer, spd, NULL), 0);
		for (uint32_t i = 0; i < PACKETS; i++) {
			flows[i] = (struct flow){ .direction = DIRECTION_OUT,
				.local = own.addrs[v6][random_below(&state, OWN)],
				.remote = own.addrs[v6][random_below(&state, OWN)],
				.protocol = IPPROTO_UDP,
				.has_ports = true,
				.local_port = (uint16_t)(1 + random_below(&state, 5)),
				.remote_port = (uint16_t)(1 + random_below(&state, 5)) };
			send_own(&flows[i], i);
			(void)collect(v6, came);
		}
		await_all(&flows[0], came);
		for (uint32_t i = 0; i < PACKETS; i++) {
			ck_assert_msg(came[i] == arrives(spd, &flows[i]),
				"policy %zu, packet %u came: %d", p, i, came[i]);
			arrived += came[i];
		}
		ck_assert_int_eq(next_packet(&lab.ipsec, 0), 0);
	}
	ck_assert_uint_gt(arrived, POLICIES * PACKETS / 20);
	ck_assert_uint_lt(arrived, POLICIES * PACKETS * 19 / 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steer_own");
	TCase *tc = tcase_create("kernel");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup_own, teardown);
	tcase_add_loop_test(tc, both_ends_decide, 0, 4);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
