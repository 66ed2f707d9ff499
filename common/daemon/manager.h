/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the service manager means to do: stop a service for good, or only for now; bring another, or not. */
#ifndef DAEMON_MANAGER_H
#define DAEMON_MANAGER_H

#include <stdbool.h>

#include "common/bus/bus.h"

/*
 * Is a stop job under way for @unit, while the manager itself goes on? Asks it over the bus, at most
 * 2 s; where there is no manager, the file that NETIPSEC_STOP_FILE names stands for the job. In
 * doubt: false, since what is not withdrawn stays protected.
 */
bool manager_stops_unit(struct bus *bus, const char *unit);

/*
 * Is @unit down with no job that would change it? Asks the manager over the bus, at most 2 s. In doubt,
 * as where there is no manager: false.
 */
bool manager_leaves_unit(struct bus *bus, const char *unit);

/* The status line of a unit that is no daemon: the first line, since the protocol has no room for more. */
void manager_tell(const char *message);

#endif
