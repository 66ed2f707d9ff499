/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign bytes at the door of an SA. The first octet chooses suite and mode. Taken as a packet, they
 * are never accepted, for nobody has the key; taken as the clear text of a packet that a peer with the
 * key made, what is accepted is a sound packet that lies inside the input.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/model/algorithm.h"
#include "services/datapath/esp/esp.h"

#define INPUT_MAX 65000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct {
	uint8_t encr, auth;
	uint16_t key_bits, salt_bits, auth_bits;
} suites[] = {
	{ ALG_ENCR_NULL, ALG_AUTH_HMAC_SHA1, 0, 0, 160 },
	{ ALG_ENCR_AES_CBC, ALG_AUTH_HMAC_SHA256, 128, 0, 256 },
	{ ALG_ENCR_AES_CBC, ALG_AUTH_HMAC_SHA512, 256, 0, 512 },
	{ ALG_ENCR_AES_GCM8, ALG_AUTH_NONE, 192, 32, 0 },
	{ ALG_ENCR_AES_GCM16, ALG_AUTH_NONE, 128, 32, 0 },
	{ ALG_ENCR_NULL, ALG_AUTH_HMAC_MD5, 0, 0, 128 },
	{ ALG_ENCR_NULL, ALG_AUTH_HMAC_SHA256, 0, 0, 256 },
	{ ALG_ENCR_NULL, ALG_AUTH_HMAC_SHA384, 0, 0, 384 },
	{ ALG_ENCR_NULL, ALG_AUTH_HMAC_SHA512, 0, 0, 512 },
	{ ALG_ENCR_NULL, ALG_AUTH_AES_CMAC, 0, 0, 128 },
	{ ALG_ENCR_AES_CBC, ALG_AUTH_HMAC_SHA1, 128, 0, 160 },
	{ ALG_ENCR_AES_CBC, ALG_AUTH_AES_XCBC, 128, 0, 128 },
	{ ALG_ENCR_AES_CBC, ALG_AUTH_HMAC_SHA384, 192, 0, 384 },
	{ ALG_ENCR_DES, ALG_AUTH_HMAC_MD5, 64, 0, 128 },
	{ ALG_ENCR_3DES, ALG_AUTH_HMAC_SHA1, 192, 0, 160 },
	{ ALG_ENCR_BLOWFISH, ALG_AUTH_HMAC_SHA1, 128, 0, 160 },
	{ ALG_ENCR_AES_CTR, ALG_AUTH_HMAC_SHA256, 128, 32, 256 },
	{ ALG_ENCR_AES_CTR, ALG_AUTH_AES_CMAC, 256, 32, 128 },
	{ ALG_ENCR_AES_CCM8, ALG_AUTH_NONE, 128, 24, 0 },
	{ ALG_ENCR_AES_CCM12, ALG_AUTH_NONE, 192, 24, 0 },
	{ ALG_ENCR_AES_CCM16, ALG_AUTH_NONE, 256, 24, 0 },
	{ ALG_ENCR_AES_GCM12, ALG_AUTH_NONE, 192, 32, 0 },
	{ ALG_ENCR_AES_GCM16, ALG_AUTH_NONE, 192, 32, 0 },
	{ ALG_ENCR_AES_GCM16, ALG_AUTH_NONE, 256, 32, 0 },
	{ ALG_ENCR_AES_GMAC, ALG_AUTH_NONE, 128, 32, 0 },
	{ ALG_ENCR_AES_GMAC, ALG_AUTH_NONE, 256, 32, 0 },
	{ ALG_ENCR_CHACHA20, ALG_AUTH_NONE, 256, 32, 0 },
};

struct door {
	struct sa *sa;
	struct suite suite;
	struct suite_context *context;
	struct sa_run *run;
	struct esp_sa esp;
};

static void require(bool promise)
{
	if (!promise)
		abort();
}

static struct secret *key_of(unsigned int bits)
{
	uint8_t bytes[64];
	struct secret *key = NULL;

	memset(bytes, 0x5a, sizeof(bytes));
	require(bits == 0 || secret_new(bytes, bits / 8, &key) == 0);
	return key;
}

