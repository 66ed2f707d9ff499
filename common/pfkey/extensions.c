/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each extension means: one row and one function a kind. */
#include <errno.h>
#include <string.h>

#include "common/base/checked.h"
#include "common/pfkey/wire.h"

#define SOCKADDR_IN_BYTES  16
#define SOCKADDR_IN6_BYTES 28

static int malformed(struct pfkey_decoding *in, const struct pfkey_row *row)
{
	return pfkey_refuse(&in->fault, EINVAL, row->malformed);
}

static int decode_sa(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	struct pfkey_message *msg = in->msg;
	struct sa *sa = msg->sa;

	(void)row;
	(void)len;
	sa->spi = load_be32(ext + 4);
	if (sa->replay_window == 0) /* a WINDOW extension that came before says more */
		sa->replay_window = ext[8];
	sa->state = ext[9];
	sa->auth = ext[10];
	sa->encr = ext[11];
	msg->sa_flags = load_host32(ext + 12);
	return 0;
}

static void load_limits(const uint8_t *ext, struct sa_limits *ret)
{
	ret->allocations = load_host32(ext + 4);
	ret->bytes = load_host64(ext + 8);
	ret->add_sec = load_host64(ext + 16);
	ret->use_sec = load_host64(ext + 24);
}

static int decode_lifetime(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	struct pfkey_message *msg = in->msg;
	struct sa_limits limits;

	(void)len;
	load_limits(ext, &limits);
	if (row->extension == PFKEY_EXT_LIFETIME_HARD) {
		msg->sa->hard = limits;
	} else if (row->extension == PFKEY_EXT_LIFETIME_SOFT) {
		msg->sa->soft = limits;
	} else if (row->extension == PFKEY_EXT_LIFETIME_IDLE) {
		msg->sa->idle_add_sec = limits.add_sec;
		msg->sa->idle_use_sec = limits.use_sec;
	} else {
		msg->current.allocations = limits.allocations;
		msg->current.bytes = limits.bytes;
		msg->current.add_wall_sec = limits.add_sec;
		msg->current.use_wall_sec = limits.use_sec;
	}
	return 0;
}

int pfkey_load_address(const uint8_t *ext, size_t len, struct pfkey_wire_address *ret)
{
	union {
		struct sockaddr any;
		struct sockaddr_storage room;
	} u = { 0 };
	size_t size;
	int r;

	if (len < PFKEY_ADDRESS_BYTES + PFKEY_UNIT)
		return -EINVAL;
	switch (load_host16(ext + PFKEY_ADDRESS_BYTES)) {
	case AF_INET:
		size = SOCKADDR_IN_BYTES;
		break;
	case AF_INET6:
		size = SOCKADDR_IN6_BYTES;
		break;
	default:
		return -EAFNOSUPPORT;
	}
	if (len != PFKEY_ADDRESS_BYTES + round_up(size, PFKEY_UNIT))
		return -EINVAL;
	memcpy(&u.room, ext + PFKEY_ADDRESS_BYTES, size);
	r = address_from_sockaddr(&u.any, (socklen_t)size, &ret->addr, &ret->port);
	if (r < 0)
		return r;
	ret->proto = ext[4];
	ret->bits = ext[5];
	/* An IPv4 address in IPv6 clothes counts its prefix from bit 96. */
	if (size == SOCKADDR_IN6_BYTES && ret->addr.family == AF_INET) {
		ret->bits_fit = ret->bits >= 96 && ret->bits <= 128;
		ret->bits = ret->bits_fit ? ret->bits - 96 : 0;
	} else {
		ret->bits_fit = ret->bits <= address_bits(ret->addr.family);
	}
	return 0;
}

