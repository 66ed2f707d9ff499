/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPIs that key management has reserved: larval SAs, until they are filled in or their time is up. */
#include <errno.h>
#include <sys/random.h>

#include "common/base/clock.h"
#include "services/datapath/sad/sadb_parts.h"

/* A random number of the range; taken already is no reason to try again, as in the original. */
static int draw_spi(uint32_t min, uint32_t max, uint32_t *ret_spi)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	if (random < min || random > max)
		random = min + (uint32_t)(random % ((uint64_t)max - min + 1));
	*ret_spi = random;
	return 0;
}

static int check_ends(const struct sa *sa, struct sadb_refusal *refusal)
{
	uint64_t ends = PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) | PFKEY_BIT(PFKEY_EXT_ADDRESS_DST);
	struct pfkey_fault fault;

	if (pfkey_check_addresses(sa, ends, &fault) < 0)
		return sadb_refuse(refusal, fault.error, fault.diagnostic);
	return 0;
}

static int add_larval(struct sadb *sadb, struct sad_entry *entry, struct sadb_refusal *refusal)
{
	struct sa_run *run;
	int r = arena_add(sadb->parts.arena, entry->sa, SA_INBOUND, &entry->arena_slot, &run);

	if (r < 0)
		return sadb_refuse(refusal, -r, PFKEY_DIAG_NONE);
	entry->run = run;
	entry->directions = SA_INBOUND;
	run->added_usec = sadb_now(sadb);
	run->added_wall_usec = clock_wall_usec();
	atomic_store(&run->state, SA_LARVAL);
	r = sadb_due_reserve(sadb, 1);
	if (r == 0)
		r = sad_insert(sadb->parts.sad, entry);
	if (r < 0) {
		arena_remove(sadb->parts.arena, entry->arena_slot);
		return sadb_refuse(refusal, -r, PFKEY_DIAG_NONE);
	}
	sadb_arm(sadb, entry);
	return 0;
}

int sadb_getspi(struct sadb *sadb, const struct sa *sa, const struct sadb_range *range,
	const struct sadb_request *request, struct sadb_refusal *ret_refusal)
{
	CLEANUP(sad_entry_freep) struct sad_entry *entry = sad_entry_new();
	uint32_t min = range->min < SA_LEAST_SPI ? SA_LEAST_SPI : range->min;
	int r;

	if (range->max < min || range->min > range->max)
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_MALFORMED_RANGE);
	if (entry)
		entry->sa = sa_copy(sa);
	if (!entry || !entry->sa)
		return sadb_refuse(ret_refusal, ENOMEM, PFKEY_DIAG_NONE);
	r = check_ends(sa, ret_refusal);
	if (r < 0)
		return r;
	entry->sa->state = SA_LARVAL;
	entry->sa->origin = SA_ORIGIN_PFKEY;
	entry->owner = request ? request->owner : 0;
	if (draw_spi(min, range->max, &entry->sa->spi) < 0)
		return sadb_refuse(ret_refusal, EIO, PFKEY_DIAG_NONE);
	if (sad_find_same(sadb->parts.sad, entry->sa))
		return sadb_refuse(ret_refusal, EEXIST, PFKEY_DIAG_NONE);
	r = sadb_check_room(sadb, 1, ret_refusal);
	if (r == 0)
		r = add_larval(sadb, entry, ret_refusal);
	if (r < 0)
		return r;
	sadb_emit_entry(sadb, SADB_EVENT_RESERVED, STEAL(entry), request);
	return 0;
}
