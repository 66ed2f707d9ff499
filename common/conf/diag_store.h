/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How diagnostics are kept: shared by the collector and the renderers, by nobody else. */
#ifndef CONF_DIAG_STORE_H
#define CONF_DIAG_STORE_H

#include "common/conf/diag.h"

struct conf_file {
	char *label;
	char *source; /* NUL-terminated copy; empty for secret files */
	size_t len;
	bool secret;
};

struct conf_diags {
	struct conf_file **files;
	size_t n_files;
	struct conf_diag **entries; /* by place */
	size_t count, room;
	size_t errors; /* lost ones included */
	struct conf_diag *last; /* added last, for hints */
	bool failed;
};

/* By the pointer that conf_diags_file() returned; NULL for a foreign label. */
const struct conf_file *conf_diags_find_file(const struct conf_diags *diags, const char *label);

#endif
