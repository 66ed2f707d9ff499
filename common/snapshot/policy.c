/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Labels of the sources, then rules in match order, then audit rules in theirs; the header's argument
 * is the precedence, its count that of all rules. Ids are not written: they follow
 * from the text of the rules, and the reader works them out for itself.
 */
#include <errno.h>
#include <string.h>

#include "common/snapshot/codec.h"

#define ACTION_BYTES 17 /* kind, bits, three needs */
#define RECORD_MAX   (128 + RULE_TUNNEL_MAX + RULE_MAX_ACTIONS * ACTION_BYTES)
#define RECORD_LEAST 31
#define LABEL_MAX    (2 + SPD_SOURCE_TEXT_MAX)

/* Of a rule. */
#define BIT_AUDIT 0x1U
#define RULE_BITS 0x1U

/* Which parts of a selector follow. */
#define HAS_ICMP_TYPE	0x1U
#define HAS_ICMP_CODE	0x2U
#define HAS_LOCAL_LAST	0x4U
#define HAS_REMOTE_LAST 0x8U
#define HAS_KNOWN	0xfU

/* Of an action. */
#define BIT_UNIQUE   0x1U
#define BIT_AH	     0x2U
#define BIT_ESP	     0x4U
#define BIT_ESP_AUTH 0x8U
#define BITS_ALGS    (BIT_AH | BIT_ESP | BIT_ESP_AUTH)
#define BITS_KNOWN   0xfU

static void put_ports(struct writer *wr, uint16_t first, uint16_t last)
{
	(void)write_le16(wr, first);
	if (last != 0)
		(void)write_le16(wr, last);
}

static bool take_ports(struct reader *rd, bool has_last, uint16_t *ret_first, uint16_t *ret_last)
{
	if (!read_le16(rd, ret_first))
		return false;
	return !has_last || (read_le16(rd, ret_last) && *ret_first != 0 && *ret_last > *ret_first);
}

static void put_selector(struct writer *wr, const struct selector *selector)
{
	struct address family = address_any(selector->family);
	unsigned int has = (selector->has_icmp_type ? HAS_ICMP_TYPE : 0) |
			   (selector->has_icmp_code ? HAS_ICMP_CODE : 0) |
			   (selector->local_port_last ? HAS_LOCAL_LAST : 0) |
			   (selector->remote_port_last ? HAS_REMOTE_LAST : 0);

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
	put_ports(wr, selector->local_port, selector->local_port_last);
	put_ports(wr, selector->remote_port, selector->remote_port_last);
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
	       take_ports(rd, has & HAS_LOCAL_LAST, &selector->local_port,
		       &selector->local_port_last) &&
	       take_ports(rd, has & HAS_REMOTE_LAST, &selector->remote_port,
		       &selector->remote_port_last) &&
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
	(void)write_le16(wr, rule->source);
	(void)write_u8(wr, rule->audit ? BIT_AUDIT : 0);
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
	uint8_t negotiate = 0, bits = 0;
	uint16_t n_actions = 0;

	(void)read_le32(rd, &head.index);
	(void)read_le32(rd, &head.line);
	(void)read_le32(rd, &head.order);
	(void)read_le16(rd, &head.source);
	(void)read_u8(rd, &bits);
	(void)read_u8(rd, &head.directions);
	(void)read_u8(rd, &negotiate);
	if (rd->failed || head.directions == 0 || (head.directions & ~DIRECTION_BIT_BOTH) ||
		negotiate > TUNNEL_TUNNEL || (bits & ~RULE_BITS) ||
		!codec_take_word(rd, head.tunnel, sizeof(head.tunnel)) ||
		!read_le16(rd, &n_actions) || n_actions == 0 || n_actions > RULE_MAX_ACTIONS)
		return -EBADMSG;
	rule = rule_new(n_actions);
	if (!rule)
		return -ENOMEM;
	rule->index = head.index;
	rule->line = head.line;
	rule->order = head.order;
	rule->source = head.source;
	rule->audit = bits & BIT_AUDIT;
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

static int put_sources(struct codec_out *out, const struct spd *spd)
{
	struct writer wr;
	int r = codec_record(out, 2, &wr);

	if (r < 0)
		return r;
	(void)write_le16(&wr, (uint16_t)spd->n_sources);
	r = codec_commit(out, &wr);
	for (size_t i = 0; i < spd->n_sources && r == 0; i++) {
		size_t len = strlen(spd->sources[i]);

		r = codec_record(out, LABEL_MAX, &wr);
		if (r < 0)
			return r;
		(void)write_le16(&wr, (uint16_t)len);
		(void)write_bytes(&wr, spd->sources[i], len);
		r = codec_commit(out, &wr);
	}
	return r;
}

static int put_rules(struct codec_out *out, struct rule *const *rules, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		struct writer wr;

		r = codec_record(out, RECORD_MAX, &wr);
		if (r < 0)
			return r;
		put_rule(&wr, rules[i]);
		r = codec_commit(out, &wr);
	}
	return r;
}

