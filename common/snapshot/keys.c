/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Security associations, key bytes included; the same record serves the datapath's arena. */
#include <errno.h>
#include <string.h>

#include "common/snapshot/codec.h"

#define RECORD_LEAST 136
#define FLAGS_KNOWN  (SA_FLAG_ESN | SA_FLAG_UNIQUE | SA_FLAG_ENCAP)

struct sa_list *sa_list_new(size_t room)
{
	struct sa_list *list = calloc(1, sizeof(*list));

	if (!list)
		return NULL;
	list->room = room ? room : 1;
	list->sas = calloc(list->room, sizeof(struct sa *));
	return list->sas ? list : sa_list_free(list);
}

int sa_list_add(struct sa_list *list, struct sa *sa)
{
	if (list->count == list->room) {
		struct sa **more = reallocarray(list->sas, list->room, 2 * sizeof(struct sa *));

		if (!more)
			return -ENOMEM;
		list->sas = more;
		list->room *= 2;
	}
	list->sas[list->count++] = sa;
	return 0;
}

struct sa_list *sa_list_free(struct sa_list *list)
{
	if (!list)
		return NULL;
	for (size_t i = 0; i < list->count; i++)
		(void)sa_free(list->sas[i]);
	free(list->sas);
	free(list);
	return NULL;
}

static void put_key(struct writer *wr, const struct secret *key)
{
	(void)write_le16(wr, (uint16_t)secret_len(key));
	(void)write_bytes(wr, secret_bytes(key), secret_len(key));
}

static void put_limits(struct writer *wr, const struct sa_limits *limits)
{
	(void)write_le64(wr, limits->bytes);
	(void)write_le64(wr, limits->add_sec);
	(void)write_le64(wr, limits->use_sec);
	(void)write_le32(wr, limits->allocations);
}

static void put_selectors(struct writer *wr, const struct sa *sa)
{
	codec_put_address(wr, &sa->src);
	codec_put_address(wr, &sa->dst);
	(void)write_u8(wr, (uint8_t)sa->mode);
	(void)write_u8(wr, sa->protocol);
	(void)write_le16(wr, sa->src_port);
	(void)write_le16(wr, sa->dst_port);
	codec_put_prefix(wr, &sa->inner_src);
	codec_put_prefix(wr, &sa->inner_dst);
	(void)write_u8(wr, sa->inner_protocol);
	(void)write_le16(wr, sa->inner_src_port);
	(void)write_le16(wr, sa->inner_dst_port);
}

static void put_algorithms(struct writer *wr, const struct sa *sa)
{
	(void)write_u8(wr, sa->encr);
	(void)write_u8(wr, sa->auth);
	put_key(wr, sa->encr_key);
	put_key(wr, sa->auth_key);
	(void)write_le16(wr, sa->encr_key_bits);
	(void)write_le16(wr, sa->salt_bits);
	(void)write_le16(wr, sa->iv_bits);
	(void)write_le16(wr, sa->auth_key_bits);
}

/* A length of 0: there is none. With its NUL, so that an empty string is one. */
static void put_identity(struct writer *wr, const struct sa_identity *identity)
{
	size_t len = identity ? strnlen(identity->value, SA_IDENTITY_MAX - 1) + 1 : 0;

	(void)write_le16(wr, (uint16_t)len);
	if (!identity)
		return;
	(void)write_le16(wr, identity->type);
	(void)write_le64(wr, identity->id);
	(void)write_bytes(wr, identity->value, len);
}

static void put_sa(struct writer *wr, const struct sa *sa)
{
	(void)write_u8(wr, (uint8_t)sa->proto);
	(void)write_le32(wr, sa->spi);
	put_selectors(wr, sa);
	put_algorithms(wr, sa);
	(void)write_le32(wr, sa->flags);
	(void)write_u8(wr, sa->directions);
	(void)write_u8(wr, sa->state);
	(void)write_u8(wr, (uint8_t)sa->origin);
	(void)write_le32(wr, sa->replay_window);
	(void)write_le64(wr, sa->replay_value);
	(void)write_le32(wr, sa->pair_spi);
	(void)write_le32(wr, sa->reqid);
	put_limits(wr, &sa->soft);
	put_limits(wr, &sa->hard);
	(void)write_le64(wr, sa->idle_add_sec);
	(void)write_le64(wr, sa->idle_use_sec);
	codec_put_address(wr, &sa->natt_local);
	codec_put_address(wr, &sa->natt_remote);
	(void)write_le16(wr, sa->natt_local_port);
	(void)write_le16(wr, sa->natt_remote_port);
	(void)write_le16(wr, sa->tfc_pad);
	(void)write_le32(wr, sa->tfc_dummy_msec);
	put_identity(wr, sa->identity_src);
	put_identity(wr, sa->identity_dst);
	(void)write_le32(wr, sa->km_protocol);
	(void)write_le64(wr, sa->km_cookie);
}

