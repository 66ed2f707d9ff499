/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between sad.c, which owns the tables, and sad_find.c, which chooses an outbound SA. */
#ifndef DATAPATH_SAD_FIND_H
#define DATAPATH_SAD_FIND_H

#include "services/datapath/sad/sad.h"

/* First of the chain that holds the outbound SAs of a destination, among others. */
struct sad_entry *sad_outbound_first(const struct sad *sad, enum sa_proto proto,
	const struct address *dst, unsigned int *ret_links);
/* What makes a flow itself, as a number that is not 0. */
uint64_t sad_flow_hash(const struct sad *sad, const struct flow *flow);

#endif
