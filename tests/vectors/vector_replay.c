/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers against the replay window: each is sealed into a packet, perhaps forged, and opened. */
#include <string.h>

#include "common/model/algorithm.h"
#include "services/datapath/esp/esp.h"
#include "services/datapath/packet/packet.h"
#include "services/datapath/replay/replay.h"
#include "tests/vectors/vectors.h"

#define KEY_BYTES 20 /* AES-128-GCM with its salt */

/* One SA, at its sender and at its receiver. */
struct pair {
	struct sa *sa;
	struct suite suite;
	struct suite_context *context;
	struct sa_run *sender, *receiver;
	struct packet pkt;
	uint8_t buffer[PACKET_HEADROOM + 256 + PACKET_TAILROOM];
};

static bool make_sa(struct pair *pair, bool esn)
{
	static const uint8_t key[KEY_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct sa *sa = sa_new();

	pair->sa = sa;
	if (!sa || address_parse("192.0.2.1", &sa->src) < 0 ||
		address_parse("192.0.2.2", &sa->dst) < 0 ||
		secret_new(key, sizeof(key), &sa->encr_key) < 0)
		return false;
	sa->proto = SA_PROTO_ESP;
	sa->spi = 0x1001;
	sa->mode = SA_MODE_TRANSPORT;
	sa->encr = ALG_ENCR_AES_GCM16;
	sa->encr_key_bits = 128;
	sa->salt_bits = 32;
	sa->flags = esn ? SA_FLAG_ESN : 0;
	return suite_of(sa, &pair->suite) == 0 && suite_context_new(sa, &pair->context) == 0;
}

/* All 64 bits. */
static uint64_t number_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

static bool make_pair(struct pair *pair, struct json_object *object)
{
	int64_t window = vector_number(object, "window", 0);
	uint64_t highest = number_of(object, "init_highest");

	pair->sender = calloc(1, sizeof(*pair->sender));
	pair->receiver = calloc(1, sizeof(*pair->receiver) + SA_RUN_WINDOW_MAX / 8);
	if (window < 0 || window > SA_RUN_WINDOW_MAX || !pair->sender || !pair->receiver ||
		!make_sa(pair, vector_number(object, "esn", 0) != 0))
		return false;
	pair->receiver->window = (uint32_t)window;
	if (highest == 0)
		return true;
	/* That number was received; what else of the window was is not told. */
	pair->receiver->top = highest - 1;
	return replay_accept(pair->receiver, highest) == REPLAY_OK;
}

static void drop_pair(struct pair *pair)
{
	pair->context = suite_context_free(pair->context);
	pair->sa = sa_free(pair->sa);
	free(pair->sender);
	free(pair->receiver);
}

/* VERDICT_IN_ACCEPTED, or why not. */
static enum verdict send_number(struct pair *pair, uint64_t seq, bool forge)
{
	static const uint8_t clear[28] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1,
		192, 0, 2, 2, 0, 7, 0, 9, 0, 8 };
	/* Zero means "choose" to esp_seal(). On the wire this is zero too, and no ICV fits a 64-bit zero. */
	const struct esp_choice choice = { .seq = seq != 0 ? seq : UINT64_C(1) << 32 };
	struct esp_sa esp = {
		.sa = pair->sa, .suite = &pair->suite, .context = pair->context, .run = pair->sender
	};
	struct packet_view view;
	enum verdict verdict;
	uint8_t *p;

	packet_init(&pair->pkt, pair->buffer, sizeof(pair->buffer));
	p = packet_append(&pair->pkt, sizeof(clear));
	if (!p)
		return VERDICT_ESP_NOMEM;
	memcpy(p, clear, sizeof(clear));
	verdict = esp_seal(&esp, &pair->pkt, &choice);
	if (verdict != VERDICT_OUT_PROTECTED)
		return verdict;
	if (forge || (seq == 0 && (pair->sa->flags & SA_FLAG_ESN) != 0))
		pair->pkt.data[pair->pkt.len - 1] ^= 1;
	if (!packet_parse(&pair->pkt, &view))
		return VERDICT_SPD_MALFORMED_PACKET;
	esp.run = pair->receiver;
	return esp_open(&esp, &pair->pkt, &view);
}

static bool run_packets(struct pair *pair, struct json_object *packets, struct tally *tally)
{
	for (size_t i = 0; i < json_object_array_length(packets); i++) {
		struct json_object *packet = json_object_array_get_idx(packets, i);
		const char *icv = vector_text(packet, "icv"),
			   *expect = vector_text(packet, "expect");
		enum verdict verdict;
		uint64_t number = number_of(packet, "seq");

		if (!expect || !vector_text(packet, "seq"))
			return vectors_fail(tally, "packet %zu lacks seq or expect", i);
		verdict = send_number(pair, number, icv && strcmp(icv, "bad") == 0);
		if ((verdict == VERDICT_IN_ACCEPTED) != (strcmp(expect, "accept") == 0))
			return vectors_fail(tally, "packet %zu, number %llu: %s, not %s", i,
				(unsigned long long)number, verdict_name(verdict), expect);
	}
	return true;
}

bool vectors_run_sequence(struct json_object *object, struct tally *tally)
{
	static struct pair pair;
	struct json_object *packets = NULL;
	bool ok;

	memset(&pair, 0, sizeof(pair));
	if (!json_object_object_get_ex(object, "packets", &packets) ||
		!json_object_is_type(packets, json_type_array))
		return vectors_fail(tally, "no packets");
	ok = make_pair(&pair, object) ? run_packets(&pair, packets, tally)
				      : vectors_fail(tally, "no such window");
	drop_pair(&pair);
	return ok;
}
