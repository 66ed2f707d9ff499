/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * esp-tool: one JSON object a line on standard input, one answer a line: the packet as it is sealed
 * or opened in hexadecimal, or the verdict against it. Fields as in the vectors, and
 *   proto       esp, unless it is ah
 *   do          seal | open | offers: the suites there are, as one object
 *   packet      whole IP packet
 *   src, dst    outer addresses for tunnel mode
 *   window      of the replay check, of which only the number `top` has been seen
 */
#include <netinet/in.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "common/model/algorithm.h"
#include "services/datapath/ah/ah.h"
#include "services/datapath/esp/esp.h"
#include "services/datapath/replay/replay.h"
#include "tests/vectors/vector.h"

/* Octets of a key: longer ones are not looked for. */
#define SIZE_TRIED_MAX	  64
#define PACKET_OCTETS_MAX 9600

struct work {
	struct packet pkt;
	uint8_t buffer[PACKET_HEADROOM + PACKET_OCTETS_MAX + PACKET_TAILROOM];
	struct suite suite;
	struct suite_context *context;
	struct suite_mac *mac;
	struct sa_run *run;
};

static bool read_address(struct json_object *object, const char *key, struct address *ret)
{
	const char *text = vector_text(object, key);

	return !text || address_parse(text, ret) == 0;
}

/* The whole packet, written where a received one would lie. */
static bool read_packet(struct work *work, struct json_object *object)
{
	const char *hex = vector_text(object, "packet");
	size_t len = hex ? strlen(hex) / 2 : 0;
	uint8_t *p;

	packet_init(&work->pkt, work->buffer, sizeof(work->buffer));
	if (len == 0 || len > PACKET_OCTETS_MAX)
		return false;
	p = packet_append(&work->pkt, len);
	for (size_t i = 0; p && i < len; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		p[i] = (uint8_t)(high << 4 | low);
	}
	return p != NULL;
}

static bool prepare(struct work *work, const struct sa *sa)
{
	if (sa->proto == SA_PROTO_AH)
		return ah_suite_of(sa, &work->suite) == 0 &&
		       suite_mac_new(work->suite.auth, secret_bytes(sa->auth_key),
			       secret_len(sa->auth_key), &work->mac) == 0;
	return suite_of(sa, &work->suite) == 0 && suite_context_new(sa, &work->context) == 0;
}

static int seal(struct work *work, const struct sa *sa, uint64_t seq)
{
	struct esp_choice choice = { .seq = seq };
	struct ah_choice ah_choice = { .seq = seq };
	struct ah_sa ah = { .sa = sa, .suite = &work->suite, .mac = work->mac, .run = work->run };
	struct esp_sa esp = {
		.sa = sa, .suite = &work->suite, .context = work->context, .run = work->run
	};

	return sa->proto == SA_PROTO_AH ? (int)ah_seal(&ah, &work->pkt, &ah_choice)
					: (int)esp_seal(&esp, &work->pkt, &choice);
}

static int open_packet(struct work *work, const struct sa *sa)
{
	struct ah_sa ah = { .sa = sa, .suite = &work->suite, .mac = work->mac, .run = work->run };
	struct esp_sa esp = {
		.sa = sa, .suite = &work->suite, .context = work->context, .run = work->run
	};
	struct packet_view view;

	if (!packet_parse(&work->pkt, &view))
		return VERDICT_SPD_MALFORMED_PACKET;
	if (sa->proto == SA_PROTO_ESP)
		return (int)esp_open(&esp, &work->pkt, &view);
	return view.protocol == IPPROTO_AH ? (int)ah_open(&ah, &work->pkt, &view)
					   : VERDICT_AH_NO_SA;
}

/* What the other end has seen. False: that cannot be. */
static bool prepare_window(
	struct work *work, struct json_object *object, const struct sa *sa, uint64_t seq)
{
	uint64_t top = (sa->flags & SA_FLAG_ESN) != 0 ? seq : 0;

	work->run->window = (uint32_t)vector_number(object, "window", 0);
	work->run->top = (uint64_t)vector_number(object, "top", (int64_t)top);
	if (work->run->window > SA_RUN_WINDOW_MAX)
		return false;
	if (work->run->window == 0 || work->run->top == 0)
		return true;
	top = work->run->top--;
	return replay_accept(work->run, top) == REPLAY_OK;
}

/* -1: the request is broken; else a verdict. */
static int transform(struct work *work, struct json_object *object, struct sa *sa)
{
	const char *act = vector_text(object, "do");
	uint64_t seq = (uint64_t)vector_number(object, "seq", 1);

	if (!act || !vector_sa(object, sa) || !read_packet(work, object) ||
		!read_address(object, "src", &sa->src) || !read_address(object, "dst", &sa->dst) ||
		!prepare(work, sa))
		return -1;
	seq |= (uint64_t)vector_number(object, "esn_hi", 0) << 32;
	if (strcmp(act, "seal") == 0)
		return seal(work, sa, seq);
	return prepare_window(work, object, sa, seq) ? open_packet(work, sa) : -1;
}

