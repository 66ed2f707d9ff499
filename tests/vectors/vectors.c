/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netipsec-vectors FILE.json...: runs ESP and AH packets that somebody else made through the real code,
 * both ways: opened they give what is written there, sealed with the same number, IV and padding they are
 * the same octets, and one bit changed they are refused. What no row of ours can do is skipped by
 * name. With --shared DIRECTORY: all files there; no such directory is a skip (77). --provider before
 * the files: who computes what it can, openssl or ipsec-mb.
 */
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/ah/ah.h"
#include "services/datapath/esp/esp.h"
#include "services/datapath/suite/suite_provider.h"
#include "tests/vectors/vector.h"

#define EXIT_SKIP 77

/* One vector, decoded. */
struct vector {
	const char *id, *expect;
	struct sa *sa;
	struct octets plain, payload, sealed, iv, padding;
	uint64_t seq;
	int next_header; /* -1: not given */
};

struct tally {
	unsigned int passed, failed, skipped;
	enum suite_choice choice;
	struct text why; /* of the vector in work */
};

static bool is_ah(const struct vector *v)
{
	return v->sa->proto == SA_PROTO_AH;
}

static bool PRINTF_LIKE(2, 3) fail(struct tally *tally, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vaddf(&tally->why, format, args);
	va_end(args);
	return false;
}

static void write_ipv4(uint8_t *p, uint8_t protocol, size_t len)
{
	static const uint8_t addresses[8] = { 192, 0, 2, 1, 192, 0, 2, 2 };

	memset(p, 0, 20);
	p[0] = 0x45;
	store_be16(p + 2, (uint16_t)len);
	p[8] = 64;
	p[9] = protocol;
	memcpy(p + 12, addresses, sizeof(addresses));
	store_be16(p + 10, packet_checksum(p, 20, 0));
}

/* Where only the octets of ESP or of the payload are known, a header is put before them. */
static void wrap(struct octets *octets, uint8_t protocol)
{
	memmove(octets->bytes + 20, octets->bytes, octets->len);
	octets->len += 20;
	write_ipv4(octets->bytes, protocol, octets->len);
}

static bool read_packets(struct json_object *object, struct vector *v)
{
	struct octets esp;

	if (!octets_get(object, "plain_packet", &v->plain) ||
		!octets_get(object, "payload", &v->payload) ||
		!octets_get(object, "protected_packet", &v->sealed) ||
		!octets_get(object, "iv", &v->iv) || !octets_get(object, "pad", &v->padding) ||
		!octets_get(object, "esp", &esp))
		return false;
	if (!v->sealed.given) {
		if (!esp.given || esp.len > OCTETS_MAX - 20)
			return false;
		v->sealed = esp;
		wrap(&v->sealed, IPPROTO_ESP);
	}
	if (v->sa->mode == SA_MODE_TRANSPORT && !v->plain.given && v->payload.given) {
		v->plain = v->payload;
		wrap(&v->plain, (uint8_t)v->next_header);
		/* Behind the header that the protected packet has, but for length, protocol and sum. */
		memcpy(v->plain.bytes + 4, v->sealed.bytes + 4, 5);
		memcpy(v->plain.bytes + 12, v->sealed.bytes + 12, 8);
		store_be16(v->plain.bytes + 10, 0);
		store_be16(v->plain.bytes + 10, packet_checksum(v->plain.bytes, 20, 0));
	}
	return true;
}

/* False: it is none of ours, or broken (then why is set). */
static bool read_vector(struct json_object *object, struct vector *v, struct tally *tally)
{
	const char *proto = vector_text(object, "proto");
	int64_t esn_high = vector_number(object, "esn_hi", -1);
	struct suite suite;

	v->id = vector_text(object, "id");
	v->expect = vector_text(object, "expect");
	if (!proto || (strcmp(proto, "esp") != 0 && strcmp(proto, "ah") != 0) ||
		!vector_has_suite(object))
		return fail(tally, "skip: %s %s %s", proto, vector_text(object, "encr"),
			vector_text(object, "auth"));
	if (!vector_sa(object, v->sa))
		return fail(tally, "keys do not read");
	v->seq = (uint64_t)vector_number(object, "seq", 0);
	v->next_header = (int)vector_number(object, "next_header", -1);
	if (esn_high >= 0)
		v->seq |= (uint64_t)esn_high << 32;
	if (!read_packets(object, v))
		return fail(tally, "octets do not read");
	return (is_ah(v) ? ah_suite_of(v->sa, &suite) : suite_of(v->sa, &suite)) == 0 ||
	       fail(tally, "no suite of ours takes these keys");
}

/* Everything that sealing and opening want, and a packet to work on. */
struct bench {
	struct esp_sa esp;
	struct ah_sa ah;
	struct suite_mac *mac;
	struct suite suite;
	enum suite_choice choice;
	struct suite_context *context;
	struct sa_run *run; /* no window: its bitmap is empty */
	struct packet pkt;
	uint8_t buffer[PACKET_HEADROOM + OCTETS_MAX + PACKET_TAILROOM];
};