/* Return: 0, -EBADMSG, -ENOMEM. */
static int take_key(struct reader *rd, struct secret_pool *pool, struct secret **ret_key)
{
	const uint8_t *at;
	uint16_t len;
	int r;

	if (!read_le16(rd, &len) || len > SECRET_MAX_BYTES || !read_view(rd, &at, len))
		return -EBADMSG;
	if (len == 0)
		return 0;
	r = secret_new_in(pool, at, len, ret_key);
	return r == -EINVAL ? -EBADMSG : r;
}

static void take_limits(struct reader *rd, struct sa_limits *limits)
{
	(void)read_le64(rd, &limits->bytes);
	(void)read_le64(rd, &limits->add_sec);
	(void)read_le64(rd, &limits->use_sec);
	(void)read_le32(rd, &limits->allocations);
}

/* Inner addresses are there in tunnel mode, both of one family, and only then. */
static bool inner_stands(const struct sa *sa)
{
	uint8_t src = sa->inner_src.addr.family, dst = sa->inner_dst.addr.family;

	return src == dst && (src != AF_UNSPEC) == (sa->mode == SA_MODE_TUNNEL);
}

static bool take_selectors(struct reader *rd, struct sa *sa)
{
	uint8_t mode;

	if (!codec_take_address(rd, &sa->src) || !codec_take_address(rd, &sa->dst) ||
		sa->dst.family == AF_UNSPEC || !read_u8(rd, &mode) || mode > SA_MODE_TUNNEL)
		return false;
	sa->mode = (enum sa_mode)mode;
	(void)read_u8(rd, &sa->protocol);
	(void)read_le16(rd, &sa->src_port);
	(void)read_le16(rd, &sa->dst_port);
	if (!codec_take_prefix(rd, &sa->inner_src) || !codec_take_prefix(rd, &sa->inner_dst))
		return false;
	(void)read_u8(rd, &sa->inner_protocol);
	(void)read_le16(rd, &sa->inner_src_port);
	(void)read_le16(rd, &sa->inner_dst_port);
	return !rd->failed && inner_stands(sa);
}

/* The sizes that are told must lie within the bytes that are there. */
static bool sizes_stand(const struct sa *sa)
{
	size_t encr = (size_t)sa->encr_key_bits + sa->salt_bits + sa->iv_bits;

	return encr <= 8 * secret_len(sa->encr_key) &&
	       sa->auth_key_bits <= 8 * secret_len(sa->auth_key);
}

static int take_algorithms(struct reader *rd, struct secret_pool *pool, struct sa *sa)
{
	int r;

	(void)read_u8(rd, &sa->encr);
	(void)read_u8(rd, &sa->auth);
	r = take_key(rd, pool, &sa->encr_key);
	if (r == 0)
		r = take_key(rd, pool, &sa->auth_key);
	if (r < 0)
		return r;
	(void)read_le16(rd, &sa->encr_key_bits);
	(void)read_le16(rd, &sa->salt_bits);
	(void)read_le16(rd, &sa->iv_bits);
	(void)read_le16(rd, &sa->auth_key_bits);
	return rd->failed || !sizes_stand(sa) ? -EBADMSG : 0;
}

/* Return: 0, -EBADMSG, -ENOMEM. */
static int take_identity(struct reader *rd, struct sa_identity **ret_identity)
{
	char value[SA_IDENTITY_MAX];
	const uint8_t *at;
	uint16_t len, type;
	uint64_t id;

	if (!read_le16(rd, &len) || len > sizeof(value))
		return -EBADMSG;
	if (len == 0)
		return 0;
	if (!read_le16(rd, &type) || !read_le64(rd, &id) || !read_view(rd, &at, len) ||
		strnlen((const char *)at, len) != len - 1U)
		return -EBADMSG;
	memcpy(value, at, len);
	return sa_set_identity(ret_identity, type, id, value);
}

static int take_management(struct reader *rd, struct sa *sa)
{
	int r = take_identity(rd, &sa->identity_src);

	if (r == 0)
		r = take_identity(rd, &sa->identity_dst);
	if (r < 0)
		return r;
	return read_le32(rd, &sa->km_protocol) && read_le64(rd, &sa->km_cookie) ? 0 : -EBADMSG;
}

