/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The language of ipseckeys(5): commands with places, each a typed request about one SA. What a
 * command may not say is reported here, with all other mistakes of the text; whether an SA of that
 * name is there already only its list (keys_list.h) or the datapath knows.
 *
 * No message repeats a word of the text: any of them may be a key that stands in the wrong place.
 */
#ifndef MANUAL_KEY_KEYS_PARSE_H
#define MANUAL_KEY_KEYS_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/conf/diag.h"
#include "common/conf/resolve.h"
#include "common/model/algorithm.h"
#include "common/model/sa.h"
#include "services/manual-key/keys_times.h"

#define KEYS_SATYPE_ALL	    0 /* the others are PF_KEY's numbers: 2 ah, 3 esp */
#define KEYS_SATYPE_AH	    2
#define KEYS_SATYPE_ESP	    3
#define KEYS_FILE_MAX_BYTES (128U << 20)
#define KEYS_IDENTITY_MAX   256 /* with its NUL */

enum keys_verb {
	KEYS_ADD,
	KEYS_UPDATE,
	KEYS_UPDATE_PAIR,
	KEYS_DELETE,
	KEYS_DELETE_PAIR,
	KEYS_GET,
	KEYS_FLUSH,
	KEYS_DUMP,
	KEYS_QUIT,
	KEYS_MONITOR,
	KEYS_PASSIVE_MONITOR,
	KEYS_SAVE,
	KEYS_FINGERPRINT,
	KEYS_HELP,
	KEYS_OTHER, /* a word that is no command */
};

/* clang-format off */
/* What a command said, whatever the keyword was: KEYS_BIT() of it stands in `given`. */
enum keys_field {
	KEYS_SPI, KEYS_PAIR_SPI, KEYS_REPLAY, KEYS_REPLAY_VALUE, KEYS_STATE, KEYS_FLAGS,
	KEYS_AUTH_ALG, KEYS_ENCR_ALG,
	KEYS_SOFT_BYTES, KEYS_HARD_BYTES, KEYS_SOFT_ADD, KEYS_HARD_ADD, KEYS_SOFT_USE,
	KEYS_HARD_USE, KEYS_SOFT_ALLOC, KEYS_HARD_ALLOC, KEYS_IDLE_ADD, KEYS_IDLE_USE,
	KEYS_SRC, KEYS_DST, KEYS_INNER_SRC, KEYS_INNER_DST,
	KEYS_SRC_PORT, KEYS_DST_PORT, KEYS_INNER_SRC_PORT, KEYS_INNER_DST_PORT,
	KEYS_PROTO, KEYS_INNER_PROTO,
	KEYS_AUTH_KEY, KEYS_ENCR_KEY, KEYS_RESERVED_BITS,
	KEYS_SRC_ID, KEYS_DST_ID,
	KEYS_NAT_LOCAL, KEYS_NAT_REMOTE, KEYS_NAT_LOCAL_PORT, KEYS_NAT_REMOTE_PORT, KEYS_ENCAP,
	KEYS_INBOUND, KEYS_OUTBOUND, KEYS_TFC_PAD, KEYS_TFC_DUMMY,
	KEYS_SEND_FROM, KEYS_SEND_UNTIL, KEYS_RECEIVE_UNTIL,
	KEYS_REFUSED, /* recognised, and not for users or not on this system */
	KEYS_FIELDS
};
/* clang-format on */
#define KEYS_BIT(field) (UINT64_C(1) << (field))
#define KEYS_TIME_BITS \
	(KEYS_BIT(KEYS_SEND_FROM) | KEYS_BIT(KEYS_SEND_UNTIL) | KEYS_BIT(KEYS_RECEIVE_UNTIL))

struct keys_identity {
	uint16_t type; /* PF_KEY's numbers */
	char value[KEYS_IDENTITY_MAX];
};

/*
 * One command. The SA of `add` and `update` is complete and normalised but for its addresses: a
 * destination name may stand for several, which keys_command_sa() puts in.
 */
struct keys_command {
	enum keys_verb verb;
	bool failed; /* it had errors; only verb and place mean anything */
	struct conf_loc at; /* the command word; file borrowed from the diags */
	uint8_t satype;
	uint64_t given; /* KEYS_BIT() */
	struct sa *sa; /* owned; NULL for flush, dump, quit */
	size_t n_srcs, n_dsts;
	struct address *srcs, *dsts; /* owned */
	struct keys_identity *src_id, *dst_id; /* owned, NULL: none */
	struct keys_times times; /* of `add` and, in the service's file, of `update` */
	char *argument; /* file of `save`, subject of `help`; owned, NULL: none */
};

struct keys_file {
	size_t count, n_failed;
	struct keys_command *commands; /* up to `quit` */
	bool quits; /* it said so */
};

enum keys_place {
	KEYS_OF_SERVICE, /* the file of the manual-key service: SAs are declared, nothing is asked */
	KEYS_OF_FILE, /* ipseckey -f, -c */
	KEYS_OF_ARGUMENTS, /* the command line of ipseckey */
	KEYS_OF_SESSION, /* its interactive mode */
};

struct keys_input {
	const char *label; /* as the user wrote the file's name */
	const char *source;
	size_t len;
	const struct alg_table *algs;
	const struct resolver *resolver; /* NULL: addresses must be literal */
	enum keys_place place;
	uint64_t now_sec; /* since 1970; an SA whose time is over draws a warning; 0: none does */
};

/*
 * Every problem of the text goes to @diags; commands that had one are in the result, marked.
 * Return: 0 or -ENOMEM.
 */
int keys_parse(const struct keys_input *in, struct conf_diags *diags,
	struct keys_file **ret_file) MUST_CHECK;
struct keys_file *keys_file_free(struct keys_file *file);
DEFINE_CLEANUP(struct keys_file *, keys_file_free)

/*
 * The SA of a command for its i-th destination, with the source that fits it. @i: 0 for a command
 * without destination. Return: an owned copy, NULL: no memory.
 */
struct sa *keys_command_sa(const struct keys_command *command, size_t i);
size_t keys_command_sas(const struct keys_command *command); /* how many; 0 without an SA */

#endif
