/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules in match order; the header's argument is the precedence. Ids are not written: they follow
 * from the text of the rules, and the reader works them out for itself.
 */
#include <errno.h>
#include <string.h>

#include "common/snapshot/codec.h"

#define ACTION_BYTES 17 /* kind, bits, three needs */
#define RECORD_MAX   (128 + RULE_TUNNEL_MAX + RULE_MAX_ACTIONS * ACTION_BYTES)
#define RECORD_LEAST 28

/* Which parts of a selector follow. */
#define HAS_ICMP_TYPE 0x1U
#define HAS_ICMP_CODE 0x2U
#define HAS_KNOWN     0x3U

/* Of an action. */
#define BIT_UNIQUE   0x1U
#define BIT_AH	     0x2U
#define BIT_ESP	     0x4U
#define BIT_ESP_AUTH 0x8U
#define BITS_ALGS    (BIT_AH | BIT_ESP | BIT_ESP_AUTH)
#define BITS_KNOWN   0xfU

static void put_selector(struct writer *wr, const struct selector *selector)
{
	struct address family = address_any(selector->family);
	unsigned int has = (selector->has_icmp_type ? HAS_ICMP_TYPE : 0) |
			   (selector->has_icmp_code ? HAS_ICMP_CODE : 0);

	(void)write_u8(wr, (uint8_t)address_len(family.family));
	(void)write_u8(wr, selector->protocol);
	(void)write_u8(wr, (uint8_t)has);
	if (selector->has_icmp_type) {
		(void)write_u8(wr, selector->icmp_type_low);
		(void)write_u8(wr, selector->icmp_type_high);
	}
	if (selector->has_icmp_code) {
		(void)write_u8(wr, selector->icmp_code_low);
		(void)write_u8(wr, selector->icmp_code_high);
	}
	(void)write_le16(wr, selector->local_port);
	(void)write_le16(wr, selector->remote_port);
	codec_put_prefix(wr, &selector->local);
	codec_put_prefix(wr, &selector->remote);
}

static bool take_range(struct reader *rd, bool has, uint8_t *ret_low, uint8_t *ret_high)
{
	return !has || (read_u8(rd, ret_low) && read_u8(rd, ret_high) && *ret_low <= *ret_high);
}

static bool take_selector(struct reader *rd, struct selector *selector)
{
	uint8_t address_bytes, has;

	if (!read_u8(rd, &address_bytes) || !read_u8(rd, &selector->protocol) ||
		!read_u8(rd, &has) || (has & ~HAS_KNOWN) ||
		(address_bytes != 0 && address_bytes != 4 && address_bytes != 16))
		return false;
	selector->family = address_bytes == 0 ? AF_UNSPEC : address_bytes == 4 ? AF_INET : AF_INET6;
	selector->has_icmp_type = has & HAS_ICMP_TYPE;
	selector->has_icmp_code = has & HAS_ICMP_CODE;
	return take_range(rd, selector->has_icmp_type, &selector->icmp_type_low,
		       &selector->icmp_type_high) &&
	       take_range(rd, selector->has_icmp_code, &selector->icmp_code_low,
		       &selector->icmp_code_high) &&
	       read_le16(rd, &selector->local_port) && read_le16(rd, &selector->remote_port) &&
	       codec_take_prefix(rd, &selector->local) && codec_take_prefix(rd, &selector->remote);
}

static void put_need(struct writer *wr, bool has, const struct alg_need *need)
{
	if (!has)
		return;
	(void)write_u8(wr, need->number);
	(void)write_le16(wr, need->min_bits);
	(void)write_le16(wr, need->max_bits);
}

static bool take_need(struct reader *rd, bool has, struct alg_need *need)
{
	return !has || (read_u8(rd, &need->number) && read_le16(rd, &need->min_bits) &&
			       read_le16(rd, &need->max_bits) && need->min_bits <= need->max_bits);
}

static void put_action(struct writer *wr, const struct action *action)
{
	unsigned int bits = (action->unique ? BIT_UNIQUE : 0) | (action->has_ah ? BIT_AH : 0) |
			    (action->has_esp ? BIT_ESP : 0) |
			    (action->has_esp_auth ? BIT_ESP_AUTH : 0);

	(void)write_u8(wr, (uint8_t)action->kind);
	(void)write_u8(wr, (uint8_t)bits);
	put_need(wr, action->has_ah, &action->ah);
	put_need(wr, action->has_esp, &action->esp);
	put_need(wr, action->has_esp_auth, &action->esp_auth);
}

static bool take_action(struct reader *rd, struct action *action)
{
	uint8_t kind, bits;

	if (!read_u8(rd, &kind) || !read_u8(rd, &bits) || kind > ACTION_PROTECT ||
		(bits & ~BITS_KNOWN))
		return false;
	/* To protect is to name an algorithm; nothing else does. */
	if ((kind == ACTION_PROTECT) != ((bits & BITS_ALGS) != 0))
		return false;
	action->kind = (enum action_kind)kind;
	action->unique = bits & BIT_UNIQUE;
	action->has_ah = bits & BIT_AH;
	action->has_esp = bits & BIT_ESP;
	action->has_esp_auth = bits & BIT_ESP_AUTH;
	return take_need(rd, action->has_ah, &action->ah) &&
	       take_need(rd, action->has_esp, &action->esp) &&
	       take_need(rd, action->has_esp_auth, &action->esp_auth);
}

