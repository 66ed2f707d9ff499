/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages in the Linux numbering on their way in. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/checked.h"
#include "common/pfkey/linux.h"
#include "common/pfkey/wire.h"

#define SRC    PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC)
#define DST    PFKEY_BIT(PFKEY_EXT_ADDRESS_DST)
#define PROXY  PFKEY_BIT(PFKEY_EXT_INNER_SRC)
#define SA     PFKEY_BIT(PFKEY_EXT_SA)
#define POLICY PFKEY_LINUX_HAS_POLICY

#define UDP_ENCAP_NONE 0
#define UDP_ENCAP_ESP  2 /* RFC 3948 */
#define FIRST_SPD_TYPE (PFKEY_LINUX_SPDUPDATE & ~PFKEY_LINUX_BIT)

struct linux_decoding {
	struct pfkey_decoding in;
	struct pfkey_wire_address src, dst, proxy;
	uint8_t mode; /* of X_SA2 */
};

static int refuse(struct linux_decoding *li, uint16_t diagnostic)
{
	return pfkey_refuse(&li->in.fault, EINVAL, diagnostic);
}

int pfkey_linux_decode_base(const void *bytes, size_t len, struct pfkey_message *ret_msg)
{
	int r = pfkey_decode_base(bytes, len, ret_msg);

	if (r == 0 && ret_msg->type & PFKEY_LINUX_BIT)
		ret_msg->type = 0; /* the bit is ours, no number on the wire has it */
	else if (r == 0 && ret_msg->type > PFKEY_X_PROMISC)
		ret_msg->type |= PFKEY_LINUX_BIT;
	return r;
}

static int decode_sa(struct linux_decoding *li, const uint8_t *ext, size_t len)
{
	struct sa *sa = li->in.msg->sa;

	if (len != PFKEY_SA_BYTES)
		return refuse(li, PFKEY_DIAG_MALFORMED_SA);
	sa->spi = load_be32(ext + 4);
	if (sa->replay_window == 0) /* a WINDOW extension that came before says more */
		sa->replay_window = ext[8];
	sa->state = ext[9];
	sa->auth = ext[10] == PFKEY_LINUX_AUTH_NULL ? 0 : ext[10];
	sa->encr = ext[11];
	return 0; /* flags: what they ask for, path MTU discovery and the like, is not told by SAs here */
}

static int decode_address(
	struct linux_decoding *li, struct pfkey_wire_address *to, const uint8_t *ext, size_t len)
{
	int r = pfkey_load_address(ext, len, to);

	if (r == -EAFNOSUPPORT)
		return refuse(li, PFKEY_DIAG_BAD_SRC_AF);
	if (r < 0)
		return refuse(li, PFKEY_DIAG_MALFORMED_SRC);
	if (to->proto == PFKEY_LINUX_PROTO_ANY)
		to->proto = 0;
	return 0;
}

static int decode_range(struct linux_decoding *li, const uint8_t *ext, size_t len)
{
	struct pfkey_message *msg = li->in.msg;

	if (len != PFKEY_RANGE_BYTES)
		return refuse(li, PFKEY_DIAG_MALFORMED_RANGE);
	msg->spi_min = load_host32(ext + 4);
	msg->spi_max = load_host32(ext + 8);
	return msg->spi_min > msg->spi_max ? refuse(li, PFKEY_DIAG_MALFORMED_RANGE) : 0;
}

/* One sockaddr of a request, without padding of its own. Return: its size, 0: there is none. */
static size_t load_sockaddr(const uint8_t *at, size_t room, struct address *ret)
{
	union {
		struct sockaddr any;
		struct sockaddr_storage room;
	} u = { 0 };
	size_t size = 0;
	uint16_t port;

	if (room >= sizeof(sa_family_t) && load_host16(at) == AF_INET)
		size = sizeof(struct sockaddr_in);
	else if (room >= sizeof(sa_family_t) && load_host16(at) == AF_INET6)
		size = sizeof(struct sockaddr_in6);
	if (size == 0 || size > room)
		return 0;
	memcpy(&u.room, at, size);
	return address_from_sockaddr(&u.any, (socklen_t)size, ret, &port) < 0 ? 0 : size;
}

