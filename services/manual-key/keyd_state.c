/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the service is doing, for the manager's status line and the readers of its properties. */
#include <inttypes.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/manual-key/keyd.h"

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
	uint64_t generation = publisher_generation(d->publisher);
	const char *line;

	if (d->last_error) {
		line = first_error(d->last_error);
		daemon_status(d->daemon, "%.*s", (int)strcspn(line, "\n"), line);
	} else if (publisher_state(d->publisher) == PUBLISH_ABSENT) {
		daemon_status(d->daemon, "not enforced: datapath absent");
	} else if (d->absent) {
		daemon_status(d->daemon, "no key file %s (generation %" PRIu64 ")",
			d->settings.config_file, generation);
	} else {
		daemon_status(d->daemon, "%s: %" PRIu32 " SAs (generation %" PRIu64 ")", d->state,
			d->count, generation);
	}
	if (bus_properties_changed(daemon_bus(d->daemon), keyd_identity.bus_path,
		    keyd_identity.bus_name, changed) < 0)
		log_warning("cannot announce changed properties");
}

void keyd_failed(struct keyd *d, const char *message)
{
	free(d->last_error);
	d->last_error = strdup(message); /* NULL without memory: the log has it */
	d->state = "failed";
	keyd_show(d);
}
