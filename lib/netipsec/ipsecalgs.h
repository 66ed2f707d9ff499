/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The algorithm registry as a file: /etc/inet/ipsecalgs parsed with places, the table of algorithms
 * in memory exactly as the file says it, and the canonical text written from it.
 */
#ifndef NETIPSEC_IPSECALGS_H
#define NETIPSEC_IPSECALGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPSECALGS_PATH "/etc/inet/ipsecalgs"

#define IPSECALGS_PROTO_AH  2U /* authentication algorithms, of AH and of ESP */
#define IPSECALGS_PROTO_ESP 3U /* encryption algorithms */

#define IPSECALGS_FLAG_VALID	0x01U
#define IPSECALGS_FLAG_COUNTER	0x02U /* never reuse an IV with a key */
#define IPSECALGS_FLAG_COMBINED 0x04U /* encryption and integrity in one */
#define IPSECALGS_FLAG_CCM	0x08U
#define IPSECALGS_FLAG_GCM	0x10U

#define IPSECALGS_LINE_MAX   1023U /* characters in a line, without its newline */
#define IPSECALGS_MAX_ITEMS  4096U
#define IPSECALGS_NUMBER_MAX 255U /* of protocols and algorithms: eight bits in PF_KEY */
#define IPSECALGS_SIZE_MAX   65535U /* of key, block and parameter sizes */

enum ipsecalgs_mode { IPSECALGS_SYNC, IPSECALGS_ASYNC };

struct ipsecalgs_proto {
	unsigned int number;
	char *name;
	enum ipsecalgs_mode mode;
};

/* Positions in ipsecalgs_alg.params. */
enum ipsecalgs_param {
	IPSECALGS_PARAM_IV,
	IPSECALGS_PARAM_ICV,
	IPSECALGS_PARAM_SALT,
	IPSECALGS_PARAMS
};

struct ipsecalgs_alg {
	unsigned int proto;
	unsigned int number;
	size_t n_names;
	char **names; /* at least one; the first is primary */
	char *mechanism; /* NULL: none */
	/*
	 * Bits. With key_increment 0 an enumeration, the first being the default; otherwise always
	 * three: default, lowest, highest. A lone 0: takes no key.
	 */
	unsigned int key_increment;
	size_t n_key_sizes;
	unsigned int *key_sizes;
	/* Bytes: block lengths of a cipher, MAC lengths of an authentication algorithm. */
	size_t n_block_sizes;
	unsigned int *block_sizes;
	size_t n_params; /* 0: the file gives none */
	unsigned int params[IPSECALGS_PARAMS]; /* bytes: IV, ICV, salt */
	uint32_t flags;
};

/* A line that means something. Packages bracket entries and survive rewriting. */
enum ipsecalgs_kind {
	IPSECALGS_PROTO,
	IPSECALGS_ALG,
	IPSECALGS_PACKAGE_START,
	IPSECALGS_PACKAGE_END
};

struct ipsecalgs_item {
	enum ipsecalgs_kind kind;
	unsigned int line; /* where it stood, counted from 1; 0: not from a text */
	union {
		struct ipsecalgs_proto proto;
		struct ipsecalgs_alg alg;
		char *package;
	};
};

/* In file order. Owned as a whole; free with ipsecalgs_free(). */
struct ipsecalgs {
	size_t n_items;
	size_t room;
	struct ipsecalgs_item *items;
};

/* What is wrong with the text, and where (column and line count from 1, column in bytes). */
struct ipsecalgs_problem {
	bool fatal; /* the file is corrupt; otherwise a warning */
	unsigned int line;
	unsigned int column; /* 0: the line as a whole */
	unsigned int length;
	const char *code; /* static: "algs-number", ... */
	const char *text; /* one line, no full stop; borrowed for the call */
};
typedef void (*ipsecalgs_report_fn)(const struct ipsecalgs_problem *problem, void *userdata);

/**
 * ipsecalgs_parse() - the table of a text
 * @source: need not be NUL-terminated
 * @report: called for each problem of the whole text, in line order; may be NULL
 * @ret:    written on success only; owned by the caller
 *
 * Return: 0, -EBADMSG when a problem was fatal, -ENOMEM.
 */