static int decode_request(struct linux_decoding *li, const uint8_t *at, size_t len)
{
	struct pfkey_policy *policy = &li->in.msg->policy;
	struct pfkey_request *request = &policy->requests[policy->n_requests];
	size_t used = PFKEY_LINUX_REQUEST_BYTES, size;

	if (policy->n_requests == PFKEY_MAX_REQUESTS)
		return refuse(li, PFKEY_DIAG_NONE);
	request->proto = load_host16(at + 2);
	request->mode = at[4];
	request->level = at[5];
	request->reqid = load_host32(at + 8);
	policy->n_requests++;
	/* Addresses of transport mode say nothing, unless something moves from them or there. */
	if (len == used || (request->mode != PFKEY_LINUX_MODE_TUNNEL &&
				   li->in.msg->type != PFKEY_LINUX_MIGRATE))
		return 0;
	size = load_sockaddr(at + used, len - used, &request->src);
	used += size;
	if (size == 0 || load_sockaddr(at + used, len - used, &request->dst) == 0 ||
		request->src.family != request->dst.family)
		return refuse(li, PFKEY_DIAG_AF_MISMATCH);
	return 0;
}

static int decode_policy(struct linux_decoding *li, const uint8_t *ext, size_t len)
{
	struct pfkey_policy *policy = &li->in.msg->policy;
	size_t at = PFKEY_LINUX_POLICY_BYTES, size;
	int r;

	if (len < at)
		return refuse(li, PFKEY_DIAG_BAD_EXTLEN);
	policy->type = load_host16(ext + 4);
	policy->direction = ext[6];
	policy->id = load_host32(ext + 8);
	policy->priority = load_host32(ext + 12);
	while (at < len) {
		size = len - at >= PFKEY_LINUX_REQUEST_BYTES ? load_host16(ext + at) : 0;
		if (size < PFKEY_LINUX_REQUEST_BYTES || size > len - at)
			return refuse(li, PFKEY_DIAG_BAD_EXTLEN);
		r = decode_request(li, ext + at, size);
		if (r < 0)
			return r;
		at += round_up(size, PFKEY_UNIT);
	}
	return 0;
}

static int decode_km_address(struct linux_decoding *li, const uint8_t *ext, size_t len)
{
	struct pfkey_message *msg = li->in.msg;
	size_t at = PFKEY_UNIT, size = load_sockaddr(ext + at, len - at, &msg->km_local);

	at += size;
	if (size == 0 || load_sockaddr(ext + at, len - at, &msg->km_remote) == 0 ||
		msg->km_local.family != msg->km_remote.family)
		return refuse(li, PFKEY_DIAG_BAD_EXTLEN);
	return 0;
}

static int decode_natt_type(struct linux_decoding *li, uint8_t type)
{
	if (type != UDP_ENCAP_NONE && type != UDP_ENCAP_ESP)
		return refuse(li, PFKEY_DIAG_BAD_SAFLAGS);
	if (type == UDP_ENCAP_ESP)
		li->in.msg->sa->flags |= SA_FLAG_ENCAP;
	return 0;
}

/* What the other numbering has as well, byte for byte. */
static int decode_shared(struct linux_decoding *li, const uint8_t *ext, size_t len, uint16_t number)
{
	const struct pfkey_row *row = pfkey_row_find(number);

	if (!row)
		return refuse(li, PFKEY_DIAG_UNKNOWN_EXT);
	if (len < row->min_bytes || (row->max_bytes && len > row->max_bytes))
		return refuse(li, row->malformed);
	return row->decode(&li->in, row, ext, len);
}

static int decode_small(struct linux_decoding *li, const uint8_t *ext, uint16_t number)
{
	struct pfkey_message *msg = li->in.msg;

	switch (number) {
	case PFKEY_LINUX_EXT_NATT_TYPE:
		return decode_natt_type(li, ext[4]);
	case PFKEY_LINUX_EXT_SPORT:
		msg->natt_src_port = load_be16(ext + 4);
		return 0;
	case PFKEY_LINUX_EXT_DPORT:
		msg->natt_dst_port = load_be16(ext + 4);
		return 0;
	default:
		msg->sa->flags |= SA_FLAG_ESN;
		return 0;
	}
}

