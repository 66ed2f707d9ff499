/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_print_parts.h"

#include <inttypes.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

static bool has(const struct pfkey_message *msg, enum pfkey_extension extension)
{
	return msg->present & PFKEY_BIT(extension);
}

void keys_print_satype(uint8_t satype, struct text *text)
{
	static const char *const names[] = {
		[PFKEY_SATYPE_UNSPEC] = "<unspecified/all>",
		[PFKEY_SATYPE_AH] = "AH",
		[PFKEY_SATYPE_ESP] = "ESP",
		[5] = "RSVP",
		[6] = "OSPFv2",
		[7] = "RIPv2",
		[8] = "Mobile IP",
	};

	if (satype < ARRAY_SIZE(names) && names[satype])
		text_add(text, names[satype]);
	else
		text_addf(text, "<unknown %u>", satype);
}

static void print_base(const struct pfkey_message *msg, size_t bytes, struct text *text)
{
	const char *type = pfkey_type_name(msg->type);

	text_addf(text, "Base message (version %d) type ", PFKEY_VERSION);
	if (type)
		text_add(text, type);
	else
		text_addf(text, "Unknown (%u)", msg->type);
	text_add(text, ", SA type ");
	keys_print_satype(msg->satype, text);
	text_addf(text, ".\nMessage length %zu bytes, seq=%" PRIu32 ", pid=%" PRIu32 ".\n", bytes,
		msg->seq, msg->pid);
	if (msg->error != 0) {
		text_addf(text, "Error %s from PF_KEY.\n", strerror(msg->error));
		text_addf(text, "  Diagnostic code %u:  %s.\n", msg->diagnostic,
			pfkey_diagnostic_text(msg->diagnostic));
	}
}

static void print_padding(const struct sa *sa, struct text *text)
{
	if (sa->tfc_pad != 0)
		text_addf(text, "SA: inner packets are padded to %u octets\n", sa->tfc_pad);
	if (sa->tfc_dummy_msec != 0)
		text_addf(text, "SA: a dummy packet after %" PRIu32 " ms of silence\n",
			sa->tfc_dummy_msec);
}

/* Those of addresses stand with these. */
static void print_ports(const struct pfkey_message *msg, struct text *text)
{
	const struct sa *sa = msg->sa;

	if (sa->natt_local_port && !has(msg, PFKEY_EXT_NATT_LOC))
		text_addf(text, "NLC: NAT-T local port %u.\n", sa->natt_local_port);
	if (sa->natt_remote_port && !has(msg, PFKEY_EXT_NATT_REM))
		text_addf(text, "NRM: NAT-T remote port %u.\n", sa->natt_remote_port);
}

static void print_algorithm(const char *what, uint8_t proto, uint8_t number,
	const struct keys_print_style *style, struct text *text)
{
	if (number == 0)
		return;
	text_addf(text, "SA: %s algorithm = ", what);
	alg_print(style->algs, proto, number, text);
	text_add_char(text, '\n');
}

static void print_sa(
	const struct pfkey_message *msg, const struct keys_print_style *style, struct text *text)
{
	static const char *const states[] = { "LARVAL", "MATURE", "DYING", "DEAD",
		"ACTIVE_ELSEWHERE", "IDLE" };
	const struct sa *sa = msg->sa;

	text_addf(text,
		"SA: SADB_ASSOC spi=0x%" PRIx32 ", replay window size=%" PRIu32 ", state=", sa->spi,
		sa->replay_window);
	if (sa->state < ARRAY_SIZE(states))
		text_add(text, states[sa->state]);
	else
		text_addf(text, "<unknown %u>", sa->state);
	text_add_char(text, '\n');
	print_algorithm("Authentication", ALG_PROTO_AH, sa->auth, style, text);
	print_algorithm("Encryption", ALG_PROTO_ESP, sa->encr, style, text);
	print_padding(sa, text);
	text_addf(text, "SA: flags=0x%" PRIx32 " < ", msg->sa_flags);
	for (const struct pfkey_flag *flag = pfkey_flags; flag->name; flag++)
		if (msg->sa_flags & flag->bit)
			text_addf(text, "%s ", flag->name);
	text_add(text, ">\n");
}

