/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy compiled for the kernel, still abstract: per direction a list of lines that are tried in
 * order, each a conjunction of header matches and one verdict. Knows no netlink.
 */
#ifndef DATAPATH_STEER_PROGRAM_H
#define DATAPATH_STEER_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "common/model/address.h"
#include "common/spd/spd.h"

enum steer_verdict {
	STEER_ACCEPT, /* clear by policy, counted */
	STEER_DROP, /* refused by policy, counted */
	STEER_PROTECT, /* outbound: to the engine, which counts */
	STEER_GOT_CLEAR, /* inbound: came in clear, must not */
	STEER_PASS, /* audit rules: would let it through; not counted */
	STEER_AUDIT, /* audit rules: would protect or drop it; counted, and passes */
	/* On this machine, counted for no rule: */
	STEER_MISMATCH, /* sender's and receiver's actions differ */
	STEER_GOT_SECURE, /* the sender's rule protects, the receiver has none */
};

/* Of more actions than can be told apart; equal to none. */
#define STEER_ACTION_OTHER 255

/* In packet direction; what is absent matches anything. */
struct steer_line {
	uint64_t rule_id;
	enum steer_verdict verdict;
	uint8_t family; /* AF_UNSPEC: both */
	uint8_t protocol; /* 0: any */
	bool has_type, has_code;
	uint8_t type_low, type_high, code_low, code_high;
	uint16_t sport, dport;
	uint16_t sport_last, dport_last; /* 0: that port alone */
	struct prefix src, dst;
	uint8_t action; /* number of the first alternative, if that protects, within the program; 0 */
	uint32_t alternatives_at, n_alternatives; /* numbers of all that protect */
};

static inline uint16_t steer_port_last(uint16_t port, uint16_t last)
{
	return last ? last : port;
}

struct steer_lines {
	struct steer_line *lines; /* owned */
	size_t count, room;
	/*
	 * Of each line a number that says where it leads; owned. The first line then decides exactly.
	 * NULL: all that counts is whether lines let packets through.
	 */
	uint32_t *effects;
};

struct steer_plan;

/* Lines of one direction, and how they stand in the kernel. */
struct steer_side {
	struct steer_lines lines;
	struct steer_plan *plan; /* owned */
};

struct steer_program {
	struct steer_lines out, in;
	struct steer_plan *out_plan, *in_plan; /* owned: how they stand in the kernel */
	/* Of the audit rules, for packets that no line before them knows. */
	struct steer_side audit_out, audit_in;
	uint8_t *alternatives; /* owned */
	size_t n_alternatives;
	struct action *actions; /* owned: the one with number n stands at n - 1 */
	size_t n_actions;
	bool diverts; /* some outbound line is not STEER_ACCEPT: source routes must be looked at */
};

/* @line: copied. Return: 0 or -ENOMEM. */
int steer_lines_add(struct steer_lines *lines, const struct steer_line *line) MUST_CHECK;
/* Host rules of @spd; NULL: an empty program. Return: 0 or -ENOMEM. */
int steer_compile(const struct spd *spd, struct steer_program **ret_program) MUST_CHECK;
struct steer_program *steer_program_free(struct steer_program *program);
DEFINE_CLEANUP(struct steer_program *, steer_program_free)
/* One line each: "out ip saddr 192.0.2.1/32 tcp dport 80 -> protect 0123456789abcdef". */
void steer_program_print(const struct steer_program *program, struct text *text);

#define STEER_COUNTER_MAX	 24
#define STEER_COUNTER_MISMATCH	 "im0000000000000000"
#define STEER_COUNTER_GOT_SECURE "is0000000000000000"
#define STEER_COUNTER_UNREADABLE "ic0000000000000000" /* errors about no one knows what */
/* The kernel's name for what a line counts: "od0123456789abcdef" is outbound, dropped; "" for none. */
const char *steer_counter_name(
	const struct steer_line *line, bool outbound, char ret_name[static STEER_COUNTER_MAX]);
/* The reverse: false when it is no name of ours. */
bool steer_counter_parse(const char *name, bool *ret_outbound, enum steer_verdict *ret_verdict,
	uint64_t *ret_rule_id);

#endif