static int decode_inner(struct pfkey_decoding *in, const struct pfkey_row *row,
	const struct pfkey_wire_address *wire)
{
	bool src = row->extension == PFKEY_EXT_INNER_SRC;
	struct sa *sa = in->msg->sa;

	if (!wire->bits_fit ||
		prefix_make(&wire->addr, wire->bits, src ? &sa->inner_src : &sa->inner_dst) < 0)
		return pfkey_refuse(&in->fault, EINVAL,
			src ? PFKEY_DIAG_PREFIX_INNER_SRC : PFKEY_DIAG_PREFIX_INNER_DST);
	if (src) {
		sa->inner_src_port = wire->port;
		in->proto_inner_src = wire->proto;
	} else {
		sa->inner_dst_port = wire->port;
		in->proto_inner_dst = wire->proto;
	}
	return 0;
}

static uint16_t family_diagnostic(uint8_t extension)
{
	switch (extension) {
	case PFKEY_EXT_ADDRESS_SRC:
		return PFKEY_DIAG_BAD_SRC_AF;
	case PFKEY_EXT_ADDRESS_DST:
		return PFKEY_DIAG_BAD_DST_AF;
	case PFKEY_EXT_INNER_SRC:
		return PFKEY_DIAG_BAD_INNER_SRC_AF;
	case PFKEY_EXT_INNER_DST:
		return PFKEY_DIAG_BAD_INNER_DST_AF;
	case PFKEY_EXT_NATT_REM:
		return PFKEY_DIAG_BAD_NATT_REM_AF;
	default:
		return PFKEY_DIAG_BAD_NATT_LOC_AF;
	}
}

static int decode_address(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	struct pfkey_wire_address wire = { 0 };
	struct sa *sa = in->msg->sa;
	int r;

	r = pfkey_load_address(ext, len, &wire);
	if (r == -EAFNOSUPPORT)
		return pfkey_refuse(&in->fault, EINVAL, family_diagnostic(row->extension));
	if (r < 0)
		return malformed(in, row);
	switch (row->extension) {
	case PFKEY_EXT_ADDRESS_SRC:
		sa->src = wire.addr;
		sa->src_port = wire.port;
		in->proto_src = wire.proto;
		return 0;
	case PFKEY_EXT_ADDRESS_DST:
		sa->dst = wire.addr;
		sa->dst_port = wire.port;
		in->proto_dst = wire.proto;
		return 0;
	case PFKEY_EXT_NATT_LOC:
		sa->natt_local = wire.addr;
		sa->natt_local_port = wire.port;
		return 0;
	case PFKEY_EXT_NATT_REM:
		sa->natt_remote = wire.addr;
		sa->natt_remote_port = wire.port;
		return 0;
	default:
		return decode_inner(in, row, &wire);
	}
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	uint8_t seen = 0;

	for (size_t i = 0; i < len; i++)
		seen |= bytes[i];
	return seen == 0;
}

/* @bits of a key, those behind the last one cleared. */
static int load_key(const uint8_t *bytes, size_t bits, struct secret **ret_key)
{
	uint8_t copy[SECRET_MAX_BYTES];
	size_t len = (bits + 7) / 8;
	int r;

	if (len > sizeof(copy))
		return -EINVAL;
	memcpy(copy, bytes, len);
	if (bits % 8)
		copy[len - 1] &= (uint8_t)(0xff00U >> (bits % 8));
	r = secret_new(copy, len, ret_key);
	secret_wipe(copy, sizeof(copy));
	return r;
}

static int decode_key(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	bool encrypt = row->extension == PFKEY_EXT_KEY_ENCRYPT;
	uint16_t bits = load_host16(ext + 4), tail = load_host16(ext + 6);
	const uint8_t *bytes = ext + PFKEY_KEY_BYTES;
	struct sa *sa = in->msg->sa;
	size_t total = bits;
	int r;

	if (in->side == PFKEY_ANSWER && encrypt)
		total += tail; /* salt, behind a key that counts itself alone */
	if (bits == 0 || round_up((total + 7) / 8, PFKEY_UNIT) != len - PFKEY_KEY_BYTES)
		return malformed(in, row);
	if (in->side == PFKEY_REQUEST &&
		(tail >= bits || all_zero(bytes, ((size_t)bits - (encrypt ? tail : 0) + 7) / 8)))
		return malformed(in, row);
	r = load_key(bytes, total, encrypt ? &sa->encr_key : &sa->auth_key);
	if (r < 0)
		return r == -ENOMEM ? pfkey_refuse(&in->fault, ENOMEM, 0) : malformed(in, row);
	if (!encrypt) {
		sa->auth_key_bits = bits;
	} else if (in->side == PFKEY_ANSWER) {
		sa->encr_key_bits = bits;
		sa->salt_bits = tail;
	} else {
		sa->encr_key_bits = (uint16_t)(bits - tail);
		sa->iv_bits = tail;
	}
	return 0;
}