static bool bench_init_ah(struct bench *bench, const struct vector *v)
{
	if (ah_suite_of(v->sa, &bench->suite) < 0 ||
		suite_mac_new(bench->suite.auth, secret_bytes(v->sa->auth_key),
			secret_len(v->sa->auth_key), &bench->mac) < 0)
		return false;
	bench->ah = (struct ah_sa){
		.sa = v->sa, .suite = &bench->suite, .mac = bench->mac, .run = bench->run
	};
	return true;
}

static void bench_done(struct bench *bench)
{
	bench->context = suite_context_free(bench->context);
	bench->mac = suite_mac_free(bench->mac);
}

static bool bench_init(struct bench *bench, const struct vector *v, const struct octets *octets)
{
	uint8_t *p;

	memset(bench->run, 0, sizeof(*bench->run));
	bench->run->top = (v->sa->flags & SA_FLAG_ESN) != 0 ? v->seq : 0; /* tells the high half */
	atomic_store(&bench->run->seq_reserved, UINT64_MAX);
	packet_init(&bench->pkt, bench->buffer, sizeof(bench->buffer));
	p = packet_append(&bench->pkt, octets->len);
	if (!p)
		return false;
	memcpy(p, octets->bytes, octets->len);
	if (is_ah(v))
		return bench_init_ah(bench, v);
	if (suite_of(v->sa, &bench->suite) < 0 ||
		suite_context_new_by(suite_provider_for(bench->choice, &bench->suite),
			&bench->suite, v->sa, NULL, &bench->context) < 0)
		return false;
	bench->esp = (struct esp_sa){
		.sa = v->sa, .suite = &bench->suite, .context = bench->context, .run = bench->run
	};
	return true;
}

static enum verdict open_octets(
	struct bench *bench, const struct vector *v, struct packet_view *view, size_t flip)
{
	enum verdict verdict = VERDICT_SPD_MALFORMED_PACKET;

	if (!bench_init(bench, v, &v->sealed))
		return VERDICT_ESP_NOMEM;
	if (flip != 0)
		bench->pkt.data[flip] ^= 1;
	if (packet_parse(&bench->pkt, view)) {
		uint8_t want = (v->sa->flags & SA_FLAG_ENCAP) != 0 ? IPPROTO_UDP : IPPROTO_ESP;

		struct packet_view clear = *view;

		if (is_ah(v))
			verdict = view->protocol == IPPROTO_AH
					  ? ah_open(&bench->ah, &bench->pkt, &clear)
					  : VERDICT_AH_NO_SA;
		else
			verdict = view->protocol == want ? esp_open(&bench->esp, &bench->pkt, view)
							 : VERDICT_ESP_NO_SA;
	}
	bench_done(bench);
	return verdict;
}

static bool check_opened(const struct bench *bench, const struct vector *v,
	const struct packet_view *view, struct tally *tally)
{
	size_t at = v->sa->mode == SA_MODE_TUNNEL ? 0 : view->upper;
	const struct packet *pkt = &bench->pkt;

	if (pkt->len - at != v->payload.len ||
		memcmp(pkt->data + at, v->payload.bytes, v->payload.len) != 0)
		return fail(tally, "opened: another payload (%zu octets, not %zu)", pkt->len - at,
			v->payload.len);
	if (v->plain.given &&
		(pkt->len != v->plain.len || memcmp(pkt->data, v->plain.bytes, v->plain.len) != 0))
		return fail(tally, "opened: another packet");
	return true;
}

static bool run_open(struct bench *bench, const struct vector *v, struct tally *tally)
{
	bool accept = strcmp(v->expect, "accept") == 0;
	enum verdict want = v->next_header == ESP_NEXT_DUMMY ? VERDICT_ESP_DUMMY
							     : VERDICT_IN_ACCEPTED;
	struct packet_view view;
	enum verdict verdict = open_octets(bench, v, &view, 0);

	if (!accept)
		return verdict != VERDICT_IN_ACCEPTED || fail(tally, "opened: accepted");
	if (verdict != want)
		return fail(tally, "opened: %s", verdict_name(verdict));
	if (want == VERDICT_IN_ACCEPTED && !check_opened(bench, v, &view, tally))
		return false;
	if (bench->suite.icv_bytes == 0)
		return true;
	for (size_t at = esp_offset(&view); at < v->sealed.len; at += 5) {
		verdict = open_octets(bench, v, &view, at);
		if (verdict != VERDICT_ESP_BAD_AUTH && verdict != VERDICT_AH_BAD_AUTH &&
			verdict != VERDICT_AH_BAD_LENGTH)
			return fail(tally, "octet %zu changed: %s", at, verdict_name(verdict));
	}
	return true;
}

