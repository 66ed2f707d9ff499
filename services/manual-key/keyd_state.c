/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the service is doing, for the manager's status line and the readers of its properties. */
#include <inttypes.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/manual-key/keyd.h"

const char *keyd_last_error(const struct keyd *d)
{
	if (d->load_error)
		return d->load_error;
	return d->publish_error ? d->publish_error : "";
}

const char *keyd_state(const struct keyd *d)
{
	if (d->load_error || d->publish_error)
		return "failed";
	if (!d->loaded)
		return "starting";
	switch (publisher_state(d->publisher)) {
	case PUBLISH_ABSENT:
		return "not-enforced";
	case PUBLISH_PENDING:
		return "published";
	case PUBLISH_ENFORCED:
		return d->absent ? "absent" : "enforced";
	case PUBLISH_REFUSED:
		break;
	}
	return "failed";
}

/* The line of the first error: warnings may stand before it. */
static const char *first_error(const char *message)
{
	const char *at = strstr(message, ": error: ");

	while (at && at > message && at[-1] != '\n')
		at--;
	return at ? at : message;
}

void keyd_show(struct keyd *d)
{
	static const char *const changed[] = { "Generation", "State", "LastError", "KeyCount",
		NULL };
	const char *error = first_error(keyd_last_error(d));
	uint64_t generation = publisher_generation(d->publisher);

	if (*error)
		daemon_status(d->daemon, "%.*s", (int)strcspn(error, "\n"), error);
	else if (publisher_state(d->publisher) == PUBLISH_ABSENT)
		daemon_status(d->daemon, "not enforced: datapath absent");
	else if (d->loaded && d->absent)
		daemon_status(d->daemon, "no key file %s (generation %" PRIu64 ")",
			d->settings.config_file, generation);
	else if (d->loaded)
		daemon_status(d->daemon, "%s: %" PRIu32 " SAs (generation %" PRIu64 ")",
			keyd_state(d), d->count, generation);
	if (bus_properties_changed(daemon_bus(d->daemon), keyd_identity.bus_path,
		    keyd_identity.bus_name, changed) < 0)
		log_warning("cannot announce changed properties");
}

void keyd_load_failed(struct keyd *d, const char *message)
{
	free(d->load_error);
	d->load_error = strdup(message); /* NULL without memory: the log has it */
	keyd_show(d);
}
