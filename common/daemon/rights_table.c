/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "common/base/cleanup.h"
#include "common/daemon/rights.h"

#define POLICY	   "org.netipsec.Policy1"
#define KEYS	   "org.netipsec.ManualKey1"
#define ALGORITHMS "org.netipsec.Algorithms1"
#define IKE	   "org.netipsec.Ike1"
#define DATAPATH   "org.netipsec.Datapath1"

#define TO_POLICY     RIGHT_MANAGE, "org.netipsec.manage-policy"
#define TO_KEYS	      RIGHT_MANAGE, "org.netipsec.manage-keys"
#define TO_ALGORITHMS RIGHT_MANAGE, "org.netipsec.manage-algorithms"
#define TO_IKE	      RIGHT_MANAGE, "org.netipsec.manage-ike"
#define TO_DATAPATH   RIGHT_MANAGE, "org.netipsec.manage-datapath"
#define TO_FLOWS      RIGHT_VIEW, "org.netipsec.view-flows"
#define TO_ALL	      RIGHT_OPEN, NULL
#define TO_OWNER      RIGHT_PUBLISH, NULL

/* clang-format off */
static const struct right rows[] = {
	{ ALGORITHMS, "Change",           TO_ALGORITHMS },
	{ ALGORITHMS, "ListAlgorithms",   TO_ALL },
	{ ALGORITHMS, "Reload",           TO_ALGORITHMS },

	{ DATAPATH,   "AddTunnel",        TO_DATAPATH },
	{ DATAPATH,   "ChooseSas",        TO_ALL },
	{ DATAPATH,   "ChooseSasBy",      TO_ALL },
	{ DATAPATH,   "Confirm",          TO_OWNER },
	{ DATAPATH,   "DumpSas",          TO_ALL },
	{ DATAPATH,   "GetSection",       TO_ALL },
	{ DATAPATH,   "GetStatistics",    TO_ALL },
	{ DATAPATH,   "ListDrops",        TO_FLOWS },
	{ DATAPATH,   "ListRules",        TO_ALL },
	{ DATAPATH,   "ListTunables",     TO_ALL },
	{ DATAPATH,   "ListTunnels",      TO_ALL },
	{ DATAPATH,   "Publish",          TO_OWNER },
	{ DATAPATH,   "PublishKeys",      TO_OWNER },
	{ DATAPATH,   "Reload",           TO_DATAPATH },
	{ DATAPATH,   "RemoveTunnel",     TO_DATAPATH },
	{ DATAPATH,   "SetTunable",       TO_DATAPATH },
	{ DATAPATH,   "Withdraw",         TO_OWNER },

	{ IKE,        "ListAcquires",     TO_FLOWS },
	{ IKE,        "Reload",           TO_IKE },

	{ KEYS,       "Reload",           TO_KEYS },

	{ POLICY,     "AddFragment",      TO_POLICY },
	{ POLICY,     "AddressesChanged", TO_POLICY },
	{ POLICY,     "Apply",            TO_POLICY },
	{ POLICY,     "Confirm",          TO_POLICY },
	{ POLICY,     "Delete",           TO_POLICY },
	{ POLICY,     "Flush",            TO_POLICY },
	{ POLICY,     "GetSnapshot",      TO_ALL },
	{ POLICY,     "ListConfigured",   TO_ALL },
	{ POLICY,     "ListFragments",    TO_ALL },
	{ POLICY,     "Reload",           TO_POLICY },
	{ POLICY,     "ReloadWith",       TO_POLICY },
	{ POLICY,     "Remove",           TO_POLICY },
	{ POLICY,     "RemoveFragment",   TO_POLICY },
};
/* clang-format on */

const struct right *right_find(const char *interface, const char *member)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].interface, interface) == 0 &&
			strcmp(rows[i].member, member) == 0)
			return &rows[i];
	return NULL;
}

const struct right *right_at(size_t i)
{
	return i < ARRAY_SIZE(rows) ? &rows[i] : NULL;
}
