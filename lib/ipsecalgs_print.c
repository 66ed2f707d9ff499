/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The writer of /etc/inet/ipsecalgs: always both last fields, keywords in upper case. */
#include "lib/netipsec/ipsecalgs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char preamble[] =
	"#\n"
	"# Algorithms that IPsec may use, by protocol. This file is written by ipsecalgs(8):\n"
	"# do not edit it by hand, comments are not kept. Its format is told in ipsecalgs(5).\n"
	"#\n"
	"# PROTO|number|name|exec-mode\n"
	"# ALG|proto|alg|names|mechanism|keys|blocks|params|flags\n"
	"#\n";

static void print_sizes(FILE *out, const unsigned int *sizes, size_t n_sizes)
{
	if (n_sizes == 0)
		fputc('0', out);
	for (size_t i = 0; i < n_sizes; i++)
		fprintf(out, "%s%u", i ? "," : "", sizes[i]);
}

static void print_alg(FILE *out, const struct ipsecalgs_alg *alg)
{
	fprintf(out, "ALG|%u|%u|", alg->proto, alg->number);
	for (size_t i = 0; i < alg->n_names; i++)
		fprintf(out, "%s%s", i ? "," : "", alg->names[i]);
	fprintf(out, "|%s|", alg->mechanism ? alg->mechanism : "-");
	if (alg->key_increment)
		fprintf(out, "%u/%u-%u,%u", alg->key_sizes[0], alg->key_sizes[1], alg->key_sizes[2],
			alg->key_increment);
	else
		print_sizes(out, alg->key_sizes, alg->n_key_sizes);
	fputc('|', out);
	print_sizes(out, alg->block_sizes, alg->n_block_sizes);
	fputc('|', out);
	print_sizes(out, alg->params, alg->n_params);
	fprintf(out, "|%" PRIu32 "\n", alg->flags);
}

static void print_item(FILE *out, const struct ipsecalgs_item *item)
{
	switch (item->kind) {
	case IPSECALGS_PROTO:
		fprintf(out, "PROTO|%u|%s|%s\n", item->proto.number, item->proto.name,
			ipsecalgs_mode_name(item->proto.mode));
		break;
	case IPSECALGS_ALG:
		print_alg(out, &item->alg);
		break;
	case IPSECALGS_PACKAGE_START:
		fprintf(out, "# Start %s\n", item->package);
		break;
	case IPSECALGS_PACKAGE_END:
		fprintf(out, "# End %s\n", item->package);
		break;
	}
}

int ipsecalgs_print(const struct ipsecalgs *table, char **ret_text)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool failed;

	if (!out)
		return -ENOMEM;
	fputs(preamble, out);
	for (size_t i = 0; i < table->n_items; i++)
		print_item(out, &table->items[i]);
	failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return -ENOMEM; /* a memory stream fails for no other reason */
	}
	*ret_text = text;
	return 0;
}
