/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selectors: one row a keyword, with what it says and how its value is read. */
#include <errno.h>
#include <string.h>

#include "services/policy/policy_parser.h"

static const char *const slot_names[SLOT_COUNT] = {
	[SLOT_SRC_ADDR] = "Source Address",
	[SLOT_DST_ADDR] = "Destination Address",
	[SLOT_SRC_PORT] = "Source Port",
	[SLOT_DST_PORT] = "Destination Port",
	[SLOT_SRC_MASK] = "Source Mask",
	[SLOT_DST_MASK] = "Destination Mask",
	[SLOT_PROTOCOL] = "Upper Layer Protocol",
	[SLOT_ICMP_TYPE] = "ICMP type",
	[SLOT_ICMP_CODE] = "ICMP code",
	[SLOT_DIRECTION] = "Direction",
	[SLOT_TUNNEL] = "Tunnel",
	[SLOT_NEGOTIATE] = "Negotiate",
};

const char *pattern_slot_name(enum pattern_slot slot)
{
	return slot_names[slot];
}

/* A word as a NUL-terminated string for the databases; false when it is too long to be a name. */
static bool word_copy(const struct token *tok, char *buffer, size_t size)
{
	if (tok->len >= size)
		return false;
	memcpy(buffer, tok->text, tok->len);
	buffer[tok->len] = '\0';
	return true;
}

/* Where a name is remembered. */
static struct name_memo *memo_slot(struct name_memo *memos, const char *name)
{
	size_t sum = strlen(name);

	for (const char *at = name; *at; at++)
		sum += (unsigned char)*at;
	return &memos[sum % POLICY_MEMO_SLOTS];
}

static bool find_service(struct policy_parser *p, const char *name, uint16_t *ret_port)
{
	const struct resolver *resolver = p->in->resolver;
	struct name_memo *memo = memo_slot(p->services, name);

	if (name[0] != '\0' && strcmp(memo->name, name) == 0) {
		*ret_port = memo->number;
		return true;
	}
	if (resolver->service(resolver->userdata, name, ret_port) < 0)
		return false;
	if (text_copy(memo->name, sizeof(memo->name), name) == 0)
		memo->number = *ret_port;
	return true;
}

static bool find_protocol(struct policy_parser *p, const char *name, uint8_t *ret_protocol)
{
	const struct resolver *resolver = p->in->resolver;
	struct name_memo *memo = memo_slot(p->protocols, name);

	if (name[0] != '\0' && strcmp(memo->name, name) == 0) {
		*ret_protocol = (uint8_t)memo->number;
		return true;
	}
	if (resolver->protocol(resolver->userdata, name, ret_protocol) < 0)
		return false;
	if (text_copy(memo->name, sizeof(memo->name), name) == 0)
		memo->number = *ret_protocol;
	return true;
}

static void parse_src_addr(struct policy_parser *p, const struct token *value)
{
	pattern_parse_host(p, value, END_SRC);
}

static void parse_dst_addr(struct policy_parser *p, const struct token *value)
{
	pattern_parse_host(p, value, END_DST);
}

static void parse_src_mask(struct policy_parser *p, const struct token *value)
{
	pattern_parse_mask(p, value, END_SRC);
}

static void parse_dst_mask(struct policy_parser *p, const struct token *value)
{
	pattern_parse_mask(p, value, END_DST);
}

bool policy_extension(struct policy_parser *p, const struct token *value, enum pattern_slot slot,
	const char *what)
{
	if (p->in->extensions)
		return true;
	(void)entry_error(p, value->at, "extension-off", "Bad %s '%.*s': %s are an extension",
		slot_names[slot], (int)value->len, value->text, what);
	conf_hint(p->diags, "allow them with 'extensions = true' in policy.cfg, or check with "
			    "--extensions");
	return false;
}

/* "first-last"; false if the word is nothing of the kind. */
static bool parse_port_range(
	struct policy_parser *p, const struct token *value, enum pattern_slot slot, int end)
{
	uint64_t first = 0, last = 0;
	int r = value_range(value->text, value->len, UINT16_MAX, &first, &last);

