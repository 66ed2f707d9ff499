/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the service manager means by the signal that it sent: stop for good, or only for now. */
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

#endif
