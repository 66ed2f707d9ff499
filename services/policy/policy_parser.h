/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the policy parser share: the entry as written, before it is settled. */
#ifndef POLICY_PARSER_H
#define POLICY_PARSER_H

#include "common/conf/token.h"
#include "common/conf/value.h"
#include "services/policy/policy_file.h"

#define POLICY_MAX_GROUP_WORDS	20
#define POLICY_MAX_ENTRY_WORDS	115
#define POLICY_MAX_ENTRY_BYTES	8190
#define POLICY_MAX_ALTERNATIVES 20
#define POLICY_NAME_MAX		256 /* of a host, with its NUL */

enum pattern_style { STYLE_NONE, STYLE_OLD, STYLE_NEW };

/* What may be said once in a pattern; the order of slot_names in policy_pattern.c. */
enum pattern_slot {
	SLOT_SRC_ADDR,
	SLOT_DST_ADDR,
	SLOT_SRC_PORT,
	SLOT_DST_PORT,
	SLOT_SRC_MASK,
	SLOT_DST_MASK,
	SLOT_PROTOCOL,
	SLOT_ICMP_TYPE,
	SLOT_ICMP_CODE,
	SLOT_DIRECTION,
	SLOT_TUNNEL,
	SLOT_NEGOTIATE,
	SLOT_COUNT
};

enum { END_SRC, END_DST }; /* source and destination, or local and remote, as written */

/* An address as written: what it resolved to, and how much of it counts. */
struct pattern_host {
	size_t n_addrs; /* 0: not given, or wrong */
	struct address addrs[RESOLVE_MAX_ADDRESSES];
	uint8_t bits[RESOLVE_MAX_ADDRESSES]; /* prefix lengths */
	bool bare_network; /* a name of the networks database, without a prefix length */
	bool has_prefix;
	uint8_t mask_bits; /* 0: no mask */
};

/* {pattern}: places by slot, line 0 where a slot was not given. */
struct pattern {
	enum pattern_style style;
	bool doubtful; /* a word was not understood: nothing is said of what seems to be missing */
	struct conf_loc word_at[SLOT_COUNT];
	struct conf_loc value_at[SLOT_COUNT];
	struct pattern_host hosts[2];
	uint16_t ports[2], last_ports[2]; /* last: 0 if it is no range */
	uint8_t protocol;
	uint8_t icmp_type_low, icmp_type_high;
	uint8_t icmp_code_low, icmp_code_high;
	uint8_t directions; /* DIRECTION_BIT_*, 0: not given */
	char tunnel[RULE_TUNNEL_MAX];
	enum tunnel_mode negotiate;
};

enum action_word { WORD_APPLY, WORD_PERMIT, WORD_IPSEC, WORD_BYPASS, WORD_DROP };

enum property_slot { PROP_AH, PROP_ENCR, PROP_ESP_AUTH, PROP_SA, PROP_DIRECTION, PROP_COUNT };

/* An algorithm property. Bits as written; low 0 and high 0: left out. */
struct alg_choice {
	bool given; /* and not `none` */
	bool any;
	uint8_t number;
	bool has_low, has_high;
	uint16_t low, high;
};

/* action {properties} */
struct alternative {
	enum action_word word;
	struct conf_loc at; /* the action word */
	struct conf_loc or_at; /* the `or` before it */
	struct conf_loc word_at[PROP_COUNT]; /* line 0: not given */
	struct conf_loc value_at[PROP_COUNT];
	struct alg_choice algs[3]; /* PROP_AH, PROP_ENCR, PROP_ESP_AUTH */
	bool unique;
	bool doubtful; /* as that of the pattern */
	uint8_t directions;
};

/* What one algorithm property comes to: one algorithm, or all that `any` stands for. */
struct alg_candidates {
	size_t count;
	struct alg_need needs[ALG_MAX_ENTRIES];
};

#define POLICY_MEMO_SLOTS 16
#define POLICY_MEMO_NAME  32

/* A service or protocol that the databases were asked for: files are searched for each question. */
struct name_memo {
	char name[POLICY_MEMO_NAME]; /* "": free */
	uint16_t number;
};

struct policy_parser {
	const struct policy_input *in;
	struct name_memo services[POLICY_MEMO_SLOTS], protocols[POLICY_MEMO_SLOTS];
	struct conf_diags *diags;
	struct policy_file *file;
	uint16_t source; /* of the text, in @file */

	struct policy_lexer lexer;
	struct token ahead; /* pushed back */
	bool has_ahead;

	/* the entry at hand */
	struct conf_loc entry_at; /* its first brace */
	struct conf_loc group_at; /* the brace that opened the present group */
	size_t group_words, entry_words;
	bool broken; /* it contains an error */
	size_t errors_counted; /* of the diagnostics, those that belong to entries before */
	struct pattern pattern;
	size_t n_alternatives;
	struct alternative alternatives[POLICY_MAX_ALTERNATIVES];
	size_t n_actions;
	struct action actions[RULE_MAX_ACTIONS]; /* of one rule, expanded */
	struct alg_candidates candidates[3]; /* of one alternative, by property slot */
	bool has_cut; /* earlier entries have lost a direction, see policy_entry */
	struct policy_seen *seen; /* rules by selector, see policy_unique.c */
};

