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

#endif
