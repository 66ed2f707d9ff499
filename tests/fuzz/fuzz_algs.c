/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The algorithm file: whatever is accepted prints to a text that parses to the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/netipsec/ipsecalgs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(const struct ipsecalgs_problem *problem, void *userdata)
{
	const size_t *size = userdata;

	if (problem->line == 0 || problem->line > *size + 1 || problem->text[0] == '\0' ||
		problem->column + problem->length > *size + 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipsecalgs *table = NULL, *again = NULL;
	char *text = NULL, *second = NULL;

	if (ipsecalgs_parse((const char *)data, size, check_place, &size, &table) < 0)
		return 0;
	if (ipsecalgs_print(table, &text) < 0 ||
		ipsecalgs_parse(text, strlen(text), NULL, NULL, &again) < 0 ||
		ipsecalgs_print(again, &second) < 0 || strcmp(text, second) != 0)
		abort();
	(void)ipsecalgs_free(table);
	(void)ipsecalgs_free(again);
	free(text);
	free(second);
	return 0;
}
