/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/daemon/log-ids.h"
#include "common/daemon/log.h"
#include "services/datapath/datapathd.h"

static void tell(struct datapathd *d, enum snapshot_section section)
{
	const char *name = snapshot_section_name(section);
	char field[48];
	const char *const fields[] = { field, NULL };

	if (text_fixed(field, sizeof(field), "IPSEC_SECTION=%s", name) == 0)
		log_event(LOG_WARNING, LOG_ID_ROLLED_BACK, fields,
			"%s: not confirmed in time, what was before is in force again", name);
	datapath_bus_section_changed(d, section);
}

static int on_trial(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(text_done) struct text why = { 0 };
	enum snapshot_section section;

	(void)source;
	(void)usec;
	while (sections_expire(&d->sections, clock_boot_usec(), &section, &why))
		tell(d, section);
	if (why.len)
		log_error("what was before cannot be brought back: %s", why.str);
	datapathd_watch_trials(d);
	return 0;
}

void datapathd_watch_trials(struct datapathd *d)
{
	uint64_t deadline = sections_deadline(&d->sections);
	int r;

	if (!d->on_trial) {
		r = sd_event_add_time(daemon_event(d->daemon), &d->on_trial, CLOCK_BOOTTIME,
			deadline, 1, on_trial, d);
	} else {
		r = sd_event_source_set_time(d->on_trial, deadline);
	}
	if (r >= 0)
		r = sd_event_source_set_enabled(
			d->on_trial, deadline ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	if (r < 0)
		log_error("no timer for a trial: %s", strerror(-r));
}
