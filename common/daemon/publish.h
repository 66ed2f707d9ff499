/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service's side of the publish contract: its section stands in the datapath whenever both are
 * there. Publishes again when the datapath comes back, adopts the generation in force when the
 * content is the same, asks again once when it was stale.
 */
#ifndef DAEMON_PUBLISH_H
#define DAEMON_PUBLISH_H

#include <stdint.h>

#include "common/daemon/daemon.h"
#include "common/snapshot/snapshot.h"

struct publisher;

enum publish_state { PUBLISH_ABSENT, PUBLISH_PENDING, PUBLISH_ENFORCED, PUBLISH_REFUSED };

/* on_state: after each change of state; error is NULL or why it was refused. */
int publisher_new(struct daemon *daemon, enum snapshot_section section,
	void (*on_state)(
		enum publish_state state, uint64_t generation, const char *error, void *userdata),
	void *userdata, struct publisher **ret_publisher) MUST_CHECK;
struct publisher *publisher_free(struct publisher *publisher);
DEFINE_CLEANUP(struct publisher *, publisher_free)

/*
 * Publish these bytes (moved out of @snap). on_done (may be NULL) is called exactly once, possibly
 * before the function returns: result 0 when in force, -ENOTCONN when the datapath is absent (it
 * will be published when it appears), another errno with @error when it was refused: then the
 * former bytes stay the ones that are published again.
 */
typedef void (*publish_done_fn)(int result, uint64_t generation, const char *error, void *userdata);
int publisher_publish(struct publisher *publisher, struct snapshot_bytes *snap,
	publish_done_fn on_done, void *userdata) MUST_CHECK;
/*
 * The same, but the datapath goes back to the former content by itself unless it is confirmed within
 * @confirm_usec of coming into force; 0: for good. A datapath that is absent puts it in force for
 * good when it comes.
 */
int publisher_publish_on_trial(struct publisher *publisher, struct snapshot_bytes *snap,
	uint64_t confirm_usec, publish_done_fn on_done, void *userdata) MUST_CHECK;
/*
 * For the successor of a process that has died: these bytes were on trial. A trial that goes on stays
 * one; after one that was rolled back nothing is published, see publisher_gone_back(). Else as
 * publisher_publish().
 */
int publisher_resume(struct publisher *publisher, struct snapshot_bytes *snap,
	publish_done_fn on_done, void *userdata) MUST_CHECK;
/* What is in force waits, or the datapath has yet to say whether it does. */
bool publisher_on_trial(const struct publisher *publisher);
/* What is in force was so before a trial that this process did not begin; nothing of ours is. */
bool publisher_gone_back(const struct publisher *publisher);
/*
 * on_done as of publisher_publish(). Return: 0, -ENOENT when nothing waits, -EBUSY when it is being
 * confirmed, other errno.
 */
int publisher_confirm(
	struct publisher *publisher, publish_done_fn on_done, void *userdata) MUST_CHECK;
/* on_trial_end: with the userdata of publisher_new(), after the former content is wanted again, or not. */
void publisher_watch_trial(
	struct publisher *publisher, void (*on_trial_end)(bool confirmed, void *userdata));
/*
 * Before daemon_ready(): run the loop until the datapath gave its verdict, at most 5 s when it is
 * absent, so that ready means in force wherever it can. Return: 0, or why the loop cannot run.
 */
int publisher_wait(struct publisher *publisher) MUST_CHECK;
/* Withdraw the section (blocking, at most 5 s); writes the `withdrawn` record when the datapath is down. */
int publisher_withdraw(struct publisher *publisher) MUST_CHECK;
/* Was it refused for what it says, rather than for something that may pass? */
bool publisher_is_unfit(const struct publisher *publisher);
uint64_t publisher_generation(const struct publisher *publisher); /* in force, 0: none */
enum publish_state publisher_state(const struct publisher *publisher);

#endif
