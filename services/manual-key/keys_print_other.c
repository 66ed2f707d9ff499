/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What messages hold besides an SA: proposals, algorithms, ranges, labels, and what has no name. */
#include <inttypes.h>

#include "common/pfkey/wire.h"
#include "services/manual-key/keys_print_parts.h"

static bool has(const struct pfkey_message *msg, enum pfkey_extension extension)
{
	return msg->present & PFKEY_BIT(extension);
}

/* One algorithm of a combination, and the lengths of its keys. */
struct offer {
	const char *what;
	uint8_t proto, number;
	unsigned int min_bits, max_bits, salt_bits;
};

static void print_offer(
	const struct offer *offer, const struct keys_print_style *style, struct text *text)
{
	text_addf(text, "%s algorithm = ", offer->what);
	alg_print(style->algs, offer->proto, offer->number, text);
	text_addf(text, ", minbits=%u, maxbits=%u", offer->min_bits, offer->max_bits);
	if (offer->salt_bits != 0)
		text_addf(text, ", saltbits=%u", offer->salt_bits);
	text_add(text, ".\n");
}

static void print_limits(
	const char *tag, const char *what, const struct sa_limits *limits, struct text *text)
{
	text_addf(text,
		"%s: %s: allocations=%" PRIu32 ", bytes=%" PRIu64 ", post-add seconds=%" PRIu64
		", post-use seconds=%" PRIu64 ".\n",
		tag, what, limits->allocations, limits->bytes, limits->add_sec, limits->use_sec);
}

static void print_proposal(
	const struct pfkey_message *msg, const struct keys_print_style *style, struct text *text)
{
	text_addf(text, "PRP: Proposal, replay window size=%u, number of combinations=%zu.\n",
		msg->proposal_replay, msg->n_combs);
	for (size_t i = 0; i < msg->n_combs; i++) {
		const struct pfkey_comb *comb = &msg->combs[i];
		const struct offer auth = { "Authentication", ALG_PROTO_AH, comb->auth,
			comb->auth_min_bits, comb->auth_max_bits, 0 };
		const struct offer encr = { "Encryption", ALG_PROTO_ESP, comb->encrypt,
			comb->encrypt_min_bits, comb->encrypt_max_bits, comb->salt_bits };

		text_addf(text, "PRP: Combination #%zu\n", i + 1);
		if (comb->auth != 0) {
			text_add(text, "PRP: ");
			print_offer(&auth, style, text);
		}
		if (comb->encrypt != 0) {
			text_add(text, "PRP: ");
			print_offer(&encr, style, text);
		}
		print_limits("PRP", "HARD", &comb->hard, text);
		print_limits("PRP", "SOFT", &comb->soft, text);
	}
}

static void print_description(
	const struct pfkey_algdesc *alg, const struct keys_print_style *style, struct text *text)
{
	bool auth = alg->kind == PFKEY_ALGORITHM_AUTH;
	const struct offer offer = { auth ? "Authentication" : "Encryption",
		auth ? ALG_PROTO_AH : ALG_PROTO_ESP, alg->number, alg->min_bits, alg->max_bits,
		alg->salt_bits };

	text_add(text, "EPR: ");
	keys_print_satype(alg->satype, text);
	text_add_char(text, ' ');
	if (auth || alg->kind == PFKEY_ALGORITHM_CRYPT)
		print_offer(&offer, style, text);
	else
		text_addf(text, "<unknown %u> algorithm %u.\n", alg->kind, alg->number);
}

static void print_extended_proposal(
	const struct pfkey_eprop *eprop, const struct keys_print_style *style, struct text *text)
{
	text_addf(text,
		"EPR: Extended proposal, replay window size=%u, number of combinations=%zu.\n",
		eprop->replay, eprop->n_ecombs);
	for (size_t i = 0; i < eprop->n_ecombs; i++) {
		const struct pfkey_ecomb *ecomb = &eprop->ecombs[i];

		text_addf(text, "EPR: Extended combination #%zu, number of algorithms=%zu\n", i + 1,
			ecomb->n_algs);
		for (size_t j = 0; j < ecomb->n_algs; j++)
			print_description(&ecomb->algs[j], style, text);
		print_limits("EPR", "HARD", &ecomb->hard, text);
		print_limits("EPR", "SOFT", &ecomb->soft, text);
	}
}

static void print_supported(const struct pfkey_message *msg, bool auth,
	const struct keys_print_style *style, struct text *text)
{
	const struct pfkey_algorithm *algs = auth ? msg->auth : msg->encrypt;
	size_t count = auth ? msg->n_auth : msg->n_encrypt;
	const char *tag = auth ? "SUA" : "SUE";

	text_addf(
		text, "%s: Supported %s algorithms\n", tag, auth ? "authentication" : "encryption");
	for (size_t i = 0; i < count; i++) {
		const struct pfkey_algorithm *alg = &algs[i];

		text_addf(text, "%s: ", tag);
		alg_print(style->algs, auth ? ALG_PROTO_AH : ALG_PROTO_ESP, alg->number, text);
		text_addf(text, " minbits=%u, maxbits=%u, ivlen=%u, saltbits=%u", alg->min_bits,
			alg->max_bits, alg->iv_bits, alg->salt_bits);
		if (!auth)
			text_addf(text, ", increment=%u", alg->increment_bits);
		text_add(text, ".\n");
	}
}

