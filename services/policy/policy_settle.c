/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an entry means as a whole: direction, tunnels, and whether its parts agree. */
#include <string.h>

#include "common/conf/token.h"
#include "services/policy/policy_parser.h"

static bool is_given(struct conf_loc at)
{
	return at.line != 0;
}

static bool takes_algs(const struct alternative *alt)
{
	return alt->word == WORD_APPLY || alt->word == WORD_PERMIT || alt->word == WORD_IPSEC;
}

static void check_icmp(struct policy_parser *p)
{
	const struct pattern *pattern = &p->pattern;
	struct conf_loc at = pattern->word_at[SLOT_ICMP_TYPE];

	if (!is_given(at) || pattern->doubtful)
		return;
	if (pattern->protocol != 1 && pattern->protocol != 58)
		(void)entry_error(p, at, "icmp-type",
			"Bad ICMP type: it needs 'ulp icmp' or 'ulp ipv6-icmp' in the pattern");
}

static void check_ports(struct policy_parser *p)
{
	const struct pattern *pattern = &p->pattern;
	int end = pattern->ports[END_SRC] ? END_SRC : END_DST;

	if (pattern->ports[end] == 0 || pattern->protocol == 0 ||
		protocol_has_ports(pattern->protocol))
		return;
	conf_warning(p->diags, pattern->word_at[end == END_SRC ? SLOT_SRC_PORT : SLOT_DST_PORT],
		"port-protocol",
		"the rule never matches: protocol %u has no ports, only tcp, udp and sctp have",
		pattern->protocol);
}

/* A port or protocol 0 is as if it were not given, and so is a mask without its address. */
static bool has_selectors(const struct pattern *pattern)
{
	return is_given(pattern->word_at[SLOT_SRC_ADDR]) ||
	       is_given(pattern->word_at[SLOT_DST_ADDR]) ||
	       is_given(pattern->word_at[SLOT_ICMP_TYPE]) || pattern->ports[END_SRC] != 0 ||
	       pattern->ports[END_DST] != 0 || pattern->protocol != 0;
}

/* All entries of a tunnel share one mode. */
static void check_tunnel_mode(struct policy_parser *p)
{
	const struct rule *other = policy_seen_tunnel(p->seen, p->pattern.tunnel);

	if (other && other->negotiate != p->pattern.negotiate)
		entry_whole_error(p, p->pattern.value_at[SLOT_NEGOTIATE], "tunnel-mode",
			"Bad Negotiate: tunnel %s has %s mode since line %u", p->pattern.tunnel,
			other->negotiate == TUNNEL_TUNNEL ? "tunnel" : "transport", other->line);
}

static void warn_unique(struct policy_parser *p)
{
	for (size_t i = 0; i < p->n_alternatives; i++)
		if (p->alternatives[i].unique && takes_algs(&p->alternatives[i]))
			conf_warning(p->diags, p->alternatives[i].word_at[PROP_SA], "tunnel-unique",
				"'sa unique' is ignored: SAs in tunnel mode are unique to their "
				"rule");
}

static void check_tunnel(struct policy_parser *p)
{
	const struct pattern *pattern = &p->pattern;
	bool tunnel = is_given(pattern->word_at[SLOT_TUNNEL]);
	bool negotiate = is_given(pattern->word_at[SLOT_NEGOTIATE]);

	if (tunnel != negotiate) {
		if (!pattern->doubtful)
			(void)entry_error(p, p->alternatives[0].at, "tunnel-pair",
				"Requires %s: 'tunnel' and 'negotiate' must occur together",
				tunnel ? "Negotiate" : "Tunnel");
		return;
	}
	if (pattern->negotiate == TUNNEL_TRANSPORT && has_selectors(pattern))
		entry_whole_error(p, pattern->word_at[SLOT_NEGOTIATE], "tunnel-selectors",
			"using selectors on a transport-mode tunnel");
	if (pattern->negotiate == TUNNEL_TUNNEL)
		warn_unique(p);
	if (pattern->tunnel[0] != '\0' && pattern->negotiate != TUNNEL_NONE)
		check_tunnel_mode(p);
}

/* Of the words that imply one: out, in; else 0. */
static uint8_t word_direction(const struct alternative *alt)
{
	if (alt->word == WORD_APPLY)
		return DIRECTION_BIT_OUT;
	return alt->word == WORD_PERMIT ? DIRECTION_BIT_IN : 0;
}

static void conflict(struct policy_parser *p, struct conf_loc at, const char *detail)
{
	(void)entry_error(
		p, at, "direction-conflict", "Direction in conflict with action: %s", detail);
}

static void check_property_direction(
	struct policy_parser *p, const struct alternative *alt, uint8_t implied)
{
	struct conf_loc at = alt->word_at[PROP_DIRECTION];

	if (!is_given(at))
		return;
	if (implied && alt->directions && alt->directions != implied)
		conflict(p, at,
			implied == DIRECTION_BIT_OUT ? "'apply' is outbound"
						     : "'permit' is inbound");
	else if (is_given(p->pattern.word_at[SLOT_DIRECTION]))
		(void)entry_error(
			p, at, "direction-repeat", "Duplicate Direction: the pattern has one");
	else if (p->pattern.style == STYLE_NEW)
		(void)entry_error(p, at, "direction-value",
			"Bad Direction: in new style it belongs into the pattern");
	else if (alt != &p->alternatives[0])
		(void)entry_error(
			p, at, "direction-value", "Bad Direction: it belongs to the first action");
}

