/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SAs with times: as these pass, what the file says is published again as it is meant now. The file
 * in force counts, not one that was edited since and not yet loaded.
 */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/daemon/log.h"
#include "services/manual-key/keyd.h"

#define SOON_USEC  (USEC_PER_SEC / 2) /* something else is on its way into force */
#define RETRY_USEC (10 * USEC_PER_SEC) /* the datapath did not take it */

static int wake_at(struct keyd *d, uint64_t wall_usec)
{
	int r = sd_event_source_set_time(d->on_step, wall_usec);

	return r < 0 ? r : sd_event_source_set_enabled(d->on_step, SD_EVENT_ONESHOT);
}

/* A reading of nothing: the file in force, as it is meant now. */
static int make_step(struct keyd *d, struct keyd_load **ret_load)
{
	CLEANUP(keyd_load_freep) struct keyd_load *load = calloc(1, sizeof(*load));
	int r;

	if (!load)
		return -ENOMEM;
	load->owner = d;
	d->in_flight++;
	load->is_step = true;
	load->complaint = d->complaint ? strdup(d->complaint) : NULL;
	if (d->complaint && !load->complaint)
		return -ENOMEM;
	r = keyd_load_fill(load, d->list, d->times);
	if (r < 0)
		return r;
	*ret_load = STEAL(load);
	return 0;
}

/* A step that fails is tried again until it is in force; the wire stays as it was meanwhile. */
static int on_step(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct keyd_load *load = NULL;
	struct keyd *d = userdata;
	int r;

	(void)source;
	(void)usec;
	/* What was asked for before must not be overtaken, and never comes into force behind it. */
	if (d->in_flight > 0)
		return wake_at(d, clock_wall_usec() + SOON_USEC);
	r = wake_at(d, clock_wall_usec() + RETRY_USEC);
	if (r < 0 || !d->list)
		return r;
	r = make_step(d, &load);
	if (r == 0)
		r = service_publish(&d->service, load, NULL);
	if (r < 0)
		log_error("the SAs whose time has come are not in force: %s", strerror(-r));
	return 0;
}

static void take_over(struct keyd *d, struct keyd_load *load)
{
	sa_list_free(d->list);
	free(d->times);
	free(d->complaint);
	d->list = STEAL(load->list);
	if (d->list)
		d->list->flush = false; /* that was for the reload, not for its steps */
	d->times = STEAL(load->times);
	d->complaint = d->list ? STEAL(load->complaint) : NULL;
}

void keyd_follow_times(struct keyd *d, struct keyd_load *load)
{
	char str[KEYS_TIME_TEXT_MAX];
	int r = 0;

	if (!load->is_step)
		take_over(d, load);
	if (load->next_sec && !d->on_step)
		r = sd_event_add_time(daemon_event(d->service.daemon), &d->on_step, CLOCK_REALTIME,
			load->next_sec * USEC_PER_SEC, 1, on_step, d);
	else if (load->next_sec)
		r = wake_at(d, load->next_sec * USEC_PER_SEC);
	else if (d->on_step)
		r = sd_event_source_set_enabled(d->on_step, SD_EVENT_OFF);
	if (r < 0)
		log_error("the times of SAs cannot be followed: %s", strerror(-r));
	else if (load->next_sec)
		log_info("SAs change at %s", keys_time_format(load->next_sec, str));
}