static void answer(const struct work *work, int verdict)
{
	if (verdict < 0) {
		printf("broken request\n");
	} else if (verdict_is_drop((enum verdict)verdict)) {
		printf("%s\n", verdict_name((enum verdict)verdict));
	} else {
		for (size_t i = 0; i < work->pkt.len; i++)
			printf("%02x", work->pkt.data[i]);
		printf("\n");
	}
	(void)fflush(stdout);
}

/* Octets of the cipher's key with salt, and of the integrity key; is there a suite of such an SA? */
struct key_sizes {
	size_t encr, salt, auth;
};

static bool is_offered(enum sa_proto proto, uint8_t encr, uint8_t auth, struct key_sizes sizes)
{
	static const uint8_t zeros[SIZE_TRIED_MAX * 2];
	struct sa *sa = sa_new();
	struct suite suite;
	bool yes = false;

	if (sa &&
		(sizes.encr + sizes.salt == 0 ||
			secret_new(zeros, sizes.encr + sizes.salt, &sa->encr_key) == 0) &&
		(sizes.auth == 0 || secret_new(zeros, sizes.auth, &sa->auth_key) == 0)) {
		sa->proto = proto;
		sa->encr = encr;
		sa->auth = auth;
		sa->encr_key_bits = (uint16_t)(sizes.encr * 8);
		sa->salt_bits = (uint16_t)(sizes.salt * 8);
		sa->auth_key_bits = (uint16_t)(sizes.auth * 8);
		yes = (proto == SA_PROTO_AH ? ah_suite_of(sa, &suite) : suite_of(sa, &suite)) == 0;
	}
	(void)sa_free(sa);
	return yes;
}

/* Each cipher with each size of key that it takes, alone or with an integrity algorithm beside it. */
static void offer_cipher(const struct suite_cipher *row, struct key_sizes sizes, uint8_t auth)
{
	static const char *sep = "";

	for (sizes.encr = 0; sizes.encr <= SIZE_TRIED_MAX; sizes.encr++) {
		for (sizes.salt = 0; sizes.salt <= 4; sizes.salt++) {
			struct key_sizes alone = { .encr = sizes.encr, .salt = sizes.salt };
			bool single = is_offered(SA_PROTO_ESP, row->encr, ALG_AUTH_NONE, alone);
			bool beside = is_offered(SA_PROTO_ESP, row->encr, auth, sizes);

			if (!single && !beside)
				continue;
			printf("%s{\"name\":\"%s\",\"key\":%zu,\"salt\":%zu,\"alone\":%s,"
			       "\"beside\":%s}",
				sep, row->name, sizes.encr, sizes.salt, single ? "true" : "false",
				beside ? "true" : "false");
			sep = ",";
		}
	}
}

/* Those of ESP or of AH; the last of them and its key stay in @ret_any and @ret_sizes. */
static void offer_auths(
	enum sa_proto proto, const struct suite_auth **ret_any, struct key_sizes *ret_sizes)
{
	const char *sep = "";

	for (unsigned int n = 1; n <= UINT8_MAX; n++) {
		const struct suite_auth *row = suite_auth_row((uint8_t)n);

		for (size_t size = 1; row && size <= SIZE_TRIED_MAX; size++) {
			struct key_sizes null = { .auth = size };
			uint8_t encr = proto == SA_PROTO_AH ? ALG_ENCR_NONE : ALG_ENCR_NULL;

			if (!is_offered(proto, encr, row->auth, null))
				continue;
			printf("%s{\"name\":\"%s\",\"key\":%zu,\"icv\":%u}", sep, row->name, size,
				row->icv_bytes);
			sep = ",";
			*ret_any = row;
			*ret_sizes = null;
		}
	}
}

static void answer_offers(void)
{
	const struct suite_auth *any = NULL;
	struct key_sizes sizes = { .auth = 0 };

	printf("{\"ah\":[");
	offer_auths(SA_PROTO_AH, &any, &sizes);
	printf("],\"auths\":[");
	offer_auths(SA_PROTO_ESP, &any, &sizes);
	printf("],\"ciphers\":[");
	for (unsigned int n = 1; n <= UINT8_MAX; n++) {
		if (any && suite_cipher_row((uint8_t)n))
			offer_cipher(suite_cipher_row((uint8_t)n), sizes, any->auth);
	}
	printf("]}\n");
	(void)fflush(stdout);
}

static void serve(struct work *work, const char *line)
{
	struct json_object *object = json_tokener_parse(line);
	const char *act = object ? vector_text(object, "do") : NULL;
	struct sa *sa = sa_new();

	work->run = calloc(1, sizeof(*work->run) + SA_RUN_WINDOW_MAX / 8);
	if (act && strcmp(act, "offers") == 0)
		answer_offers();
	else
		answer(work, object && sa && work->run ? transform(work, object, sa) : -1);
	work->context = suite_context_free(work->context);
	work->mac = suite_mac_free(work->mac);
	free(work->run);
	(void)sa_free(sa);
	(void)json_object_put(object);
}

int main(void)
{
	static struct work work;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0)
		serve(&work, line);
	free(line);
	return EXIT_SUCCESS;
}
