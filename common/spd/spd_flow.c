/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/spd/spd_flow.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Longer words than any that means something. */
#define WORD_MAX (ADDRESS_TEXT_MAX + 16)

struct word {
	size_t at, len; /* len 0: the end of the text */
	char text[WORD_MAX]; /* NUL-terminated; "" too when it is longer than any that is known */
};

struct flow_parser {
	const char *text;
	size_t len, at;
	struct spd_query query;
	struct flow *flow; /* of the query: what is being read */
	struct spd_flow_error *error; /* NULL: nobody asks */
	bool icmp_of_family;
	bool has_code;
};

/* An end of the packet as it was written. */
struct end {
	struct address addr;
	bool has_port;
	uint16_t port;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct flow_parser *p)
{
	while (p->at < p->len && is_blank(p->text[p->at]))
		p->at++;
}

/* The word that comes next; it is taken with take(). */
static struct word peek(struct flow_parser *p)
{
	struct word word = { 0 };

	skip_blanks(p);
	word.at = p->at;
	while (word.at + word.len < p->len && !is_blank(p->text[word.at + word.len]))
		word.len++;
	if (word.len < sizeof(word.text))
		memcpy(word.text, p->text + word.at, word.len);
	return word;
}

static void take(struct flow_parser *p, const struct word *word)
{
	p->at = word->at + word->len;
}

static struct word next(struct flow_parser *p)
{
	struct word word = peek(p);

	take(p, &word);
	return word;
}

static int wrong(struct flow_parser *p, const struct word *word, const char *text)
{
	if (p->error) {
		p->error->offset = word->at;
		p->error->length = word->len;
		p->error->text = text;
	}
	return -EINVAL;
}

static bool is_word(const struct word *word, const char *text)
{
	return strcasecmp(word->text, text) == 0;
}

/* Decimal digits alone. */
static bool number(const char *digits, unsigned int max, unsigned int *ret)
{
	unsigned int x = 0;

	if (*digits == '\0')
		return false;
	for (; *digits != '\0'; digits++) {
		if (*digits < '0' || *digits > '9')
			return false;
		x = 10 * x + (unsigned int)(*digits - '0');
		if (x > max)
			return false;
	}
	*ret = x;
	return true;
}

static int parse_direction(struct flow_parser *p)
{
	struct word word = next(p);

	if (is_word(&word, "tunnel")) {
		word = next(p);
		if (word.text[0] == '\0')
			return wrong(p, &word, "the name of a tunnel expected");
		if (text_copy(p->query.tunnel, sizeof(p->query.tunnel), word.text) < 0)
			return wrong(p, &word, "the name of a tunnel has at most 31 letters");
		word = next(p);
	}
	if (is_word(&word, "in"))
		p->query.flow.direction = DIRECTION_IN;
	else if (is_word(&word, "out"))
		p->query.flow.direction = DIRECTION_OUT;
	else if (is_word(&word, "forward") && p->query.tunnel[0] == '\0')
		p->query.forward = true;
	else
		return wrong(p, &word,
			p->query.tunnel[0] != '\0' ? "in or out expected"
						   : "in, out, forward or tunnel expected");
	if (p->query.forward)
		p->query.flow.direction = DIRECTION_OUT;
	return 0;
}

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "icmp", IPPROTO_ICMP },
	{ "igmp", IPPROTO_IGMP },
	{ "ipip", IPPROTO_IPIP },
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "ipv6", IPPROTO_IPV6 },
	{ "gre", IPPROTO_GRE },
	{ "esp", IPPROTO_ESP },
	{ "ah", IPPROTO_AH },
	{ "icmp6", IPPROTO_ICMPV6 },
	{ "icmpv6", IPPROTO_ICMPV6 },
	{ "ipv6-icmp", IPPROTO_ICMPV6 },
	{ "ospf", 89 },
	{ "pim", IPPROTO_PIM },
	{ "sctp", IPPROTO_SCTP },
};

