/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, names, prefixes and masks of a pattern. */
#include <errno.h>
#include <string.h>

#include "common/conf/hosts_file.h"
#include "services/policy/policy_parser.h"

static enum pattern_slot addr_slot(int end)
{
	return end == END_SRC ? SLOT_SRC_ADDR : SLOT_DST_ADDR;
}

static enum pattern_slot mask_slot(int end)
{
	return end == END_SRC ? SLOT_SRC_MASK : SLOT_DST_MASK;
}

static void report_name(struct policy_parser *p, const struct token *word, int end, int error)
{
	const char *slot = pattern_slot_name(addr_slot(end));

	if (error != -ETIMEDOUT) {
		(void)entry_error(p, word->at, "addr-value",
			"Bad %s '%.*s': no address, and no host or network of this name", slot,
			(int)word->len, word->text);
		return;
	}
	(void)entry_error(p, word->at, "addr-timeout",
		"Bad %s '%.*s': no answer in the time that look-ups may take", slot, (int)word->len,
		word->text);
	conf_hint(p->diags, "a name in /etc/hosts, or an address, needs no network");
}

/* What a name stands for. False after a diagnostic. */
static bool resolve_name(
	struct policy_parser *p, const struct token *word, int end, struct resolved *found)
{
	const struct resolver *resolver = p->in->resolver;
	char name[POLICY_NAME_MAX];
	int r = -ENOENT;

	if (word->len > 0 && word->len < sizeof(name)) {
		memcpy(name, word->text, word->len);
		name[word->len] = '\0';
		r = resolver->host(resolver->userdata, name, AF_UNSPEC, found);
	}
	if (r == 0 && found->count > 0) {
		if (p->in->hosts && !found->is_network && !hosts_file_has(p->in->hosts, name))
			conf_warning(p->diags, word->at, "name-network",
				"'%s' is not in /etc/hosts: it does not resolve before there is a "
				"network",
				name);
		return true;
	}
	report_name(p, word, end, r);
	return false;
}

/* One more address of an end. False after a diagnostic. */
static bool add_address(struct policy_parser *p, const struct token *word, int end,
	const struct address *addr, unsigned int bits)
{
	struct pattern_host *host = &p->pattern.hosts[end];

	if (host->n_addrs == RESOLVE_MAX_ADDRESSES) {
		(void)entry_error(p, word->at, "addr-list",
			"Bad %s: more than %d addresses in a list",
			pattern_slot_name(addr_slot(end)), RESOLVE_MAX_ADDRESSES);
		return false;
	}
	host->bits[host->n_addrs] = (uint8_t)bits;
	host->addrs[host->n_addrs++] = *addr;
	return true;
}

/* "/n" behind one address. */
static bool parse_prefix(struct policy_parser *p, const struct token *digits, int end, int family,
	unsigned int *ret_bits)
{
	unsigned int most = address_bits(family);
	uint64_t bits;
	int r = value_decimal(digits->text, digits->len, most, &bits);

	if (r == -EINVAL) {
		(void)entry_error(p, digits->at, "addr-prefix",
			"Bad %s: Unparseable prefix: '%.*s'", pattern_slot_name(addr_slot(end)),
			(int)digits->len, digits->text);
		return false;
	}
	if (r < 0) {
		entry_whole_error(p, digits->at, "addr-prefix",
			"prefix length %.*s is longer than an %s address", (int)digits->len,
			digits->text, most == 32 ? "IPv4" : "IPv6");
		return false;
	}
	p->pattern.hosts[end].has_prefix = true;
	*ret_bits = (unsigned int)bits;
	return true;
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

/* A name with a prefix length: one address only. */
static void parse_name_prefix(struct policy_parser *p, const struct token *name,
	const struct token *digits, int end, const struct resolved *found)
{
	unsigned int bits;
	uint64_t number;

	if (found->count > 1 &&
		value_decimal(digits->text, digits->len, UINT64_MAX, &number) != -EINVAL) {
		entry_whole_error(p, digits->at, "addr-multi",
			"Can't set /n prefix on multi-host name: '%.*s' has %zu addresses",
			(int)name->len, name->text, found->count);
		return;
	}
	if (parse_prefix(p, digits, end, found->addrs[0].family, &bits))
		(void)add_address(p, name, end, &found->addrs[0], bits);
}

static void parse_name(
	struct policy_parser *p, const struct token *name, const struct token *digits, int end)
{
	struct resolved found;

	if (!resolve_name(p, name, end, &found))
		return;
	if (digits) {
		parse_name_prefix(p, name, digits, end, &found);
		return;
	}
	p->pattern.hosts[end].bare_network |= found.is_network;
	for (size_t i = 0; i < found.count; i++)
		if (!add_address(
			    p, name, end, &found.addrs[i], address_bits(found.addrs[i].family)))
			return;
}

/* An address or a name, and a prefix length perhaps. */
static void parse_element(struct policy_parser *p, const struct token *value, int end)
{
	const char *slash = memchr(value->text, '/', value->len);
	size_t addr_len = slash ? (size_t)(slash - value->text) : value->len;
	struct token name = part_of(value, 0, addr_len);
	struct token digits = slash ? part_of(value, addr_len + 1, value->len - addr_len - 1)
				    : (struct token){ 0 };
	struct address addr;
	unsigned int bits;

	if (value_address(name.text, name.len, &addr) < 0) {
		parse_name(p, &name, slash ? &digits : NULL, end);
		return;
	}
	bits = address_bits(addr.family);
	if (!slash || parse_prefix(p, &digits, end, addr.family, &bits))
		(void)add_address(p, &name, end, &addr, bits);
}

void pattern_parse_host(struct policy_parser *p, const struct token *value, int end)
{
	size_t from = 0;

	if (!memchr(value->text, ',', value->len)) {
		parse_element(p, value, end);
		return;
	}
	if (!policy_extension(p, value, addr_slot(end), "lists of addresses"))
		return;
	while (from <= value->len && !p->broken) {
		const char *comma = memchr(value->text + from, ',', value->len - from);
		size_t to = comma ? (size_t)(comma - value->text) : value->len;
		struct token element = part_of(value, from, to - from);

		parse_element(p, &element, end);
		from = to + 1;
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
		if (!pattern->doubtful)
			conf_warning(p->diags, at, "mask-alone",
				"%s without an address on that end is ignored",
				pattern_slot_name(mask_slot(end)));
		return;
	}
	if (host->has_prefix) {
		entry_whole_error(p, at, "mask-prefix", "Can't set mask and /n prefix");
		return;
	}
	for (size_t i = 0; i < host->n_addrs; i++) {
		if (host->addrs[i].family != AF_INET) {
			(void)entry_error(p, pattern->value_at[mask_slot(end)], "mask-value",
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
		if (host->bare_network && host->mask_bits == 0)
			(void)entry_error(p, pattern->value_at[addr_slot(end)], "addr-network",
				"Bad %s: a network name needs a prefix length: name/n",
				pattern_slot_name(addr_slot(end)));
	}
	if (src->n_addrs > 0 && dst->n_addrs > 0 && !shares_family(src, dst))
		entry_whole_error(p, pattern->value_at[SLOT_DST_ADDR], "addr-pairs",
			"No matching IPv4 or IPv6 saddr/daddr pairs");
}
