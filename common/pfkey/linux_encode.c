/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages in the Linux numbering on their way out. */
#include <errno.h>
#include <string.h>

#include "common/base/checked.h"
#include "common/pfkey/linux.h"
#include "common/pfkey/wire.h"

#define UDP_ENCAP_ESP 2

const char *pfkey_linux_type_name(uint8_t type)
{
#define ROW(number, ID, name) [number] = (name),
	static const char *const names[] = { PFKEY_LINUX_TYPES(ROW) };
#undef ROW
	uint8_t number = type & (uint8_t)~PFKEY_LINUX_BIT;

	if (type & PFKEY_LINUX_BIT)
		return number < ARRAY_SIZE(names) ? names[number] : NULL;
	return type <= PFKEY_X_PROMISC ? pfkey_type_name(type) : NULL;
}

/* 0: it has no number here. */
static uint8_t type_on_wire(uint8_t type)
{
	if (type & PFKEY_LINUX_BIT)
		return type & (uint8_t)~PFKEY_LINUX_BIT;
	if (type == PFKEY_X_UPDATEPAIR)
		return PFKEY_UPDATE;
	if (type == PFKEY_X_DELPAIR)
		return PFKEY_DELETE;
	return type <= PFKEY_X_PROMISC ? type : 0;
}

static void encode_sa(struct writer *wr, const struct sa *sa)
{
	write_head(wr, PFKEY_SA_BYTES, PFKEY_EXT_SA);
	(void)write_be32(wr, sa->spi);
	(void)write_u8(wr, sa->replay_window > UINT8_MAX ? UINT8_MAX : (uint8_t)sa->replay_window);
	(void)write_u8(wr, sa->state);
	(void)write_u8(wr, sa->auth);
	(void)write_u8(wr, sa->encr);
	write_host32(wr, 0);
}

static void encode_end(struct writer *wr, uint16_t number, const struct address *addr, int family)
{
	struct pfkey_wire_address end = { .addr = addr->family == AF_UNSPEC ? address_any(family)
									    : *addr };

	end.bits = address_bits(end.addr.family);
	pfkey_write_address(wr, number, &end);
}

static void encode_selector(struct writer *wr, const struct pfkey_policy *policy, uint16_t number)
{
	bool src = number == PFKEY_EXT_ADDRESS_SRC;
	const struct prefix *prefix = src ? &policy->src : &policy->dst;
	struct pfkey_wire_address end = {
		.addr = prefix->addr,
		.bits = prefix->bits,
		.port = src ? policy->src_port : policy->dst_port,
		.proto = policy->protocol ? policy->protocol : PFKEY_LINUX_PROTO_ANY,
	};

	pfkey_write_address(wr, number, &end);
}

static void encode_addresses(struct writer *wr, const struct pfkey_message *msg)
{
	const struct sa *sa = msg->sa;
	int family = sa->dst.family == AF_INET6 ? AF_INET6 : AF_INET;

	for (unsigned int i = PFKEY_EXT_ADDRESS_SRC; i <= PFKEY_EXT_ADDRESS_DST; i++) {
		if (!(msg->present & PFKEY_BIT(i)))
			continue;
		if (msg->type & PFKEY_LINUX_BIT && msg->type != PFKEY_LINUX_NAT_T_NEW_MAPPING)
			encode_selector(wr, &msg->policy, (uint16_t)i);
		else
			encode_end(wr, (uint16_t)i,
				i == PFKEY_EXT_ADDRESS_SRC ? &sa->src : &sa->dst, family);
	}
	/* All addresses go without saying. */
	if (sa->mode == SA_MODE_TUNNEL && sa->inner_src.bits > 0) {
		struct pfkey_wire_address proxy = { .addr = sa->inner_src.addr,
			.bits = sa->inner_src.bits };

		pfkey_write_address(wr, PFKEY_EXT_INNER_SRC, &proxy);
	}
}