/* Bit of `present`; 0: what is passed over. */
static uint64_t bit_of(uint16_t number)
{
	switch (number) {
	case PFKEY_LINUX_EXT_POLICY:
		return PFKEY_LINUX_HAS_POLICY;
	case PFKEY_LINUX_EXT_SA2:
		return PFKEY_LINUX_HAS_SA2;
	case PFKEY_LINUX_EXT_NATT_TYPE:
		return PFKEY_LINUX_HAS_NATT_TYPE;
	case PFKEY_LINUX_EXT_SPORT:
		return PFKEY_LINUX_HAS_SPORT;
	case PFKEY_LINUX_EXT_DPORT:
		return PFKEY_LINUX_HAS_DPORT;
	case PFKEY_LINUX_EXT_ESN:
		return PFKEY_LINUX_HAS_ESN;
	case PFKEY_LINUX_EXT_KMADDRESS:
		return PFKEY_LINUX_HAS_KMADDRESS;
	/* Linux keeps no identities; the others are notes between programs. */
	case PFKEY_EXT_IDENTITY_SRC:
	case PFKEY_EXT_IDENTITY_DST:
	case PFKEY_LINUX_EXT_KMPRIVATE:
	case PFKEY_LINUX_EXT_OA:
	case PFKEY_LINUX_EXT_FILTER:
		return 0;
	case PFKEY_WINDOW_NUMBER:
		return PFKEY_BIT(PFKEY_EXT_WINDOW);
	case PFKEY_PADDING_NUMBER:
		return PFKEY_BIT(PFKEY_EXT_PADDING);
	case PFKEY_DUMMY_NUMBER:
		return PFKEY_BIT(PFKEY_EXT_DUMMY);
	default:
		return number >= PFKEY_EXT_SA && number <= PFKEY_EXT_SPIRANGE ? PFKEY_BIT(number)
									      : 0;
	}
}

static int decode_known(struct linux_decoding *li, const uint8_t *ext, size_t len, uint16_t number)
{
	switch (number) {
	case PFKEY_EXT_SA:
		return decode_sa(li, ext, len);
	case PFKEY_EXT_ADDRESS_SRC:
		return decode_address(li, &li->src, ext, len);
	case PFKEY_EXT_ADDRESS_DST:
		return decode_address(li, &li->dst, ext, len);
	case PFKEY_EXT_INNER_SRC: /* ADDRESS_PROXY */
		return decode_address(li, &li->proxy, ext, len);
	case PFKEY_EXT_SENSITIVITY:
	case PFKEY_LINUX_EXT_SEC_CTX:
		return refuse(li, PFKEY_DIAG_BAD_LABEL);
	case PFKEY_EXT_SPIRANGE:
		return decode_range(li, ext, len);
	case PFKEY_LINUX_EXT_POLICY:
		return decode_policy(li, ext, len);
	case PFKEY_LINUX_EXT_KMADDRESS:
		return decode_km_address(li, ext, len);
	case PFKEY_LINUX_EXT_SA2:
		if (len != PFKEY_LINUX_SA2_BYTES)
			return refuse(li, PFKEY_DIAG_BAD_EXTLEN);
		li->mode = ext[4];
		li->in.msg->sa->reqid = load_host32(ext + 12);
		return 0;
	case PFKEY_LINUX_EXT_NATT_TYPE:
	case PFKEY_LINUX_EXT_SPORT:
	case PFKEY_LINUX_EXT_DPORT:
	case PFKEY_LINUX_EXT_ESN:
		return len == PFKEY_UNIT ? decode_small(li, ext, number)
					 : refuse(li, PFKEY_DIAG_BAD_EXTLEN);
	default:
		return decode_shared(li, ext, len, number);
	}
}

static int decode_extension(struct linux_decoding *li, const uint8_t *ext, size_t len)
{
	uint16_t number = load_host16(ext + 2);
	uint64_t bit = bit_of(number);

	if (number == PFKEY_LINUX_EXT_SEC_CTX)
		return refuse(li, PFKEY_DIAG_BAD_LABEL);
	if (bit == 0) /* RFC 2367 section 2.3.1, and so does Linux */
		return number == 0 ? refuse(li, PFKEY_DIAG_UNKNOWN_EXT) : 0;
	if (li->in.msg->present & bit)
		return refuse(li, PFKEY_DIAG_NONE);
	li->in.msg->present |= bit;
	return decode_known(li, ext, len, number);
}

static int decode_extensions(struct linux_decoding *li, const uint8_t *bytes, size_t len)
{
	size_t at = PFKEY_BASE_BYTES, size;
	int r;

	while (at < len) {
		size = (size_t)load_host16(bytes + at) * PFKEY_UNIT;
		if (size == 0 || size > len - at)
			return refuse(li, PFKEY_DIAG_BAD_EXTLEN);
		r = decode_extension(li, bytes + at, size);
		if (r < 0)
			return r;
		at += size;
	}
	return 0;
}

