/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Linux side of the PF_KEY door: what its messages need beyond those of the other numbering, and
 * the policies that clients add. A policy belongs to the connection that added it and goes with it.
 */
#ifndef DATAPATH_PFKEY_LINUX_H
#define DATAPATH_PFKEY_LINUX_H

#include "services/datapath/pfkey/pfkey_door_parts.h"

/* More is refused with ENOBUFS, over all connections. */
#define PFKEY_LINUX_MAX_POLICIES 1024

/* One policy of a client. */
struct pfkey_linux_entry {
	struct pfkey_linux_entry *next;
	uint64_t owner; /* pfkey_peer.number */
	struct sa_limits hard, soft;
	/* Of the database's clock; 0: not used yet. */
	uint64_t added_usec, used_usec;
	uint64_t packets_before, bytes_before; /* that its rule had counted when it came */
	struct pfkey_current used;
	bool soft_told;
	struct pfkey_policy policy;
};

struct pfkey_linux_policies {
	struct pfkey_door_policy ops;
	struct pfkey_linux_entry *first; /* in order of arrival */
	size_t n;
	uint32_t last_id;
};

/* pfkey_linux.c */
/* As pfkey_linux_encode(), with what this numbering tells of an SA beside what the other does. */
int pfkey_linux_write(const struct pfkey_message *msg, enum pfkey_side side,
	uint8_t buffer[static PFKEY_MAX_BYTES], size_t *ret_len) MUST_CHECK;
pfkey_handler pfkey_linux_handle;
bool pfkey_linux_changes(uint8_t type); /* an X_SPD message that takes the right to change */
/* In an ACQUIRE: the policy that asks, if it is a client's. @rule: NULL is none. */
void pfkey_linux_name_policy(const struct pfkey_linux_policies *policies, const struct rule *rule,
	struct pfkey_message *msg);

/* What the entry is, as an answer. NULL: no memory. */
struct pfkey_message *pfkey_linux_message_of(uint8_t type, const struct pfkey_linux_entry *entry);
/* X_NAT_T_NEW_MAPPING, to who is registered. */
void pfkey_linux_tell_mapping(struct pfkey_door *door, const struct sadb_event *event);

/* pfkey_linux_expire.c: lifetimes of policies. */
void pfkey_linux_begin(const struct pfkey_door *door, struct pfkey_linux_entry *entry);
void pfkey_linux_expire(struct pfkey_door *door);

/* pfkey_linux_migrate.c */
pfkey_handler pfkey_linux_on_migrate;

/* pfkey_linux_policy.c */
/* What the list says comes into force, or what was in force stays. */
int pfkey_linux_enforce(const struct pfkey_door *door) MUST_CHECK;
int pfkey_linux_policies_new(
	const struct pfkey_door_policy *ops, struct pfkey_linux_policies **ret) MUST_CHECK;
struct pfkey_linux_policies *pfkey_linux_policies_free(struct pfkey_linux_policies *policies);
/* Its policies go, but are in force until pfkey_linux_enforce_rest(). True: there were some. */
bool pfkey_linux_forget(struct pfkey_linux_policies *policies, uint64_t owner);
/* What is left comes into force; when the kernel refuses, more than that stays. */
void pfkey_linux_enforce_rest(struct pfkey_door *door);
/*
 * Add or replace (@replace; else -EEXIST) an entry with this selector and direction. On success
 * @policy has its id. Nothing has changed on failure.
 */
int pfkey_linux_put(
	struct pfkey_door *door, struct pfkey_linux_entry *entry, bool replace) MUST_CHECK;
/* @owner: whose; 0: anybody's. NULL: none. */
struct pfkey_linux_entry *pfkey_linux_by_selector(
	struct pfkey_linux_policies *policies, uint64_t owner, const struct pfkey_policy *wanted);
struct pfkey_linux_entry *pfkey_linux_by_id(
	struct pfkey_linux_policies *policies, uint64_t owner, uint32_t id);
/* Take it out; on failure it stays. @ret_entry: to be freed by the caller. */
int pfkey_linux_take(struct pfkey_door *door, struct pfkey_linux_entry *entry,
	struct pfkey_linux_entry **ret_entry) MUST_CHECK;
/* All of the owner's. */
int pfkey_linux_clear(struct pfkey_door *door, uint64_t owner) MUST_CHECK;

/* pfkey_linux_rule.c */
/*
 * What an entry means here. @ret_rule: NULL for one that decides nothing here (forwarding). Return:
 * 0, -EINVAL, -EOPNOTSUPP (no SA or tunnel here can be like that), -E2BIG, -ENOMEM.
 */
int pfkey_linux_rule(const struct pfkey_door *door, const struct pfkey_policy *policy,
	struct rule **ret_rule) MUST_CHECK;

#endif
