/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the parser: the command under way, and the rows of the keyword table. */
#ifndef MANUAL_KEY_KEYS_PARSER_H
#define MANUAL_KEY_KEYS_PARSER_H

#include "common/conf/token.h"
#include "services/manual-key/keys_parse.h"

struct keys_parser {
	const struct keys_input *in;
	struct conf_diags *diags;
	struct secret_pool *pool; /* of the keys of this text */
	struct keys_lexer lexer;
	struct token tok; /* one look ahead */
	size_t errors_before; /* of the file, up to the command under way */
	/* The command under way. */
	struct keys_command *command;
	const char *verb; /* its word */
	struct conf_loc at[KEYS_FIELDS]; /* the keywords; line 0: not given */
	uint16_t key_bits; /* of encrkey as written, salt and IV included */
	bool puzzled; /* a word was not understood: what seems to be missing may be there */
	bool no_memory;
};

/* A row is a keyword: the parser, `help` and the manual page all walk this table. */
struct keys_keyword {
	const char *name;
	const char *help;
	enum keys_field field;
	uint8_t values; /* words behind it */
	bool lookup; /* get and delete take it too */
	int family; /* addresses: AF_UNSPEC for either */
	/* Numbers: where in struct sa, how wide, up to what. */
	size_t offset, size;
	uint64_t max;
	/* @value: the first word behind it; the keyword itself when there is none. */
	void (*parse)(struct keys_parser *p, const struct keys_keyword *kw,
		const struct token *value, const struct token *second);
};

struct keys_verb_row {
	const char *name;
	const char *help;
	enum keys_verb verb;
	bool takes_sa; /* extensions follow */
	bool in_service, in_file, in_arguments;
};

/* The whole tables, ended by a NULL name. */
const struct keys_verb_row *keys_verbs(void);
const struct keys_keyword *keys_keywords(void);
const struct keys_keyword *keys_keyword_find(const struct token *tok); /* NULL */
const struct keys_verb_row *keys_verb_find(const struct token *tok); /* NULL */
/* "did you mean" for a word that is none; says nothing when no keyword is near. */
void keys_hint_keyword(struct keys_parser *p, const struct token *tok);
void keys_hint_verb(struct keys_parser *p, const struct token *tok);

/* Report, and fail the command under way. */
void keys_error(struct keys_parser *p, struct conf_loc at, const char *code, const char *format,
	...) PRINTF_LIKE(4, 5);
bool keys_is_given(const struct keys_parser *p, enum keys_field field);

/* Readers of values, see keys_value.c and keys_key.c. */
typedef void keys_parse_fn(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second);
keys_parse_fn keys_parse_number, keys_parse_spi, keys_parse_state, keys_parse_flags;
keys_parse_fn keys_parse_algorithm, keys_parse_outer, keys_parse_inner, keys_parse_nat;
keys_parse_fn keys_parse_auth_key, keys_parse_encr_key, keys_parse_identity, keys_parse_encap;
keys_parse_fn keys_parse_direction, keys_parse_time, keys_parse_refused;

/* Rules between the extensions of the command under way, and what follows from them. */
void keys_check_command(struct keys_parser *p);
/* The cipher key as a whole, once the algorithm is known; splits salt and IV off. */
void keys_check_keys(struct keys_parser *p);

#endif
