/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hand-over of the keys section, whose bytes never touch the bus: a SOCK_SEQPACKET socket that
 * takes one message with one sealed memfd (SCM_RIGHTS) and answers with one byte. The call
 * PublishKeys with the same generation and hash follows on the bus.
 */
#ifndef DAEMON_KEYS_DOOR_H
#define DAEMON_KEYS_DOOR_H

#define KEYS_DOOR_PATH "/run/netipsec/keys" /* behind NETIPSEC_ROOT */

/* Magic, version (le32), generation (le64), SHA-256 of the memfd's bytes. */
#define KEYS_DOOR_MAGIC	      "NIPK"
#define KEYS_DOOR_MAGIC_BYTES 4
#define KEYS_DOOR_VERSION     1U
#define KEYS_DOOR_BYTES	      48

/* The answer. Any other byte: refused. */
#define KEYS_DOOR_TAKEN	  0U
#define KEYS_DOOR_REFUSED 1U

/* A section that was withdrawn while the datapath was down; it takes and deletes these at start. */
#define WITHDRAWN_DIR "/var/lib/netipsec/withdrawn" /* behind NETIPSEC_ROOT */

#endif
