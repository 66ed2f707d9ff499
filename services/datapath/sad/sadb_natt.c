/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs in UDP: which may be added, and which of them are idle for too long. */
#include <errno.h>

#include "services/datapath/sad/sadb_parts.h"

static bool is_given(const struct address *addr)
{
	return addr->family != AF_UNSPEC;
}

/* A translated address is nobody's here, or there would be no translator between. */
bool sadb_is_ours(const struct sadb *sadb, const struct address *addr)
{
	return is_given(addr) && sadb->parts.is_local &&
	       sadb->parts.is_local(addr, sadb->parts.is_local_userdata);
}

int sadb_check_natt(const struct sadb *sadb, const struct sa *sa, struct sadb_refusal *ret_refusal)
{
	if ((sa->flags & SA_FLAG_ENCAP) == 0)
		return 0;
	if (sa->proto != SA_PROTO_ESP || address_is_multicast(&sa->dst))
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_BAD_SAFLAGS);
	if (sadb->parts.no_udp)
		return sadb_refuse(ret_refusal, EOPNOTSUPP, PFKEY_DIAG_BAD_SAFLAGS);
	if (is_given(&sa->natt_local) && sa->natt_local.family != sa->dst.family)
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_BAD_NATT_LOC_AF);
	if (is_given(&sa->natt_remote) && sa->natt_remote.family != sa->dst.family)
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_BAD_NATT_REM_AF);
	if (sadb_is_ours(sadb, &sa->natt_local))
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_MALFORMED_NATT_LOC);
	if (sadb_is_ours(sadb, &sa->natt_remote))
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_MALFORMED_NATT_REM);
	return 0;
}

struct alive_pass {
	uint64_t now, interval;
	void (*fn)(const struct sad_entry *entry, void *userdata);
	void *userdata;
};

bool sadb_may_need_keeping(const struct sad_entry *entry)
{
	return entry->sa->flags & SA_FLAG_ENCAP && is_given(&entry->sa->natt_local) &&
	       entry->directions & SA_OUTBOUND;
}

static bool keep_entry_alive(struct sad_entry *entry, void *userdata)
{
	struct alive_pass *pass = userdata;
	uint64_t last = entry->run->added_usec, used = atomic_load(&entry->run->last_use_usec);
	uint32_t state = atomic_load(&entry->run->state);

	if (!sadb_may_need_keeping(entry) || (state != SA_MATURE && state != SA_DYING))
		return true;
	if (used > last)
		last = used;
	if (entry->control.keepalive_usec > last)
		last = entry->control.keepalive_usec;
	if (pass->now < last || pass->now - last < pass->interval)
		return true;
	entry->control.keepalive_usec = pass->now;
	pass->fn(entry, pass->userdata);
	return true;
}

void sadb_keep_alive(struct sadb *sadb, uint64_t interval_usec,
	void (*fn)(const struct sad_entry *entry, void *userdata), void *userdata)
{
	struct alive_pass pass = {
		.now = sadb_now(sadb), .interval = interval_usec, .fn = fn, .userdata = userdata
	};

	if (sadb->n_natt > 0)
		sad_each(sadb->parts.sad, keep_entry_alive, &pass);
}
