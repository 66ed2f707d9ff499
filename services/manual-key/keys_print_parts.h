/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of keys_print.h: the blocks of a message that do not describe an SA. */
#ifndef MANUAL_KEY_KEYS_PRINT_PARTS_H
#define MANUAL_KEY_KEYS_PRINT_PARTS_H

#include "services/manual-key/keys_print.h"

/* Labels, proposals, algorithms, SPI range. */
void keys_print_other(const struct pfkey_message *msg, const struct keys_wire *wire,
	const struct keys_print_style *style, struct text *text);
/* Extensions that no other line tells of. */
void keys_print_unknown(
	const struct keys_wire *wire, const struct keys_print_style *style, struct text *text);

#endif
