/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the Linux numbering, laid out with the kernel's own header: the codec has its numbers and
 * places from elsewhere.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <linux/pfkeyv2.h>

#include "common/base/checked.h"
#include "common/model/algorithm.h"
#include "common/pfkey/linux.h"
#include "tests/unit/suite.h"

#define ROOM 1024

/* A message as a program puts it together. */
struct draft {
	_Alignas(8) uint8_t bytes[ROOM];
	size_t len;
};

static void *append(struct draft *draft, size_t size)
{
	void *at = draft->bytes + draft->len;

	draft->len += (size + 7) / 8 * 8;
	ck_assert_uint_le(draft->len, ROOM);
	return at;
}

static void *extension(struct draft *draft, uint16_t type, size_t size)
{
	struct sadb_ext *ext = append(draft, size);

	ext->sadb_ext_len = (uint16_t)((size + 7) / 8);
	ext->sadb_ext_type = type;
	return ext;
}

static void begin(struct draft *draft, uint8_t type, uint8_t satype)
{
	struct sadb_msg *msg;

	*draft = (struct draft){ .len = 0 };
	msg = append(draft, sizeof(*msg));
	msg->sadb_msg_version = PF_KEY_V2;
	msg->sadb_msg_type = type;
	msg->sadb_msg_satype = satype;
	msg->sadb_msg_seq = 7;
	msg->sadb_msg_pid = 8;
}

static void add_address(
	struct draft *draft, uint16_t type, const char *text, uint8_t bits, uint16_t port)
{
	bool six = strchr(text, ':') != NULL;
	size_t size = six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	struct sadb_address *ext = extension(draft, type, sizeof(*ext) + size);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	ext->sadb_address_prefixlen = bits;
	ext->sadb_address_proto = 255;
	ck_assert_int_eq(inet_pton(six ? AF_INET6 : AF_INET, text,
				 six ? (void *)&in6.sin6_addr : (void *)&in.sin_addr),
		1);
	if (six)
		memcpy(ext + 1, &in6, size);
	else
		memcpy(ext + 1, &in, size);
}

static void add_ends(struct draft *draft)
{
	add_address(draft, SADB_EXT_ADDRESS_SRC, "192.0.2.1", 32, 0);
	add_address(draft, SADB_EXT_ADDRESS_DST, "192.0.2.2", 32, 0);
}

static void add_sa(struct draft *draft)
{
	struct sadb_sa *sa = extension(draft, SADB_EXT_SA, sizeof(*sa));

	sa->sadb_sa_spi = htonl(0xdeadbeef);
	sa->sadb_sa_replay = 32;
	sa->sadb_sa_state = SADB_SASTATE_MATURE;
	sa->sadb_sa_auth = SADB_X_AALG_SHA2_256HMAC;
	sa->sadb_sa_encrypt = SADB_X_EALG_AESCBC;
	sa->sadb_sa_flags = SADB_SAFLAGS_NOECN;
}

static void add_key(struct draft *draft, uint16_t type, uint16_t bits)
{
	struct sadb_key *key = extension(draft, type, sizeof(*key) + bits / 8);

	key->sadb_key_bits = bits;
	memset(key + 1, 0x5a, bits / 8);
}

static void add_sa2(struct draft *draft, uint8_t mode, uint32_t reqid)
{
	struct sadb_x_sa2 *sa2 = extension(draft, SADB_X_EXT_SA2, sizeof(*sa2));

	sa2->sadb_x_sa2_mode = mode;
	sa2->sadb_x_sa2_reqid = reqid;
}

static void add_natt(struct draft *draft, uint16_t src, uint16_t dst)
{
	struct sadb_x_nat_t_type *type = extension(draft, SADB_X_EXT_NAT_T_TYPE, sizeof(*type));
	struct sadb_x_nat_t_port *port;

	type->sadb_x_nat_t_type_type = 2; /* UDP_ENCAP_ESPINUDP */
	port = extension(draft, SADB_X_EXT_NAT_T_SPORT, sizeof(*port));
	port->sadb_x_nat_t_port_port = htons(src);
	port = extension(draft, SADB_X_EXT_NAT_T_DPORT, sizeof(*port));
	port->sadb_x_nat_t_port_port = htons(dst);
}