static bool take_rest(struct reader *rd, struct sa *sa)
{
	uint8_t origin = 0;

	(void)read_le32(rd, &sa->flags);
	(void)read_u8(rd, &sa->directions);
	(void)read_u8(rd, &sa->state);
	(void)read_u8(rd, &origin);
	if (rd->failed || (sa->flags & ~FLAGS_KNOWN) ||
		(sa->directions & ~(SA_INBOUND | SA_OUTBOUND)) || sa->state > SA_IDLE ||
		origin > SA_ORIGIN_PFKEY)
		return false;
	sa->origin = (enum sa_origin)origin;
	(void)read_le32(rd, &sa->replay_window);
	(void)read_le64(rd, &sa->replay_value);
	(void)read_le32(rd, &sa->pair_spi);
	(void)read_le32(rd, &sa->reqid);
	take_limits(rd, &sa->soft);
	take_limits(rd, &sa->hard);
	(void)read_le64(rd, &sa->idle_add_sec);
	(void)read_le64(rd, &sa->idle_use_sec);
	return !rd->failed && codec_take_address(rd, &sa->natt_local) &&
	       codec_take_address(rd, &sa->natt_remote) && read_le16(rd, &sa->natt_local_port) &&
	       read_le16(rd, &sa->natt_remote_port) && read_le16(rd, &sa->tfc_pad) &&
	       read_le32(rd, &sa->tfc_dummy_msec);
}

/* Return: 0, -EBADMSG, -ENOMEM. */
static int take_sa(struct reader *rd, struct secret_pool *pool, struct sa **ret_sa)
{
	CLEANUP(sa_freep) struct sa *sa = sa_new();
	uint8_t proto;
	int r;

	if (!sa)
		return -ENOMEM;
	if (!read_u8(rd, &proto) || (proto != SA_PROTO_AH && proto != SA_PROTO_ESP) ||
		!read_le32(rd, &sa->spi) || sa->spi == 0 || !take_selectors(rd, sa))
		return -EBADMSG;
	sa->proto = (enum sa_proto)proto;
	r = take_algorithms(rd, pool, sa);
	if (r == 0 && !take_rest(rd, sa))
		r = -EBADMSG;
	if (r == 0)
		r = take_management(rd, sa);
	if (r < 0)
		return r;
	*ret_sa = STEAL(sa);
	return 0;
}

/* What becomes of SAs that the list does not name. */
enum { KEYS_EXACT, KEYS_PARTIAL, KEYS_FLUSH };

int snapshot_write_keys(const struct sa_list *sas, struct snapshot_bytes *ret)
{
	CLEANUP(codec_done) struct codec_out out = { 0 };
	int r;

	if (sas->count > SNAPSHOT_MAX_SAS)
		return -EFBIG;
	r = codec_begin(&out, SECTION_KEYS, sas->count,
		sas->partial ? KEYS_PARTIAL
		: sas->flush ? KEYS_FLUSH
			     : KEYS_EXACT);
	for (size_t i = 0; i < sas->count && r == 0; i++) {
		struct writer wr;

		r = codec_record(&out, SNAPSHOT_SA_MAX_BYTES, &wr);
		if (r < 0)
			return r;
		put_sa(&wr, sas->sas[i]);
		r = codec_commit(&out, &wr);
	}
	return r < 0 ? r : codec_end(&out, ret);
}

int snapshot_read_keys(const void *bytes, size_t len, struct sa_list **ret)
{
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	CLEANUP(secret_pool_done) struct secret_pool pool = { NULL };
	uint32_t count, argument;
	struct reader rd;
	int r;

	reader_init(&rd, bytes, len);
	r = codec_open(&rd, SECTION_KEYS, RECORD_LEAST, &count, &argument);
	if (r < 0)
		return r;
	if (argument > KEYS_FLUSH || count > SNAPSHOT_MAX_SAS)
		return -EBADMSG;
	list = sa_list_new(count);
	if (!list)
		return -ENOMEM;
	list->partial = argument == KEYS_PARTIAL;
	list->flush = argument == KEYS_FLUSH;
	for (size_t i = 0; i < count; i++) {
		CLEANUP(sa_freep) struct sa *sa = NULL;

		r = take_sa(&rd, &pool, &sa);
		if (r == 0)
			r = sa_list_add(list, sa);
		if (r < 0)
			return r;
		sa = NULL;
	}
	if (reader_left(&rd) > 0)
		return -EBADMSG;
	*ret = STEAL(list);
	return 0;
}

int snapshot_write_sa(const struct sa *sa, uint8_t *buffer, size_t size, size_t *ret_len)
{
	struct writer wr;

	writer_init(&wr, buffer, size);
	put_sa(&wr, sa);
	if (wr.failed)
		return -EFBIG;
	*ret_len = writer_used(&wr);
	return 0;
}

int snapshot_read_sa(const void *bytes, size_t len, struct sa **ret)
{
	CLEANUP(sa_freep) struct sa *sa = NULL;
	struct reader rd;
	int r;

	reader_init(&rd, bytes, len);
	r = take_sa(&rd, NULL, &sa);
	if (r < 0)
		return r;
	if (reader_left(&rd) > 0)
		return -EBADMSG;
	*ret = STEAL(sa);
	return 0;
}
