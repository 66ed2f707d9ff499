/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One tunnel as a group of libconfig has it: the file's, or one made of a call over the bus. */
#ifndef DATAPATH_SETTINGS_TUNNEL_H
#define DATAPATH_SETTINGS_TUNNEL_H

#include <stdbool.h>

#include "common/conf/diag.h"
#include "services/datapath/engine/engine.h"

#define TUNNEL_MTU_LEAST 576
#define TUNNEL_MTU_MOST	 65535

struct config_setting_t;

bool is_interface_name(const char *name);
/*
 * Add the tunnel that a group describes. @at: where it stands, for what has no place of its own.
 * Return: 0, or -EBADMSG with the reasons in @diags; the table is as before then.
 */
int settings_tunnel_take(struct config_setting_t *group, struct conf_loc at,
	struct conf_diags *diags, struct tunnel_table *tunnels) MUST_CHECK;
bool tunnel_equal(const struct tunnel *a, const struct tunnel *b);

#endif
