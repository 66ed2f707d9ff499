/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/spd/spd_explain.h"

#include <errno.h>
#include <string.h>

static bool in_range(uint8_t x, uint8_t low, uint8_t high)
{
	return x >= low && x <= high;
}

static bool prefix_misses(const struct prefix *prefix, const struct address *addr)
{
	return prefix->addr.family != AF_UNSPEC && !prefix_contains(prefix, addr);
}

static enum spd_miss port_miss(const struct selector *s, const struct flow *flow)
{
	if ((s->local_port != 0 || s->remote_port != 0) && !flow->has_ports)
		return SPD_MISS_HIDDEN_PORTS;
	if (!selector_port_matches(s->local_port, s->local_port_last, flow->local_port))
		return SPD_MISS_LOCAL_PORT;
	if (!selector_port_matches(s->remote_port, s->remote_port_last, flow->remote_port))
		return SPD_MISS_REMOTE_PORT;
	return SPD_MISS_NONE;
}

static enum spd_miss icmp_miss(const struct selector *s, const struct flow *flow)
{
	if ((s->has_icmp_type || s->has_icmp_code) && !flow->has_icmp)
		return SPD_MISS_HIDDEN_ICMP;
	if (s->has_icmp_type && !in_range(flow->icmp_type, s->icmp_type_low, s->icmp_type_high))
		return SPD_MISS_ICMP_TYPE;
	if (s->has_icmp_code && !in_range(flow->icmp_code, s->icmp_code_low, s->icmp_code_high))
		return SPD_MISS_ICMP_CODE;
	return SPD_MISS_NONE;
}

enum spd_miss spd_miss_of(const struct rule *rule, const struct flow *flow)
{
	const struct selector *s = &rule->selector;
	enum spd_miss miss;

	if (!(rule->directions & 1U << flow->direction))
		return SPD_MISS_DIRECTION;
	if ((s->family != AF_UNSPEC && s->family != flow->local.family) ||
		(s->local.addr.family != AF_UNSPEC && s->local.addr.family != flow->local.family) ||
		(s->remote.addr.family != AF_UNSPEC &&
			s->remote.addr.family != flow->remote.family))
		return SPD_MISS_FAMILY;
	if (s->protocol != 0 && s->protocol != flow->protocol)
		return SPD_MISS_PROTOCOL;
	miss = port_miss(s, flow);
	if (miss == SPD_MISS_NONE)
		miss = icmp_miss(s, flow);
	if (miss != SPD_MISS_NONE)
		return miss;
	if (prefix_misses(&s->local, &flow->local))
		return SPD_MISS_LOCAL_ADDRESS;
	return prefix_misses(&s->remote, &flow->remote) ? SPD_MISS_REMOTE_ADDRESS : SPD_MISS_NONE;
}

#define MISS_NAME(name, text) [SPD_MISS_##name] = (text),
static const char *const miss_names[] = { SPD_MISSES(MISS_NAME) };
#undef MISS_NAME

const char *spd_miss_name(enum spd_miss miss)
{
	return miss_names[miss];
}

static void print_range(
	const char *name, unsigned int has, unsigned int low, unsigned int high, struct text *text)
{
	if (low == high)
		text_addf(text, "%s %u is not %u", name, has, low);
	else
		text_addf(text, "%s %u is not in %u-%u", name, has, low, high);
}

static void print_port(
	const char *name, uint16_t has, uint16_t first, uint16_t last, struct text *text)
{
	print_range(name, has, first, last != 0 ? last : first, text);
}

static void print_address(const char *name, const struct address *addr, const struct prefix *prefix,
	struct text *text)
{
	char has[ADDRESS_TEXT_MAX], want[PREFIX_TEXT_MAX];

	text_addf(text, "%s address %s is %s %s", name, address_format(addr, has),
		prefix_is_host(prefix) ? "not" : "outside", prefix_format(prefix, want));
}

