/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/base/checked.h"
#include "common/pfkey/wire.h"

#define SOCKADDR_IN_BYTES  16
#define SOCKADDR_IN6_BYTES 28

/* What an SA says about itself beside what the caller knows. */
static uint32_t flags_of(const struct pfkey_message *msg, enum pfkey_side side)
{
	const struct sa *sa = msg->sa;
	uint32_t flags = msg->sa_flags;

	if (sa->flags & SA_FLAG_ESN)
		flags |= PFKEY_SAF_ESN;
	if (sa->flags & SA_FLAG_UNIQUE)
		flags |= PFKEY_SAF_UNIQUE;
	if (sa->mode == SA_MODE_TUNNEL)
		flags |= PFKEY_SAF_TUNNEL;
	if (sa->flags & SA_FLAG_ENCAP)
		flags |= PFKEY_SAF_NATTED;
	if (sa->natt_local.family != AF_UNSPEC)
		flags |= PFKEY_SAF_NATT_LOC;
	if (sa->natt_remote.family != AF_UNSPEC)
		flags |= PFKEY_SAF_NATT_REM;
	if (sa->directions & SA_INBOUND)
		flags |= PFKEY_SAF_INBOUND;
	if (sa->directions & SA_OUTBOUND)
		flags |= PFKEY_SAF_OUTBOUND;
	if (sa->pair_spi)
		flags |= PFKEY_SAF_PAIRED;
	return side == PFKEY_REQUEST ? flags & PFKEY_SAF_SETTABLE : flags;
}

static void encode_sa(struct writer *wr, const struct pfkey_message *msg, enum pfkey_side side)
{
	const struct sa *sa = msg->sa;

	write_head(wr, PFKEY_SA_BYTES, PFKEY_EXT_SA);
	(void)write_be32(wr, sa->spi);
	(void)write_u8(wr, sa->replay_window > UINT8_MAX ? UINT8_MAX : (uint8_t)sa->replay_window);
	(void)write_u8(wr, sa->state);
	(void)write_u8(wr, sa->auth);
	(void)write_u8(wr, sa->encr);
	write_host32(wr, flags_of(msg, side));
}

static void encode_lifetime(struct writer *wr, uint16_t number, const struct sa_limits *limits)
{
	write_head(wr, PFKEY_LIFETIME_BYTES, number);
	write_host32(wr, limits->allocations);
	write_host64(wr, limits->bytes);
	write_host64(wr, limits->add_sec);
	write_host64(wr, limits->use_sec);
}

static void encode_lifetimes(struct writer *wr, const struct pfkey_message *msg, uint16_t number)
{
	const struct sa *sa = msg->sa;
	struct sa_limits limits = { 0 };

	if (number == PFKEY_EXT_LIFETIME_HARD) {
		limits = sa->hard;
	} else if (number == PFKEY_EXT_LIFETIME_SOFT) {
		limits = sa->soft;
	} else if (number == PFKEY_EXT_LIFETIME_IDLE) {
		limits.add_sec = sa->idle_add_sec;
		limits.use_sec = sa->idle_use_sec;
	} else {
		limits.allocations = msg->current.allocations;
		limits.bytes = msg->current.bytes;
		limits.add_sec = msg->current.add_wall_sec;
		limits.use_sec = msg->current.use_wall_sec;
	}
	encode_lifetime(wr, number, &limits);
}

void pfkey_write_address(
	struct writer *wr, uint16_t number, const struct pfkey_wire_address *address)
{
	size_t size = address->addr.family == AF_INET6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES;
	size_t padded = round_up(size, PFKEY_UNIT);
	struct sockaddr_storage ss;

	(void)address_to_sockaddr(&address->addr, address->port, &ss);
	write_head(wr, PFKEY_ADDRESS_BYTES + padded, number);
	(void)write_u8(wr, address->proto);
	(void)write_u8(wr, (uint8_t)address->bits);
	write_host16(wr, 0);
	(void)write_bytes(wr, &ss, size);
	(void)write_zeros(wr, padded - size);
}

static void encode_address(struct writer *wr, uint16_t number, const struct address *addr,
	unsigned int bits, uint16_t port, uint8_t proto)
{
	struct pfkey_wire_address address = {
		.addr = *addr, .bits = bits, .port = port, .proto = proto
	};

	pfkey_write_address(wr, number, &address);
}

