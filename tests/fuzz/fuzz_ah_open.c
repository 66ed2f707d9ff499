/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign bytes at the door of an AH SA. The first octet chooses algorithm and mode. Taken as a packet,
 * they are never accepted, for nobody has the key, and neither window nor counters move; with the sum
 * that a peer with the key would write into them, what is accepted is a sound packet inside the input.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/cleanup.h"
#include "common/model/algorithm.h"
#include "services/datapath/ah/ah.h"

#define INPUT_MAX 65000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const uint8_t auths[] = { ALG_AUTH_HMAC_MD5, ALG_AUTH_HMAC_SHA1, ALG_AUTH_HMAC_SHA256,
	ALG_AUTH_HMAC_SHA512, ALG_AUTH_AES_XCBC, ALG_AUTH_AES_GMAC128 };

struct door {
	struct sa *sa;
	struct suite suite;
	struct suite_mac *mac;
	struct sa_run *run;
	struct ah_sa ah;
};

static void require(bool promise)
{
	if (!promise)
		abort();
}

static void door_init(struct door *door, uint8_t choice)
{
	const struct suite_auth *row = suite_auth_row(auths[(choice & 0x0fU) % ARRAY_SIZE(auths)]);
	struct sa *sa = sa_new();
	uint8_t key[SECRET_MAX_BYTES];

	require(sa != NULL && row != NULL);
	memset(key, 0x5a, sizeof(key));
	sa->proto = SA_PROTO_AH;
	sa->spi = 0x2002;
	sa->mode = (choice & 0x10) != 0 ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT;
	sa->flags = (choice & 0x20) != 0 ? SA_FLAG_ESN : 0;
	sa->auth = row->auth;
	sa->auth_key_bits = (uint16_t)(row->key_bytes * 8);
	require(secret_new(key, row->key_bytes, &sa->auth_key) == 0);
	door->sa = sa;
	door->run = calloc(1, sizeof(*door->run) + SA_RUN_WINDOW_MAX / 8);
	require(door->run != NULL);
	door->run->window = 64;
	require(ah_suite_of(sa, &door->suite) == 0);
	require(suite_mac_new(row, key, row->key_bytes, &door->mac) == 0);
	door->ah = (struct ah_sa){
		.sa = sa, .suite = &door->suite, .mac = door->mac, .run = door->run
	};
}

static void door_done(struct door *door)
{
	(void)suite_mac_free(door->mac);
	free(door->run);
	(void)sa_free(door->sa);
}

static void load(struct packet *pkt, uint8_t *buffer, const uint8_t *bytes, size_t len)
{
	require(buffer != NULL);
	packet_init(pkt, buffer, PACKET_HEADROOM + len);
	require(packet_append(pkt, len) != NULL);
	memcpy(pkt->data, bytes, len);
}

/* Whatever else they are, these bytes carry no ICV under this key. */
static void open_foreign(struct door *door, const uint8_t *bytes, size_t len)
{
	uint8_t *buffer = malloc(PACKET_HEADROOM + len);
	struct packet_view view;
	struct packet pkt;

	load(&pkt, buffer, bytes, len);
	if (packet_parse(&pkt, &view) && view.protocol == IPPROTO_AH) {
		require(ah_open(&door->ah, &pkt, &view) != VERDICT_IN_ACCEPTED);
		require(door->run->top == 0 && atomic_load(&door->run->packets) == 0);
	}
	free(buffer);
}

/* The same with number 1 and the right sum, where there is room for them. */
static void open_authentic(struct door *door, const uint8_t *bytes, size_t len)
{
	uint8_t *buffer = malloc(PACKET_HEADROOM + len);
	struct packet_view view;
	struct packet pkt;
	uint8_t *p;

	load(&pkt, buffer, bytes, len);
	if (packet_parse(&pkt, &view) && view.protocol == IPPROTO_AH && !view.is_fragment &&
		ah_drop_atomic_fragment(&pkt, &view) &&
		view.total_len - view.upper >= ah_len(&door->suite, view.family)) {
		p = pkt.data + view.upper;
		p[1] = (uint8_t)(ah_len(&door->suite, view.family) / 4 - 2);
		store_be32(p + 8, 1);
		if (ah_sum(&door->ah, &pkt, &view, view.upper, 1,
			    p + AH_HEADER + door->suite.iv_bytes) == VERDICT_OUT_PROTECTED) {
			enum verdict verdict = ah_open(&door->ah, &pkt, &view);

			require(verdict == VERDICT_IN_ACCEPTED || verdict == VERDICT_AH_BAD_INNER ||
				verdict == VERDICT_AH_ECN);
			require(door->run->top == 1);
			require(pkt.data >= buffer &&
				pkt.data + pkt.len <= buffer + PACKET_HEADROOM + len);
			require(verdict != VERDICT_IN_ACCEPTED || packet_parse(&pkt, &view));
		}
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