/* One request, in tunnel mode with its two ends behind it. */
static void add_policy(struct draft *draft, uint8_t dir, bool tunnel, uint32_t reqid)
{
	struct sockaddr_in ends[2] = { { .sin_family = AF_INET }, { .sin_family = AF_INET } };
	size_t request = sizeof(struct sadb_x_ipsecrequest) + (tunnel ? sizeof(ends) : 0);
	struct sadb_x_policy *policy = extension(
		draft, SADB_X_EXT_POLICY, sizeof(*policy) + request);
	struct sadb_x_ipsecrequest *wanted = (struct sadb_x_ipsecrequest *)(policy + 1);

	policy->sadb_x_policy_type = 2;
	policy->sadb_x_policy_dir = dir;
	policy->sadb_x_policy_id = 99;
	policy->sadb_x_policy_priority = 2080;
	wanted->sadb_x_ipsecrequest_len = (uint16_t)request;
	wanted->sadb_x_ipsecrequest_proto = IPPROTO_ESP;
	wanted->sadb_x_ipsecrequest_mode = tunnel ? 2 : 1;
	wanted->sadb_x_ipsecrequest_level = reqid ? 3 : 2;
	wanted->sadb_x_ipsecrequest_reqid = reqid;
	ends[0].sin_addr.s_addr = htonl(0xc6336401);
	ends[1].sin_addr.s_addr = htonl(0xcb007101);
	if (tunnel)
		memcpy(wanted + 1, ends, sizeof(ends));
}

static int decode(struct draft *draft, struct pfkey_message **ret_msg, struct pfkey_fault *fault)
{
	((struct sadb_msg *)draft->bytes)->sadb_msg_len = (uint16_t)(draft->len / 8);
	return pfkey_linux_decode(draft->bytes, draft->len, PFKEY_REQUEST, ret_msg, fault);
}

static struct pfkey_message *understood(struct draft *draft)
{
	struct pfkey_message *msg = NULL;
	struct pfkey_fault fault = { 0 };
	int r = decode(draft, &msg, &fault);

	ck_assert_msg(r == 0, "%d, diagnostic %u", r, fault.diagnostic);
	return msg;
}