static int encode_addresses(struct writer *wr, const struct sa *sa, uint16_t number)
{
	struct address any = address_any(sa->dst.family == AF_INET6 ? AF_INET6 : AF_INET);
	const struct address *addr;

	switch (number) {
	case PFKEY_EXT_ADDRESS_SRC:
		addr = sa->src.family == AF_UNSPEC ? &any : &sa->src;
		encode_address(
			wr, number, addr, address_bits(addr->family), sa->src_port, sa->protocol);
		return 0;
	case PFKEY_EXT_ADDRESS_DST:
		addr = sa->dst.family == AF_UNSPEC ? &any : &sa->dst;
		encode_address(
			wr, number, addr, address_bits(addr->family), sa->dst_port, sa->protocol);
		return 0;
	case PFKEY_EXT_INNER_SRC:
		addr = &sa->inner_src.addr;
		encode_address(wr, number, addr, sa->inner_src.bits, sa->inner_src_port,
			sa->inner_protocol);
		break;
	case PFKEY_EXT_INNER_DST:
		addr = &sa->inner_dst.addr;
		encode_address(wr, number, addr, sa->inner_dst.bits, sa->inner_dst_port,
			sa->inner_protocol);
		break;
	case PFKEY_EXT_NATT_LOC:
		addr = &sa->natt_local;
		encode_address(
			wr, number, addr, address_bits(addr->family), sa->natt_local_port, 0);
		break;
	default:
		addr = &sa->natt_remote;
		encode_address(
			wr, number, addr, address_bits(addr->family), sa->natt_remote_port, 0);
		break;
	}
	return addr->family == AF_UNSPEC ? -EINVAL : 0;
}

static int encode_key(struct writer *wr, const struct sa *sa, uint16_t number, enum pfkey_side side)
{
	bool encrypt = number == PFKEY_EXT_KEY_ENCRYPT;
	const struct secret *key = encrypt ? sa->encr_key : sa->auth_key;
	size_t bits = encrypt ? sa->encr_key_bits : sa->auth_key_bits, tail = 0, total, len, padded;

	if (encrypt && side == PFKEY_REQUEST) {
		bits += (size_t)sa->salt_bits + sa->iv_bits;
		tail = sa->iv_bits;
		total = bits;
	} else {
		tail = encrypt ? sa->salt_bits : 0;
		total = bits + tail;
	}
	len = (total + 7) / 8;
	padded = round_up(len, PFKEY_UNIT);
	if (bits == 0 || bits > UINT16_MAX || len > secret_len(key))
		return -EINVAL;
	write_head(wr, PFKEY_KEY_BYTES + padded, number);
	write_host16(wr, (uint16_t)bits);
	write_host16(wr, (uint16_t)tail);
	(void)write_bytes(wr, secret_bytes(key), len);
	(void)write_zeros(wr, padded - len);
	return 0;
}

static void encode_identity(
	struct writer *wr, const struct pfkey_identity *identity, uint16_t number)
{
	size_t len = strnlen(identity->value, sizeof(identity->value) - 1);
	size_t padded = round_up(len + 1, PFKEY_UNIT);

	write_head(wr, PFKEY_IDENTITY_BYTES + padded, number);
	write_host16(wr, identity->type);
	write_host16(wr, 0);
	write_host64(wr, identity->id);
	(void)write_bytes(wr, identity->value, len);
	(void)write_zeros(wr, padded - len);
}

static void encode_comb(struct writer *wr, const struct pfkey_comb *comb)
{
	(void)write_u8(wr, comb->auth);
	(void)write_u8(wr, comb->encrypt);
	write_host16(wr, comb->flags);
	write_host16(wr, comb->auth_min_bits);
	write_host16(wr, comb->auth_max_bits);
	write_host16(wr, comb->encrypt_min_bits);
	write_host16(wr, comb->encrypt_max_bits);
	(void)write_u8(wr, comb->salt_bits);
	(void)write_zeros(wr, 3);
	write_limit_pair(wr, &comb->soft, &comb->hard);
}