static void door_init(struct door *door, uint8_t choice)
{
	/* Four low bits and, for the second half of the table, bit 6. */
	size_t row = ((choice & 0x0fU) | (choice & 0x40U) >> 2) %
		     (sizeof(suites) / sizeof(suites[0]));
	struct sa *sa = sa_new();

	require(sa != NULL);
	sa->proto = SA_PROTO_ESP;
	sa->spi = 0x1001;
	sa->mode = (choice & 0x10) != 0 ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT;
	sa->flags = (choice & 0x20) != 0 ? SA_FLAG_ESN : 0;
	sa->encr = suites[row].encr;
	sa->auth = suites[row].auth;
	sa->encr_key_bits = suites[row].key_bits;
	sa->salt_bits = suites[row].salt_bits;
	sa->auth_key_bits = suites[row].auth_bits;
	sa->encr_key = key_of(suites[row].key_bits + (unsigned int)suites[row].salt_bits);
	sa->auth_key = key_of(suites[row].auth_bits);
	door->sa = sa;
	door->run = calloc(1, sizeof(*door->run) + SA_RUN_WINDOW_MAX / 8);
	require(door->run != NULL);
	door->run->window = 64;
	require(suite_of(sa, &door->suite) == 0);
	require(suite_context_new(sa, &door->context) == 0);
	door->esp = (struct esp_sa){
		.sa = sa, .suite = &door->suite, .context = door->context, .run = door->run
	};
}

static void door_done(struct door *door)
{
	(void)suite_context_free(door->context);
	free(door->run);
	(void)sa_free(door->sa);
}

/* Whatever else they are, these bytes carry no ICV under this key. */
static void open_foreign(struct door *door, const uint8_t *bytes, size_t len)
{
	uint8_t *buffer = malloc(PACKET_HEADROOM + len);
	struct packet_view view;
	struct packet pkt;

	require(buffer != NULL);
	packet_init(&pkt, buffer, PACKET_HEADROOM + len);
	require(packet_append(&pkt, len) != NULL);
	memcpy(pkt.data, bytes, len);
	if (packet_parse(&pkt, &view) && view.protocol == IPPROTO_ESP) {
		require(esp_open(&door->esp, &pkt, &view) != VERDICT_IN_ACCEPTED);
		require(door->run->top == 0);
		require(atomic_load(&door->run->packets) == 0);
	}
	free(buffer);
}

/* The same bytes as everything between IV and ICV, padding and next header included. */
static void open_authentic(struct door *door, const uint8_t *bytes, size_t len)
{
	size_t fixed = ESP_HEADER + (size_t)door->suite.iv_bytes + door->suite.icv_bytes;
	size_t text = len / door->suite.align * door->suite.align, whole = 20 + fixed + text;
	uint8_t *buffer = calloc(1, PACKET_HEADROOM + whole);
	struct suite_job job = { .text_len = text, .seq = 1, .iv_given = true };
	struct packet_view view;
	struct packet pkt;

	require(buffer != NULL);
	packet_init(&pkt, buffer, PACKET_HEADROOM + whole);
	require(packet_append(&pkt, whole) != NULL);
	pkt.data[0] = 0x45;
	pkt.data[9] = IPPROTO_ESP;
	packet_set_length(&pkt);
	job.esp = pkt.data + 20;
	job.esn = (door->sa->flags & SA_FLAG_ESN) != 0;
	store_be32(job.esp, door->sa->spi);
	store_be32(job.esp + 4, 1);
	memcpy(job.esp + ESP_HEADER + door->suite.iv_bytes, bytes, text);
	suite_seal(door->context, &job, 1);
	require(job.ok && packet_parse(&pkt, &view));
	if (text >= door->suite.align && esp_open(&door->esp, &pkt, &view) == VERDICT_IN_ACCEPTED) {
		require(pkt.data >= buffer &&
			pkt.data + pkt.len <= buffer + PACKET_HEADROOM + whole);
		require(packet_parse(&pkt, &view));
		require(door->run->top == 1);
	}
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct door door;

	if (len < 1 || len > INPUT_MAX)
		return 0;
	door_init(&door, bytes[0]);
	open_foreign(&door, bytes + 1, len - 1);
	open_authentic(&door, bytes + 1, len - 1);
	door_done(&door);
	return 0;
}