static bool run_seal(struct bench *bench, struct vector *v, struct tally *tally)
{
	const struct esp_choice choice = { .seq = v->seq,
		.iv = v->iv.bytes,
		.padding = v->padding.bytes,
		.padding_len = v->padding.len };
	struct ah_choice ah_choice = { .seq = v->seq, .iv = v->iv.bytes };
	struct packet sealed = { .data = v->sealed.bytes, .len = v->sealed.len };
	struct packet_view want, got;
	enum verdict verdict;
	size_t at;

	if (!v->plain.given || v->plain.len == 0 || !(v->padding.given || is_ah(v)) ||
		!packet_parse(&sealed, &want))
		return true; /* nothing to seal is written there */
	v->sa->src = want.src;
	v->sa->dst = want.dst;
	if (!bench_init(bench, v, &v->plain))
		return fail(tally, "no memory");
	ah_choice.id = load_be16(sealed.data + 4); /* that AH covers */
	verdict = is_ah(v) ? ah_seal(&bench->ah, &bench->pkt, &ah_choice)
			   : esp_seal(&bench->esp, &bench->pkt, &choice);
	bench_done(bench);
	if (verdict != VERDICT_OUT_PROTECTED)
		return fail(tally, "sealed: %s", verdict_name(verdict));
	if (!packet_parse(&bench->pkt, &got) || got.protocol != want.protocol ||
		!address_equal(&got.src, &want.src) || !address_equal(&got.dst, &want.dst))
		return fail(tally, "sealed: another outer header");
	at = esp_offset(&want);
	if (bench->pkt.len != sealed.len || esp_offset(&got) != at)
		return fail(tally, "sealed: %zu octets, not %zu", bench->pkt.len, sealed.len);
	if (memcmp(bench->pkt.data + at, sealed.data + at, sealed.len - at) != 0)
		return fail(tally, "sealed: other octets");
	return true;
}

static void run_vector(struct json_object *object, struct tally *tally)
{
	static struct bench bench;
	static struct vector v;
	bool ok;

	memset(&v, 0, sizeof(v));
	v.sa = sa_new();
	bench.run = calloc(1, sizeof(*bench.run));
	bench.choice = tally->choice;
	ok = v.sa && bench.run && read_vector(object, &v, tally) && run_open(&bench, &v, tally) &&
	     (strcmp(v.expect, "accept") != 0 || run_seal(&bench, &v, tally));
	if (ok) {
		tally->passed++;
		printf("pass %s\n", v.id);
	} else if (tally->why.str && strncmp(tally->why.str, "skip:", 5) == 0) {
		tally->skipped++;
		printf("skip %s:%s\n", v.id, tally->why.str + 5);
	} else {
		tally->failed++;
		printf("FAIL %s: %s\n", v.id, tally->why.str);
	}
	text_done(&tally->why);
	(void)sa_free(v.sa);
	free(bench.run);
}

static void run_file(const char *path, struct tally *tally)
{
	struct json_object *root = json_object_from_file(path), *list = NULL;

	if (!root || (!json_object_object_get_ex(root, "vectors", &list) &&
			     !json_object_object_get_ex(root, "cases", &list))) {
		printf("FAIL %s: not a file of vectors\n", path);
		tally->failed++;
	}
	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		run_vector(json_object_array_get_idx(list, i), tally);
	(void)json_object_put(root);
}

/* -ENOENT: there is no such directory. */
static int run_directory(const char *path, struct tally *tally)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char file[512];

	if (!dir)
		return -errno;
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		size_t len = strlen(entry->d_name);

		if (len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0 &&
			text_fixed(file, sizeof(file), "%s/%s", path, entry->d_name) == 0)
			run_file(file, tally);
	}
	(void)closedir(dir);
	return 0;
}

static bool choose(const char *provider, enum suite_choice *ret_choice)
{
	if (strcmp(provider, suite_ipsec_mb.name) == 0)
		*ret_choice = SUITE_CHOICE_IPSEC_MB;
	else if (strcmp(provider, suite_openssl.name) == 0)
		*ret_choice = SUITE_CHOICE_OPENSSL;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	const char *shared = getenv("NETIPSEC_SHARED");
	struct tally tally = { .choice = SUITE_CHOICE_OPENSSL };
	char path[512];

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--provider") == 0 && i + 1 < argc) {
			if (!choose(argv[++i], &tally.choice)) {
				fprintf(stderr, "netipsec-vectors: no provider '%s'\n", argv[i]);
				return 2;
			}
			continue;
		}
		if (strcmp(argv[i], "--shared") != 0 || i + 1 == argc) {
			run_file(argv[i], &tally);
			continue;
		}
		i++;
		if (text_fixed(path, sizeof(path), "%s%s", shared ? shared : argv[i],
			    shared ? "/vectors/packets" : "") < 0 ||
			run_directory(path, &tally) < 0) {
			printf("SKIP: no directory %s\n", path);
			return EXIT_SKIP;
		}
	}
	printf("%u are of suites that are not offered\n", tally.skipped);
	printf("%u passed, %u failed\n", tally.passed, tally.failed);
	return tally.failed == 0 && tally.passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