static void encode_proposal(struct writer *wr, const struct pfkey_message *msg)
{
	size_t n = msg->n_combs < PFKEY_MAX_COMBS ? msg->n_combs : PFKEY_MAX_COMBS;

	write_head(wr, PFKEY_PROPOSAL_BYTES + n * PFKEY_COMB_BYTES, PFKEY_EXT_PROPOSAL);
	(void)write_u8(wr, msg->proposal_replay);
	(void)write_zeros(wr, 3);
	for (size_t i = 0; i < n; i++)
		encode_comb(wr, &msg->combs[i]);
}

static void encode_supported(
	struct writer *wr, const struct pfkey_algorithm *rows, size_t n, uint16_t number)
{
	if (n > PFKEY_MAX_ALGORITHMS)
		n = PFKEY_MAX_ALGORITHMS;
	write_head(wr, PFKEY_SUPPORTED_BYTES + n * PFKEY_ALGORITHM_BYTES, number);
	write_host32(wr, 0);
	for (size_t i = 0; i < n; i++) {
		(void)write_u8(wr, rows[i].number);
		(void)write_u8(wr, rows[i].iv_bits);
		write_host16(wr, rows[i].min_bits);
		write_host16(wr, rows[i].max_bits);
		(void)write_u8(wr, rows[i].increment_bits);
		(void)write_u8(wr, rows[i].salt_bits);
	}
}

static void encode_replay_value(struct writer *wr, const struct sa *sa)
{
	bool wide = sa->flags & SA_FLAG_ESN && sa->replay_value > UINT32_MAX;

	write_head(wr, PFKEY_REPLAY_BYTES, PFKEY_EXT_REPLAY_VALUE);
	write_host32(wr, (uint32_t)sa->replay_value);
	write_host64(wr, wide ? sa->replay_value : 0);
}

/* Numbers in fixed places. */
static int encode_fixed(struct writer *wr, const struct pfkey_message *msg, uint16_t number)
{
	switch (number) {
	case PFKEY_EXT_SPIRANGE:
		write_head(wr, PFKEY_RANGE_BYTES, number);
		(void)write_be32(wr, msg->spi_min);
		(void)write_be32(wr, msg->spi_max);
		write_host32(wr, 0);
		return 0;
	case PFKEY_EXT_EREG:
		write_head(wr, PFKEY_EREG_BYTES, number);
		(void)write_bytes(wr, msg->extended_register, sizeof(msg->extended_register));
		return 0;
	case PFKEY_EXT_KM_COOKIE:
		write_head(wr, PFKEY_KMC_BYTES, number);
		write_host32(wr, msg->km_protocol);
		write_host64(wr, msg->km_cookie);
		return 0;
	case PFKEY_EXT_PAIR:
		write_head(wr, PFKEY_PAIR_BYTES, number);
		(void)write_be32(wr, msg->sa->pair_spi);
		return 0;
	case PFKEY_EXT_EDUMP:
		write_head(wr, PFKEY_EDUMP_BYTES, number);
		write_host32(wr, 0);
		write_host64(wr, msg->dump_idle_sec);
		return 0;
	case PFKEY_EXT_WINDOW:
		write_head(wr, PFKEY_WINDOW_BYTES, PFKEY_WINDOW_NUMBER);
		write_host32(wr, msg->sa->replay_window);
		write_host64(wr, 0);
		return 0;
	case PFKEY_EXT_PADDING:
		write_head(wr, PFKEY_PADDING_BYTES, PFKEY_PADDING_NUMBER);
		write_host32(wr, msg->sa->tfc_pad);
		write_host64(wr, 0);
		return 0;
	case PFKEY_EXT_DUMMY:
		write_head(wr, PFKEY_DUMMY_BYTES, PFKEY_DUMMY_NUMBER);
		write_host32(wr, msg->sa->tfc_dummy_msec);
		write_host64(wr, 0);
		return 0;
	case PFKEY_EXT_CHECK:
		write_head(wr, PFKEY_CHECK_BYTES, PFKEY_CHECK_NUMBER);
		write_host32(wr, 0);
		write_host64(wr, msg->key_check);
		return 0;
	case PFKEY_EXT_NATT_PORTS:
		write_head(wr, PFKEY_PORTS_BYTES, PFKEY_PORTS_NUMBER);
		write_host16(wr, msg->sa->natt_local_port);
		write_host16(wr, msg->sa->natt_remote_port);
		return 0;
	default: /* labels are never made here */
		return -EINVAL;
	}
}

