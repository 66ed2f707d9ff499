/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules into the kernel: how long it takes to compile and to load them, and what a packet that
 * passes them costs. Argument: how many rules.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/spd/spd.h"
#include "services/datapath/io/tun.h"
#include "services/datapath/steer/rtnl.h"
#include "services/datapath/steer/steer.h"
#include "services/datapath/steer/steer_own.h"
#include "services/datapath/steer/steer_plan.h"

#define PACKETS	   200000
#define ROUTE_HERE "192.0.2.1"

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

/* Nested prefixes /8 to /32, a third of them with a port, some with any address, 30 % IPv6. */
static struct rule *random_rule(uint32_t *state, uint32_t order)
{
	struct rule *rule = rule_new(1);
	struct address addr = address_any(next_random(state) % 10 < 3 ? AF_INET6 : AF_INET);
	size_t len = address_len(addr.family);
	unsigned int bits = addr.family == AF_INET ? 8 + next_random(state) % 25
						   : 32 + next_random(state) % 97;

	if (!rule)
		return NULL;
	for (size_t i = 0; i < len; i++)
		addr.bytes[i] = (uint8_t)next_random(state);
	addr.bytes[0] = addr.family == AF_INET ? 10 : 0x20;
	rule->order = order;
	rule->directions = DIRECTION_BIT_BOTH;
	rule->selector.family = addr.family;
	if (next_random(state) % 20 == 0)
		rule->selector.protocol = IPPROTO_TCP;
	else if (prefix_make(&addr, bits, &rule->selector.remote) < 0)
		return rule_free(rule);
	if (next_random(state) % 3 == 0 || rule->selector.protocol) {
		rule->selector.protocol = IPPROTO_TCP;
		rule->selector.remote_port = (uint16_t)(1 + next_random(state) % 60000);
	}
	rule->actions[0].kind = next_random(state) % 10 == 0   ? ACTION_BYPASS
				: next_random(state) % 20 == 0 ? ACTION_DISCARD
							       : ACTION_PROTECT;
	rule->actions[0].has_esp = rule->actions[0].kind == ACTION_PROTECT;
	rule->actions[0].esp.number = ALG_ENCR_AES_CBC;
	return rule;
}

static struct spd *make_spd(size_t n)
{
	CLEANUP(freep) struct rule **rules = calloc(n, sizeof(*rules));
	struct spd *spd = NULL;
	uint32_t state = 1;

	for (size_t i = 0; rules && i < n; i++) {
		rules[i] = random_rule(&state, (uint32_t)i);
		if (!rules[i])
			return NULL;
	}
	return rules && spd_new(rules, n, SPD_FIRST_MATCH, &spd) == 0 ? spd : NULL;
}

static double packet_nsec(void)
{
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = 9 };
	double begun;

	to.sin_addr.s_addr = 0xfe0200c0; /* 192.0.2.254: no rule knows it, all layers are asked */
	begun = now();
	for (size_t i = 0; i < PACKETS; i++)
		if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			return -1;
	return (now() - begun) / PACKETS * 1e9;
}

/* A network that swallows what it gets. */
static int prepare(struct tun *wire)
{
	CLEANUP(netlink_close) struct netlink route = { .fd = -1 };
	struct address here;
	int r = netlink_open(NETLINK_ROUTE, 0, &route);

	if (r == 0)
		r = tun_open("wire0", 1, false, wire);
	if (r == 0)
		r = rtnl_link_setup(&route, wire->ifindex, 1500);
	if (r == 0)
		r = address_parse(ROUTE_HERE, &here);
	return r == 0 ? rtnl_address_add(&route, wire->ifindex, &here, 24) : r;
}

/* Lines about this machine's own addresses, and how many of them stand in a list. */
static int show_own(const struct steer_program *program)
{
	CLEANUP(steer_own_freep) struct steer_own *own = NULL;
	double begun = now();
	int r = steer_own_new(program, NULL, 0, &own);

	if (r == 0)
		printf("of the own addresses: found in %.3f s, %zu + %zu lines, %zu + %zu in "
		       "lists\n",
			now() - begun, own->out.lines.count, own->in.lines.count,
			own->out.lines.count - own->out.plan->list_from,
			own->in.lines.count - own->in.plan->list_from);
	return r;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? (size_t)strtod(argv[1], NULL) : 100000;
	struct steer_options options = { .interface = "ipsec0",
		.route_table = 0x4950,
		.rule_priority = 100,
		.n_uids = 1,
		.two_tables = false,
		.owner_fd = -1 };
	CLEANUP(spd_freep) struct spd *spd = make_spd(n);
	CLEANUP(steer_freep) struct steer *steer = NULL;
	CLEANUP(steer_program_freep) struct steer_program *program = NULL;
	struct tun wire;
	double begun;
	int r;

	if (!spd || unshare(CLONE_NEWNET) < 0 || prepare(&wire) < 0)
		return EXIT_FAILURE;
	begun = now();
	if (steer_compile(spd, &program) < 0)
		return EXIT_FAILURE;
	printf("%zu rules: compiled in %.3f s, %zu + %zu layers, %zu + %zu elements\n", n,
		now() - begun, program->out_plan->n_layers, program->in_plan->n_layers,
		program->out_plan->n_lines, program->in_plan->n_lines);
	if (show_own(program) < 0 || steer_new(&options, &steer) < 0)
		return EXIT_FAILURE;
	begun = now();
	r = steer_load(steer, spd, NULL);
	if (r < 0)
		return EXIT_FAILURE;
	printf("loaded in %.3f s\n", now() - begun);
	begun = now();
	r = steer_load(steer, spd, NULL);
	if (r < 0)
		return EXIT_FAILURE;
	printf("in place of themselves in %.3f s\n", now() - begun);
	printf("a datagram sent: %.0f ns\n", packet_nsec());
	return EXIT_SUCCESS;
}