static int decode_identity(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	struct pfkey_identity *identity = row->extension == PFKEY_EXT_IDENTITY_SRC
						  ? &in->msg->identity_src
						  : &in->msg->identity_dst;
	size_t n = strnlen((const char *)ext + PFKEY_IDENTITY_BYTES, len - PFKEY_IDENTITY_BYTES);

	if (n >= sizeof(identity->value))
		return malformed(in, row);
	identity->type = load_host16(ext + 4);
	identity->id = load_host64(ext + 8);
	memcpy(identity->value, ext + PFKEY_IDENTITY_BYTES, n);
	identity->value[n] = '\0';
	return 0;
}

/* Labels: the lengths must hold, the contents are refused by whoever would have to honour them. */
static int decode_sensitivity(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	if (PFKEY_SENS_BYTES + ((size_t)ext[9] + ext[11]) * PFKEY_UNIT != len)
		return malformed(in, row);
	return 0;
}

static void load_comb(const uint8_t *at, struct pfkey_comb *ret)
{
	ret->auth = at[0];
	ret->encrypt = at[1];
	ret->flags = load_host16(at + 2);
	ret->auth_min_bits = load_host16(at + 4);
	ret->auth_max_bits = load_host16(at + 6);
	ret->encrypt_min_bits = load_host16(at + 8);
	ret->encrypt_max_bits = load_host16(at + 10);
	ret->salt_bits = at[12];
	load_limit_pair(at + 16, &ret->soft, &ret->hard);
}

static int decode_proposal(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	struct pfkey_message *msg = in->msg;
	size_t n = (len - PFKEY_PROPOSAL_BYTES) / PFKEY_COMB_BYTES;

	if (PFKEY_PROPOSAL_BYTES + n * PFKEY_COMB_BYTES != len || n > PFKEY_MAX_COMBS)
		return malformed(in, row);
	msg->proposal_replay = ext[4];
	for (size_t i = 0; i < n; i++)
		load_comb(ext + PFKEY_PROPOSAL_BYTES + i * PFKEY_COMB_BYTES, &msg->combs[i]);
	msg->n_combs = n;
	return 0;
}

static int decode_supported(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	bool auth = row->extension == PFKEY_EXT_SUPPORTED_AUTH;
	struct pfkey_algorithm *to = auth ? in->msg->auth : in->msg->encrypt;
	size_t n = (len - PFKEY_SUPPORTED_BYTES) / PFKEY_ALGORITHM_BYTES;

	if (n > PFKEY_MAX_ALGORITHMS)
		return malformed(in, row);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *at = ext + PFKEY_SUPPORTED_BYTES + i * PFKEY_ALGORITHM_BYTES;

		to[i] = (struct pfkey_algorithm){ .number = at[0],
			.iv_bits = at[1],
			.min_bits = load_host16(at + 2),
			.max_bits = load_host16(at + 4),
			.increment_bits = at[6],
			.salt_bits = at[7] };
	}
	*(auth ? &in->msg->n_auth : &in->msg->n_encrypt) = n;
	return 0;
}

static int decode_range(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	(void)len;
	in->msg->spi_min = load_be32(ext + 4);
	in->msg->spi_max = load_be32(ext + 8);
	if (in->msg->spi_min > in->msg->spi_max)
		return malformed(in, row);
	return 0;
}

/* 0: an address said it, or nobody did. */
static void load_port(const uint8_t *at, uint16_t *ret_port)
{
	if (load_host16(at) != 0)
		*ret_port = load_host16(at);
}