/* Report and remember that this entry is bad; -EBADMSG. */
#define entry_error(p, loc, code, ...) \
	((p)->broken = true, conf_error((p)->diags, (loc), (code), __VA_ARGS__))

/*
 * The same about the entry as a whole, which is named by its first line; the part that it is about
 * may stand on another, and is hinted at then.
 */
#define entry_whole_error(p, part, code, ...)                                   \
	((void)entry_error((p), entry_place((p), (part)), (code), __VA_ARGS__), \
		entry_hint_part((p), (part)))

/* Is what Solaris has not allowed here? False after a diagnostic that names @what. */
bool policy_extension(struct policy_parser *p, const struct token *value, enum pattern_slot slot,
	const char *what);

/* ---- policy_parse.c ---- */
struct token parser_next(struct policy_parser *p);
void parser_push_back(struct policy_parser *p, const struct token *tok);
/* @part if it stands on the first line of the entry, else its first brace. */
struct conf_loc entry_place(const struct policy_parser *p, struct conf_loc part);
void entry_hint_part(struct policy_parser *p, struct conf_loc part);
/* The next word of the present brace group, or its closing brace. -EBADMSG: the group is broken. */
int parser_group_next(struct policy_parser *p, struct token *ret_tok) MUST_CHECK;

/* ---- policy_pattern.c, policy_host.c, policy_icmp.c ---- */
/* A selector: its word was read, its value is next. -EBADMSG only when the group is broken. */
int pattern_selector(struct policy_parser *p, const struct token *word) MUST_CHECK;
const char *pattern_slot_name(enum pattern_slot slot);
bool pattern_takes_host(const struct token *word); /* is it a selector whose value is a host? */
void pattern_parse_host(struct policy_parser *p, const struct token *value, int end);
void pattern_parse_mask(struct policy_parser *p, const struct token *value, int end);
void pattern_check_hosts(struct policy_parser *p);
void pattern_parse_icmp_type(struct policy_parser *p, const struct token *value);
void pattern_parse_icmp_code(struct policy_parser *p, const struct token *value);

/* ---- policy_action.c, policy_algs.c ---- */
bool action_find(const struct token *tok, enum action_word *ret_word);
const char *action_nearest(const struct token *tok);
int action_property(
	struct policy_parser *p, struct alternative *alt, const struct token *word) MUST_CHECK;
const char *property_name(enum property_slot slot);
void action_parse_alg(struct policy_parser *p, struct alternative *alt, enum property_slot slot,
	const struct token *value);
/* Algorithms of one alternative as actions, appended to p->actions. */
void action_expand(struct policy_parser *p, const struct alternative *alt);

/* ---- policy_settle.c ---- */
/* Judge the entry as a whole. @ret_directions: of its rules. */
void entry_settle(struct policy_parser *p, uint8_t *ret_directions);

/* ---- policy_expand.c ---- */
/* The rules of a good entry, added to p->file. Return: 0 or -ENOMEM. */
int entry_expand(struct policy_parser *p, uint8_t directions, const char *text) MUST_CHECK;

/* ---- policy_expect.c ---- */
bool policy_is_expectation(const char *line, size_t len);
/* @file: NULL if the text has errors: then only the form is looked at. Return: 0 or -ENOMEM. */
int policy_check_expectations(const struct policy_input *in, const char *label,
	const struct policy_file *file, struct conf_diags *diags) MUST_CHECK;

/* ---- policy_unique.c ---- */
struct policy_seen *policy_seen_new(void);
struct policy_seen *policy_seen_free(struct policy_seen *seen);
DEFINE_CLEANUP(struct policy_seen *, policy_seen_free)
int policy_seen_add(struct policy_seen *seen, const struct rule *rule) MUST_CHECK; /* borrowed */
/* The earlier rule that makes this one a duplicate, NULL: none. */
const struct rule *policy_seen_find(const struct policy_seen *seen, const struct rule *rule);
/* An earlier rule of the same tunnel, NULL: none. */
const struct rule *policy_seen_tunnel(const struct policy_seen *seen, const char *tunnel);
/* Same head, a direction in common, and a packet that both may match. */
bool policy_rules_meet(const struct rule *a, const struct rule *b);
bool policy_same_actions(const struct rule *a, const struct rule *b);

/* ---- policy_order.c ---- */
/* Pairs of rules whose remote ends meet that are looked at; that more were not is noted. */
#define POLICY_ORDER_PAIRS_MAX 2000000U

/* Warn of rules that the other precedence would decide differently. Return: 0 or -ENOMEM. */
int policy_warn_order(const struct policy_file *file, size_t first, const char *label,
	struct conf_diags *diags) MUST_CHECK;

#endif
