/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which names the local hosts file has: those that resolve when there is no network yet. */
#ifndef CONF_HOSTS_FILE_H
#define CONF_HOSTS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/cleanup.h"

#define HOSTS_FILE_PATH "/etc/hosts"

struct hosts_file;

/* @text: as hosts(5) describes it; copied. Return: 0 or -ENOMEM. */
int hosts_file_new(const char *text, size_t len, struct hosts_file **ret_hosts) MUST_CHECK;
struct hosts_file *hosts_file_free(struct hosts_file *hosts);
DEFINE_CLEANUP(struct hosts_file *, hosts_file_free)
bool hosts_file_has(const struct hosts_file *hosts, const char *name); /* without regard to case */

#endif