/* The extensions of a message as it went over the wire, one by one. */
struct walk {
	const uint8_t *at;
	size_t left;
};

/* False: there is no other, or it cannot be told where it ends. */
static bool walk_next(struct walk *walk, const uint8_t **ret_ext, size_t *ret_len)
{
	size_t len;

	if (walk->left < PFKEY_UNIT)
		return false;
	len = (size_t)load_host16(walk->at) * PFKEY_UNIT;
	if (len == 0 || len > walk->left)
		return false;
	*ret_ext = walk->at;
	*ret_len = len;
	walk->at += len;
	walk->left -= len;
	return true;
}

static struct walk walk_begin(const struct keys_wire *wire)
{
	if (!wire->bytes || wire->len < PFKEY_BASE_BYTES)
		return (struct walk){ 0 };
	return (struct walk){ wire->bytes + PFKEY_BASE_BYTES, wire->len - PFKEY_BASE_BYTES };
}

/* Nobody knows what they say: they may be a key. */
static void print_words(
	const uint8_t *bytes, size_t len, const struct keys_print_style *style, struct text *text)
{
	for (size_t i = 0; i + PFKEY_UNIT <= len; i += PFKEY_UNIT) {
		if (style->paranoid)
			text_add(text, " XXXXXXXXXXXXXXXX");
		else
			text_addf(text, " 0x%016" PRIx64, load_host64(bytes + i));
	}
	text_add_char(text, '\n');
}

static void print_label(const char *tag, const char *what, const uint8_t *ext, size_t len,
	const struct keys_print_style *style, struct text *text)
{
	if (len < PFKEY_SENS_BYTES)
		return;
	text_addf(text, "%s: %s label, DPD=%" PRIu32 ", sensitivity level=%u, integrity level=%u\n",
		tag, what, load_host32(ext + 4), ext[8], ext[10]);
	if (len == PFKEY_SENS_BYTES)
		return;
	text_addf(text, "%s: Bitmaps", tag);
	print_words(ext + PFKEY_SENS_BYTES, len - PFKEY_SENS_BYTES, style, text);
}

static void print_labels(
	const struct keys_wire *wire, const struct keys_print_style *style, struct text *text)
{
	struct walk walk = walk_begin(wire);
	const uint8_t *ext;
	size_t len;

	while (walk_next(&walk, &ext, &len)) {
		uint16_t number = load_host16(ext + 2);

		if (number == PFKEY_EXT_SENSITIVITY)
			print_label("SNS", "Sensitivity", ext, len, style, text);
		else if (number == PFKEY_EXT_OUTER_SENS)
			print_label("OSN", "Outer sensitivity", ext, len, style, text);
	}
}

/* Is there a line of its own for this extension? */
static bool is_known(uint16_t number)
{
	if (number >= PFKEY_WINDOW_NUMBER && number <= PFKEY_PORTS_NUMBER)
		return true;
	return number >= PFKEY_EXT_SA && number <= PFKEY_EXT_OUTER_SENS &&
	       number != PFKEY_EXT_EREG && number != PFKEY_EXT_EDUMP;
}

void keys_print_unknown(
	const struct keys_wire *wire, const struct keys_print_style *style, struct text *text)
{
	struct walk walk = walk_begin(wire);
	const uint8_t *ext;
	size_t len;

	while (walk_next(&walk, &ext, &len)) {
		if (is_known(load_host16(ext + 2)))
			continue;
		text_addf(text, "UNK: Unknown extension type %u, length %zu bytes.\nUNK:",
			load_host16(ext + 2), len);
		print_words(ext, len, style, text);
	}
}

void keys_print_other(const struct pfkey_message *msg, const struct keys_wire *wire,
	const struct keys_print_style *style, struct text *text)
{
	print_labels(wire, style, text);
	if (has(msg, PFKEY_EXT_PROPOSAL))
		print_proposal(msg, style, text);
	if (has(msg, PFKEY_EXT_EPROP) && msg->eprop)
		print_extended_proposal(msg->eprop, style, text);
	if (has(msg, PFKEY_EXT_SUPPORTED_AUTH))
		print_supported(msg, true, style, text);
	if (has(msg, PFKEY_EXT_SUPPORTED_ENCRYPT))
		print_supported(msg, false, style, text);
	if (has(msg, PFKEY_EXT_SPIRANGE))
		text_addf(text, "SPR: SPI range, min=0x%" PRIx32 ", max=0x%" PRIx32 "\n",
			msg->spi_min, msg->spi_max);
}
