/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drops that nftables tells of join those of the workers. */
#include <errno.h>
#include <sys/epoll.h>

#include "common/base/clock.h"
#include "common/daemon/log.h"
#include "services/datapath/datapathd.h"
#include "services/datapath/packet/packet_about.h"
#include "services/datapath/steer/nflog.h"

#define HEAD_MAX 512

static void note(const struct nflog_drop *told, void *userdata)
{
	struct datapathd *d = userdata;
	const struct engine_view *view = plant_view(d->plant);
	struct drop drop = { .at_usec = clock_boot_usec(),
		.tunnel = -1,
		.verdict = told->verdict,
		.by_kernel = true };
	struct flow judged;
	const struct rule *rule;
	uint8_t bytes[HEAD_MAX], *at;
	struct packet_view parsed;
	struct packet pkt;
	size_t len = told->len;

	packet_init(&pkt, bytes, sizeof(bytes));
	at = len <= HEAD_MAX / 2 ? packet_append(&pkt, len) : NULL;
	drop.flow.direction = told->outbound ? DIRECTION_OUT : DIRECTION_IN;
	judged = drop.flow;
	if (at) {
		memcpy(at, told->packet, len);
		packet_set_length(&pkt); /* the head is all that we have */
		if (packet_parse(&pkt, &parsed)) {
			(void)packet_subject(&pkt, &parsed, drop.flow.direction, &judged);
			packet_flow(&pkt, &parsed, drop.flow.direction, &drop.flow);
		}
	}
	rule = view->spd ? spd_match(view->spd, "", &judged) : NULL;
	drop.rule_id = rule ? rule->id : 0;
	drops_put(drops_ring_of(d->plant->drops, d->plant->settings->workers + 1), &drop);
}

static int on_nflog(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct datapathd *d = userdata;
	int r = nflog_read(&d->plant->nflog, note, d);

	(void)source;
	(void)fd;
	(void)revents;
	if (r < 0)
		log_warning("drops of nftables: %s", strerror(-r));
	return 0;
}

int datapathd_watch_nflog(struct datapathd *d)
{
	if (d->plant->nflog.fd < 0)
		return 0;
	return sd_event_add_io(
		daemon_event(d->daemon), &d->on_nflog, d->plant->nflog.fd, EPOLLIN, on_nflog, d);
}
