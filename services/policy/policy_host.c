/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, names, prefixes and masks of a pattern. */
#include <errno.h>
#include <string.h>

#include "services/policy/policy_parser.h"

static enum pattern_slot addr_slot(int end)
{
	return end == END_SRC ? SLOT_SRC_ADDR : SLOT_DST_ADDR;
}

static enum pattern_slot mask_slot(int end)
{
	return end == END_SRC ? SLOT_SRC_MASK : SLOT_DST_MASK;
}

/* Numeric or a name: fills @host. False after a diagnostic. */
static bool resolve_host(
	struct policy_parser *p, const struct token *word, int end, struct pattern_host *host)
{
	const struct resolver *resolver = p->in->resolver;
	struct resolved found = { 0 };
	char name[POLICY_NAME_MAX];
	int r = -ENOENT;

	if (value_address(word->text, word->len, &host->addrs[0]) == 0) {
		host->n_addrs = 1;
		return true;
	}
	if (word->len > 0 && word->len < sizeof(name)) {
		memcpy(name, word->text, word->len);
		name[word->len] = '\0';
		r = resolver->host(resolver->userdata, name, AF_UNSPEC, &found);
	}
	if (r == -ETIMEDOUT) {
		(void)entry_error(p, word->at, "addr-timeout",
			"Bad %s '%.*s': no answer in the time that look-ups may take",
			pattern_slot_name(addr_slot(end)), (int)word->len, word->text);
		conf_hint(p->diags, "a name in /etc/hosts, or an address, needs no network");
		return false;
	}
	if (r < 0 || found.count == 0) {
		(void)entry_error(p, word->at, "addr-value",
			"Bad %s '%.*s': no address, and no host or network of this name",
			pattern_slot_name(addr_slot(end)), (int)word->len, word->text);
		return false;
	}
	memcpy(host->addrs, found.addrs, sizeof(host->addrs));
	host->n_addrs = found.count;
	host->is_network = found.is_network;
	return true;
}

/* "/n" behind the address. */
static void parse_prefix(struct policy_parser *p, const struct token *word,
	const struct token *digits, int end, struct pattern_host *host)
{
	unsigned int most = address_bits(host->addrs[0].family);
	uint64_t bits;
	int r = value_decimal(digits->text, digits->len, most, &bits);

	if (r == -EINVAL) {
		(void)entry_error(p, digits->at, "addr-prefix",
			"Bad %s: Unparseable prefix: '%.*s'", pattern_slot_name(addr_slot(end)),
			(int)digits->len, digits->text);
		return;
	}
	if (host->n_addrs > 1) {
		(void)entry_error(p, digits->at, "addr-multi",
			"Can't set /n prefix on multi-host name: '%.*s' has %zu addresses",
			(int)(word->len - digits->len - 1), word->text, host->n_addrs);
		return;
	}
	if (r < 0) {
		(void)entry_error(p, digits->at, "addr-prefix",
			"prefix length %.*s is longer than an %s address", (int)digits->len,
			digits->text, most == 32 ? "IPv4" : "IPv6");
		return;
	}
	host->has_prefix = true;
	host->prefix_bits = (uint8_t)bits;
}

/* The part of a word, with its own place. */
static struct token part_of(const struct token *word, size_t from, size_t len)
{
	struct token part = *word;

	part.text += from;
	part.len = len;
	part.at.column += (unsigned int)from;
	part.at.length = (unsigned int)len;
	return part;
}

void pattern_parse_host(struct policy_parser *p, const struct token *value, int end)
{
	const char *slash = memchr(value->text, '/', value->len);
	size_t addr_len = slash ? (size_t)(slash - value->text) : value->len;
	struct token addr = part_of(value, 0, addr_len);
	struct pattern_host *host = &p->pattern.hosts[end];

	if (!resolve_host(p, &addr, end, host))
		return;
	if (slash) {
		struct token digits = part_of(value, addr_len + 1, value->len - addr_len - 1);

		parse_prefix(p, value, &digits, end, host);
	}
}

void pattern_parse_mask(struct policy_parser *p, const struct token *value, int end)
{
	unsigned int bits;

	if (value_mask(value->text, value->len, &bits) == 0) {
		p->pattern.hosts[end].mask_bits = (uint8_t)bits;
		return;
	}
	(void)entry_error(p, value->at, "mask-value",
		"Bad %s '%.*s': not a contiguous IPv4 mask such as 0xffffff00 or 255.255.255.0",
		pattern_slot_name(mask_slot(end)), (int)value->len, value->text);
}

static void check_mask(struct policy_parser *p, int end)
{
	const struct pattern *pattern = &p->pattern;
	const struct pattern_host *host = &pattern->hosts[end];
	struct conf_loc at = pattern->word_at[mask_slot(end)];

	if (pattern->word_at[addr_slot(end)].line == 0) {
		conf_warning(p->diags, at, "mask-alone",
			"%s without an address on that end is ignored",
			pattern_slot_name(mask_slot(end)));
		return;
	}
	if (host->has_prefix) {
		(void)entry_error(p, at, "mask-prefix", "Can't set mask and /n prefix");
		return;
	}
	for (size_t i = 0; i < host->n_addrs; i++) {
		if (host->addrs[i].family != AF_INET) {
			(void)entry_error(p, at, "mask-value",
				"Bad %s: masks are for IPv4, the address is IPv6",
				pattern_slot_name(mask_slot(end)));
			return;
		}
	}
}

static bool shares_family(const struct pattern_host *a, const struct pattern_host *b)
{
	for (size_t i = 0; i < a->n_addrs; i++)
		for (size_t j = 0; j < b->n_addrs; j++)
			if (a->addrs[i].family == b->addrs[j].family)
				return true;
	return false;
}

void pattern_check_hosts(struct policy_parser *p)
{
	const struct pattern *pattern = &p->pattern;
	const struct pattern_host *src = &pattern->hosts[END_SRC], *dst = &pattern->hosts[END_DST];

	for (int end = END_SRC; end <= END_DST; end++) {
		const struct pattern_host *host = &pattern->hosts[end];

		if (pattern->word_at[mask_slot(end)].line != 0)
			check_mask(p, end);
		if (host->is_network && !host->has_prefix && host->mask_bits == 0)
			(void)entry_error(p, pattern->value_at[addr_slot(end)], "addr-network",
				"Bad %s: a network name needs a prefix length: name/n",
				pattern_slot_name(addr_slot(end)));
	}
	if (src->n_addrs > 0 && dst->n_addrs > 0 && !shares_family(src, dst))
		(void)entry_error(p, pattern->value_at[SLOT_DST_ADDR], "addr-pairs",
			"No matching IPv4 or IPv6 saddr/daddr pairs");
}