	if (r == -EINVAL || !memchr(value->text, '-', value->len))
		return false;
	if (!policy_extension(p, value, slot, "ranges of ports"))
		return true;
	if (r < 0 || first == 0) {
		(void)entry_error(p, value->at, "port-value",
			"Bad %s '%.*s': a range rises from at least 1 to at most 65535",
			slot_names[slot], (int)value->len, value->text);
		return true;
	}
	p->pattern.ports[end] = (uint16_t)first;
	p->pattern.last_ports[end] = last > first ? (uint16_t)last : 0;
	return true;
}

static void report_port(struct policy_parser *p, const struct token *value, enum pattern_slot slot)
{
	const char *nearest = resolver_nearest_service(value->text, value->len);

	(void)entry_error(p, value->at, "port-value", "Bad %s '%.*s': no such service",
		slot_names[slot], (int)value->len, value->text);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
}

static void parse_port(
	struct policy_parser *p, const struct token *value, enum pattern_slot slot, int end)
{
	char name[64];
	uint64_t number;
	int r = value_number(value->text, value->len, UINT16_MAX, &number);

	if (r == 0) {
		p->pattern.ports[end] = (uint16_t)number;
		return;
	}
	if (r == -ERANGE) {
		(void)entry_error(p, value->at, "port-value", "Bad %s '%.*s': ports end at 65535",
			slot_names[slot], (int)value->len, value->text);
		return;
	}
	if (parse_port_range(p, value, slot, end))
		return;
	if (word_copy(value, name, sizeof(name)) && find_service(p, name, &p->pattern.ports[end]))
		return;
	report_port(p, value, slot);
}

static void parse_src_port(struct policy_parser *p, const struct token *value)
{
	parse_port(p, value, SLOT_SRC_PORT, END_SRC);
}

static void parse_dst_port(struct policy_parser *p, const struct token *value)
{
	parse_port(p, value, SLOT_DST_PORT, END_DST);
}

static void parse_protocol(struct policy_parser *p, const struct token *value)
{
	const char *nearest;
	char name[64];
	uint64_t number;
	int r = value_number(value->text, value->len, UINT8_MAX, &number);

	if (r == 0) {
		p->pattern.protocol = (uint8_t)number;
		return;
	}
	if (r == -ERANGE) {
		p->pattern.doubtful = true;
		(void)entry_error(p, value->at, "protocol-value",
			"Bad Upper Layer Protocol '%.*s': protocols end at 255", (int)value->len,
			value->text);
		return;
	}
	if (word_copy(value, name, sizeof(name)) && find_protocol(p, name, &p->pattern.protocol))
		return;
	p->pattern.doubtful = true;
	(void)entry_error(p, value->at, "protocol-value",
		"Bad Upper Layer Protocol '%.*s': no such protocol", (int)value->len, value->text);
	nearest = resolver_nearest_protocol(value->text, value->len);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
}

/* The second style to appear in an entry is the wrong one. */
static bool take_style(struct policy_parser *p, const struct token *word, enum pattern_style style,
	enum pattern_slot slot)
{
	struct pattern *pattern = &p->pattern;

	if (style == STYLE_NONE || pattern->style == style)
		return true;
	if (pattern->style == STYLE_NONE) {
		pattern->style = style;
		return true;
	}
	pattern->doubtful = true;
	(void)entry_error(p, word->at, "selector-style",
		"Bad %s: '%.*s' is %s style, the entry is %s style", slot_names[slot],
		(int)word->len, word->text, style == STYLE_NEW ? "new" : "old",
		style == STYLE_NEW ? "old" : "new");
	conf_hint(p->diags, style == STYLE_NEW
				    ? "old style: saddr, daddr, sport, dport, smask, dmask"
				    : "new style: laddr, raddr, lport, rport, dir both");
	return false;
}

static void parse_direction(struct policy_parser *p, const struct token *value)
{
	static const char *const words[] = { "in", "out", "both", NULL };
	struct token both = *value;
	const char *nearest;

	both.at = p->pattern.word_at[SLOT_DIRECTION]; /* a wrong style is told of the keyword */
	if (token_is(value, "in")) {
		p->pattern.directions = DIRECTION_BIT_IN;
	} else if (token_is(value, "out")) {
		p->pattern.directions = DIRECTION_BIT_OUT;
	} else if (token_is(value, "both")) {
		if (take_style(p, &both, STYLE_NEW, SLOT_DIRECTION))
			p->pattern.directions = DIRECTION_BIT_BOTH;
	} else {
		(void)entry_error(p, value->at, "direction-value",
			"Bad Direction '%.*s': in, out or both", (int)value->len, value->text);
		nearest = value_nearest(value->text, value->len, words);
		if (nearest)
			conf_hint(p->diags, "did you mean '%s'?", nearest);
	}
}