static void write_sockaddr(struct writer *wr, const struct address *addr)
{
	size_t size = addr->family == AF_INET6 ? sizeof(struct sockaddr_in6)
					       : sizeof(struct sockaddr_in);
	struct sockaddr_storage ss;

	(void)address_to_sockaddr(addr, 0, &ss);
	(void)write_bytes(wr, &ss, size);
}

static size_t request_bytes(const struct pfkey_request *request)
{
	if (request->src.family == AF_UNSPEC || request->dst.family == AF_UNSPEC)
		return PFKEY_LINUX_REQUEST_BYTES;
	return PFKEY_LINUX_REQUEST_BYTES + 2 * (request->src.family == AF_INET6
							       ? sizeof(struct sockaddr_in6)
							       : sizeof(struct sockaddr_in));
}

static void encode_request(struct writer *wr, const struct pfkey_request *request)
{
	size_t bytes = request_bytes(request);

	write_host16(wr, (uint16_t)bytes);
	write_host16(wr, request->proto);
	(void)write_u8(wr, request->mode);
	(void)write_u8(wr, request->level);
	write_host16(wr, 0);
	write_host32(wr, request->reqid);
	write_host32(wr, 0);
	if (bytes > PFKEY_LINUX_REQUEST_BYTES) {
		write_sockaddr(wr, &request->src);
		write_sockaddr(wr, &request->dst);
	}
	/* Two sockaddrs of either family are whole units. */
}

static void encode_policy(struct writer *wr, const struct pfkey_policy *policy)
{
	size_t bytes = PFKEY_LINUX_POLICY_BYTES;

	for (size_t i = 0; i < policy->n_requests; i++)
		bytes += request_bytes(&policy->requests[i]);
	write_head(wr, bytes, PFKEY_LINUX_EXT_POLICY);
	write_host16(wr, policy->type);
	(void)write_u8(wr, policy->direction);
	(void)write_u8(wr, 0);
	write_host32(wr, policy->id);
	write_host32(wr, policy->priority);
	for (size_t i = 0; i < policy->n_requests; i++)
		encode_request(wr, &policy->requests[i]);
}

static void encode_km_address(struct writer *wr, const struct pfkey_message *msg)
{
	size_t size = msg->km_local.family == AF_INET6 ? sizeof(struct sockaddr_in6)
						       : sizeof(struct sockaddr_in);

	write_head(wr, PFKEY_UNIT + 2 * size, PFKEY_LINUX_EXT_KMADDRESS);
	write_host32(wr, 0);
	write_sockaddr(wr, &msg->km_local);
	write_sockaddr(wr, &msg->km_remote);
}

static void encode_port(struct writer *wr, uint16_t number, uint16_t port)
{
	write_head(wr, PFKEY_UNIT, number);
	(void)write_be16(wr, port);
	write_host16(wr, 0);
}

/* What is not in the other numbering. */
static void encode_own(struct writer *wr, const struct pfkey_message *msg)
{
	uint64_t present = msg->present;
	const struct sa *sa = msg->sa;

	if (present & PFKEY_LINUX_HAS_POLICY)
		encode_policy(wr, &msg->policy);
	if (present & PFKEY_LINUX_HAS_SA2) {
		write_head(wr, PFKEY_LINUX_SA2_BYTES, PFKEY_LINUX_EXT_SA2);
		(void)write_u8(wr, sa->mode == SA_MODE_TUNNEL ? PFKEY_LINUX_MODE_TUNNEL
							      : PFKEY_LINUX_MODE_TRANSPORT);
		(void)write_zeros(wr, 3);
		write_host32(wr, 0);
		write_host32(wr, sa->reqid);
	}
	if (present & PFKEY_LINUX_HAS_NATT_TYPE) {
		write_head(wr, PFKEY_UNIT, PFKEY_LINUX_EXT_NATT_TYPE);
		(void)write_u8(wr, sa->flags & SA_FLAG_ENCAP ? UDP_ENCAP_ESP : 0);
		(void)write_zeros(wr, 3);
	}
	if (present & PFKEY_LINUX_HAS_SPORT)
		encode_port(wr, PFKEY_LINUX_EXT_SPORT, msg->natt_src_port);
	if (present & PFKEY_LINUX_HAS_DPORT)
		encode_port(wr, PFKEY_LINUX_EXT_DPORT, msg->natt_dst_port);
	if (present & PFKEY_LINUX_HAS_KMADDRESS)
		encode_km_address(wr, msg);
}