static void put_rule(struct writer *wr, const struct rule *rule)
{
	(void)write_le32(wr, rule->index);
	(void)write_le32(wr, rule->line);
	(void)write_le32(wr, rule->order);
	(void)write_u8(wr, rule->directions);
	(void)write_u8(wr, (uint8_t)rule->negotiate);
	codec_put_word(wr, rule->tunnel);
	(void)write_le16(wr, (uint16_t)rule->n_actions);
	put_selector(wr, &rule->selector);
	for (size_t i = 0; i < rule->n_actions; i++)
		put_action(wr, &rule->actions[i]);
}

/* Return: 0, -EBADMSG, -ENOMEM. */
static int take_rule(struct reader *rd, struct rule **ret_rule)
{
	CLEANUP(rule_freep) struct rule *rule = NULL;
	struct rule head = { 0 };
	uint8_t negotiate = 0;
	uint16_t n_actions = 0;

	(void)read_le32(rd, &head.index);
	(void)read_le32(rd, &head.line);
	(void)read_le32(rd, &head.order);
	(void)read_u8(rd, &head.directions);
	(void)read_u8(rd, &negotiate);
	if (rd->failed || head.directions == 0 || (head.directions & ~DIRECTION_BIT_BOTH) ||
		negotiate > TUNNEL_TUNNEL ||
		!codec_take_word(rd, head.tunnel, sizeof(head.tunnel)) ||
		!read_le16(rd, &n_actions) || n_actions == 0 || n_actions > RULE_MAX_ACTIONS)
		return -EBADMSG;
	rule = rule_new(n_actions);
	if (!rule)
		return -ENOMEM;
	rule->index = head.index;
	rule->line = head.line;
	rule->order = head.order;
	rule->directions = head.directions;
	rule->negotiate = (enum tunnel_mode)negotiate;
	memcpy(rule->tunnel, head.tunnel, sizeof(rule->tunnel));
	if (!take_selector(rd, &rule->selector))
		return -EBADMSG;
	for (size_t i = 0; i < n_actions; i++)
		if (!take_action(rd, &rule->actions[i]))
			return -EBADMSG;
	*ret_rule = STEAL(rule);
	return 0;
}

int snapshot_write_policy(const struct spd *spd, struct snapshot_bytes *ret)
{
	CLEANUP(codec_done) struct codec_out out = { 0 };
	int r;

	if (spd->count > SNAPSHOT_MAX_RULES)
		return -EFBIG;
	r = codec_begin(&out, SECTION_POLICY, spd->count, (uint32_t)spd->precedence);
	for (size_t i = 0; i < spd->count && r == 0; i++) {
		struct writer wr;

		r = codec_record(&out, RECORD_MAX, &wr);
		if (r < 0)
			return r;
		put_rule(&wr, spd->rules[i]);
		r = codec_commit(&out, &wr);
	}
	return r < 0 ? r : codec_end(&out, ret);
}

struct rules {
	size_t count;
	struct rule **list;
};

static void rules_done(struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		(void)rule_free(rules->list[i]);
	free(rules->list);
}

/* Rules that do not stand in match order came from no writer. */
static int make_spd(struct rules *rules, enum spd_precedence precedence, struct spd **ret)
{
	CLEANUP(spd_freep) struct spd *spd = NULL;
	bool ordered = true;
	int r = spd_new(rules->list, rules->count, precedence, &spd);

	if (r < 0)
		return r;
	for (size_t i = 0; i < rules->count; i++)
		ordered = ordered && spd->rules[i] == rules->list[i];
	rules->count = 0; /* they are the database's */
	if (!ordered)
		return -EBADMSG;
	*ret = STEAL(spd);
	return 0;
}

int snapshot_read_policy(const void *bytes, size_t len, struct spd **ret)
{
	CLEANUP(rules_done) struct rules rules = { 0 };
	uint32_t count, precedence;
	struct reader rd;
	int r;

	reader_init(&rd, bytes, len);
	r = codec_open(&rd, SECTION_POLICY, RECORD_LEAST, &count, &precedence);
	if (r < 0)
		return r;
	if (count > SNAPSHOT_MAX_RULES || precedence > SPD_SOLARIS_PRIORITY)
		return -EBADMSG;
	rules.list = calloc(count ? count : 1, sizeof(struct rule *));
	if (!rules.list)
		return -ENOMEM;
	for (; rules.count < count; rules.count++) {
		r = take_rule(&rd, &rules.list[rules.count]);
		if (r < 0)
			return r;
	}
	if (reader_left(&rd) > 0)
		return -EBADMSG;
	return make_spd(&rules, (enum spd_precedence)precedence, ret);
}