static bool is_interface_name(const struct token *tok)
{
	for (size_t i = 0; i < tok->len; i++) {
		char c = tok->text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_' || c == '-' || c == '.' || c == ':'))
			return false;
	}
	return tok->len > 0 && tok->len < RULE_TUNNEL_MAX;
}

static void parse_tunnel(struct policy_parser *p, const struct token *value)
{
	if (!is_interface_name(value)) {
		(void)entry_error(p, value->at, "tunnel-name",
			"Bad Tunnel '%.*s': not an interface name shorter than %d characters",
			(int)value->len, value->text, RULE_TUNNEL_MAX);
		return;
	}
	(void)word_copy(value, p->pattern.tunnel, sizeof(p->pattern.tunnel));
}

static void parse_negotiate(struct policy_parser *p, const struct token *value)
{
	static const char *const words[] = { "tunnel", "transport", NULL };
	const char *nearest;

	if (token_is(value, "tunnel"))
		p->pattern.negotiate = TUNNEL_TUNNEL;
	else if (token_is(value, "transport"))
		p->pattern.negotiate = TUNNEL_TRANSPORT;
	if (p->pattern.negotiate != TUNNEL_NONE)
		return;
	(void)entry_error(p, value->at, "negotiate-value",
		"Bad Negotiate '%.*s': tunnel or transport", (int)value->len, value->text);
	nearest = value_nearest(value->text, value->len, words);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
}

/* A row is a keyword; the manual page and the tests walk this table, too. */
static const struct selector_word {
	const char *name;
	enum pattern_slot slot;
	enum pattern_style style;
	bool takes_name; /* any word may be its value, also one of this table */
	const char *help;
	void (*parse)(struct policy_parser *p, const struct token *value);
} selector_words[] = {
	/* clang-format off */
	{ "saddr",     SLOT_SRC_ADDR,  STYLE_OLD,  true,  "source address or prefix",            parse_src_addr },
	{ "src",       SLOT_SRC_ADDR,  STYLE_OLD,  true,  "the same",                            parse_src_addr },
	{ "srcaddr",   SLOT_SRC_ADDR,  STYLE_OLD,  true,  "the same",                            parse_src_addr },
	{ "daddr",     SLOT_DST_ADDR,  STYLE_OLD,  true,  "destination address or prefix",       parse_dst_addr },
	{ "dst",       SLOT_DST_ADDR,  STYLE_OLD,  true,  "the same",                            parse_dst_addr },
	{ "dstaddr",   SLOT_DST_ADDR,  STYLE_OLD,  true,  "the same",                            parse_dst_addr },
	{ "sport",     SLOT_SRC_PORT,  STYLE_OLD,  false, "source port",                         parse_src_port },
	{ "dport",     SLOT_DST_PORT,  STYLE_OLD,  false, "destination port",                    parse_dst_port },
	{ "smask",     SLOT_SRC_MASK,  STYLE_OLD,  false, "mask of the source address",          parse_src_mask },
	{ "dmask",     SLOT_DST_MASK,  STYLE_OLD,  false, "mask of the destination address",     parse_dst_mask },
	{ "laddr",     SLOT_SRC_ADDR,  STYLE_NEW,  true,  "this machine's address or prefix",    parse_src_addr },
	{ "local",     SLOT_SRC_ADDR,  STYLE_NEW,  true,  "the same",                            parse_src_addr },
	{ "raddr",     SLOT_DST_ADDR,  STYLE_NEW,  true,  "the peer's address or prefix",        parse_dst_addr },
	{ "remote",    SLOT_DST_ADDR,  STYLE_NEW,  true,  "the same",                            parse_dst_addr },
	{ "lport",     SLOT_SRC_PORT,  STYLE_NEW,  false, "this machine's port",                 parse_src_port },
	{ "rport",     SLOT_DST_PORT,  STYLE_NEW,  false, "the peer's port",                     parse_dst_port },
	{ "ulp",       SLOT_PROTOCOL,  STYLE_NONE, false, "upper layer protocol",                parse_protocol },
	{ "proto",     SLOT_PROTOCOL,  STYLE_NONE, false, "the same",                            parse_protocol },
	{ "type",      SLOT_ICMP_TYPE, STYLE_NONE, false, "ICMP type",                           pattern_parse_icmp_type },
	{ "code",      SLOT_ICMP_CODE, STYLE_NONE, false, "ICMP code",                           pattern_parse_icmp_code },
	{ "dir",       SLOT_DIRECTION, STYLE_NONE, false, "in, out or both",                     parse_direction },
	{ "tunnel",    SLOT_TUNNEL,    STYLE_NONE, true,  "tunnel interface that this is for",   parse_tunnel },
	{ "negotiate", SLOT_NEGOTIATE, STYLE_NONE, true,  "tunnel or transport",                 parse_negotiate },
	/* clang-format on */
};