static int encode_shared(
	struct writer *wr, const struct pfkey_message *msg, const uint8_t *extensions, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (msg->present & PFKEY_BIT(extensions[i]))
			r = pfkey_encode_extension(wr, msg, extensions[i], PFKEY_REQUEST);
	return r;
}

static int encode_all(struct writer *wr, const struct pfkey_message *msg)
{
	static const uint8_t lifetimes[] = { PFKEY_EXT_LIFETIME_CURRENT, PFKEY_EXT_LIFETIME_HARD,
		PFKEY_EXT_LIFETIME_SOFT };
	static const uint8_t keys[] = { PFKEY_EXT_KEY_AUTH, PFKEY_EXT_KEY_ENCRYPT,
		PFKEY_EXT_PROPOSAL, PFKEY_EXT_SUPPORTED_AUTH, PFKEY_EXT_SUPPORTED_ENCRYPT };
	static const uint8_t ours[] = { PFKEY_EXT_WINDOW, PFKEY_EXT_PADDING, PFKEY_EXT_DUMMY };
	int r;

	if (msg->present & PFKEY_BIT(PFKEY_EXT_SA))
		encode_sa(wr, msg->sa);
	r = encode_shared(wr, msg, lifetimes, ARRAY_SIZE(lifetimes));
	if (r < 0)
		return r;
	encode_addresses(wr, msg);
	r = encode_shared(wr, msg, keys, ARRAY_SIZE(keys));
	if (r < 0)
		return r;
	if (msg->present & PFKEY_BIT(PFKEY_EXT_SPIRANGE)) {
		write_head(wr, PFKEY_RANGE_BYTES, PFKEY_EXT_SPIRANGE);
		write_host32(wr, msg->spi_min);
		write_host32(wr, msg->spi_max);
		write_host32(wr, 0);
	}
	encode_own(wr, msg);
	r = encode_shared(wr, msg, ours, ARRAY_SIZE(ours));
	if (r == 0 && msg->sa->flags & SA_FLAG_ESN && msg->present & PFKEY_BIT(PFKEY_EXT_SA)) {
		write_head(wr, PFKEY_UNIT, PFKEY_LINUX_EXT_ESN);
		write_host32(wr, 1);
	}
	return r;
}

int pfkey_linux_encode(const struct pfkey_message *msg, enum pfkey_side side, uint8_t *buffer,
	size_t size, size_t *ret_len)
{
	uint8_t type = type_on_wire(msg->type);
	struct writer wr;
	uint16_t units;
	int r;

	(void)side; /* both say it alike */
	if (type == 0 && msg->type != 0)
		return -EINVAL;
	writer_init(&wr, buffer, size);
	(void)write_zeros(&wr, PFKEY_BASE_BYTES);
	r = encode_all(&wr, msg);
	if (r < 0)
		return r;
	if (wr.failed || writer_used(&wr) / PFKEY_UNIT > UINT16_MAX)
		return -EMSGSIZE;
	units = (uint16_t)(writer_used(&wr) / PFKEY_UNIT);
	buffer[0] = PFKEY_VERSION;
	buffer[1] = type;
	buffer[2] = msg->error;
	buffer[3] = msg->satype;
	memcpy(buffer + 4, &units, sizeof(units));
	memcpy(buffer + 8, &msg->seq, sizeof(msg->seq));
	memcpy(buffer + 12, &msg->pid, sizeof(msg->pid));
	*ret_len = writer_used(&wr);
	return 0;
}
