/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/packet/counters.h"

#include <stddef.h>

static const struct verdict_row {
	const char *name, *text;
} verdict_rows[VERDICT_COUNT] = {
#define VERDICT_ROW(ID, name, text) [VERDICT_##ID] = { #name, text },
	VERDICTS(VERDICT_ROW)
#undef VERDICT_ROW
};

const char *verdict_name(enum verdict verdict)
{
	return (size_t)verdict < VERDICT_COUNT ? verdict_rows[verdict].name : "unknown";
}

const char *verdict_text(enum verdict verdict)
{
	return (size_t)verdict < VERDICT_COUNT ? verdict_rows[verdict].text : "unknown";
}

bool verdict_is_drop(enum verdict verdict)
{
	return verdict >= VERDICT_SPD_EXPLICIT;
}
