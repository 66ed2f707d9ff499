/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/snapshot/codec.h"

#include <errno.h>
#include <string.h>

#define MAGIC	   UINT32_C(0x5350494e) /* "NIPS" */
#define FIRST_ROOM 4096U

/* Families as they are written: not the numbers of one kernel. */
#define FAMILY_NONE 0U
#define FAMILY_IPV4 4U
#define FAMILY_IPV6 6U

static int reserve(struct codec_out *out, size_t more)
{
	size_t room = out->room ? out->room : FIRST_ROOM;
	uint8_t *bytes;

	if (more > SNAPSHOT_MAX_BYTES || out->snap.len > SNAPSHOT_MAX_BYTES - more)
		return -EFBIG;
	if (out->room >= out->snap.len + more)
		return 0;
	while (room < out->snap.len + more)
		room *= 2;
	bytes = malloc(room); /* not realloc: it would leave key bytes behind */
	if (!bytes)
		return -ENOMEM;
	if (out->snap.len)
		memcpy(bytes, out->snap.bytes, out->snap.len);
	if (out->snap.secret && out->snap.bytes)
		secret_wipe(out->snap.bytes, out->room);
	free(out->snap.bytes);
	out->snap.bytes = bytes;
	out->room = room;
	return 0;
}

int codec_begin(
	struct codec_out *out, enum snapshot_section section, size_t count, uint32_t argument)
{
	struct writer wr;
	int r;

	*out = (struct codec_out){ .snap.secret = section == SECTION_KEYS };
	if (count > UINT32_MAX)
		return -EFBIG;
	r = codec_record(out, CODEC_HEADER_BYTES, &wr);
	if (r < 0)
		return r;
	(void)write_le32(&wr, MAGIC);
	(void)write_le16(&wr, SNAPSHOT_VERSION);
	(void)write_le16(&wr, (uint16_t)section);
	(void)write_le32(&wr, (uint32_t)count);
	(void)write_le32(&wr, argument);
	return codec_commit(out, &wr);
}

int codec_record(struct codec_out *out, size_t max_bytes, struct writer *ret_wr)
{
	int r = reserve(out, max_bytes);

	if (r < 0)
		return r;
	writer_init(ret_wr, out->snap.bytes + out->snap.len, max_bytes);
	return 0;
}

int codec_commit(struct codec_out *out, const struct writer *wr)
{
	if (wr->failed)
		return -EFBIG;
	out->snap.len += writer_used(wr);
	return 0;
}

int codec_end(struct codec_out *out, struct snapshot_bytes *ret)
{
	int r = memfd_hash(out->snap.bytes, out->snap.len, out->snap.hash);

	if (r < 0)
		return r;
	*ret = out->snap;
	*out = (struct codec_out){ 0 };
	return 0;
}

void codec_done(struct codec_out *out)
{
	out->snap.len = out->room; /* a record that was not committed is wiped too */
	snapshot_bytes_done(&out->snap);
}

int codec_open(struct reader *rd, enum snapshot_section section, size_t least_bytes,
	uint32_t *ret_count, uint32_t *ret_argument)
{
	uint32_t magic = 0, count = 0, argument = 0;
	uint16_t version = 0, found = 0;

	(void)read_le32(rd, &magic);
	(void)read_le16(rd, &version);
	if (rd->failed || magic != MAGIC)
		return -EBADMSG;
	if (version != SNAPSHOT_VERSION)
		return -EPROTONOSUPPORT;
	(void)read_le16(rd, &found);
	(void)read_le32(rd, &count);
	(void)read_le32(rd, &argument);
	if (rd->failed || found != section || count > reader_left(rd) / least_bytes)
		return -EBADMSG;
	*ret_count = count;
	*ret_argument = argument;
	return 0;
}

void codec_put_address(struct writer *wr, const struct address *addr)
{
	size_t len = address_len(addr->family);

	(void)write_u8(wr, len == 0 ? FAMILY_NONE : len == 4 ? FAMILY_IPV4 : FAMILY_IPV6);
	(void)write_bytes(wr, addr->bytes, len);
}

void codec_put_prefix(struct writer *wr, const struct prefix *prefix)
{
	codec_put_address(wr, &prefix->addr);
	if (prefix->addr.family != AF_UNSPEC)
		(void)write_u8(wr, prefix->bits);
}

bool codec_take_address(struct reader *rd, struct address *ret_addr)
{
	uint8_t family, bytes[16];

	if (!read_u8(rd, &family))
		return false;
	switch (family) {
	case FAMILY_NONE:
		*ret_addr = (struct address){ .family = AF_UNSPEC };
		return true;
	case FAMILY_IPV4:
		if (!read_bytes(rd, bytes, 4))
			return false;
		*ret_addr = address_v4(bytes);
		return true;
	case FAMILY_IPV6:
		if (!read_bytes(rd, bytes, 16))
			return false;
		*ret_addr = address_v6(bytes);
		return true;
	default:
		return false;
	}
}

bool codec_take_prefix(struct reader *rd, struct prefix *ret_prefix)
{
	struct address addr;
	uint8_t bits;

	if (!codec_take_address(rd, &addr))
		return false;
	if (addr.family == AF_UNSPEC) {
		*ret_prefix = (struct prefix){ .addr = addr };
		return true;
	}
	return read_u8(rd, &bits) && prefix_make(&addr, bits, ret_prefix) == 0 &&
	       address_equal(&ret_prefix->addr, &addr);
}

void codec_put_word(struct writer *wr, const char *word)
{
	size_t len = strlen(word);

	if (len > UINT8_MAX)
		wr->failed = true;
	(void)write_u8(wr, (uint8_t)len);
	(void)write_bytes(wr, word, len);
}

bool codec_take_word(struct reader *rd, char *ret_word, size_t size)
{
	const uint8_t *at;
	uint8_t len;

	if (!read_u8(rd, &len) || len >= size || !read_view(rd, &at, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if (at[i] <= 0x20 || at[i] >= 0x7f)
			return false;
	memcpy(ret_word, at, len);
	ret_word[len] = '\0';
	return true;
}
