/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the ipsecalgs command asks of the services; why something fails goes to standard error. */
#ifndef IPSECALGS_ALGS_SERVICE_H
#define IPSECALGS_ALGS_SERVICE_H

#include "common/base/cleanup.h"
#include "lib/netipsec/ipsecalgs.h"
#include "services/ipsecalgs/algs_status.h"
#include "services/ipsecalgs/request.h"

/* Have the file read and put in force. Return: 0 or negative errno. */
int algs_service_reload(void) MUST_CHECK;
/*
 * The table in force, the VALID flag being what the datapath can use. *ret_table stays NULL when
 * nothing is in force, which is no error.
 */
int algs_service_in_force(struct ipsecalgs **ret_table) MUST_CHECK;
/* Have the file changed. Return: 0 or negative errno. */
int algs_service_change(const struct request *request) MUST_CHECK;
/* What the datapath has and what is in force. */
int algs_service_status(struct algs_status **ret_status) MUST_CHECK;

#endif
