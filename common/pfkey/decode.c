/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Framing of a message, and which extensions a request of each type must and must not have. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/pfkey/wire.h"

#define SRC	  PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC)
#define DST	  PFKEY_BIT(PFKEY_EXT_ADDRESS_DST)
#define SA	  PFKEY_BIT(PFKEY_EXT_SA)
#define RANGE	  PFKEY_BIT(PFKEY_EXT_SPIRANGE)
#define INNER	  (PFKEY_BIT(PFKEY_EXT_INNER_SRC) | PFKEY_BIT(PFKEY_EXT_INNER_DST))
#define SUPPORTED (PFKEY_BIT(PFKEY_EXT_SUPPORTED_AUTH) | PFKEY_BIT(PFKEY_EXT_SUPPORTED_ENCRYPT))
#define ANY	  (~UINT64_C(0))

/* What a request needs; in the order in which missing ones are reported. */
static const struct {
	uint64_t bit;
	uint16_t diagnostic;
} missing[] = {
	{ SRC, PFKEY_DIAG_MISSING_SRC },
	{ DST, PFKEY_DIAG_MISSING_DST },
	{ SA, PFKEY_DIAG_MISSING_SA },
	{ RANGE, PFKEY_DIAG_MISSING_RANGE },
};

static const struct request_rule {
	uint64_t required, allowed;
	bool any_satype; /* SA type 0 is fine */
} request_rules[PFKEY_TYPE_END] = {
	[PFKEY_GETSPI] = { SRC | DST | RANGE, ANY, false },
	[PFKEY_UPDATE] = { SRC | DST | SA, ANY, false },
	[PFKEY_ADD] = { SRC | DST | SA, ANY, false },
	[PFKEY_DELETE] = { 0, ANY, false }, /* check_delete() */
	[PFKEY_GET] = { DST | SA, ANY, false },
	[PFKEY_ACQUIRE] = { 0, ANY, true },
	[PFKEY_REGISTER] = { 0, ANY, true },
	[PFKEY_EXPIRE] = { 0, ANY, true },
	[PFKEY_FLUSH] = { 0, 0, true },
	[PFKEY_DUMP] = { 0, PFKEY_BIT(PFKEY_EXT_EDUMP), true },
	[PFKEY_X_PROMISC] = { 0, ANY, true },
	[PFKEY_X_INVERSE_ACQUIRE] = { SRC | DST, ANY, true },
	[PFKEY_X_UPDATEPAIR] = { SRC | DST | SA, ANY, false },
	[PFKEY_X_DELPAIR] = { DST | SA, ANY, false },
	[PFKEY_X_DELPAIR_STATE] = { SRC | DST | SA, ANY, true },
};

int pfkey_decode_base(const void *bytes, size_t len, struct pfkey_message *ret_msg)
{
	const uint8_t *at = bytes;

	if (len < PFKEY_BASE_BYTES)
		return -EBADMSG;
	ret_msg->type = at[1];
	ret_msg->error = at[2];
	ret_msg->satype = at[3];
	ret_msg->diagnostic = load_host16(at + 6);
	ret_msg->seq = load_host32(at + 8);
	ret_msg->pid = load_host32(at + 12);
	return 0;
}

static int decode_extension(struct pfkey_decoding *in, const uint8_t *ext, size_t len)
{
	const struct pfkey_row *row = pfkey_row_find(load_host16(ext + 2));

	if (!row) {
		/* RFC 2367 section 2.3.1 has them ignored; the original's database refuses them. */
		if (in->side == PFKEY_ANSWER && load_host16(ext + 2) != 0)
			return 0;
		return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_UNKNOWN_EXT);
	}
	if (in->msg->present & PFKEY_BIT(row->extension))
		return pfkey_refuse(&in->fault, EINVAL, row->duplicate);
	if (len < row->min_bytes || (row->max_bytes && len > row->max_bytes))
		return pfkey_refuse(&in->fault, EINVAL, row->malformed);
	in->msg->present |= PFKEY_BIT(row->extension);
	return row->decode(in, row, ext, len);
}

static int decode_extensions(struct pfkey_decoding *in, const uint8_t *bytes, size_t len)
{
	size_t at = PFKEY_BASE_BYTES, size;
	int r;

	while (at < len) {
		size = (size_t)load_host16(bytes + at) * PFKEY_UNIT;
		if (size == 0 || size > len - at)
			return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_BAD_EXTLEN);
		r = decode_extension(in, bytes + at, size);
		if (r < 0)
			return r;
		at += size;
	}
	return 0;
}

