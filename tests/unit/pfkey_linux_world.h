/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients of the Linux numbering beside those of the other, and what is enforced for them, as text. */
#ifndef UNIT_PFKEY_LINUX_WORLD_H
#define UNIT_PFKEY_LINUX_WORLD_H

#include <errno.h>
#include <netinet/in.h>

#include "common/base/text.h"
#include "common/pfkey/linux.h"
#include "tests/unit/pfkey_lab.h"

#define LINUX_CLIENTS 2
#define TUNNEL	      "tun9"
#define TEXT_MAX      2048

/* Stands in for the daemon: what it would enforce, as text. */
struct world {
	struct lab *lab;
	char path[96];
	int fds[LINUX_CLIENTS];
	int refuse; /* negative errno: nothing is enforced */
	size_t calls, n;
	char rules[8][TEXT_MAX];
	uint32_t lines[8];
	uint32_t reqids[8];
	uint64_t packets, bytes; /* that any policy has seen */
};

static inline int enforce(struct rule *const *rules, size_t n, void *userdata)
{
	struct world *w = userdata;

	w->calls++;
	if (w->refuse)
		return w->refuse;
	w->n = n;
	ck_assert_uint_le(n, ARRAY_SIZE(w->rules));
	for (size_t i = 0; i < n; i++) {
		CLEANUP(text_done) struct text text = { 0 };

		rule_print(rules[i], NULL, (uint8_t)rules[i]->directions, &text);
		ck_assert_int_eq(text_fixed(w->rules[i], TEXT_MAX, "%s", text.str), 0);
		w->lines[i] = rules[i]->line;
		w->reqids[i] = rules[i]->actions[0].reqid;
	}
	return 0;
}

static inline bool find_tunnel(const struct address *src, const struct address *dst,
	char ret_name[static RULE_TUNNEL_MAX], void *userdata)
{
	struct address ours = fixture_addr("192.0.2.1"), theirs = fixture_addr("203.0.113.9");

	(void)userdata;
	if (!address_equal(src, &ours) || !address_equal(dst, &theirs))
		return false;
	return text_fixed(ret_name, RULE_TUNNEL_MAX, TUNNEL) == 0;
}

static inline void measure(uint32_t id, uint64_t *ret_packets, uint64_t *ret_bytes, void *userdata)
{
	const struct world *w = userdata;

	ck_assert_uint_ne(id, 0);
	*ret_packets = w->packets;
	*ret_bytes = w->bytes;
}

static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct pfkey_door_policy ops = {
		.enforce = enforce, .find_tunnel = find_tunnel, .measure = measure, .userdata = w
	};

	ck_assert_ptr_nonnull(w);
	w->lab = lab_new();
	ck_assert_int_eq(text_fixed(w->path, sizeof(w->path), "%s/pfkey-linux", w->lab->f->dir), 0);
	ck_assert_int_eq(pfkey_door_listen_linux(w->lab->door, w->path, &ops), 0);
	for (int i = 0; i < LINUX_CLIENTS; i++)
		w->fds[i] = connect_to(w->path);
	turn(w->lab);
	ck_assert_uint_eq(pfkey_door_peers(w->lab->door), CLIENTS + LINUX_CLIENTS);
	return w;
}

static inline void world_done(struct world *w)
{
	for (int i = 0; i < LINUX_CLIENTS; i++)
		if (w->fds[i] >= 0)
			(void)close(w->fds[i]);
	lab_done(w->lab);
	ck_assert_int_ne(access(w->path, F_OK), 0);
	free(w);
}

static inline void tell(struct world *w, int who, const struct pfkey_message *msg)
{
	uint8_t bytes[PFKEY_MAX_BYTES];
	size_t len;

	ck_assert_int_eq(pfkey_linux_encode(msg, PFKEY_REQUEST, bytes, sizeof(bytes), &len), 0);
	ck_assert_int_eq(send(w->fds[who], bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	turn(w->lab);
}

/* The next that this client hears, of this type and with this result. */
static inline struct pfkey_message *told(struct world *w, int who, uint8_t type, int error)
{
	uint8_t bytes[PFKEY_MAX_BYTES];
	struct pfkey_message *msg = NULL;
	struct pfkey_fault fault = { 0 };
	ssize_t n = recv(w->fds[who], bytes, sizeof(bytes), MSG_DONTWAIT);

	ck_assert_msg(n > 0, "client %d heard nothing", who);
	ck_assert_int_eq(pfkey_linux_decode(bytes, (size_t)n, PFKEY_ANSWER, &msg, &fault), 0);
	ck_assert_uint_eq(msg->type, type);
	ck_assert_msg(msg->error == error, "error %u", msg->error);
	return msg;
}

static inline void told_nothing(struct world *w, int who)
{
	uint8_t byte;

	ck_assert_int_lt(recv(w->fds[who], &byte, 1, MSG_DONTWAIT | MSG_PEEK), 0);
}

static inline struct prefix prefix_of(const char *text, unsigned int bits)
{
	struct address addr = fixture_addr(text);
	struct prefix prefix;

	ck_assert_int_eq(prefix_make(&addr, bits, &prefix), 0);
	return prefix;
}

/* ESP in transport mode between two hosts. */
static inline struct pfkey_message *policy_message(uint8_t type, uint8_t direction)
{
	struct pfkey_message *msg = pfkey_message_new();
	bool in = direction == PFKEY_LINUX_DIR_IN;

	ck_assert_ptr_nonnull(msg);
	msg->type = type;
	msg->seq = 7;
	msg->pid = 8;
	msg->present = PFKEY_LINUX_HAS_POLICY | PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) |
		       PFKEY_BIT(PFKEY_EXT_ADDRESS_DST);
	msg->policy = (struct pfkey_policy){
		.type = PFKEY_LINUX_POLICY_IPSEC,
		.direction = direction,
		.src = prefix_of(in ? "192.0.2.2" : "192.0.2.1", 32),
		.dst = prefix_of(in ? "192.0.2.1" : "192.0.2.2", 32),
		.n_requests = 1,
		.requests = { { .proto = IPPROTO_ESP,
			.mode = PFKEY_LINUX_MODE_TRANSPORT,
			.level = PFKEY_LINUX_LEVEL_REQUIRE } },
	};
	return msg;
}

/* Number of the policy, from the answer to who asked; 0: refused with @error. */
static inline uint32_t ask(struct world *w, int who, struct pfkey_message *msg, int error)
{
	struct pfkey_message *answer;
	uint32_t id;

	tell(w, who, msg);
	for (int i = 0; i < LINUX_CLIENTS; i++)
		if (i != who)
			pfkey_message_free(told(w, i, msg->type, error));
	answer = told(w, who, msg->type, error);
	ck_assert_uint_eq(answer->seq, 7);
	ck_assert_uint_eq(answer->pid, 8);
	id = answer->policy.id;
	pfkey_message_free(answer);
	pfkey_message_free(msg);
	for (int i = 0; i < CLIENTS; i++) /* the other numbering has no such messages */
		hear_nothing(w->lab, i);
	return id;
}

static inline uint32_t add(struct world *w, int who, uint8_t direction)
{
	return ask(w, who, policy_message(PFKEY_LINUX_SPDADD, direction), 0);
}

#endif
