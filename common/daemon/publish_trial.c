/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was published on trial: how it ends, by whom it is confirmed. */
#include <errno.h>
#include <string.h>

#include "common/daemon/publish_parts.h"

void publish_trial_end(struct publisher *publisher, bool confirmed)
{
	publisher->on_trial = false;
	if (!confirmed) {
		snapshot_bytes_done(&publisher->wanted);
		publisher->wanted = publisher->former;
		publisher->has_wanted = publisher->has_former;
		publisher->gone_back = !publisher->has_former;
		publisher->former = (struct snapshot_bytes){ 0 };
	}
	snapshot_bytes_done(&publisher->former);
	publisher->has_former = false;
	if (publisher->on_trial_end)
		publisher->on_trial_end(confirmed, publisher->userdata);
}

/*
 * A generation that nobody here asked for: the datapath went back to what was in force before. To
 * what, is known here only if the trial began here.
 */
void publish_on_changed(const char *sender, struct bus_reader *args, void *userdata)
{
	struct publisher *publisher = userdata;
	const char *section;
	uint64_t generation;

	(void)sender;
	if (bus_read(args, "st", &section, &generation) < 0 || generation == 0 ||
		strcmp(section, snapshot_section_name(publisher->section)) != 0 ||
		publisher->now.active || generation <= publisher->generation)
		return;
	if (publisher->on_trial) {
		publish_set_state(publisher, PUBLISH_ENFORCED, generation,
			publisher->has_former ? NULL : GONE_BACK);
		publish_trial_end(publisher, false);
	} else {
		publish_set_state(publisher, PUBLISH_ENFORCED, generation, GONE_BACK);
	}
}

static void on_confirmed(struct bus_reply *reply, void *userdata)
{
	struct publisher *publisher = userdata;
	const struct bus_error *error = bus_reply_error(reply);
	publish_done_fn on_done = publisher->confirm_done;

	if (!error && publisher->on_trial)
		publish_trial_end(publisher, true);
	publisher->confirm_done = NULL;
	if (on_done)
		on_done(error ? bus_error_number(error) : 0, publisher->generation,
			error ? error->message : NULL, publisher->confirm_userdata);
}

int publisher_confirm(struct publisher *publisher, publish_done_fn on_done, void *userdata)
{
	struct bus_writer *wr;
	int r;

	if (!publisher->on_trial)
		return -ENOENT;
	if (publisher->confirm_done)
		return -EBUSY;
	wr = bus_method_writer(
		daemon_bus(publisher->daemon), DATAPATH, DATAPATH_PATH, DATAPATH, "Confirm");
	r = wr ? bus_write(
			 wr, "st", snapshot_section_name(publisher->section), publisher->generation)
	       : -ENOMEM;
	if (r < 0) {
		bus_writer_free(wr);
		return r;
	}
	publisher->confirm_done = on_done;
	publisher->confirm_userdata = userdata;
	return bus_method_send(wr, ASK_USEC, on_confirmed, publisher);
}

bool publisher_on_trial(const struct publisher *publisher)
{
	return publisher->on_trial || publisher->resumes ||
	       (publisher->now.active && publisher->now.resumes);
}

void publisher_watch_trial(
	struct publisher *publisher, void (*on_trial_end)(bool confirmed, void *userdata))
{
	publisher->on_trial_end = on_trial_end;
}

void publish_give_way(struct publisher *publisher)
{
	bool taken = publisher->has_wanted; /* else on_done tells it */

	snapshot_bytes_done(&publisher->wanted);
	publisher->has_wanted = false;
	publisher->resumes = false;
	publisher->gone_back = true;
	if (taken && publisher->on_trial_end)
		publisher->on_trial_end(false, publisher->userdata);
}

bool publisher_gone_back(const struct publisher *publisher)
{
	return publisher->gone_back;
}
