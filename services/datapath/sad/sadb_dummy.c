/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which SAs were silent for so long that they are to send a dummy packet (RFC 4303 section 2.6). */
#include "services/datapath/sad/sadb_parts.h"

struct silence_pass {
	uint64_t now;
	void (*fn)(struct sad_entry *entry, void *userdata);
	void *userdata;
};

bool sadb_may_send_dummies(const struct sad_entry *entry)
{
	return entry->sa->tfc_dummy_msec != 0 && entry->directions & SA_OUTBOUND &&
	       !address_is_unspecified(&entry->sa->src);
}

/* What is sent moves the time of last use, so the next silence begins there. */
static bool break_silence(struct sad_entry *entry, void *userdata)
{
	struct silence_pass *pass = userdata;
	uint64_t last = entry->run->added_usec, used = atomic_load(&entry->run->last_use_usec);
	uint32_t state = atomic_load(&entry->run->state);

	if (!sadb_may_send_dummies(entry) || (state != SA_MATURE && state != SA_DYING))
		return true;
	if (used > last)
		last = used;
	if (pass->now >= last && pass->now - last >= entry->sa->tfc_dummy_msec * UINT64_C(1000))
		pass->fn(entry, pass->userdata);
	return true;
}

void sadb_break_silence(
	struct sadb *sadb, void (*fn)(struct sad_entry *entry, void *userdata), void *userdata)
{
	struct silence_pass pass = { .now = sadb_now(sadb), .fn = fn, .userdata = userdata };

	if (sadb->n_dummies > 0)
		sad_each(sadb->parts.sad, break_silence, &pass);
}