/* The small ones: numbers in fixed places. */
static int decode_fixed(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	struct pfkey_message *msg = in->msg;

	(void)len;
	switch (row->extension) {
	case PFKEY_EXT_EREG:
		memcpy(msg->extended_register, ext + 4, sizeof(msg->extended_register));
		return 0;
	case PFKEY_EXT_KM_COOKIE:
		msg->km_protocol = load_host32(ext + 4);
		msg->km_cookie = load_host64(ext + 8);
		return 0;
	case PFKEY_EXT_PAIR:
		msg->sa->pair_spi = load_be32(ext + 4);
		return 0;
	case PFKEY_EXT_REPLAY_VALUE:
		in->replay_low = load_host32(ext + 4);
		in->replay_high = load_host64(ext + 8);
		return 0;
	case PFKEY_EXT_EDUMP:
		msg->dump_idle_sec = load_host64(ext + 8);
		return 0;
	case PFKEY_EXT_WINDOW:
		msg->sa->replay_window = load_host32(ext + 4);
		return 0;
	case PFKEY_EXT_PADDING:
		if (load_host32(ext + 4) > UINT16_MAX)
			return malformed(in, row);
		msg->sa->tfc_pad = (uint16_t)load_host32(ext + 4);
		return 0;
	case PFKEY_EXT_DUMMY:
		msg->sa->tfc_dummy_msec = load_host32(ext + 4);
		return 0;
	case PFKEY_EXT_CHECK:
		msg->key_check = load_host64(ext + 8);
		return 0;
	case PFKEY_EXT_NATT_PORTS:
		load_port(ext + 4, &msg->sa->natt_local_port);
		load_port(ext + 6, &msg->sa->natt_remote_port);
		return 0;
	default:
		return 0;
	}
}

#define EXACTLY(bytes) (bytes), (bytes)