/* What `apply` and `permit` among the actions settle; 0 when there is none. */
static uint8_t implied_direction(struct policy_parser *p)
{
	uint8_t implied = 0;

	for (size_t i = 0; i < p->n_alternatives; i++) {
		const struct alternative *alt = &p->alternatives[i];
		uint8_t own = word_direction(alt);

		check_property_direction(p, alt, own);
		if (!own)
			continue;
		if (implied && implied != own)
			conflict(p, alt->at, "'apply' is outbound, 'permit' is inbound");
		implied = own;
		if (p->pattern.directions && p->pattern.directions != own)
			conflict(p, p->pattern.value_at[SLOT_DIRECTION],
				own == DIRECTION_BIT_OUT ? "'apply' is outbound"
							 : "'permit' is inbound");
	}
	return implied;
}

static uint8_t settle_direction(struct policy_parser *p)
{
	const struct pattern *pattern = &p->pattern;
	const struct alternative *first = &p->alternatives[0];
	uint8_t implied = implied_direction(p);

	if (implied)
		return implied;
	if (is_given(pattern->word_at[SLOT_DIRECTION]))
		return pattern->directions;
	if (first->word == WORD_IPSEC && pattern->style == STYLE_OLD) {
		if (!pattern->doubtful)
			(void)entry_error(p, first->at, "direction-required",
				"Requires Direction: old-style 'ipsec' needs 'dir in' or 'dir out' "
				"in the pattern");
		return 0;
	}
	if (first->directions)
		return first->directions;
	if (first->word != WORD_IPSEC && !p->broken)
		conf_warning(p->diags, first->at, "direction-assumed",
			"dir string not found for bypass policy; the rule holds for both "
			"directions");
	return DIRECTION_BIT_BOTH;
}

static void check_plain(struct policy_parser *p, const struct alternative *alt)
{
	if (is_given(alt->word_at[PROP_AH]) || is_given(alt->word_at[PROP_ENCR]) ||
		is_given(alt->word_at[PROP_ESP_AUTH]))
		(void)entry_error(
			p, alt->at, "alg-forbidden", "Algorithms found for bypass policy");
	if (alt->unique)
		entry_whole_error(p, alt->word_at[PROP_SA], "sa-value",
			"Bad SA: 'unique' needs algorithms (add: inconsistent flags)");
}

static bool encrypts_plainly(const struct policy_parser *p, const struct alg_choice *choice)
{
	const struct algorithm *alg;

	if (choice->any)
		return true;
	alg = alg_find(p->in->algs, ALG_PROTO_ESP, choice->number);
	return alg && !alg_is_combined(alg) && alg->number != ALG_ENCR_NULL;
}

static bool is_combined_choice(const struct policy_parser *p, const struct alg_choice *choice)
{
	const struct algorithm *alg = choice->given && !choice->any
					      ? alg_find(p->in->algs, ALG_PROTO_ESP, choice->number)
					      : NULL;

	return alg && alg_is_combined(alg);
}

static void check_protection(struct policy_parser *p, const struct alternative *alt)
{
	const struct alg_choice *encr = &alt->algs[PROP_ENCR];
	bool ah = is_given(alt->word_at[PROP_AH]);
	bool esp_auth = is_given(alt->word_at[PROP_ESP_AUTH]);

	if (!ah && !esp_auth && !is_given(alt->word_at[PROP_ENCR])) {
		if (!alt->doubtful)
			(void)entry_error(p, alt->at, "alg-missing", "No IPsec algorithms given");
		return;
	}
	if (esp_auth && is_combined_choice(p, encr))
		(void)entry_error(p, alt->word_at[PROP_ENCR], "alg-combined",
			"Combined mode and esp authentication not supported together");
	if (!encr->given || ah || esp_auth || alt->doubtful)
		return;
	if (encrypts_plainly(p, encr))
		conf_warning(p->diags, alt->word_at[PROP_ENCR], "no-integrity",
			"DANGER: Rule has encryption with no authentication");
	else if (!encr->any && encr->number == ALG_ENCR_NULL)
		conf_warning(p->diags, alt->word_at[PROP_ENCR], "no-protection",
			"ESP with neither encryption nor authentication protects nothing");
}

/* `drop` ends the list. */
static void cut_after_drop(struct policy_parser *p)
{
	for (size_t i = 0; i + 1 < p->n_alternatives; i++) {
		if (p->alternatives[i].word != WORD_DROP)
			continue;
		conf_warning(p->diags, p->alternatives[i + 1].or_at, "action-unreachable",
			"'drop' ends the list of actions; what follows is ignored");
		p->n_alternatives = i + 1;
		return;
	}
}

static void check_alternatives(struct policy_parser *p)
{
	if (p->n_alternatives > 1 && p->pattern.style == STYLE_OLD)
		(void)entry_error(
			p, p->alternatives[1].or_at, "or-style", "or's only with new style");
	for (size_t i = 0; i < p->n_alternatives; i++) {
		const struct alternative *alt = &p->alternatives[i];

		if (takes_algs(alt))
			check_protection(p, alt);
		else
			check_plain(p, alt);
	}
}

void entry_settle(struct policy_parser *p, uint8_t *ret_directions)
{
	pattern_check_hosts(p);
	check_icmp(p);
	check_ports(p);
	check_tunnel(p);
	check_alternatives(p);
	*ret_directions = settle_direction(p);
	cut_after_drop(p);
	for (size_t i = 0; i < p->n_alternatives && !p->broken; i++)
		action_expand(p, &p->alternatives[i]);
	if (!p->broken && p->n_actions == 0)
		(void)entry_error(p, p->alternatives[0].at, "alg-missing",
			"No IPsec algorithms given: 'any' leaves nothing that protects");
}
