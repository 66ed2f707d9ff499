/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets and SAs for the suites of the packet engine: made of few numbers, always sound. */
#ifndef UNIT_PACKETS_H
#define UNIT_PACKETS_H

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "common/model/algorithm.h"
#include "common/model/sa.h"
#include "services/datapath/esp/esp.h"
#include "services/datapath/packet/packet.h"
#include "services/datapath/replay/sa_run.h"
#include "services/datapath/suite/suite_provider.h"

#define UDP_PORT_A 4660
#define UDP_PORT_B 22136

struct test_suite {
	const char *name;
	uint8_t encr;
	uint16_t key_bits, salt_bits;
	uint8_t auth;
	uint16_t auth_bits;
	size_t icv, iv, align;
};

/* clang-format off */
#define TEST_SUITES                                                                          \
	{ "null-md5",      ALG_ENCR_NULL,    0, 0, ALG_AUTH_HMAC_MD5,    128, 12,  0,  4 },  \
	{ "null-sha1",     ALG_ENCR_NULL,    0, 0, ALG_AUTH_HMAC_SHA1,   160, 12,  0,  4 },  \
	{ "null-sha256",   ALG_ENCR_NULL,    0, 0, ALG_AUTH_HMAC_SHA256, 256, 16,  0,  4 },  \
	{ "null-sha384",   ALG_ENCR_NULL,    0, 0, ALG_AUTH_HMAC_SHA384, 384, 24,  0,  4 },  \
	{ "null-sha512",   ALG_ENCR_NULL,    0, 0, ALG_AUTH_HMAC_SHA512, 512, 32,  0,  4 },  \
	{ "aes128-sha1",   ALG_ENCR_AES_CBC, 128, 0, ALG_AUTH_HMAC_SHA1, 160, 12, 16, 16 },  \
	{ "aes128-sha256", ALG_ENCR_AES_CBC, 128, 0, ALG_AUTH_HMAC_SHA256, 256, 16, 16, 16 }, \
	{ "aes192-sha384", ALG_ENCR_AES_CBC, 192, 0, ALG_AUTH_HMAC_SHA384, 384, 24, 16, 16 }, \
	{ "aes256-sha512", ALG_ENCR_AES_CBC, 256, 0, ALG_AUTH_HMAC_SHA512, 512, 32, 16, 16 }, \
	{ "gcm8-128",      ALG_ENCR_AES_GCM8,  128, 32, ALG_AUTH_NONE, 0,  8,  8,  4 },      \
	{ "gcm12-192",     ALG_ENCR_AES_GCM12, 192, 32, ALG_AUTH_NONE, 0, 12,  8,  4 },      \
	{ "gcm16-128",     ALG_ENCR_AES_GCM16, 128, 32, ALG_AUTH_NONE, 0, 16,  8,  4 },      \
	{ "gcm16-192",     ALG_ENCR_AES_GCM16, 192, 32, ALG_AUTH_NONE, 0, 16,  8,  4 },      \
	{ "gcm16-256",     ALG_ENCR_AES_GCM16, 256, 32, ALG_AUTH_NONE, 0, 16,  8,  4 },      \
	{ "aes128-xcbc",   ALG_ENCR_AES_CBC, 128, 0, ALG_AUTH_AES_XCBC,  128, 12, 16, 16 },  \
	{ "null-cmac",     ALG_ENCR_NULL,    0, 0, ALG_AUTH_AES_CMAC,    128, 12,  0,  4 },  \
	{ "des-md5",       ALG_ENCR_DES,     64, 0, ALG_AUTH_HMAC_MD5,   128, 12,  8,  8 },  \
	{ "3des-sha1",     ALG_ENCR_3DES,    192, 0, ALG_AUTH_HMAC_SHA1, 160, 12,  8,  8 },  \
	{ "blowfish-sha1", ALG_ENCR_BLOWFISH, 128, 0, ALG_AUTH_HMAC_SHA1, 160, 12, 8,  8 },  \
	{ "ctr128-sha256", ALG_ENCR_AES_CTR, 128, 32, ALG_AUTH_HMAC_SHA256, 256, 16, 8, 4 }, \
	{ "ctr256-cmac",   ALG_ENCR_AES_CTR, 256, 32, ALG_AUTH_AES_CMAC, 128, 12,  8,  4 },  \
	{ "ccm8-128",      ALG_ENCR_AES_CCM8,  128, 24, ALG_AUTH_NONE, 0,  8,  8,  4 },      \
	{ "ccm12-192",     ALG_ENCR_AES_CCM12, 192, 24, ALG_AUTH_NONE, 0, 12,  8,  4 },      \
	{ "ccm16-256",     ALG_ENCR_AES_CCM16, 256, 24, ALG_AUTH_NONE, 0, 16,  8,  4 },      \
	{ "gmac-128",      ALG_ENCR_AES_GMAC,  128, 32, ALG_AUTH_NONE, 0, 16,  8,  4 },      \
	{ "gmac-256",      ALG_ENCR_AES_GMAC,  256, 32, ALG_AUTH_NONE, 0, 16,  8,  4 },      \
	{ "chacha20",      ALG_ENCR_CHACHA20,  256, 32, ALG_AUTH_NONE, 0, 16,  8,  4 }
/* clang-format on */