static int parse_protocol(struct flow_parser *p)
{
	struct word word = next(p);
	unsigned int value;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (is_word(&word, protocols[i].name)) {
			p->flow->protocol = protocols[i].number;
			p->icmp_of_family = protocols[i].number == IPPROTO_ICMP;
			return 0;
		}
	if (is_word(&word, "protocol") || is_word(&word, "proto"))
		word = next(p);
	if (!number(word.text, UINT8_MAX, &value) || value == 0)
		return wrong(
			p, &word, "a protocol expected: tcp, udp, sctp, icmp, icmp6 or 1 to 255");
	p->flow->protocol = (uint8_t)value;
	return 0;
}

static int parse_octet(struct flow_parser *p, uint8_t *ret)
{
	struct word word = next(p);
	unsigned int value;

	if (!number(word.text, UINT8_MAX, &value))
		return wrong(p, &word, "a number from 0 to 255 expected");
	*ret = (uint8_t)value;
	return 0;
}

/* `type N` and `code N`, wherever they stand. */
static int parse_icmp(struct flow_parser *p)
{
	struct flow *flow = p->flow;
	struct word word = peek(p);
	int r;

	if (is_word(&word, "type") && !flow->has_icmp) {
		take(p, &word);
		if (flow->protocol != IPPROTO_ICMP && flow->protocol != IPPROTO_ICMPV6)
			return wrong(p, &word, "only icmp and icmp6 have a type");
		r = parse_octet(p, &flow->icmp_type);
		if (r < 0)
			return r;
		flow->has_icmp = true;
		word = peek(p);
	}
	if (is_word(&word, "code") && flow->has_icmp && !p->has_code) {
		take(p, &word);
		p->has_code = true;
		return parse_octet(p, &flow->icmp_code);
	}
	return 0;
}

static int parse_port(
	struct flow_parser *p, const struct word *word, const char *digits, struct end *end)
{
	unsigned int port;

	if (!protocol_has_ports(p->flow->protocol))
		return wrong(p, word, "this protocol has no ports");
	if (!number(digits, UINT16_MAX, &port))
		return wrong(p, word, "a port from 0 to 65535 expected behind the colon");
	end->has_port = true;
	end->port = (uint16_t)port;
	return 0;
}

static int parse_end(struct flow_parser *p, struct end *end)
{
	struct word word = next(p);
	char *text = word.text, *behind = NULL;
	int r = 0;

	if (text[0] == '[') {
		text++;
		behind = strchr(text, ']');
		if (!behind || (behind[1] != '\0' && behind[1] != ':'))
			return wrong(p, &word, "an address with port is written [2001:db8::1]:80");
		*behind++ = '\0';
	} else if (strchr(text, ':') == strrchr(text, ':')) {
		behind = strchr(text, ':');
	}
	if (behind && *behind == ':') {
		*behind++ = '\0';
		r = parse_port(p, &word, behind, end);
	}
	if (r < 0)
		return r;
	if (address_parse(text, &end->addr) < 0)
		return wrong(p, &word, "a numeric address expected");
	return 0;
}

static int parse_ends(struct flow_parser *p)
{
	struct flow *flow = p->flow;
	struct end src = { 0 }, dst = { 0 };
	bool out = flow->direction == DIRECTION_OUT;
	struct word word;
	int r = parse_end(p, &src);

	if (r < 0)
		return r;
	word = peek(p);
	if (is_word(&word, ">"))
		take(p, &word);
	word = peek(p);
	r = parse_end(p, &dst);
	if (r < 0)
		return r;
	if (src.addr.family != dst.addr.family)
		return wrong(p, &word, "both addresses must be of one family");
	if (src.has_port != dst.has_port)
		return wrong(p, &word, "both ends have a port or neither");
	flow->local = out ? src.addr : dst.addr;
	flow->remote = out ? dst.addr : src.addr;
	flow->has_ports = src.has_port;
	flow->local_port = out ? src.port : dst.port;
	flow->remote_port = out ? dst.port : src.port;
	return 0;
}

