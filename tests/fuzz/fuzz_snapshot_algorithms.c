/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The algorithms section: what is accepted is byte for byte what the writer makes of it. */
#include <string.h>

#include "common/snapshot/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot_bytes again = { 0 };
	struct alg_table *read = NULL;

	if (snapshot_read_algorithms(data, size, &read) < 0)
		return 0;
	if (snapshot_write_algorithms(read, &again) < 0 || again.len != size ||
		memcmp(again.bytes, data, size) != 0)
		abort();
	(void)alg_table_free(read);
	snapshot_bytes_done(&again);
	return 0;
}
