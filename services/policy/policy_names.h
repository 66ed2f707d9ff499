/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Canonical rule text with names in the place of numbers, as far as names read back the same. */
#ifndef POLICY_NAMES_H
#define POLICY_NAMES_H

#include "common/base/text.h"
#include "common/conf/resolve.h"

/* Reverse look-ups, the counterpart of struct resolver; each returns false when there is no name. */
struct namer {
	bool (*host)(void *userdata, const struct address *addr, char *ret_name, size_t size);
	bool (*service)(void *userdata, uint16_t port, char *ret_name, size_t size);
	bool (*protocol)(void *userdata, uint8_t protocol, char *ret_name, size_t size);
	void *userdata;
};

extern const struct namer namer_system;

/* @rule: text as rule_print() wrote it. */
void policy_names_print(const char *rule, const struct namer *namer, struct text *text);
/*
 * The same text on lines that read back: what 'any' stands for can be longer than a line may be.
 * They are broken behind 'or'. @indent: what lines behind the first begin with.
 */
void policy_lines_print(const char *rule, const char *indent, struct text *text);

#endif