static int check_family(struct flow_parser *p, const struct word *word)
{
	struct flow *flow = p->flow;

	if (p->icmp_of_family && flow->local.family == AF_INET6)
		flow->protocol = IPPROTO_ICMPV6;
	if (flow->has_icmp && !protocol_is_icmp(flow->protocol, flow->local.family))
		return wrong(p, word, "a type is known of a family's own icmp only");
	return 0;
}

static int parse_packet(struct flow_parser *p)
{
	struct word protocol = peek(p);
	int r;

	p->icmp_of_family = p->has_code = false;
	r = parse_protocol(p);
	if (r == 0)
		r = parse_icmp(p);
	if (r == 0)
		r = parse_ends(p);
	if (r == 0)
		r = parse_icmp(p);
	return r < 0 ? r : check_family(p, &protocol);
}

static bool is_error(const struct flow *flow)
{
	return flow->has_icmp && icmp_type_is_error(flow->icmp_type, flow->local.family);
}

static int check_about(struct flow_parser *p, const struct word *packet)
{
	const struct flow *about = &p->query.about;

	if (about->local.family != p->query.flow.local.family)
		return wrong(p, packet, "an error and the packet in it are of one family");
	if (protocol_has_ports(about->protocol) && !about->has_ports)
		return wrong(p, packet, "the packet in an error shows its ports");
	if (protocol_is_icmp(about->protocol, about->local.family) && !about->has_icmp)
		return wrong(p, packet, "the packet in an error shows its type");
	return 0;
}

/* `about PACKET`, which went the other way. */
static int parse_about(struct flow_parser *p)
{
	enum direction direction = p->query.flow.direction;
	struct word word = peek(p), packet;
	int r;

	if (!is_word(&word, "about"))
		return 0;
	if (p->query.tunnel[0] != '\0')
		return wrong(p, &word, "rules of a tunnel judge errors as any other packet");
	if (!is_error(&p->query.flow))
		return wrong(p, &word, "only an ICMP error is about another packet");
	take(p, &word);
	packet = peek(p);
	p->flow = &p->query.about;
	p->flow->direction = direction == DIRECTION_OUT ? DIRECTION_IN : DIRECTION_OUT;
	r = parse_packet(p);
	p->flow->direction = direction;
	p->query.has_about = true;
	return r < 0 ? r : check_about(p, &packet);
}

int spd_flow_parse(const char *text, size_t len, struct spd_query *ret_query, size_t *ret_used,
	struct spd_flow_error *ret_error)
{
	struct flow_parser p = { .text = text, .len = len, .error = ret_error };
	struct word rest;
	int r;

	p.flow = &p.query.flow;
	r = parse_direction(&p);
	if (r == 0)
		r = parse_packet(&p);
	if (r == 0)
		r = parse_about(&p);
	if (r < 0)
		return r;
	rest = peek(&p);
	if (!ret_used && rest.len > 0)
		return wrong(&p, &rest, "nothing more expected");
	if (ret_used)
		*ret_used = p.at;
	*ret_query = p.query;
	return 0;
}

void spd_flow_print(const struct spd_query *query, struct text *text)
{
	if (query->tunnel[0] != '\0')
		text_addf(text, "tunnel %s ", query->tunnel);
	if (query->forward)
		text_add(text, "forward ");
	else
		text_add(text, query->flow.direction == DIRECTION_OUT ? "out " : "in ");
	flow_print(&query->flow, text);
	if (query->has_about) {
		struct flow about = query->about;

		/* As it was sent. */
		about.direction = about.direction == DIRECTION_OUT ? DIRECTION_IN : DIRECTION_OUT;
		text_add(text, " about ");
		flow_print(&about, text);
	}
}

bool spd_query_is_forwarded(const struct spd_query *query)
{
	return query->forward || (query->has_about && query->flow.direction == DIRECTION_OUT &&
					 spd_about_forwarded(&query->about, &query->flow.local));
}

bool spd_query_lacks_about(const struct spd_query *query)
{
	return !query->has_about && !query->forward && query->tunnel[0] == '\0' &&
	       is_error(&query->flow);
}