/* The kernel's numbers, of which none may be another's here. */
START_TEST(numbers)
{
	static const struct {
		unsigned int ours, kernels;
	} same[] = {
		{ PFKEY_LINUX_SPDUPDATE, SADB_X_SPDUPDATE },
		{ PFKEY_LINUX_SPDADD, SADB_X_SPDADD },
		{ PFKEY_LINUX_SPDDELETE, SADB_X_SPDDELETE },
		{ PFKEY_LINUX_SPDGET, SADB_X_SPDGET },
		{ PFKEY_LINUX_SPDDUMP, SADB_X_SPDDUMP },
		{ PFKEY_LINUX_SPDFLUSH, SADB_X_SPDFLUSH },
		{ PFKEY_LINUX_SPDDELETE2, SADB_X_SPDDELETE2 },
		{ PFKEY_LINUX_NAT_T_NEW_MAPPING, SADB_X_NAT_T_NEW_MAPPING },
		{ PFKEY_LINUX_MIGRATE, SADB_X_MIGRATE },
		{ PFKEY_LINUX_EXT_POLICY, SADB_X_EXT_POLICY },
		{ PFKEY_LINUX_EXT_SA2, SADB_X_EXT_SA2 },
		{ PFKEY_LINUX_EXT_FILTER, SADB_X_EXT_FILTER },
		{ PFKEY_LINUX_AUTH_NULL, SADB_X_AALG_NULL },
		{ ALG_ENCR_AES_GCM16, SADB_X_EALG_AES_GCM_ICV16 },
		{ ALG_ENCR_AES_CTR, SADB_X_EALG_AESCTR },
		{ ALG_AUTH_HMAC_SHA512, SADB_X_AALG_SHA2_512HMAC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		ck_assert_uint_eq(same[i].ours & ~PFKEY_LINUX_BIT, same[i].kernels & ~0x80U);
	ck_assert_str_eq(pfkey_linux_type_name(PFKEY_LINUX_SPDADD), "X_SPDADD");
	ck_assert_str_eq(pfkey_linux_type_name(PFKEY_GETSPI), "GETSPI");
	ck_assert_ptr_null(pfkey_linux_type_name(PFKEY_X_DELPAIR));
}
END_TEST

START_TEST(policy_in)
{
	struct draft draft;
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	const struct pfkey_policy *policy;
	struct address end;

	begin(&draft, SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	add_address(&draft, SADB_EXT_ADDRESS_SRC, "10.1.2.3", 8, 1000);
	add_address(&draft, SADB_EXT_ADDRESS_DST, "192.0.2.2", 32, 80);
	((struct sadb_address *)(draft.bytes + 16))->sadb_address_proto = IPPROTO_TCP;
	add_policy(&draft, 2, true, 4711);
	msg = understood(&draft);
	policy = &msg->policy;
	ck_assert_uint_eq(msg->type, PFKEY_LINUX_SPDADD);
	ck_assert_uint_eq(policy->type, PFKEY_LINUX_POLICY_IPSEC);
	ck_assert_uint_eq(policy->direction, PFKEY_LINUX_DIR_OUT);
	ck_assert_uint_eq(policy->id, 99);
	ck_assert_uint_eq(policy->priority, 2080);
	ck_assert_uint_eq(policy->src.bits, 8);
	ck_assert_int_eq(address_parse("10.0.0.0", &end), 0);
	ck_assert(address_equal(&policy->src.addr, &end));
	ck_assert_uint_eq(policy->dst.bits, 32);
	ck_assert_uint_eq(policy->src_port, 1000);
	ck_assert_uint_eq(policy->dst_port, 80);
	ck_assert_uint_eq(policy->protocol, IPPROTO_TCP);
	ck_assert_uint_eq(policy->n_requests, 1);
	ck_assert_uint_eq(policy->requests[0].proto, IPPROTO_ESP);
	ck_assert_uint_eq(policy->requests[0].reqid, 4711);
	ck_assert_int_eq(address_parse("198.51.100.1", &end), 0);
	ck_assert(address_equal(&policy->requests[0].src, &end));
	ck_assert_int_eq(address_parse("203.0.113.1", &end), 0);
	ck_assert(address_equal(&policy->requests[0].dst, &end));
}
END_TEST

/* What was read is written as it came. */
START_TEST(policy_out)
{
	struct draft draft;
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	uint8_t bytes[ROOM];
	size_t len;

	begin(&draft, SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	add_address(&draft, SADB_EXT_ADDRESS_SRC, _i ? "2000::" : "10.0.0.0", 8, 0);
	add_address(&draft, SADB_EXT_ADDRESS_DST, _i ? "2001:db8::" : "192.0.2.2", 32, 0);
	add_policy(&draft, 1, _i == 0, 5);
	msg = understood(&draft);
	ck_assert_int_eq(pfkey_linux_encode(msg, PFKEY_ANSWER, bytes, sizeof(bytes), &len), 0);
	ck_assert_uint_eq(len, draft.len);
	ck_assert_mem_eq(bytes, draft.bytes, len);
}
END_TEST

START_TEST(sa_in)
{
	struct draft draft;
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	uint32_t *window, *esn;
	const struct sa *sa;

	begin(&draft, SADB_ADD, SADB_SATYPE_ESP);
	add_sa(&draft);
	add_sa2(&draft, _i ? 2 : 1, 16385);
	add_ends(&draft);
	add_key(&draft, SADB_EXT_KEY_AUTH, 256);
	add_key(&draft, SADB_EXT_KEY_ENCRYPT, 128);
	add_natt(&draft, 4500, 40000);
	window = extension(&draft, PFKEY_WINDOW_NUMBER, PFKEY_WINDOW_BYTES);
	window[1] = 1024;
	esn = extension(&draft, PFKEY_LINUX_EXT_ESN, 8);
	esn[1] = 1;
	msg = understood(&draft);
	sa = msg->sa;
	ck_assert_uint_eq(sa->proto, SA_PROTO_ESP);
	ck_assert_uint_eq(sa->spi, 0xdeadbeef);
	ck_assert_uint_eq(sa->reqid, 16385);
	ck_assert_uint_eq(sa->replay_window, 1024);
	ck_assert_uint_eq(sa->flags, SA_FLAG_ESN | SA_FLAG_ENCAP);
	ck_assert_uint_eq(sa->encr, ALG_ENCR_AES_CBC);
	ck_assert_uint_eq(sa->auth, ALG_AUTH_HMAC_SHA256);
	ck_assert_uint_eq(sa->encr_key_bits, 128);
	ck_assert_uint_eq(msg->natt_src_port, 4500);
	ck_assert_uint_eq(msg->natt_dst_port, 40000);
	ck_assert_uint_eq(sa->protocol, 0);
	ck_assert_uint_eq(sa->mode, _i ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT);
	ck_assert_int_eq(sa->inner_src.addr.family, _i ? AF_INET : AF_UNSPEC);
	ck_assert_uint_eq(sa->inner_src.bits, 0);
}
END_TEST

/* An SA as GET tells it, read with the kernel's structures. */
START_TEST(sa_out)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();
	_Alignas(8) uint8_t bytes[PFKEY_MAX_BYTES];
	const struct sadb_msg *base = (const void *)bytes;
	size_t len, seen = 0;

	msg->type = PFKEY_GET;
	msg->satype = PFKEY_SATYPE_ESP;
	msg->diagnostic = 5;
	msg->sa->spi = 0x1001;
	msg->sa->mode = SA_MODE_TUNNEL;
	msg->sa->reqid = 77;
	msg->sa->state = SA_DYING;
	msg->present = PFKEY_BIT(PFKEY_EXT_SA) | PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) |
		       PFKEY_BIT(PFKEY_EXT_ADDRESS_DST) | PFKEY_LINUX_HAS_SA2 |
		       PFKEY_LINUX_HAS_DPORT;
	msg->natt_dst_port = 4500;
	ck_assert_int_eq(address_parse("2001:db8::1", &msg->sa->dst), 0);
	ck_assert_int_eq(pfkey_linux_encode(msg, PFKEY_ANSWER, bytes, sizeof(bytes), &len), 0);
	ck_assert_uint_eq(base->sadb_msg_reserved, 0);
	ck_assert_uint_eq(base->sadb_msg_len * 8U, len);
	for (size_t at = sizeof(*base); at < len;) {
		const struct sadb_ext *ext = (const void *)(bytes + at);
		const struct sadb_sa *sa = (const void *)ext;
		const struct sadb_x_sa2 *sa2 = (const void *)ext;
		const struct sadb_x_nat_t_port *port = (const void *)ext;

		seen |= 1U << ext->sadb_ext_type;
		if (ext->sadb_ext_type == SADB_EXT_SA)
			ck_assert(sa->sadb_sa_spi == htonl(0x1001) &&
				  sa->sadb_sa_state == SADB_SASTATE_DYING);
		if (ext->sadb_ext_type == SADB_X_EXT_SA2)
			ck_assert(sa2->sadb_x_sa2_mode == 2 && sa2->sadb_x_sa2_reqid == 77);
		if (ext->sadb_ext_type == SADB_X_EXT_NAT_T_DPORT)
			ck_assert_uint_eq(port->sadb_x_nat_t_port_port, htons(4500));
		at += ext->sadb_ext_len * 8U;
	}
	ck_assert_uint_eq(seen, 1U << SADB_EXT_SA | 1U << SADB_EXT_ADDRESS_SRC |
					1U << SADB_EXT_ADDRESS_DST | 1U << SADB_X_EXT_SA2 |
					1U << SADB_X_EXT_NAT_T_DPORT);
	msg->type = PFKEY_X_DELPAIR;
	ck_assert_int_eq(pfkey_linux_encode(msg, PFKEY_ANSWER, bytes, sizeof(bytes), &len), 0);
	ck_assert_uint_eq(bytes[1], SADB_DELETE);
	msg->type = PFKEY_X_INVERSE_ACQUIRE;
	ck_assert_int_eq(
		pfkey_linux_encode(msg, PFKEY_ANSWER, bytes, sizeof(bytes), &len), -EINVAL);
}
END_TEST

/* Linux counts in the host's order, Solaris in the network's. */
START_TEST(spi_range)
{
	struct draft draft;
	struct sadb_spirange *range;
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL, *without = NULL;

	begin(&draft, SADB_GETSPI, SADB_SATYPE_AH);
	add_ends(&draft);
	without = understood(&draft);
	ck_assert_uint_eq(without->spi_min, 0x100);
	ck_assert_uint_eq(without->spi_max, 0x0fffffff);
	range = extension(&draft, SADB_EXT_SPIRANGE, sizeof(*range));
	range->sadb_spirange_min = 0x200;
	range->sadb_spirange_max = 0x10000;
	msg = understood(&draft);
	ck_assert_uint_eq(msg->spi_min, 0x200);
	ck_assert_uint_eq(msg->spi_max, 0x10000);
}
END_TEST

static void no_policy(struct draft *draft)
{
	begin(draft, SADB_X_SPDADD, 0);
	add_ends(draft);
}

static void request_of_nothing(struct draft *draft)
{
	no_policy(draft);
	add_policy(draft, 2, false, 0);
	memset(draft->bytes + draft->len - 16, 0, 2);
}

static void request_too_long(struct draft *draft)
{
	no_policy(draft);
	add_policy(draft, 2, false, 0);
	draft->bytes[draft->len - 16] = 24;
}

static void tunnel_cut_off(struct draft *draft)
{
	no_policy(draft);
	add_policy(draft, 2, false, 0);
	draft->bytes[draft->len - 16 + 4] = 2; /* its mode */
	extension(draft, 1, 8);
	draft->bytes[draft->len - 8 - 16] = 24;
	/* The policy is one unit longer, its tunnel has room for half a sockaddr. */
	draft->bytes[16 + 2 * 24] += 1;
}

static void families_differ(struct draft *draft)
{
	begin(draft, SADB_X_SPDADD, 0);
	add_address(draft, SADB_EXT_ADDRESS_SRC, "192.0.2.1", 32, 0);
	add_address(draft, SADB_EXT_ADDRESS_DST, "2001:db8::1", 128, 0);
	add_policy(draft, 2, false, 0);
}

static void prefix_too_long(struct draft *draft)
{
	begin(draft, SADB_X_SPDADD, 0);
	add_address(draft, SADB_EXT_ADDRESS_SRC, "192.0.2.1", 33, 0);
	add_address(draft, SADB_EXT_ADDRESS_DST, "192.0.2.2", 32, 0);
	add_policy(draft, 2, false, 0);
}

static void twice(struct draft *draft)
{
	no_policy(draft);
	add_policy(draft, 2, false, 0);
	add_policy(draft, 2, false, 0);
}

static void compression(struct draft *draft)
{
	begin(draft, SADB_GETSPI, SADB_X_SATYPE_IPCOMP);
	add_ends(draft);
}

static void label(struct draft *draft)
{
	begin(draft, SADB_ADD, SADB_SATYPE_ESP);
	add_sa(draft);
	add_ends(draft);
	extension(draft, SADB_X_EXT_SEC_CTX, 16);
}

static void other_encapsulation(struct draft *draft)
{
	begin(draft, SADB_ADD, SADB_SATYPE_ESP);
	add_sa(draft);
	add_ends(draft);
	add_natt(draft, 4500, 4500);
	draft->bytes[draft->len - 3 * 8 + 4] = 1;
}

static void solaris_number(struct draft *draft)
{
	begin(draft, PFKEY_X_INVERSE_ACQUIRE, SADB_SATYPE_ESP);
	add_ends(draft);
}

static void beyond(struct draft *draft)
{
	begin(draft, SADB_X_MIGRATE + 1, 0);
}

static void with_bit(struct draft *draft)
{
	begin(draft, PFKEY_LINUX_SPDFLUSH, 0);
}

static const struct {
	const char *name;
	void (*make)(struct draft *draft);
	uint16_t diagnostic;
} refusals[] = {
	{ "no policy", no_policy, PFKEY_DIAG_NO_EXT },
	{ "a request of no octets", request_of_nothing, PFKEY_DIAG_BAD_EXTLEN },
	{ "a request beyond its policy", request_too_long, PFKEY_DIAG_BAD_EXTLEN },
	{ "a tunnel without its ends", tunnel_cut_off, PFKEY_DIAG_AF_MISMATCH },
	{ "two families", families_differ, PFKEY_DIAG_AF_MISMATCH },
	{ "a prefix too long", prefix_too_long, PFKEY_DIAG_MALFORMED_SRC },
	{ "a policy twice", twice, PFKEY_DIAG_NONE },
	{ "compression", compression, PFKEY_DIAG_UNKNOWN_SATYPE },
	{ "a label", label, PFKEY_DIAG_BAD_LABEL },
	{ "another encapsulation", other_encapsulation, PFKEY_DIAG_BAD_SAFLAGS },
	{ "a number of Solaris", solaris_number, PFKEY_DIAG_UNKNOWN_MSG },
	{ "a number beyond", beyond, PFKEY_DIAG_UNKNOWN_MSG },
	{ "our bit on the wire", with_bit, PFKEY_DIAG_UNKNOWN_MSG },
};

START_TEST(refused)
{
	struct draft draft;
	struct pfkey_message *msg = NULL;
	struct pfkey_fault fault = { 0 };

	refusals[_i].make(&draft);
	ck_assert_msg(decode(&draft, &msg, &fault) == -EINVAL, "%s", refusals[_i].name);
	ck_assert_msg(fault.error == EINVAL && fault.diagnostic == refusals[_i].diagnostic,
		"%s: diagnostic %u", refusals[_i].name, fault.diagnostic);
}
END_TEST

/* RFC 2367 section 2.3.1: what is not known is passed over. */
START_TEST(unknown_extensions)
{
	struct draft draft;
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;

	begin(&draft, SADB_X_SPDGET, 0);
	extension(&draft, 200, 24);
	extension(&draft, SADB_X_EXT_FILTER, 40);
	add_policy(&draft, 1, false, 0);
	msg = understood(&draft);
	ck_assert_uint_eq(msg->present, PFKEY_LINUX_HAS_POLICY);
	ck_assert_uint_eq(msg->policy.id, 99);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_linux_codec");
	TCase *tc = tcase_create("messages");

	tcase_add_test(tc, numbers);
	tcase_add_test(tc, policy_in);
	tcase_add_loop_test(tc, policy_out, 0, 2);
	tcase_add_loop_test(tc, sa_in, 0, 2);
	tcase_add_test(tc, sa_out);
	tcase_add_test(tc, spi_range);
	tcase_add_loop_test(tc, refused, 0, (int)ARRAY_SIZE(refusals));
	tcase_add_test(tc, unknown_extensions);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
