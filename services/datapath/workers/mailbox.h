/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet worker tells the control thread, without waiting for it: a bounded ring with one
 * writer and one reader, and an eventfd that wakes the reader. What does not fit is lost, counted.
 */
#ifndef DATAPATH_MAILBOX_H
#define DATAPATH_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "services/datapath/sad/sadb.h"

struct mailbox;

/* @wake_fd: an eventfd, borrowed; several mailboxes may share it. */
int mailbox_new(int wake_fd, struct mailbox **ret_box) MUST_CHECK;
struct mailbox *mailbox_free(struct mailbox *box);
DEFINE_CLEANUP(struct mailbox *, mailbox_free)

/* Writer. The rule is not carried over, its id is. The packet is consumed on success. */
bool mailbox_put_acquire(struct mailbox *box, const struct sadb_acquire *acquire);
/* Writer: run states have raised events; any number of these is one. */
void mailbox_put_events(struct mailbox *box);
/* Writer: a device is gone. */
void mailbox_put_broken(struct mailbox *box);

/* Reader. False when the ring is empty. */
bool mailbox_take_acquire(struct mailbox *box, struct sadb_acquire *ret_acquire);
bool mailbox_take_events(struct mailbox *box);
bool mailbox_is_broken(const struct mailbox *box);
uint64_t mailbox_lost(const struct mailbox *box);

#endif
