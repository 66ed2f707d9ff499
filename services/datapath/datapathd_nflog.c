/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drops that nftables tells of join those of the workers. */
#include <errno.h>
#include <sys/epoll.h>

#include "common/base/clock.h"
#include "common/daemon/log.h"
#include "services/datapath/datapathd.h"
#include "services/datapath/io/path_table.h"
#include "services/datapath/packet/packet_about.h"
#include "services/datapath/steer/nflog.h"

#define HEAD_MAX 512

/*
 * An error in clear about what is protected is dropped. It may come from a router that saw the packet
 * before the policy was there, so that the path, whose table has a floor, is taken to be shorter.
 */
static void learn_path(struct datapathd *d, const struct packet *pkt,
	const struct packet_view *error, uint64_t now_usec)
{
	struct engine_path path;

	if (engine_path_told(plant_view(d->plant), pkt, error, &path))
		(void)path_table_learn(d->plant->paths, &path.dst, path.mtu, now_usec);
}

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
			if (told->verdict == VERDICT_SPD_GOT_CLEAR && !told->outbound)
				learn_path(d, &pkt, &parsed, drop.at_usec);
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
