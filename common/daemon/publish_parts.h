/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the publisher share. */
#ifndef DAEMON_PUBLISH_PARTS_H
#define DAEMON_PUBLISH_PARTS_H

#include "common/base/clock.h"
#include "common/daemon/keys_sender.h"
#include "common/daemon/publish.h"

#define DATAPATH      "org.netipsec.Datapath1"
#define DATAPATH_PATH "/org/netipsec/Datapath1"
#define ASK_USEC      (10 * USEC_PER_SEC)
#define GONE_BACK                                                                     \
	"the datapath went back to an earlier policy that was not published by this " \
	"process; reload to publish what the service has"

/* One way of some bytes into the datapath: ask what is in force, hand over, hear the verdict. */
struct attempt {
	bool active;
	bool candidate; /* of bytes that were not in force before; else of publisher.wanted */
	bool on_trial; /* the datapath took it so */
	bool resumes; /* it goes on with a trial, or comes after one that was rolled back */
	bool adopts; /* the very bytes are on trial already */
	bool keeps_trial; /* handed over for the trial that runs */
	bool again; /* it asked a second time: stale, or an answer that did not come */
	unsigned int epoch; /* of the datapath that was asked */
	uint64_t generation;
	uint64_t confirm_usec; /* 0: for good */
	struct snapshot_bytes bytes; /* of a candidate */
	publish_done_fn on_done;
	void *userdata;
	struct keys_sender *sender;
};

struct publisher {
	struct daemon *daemon;
	enum snapshot_section section;
	void (*on_state)(
		enum publish_state state, uint64_t generation, const char *error, void *userdata);
	void *userdata;
	enum publish_state state;
	uint64_t generation;
	int refusal; /* negative errno of the last attempt that ended in PUBLISH_REFUSED */
	bool present; /* the datapath is on the bus */
	unsigned int epoch; /* counts its comings and goings */
	bool has_wanted;
	struct snapshot_bytes wanted; /* what shall stand in the datapath whenever it is there */
	bool on_trial; /* `wanted` waits to be confirmed; `former` was in force before it, */
	bool has_former; /* which is known if the trial began here; */
	bool resumes; /* `wanted` was on trial before this process was there */
	bool gone_back; /* it was not, and is in force again: nothing is wanted by itself */
	struct snapshot_bytes former;
	void (*on_trial_end)(bool confirmed, void *userdata);
	publish_done_fn confirm_done;
	void *confirm_userdata;
	struct attempt now;
	struct attempt next; /* waits for `now` to end */
};

/* Tells it, too. */
void publish_set_state(struct publisher *publisher, enum publish_state state, uint64_t generation,
	const char *error);
void publish_trial_end(struct publisher *publisher, bool confirmed);
/* What we have was rolled back before this process was there: it is not published by itself. */
void publish_give_way(struct publisher *publisher);
/* The datapath's signal SectionChanged. */
void publish_on_changed(const char *sender, struct bus_reader *args, void *userdata);

#endif