/* Two places say the same thing; one of them may be silent. */
static int merge_protocols(
	struct pfkey_decoding *in, uint8_t a, uint8_t b, uint16_t diagnostic, uint8_t *ret_protocol)
{
	if (a && b && a != b)
		return pfkey_refuse(&in->fault, EINVAL, diagnostic);
	*ret_protocol = a ? a : b;
	return 0;
}

static int settle_replay_value(struct pfkey_decoding *in)
{
	struct sa *sa = in->msg->sa;

	if (in->replay_high && !(sa->flags & SA_FLAG_ESN)) {
		if (in->replay_low == 0)
			return pfkey_refuse(&in->fault, EOPNOTSUPP, PFKEY_DIAG_INVALID_REPLAY);
		in->replay_high = 0;
	}
	sa->replay_value = in->replay_high ? in->replay_high : in->replay_low;
	return 0;
}

static int settle_identity(struct pfkey_decoding *in, enum pfkey_extension extension,
	const struct pfkey_identity *from, struct sa_identity **to)
{
	if (!(in->msg->present & PFKEY_BIT(extension)))
		return 0;
	if (sa_set_identity(to, from->type, from->id, from->value) < 0)
		return pfkey_refuse(&in->fault, ENOMEM, PFKEY_DIAG_NONE);
	return 0;
}

static int settle_management(struct pfkey_decoding *in)
{
	struct pfkey_message *msg = in->msg;
	int r = settle_identity(
		in, PFKEY_EXT_IDENTITY_SRC, &msg->identity_src, &msg->sa->identity_src);

	if (r == 0)
		r = settle_identity(
			in, PFKEY_EXT_IDENTITY_DST, &msg->identity_dst, &msg->sa->identity_dst);
	msg->sa->km_protocol = msg->km_protocol;
	msg->sa->km_cookie = msg->km_cookie;
	return r;
}

/* What follows from several extensions together. */
static int settle(struct pfkey_decoding *in)
{
	struct pfkey_message *msg = in->msg;
	struct sa *sa = msg->sa;
	int r;

	sa->proto = (enum sa_proto)pfkey_proto_of(msg->satype);
	sa->origin = SA_ORIGIN_PFKEY;
	if (msg->sa_flags & PFKEY_SAF_ESN)
		sa->flags |= SA_FLAG_ESN;
	if (msg->sa_flags & (PFKEY_SAF_NATT_LOC | PFKEY_SAF_NATT_REM | PFKEY_SAF_NATTED))
		sa->flags |= SA_FLAG_ENCAP;
	if (msg->sa_flags & PFKEY_SAF_UNIQUE && in->side == PFKEY_ANSWER)
		sa->flags |= SA_FLAG_UNIQUE;
	if (msg->sa_flags & PFKEY_SAF_INBOUND)
		sa->directions |= SA_INBOUND;
	if (msg->sa_flags & PFKEY_SAF_OUTBOUND)
		sa->directions |= SA_OUTBOUND;
	if (msg->sa_flags & PFKEY_SAF_NOREPLAY)
		sa->replay_window = 0;
	if ((msg->present & INNER) == INNER)
		sa->mode = SA_MODE_TUNNEL;
	/* An unspecified source may come in the other family. */
	if ((msg->present & (SRC | DST)) == (SRC | DST) && address_is_unspecified(&sa->src))
		sa->src = address_any(sa->dst.family);
	r = settle_management(in);
	if (r < 0)
		return r;
	r = merge_protocols(
		in, in->proto_src, in->proto_dst, PFKEY_DIAG_PROTO_MISMATCH, &sa->protocol);
	if (r == 0)
		r = merge_protocols(in, in->proto_inner_src, in->proto_inner_dst,
			PFKEY_DIAG_INNER_PROTO_MISMATCH, &sa->inner_protocol);
	return r < 0 ? r : settle_replay_value(in);
}

/* Without an SA extension a DELETE is for everything between two addresses. */
static int check_delete(struct pfkey_decoding *in)
{
	uint64_t present = in->msg->present;

	if (!(present & SA) && !(present & (SRC | DST)))
		return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_MISSING_SA);
	if (present & SA && !(present & DST))
		return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_MISSING_DST);
	return 0;
}