static void print_protocol(
	uint8_t protocol, const struct keys_print_style *style, struct text *text)
{
	struct protoent found, *result = NULL;
	char buffer[1024];

	text_addf(text, "%u", protocol);
	if (!style->names)
		return;
	if (protocol == 0)
		text_add(text, "/<unspecified>");
	else if (getprotobynumber_r(protocol, &found, buffer, sizeof(buffer), &result) == 0 &&
		 result)
		text_addf(text, "/%s", result->p_name);
	else
		text_add(text, "/<unknown>");
}

static void print_host(
	const struct address *addr, const struct keys_print_style *style, struct text *text)
{
	struct sockaddr_storage ss;
	char name[256];
	socklen_t len;

	if (!style->names)
		return;
	len = address_to_sockaddr(addr, 0, &ss);
	if (address_is_unspecified(addr))
		text_add(text, " (<unspecified>)");
	else if (getnameinfo((const struct sockaddr *)&ss, len, name, sizeof(name), NULL, 0,
			 NI_NAMEREQD) == 0)
		text_addf(text, " (%s)", name);
	else
		text_add(text, " (<unknown>)");
}

/* One address extension. */
struct end {
	enum pfkey_extension extension;
	const char *tag, *what;
	uint8_t protocol;
	struct prefix prefix; /* a host, but for inner addresses */
	uint16_t port;
};

static void print_end(
	const struct end *end, const struct keys_print_style *style, struct text *text)
{
	char addr[ADDRESS_TEXT_MAX];

	text_addf(text, "%s: %s address (proto=", end->tag, end->what);
	print_protocol(end->protocol, style, text);
	text_addf(text, ")\n%s: %s: port %u, %s", end->tag,
		end->prefix.addr.family == AF_INET6 ? "AF_INET6" : "AF_INET", end->port,
		address_format(&end->prefix.addr, addr));
	if (!prefix_is_host(&end->prefix))
		text_addf(text, "/%u", end->prefix.bits);
	print_host(&end->prefix.addr, style, text);
	text_add(text, ".\n");
}