int ipsecalgs_parse(const char *source, size_t len, ipsecalgs_report_fn report, void *userdata,
	struct ipsecalgs **ret) __attribute__((warn_unused_result));

/* An empty table; NULL: no memory. */
struct ipsecalgs *ipsecalgs_new(void);
struct ipsecalgs *ipsecalgs_free(struct ipsecalgs *table);
/* Append; what the item owns is consumed on success. Return: 0 or -ENOMEM. */
int ipsecalgs_append(struct ipsecalgs *table, const struct ipsecalgs_item *item)
	__attribute__((warn_unused_result));
/* Release what an item owns and make it all zero. */
void ipsecalgs_item_done(struct ipsecalgs_item *item);

/* Look-ups; NULL when there is none. Of two equal entries the first one counts. */
const struct ipsecalgs_proto *ipsecalgs_find_proto(
	const struct ipsecalgs *table, unsigned int number);
const struct ipsecalgs_alg *ipsecalgs_find_alg(
	const struct ipsecalgs *table, unsigned int proto, unsigned int number);
/* Any of its names, without case. */
const struct ipsecalgs_alg *ipsecalgs_find_name(
	const struct ipsecalgs *table, unsigned int proto, const char *name);
/* By name, without case. */
const struct ipsecalgs_proto *ipsecalgs_find_proto_name(
	const struct ipsecalgs *table, const char *name);
size_t ipsecalgs_count(const struct ipsecalgs *table, enum ipsecalgs_kind kind);

/* What came of a change; only the first two leave a table that is meant to be used. */
enum ipsecalgs_answer {
	IPSECALGS_CHANGED,
	IPSECALGS_SAME, /* it was so before: nothing changed */
	IPSECALGS_ALG_EXISTS, /* the number or one of the names is taken */
	IPSECALGS_PROTO_EXISTS,
	IPSECALGS_NO_PROTO,
	IPSECALGS_NO_ALG,
	IPSECALGS_NO_MEMORY
};
const char *ipsecalgs_answer_text(enum ipsecalgs_answer answer);

/*
 * Add an entry; all of it is compared, names without case. What it owns is moved out on
 * IPSECALGS_CHANGED, otherwise it stays the caller's. @force: whatever conflicts goes, instead of
 * IPSECALGS_ALG_EXISTS.
 */
enum ipsecalgs_answer ipsecalgs_add_alg(struct ipsecalgs *table, struct ipsecalgs_alg *alg,
	bool force) __attribute__((warn_unused_result));
/* @proto is copied. @force: protocols that conflict go together with their algorithms. */
enum ipsecalgs_answer ipsecalgs_add_proto(struct ipsecalgs *table,
	const struct ipsecalgs_proto *proto, bool force) __attribute__((warn_unused_result));
/* All entries of this number. */
enum ipsecalgs_answer ipsecalgs_remove_alg(struct ipsecalgs *table, unsigned int proto,
	unsigned int number) __attribute__((warn_unused_result));
/* With its algorithms. */
enum ipsecalgs_answer ipsecalgs_remove_proto(struct ipsecalgs *table, unsigned int number)
	__attribute__((warn_unused_result));
enum ipsecalgs_answer ipsecalgs_set_mode(struct ipsecalgs *table, unsigned int number,
	enum ipsecalgs_mode mode) __attribute__((warn_unused_result));

/**
 * ipsecalgs_print() - the canonical text of a table
 *
 * The fixed preamble, then one line an item. parse(print(x)) is x; comments are not kept.
 *
 * Return: 0 with *ret_text owned by the caller, or -ENOMEM.
 */
int ipsecalgs_print(const struct ipsecalgs *table, char **ret_text)
	__attribute__((warn_unused_result));

/* The table that stands when there is no file: its canonical text. Static. */
const char *ipsecalgs_default_text(void);

/* "sync", "async"; and the name of one flag bit, NULL for a bit without one. */
const char *ipsecalgs_mode_name(enum ipsecalgs_mode mode);
const char *ipsecalgs_flag_name(uint32_t flag);

#endif
