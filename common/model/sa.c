/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/sa.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct sa *sa_new(void)
{
	return calloc(1, sizeof(struct sa));
}

struct sa *sa_free(struct sa *sa)
{
	if (sa) {
		secret_unref(sa->encr_key);
		secret_unref(sa->auth_key);
		free(sa->identity_src);
		free(sa->identity_dst);
		free(sa);
	}
	return NULL;
}

int sa_set_identity(struct sa_identity **identity, uint16_t type, uint64_t id, const char *value)
{
	struct sa_identity *next = calloc(1, sizeof(*next));
	size_t len = strnlen(value, SA_IDENTITY_MAX - 1);

	if (!next)
		return -ENOMEM;
	next->type = type;
	next->id = id;
	memcpy(next->value, value, len);
	free(*identity);
	*identity = next;
	return 0;
}

bool sa_identity_equal(const struct sa_identity *a, const struct sa_identity *b)
{
	if (!a || !b)
		return a == b;
	return a->type == b->type && a->id == b->id && strcmp(a->value, b->value) == 0;
}

static int copy_identity(struct sa_identity **copy, const struct sa_identity *identity)
{
	return identity ? sa_set_identity(copy, identity->type, identity->id, identity->value) : 0;
}

struct sa *sa_copy(const struct sa *sa)
{
	CLEANUP(sa_freep) struct sa *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *sa;
	secret_ref(copy->encr_key);
	secret_ref(copy->auth_key);
	copy->identity_src = copy->identity_dst = NULL;
	if (copy_identity(&copy->identity_src, sa->identity_src) < 0 ||
		copy_identity(&copy->identity_dst, sa->identity_dst) < 0)
		return NULL;
	return STEAL(copy);
}

const char *sa_state_name(unsigned int state)
{
	static const char *const names[] = { [SA_LARVAL] = "larval",
		[SA_MATURE] = "mature",
		[SA_DYING] = "dying",
		[SA_DEAD] = "dead",
		[SA_ACTIVE_ELSEWHERE] = "active-elsewhere",
		[SA_IDLE] = "idle" };

	return state < ARRAY_SIZE(names) ? names[state] : NULL;
}

struct sa_key sa_key_of(const struct sa *sa)
{
	return (struct sa_key){ .proto = sa->proto, .spi = sa->spi, .dst = sa->dst };
}

bool sa_key_equal(const struct sa_key *a, const struct sa_key *b)
{
	return a->proto == b->proto && a->spi == b->spi && address_equal(&a->dst, &b->dst);
}

static bool selectors_equal(const struct sa *a, const struct sa *b)
{
	return address_equal(&a->src, &b->src) && a->mode == b->mode &&
	       a->protocol == b->protocol && a->src_port == b->src_port &&
	       a->dst_port == b->dst_port && prefix_equal(&a->inner_src, &b->inner_src) &&
	       prefix_equal(&a->inner_dst, &b->inner_dst) &&
	       a->inner_protocol == b->inner_protocol && a->inner_src_port == b->inner_src_port &&
	       a->inner_dst_port == b->inner_dst_port;
}

static bool algorithms_equal(const struct sa *a, const struct sa *b)
{
	/* Both comparisons are made, whatever the first says: see secret_equal(). */
	bool encr = secret_equal(a->encr_key, b->encr_key);
	bool auth = secret_equal(a->auth_key, b->auth_key);

	return a->encr == b->encr && a->auth == b->auth && encr && auth &&
	       a->encr_key_bits == b->encr_key_bits && a->salt_bits == b->salt_bits &&
	       a->iv_bits == b->iv_bits && a->auth_key_bits == b->auth_key_bits;
}

static bool limits_equal(const struct sa_limits *a, const struct sa_limits *b)
{
	return a->bytes == b->bytes && a->add_sec == b->add_sec && a->use_sec == b->use_sec &&
	       a->allocations == b->allocations;
}

/* Not compared: state and origin, which say how an SA is doing and not what it is. */
bool sa_equal(const struct sa *a, const struct sa *b)
{
	struct sa_key key_a = sa_key_of(a), key_b = sa_key_of(b);

	return sa_key_equal(&key_a, &key_b) && selectors_equal(a, b) && algorithms_equal(a, b) &&
	       a->flags == b->flags && a->directions == b->directions &&
	       a->replay_window == b->replay_window && a->replay_value == b->replay_value &&
	       a->pair_spi == b->pair_spi && a->reqid == b->reqid &&
	       limits_equal(&a->soft, &b->soft) && limits_equal(&a->hard, &b->hard) &&
	       a->idle_add_sec == b->idle_add_sec && a->idle_use_sec == b->idle_use_sec &&
	       address_equal(&a->natt_local, &b->natt_local) &&
	       address_equal(&a->natt_remote, &b->natt_remote) &&
	       a->natt_local_port == b->natt_local_port &&
	       a->natt_remote_port == b->natt_remote_port &&
	       sa_identity_equal(a->identity_src, b->identity_src) &&
	       sa_identity_equal(a->identity_dst, b->identity_dst) &&
	       a->km_protocol == b->km_protocol && a->km_cookie == b->km_cookie &&
	       a->tfc_pad == b->tfc_pad && a->tfc_dummy_msec == b->tfc_dummy_msec;
}

static bool is_host(const struct prefix *prefix, const struct address *addr)
{
	struct prefix host = prefix_host(addr);

	return !address_is_unspecified(addr) && prefix_equal(prefix, &host);
}

bool sa_is_self_encapsulating(const struct sa *sa)
{
	return sa->mode == SA_MODE_TUNNEL && is_host(&sa->inner_src, &sa->src) &&
	       is_host(&sa->inner_dst, &sa->dst);
}

void sa_normalise(struct sa *sa)
{
	bool unique;

	if (sa->mode == SA_MODE_TUNNEL) {
		if (sa->protocol == 0 && sa->inner_src.addr.family != AF_UNSPEC)
			sa->protocol = sa->inner_src.addr.family == AF_INET6 ? IPPROTO_IPV6
									     : IPPROTO_IPIP;
		unique = sa->inner_protocol || sa->inner_src_port || sa->inner_dst_port;
	} else {
		unique = sa->protocol || sa->src_port || sa->dst_port;
	}
	if (unique)
		sa->flags |= SA_FLAG_UNIQUE;
	else
		sa->flags &= ~SA_FLAG_UNIQUE;
}

void sa_print(const struct sa *sa, struct text *text)
{
	char src[ADDRESS_TEXT_MAX], dst[ADDRESS_TEXT_MAX];

	text_addf(text, "%s spi 0x%" PRIx32 " %s > %s %s", sa->proto == SA_PROTO_AH ? "ah" : "esp",
		sa->spi, address_format(&sa->src, src), address_format(&sa->dst, dst),
		sa->mode == SA_MODE_TUNNEL ? "tunnel" : "transport");
}