void spd_miss_print(const struct spd_missed *missed, const struct flow *flow, struct text *text)
{
	const struct selector *s = &missed->rule->selector;

	switch (missed->why) {
	case SPD_MISS_NONE:
		text_add(text, "matches");
		break;
	case SPD_MISS_DIRECTION:
		text_add(text, flow->direction == DIRECTION_IN ? "is for outbound packets"
							       : "is for inbound packets");
		break;
	case SPD_MISS_FAMILY:
		text_add(text, flow->local.family == AF_INET ? "is for IPv6" : "is for IPv4");
		break;
	case SPD_MISS_PROTOCOL:
		print_range("protocol", flow->protocol, s->protocol, s->protocol, text);
		break;
	case SPD_MISS_HIDDEN_PORTS:
		text_add(text, "names ports, of which the packet shows none");
		break;
	case SPD_MISS_LOCAL_PORT:
		print_port("local port", flow->local_port, s->local_port, s->local_port_last, text);
		break;
	case SPD_MISS_REMOTE_PORT:
		print_port("remote port", flow->remote_port, s->remote_port, s->remote_port_last,
			text);
		break;
	case SPD_MISS_HIDDEN_ICMP:
		text_add(text, "names an ICMP type, of which the packet shows none");
		break;
	case SPD_MISS_ICMP_TYPE:
		print_range("type", flow->icmp_type, s->icmp_type_low, s->icmp_type_high, text);
		break;
	case SPD_MISS_ICMP_CODE:
		print_range("code", flow->icmp_code, s->icmp_code_low, s->icmp_code_high, text);
		break;
	case SPD_MISS_LOCAL_ADDRESS:
		print_address("local", &flow->local, &s->local, text);
		break;
	case SPD_MISS_REMOTE_ADDRESS:
		print_address("remote", &flow->remote, &s->remote, text);
		break;
	}
}

static const char *const treatment_names[] = {
	[SPD_NOT_COVERED] = "none",
	[SPD_BYPASS] = "bypass",
	[SPD_DISCARD] = "drop",
	[SPD_PROTECT] = "ipsec",
};

const char *spd_treatment_name(enum spd_treatment treatment)
{
	return treatment_names[treatment];
}

int spd_treatment_parse(const char *word, size_t len, enum spd_treatment *ret_treatment)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(treatment_names); i++)
		if (strlen(treatment_names[i]) == len &&
			memcmp(treatment_names[i], word, len) == 0) {
			*ret_treatment = (enum spd_treatment)i;
			return 0;
		}
	return -EINVAL;
}

static enum spd_treatment treatment_of(
	const struct spd *spd, const struct spd_query *query, const struct rule *rule)
{
	if (!rule)
		return query->tunnel[0] != '\0' && spd_has_tunnel(spd, query->tunnel)
			       ? SPD_DISCARD
			       : SPD_NOT_COVERED;
	if (rule_is_bypass(rule))
		return SPD_BYPASS;
	return rule_is_discard(rule) ? SPD_DISCARD : SPD_PROTECT;
}

enum spd_treatment spd_decide(
	const struct spd *spd, const struct spd_query *query, const struct rule **ret_rule)
{
	const struct rule *rule = NULL;

	if (!spd_query_is_forwarded(query))
		rule = spd_match(spd, query->tunnel, spd_query_subject(query));

	if (ret_rule)
		*ret_rule = rule;
	return treatment_of(spd, query, rule);
}

int spd_explain(const struct spd *spd, const struct spd_query *query, struct spd_explanation *ret)
{
	struct spd_explanation e = { .not_subject = spd_query_is_forwarded(query) };
	const struct flow *subject = spd_query_subject(query);
	const struct rule *decides = NULL;

	*ret = e;
	if (e.not_subject)
		return 0;
	e.missed = calloc(spd->count + 1, sizeof(*e.missed));
	if (!e.missed)
		return -ENOMEM;
	for (size_t i = 0; i < spd->count && !decides; i++) {
		const struct rule *rule = spd->rules[i];
		enum spd_miss why;

		if (strcmp(rule->tunnel, query->tunnel) != 0)
			continue;
		why = spd_miss_of(rule, subject);
		if (why == SPD_MISS_NONE)
			decides = rule;
		else
			e.missed[e.n_missed++] = (struct spd_missed){ rule, why };
	}
	e.rule = decides;
	e.audit = spd_match_audit(spd, query->tunnel, subject);
	e.treatment = treatment_of(spd, query, decides);
	*ret = e;
	return 0;
}

void spd_explanation_done(struct spd_explanation *explanation)
{
	free(explanation->missed);
	*explanation = (struct spd_explanation){ 0 };
}