static void print_addresses(
	const struct pfkey_message *msg, const struct keys_print_style *style, struct text *text)
{
	const struct sa *sa = msg->sa;
	const struct end ends[] = {
		{ PFKEY_EXT_ADDRESS_SRC, "SRC", "Source", sa->protocol, prefix_host(&sa->src),
			sa->src_port },
		{ PFKEY_EXT_ADDRESS_DST, "DST", "Destination", sa->protocol, prefix_host(&sa->dst),
			sa->dst_port },
		{ PFKEY_EXT_INNER_SRC, "INS", "Inner source", sa->inner_protocol, sa->inner_src,
			sa->inner_src_port },
		{ PFKEY_EXT_INNER_DST, "IND", "Inner destination", sa->inner_protocol,
			sa->inner_dst, sa->inner_dst_port },
		{ PFKEY_EXT_NATT_LOC, "NLC", "NAT-T local", 0, prefix_host(&sa->natt_local),
			sa->natt_local_port },
		{ PFKEY_EXT_NATT_REM, "NRM", "NAT-T remote", 0, prefix_host(&sa->natt_remote),
			sa->natt_remote_port },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (has(msg, ends[i].extension))
			print_end(&ends[i], style, text);
	print_ports(msg, text);
}

static void print_bytes(const uint8_t *bytes, size_t len, bool paranoid, struct text *text)
{
	char hex[3];

	for (size_t i = 0; i < len; i++) {
		hex_encode(&bytes[i], 1, hex);
		text_add(text, paranoid ? "XX" : hex);
	}
}

/* One key extension. */
struct key_line {
	const char *tag, *what;
	const struct secret *key;
	size_t bits, salt_bits;
};

static void print_key(
	const struct key_line *line, const struct keys_print_style *style, struct text *text)
{
	const uint8_t *bytes = secret_bytes(line->key);
	size_t len = (line->bits + 7) / 8, salt_len = line->salt_bits / 8;

	if (!line->key || secret_len(line->key) < len + salt_len)
		return;
	text_addf(text, "%s: %s key.\n%s: ", line->tag, line->what, line->tag);
	print_bytes(bytes, len, style->paranoid, text);
	if (salt_len > 0) {
		text_add_char(text, '[');
		print_bytes(bytes + len, salt_len, style->paranoid, text);
		text_addf(text, "]/%zu+%zu\n", line->bits, line->salt_bits);
	} else {
		text_addf(text, "/%zu\n", line->bits);
	}
}

static void print_identity(
	const char *tag, const char *what, const struct pfkey_identity *identity, struct text *text)
{
	static const char *const types[] = { "<reserved>", "prefix", "fqdn", "user_fqdn", "der_dn",
		"der_gn", "key_id", "range" };

	text_addf(text, "%s: %s identity, ", tag, what);
	if (identity->type < ARRAY_SIZE(types))
		text_addf(text, "type %s", types[identity->type]);
	else
		text_addf(text, "type <unknown %u>", identity->type);
	text_addf(text, ", %s\n", identity->value);
}

/* Seconds, and what that is in a larger unit. */
static void print_seconds(uint64_t sec, const struct keys_print_style *style, struct text *text)
{
	static const struct {
		uint64_t sec;
		const char *name;
	} units[] = { { 86400, "days" }, { 3600, "hours" }, { 60, "minutes" } };

	text_addf(text, "%" PRIu64 " seconds", sec);
	for (size_t i = 0; i < ARRAY_SIZE(units) && !style->raw_seconds; i++)
		if (sec >= units[i].sec) {
			text_addf(text, " (%.2f %s)", (double)sec / (double)units[i].sec,
				units[i].name);
			return;
		}
}

static void print_time(uint64_t sec, const struct keys_print_style *style, struct text *text)
{
	time_t when = (time_t)sec;
	struct tm tm;
	char str[64];

	if (!style->raw_seconds && localtime_r(&when, &tm) &&
		strftime(str, sizeof(str), "%a %b %e %H:%M:%S %Y", &tm) > 0)
		text_add(text, str);
	else
		text_addf(text, "%" PRIu64, sec);
}

static void print_expiry(const char *tag, const char *what, uint64_t began_sec, uint64_t limit_sec,
	const struct keys_print_style *style, struct text *text)
{
	uint64_t at_sec;

	if (limit_sec == 0 || began_sec == 0 ||
		__builtin_add_overflow(began_sec, limit_sec, &at_sec))
		return;
	if (at_sec <= style->now_sec) {
		text_addf(text, "%s: %s expiration occurred\n", tag, what);
	} else {
		text_addf(text, "%s: %s expiration occurs in ", tag, what);
		print_seconds(at_sec - style->now_sec, style, text);
		text_add_char(text, '\n');
	}
	text_addf(text, "%s: Time of expiration: ", tag);
	print_time(at_sec, style, text);
	text_add(text, ".\n");
}

static void print_limits(const char *tag, const char *what, const struct sa_limits *limits,
	const struct pfkey_message *msg, const struct keys_print_style *style, struct text *text)
{
	const struct pfkey_current *current = &msg->current;

	text_addf(text, "%s: %s lifetime information:\n", tag, what);
	text_addf(text, "%s: %" PRIu64 " bytes of lifetime, %" PRIu32 " allocations.\n", tag,
		limits->bytes, limits->allocations);
	text_addf(text, "%s: ", tag);
	print_seconds(limits->add_sec, style, text);
	text_addf(text, " of post-add lifetime.\n%s: ", tag);
	print_seconds(limits->use_sec, style, text);
	text_add(text, " of post-use lifetime.\n");
	if (!has(msg, PFKEY_EXT_LIFETIME_CURRENT))
		return;
	if (limits->bytes > current->bytes)
		text_addf(text, "%s: %" PRIu64 " bytes more can be protected.\n", tag,
			limits->bytes - current->bytes);
	print_expiry(tag, what, current->add_wall_sec, limits->add_sec, style, text);
	print_expiry(tag, what, current->use_wall_sec, limits->use_sec, style, text);
}

static void print_current(
	const struct pfkey_message *msg, const struct keys_print_style *style, struct text *text)
{
	const struct pfkey_current *current = &msg->current;

	text_addf(text,
		"CLT: Current lifetime information:\nCLT: %" PRIu64 " bytes protected, %" PRIu32
		" allocations used.\n",
		current->bytes, current->allocations);
	text_add(text, "CLT: SA added at time: ");
	print_time(current->add_wall_sec, style, text);
	text_add_char(text, '\n');
	if (current->use_wall_sec != 0) {
		text_add(text, "CLT: SA first used at time: ");
		print_time(current->use_wall_sec, style, text);
		text_add_char(text, '\n');
	}
}

static void print_lifetimes(
	const struct pfkey_message *msg, const struct keys_print_style *style, struct text *text)
{
	const struct sa *sa = msg->sa;
	struct sa_limits idle = { .add_sec = sa->idle_add_sec, .use_sec = sa->idle_use_sec };

	if (!has(msg, PFKEY_EXT_LIFETIME_CURRENT) && !has(msg, PFKEY_EXT_LIFETIME_SOFT) &&
		!has(msg, PFKEY_EXT_LIFETIME_HARD) && !has(msg, PFKEY_EXT_LIFETIME_IDLE))
		return;
	text_add(text, " LT: Lifetime information\n");
	if (has(msg, PFKEY_EXT_LIFETIME_CURRENT))
		print_current(msg, style, text);
	if (has(msg, PFKEY_EXT_LIFETIME_SOFT))
		print_limits("SLT", "Soft", &sa->soft, msg, style, text);
	if (has(msg, PFKEY_EXT_LIFETIME_HARD))
		print_limits("HLT", "Hard", &sa->hard, msg, style, text);
	if (has(msg, PFKEY_EXT_LIFETIME_IDLE))
		print_limits("ILT", "Idle", &idle, msg, style, text);
}

void keys_print_message(const struct pfkey_message *msg, const struct keys_wire *wire,
	const struct keys_print_style *style, struct text *text)
{
	const struct sa *sa = msg->sa;
	const struct key_line auth = { "AKY", "Authentication", sa->auth_key, sa->auth_key_bits,
		0 };
	const struct key_line encr = { "EKY", "Encryption", sa->encr_key, sa->encr_key_bits,
		sa->salt_bits };

	print_base(msg, wire->len, text);
	if (has(msg, PFKEY_EXT_SA))
		print_sa(msg, style, text);
	print_addresses(msg, style, text);
	if (has(msg, PFKEY_EXT_KEY_AUTH))
		print_key(&auth, style, text);
	if (has(msg, PFKEY_EXT_KEY_ENCRYPT))
		print_key(&encr, style, text);
	if (has(msg, PFKEY_EXT_IDENTITY_SRC))
		print_identity("SID", "Source", &msg->identity_src, text);
	if (has(msg, PFKEY_EXT_IDENTITY_DST))
		print_identity("DID", "Destination", &msg->identity_dst, text);
	keys_print_other(msg, wire, style, text);
	if (has(msg, PFKEY_EXT_KM_COOKIE))
		text_addf(text, "KMC: Protocol %" PRIu32 ", cookie=\"%" PRIu64 "\"\n",
			msg->km_protocol, msg->km_cookie);
	if (has(msg, PFKEY_EXT_PAIR))
		text_addf(text, "OTH: Paired with spi=0x%" PRIx32 "\n", sa->pair_spi);
	if (has(msg, PFKEY_EXT_REPLAY_VALUE))
		text_addf(text, "RPL: Replay value %" PRIu64 "\n", sa->replay_value);
	keys_print_unknown(wire, style, text);
	print_lifetimes(msg, style, text);
}
