/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that have no safe use here; included before everything else. The headers that
 * declare them are read first, so that only our own uses are refused.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fortified headers may have these as macros, which cannot be poisoned as they stand. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok atoi atol atoll
#pragma GCC poison strtol strtoll strtoul strtoull sscanf gets mktemp tmpnam system inet_addr

#endif