/* clang-format off */
static const struct pfkey_row rows[] = {
	{ 1, PFKEY_EXT_SA, PFKEY_DIAG_DUPLICATE_SA, PFKEY_DIAG_MALFORMED_SA, EXACTLY(PFKEY_SA_BYTES), decode_sa },
	{ 2, PFKEY_EXT_LIFETIME_CURRENT, 0, 0, EXACTLY(PFKEY_LIFETIME_BYTES), decode_lifetime },
	{ 3, PFKEY_EXT_LIFETIME_HARD, 0, 0, EXACTLY(PFKEY_LIFETIME_BYTES), decode_lifetime },
	{ 4, PFKEY_EXT_LIFETIME_SOFT, 0, 0, EXACTLY(PFKEY_LIFETIME_BYTES), decode_lifetime },
	{ 5, PFKEY_EXT_ADDRESS_SRC, PFKEY_DIAG_DUPLICATE_SRC, PFKEY_DIAG_MALFORMED_SRC, 8, 0, decode_address },
	{ 6, PFKEY_EXT_ADDRESS_DST, PFKEY_DIAG_DUPLICATE_DST, PFKEY_DIAG_MALFORMED_DST, 8, 0, decode_address },
	{ 7, PFKEY_EXT_INNER_SRC, PFKEY_DIAG_DUPLICATE_INNER_SRC, PFKEY_DIAG_MALFORMED_INNER_SRC, 8, 0, decode_address },
	{ 8, PFKEY_EXT_KEY_AUTH, PFKEY_DIAG_DUPLICATE_AKEY, PFKEY_DIAG_MALFORMED_AKEY, 8, 0, decode_key },
	{ 9, PFKEY_EXT_KEY_ENCRYPT, PFKEY_DIAG_DUPLICATE_EKEY, PFKEY_DIAG_MALFORMED_EKEY, 8, 0, decode_key },
	{ 10, PFKEY_EXT_IDENTITY_SRC, 0, 0, PFKEY_IDENTITY_BYTES, 0, decode_identity },
	{ 11, PFKEY_EXT_IDENTITY_DST, 0, 0, PFKEY_IDENTITY_BYTES, 0, decode_identity },
	{ 12, PFKEY_EXT_SENSITIVITY, 0, 0, PFKEY_SENS_BYTES, 0, decode_sensitivity },
	{ 13, PFKEY_EXT_PROPOSAL, 0, 0, PFKEY_PROPOSAL_BYTES, 0, decode_proposal },
	{ 14, PFKEY_EXT_SUPPORTED_AUTH, 0, 0, PFKEY_SUPPORTED_BYTES, 0, decode_supported },
	{ 15, PFKEY_EXT_SUPPORTED_ENCRYPT, 0, 0, PFKEY_SUPPORTED_BYTES, 0, decode_supported },
	{ 16, PFKEY_EXT_SPIRANGE, PFKEY_DIAG_DUPLICATE_RANGE, PFKEY_DIAG_MALFORMED_RANGE, EXACTLY(PFKEY_RANGE_BYTES), decode_range },
	{ 17, PFKEY_EXT_EREG, 0, 0, EXACTLY(PFKEY_EREG_BYTES), decode_fixed },
	{ 18, PFKEY_EXT_EPROP, 0, 0, PFKEY_PROPOSAL_BYTES, 0, pfkey_decode_eprop },
	{ 19, PFKEY_EXT_KM_COOKIE, PFKEY_DIAG_DUPLICATE_KMC, 0, EXACTLY(PFKEY_KMC_BYTES), decode_fixed },
	{ 20, PFKEY_EXT_NATT_LOC, PFKEY_DIAG_DUPLICATE_NATT_LOC, PFKEY_DIAG_MALFORMED_NATT_LOC, 8, 0, decode_address },
	{ 21, PFKEY_EXT_NATT_REM, PFKEY_DIAG_DUPLICATE_NATT_REM, PFKEY_DIAG_MALFORMED_NATT_REM, 8, 0, decode_address },
	{ 22, PFKEY_EXT_INNER_DST, PFKEY_DIAG_DUPLICATE_INNER_DST, PFKEY_DIAG_MALFORMED_INNER_DST, 8, 0, decode_address },
	{ 23, PFKEY_EXT_PAIR, 0, 0, EXACTLY(PFKEY_PAIR_BYTES), decode_fixed },
	{ 24, PFKEY_EXT_REPLAY_VALUE, 0, 0, EXACTLY(PFKEY_REPLAY_BYTES), decode_fixed },
	{ 25, PFKEY_EXT_EDUMP, 0, 0, EXACTLY(PFKEY_EDUMP_BYTES), decode_fixed },
	{ 26, PFKEY_EXT_LIFETIME_IDLE, 0, 0, EXACTLY(PFKEY_LIFETIME_BYTES), decode_lifetime },
	{ 27, PFKEY_EXT_OUTER_SENS, 0, 0, PFKEY_SENS_BYTES, 0, decode_sensitivity },
	{ PFKEY_WINDOW_NUMBER, PFKEY_EXT_WINDOW, 0, 0, EXACTLY(PFKEY_WINDOW_BYTES), decode_fixed },
	{ PFKEY_PADDING_NUMBER, PFKEY_EXT_PADDING, 0, 0, EXACTLY(PFKEY_PADDING_BYTES), decode_fixed },
	{ PFKEY_DUMMY_NUMBER, PFKEY_EXT_DUMMY, 0, 0, EXACTLY(PFKEY_DUMMY_BYTES), decode_fixed },
	{ PFKEY_CHECK_NUMBER, PFKEY_EXT_CHECK, 0, 0, EXACTLY(PFKEY_CHECK_BYTES), decode_fixed },
	{ PFKEY_PORTS_NUMBER, PFKEY_EXT_NATT_PORTS, 0, 0, EXACTLY(PFKEY_PORTS_BYTES), decode_fixed },
};
/* clang-format on */

const struct pfkey_row *pfkey_row_find(uint16_t number)
{
	if (number >= 1 && number <= PFKEY_EXT_OUTER_SENS)
		return &rows[number - 1];
	if (number >= PFKEY_WINDOW_NUMBER && number <= PFKEY_PORTS_NUMBER)
		return &rows[PFKEY_EXT_OUTER_SENS + number - PFKEY_WINDOW_NUMBER];
	return NULL;
}
