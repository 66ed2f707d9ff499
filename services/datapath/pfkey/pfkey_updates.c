/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that reserve SPIs, change SAs and deal with pairs. */
#include <errno.h>

#include "services/datapath/pfkey/pfkey_door_parts.h"

int pfkey_check_flags(const struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	uint32_t flags = msg->sa_flags;

	if (flags & ~PFKEY_SAF_SETTABLE)
		return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_SAFLAGS);
	if (flags & PFKEY_SAF_TUNNEL && !pfkey_has(msg, PFKEY_EXT_INNER_SRC))
		return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_MISSING_INNER_SRC);
	if (flags & PFKEY_SAF_NATT_LOC && !pfkey_has(msg, PFKEY_EXT_NATT_LOC))
		return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_MISSING_NATT_LOC);
	if (flags & PFKEY_SAF_NATT_REM && !pfkey_has(msg, PFKEY_EXT_NATT_REM))
		return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_MISSING_NATT_REM);
	if (pfkey_has(msg, PFKEY_EXT_SENSITIVITY) || pfkey_has(msg, PFKEY_EXT_OUTER_SENS))
		return pfkey_door_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_LABEL);
	return 0;
}

int pfkey_on_getspi(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct sadb_request request = pfkey_request_of(peer, msg);
	struct sadb_range range = { msg->spi_min, msg->spi_max };

	return sadb_getspi(peer->door->sadb, msg->sa, &range, &request, refusal);
}

int pfkey_on_update(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct sadb_request request = pfkey_request_of(peer, msg);
	struct sadb_wish wish = {
		.sa = msg->sa,
		.present = msg->present,
		.request = &request,
		.whole = peer->dialect == PFKEY_LINUX,
	};
	int r = pfkey_check_flags(msg, refusal);

	if (r < 0)
		return r;
	if (msg->type == PFKEY_X_UPDATEPAIR)
		return sadb_update_pair(peer->door->sadb, &wish, refusal);
	r = sadb_update(peer->door->sadb, &wish, refusal);
	if (r < 0)
		sadb_answer_failed(peer->door->sadb, msg->sa, msg->seq);
	return r;
}

int pfkey_on_delete_pair(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct sadb_request request = pfkey_request_of(peer, msg);
	struct sa_key key = sa_key_of(msg->sa);

	return sadb_delete_pair(peer->door->sadb, &key,
		pfkey_has(msg, PFKEY_EXT_ADDRESS_SRC) ? &msg->sa->src : NULL, &request, refusal);
}

int pfkey_on_delete_pair_state(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	struct sadb_wish wish = { .sa = msg->sa, .present = msg->present };

	if (sadb_delete_pair_state(peer->door->sadb, pfkey_proto_of(msg->satype), &wish) == 0)
		return pfkey_door_refuse(refusal, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	msg->present &= PFKEY_BIT(PFKEY_EXT_SA) | PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) |
			PFKEY_BIT(PFKEY_EXT_ADDRESS_DST);
	pfkey_answer_and_show(peer, msg);
	return 0;
}