static const struct selector_word *selector_find(const struct token *tok)
{
	for (size_t i = 0; i < ARRAY_SIZE(selector_words); i++)
		if (token_is(tok, selector_words[i].name))
			return &selector_words[i];
	return NULL;
}

bool pattern_takes_host(const struct token *word)
{
	/* Asked of every word of a file: most are told by their first letter. */
	const struct selector_word *row = word->kind == TOKEN_WORD && strchr("sdlr", word->text[0])
						  ? selector_find(word)
						  : NULL;

	return row && (row->slot == SLOT_SRC_ADDR || row->slot == SLOT_DST_ADDR);
}

/* After an unknown word: over its value, to what can be understood again. */
static int skip_to_known(struct policy_parser *p)
{
	struct token tok;
	int r;

	do {
		r = parser_group_next(p, &tok);
		if (r < 0)
			return r;
	} while (tok.kind == TOKEN_WORD && !selector_find(&tok));
	if (tok.kind == TOKEN_WORD) {
		/* It is read, and counted, once more. */
		p->group_words--;
		p->entry_words--;
	}
	parser_push_back(p, &tok);
	return 0;
}

static int report_unknown(struct policy_parser *p, const struct token *word)
{
	const char *names[ARRAY_SIZE(selector_words) + 1] = { NULL };
	enum action_word action;
	const char *nearest;

	if (action_find(word, &action))
		return entry_error(p, word->at, "brace-missing",
			"Pattern or Properties incomplete: '}' is missing before the action '%.*s'",
			(int)word->len, word->text);
	for (size_t i = 0; i < ARRAY_SIZE(selector_words); i++)
		names[i] = selector_words[i].name;
	p->pattern.doubtful = true;
	nearest = value_nearest(word->text, word->len, names);
	(void)entry_error(p, word->at, "selector-unknown",
		"Invalid pattern '%.*s': no such selector", (int)word->len, word->text);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
	return skip_to_known(p);
}

static void report_repeat(
	struct policy_parser *p, const struct selector_word *row, const struct token *word)
{
	/* The two words of tunnels have always been reported so. */
	bool bad = row->slot == SLOT_TUNNEL || row->slot == SLOT_NEGOTIATE;

	(void)entry_error(p, word->at, "selector-repeat", "%s %s: given on line %u before",
		bad ? "Bad" : "Duplicate", slot_names[row->slot],
		p->pattern.word_at[row->slot].line);
}

static int report_no_value(
	struct policy_parser *p, const struct selector_word *row, const struct token *word)
{
	p->pattern.doubtful = true;
	return entry_error(p, word->at, "value-missing", "Bad %s: '%s' needs a value",
		slot_names[row->slot], row->name);
}

int pattern_selector(struct policy_parser *p, const struct token *word)
{
	const struct selector_word *row = selector_find(word);
	struct pattern *pattern = &p->pattern;
	struct token value;
	int r;

	if (!row)
		return report_unknown(p, word);
	r = parser_group_next(p, &value);
	if (r < 0)
		return r;
	if (value.kind == TOKEN_CLOSE || (!row->takes_name && selector_find(&value))) {
		if (value.kind == TOKEN_WORD) {
			p->group_words--;
			p->entry_words--;
		}
		parser_push_back(p, &value);
		(void)report_no_value(p, row, word);
		pattern->word_at[row->slot] = word->at;
		return 0;
	}
	if (!take_style(p, word, row->style, row->slot))
		return 0;
	if (pattern->word_at[row->slot].line != 0) {
		report_repeat(p, row, word);
		return 0;
	}
	pattern->word_at[row->slot] = word->at;
	pattern->value_at[row->slot] = value.at;
	row->parse(p, &value);
	return 0;
}
