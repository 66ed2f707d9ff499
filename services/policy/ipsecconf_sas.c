/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SAs that the datapath has, for warnings of ipsecconf -c. Who does not tell is not waited for. */
#include <errno.h>

#include "common/base/clock.h"
#include "services/policy/ipsecconf_policy.h"
#include "services/policy/policy_sas.h"

#define ASK_USEC (2 * USEC_PER_SEC)

static int ask(struct bus *bus, const struct alg_table *algs, struct policy_listed **ret_sas)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	int r = bus_method_call(bus_method_writer(bus, conf_datapath.name, conf_datapath.path,
					conf_datapath.interface, "DumpSas"),
		ASK_USEC, &reply, NULL);

	if (r == 0)
		r = conf_reply_text(reply, &text, &len);
	return r < 0 ? r : policy_listed_read(text, algs, ret_sas);
}

int conf_sas(const struct conf_request *request, const struct alg_table *algs,
	struct policy_listed **ret_sas)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	char owner[256];
	int r = bus_open(NULL, request->bus, NULL, NULL, &bus, NULL);

	/* Asked first: a call may start a service, a question about its name does not. */
	if (r == 0)
		r = bus_name_owner(bus, conf_datapath.name, owner, sizeof(owner));
	if (r == 0)
		r = ask(bus, algs, ret_sas);
	if (r < 0)
		return r;
	if (bus_name_owner(bus, POLICY_NEGOTIATOR, owner, sizeof(owner)) == 0)
		(*ret_sas)->negotiates = true;
	return 0;
}
