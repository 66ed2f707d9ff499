/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/bus/wire.h"

/* The first row with an errno is the name under which it leaves us. */
static const struct {
	const char *name;
	int error;
} rows[] = {
	{ DBUS_ERROR_NO_MEMORY, ENOMEM },
	{ DBUS_ERROR_INVALID_ARGS, EINVAL },
	{ DBUS_ERROR_ACCESS_DENIED, EACCES },
	{ DBUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, EACCES },
	{ DBUS_ERROR_TIMEOUT, ETIMEDOUT },
	{ DBUS_ERROR_NO_REPLY, ETIMEDOUT },
	{ DBUS_ERROR_TIMED_OUT, ETIMEDOUT },
	{ DBUS_ERROR_SERVICE_UNKNOWN, ENOTCONN },
	{ DBUS_ERROR_NAME_HAS_NO_OWNER, ENOTCONN },
	{ DBUS_ERROR_DISCONNECTED, ECONNRESET },
	{ DBUS_ERROR_NO_SERVER, ECONNREFUSED },
	{ DBUS_ERROR_FILE_NOT_FOUND, ECONNREFUSED },
	{ DBUS_ERROR_UNKNOWN_METHOD, EOPNOTSUPP },
	{ DBUS_ERROR_UNKNOWN_OBJECT, EOPNOTSUPP },
	{ DBUS_ERROR_UNKNOWN_INTERFACE, EOPNOTSUPP },
	{ DBUS_ERROR_UNKNOWN_PROPERTY, EOPNOTSUPP },
	{ DBUS_ERROR_LIMITS_EXCEEDED, ENOBUFS },
	{ BUS_ERROR_PREFIX "Syntax", EBADMSG },
	{ BUS_ERROR_PREFIX "BadSnapshot", EBADMSG },
	{ BUS_ERROR_PREFIX "Stale", ESTALE },
	{ BUS_ERROR_PREFIX "NotOwner", EPERM },
	{ BUS_ERROR_PREFIX "NotAuthorized", EACCES },
	{ BUS_ERROR_PREFIX "NotFound", ENOENT },
	{ BUS_ERROR_PREFIX "Exists", EEXIST },
	{ BUS_ERROR_PREFIX "Invalid", EINVAL },
	{ BUS_ERROR_PREFIX "Unavailable", EAGAIN },
	{ BUS_ERROR_PREFIX "Io", EIO },
};

int bus_error_number(const struct bus_error *error)
{
	if (!error || !error->name)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].name, error->name) == 0)
			return -rows[i].error;
	return -EREMOTEIO;
}

const char *error_from_errno(int error)
{
	if (error == -EBADMSG) /* an argument that could not be read, not a file */
		return DBUS_ERROR_INVALID_ARGS;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].error == -error)
			return rows[i].name;
	return DBUS_ERROR_FAILED;
}

void bus_error_done(struct bus_error *error)
{
	free(error->name);
	free(error->message);
	*error = (struct bus_error){ 0 };
}

void error_set(struct bus_error *error, const char *name, const char *message)
{
	if (!error)
		return;
	bus_error_done(error);
	error->name = strdup(name ? name : DBUS_ERROR_FAILED);
	error->message = strdup(message ? message : "");
	if (!error->name || !error->message)
		bus_error_done(error);
}

bool bus_error_is(const struct bus_error *error, const char *short_name)
{
	size_t prefix = strlen(BUS_ERROR_PREFIX);

	return error && error->name && strncmp(error->name, BUS_ERROR_PREFIX, prefix) == 0 &&
	       strcmp(error->name + prefix, short_name) == 0;
}
