/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * esp-tool: one JSON object a line on standard input, one answer a line: the packet as it is sealed
 * or opened in hexadecimal, or the verdict against it. Fields as in the vectors, and
 *   do          seal | open
 *   packet      whole IP packet
 *   src, dst    outer addresses for tunnel mode
 */
#include <string.h>

#include "services/datapath/esp/esp.h"
#include "tests/vectors/vector.h"

struct work {
	struct packet pkt;
	uint8_t buffer[PACKET_HEADROOM + OCTETS_MAX + PACKET_TAILROOM];
	struct suite suite;
	struct suite_context *context;
	struct sa_run *run;
	struct octets packet;
};

static bool read_address(struct json_object *object, const char *key, struct address *ret)
{
	const char *text = vector_text(object, key);

	return !text || address_parse(text, ret) == 0;
}

/* -1: the request is broken; else a verdict. */
static int transform(struct work *work, struct json_object *object, struct sa *sa)
{
	const char *act = vector_text(object, "do");
	uint64_t seq = (uint64_t)vector_number(object, "seq", 1);
	struct esp_choice choice = { .seq = seq };
	struct esp_sa esp = { .sa = sa, .suite = &work->suite, .run = work->run };
	struct packet_view view;
	uint8_t *p;

	if (!act || !vector_sa(object, sa) || !octets_get(object, "packet", &work->packet) ||
		!read_address(object, "src", &sa->src) || !read_address(object, "dst", &sa->dst) ||
		suite_of(sa, &work->suite) < 0 || suite_context_new(sa, &work->context) < 0)
		return -1;
	esp.context = work->context;
	packet_init(&work->pkt, work->buffer, sizeof(work->buffer));
	p = packet_append(&work->pkt, work->packet.len);
	if (!p)
		return -1;
	memcpy(p, work->packet.bytes, work->packet.len);
	choice.seq |= (uint64_t)vector_number(object, "esn_hi", 0) << 32;
	if (strcmp(act, "seal") == 0)
		return (int)esp_seal(&esp, &work->pkt, &choice);
	work->run->top = (sa->flags & SA_FLAG_ESN) != 0 ? choice.seq : 0;
	if (!packet_parse(&work->pkt, &view))
		return VERDICT_SPD_MALFORMED_PACKET;
	return (int)esp_open(&esp, &work->pkt, &view);
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

static void serve(struct work *work, const char *line)
{
	struct json_object *object = json_tokener_parse(line);
	struct sa *sa = sa_new();

	work->run = calloc(1, sizeof(*work->run));
	answer(work, object && sa && work->run ? transform(work, object, sa) : -1);
	work->context = suite_context_free(work->context);
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
