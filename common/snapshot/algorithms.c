/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record: protocol, number, names, mechanism, key sizes in bits, sizes in bytes, flags. The
 * section's argument says how they are executed.
 */
#include <errno.h>

#include "common/snapshot/codec.h"

#define RECORD_MAX   1024
#define RECORD_LEAST 40
#define FLAGS_KNOWN \
	(ALG_FLAG_VALID | ALG_FLAG_COUNTER | ALG_FLAG_COMBINED | ALG_FLAG_CCM | ALG_FLAG_GCM)

#define CPU_PERCENT UINT32_C(0xff) /* of the argument */
#define AH_ASYNC    UINT32_C(0x100)
#define ESP_ASYNC   UINT32_C(0x200)

static uint32_t pack_execution(const struct alg_execution *execution)
{
	return execution->cpu_percent | (execution->ah_async ? AH_ASYNC : 0) |
	       (execution->esp_async ? ESP_ASYNC : 0);
}

static bool unpack_execution(uint32_t argument, struct alg_execution *ret_execution)
{
	uint32_t percent = argument & CPU_PERCENT;

	if (percent == 0 || percent > ALG_CPU_ALL ||
		(argument & ~(CPU_PERCENT | AH_ASYNC | ESP_ASYNC)) != 0)
		return false;
	*ret_execution = (struct alg_execution){
		.ah_async = (argument & AH_ASYNC) != 0,
		.esp_async = (argument & ESP_ASYNC) != 0,
		.cpu_percent = (uint8_t)percent,
	};
	return true;
}

static void put(struct writer *wr, const struct algorithm *alg)
{
	const uint16_t sizes[] = { alg->key_default_bits, alg->key_min_bits, alg->key_max_bits,
		alg->key_increment_bits, alg->block_bytes, alg->iv_bytes, alg->icv_bytes,
		alg->salt_bytes };

	(void)write_u8(wr, alg->proto);
	(void)write_u8(wr, alg->number);
	(void)write_u8(wr, alg->n_names);
	for (size_t i = 0; i < alg->n_names; i++)
		codec_put_word(wr, alg->names[i]);
	codec_put_word(wr, alg->mechanism);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		(void)write_le16(wr, sizes[i]);
	for (size_t i = 0; i < ALG_MAX_KEYS; i++)
		(void)write_le16(wr, alg->key_sizes_bits[i]);
	(void)write_le32(wr, alg->flags);
}

static bool take_names(struct reader *rd, struct algorithm *alg)
{
	if (!read_u8(rd, &alg->n_names) || alg->n_names == 0 || alg->n_names > ALG_MAX_NAMES)
		return false;
	for (size_t i = 0; i < alg->n_names; i++)
		if (!codec_take_word(rd, alg->names[i], sizeof(alg->names[i])) || !*alg->names[i])
			return false;
	return codec_take_word(rd, alg->mechanism, sizeof(alg->mechanism));
}

static bool take(struct reader *rd, struct algorithm *alg)
{
	uint16_t *const sizes[] = { &alg->key_default_bits, &alg->key_min_bits, &alg->key_max_bits,
		&alg->key_increment_bits, &alg->block_bytes, &alg->iv_bytes, &alg->icv_bytes,
		&alg->salt_bytes };
	bool ended = false;

	(void)read_u8(rd, &alg->proto);
	(void)read_u8(rd, &alg->number);
	if (rd->failed || (alg->proto != ALG_PROTO_AH && alg->proto != ALG_PROTO_ESP) ||
		!take_names(rd, alg))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		(void)read_le16(rd, sizes[i]);
	for (size_t i = 0; i < ALG_MAX_KEYS; i++) {
		(void)read_le16(rd, &alg->key_sizes_bits[i]);
		if (ended && alg->key_sizes_bits[i] != 0)
			return false;
		ended = alg->key_sizes_bits[i] == 0;
	}
	(void)read_le32(rd, &alg->flags);
	return !rd->failed && !(alg->flags & ~FLAGS_KNOWN) &&
	       alg->key_min_bits <= alg->key_max_bits;
}

int snapshot_write_algorithms(const struct alg_table *table, struct snapshot_bytes *ret)
{
	CLEANUP(codec_done) struct codec_out out = { 0 };
	int r = codec_begin(
		&out, SECTION_ALGORITHMS, table->count, pack_execution(&table->execution));

	for (size_t i = 0; i < table->count && r == 0; i++) {
		struct writer wr;

		r = codec_record(&out, RECORD_MAX, &wr);
		if (r < 0)
			return r;
		put(&wr, &table->entries[i]);
		r = codec_commit(&out, &wr);
	}
	return r < 0 ? r : codec_end(&out, ret);
}

static bool is_duplicate(const struct algorithm *entries, size_t count, const struct algorithm *alg)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].proto == alg->proto && entries[i].number == alg->number)
			return true;
	return false;
}

int snapshot_read_algorithms(const void *bytes, size_t len, struct alg_table **ret)
{
	CLEANUP(freep) struct algorithm *entries = NULL;
	struct alg_execution execution;
	uint32_t count, argument;
	struct reader rd;
	int r;

	reader_init(&rd, bytes, len);
	r = codec_open(&rd, SECTION_ALGORITHMS, RECORD_LEAST, &count, &argument);
	if (r < 0)
		return r;
	if (!unpack_execution(argument, &execution) || count > ALG_MAX_ENTRIES)
		return -EBADMSG;
	entries = calloc(count ? count : 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!take(&rd, &entries[i]) || is_duplicate(entries, i, &entries[i]))
			return -EBADMSG;
	if (reader_left(&rd) > 0)
		return -EBADMSG;
	*ret = alg_table_new(entries, count);
	if (!*ret)
		return -ENOMEM;
	(*ret)->execution = execution;
	return 0;
}