static int settle_selector(struct linux_decoding *li)
{
	struct pfkey_policy *policy = &li->in.msg->policy;

	if (li->src.addr.family != li->dst.addr.family)
		return refuse(li, PFKEY_DIAG_AF_MISMATCH);
	if (!li->src.bits_fit || !li->dst.bits_fit ||
		prefix_make(&li->src.addr, li->src.bits, &policy->src) < 0 ||
		prefix_make(&li->dst.addr, li->dst.bits, &policy->dst) < 0)
		return refuse(li, PFKEY_DIAG_MALFORMED_SRC);
	if (li->src.proto && li->dst.proto && li->src.proto != li->dst.proto)
		return refuse(li, PFKEY_DIAG_PROTO_MISMATCH);
	policy->protocol = li->src.proto ? li->src.proto : li->dst.proto;
	policy->src_port = li->src.port;
	policy->dst_port = li->dst.port;
	return 0;
}

static int settle_mode(struct linux_decoding *li)
{
	struct sa *sa = li->in.msg->sa;
	struct address any = address_any(sa->dst.family == AF_INET6 ? AF_INET6 : AF_INET);

	if (li->mode > PFKEY_LINUX_MODE_TUNNEL)
		return refuse(li, PFKEY_DIAG_NONE);
	if (li->mode != PFKEY_LINUX_MODE_TUNNEL)
		return 0;
	sa->mode = SA_MODE_TUNNEL;
	li->in.msg->present |= PFKEY_BIT(PFKEY_EXT_INNER_DST);
	if (!(li->in.msg->present & PROXY))
		li->proxy = (struct pfkey_wire_address){ .addr = any, .bits_fit = true };
	li->in.msg->present |= PROXY;
	any = address_any(li->proxy.addr.family);
	if (!li->proxy.bits_fit ||
		prefix_make(&li->proxy.addr, li->proxy.bits, &sa->inner_src) < 0 ||
		prefix_make(&any, 0, &sa->inner_dst) < 0)
		return refuse(li, PFKEY_DIAG_PREFIX_INNER_SRC);
	return 0;
}

/* What follows from several extensions together. */
static int settle(struct linux_decoding *li)
{
	struct pfkey_message *msg = li->in.msg;
	struct sa *sa = msg->sa;
	int r;

	if (msg->type & PFKEY_LINUX_BIT) {
		if ((msg->present & (SRC | DST)) == (SRC | DST))
			return settle_selector(li);
		msg->present &= ~(SRC | DST); /* one end alone is no selector */
		return 0;
	}
	/* Ports and protocols of an SA's ends are no selectors on Linux. */
	sa->src = li->src.addr;
	sa->dst = li->dst.addr;
	sa->proto = (enum sa_proto)pfkey_proto_of(msg->satype);
	sa->origin = SA_ORIGIN_PFKEY;
	r = settle_mode(li);
	if (r < 0)
		return r;
	if (sa->flags & SA_FLAG_ENCAP)
		msg->sa_flags |= PFKEY_SAF_NATTED;
	if ((msg->present & (SRC | DST)) == (SRC | DST) && address_is_unspecified(&sa->src))
		sa->src = address_any(sa->dst.family);
	return 0;
}

static const struct {
	uint64_t required;
	bool any_satype; /* SA type 0 is fine */
} sa_rules[PFKEY_X_PROMISC + 1] = {
	[PFKEY_GETSPI] = { SRC | DST, false },
	[PFKEY_UPDATE] = { SRC | DST | SA, false },
	[PFKEY_ADD] = { SRC | DST | SA, false },
	[PFKEY_DELETE] = { DST | SA, false },
	[PFKEY_GET] = { DST | SA, false },
	[PFKEY_ACQUIRE] = { 0, true },
	[PFKEY_REGISTER] = { 0, true },
	[PFKEY_EXPIRE] = { 0, true },
	[PFKEY_FLUSH] = { 0, true },
	[PFKEY_DUMP] = { 0, true },
	[PFKEY_X_PROMISC] = { 0, true },
};

/* By wire number less FIRST_SPD_TYPE. Their SA type says nothing. */
static const uint64_t spd_rules[] = {
	SRC | DST | POLICY, /* SPDUPDATE */
	SRC | DST | POLICY, /* SPDADD */
	SRC | DST | POLICY, /* SPDDELETE */
	POLICY, /* SPDGET */
	0, /* SPDACQUIRE */
	0, /* SPDDUMP */
	0, /* SPDFLUSH */
	SRC | DST | POLICY, /* SPDSETIDX */
	0, /* SPDEXPIRE */
	POLICY, /* SPDDELETE2 */
	0, /* NAT_T_NEW_MAPPING */
	SRC | DST | POLICY, /* MIGRATE */
};

