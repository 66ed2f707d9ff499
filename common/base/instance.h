/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instances: the services of a network namespace beside those of the host. NETIPSEC_INSTANCE names
 * the one that a process belongs to; files, sockets, units and bus names follow from it.
 */
#ifndef BASE_INSTANCE_H
#define BASE_INSTANCE_H

#include "common/base/cleanup.h"
#include "common/base/text.h"

#define INSTANCE_NAME_MAX 32 /* with its NUL */

/* *ret_name: borrowed from the environment, NULL for the host's. Return: 0, or -EINVAL for no name. */
int instance_name(const char **ret_name) MUST_CHECK;
/* Where a file of the host stands in the instance; foreign files stay where they are. 0 or -EINVAL. */
int instance_add_path(struct text *text, const char *path) MUST_CHECK;
/* The same as a string, owned; NULL: no memory, or -EINVAL. */
char *instance_path(const char *path);
/* "ipsec-policy.service" is "ipsec-policy@NAME.service". 0 or -EINVAL. */
int instance_add_unit(struct text *text, const char *unit) MUST_CHECK;

#endif
