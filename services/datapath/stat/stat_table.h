/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables made of JSON listings: one row an entry, one function a column. */
#ifndef DATAPATH_STAT_TABLE_H
#define DATAPATH_STAT_TABLE_H

#include "services/datapath/stat/stat.h"

/* One column of a listing: its head, and where its text comes from. */
struct stat_column {
	const char *head;
	int flags; /* of libsmartcols */
	void (*cell)(struct json_object *entry, struct text *text);
};

/* Of an entry; "" and 0 when it has no such member. */
const char *stat_string(struct json_object *entry, const char *key);
uint64_t stat_number(struct json_object *entry, const char *key);
/* An empty list shows the heads alone. */
int stat_show_list(
	struct json_object *list, const struct stat_column *columns, size_t n) MUST_CHECK;

#endif
