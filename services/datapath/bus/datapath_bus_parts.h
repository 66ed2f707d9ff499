/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of org.netipsec.Datapath1: its methods by subject, and what they share. */
#ifndef DATAPATH_BUS_PARTS_H
#define DATAPATH_BUS_PARTS_H

#include "services/datapath/datapathd.h"

/* @result: of making @json; the listing goes out as a sealed memfd, a failure as an error. */
int datapath_reply_listing(
	struct bus_call *call, const char *name, int result, const struct text *json) MUST_CHECK;

/* tunables_bus.c */
int datapath_on_set_tunable(struct bus_call *call, struct bus_reader *args, void *userdata);
int datapath_on_list_tunables(struct bus_call *call, struct bus_reader *args, void *userdata);
/* tunnels_bus.c */
int datapath_on_add_tunnel(struct bus_call *call, struct bus_reader *args, void *userdata);
int datapath_on_remove_tunnel(struct bus_call *call, struct bus_reader *args, void *userdata);
int datapath_on_list_tunnels(struct bus_call *call, struct bus_reader *args, void *userdata);
/* drops_bus.c */
int datapath_on_list_drops(struct bus_call *call, struct bus_reader *args, void *userdata);

/* datapath_properties.c */
int datapath_get_generation(struct bus_writer *value, void *userdata);
int datapath_get_state(struct bus_writer *value, void *userdata);
int datapath_get_last_error(struct bus_writer *value, void *userdata);
int datapath_get_config_file(struct bus_writer *value, void *userdata);
int datapath_get_backend(struct bus_writer *value, void *userdata);
int datapath_get_usable_algorithms(struct bus_writer *value, void *userdata);
int datapath_get_algorithm_libraries(struct bus_writer *value, void *userdata);
int datapath_get_rule_count(struct bus_writer *value, void *userdata);
int datapath_get_sa_count(struct bus_writer *value, void *userdata);

#endif