static inline size_t test_hex(const char *hex, uint8_t *ret_bytes, size_t size)
{
	size_t n = 0;

	for (; hex[0] != '\0'; hex++) {
		if (hex[0] == ' ')
			continue;
		ck_assert_int_ge(hex_digit(hex[0]), 0);
		ck_assert_int_ge(hex_digit(hex[1]), 0);
		ck_assert_uint_lt(n, size);
		ret_bytes[n++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
		hex++;
	}
	return n;
}

static inline struct address test_address(const char *text)
{
	struct address addr;

	ck_assert_int_eq(address_parse(text, &addr), 0);
	return addr;
}

static inline struct secret *test_key(size_t len, uint8_t seed)
{
	uint8_t bytes[SECRET_MAX_BYTES];
	struct secret *secret = NULL;

	if (len == 0)
		return NULL;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(seed + i * 7);
	ck_assert_int_eq(secret_new(bytes, len, &secret), 0);
	return secret;
}

static inline struct sa *test_sa(
	const struct test_suite *suite, enum sa_mode mode, const char *src, const char *dst)
{
	struct sa *sa = sa_new();

	ck_assert_ptr_nonnull(sa);
	sa->proto = SA_PROTO_ESP;
	sa->spi = 0x1001;
	sa->mode = mode;
	sa->src = test_address(src);
	sa->dst = test_address(dst);
	sa->encr = suite->encr;
	sa->encr_key_bits = suite->key_bits;
	sa->salt_bits = suite->salt_bits;
	sa->encr_key = test_key((size_t)(suite->key_bits + suite->salt_bits) / 8, 3);
	sa->auth = suite->auth;
	sa->auth_key_bits = suite->auth_bits;
	sa->auth_key = test_key(suite->auth_bits / 8, 91);
	sa->state = SA_MATURE;
	return sa;
}

static inline struct sa_run *test_run(uint32_t window)
{
	struct sa_run *run = calloc(1, sizeof(*run) + (SA_RUN_WINDOW_MAX / 8));

	ck_assert_ptr_nonnull(run);
	run->window = window;
	atomic_store(&run->seq_reserved, UINT64_MAX);
	atomic_store(&run->state, SA_MATURE);
	return run;
}

/* The suites of ESP run once for each provider: NETIPSEC_PROVIDER names the one that comes first. */
static inline int test_context_new(const struct sa *sa, struct suite_context **ret_context)
{
	const char *name = getenv("NETIPSEC_PROVIDER");
	const struct suite_provider *provider = &suite_openssl;
	struct suite suite;
	int r = suite_of(sa, &suite);

	if (r < 0)
		return r;
	if (name && strcmp(name, suite_ipsec_mb.name) == 0)
		provider = suite_provider_for(SUITE_CHOICE_IPSEC_MB, &suite);
	else
		ck_assert(!name || strcmp(name, suite_openssl.name) == 0);
	return suite_context_new_by(provider, &suite, sa, NULL, ret_context);
}

/* An SA with everything that a transform needs. */
struct test_esp {
	struct esp_sa esp;
	struct suite suite;
	struct sa *sa;
	struct sa_run *run;
	struct suite_context *context;
};

static inline void test_esp_init(struct test_esp *t, struct sa *sa, uint32_t window)
{
	memset(t, 0, sizeof(*t));
	t->sa = sa;
	t->run = test_run(window);
	ck_assert_int_eq(suite_of(sa, &t->suite), 0);
	ck_assert_int_eq(test_context_new(sa, &t->context), 0);
	t->esp = (struct esp_sa){
		.sa = sa,
		.suite = &t->suite,
		.context = t->context,
		.run = t->run,
	};
}

static inline void test_esp_done(struct test_esp *t)
{
	(void)sa_free(t->sa);
	free(t->run);
	(void)suite_context_free(t->context);
}

struct test_packet {
	struct packet pkt;
	uint8_t buffer[PACKET_HEADROOM + 9000 + PACKET_TAILROOM];
};

static inline void test_packet_bytes(struct test_packet *t, const uint8_t *bytes, size_t len)
{
	packet_init(&t->pkt, t->buffer, sizeof(t->buffer));
	ck_assert_ptr_nonnull(packet_append(&t->pkt, len));
	memcpy(t->pkt.data, bytes, len);
}

/* IP header of @protocol before what is there already. */
static inline void test_push_ip(
	struct packet *pkt, uint8_t protocol, const char *src_text, const char *dst_text)
{
	struct address src = test_address(src_text), dst = test_address(dst_text);
	bool v4 = src.family == AF_INET;
	uint8_t *p = packet_push(pkt, v4 ? 20 : 40);

	ck_assert_ptr_nonnull(p);
	memset(p, 0, v4 ? 20 : 40);
	p[0] = v4 ? 0x45 : 0x60;
	p[v4 ? 8 : 7] = 61;
	p[v4 ? 9 : 6] = protocol;
	memcpy(p + (v4 ? 12 : 8), src.bytes, v4 ? 4 : 16);
	memcpy(p + (v4 ? 16 : 24), dst.bytes, v4 ? 4 : 16);
	if (v4)
		store_be16(p + 4, 0x1234);
	packet_set_length(pkt);
}

/* A UDP datagram with @len octets of payload 0, 1, 2, ... */
static inline void test_udp(struct test_packet *t, const char *src, const char *dst, size_t len)
{
	uint8_t *p;

	packet_init(&t->pkt, t->buffer, sizeof(t->buffer));
	p = packet_append(&t->pkt, 8 + len);
	ck_assert_ptr_nonnull(p);
	store_be16(p, UDP_PORT_A);
	store_be16(p + 2, UDP_PORT_B);
	store_be16(p + 4, (uint16_t)(8 + len));
	store_be16(p + 6, 0);
	for (size_t i = 0; i < len; i++)
		p[8 + i] = (uint8_t)i;
	test_push_ip(&t->pkt, IPPROTO_UDP, src, dst);
}

static inline void test_copy(struct test_packet *to, const struct test_packet *from)
{
	memcpy(to, from, sizeof(*to));
	to->pkt.buffer = to->buffer;
	to->pkt.data = to->buffer + (from->pkt.data - from->buffer);
}

#endif