int pfkey_encode_extension(
	struct writer *wr, const struct pfkey_message *msg, uint16_t number, enum pfkey_side side)
{
	switch ((enum pfkey_extension)number) {
	case PFKEY_EXT_SA:
		encode_sa(wr, msg, side);
		return 0;
	case PFKEY_EXT_LIFETIME_CURRENT:
	case PFKEY_EXT_LIFETIME_HARD:
	case PFKEY_EXT_LIFETIME_SOFT:
	case PFKEY_EXT_LIFETIME_IDLE:
		encode_lifetimes(wr, msg, number);
		return 0;
	case PFKEY_EXT_ADDRESS_SRC:
	case PFKEY_EXT_ADDRESS_DST:
	case PFKEY_EXT_INNER_SRC:
	case PFKEY_EXT_INNER_DST:
	case PFKEY_EXT_NATT_LOC:
	case PFKEY_EXT_NATT_REM:
		return encode_addresses(wr, msg->sa, number);
	case PFKEY_EXT_KEY_AUTH:
	case PFKEY_EXT_KEY_ENCRYPT:
		return encode_key(wr, msg->sa, number, side);
	case PFKEY_EXT_IDENTITY_SRC:
		encode_identity(wr, &msg->identity_src, number);
		return 0;
	case PFKEY_EXT_IDENTITY_DST:
		encode_identity(wr, &msg->identity_dst, number);
		return 0;
	case PFKEY_EXT_PROPOSAL:
		encode_proposal(wr, msg);
		return 0;
	case PFKEY_EXT_SUPPORTED_AUTH:
		encode_supported(wr, msg->auth, msg->n_auth, number);
		return 0;
	case PFKEY_EXT_SUPPORTED_ENCRYPT:
		encode_supported(wr, msg->encrypt, msg->n_encrypt, number);
		return 0;
	case PFKEY_EXT_REPLAY_VALUE:
		encode_replay_value(wr, msg->sa);
		return 0;
	case PFKEY_EXT_EPROP:
		return pfkey_encode_eprop(wr, msg->eprop);
	case PFKEY_EXT_SPIRANGE:
	case PFKEY_EXT_EREG:
	case PFKEY_EXT_KM_COOKIE:
	case PFKEY_EXT_PAIR:
	case PFKEY_EXT_EDUMP:
	case PFKEY_EXT_WINDOW:
	case PFKEY_EXT_PADDING:
	case PFKEY_EXT_DUMMY:
	case PFKEY_EXT_CHECK:
	case PFKEY_EXT_NATT_PORTS:
	case PFKEY_EXT_SENSITIVITY:
	case PFKEY_EXT_OUTER_SENS:
	case PFKEY_EXT_END:
		break;
	}
	return encode_fixed(wr, msg, number);
}

static void encode_base(uint8_t *at, const struct pfkey_message *msg, size_t len)
{
	uint16_t units = (uint16_t)(len / PFKEY_UNIT);

	at[0] = PFKEY_VERSION;
	at[1] = msg->type;
	at[2] = msg->error;
	at[3] = msg->satype;
	memcpy(at + 4, &units, sizeof(units));
	memcpy(at + 6, &msg->diagnostic, sizeof(msg->diagnostic));
	memcpy(at + 8, &msg->seq, sizeof(msg->seq));
	memcpy(at + 12, &msg->pid, sizeof(msg->pid));
}

int pfkey_encode(const struct pfkey_message *msg, enum pfkey_side side, uint8_t *buffer,
	size_t size, size_t *ret_len)
{
	struct writer wr;
	int r;

	writer_init(&wr, buffer, size);
	(void)write_zeros(&wr, PFKEY_BASE_BYTES);
	for (unsigned int number = 1; number < PFKEY_EXT_END; number++) {
		if (!(msg->present & PFKEY_BIT(number)))
			continue;
		r = pfkey_encode_extension(&wr, msg, (uint16_t)number, side);
		if (r < 0)
			return r;
	}
	if (wr.failed || writer_used(&wr) / PFKEY_UNIT > UINT16_MAX)
		return -EMSGSIZE;
	encode_base(buffer, msg, writer_used(&wr));
	*ret_len = writer_used(&wr);
	return 0;
}
