/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/settings/tunables.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define ESP_PREFIX "ipsecesp_"

static const struct tunable_row rows[TUNABLE_COUNT] = {
#define TUNABLE_ROW(ID, name_, value, least_, most_, unit_, use_, help_) \
	[TUNABLE_##ID] = { .name = (name_),                              \
		.unit = (unit_),                                         \
		.help = (help_),                                         \
		.initial = (value),                                      \
		.least = (least_),                                       \
		.most = (most_),                                         \
		.use = TUNABLE_USE_##use_ },
	TUNABLES(TUNABLE_ROW)
#undef TUNABLE_ROW
};

void tunables_init(struct tunables *tunables)
{
	for (size_t i = 0; i < TUNABLE_COUNT; i++)
		atomic_init(&tunables->values[i], rows[i].initial);
}

int tunables_set(struct tunables *tunables, enum tunable which, uint64_t value)
{
	if (value < rows[which].least || value > rows[which].most)
		return -ERANGE;
	atomic_store_explicit(&tunables->values[which], value, memory_order_relaxed);
	return 0;
}

const struct tunable_row *tunable_row(enum tunable which)
{
	return &rows[which];
}

static bool is_esp_alone(enum tunable which)
{
	return which == TUNABLE_ESP_PADDING_CHECK || which == TUNABLE_ESP_NAT_KEEPALIVE;
}

static bool is_called(enum tunable which, const char *name)
{
	const char *full = rows[which].name;

	if (strcmp(full, name) == 0 || (full[0] == '_' && strcmp(full + 1, name) == 0))
		return true;
	return is_esp_alone(which) && strcmp(full + strlen(ESP_PREFIX), name) == 0;
}

bool tunable_find(const char *name, enum tunable *ret_which)
{
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		if (is_called((enum tunable)i, name)) {
			*ret_which = (enum tunable)i;
			return true;
		}
	}
	return false;
}