int snapshot_write_policy(const struct spd *spd, struct snapshot_bytes *ret)
{
	CLEANUP(codec_done) struct codec_out out = { 0 };
	int r;

	if (spd->count + spd->n_audit > SNAPSHOT_MAX_RULES)
		return -EFBIG;
	r = codec_begin(&out, SECTION_POLICY, spd->count + spd->n_audit, (uint32_t)spd->precedence);
	if (r == 0)
		r = put_sources(&out, spd);
	if (r == 0)
		r = put_rules(&out, spd->rules, spd->count);
	if (r == 0)
		r = put_rules(&out, spd->audit, spd->n_audit);
	return r < 0 ? r : codec_end(&out, ret);
}

struct rules {
	size_t count;
	struct rule **list;
	size_t n_labels;
	const uint8_t **labels; /* their lengths before them; in the snapshot's bytes */
};

static void rules_done(struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		(void)rule_free(rules->list[i]);
	free(rules->list);
	free(rules->labels);
}

/* What the writer's database would not have taken was not in it. */
static int name_sources(struct spd *spd, const struct rules *rules)
{
	for (size_t i = 0; i < rules->n_labels; i++) {
		const uint8_t *at = rules->labels[i];
		size_t len = (size_t)at[0] | (size_t)at[1] << 8;
		CLEANUP(freep) char *label = malloc(len + 1);
		int r;

		if (!label)
			return -ENOMEM;
		memcpy(label, at + 2, len);
		label[len] = '\0';
		r = strlen(label) == len ? spd_add_source(spd, label) : -EINVAL;
		if (r < 0)
			return r == -ENOMEM ? r : -EBADMSG;
	}
	return 0;
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
		ordered = ordered &&
			  rules->list[i] ==
				  (i < spd->count ? spd->rules[i] : spd->audit[i - spd->count]);
	rules->count = 0; /* they are the database's */
	if (!ordered)
		return -EBADMSG;
	r = name_sources(spd, rules);
	if (r < 0)
		return r;
	*ret = STEAL(spd);
	return 0;
}

/* Return: 0, -EBADMSG, -ENOMEM. */
static int take_labels(struct reader *rd, struct rules *rules)
{
	uint16_t count, len;

	if (!read_le16(rd, &count) || count > SPD_MAX_SOURCES)
		return -EBADMSG;
	rules->labels = calloc(count + 1U, sizeof(*rules->labels));
	if (!rules->labels)
		return -ENOMEM;
	for (; rules->n_labels < count; rules->n_labels++) {
		rules->labels[rules->n_labels] = rd->at;
		if (!read_le16(rd, &len) || !read_skip(rd, len))
			return -EBADMSG;
	}
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
	r = take_labels(&rd, &rules);
	if (r < 0)
		return r;
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
