/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a drop tells an administrator: which ones are news, and what lies behind each reason. */
#ifndef DATAPATH_DROP_WORDS_H
#define DATAPATH_DROP_WORDS_H

#include "services/datapath/packet/counters.h"

/* It belongs to the normal course of things, such as a keep-alive: counted, nothing to tell. */
bool drop_is_routine(enum verdict verdict);
/* The packet named an SPI that we do not have. */
bool drop_is_unknown_spi(enum verdict verdict);
/* What is mostly behind it, in words: "peer sends clear"; "" for what is routine, or no drop. */
const char *drop_hint(enum verdict verdict);

#endif
