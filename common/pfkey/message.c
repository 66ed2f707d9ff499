/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/pfkey/pfkey.h"
#include "common/pfkey/wire.h"

struct pfkey_message *pfkey_message_new(void)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = calloc(1, sizeof(*msg));

	if (!msg)
		return NULL;
	msg->sa = sa_new();
	return msg->sa ? STEAL(msg) : NULL;
}

struct pfkey_message *pfkey_message_free(struct pfkey_message *msg)
{
	if (!msg)
		return NULL;
	sa_free(msg->sa);
	free(msg->eprop);
	free(msg);
	return NULL;
}

static bool has_limits(const struct sa_limits *limits)
{
	return limits->bytes || limits->add_sec || limits->use_sec || limits->allocations;
}

static uint64_t bit_if(bool condition, enum pfkey_extension extension)
{
	return condition ? PFKEY_BIT(extension) : 0;
}

uint64_t pfkey_extensions_of(const struct sa *sa, bool keys)
{
	uint64_t present = PFKEY_BIT(PFKEY_EXT_SA) | PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) |
			   PFKEY_BIT(PFKEY_EXT_ADDRESS_DST);

	if (sa->mode == SA_MODE_TUNNEL)
		present |= PFKEY_BIT(PFKEY_EXT_INNER_SRC) | PFKEY_BIT(PFKEY_EXT_INNER_DST);
	present |= bit_if(keys && sa->encr_key, PFKEY_EXT_KEY_ENCRYPT);
	present |= bit_if(keys && sa->auth_key, PFKEY_EXT_KEY_AUTH);
	present |= bit_if(has_limits(&sa->hard), PFKEY_EXT_LIFETIME_HARD);
	present |= bit_if(has_limits(&sa->soft), PFKEY_EXT_LIFETIME_SOFT);
	present |= bit_if(sa->idle_add_sec || sa->idle_use_sec, PFKEY_EXT_LIFETIME_IDLE);
	present |= bit_if(sa->natt_local.family != AF_UNSPEC, PFKEY_EXT_NATT_LOC);
	present |= bit_if(sa->natt_remote.family != AF_UNSPEC, PFKEY_EXT_NATT_REM);
	/* The port of an address travels with it. */
	present |= bit_if((sa->natt_local_port && sa->natt_local.family == AF_UNSPEC) ||
				  (sa->natt_remote_port && sa->natt_remote.family == AF_UNSPEC),
		PFKEY_EXT_NATT_PORTS);
	present |= bit_if(sa->pair_spi != 0, PFKEY_EXT_PAIR);
	present |= bit_if(sa->replay_value != 0, PFKEY_EXT_REPLAY_VALUE);
	present |= bit_if(sa->replay_window > UINT8_MAX, PFKEY_EXT_WINDOW);
	present |= bit_if(sa->tfc_pad != 0, PFKEY_EXT_PADDING);
	present |= bit_if(sa->tfc_dummy_msec != 0, PFKEY_EXT_DUMMY);
	present |= bit_if(sa->identity_src != NULL, PFKEY_EXT_IDENTITY_SRC);
	present |= bit_if(sa->identity_dst != NULL, PFKEY_EXT_IDENTITY_DST);
	present |= bit_if(sa->km_protocol || sa->km_cookie, PFKEY_EXT_KM_COOKIE);
	return present;
}

static void put_identity(struct pfkey_identity *to, const struct sa_identity *from)
{
	if (!from)
		return;
	to->type = from->type;
	to->id = from->id;
	memcpy(to->value, from->value, sizeof(to->value));
}

struct pfkey_message *pfkey_message_of_sa(uint8_t type, const struct sa *sa, bool keys)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = calloc(1, sizeof(*msg));

	if (!msg)
		return NULL;
	msg->sa = sa_copy(sa);
	if (!msg->sa)
		return NULL;
	put_identity(&msg->identity_src, sa->identity_src);
	put_identity(&msg->identity_dst, sa->identity_dst);
	msg->km_protocol = sa->km_protocol;
	msg->km_cookie = sa->km_cookie;
	msg->type = type;
	msg->satype = pfkey_satype_of((int)sa->proto);
	msg->present = pfkey_extensions_of(sa, keys);
	return STEAL(msg);
}

int pfkey_split_salt(struct sa *sa, uint16_t salt_bits)
{
	if (sa->salt_bits == salt_bits)
		return 0;
	if (sa->salt_bits || sa->encr_key_bits <= salt_bits)
		return -EINVAL;
	sa->encr_key_bits = (uint16_t)(sa->encr_key_bits - salt_bits);
	sa->salt_bits = salt_bits;
	return 0;
}

static bool has(uint64_t present, enum pfkey_extension extension)
{
	return present & PFKEY_BIT(extension);
}

static int check_inner(const struct sa *sa, struct pfkey_fault *fault)
{
	uint8_t wanted;

	if (sa->inner_src.addr.family != sa->inner_dst.addr.family)
		return pfkey_refuse(fault, EINVAL, PFKEY_DIAG_INNER_AF_MISMATCH);
	if ((sa->src_port || sa->dst_port) && (sa->inner_src_port || sa->inner_dst_port))
		return pfkey_refuse(fault, EINVAL, PFKEY_DIAG_DUAL_PORT_SETS);
	wanted = sa->inner_src.addr.family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	if (sa->protocol != 0 && sa->protocol != wanted)
		return pfkey_refuse(fault, EPROTOTYPE, PFKEY_DIAG_INNER_AF_MISMATCH);
	return 0;
}

/* NAT traversal is for IPv4; an unspecified remote end makes sense behind inner addresses only. */
static int check_natt(const struct sa *sa, uint64_t present, struct pfkey_fault *fault)
{
	if (has(present, PFKEY_EXT_NATT_LOC) &&
		(sa->natt_local.family != AF_INET || address_is_unspecified(&sa->natt_local) ||
			address_is_multicast(&sa->natt_local)))
		return pfkey_refuse(fault, EINVAL, PFKEY_DIAG_MALFORMED_NATT_LOC);
	if (!has(present, PFKEY_EXT_NATT_REM))
		return 0;
	if (sa->natt_remote.family != AF_INET || address_is_multicast(&sa->natt_remote))
		return pfkey_refuse(fault, EINVAL, PFKEY_DIAG_MALFORMED_NATT_REM);
	if (address_is_unspecified(&sa->natt_remote) && !has(present, PFKEY_EXT_INNER_SRC))
		return pfkey_refuse(fault, EINVAL, PFKEY_DIAG_MALFORMED_NATT_REM);
	return 0;
}

int pfkey_check_addresses(const struct sa *sa, uint64_t present, struct pfkey_fault *ret_fault)
{
	bool src = has(present, PFKEY_EXT_ADDRESS_SRC), dst = has(present, PFKEY_EXT_ADDRESS_DST);
	int r;

	if (src && address_is_multicast(&sa->src))
		return pfkey_refuse(ret_fault, EINVAL, PFKEY_DIAG_BAD_SRC);
	if (dst && address_is_unspecified(&sa->dst))
		return pfkey_refuse(ret_fault, EINVAL, PFKEY_DIAG_BAD_DST);
	if (src && dst && sa->src.family != sa->dst.family && !address_is_unspecified(&sa->src))
		return pfkey_refuse(ret_fault, EINVAL, PFKEY_DIAG_AF_MISMATCH);
	if (has(present, PFKEY_EXT_INNER_SRC) && has(present, PFKEY_EXT_INNER_DST)) {
		r = check_inner(sa, ret_fault);
		if (r < 0)
			return r;
	}
	return check_natt(sa, present, ret_fault);
}
