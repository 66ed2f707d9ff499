/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drops on their way from the workers to the journal and the bus. */
#include <errno.h>
#include <sys/epoll.h>

#include "common/base/clock.h"
#include "services/datapath/datapathd.h"
#include "services/datapath/drops/drop_words.h"

#define PAUSE_USEC  (USEC_PER_SEC / 20) /* between two gatherings: a flood must not own the loop */
#define SIGNAL_USEC (USEC_PER_SEC / 10) /* between two signals */

static void tell(struct datapathd *d, const struct drop *drop)
{
	uint64_t held;

	policy_log_drop(d->plant, &d->log_limit, drop);
	if (!drop_is_unknown_spi(drop->verdict) &&
		drop_limit_pass(&d->signal_limit, SIGNAL_USEC, clock_boot_usec(), &held))
		datapath_bus_policy_failure(d, drop, held);
}

void datapathd_gather_drops(struct datapathd *d)
{
	struct drops *drops = d->plant->drops;
	uint64_t next;

	(void)drops_gather(drops);
	next = drops_next(drops);
	if (next - d->drops_seen > DROPS_KEPT)
		d->drops_seen = next - DROPS_KEPT - 1;
	while (d->drops_seen + 1 < next) {
		const struct drop *drop = drops_get(drops, ++d->drops_seen);

		if (drop)
			tell(d, drop);
	}
}

static int on_drops_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct datapathd *d = userdata;

	(void)source;
	(void)usec;
	drops_arm(d->plant->drops);
	datapathd_gather_drops(d); /* what came before it was armed */
	return 0;
}

static int on_drops(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct datapathd *d = userdata;
	uint64_t wakes;
	int r;

	(void)source;
	(void)revents;
	if (read(fd, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
		return -errno;
	datapathd_gather_drops(d);
	r = sd_event_source_set_time_relative(d->on_drops_again, PAUSE_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(d->on_drops_again, SD_EVENT_ONESHOT);
	return r;
}

int datapathd_watch_drops(struct datapathd *d)
{
	sd_event *event = daemon_event(d->daemon);
	int r = sd_event_add_io(event, &d->on_drops, d->plant->drops_fd, EPOLLIN, on_drops, d);

	if (r >= 0)
		r = sd_event_add_time_relative(
			event, &d->on_drops_again, CLOCK_MONOTONIC, 0, 0, on_drops_again, d);
	return r < 0 ? r : 0;
}
