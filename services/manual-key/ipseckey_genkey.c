/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipseckey genkey: the commands of both directions, with keys from the kernel's random source. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/secret.h"
#include "common/conf/value.h"
#include "services/manual-key/ipseckey.h"
#include "services/manual-key/keys_save.h"

#define SPI_FIRST 256 /* those below are reserved, RFC 4303 section 2.1 */

struct wish {
	const struct algorithm *encr, *auth; /* NULL: none */
	unsigned int encr_bits, auth_bits;
	struct address ends[2];
};

static int complain(const char *what, const char *word)
{
	fprintf(stderr, "ipseckey: genkey: %s%s\n", what, word);
	return -EINVAL;
}

/* "aes", "aes/256" */
static int take_algorithm(const struct alg_table *algs, const char *word, struct wish *wish)
{
	const char *slash = strchr(word, '/');
	size_t len = slash ? (size_t)(slash - word) : strlen(word);
	const struct algorithm *encr = alg_find_name(algs, ALG_PROTO_ESP, word, len);
	const struct algorithm *auth = alg_find_name(algs, ALG_PROTO_AH, word, len);
	const struct algorithm *alg = encr ? encr : auth;
	uint64_t bits = alg ? alg->key_default_bits : 0;

	if (!alg)
		return complain("no algorithm has the name ", word);
	if (slash && value_number(slash + 1, strlen(slash + 1), UINT16_MAX, &bits) < 0)
		return complain("the key size is no number: ", word);
	if (alg->key_default_bits != 0 && !alg_takes_key(alg, (unsigned int)bits))
		return complain("the algorithm takes no key of this size: ", word);
	if (encr ? wish->encr != NULL : wish->auth != NULL)
		return complain("one cipher and one authentication algorithm at most: ", word);
	if (encr) {
		wish->encr = encr;
		wish->encr_bits = (unsigned int)bits;
	} else {
		wish->auth = auth;
		wish->auth_bits = (unsigned int)bits;
	}
	return 0;
}

static int take_words(const struct alg_table *algs, char **words, struct wish *wish)
{
	int r = 0;

	for (; *words && r == 0; words++) {
		bool src = strcmp(*words, "src") == 0;

		if (!src && strcmp(*words, "dst") != 0) {
			r = take_algorithm(algs, *words, wish);
			continue;
		}
		words++;
		if (!*words || address_parse(*words, &wish->ends[src ? 0 : 1]) < 0)
			return complain("no address behind ", words[-1]);
	}
	if (r < 0)
		return r;
	if (!wish->encr && !wish->auth)
		return complain("name an algorithm, such as aes sha256, or aes-gcm/256", "");
	if (wish->encr && alg_is_combined(wish->encr) && wish->auth)
		return complain(wish->encr->names[0], " protects integrity itself");
	if (wish->encr && !alg_is_combined(wish->encr) && !wish->auth)
		return complain("add an auth_alg, such as sha256, to ", wish->encr->names[0]);
	if (wish->ends[0].family != wish->ends[1].family)
		return complain("src and dst go together, of one family", "");
	return 0;
}

static int random_bytes(void *bytes, size_t len)
{
	return getrandom(bytes, len, 0) == (ssize_t)len ? 0 : -EIO;
}

static int add_random_key(const char *word, unsigned int bits, struct text *text)
{
	uint8_t bytes[SECRET_MAX_BYTES];
	char hex[2 * SECRET_MAX_BYTES + 1];
	size_t len = bits / 8;
	int r = len <= sizeof(bytes) ? random_bytes(bytes, len) : -EIO;

	if (r < 0 || len == 0)
		return r;
	hex_encode(bytes, len, hex);
	text_addf(text, " \\\n\t%s %s", word, hex);
	secret_wipe(bytes, sizeof(bytes));
	secret_wipe(hex, sizeof(hex));
	return 0;
}

/* @spi: of this direction; @pair_spi: of the one that was written before, 0: none. */
static int add_command(
	const struct wish *wish, size_t from, uint32_t spi, uint32_t pair_spi, struct text *text)
{
	char addr[ADDRESS_TEXT_MAX];
	int r = 0;

	text_addf(text, "add %s spi 0x%" PRIx32, wish->encr ? "esp" : "ah", spi);
	if (pair_spi != 0)
		text_addf(text, " pair-spi 0x%" PRIx32, pair_spi);
	text_addf(text, " src %s", address_format(&wish->ends[from], addr));
	text_addf(text, " dst %s \\\n\t", address_format(&wish->ends[1 - from], addr));
	if (wish->encr)
		text_addf(text, "encr_alg %s", wish->encr->names[0]);
	if (wish->auth)
		text_addf(text, "%sauth_alg %s", wish->encr ? " " : "", wish->auth->names[0]);
	if (wish->encr)
		r = add_random_key("encrkey", wish->encr_bits + 8U * wish->encr->salt_bytes, text);
	if (r == 0 && wish->auth)
		r = add_random_key("authkey", wish->auth_bits, text);
	text_add_char(text, '\n');
	return r;
}

static int generate(struct wish *wish, struct text *text)
{
	uint32_t spis[2];
	int r = random_bytes(spis, sizeof(spis));

	if (wish->ends[0].family == AF_UNSPEC) {
		text_add(text, "# Put the addresses of the two hosts in.\n");
		if (address_parse("192.0.2.1", &wish->ends[0]) < 0 ||
			address_parse("192.0.2.2", &wish->ends[1]) < 0)
			return -EIO;
	}
	for (size_t i = 0; i < 2; i++)
		spis[i] = SPI_FIRST + (spis[i] & 0x7fffffffU);
	if (spis[1] == spis[0])
		spis[1]++;
	text_add(text, "# The same two commands on both hosts.\n");
	if (r == 0)
		r = add_command(wish, 0, spis[0], 0, text);
	if (r == 0)
		r = add_command(wish, 1, spis[1], spis[0], text);
	return text->failed ? -ENOMEM : r;
}

/* Two hosts are to load it: what they would refuse is not printed. */
static int check(const struct ipseckey *tool)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	const struct keys_input in = {
		.label = "genkey",
		.source = tool->output.str,
		.len = tool->output.len,
		.algs = tool->algs,
		.place = KEYS_OF_SERVICE,
	};
	int r = diags ? keys_parse(&in, diags, &file) : -ENOMEM;

	if (r < 0 || conf_diags_errors(diags) == 0)
		return r;
	ipseckey_report(tool->request, diags);
	return -EINVAL;
}

int ipseckey_genkey(const struct request *request)
{
	CLEANUP(ipseckey_done) struct ipseckey tool = { .request = request };
	struct wish wish = { 0 };
	int r = request->paranoid ? complain("it prints keys, which -p forbids", "")
				  : ipseckey_init(&tool);

	if (r == 0) {
		r = take_words(tool.algs, request->words + 1, &wish);
		if (r < 0)
			return EXIT_FAILURE;
		r = generate(&wish, &tool.output);
	}
	if (r == 0)
		r = check(&tool);
	if (r == 0)
		r = ipseckey_flush_output(&tool);
	if (r < 0 && r != -EINVAL)
		fprintf(stderr, "ipseckey: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