static int check_presence(struct pfkey_decoding *in, const struct request_rule *rule)
{
	const struct pfkey_message *msg = in->msg;
	uint64_t present = msg->present;

	if (present & ~rule->allowed)
		return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_NO_EXT);
	if (present & PFKEY_BIT(PFKEY_EXT_PROPOSAL) && msg->type != PFKEY_ACQUIRE)
		return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_PROP_PRESENT);
	if (present & SUPPORTED)
		return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_SUPP_PRESENT);
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		if (rule->required & ~present & missing[i].bit)
			return pfkey_refuse(&in->fault, EINVAL, missing[i].diagnostic);
	if ((present & INNER) && (present & INNER) != INNER)
		return pfkey_refuse(&in->fault, EINVAL,
			present & PFKEY_BIT(PFKEY_EXT_INNER_DST) ? PFKEY_DIAG_MISSING_INNER_SRC
								 : PFKEY_DIAG_MISSING_INNER_DST);
	if (present & PFKEY_BIT(PFKEY_EXT_LIFETIME_CURRENT) && msg->type == PFKEY_ADD)
		return pfkey_refuse(&in->fault, EOPNOTSUPP, PFKEY_DIAG_NONE);
	if (present & PFKEY_BIT(PFKEY_EXT_LIFETIME_CURRENT) &&
		(msg->type == PFKEY_UPDATE || msg->type == PFKEY_X_UPDATEPAIR))
		return pfkey_refuse(&in->fault, EOPNOTSUPP, PFKEY_DIAG_MISSING_LIFETIME);
	return msg->type == PFKEY_DELETE ? check_delete(in) : 0;
}

static int check_satype(struct pfkey_decoding *in, const struct request_rule *rule)
{
	const struct pfkey_message *msg = in->msg;

	if (msg->type == PFKEY_X_PROMISC) /* there it is a switch */
		return 0;
	if (msg->satype != PFKEY_SATYPE_UNSPEC && pfkey_proto_of(msg->satype) == 0)
		return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_UNKNOWN_SATYPE);
	if (msg->satype == PFKEY_SATYPE_UNSPEC && !rule->any_satype)
		return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_SATYPE_NEEDED);
	return 0;
}

static int decode_request(struct pfkey_decoding *in, const uint8_t *bytes, size_t len)
{
	const struct request_rule *rule;
	int r;

	if (in->msg->type == 0 || in->msg->type >= PFKEY_TYPE_END)
		return pfkey_refuse(&in->fault, EINVAL, PFKEY_DIAG_UNKNOWN_MSG);
	rule = &request_rules[in->msg->type];
	r = check_satype(in, rule);
	if (r < 0)
		return r;
	/* Key management says that it failed: the sequence number is all that counts. */
	if (in->msg->type == PFKEY_ACQUIRE && in->msg->error)
		return 0;
	r = decode_extensions(in, bytes, len);
	if (r == 0)
		r = check_presence(in, rule);
	if (r == 0)
		r = settle(in);
	return r < 0 ? r : pfkey_check_addresses(in->msg->sa, in->msg->present, &in->fault);
}

static int decode_answer(struct pfkey_decoding *in, const uint8_t *bytes, size_t len)
{
	int r = decode_extensions(in, bytes, len);

	return r < 0 ? r : settle(in);
}

int pfkey_decode(const void *bytes, size_t len, enum pfkey_side side,
	struct pfkey_message **ret_msg, struct pfkey_fault *ret_fault)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();
	struct pfkey_decoding in = { .msg = msg, .side = side };
	const uint8_t *at = bytes;
	int r;

	if (!msg)
		return pfkey_refuse(ret_fault, ENOMEM, PFKEY_DIAG_NONE);
	if (pfkey_decode_base(bytes, len, msg) < 0 ||
		(size_t)load_host16(at + 4) * PFKEY_UNIT != len)
		return pfkey_refuse(ret_fault, EMSGSIZE, PFKEY_DIAG_NONE);
	if (at[0] != PFKEY_VERSION)
		return pfkey_refuse(ret_fault, EINVAL, PFKEY_DIAG_NONE);
	r = side == PFKEY_REQUEST ? decode_request(&in, at, len) : decode_answer(&in, at, len);
	if (r < 0) {
		*ret_fault = in.fault;
		return r;
	}
	*ret_msg = STEAL(msg);
	return 0;
}