static int check_satype(struct linux_decoding *li)
{
	const struct pfkey_message *msg = li->in.msg;

	if (msg->type == PFKEY_X_PROMISC)
		return 0;
	if (msg->satype != PFKEY_SATYPE_UNSPEC && pfkey_proto_of(msg->satype) == 0)
		return refuse(li, PFKEY_DIAG_UNKNOWN_SATYPE);
	if (msg->satype == PFKEY_SATYPE_UNSPEC && !sa_rules[msg->type].any_satype)
		return refuse(li, PFKEY_DIAG_SATYPE_NEEDED);
	return 0;
}

static int check_present(struct linux_decoding *li, uint64_t required)
{
	static const struct {
		uint64_t bit;
		uint16_t diagnostic;
	} missing[] = {
		{ SRC, PFKEY_DIAG_MISSING_SRC },
		{ DST, PFKEY_DIAG_MISSING_DST },
		{ SA, PFKEY_DIAG_MISSING_SA },
		{ POLICY, PFKEY_DIAG_NO_EXT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		if (required & ~li->in.msg->present & missing[i].bit)
			return refuse(li, missing[i].diagnostic);
	return 0;
}

static int decode_request_message(struct linux_decoding *li, const uint8_t *bytes, size_t len)
{
	struct pfkey_message *msg = li->in.msg;
	bool is_spd = msg->type & PFKEY_LINUX_BIT;
	uint8_t number = msg->type & (uint8_t)~PFKEY_LINUX_BIT;
	uint64_t required;
	int r;

	if (number == 0 || msg->type >= PFKEY_LINUX_TYPE_END || (is_spd && number < FIRST_SPD_TYPE))
		return refuse(li, PFKEY_DIAG_UNKNOWN_MSG);
	r = is_spd ? 0 : check_satype(li);
	if (r < 0)
		return r;
	/* Key management says that it failed: the sequence number is all that counts. */
	if (msg->type == PFKEY_ACQUIRE && msg->error)
		return 0;
	required = is_spd ? spd_rules[number - FIRST_SPD_TYPE] : sa_rules[msg->type].required;
	r = decode_extensions(li, bytes, len);
	if (r == 0)
		r = check_present(li, required);
	if (r == 0)
		r = settle(li);
	if (r < 0 || is_spd)
		return r;
	if (msg->type == PFKEY_GETSPI && !(msg->present & PFKEY_BIT(PFKEY_EXT_SPIRANGE))) {
		msg->spi_min = PFKEY_LINUX_SPI_MIN;
		msg->spi_max = PFKEY_LINUX_SPI_MAX;
	}
	return pfkey_check_addresses(msg->sa, msg->present, &li->in.fault);
}

static int decode_answer(struct linux_decoding *li, const uint8_t *bytes, size_t len)
{
	int r = decode_extensions(li, bytes, len);

	return r < 0 ? r : settle(li);
}

int pfkey_linux_decode(const void *bytes, size_t len, enum pfkey_side side,
	struct pfkey_message **ret_msg, struct pfkey_fault *ret_fault)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();
	/* Keys stand on the wire as in a request of the other numbering, both ways. */
	struct linux_decoding li = { .in = { .msg = msg, .side = PFKEY_REQUEST } };
	const uint8_t *at = bytes;
	int r;

	if (!msg)
		return pfkey_refuse(ret_fault, ENOMEM, PFKEY_DIAG_NONE);
	if (pfkey_linux_decode_base(bytes, len, msg) < 0 ||
		(size_t)load_host16(at + 4) * PFKEY_UNIT != len)
		return pfkey_refuse(ret_fault, EMSGSIZE, PFKEY_DIAG_NONE);
	if (at[0] != PFKEY_VERSION)
		return pfkey_refuse(ret_fault, EINVAL, PFKEY_DIAG_NONE);
	r = side == PFKEY_REQUEST ? decode_request_message(&li, at, len)
				  : decode_answer(&li, at, len);
	if (r < 0) {
		*ret_fault = li.in.fault;
		return r;
	}
	*ret_msg = STEAL(msg);
	return 0;
}
