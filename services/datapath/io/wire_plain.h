/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain IP in IP: only what goes between the ends of our tunnels is taken off the network. */
#ifndef DATAPATH_WIRE_PLAIN_H
#define DATAPATH_WIRE_PLAIN_H

#include "services/datapath/io/wire.h"

struct wire_ends {
	const struct address *local, *remote; /* of one family; borrowed */
};

/* From now on; the kernel's own tunnels and others' go on untouched. */
int wire_admit_plain(const struct wire *wire, const struct wire_ends *ends, size_t n) MUST_CHECK;

#endif
