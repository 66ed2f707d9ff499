/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the policy service stands on the bus. */
#ifndef POLICY_POLICYD_NAMES_H
#define POLICY_POLICYD_NAMES_H

#define POLICYD_BUS_NAME      "org.netipsec.Policy1"
#define POLICYD_BUS_PATH      "/org/netipsec/Policy1"
#define POLICYD_UNIT	      "ipsec-policy.service"
#define POLICY_FRAGMENT_LABEL "fragment " /* before its name, where a rule's source is told */

#endif
