/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What may stand in a path, in a unit's name and in a bus name. */
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

int instance_name(const char **ret_name)
{
	const char *name = secure_getenv("NETIPSEC_INSTANCE");
	size_t len = name ? strspn(name, LETTERS) : 0;

	if (name && (len == 0 || len >= INSTANCE_NAME_MAX || name[len] != '\0'))
		return -EINVAL;
	*ret_name = name;
	return 0;
}

#define OF_INSTANCES "/ns/" /* who names such a place means it */

/*
 * The runtime directory of the host goes when its datapath stops, and all in it: that of an instance
 * stands beside it.
 */
static const struct {
	const char *host, *before;
} places[] = {
	{ "/etc/inet", "/etc/netipsec/ns/" },
	{ "/etc/netipsec", "/etc/netipsec/ns/" },
	{ "/var/lib/netipsec", "/var/lib/netipsec/ns/" },
	{ "/run/netipsec", "/run/netipsec@" },
};

int instance_add_path(struct text *text, const char *path)
{
	const char *name;
	int r = instance_name(&name);

	if (r < 0)
		return r;
	for (size_t i = 0; name && i < ARRAY_SIZE(places); i++) {
		size_t len = strlen(places[i].host);

		if (strncmp(path, places[i].host, len) != 0 ||
			(path[len] != '/' && path[len] != '\0') ||
			strncmp(path + len, OF_INSTANCES, strlen(OF_INSTANCES)) == 0)
			continue;
		text_addf(text, "%s%s%s", places[i].before, name, path + len);
		return 0;
	}
	text_add(text, path);
	return 0;
}

char *instance_path(const char *path)
{
	CLEANUP(text_done) struct text text = { 0 };
	char *copy = NULL;

	return instance_add_path(&text, path) == 0 && text_take(&text, &copy) == 0 ? copy : NULL;
}

int instance_add_unit(struct text *text, const char *unit)
{
	const char *name, *dot = strrchr(unit, '.');
	int r = instance_name(&name);

	if (r < 0)
		return r;
	if (name && dot)
		text_addf(text, "%.*s@%s%s", (int)(dot - unit), unit, name, dot);
	else
		text_add(text, unit);
	return 0;
}
