/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named pieces of policy that other programs bring: ranked as if they were appended to the file, in
 * the order in which they came. One that is not persistent goes with the bus name that brought it.
 */
#ifndef POLICY_POLICYD_FRAGMENTS_H
#define POLICY_POLICYD_FRAGMENTS_H

#include <stdbool.h>

#include "common/base/text.h"
#include "services/policy/policy_file.h"

#define FRAGMENT_NAME_MAX  64
#define FRAGMENTS_MAX	   256
#define FRAGMENT_MAX_BYTES (4U << 20)
#define FRAGMENTS_DIR	   "/var/lib/netipsec/policy/fragments"

struct policyd_fragment {
	char *name;
	char *owner; /* unique bus name, "" for one from the disk */
	char *source;
	size_t len;
	bool persistent; /* kept on disk, and when its owner leaves */
	bool enforce; /* false: audit rules */
	char *problem; /* why it is not in force; NULL: it is */
	struct policyd_fragment *next;
};

struct policyd_fragments {
	size_t count;
	struct policyd_fragment *first;
};

struct policyd_fragment *policyd_fragment_free(struct policyd_fragment *fragment);
DEFINE_CLEANUP(struct policyd_fragment *, policyd_fragment_free)
void policyd_fragments_done(struct policyd_fragments *fragments);

/* Letters, digits, '-', '_' and '.', which does not stand first: also a file's name. */
bool policyd_fragment_name_is_valid(const char *name);
struct policyd_fragment *policyd_fragments_find(
	const struct policyd_fragments *fragments, const char *name);
/* In the place of the one of the same name, or at the end; consumed. */
void policyd_fragments_put(struct policyd_fragments *fragments, struct policyd_fragment *fragment);
void policyd_fragments_take(struct policyd_fragments *fragments, const char *name);

/* ---- on disk ---- */
int policyd_state_directory(void) MUST_CHECK; /* is there after this; 0 or negative errno */
/* Written whole or not at all. Return: 0 or negative errno. */
int policyd_fragment_store(const struct policyd_fragment *fragment) MUST_CHECK;
/* The file of a name goes, if there is one. Return: 0 or negative errno. */
int policyd_fragment_forget(const char *name) MUST_CHECK;
/* What was stored, in order of names; what cannot be read is logged. Return: 0 or -ENOMEM. */
int policyd_fragments_load(struct policyd_fragments *fragments) MUST_CHECK;

/* {"version":1,"fragments":[...]}, see the interface. */
void policyd_fragments_print(const struct policyd_fragments *fragments, struct text *text);

#endif
