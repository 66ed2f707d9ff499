/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between the extensions of a command; ipseckeys(5), RULES. */
#include "services/manual-key/keys_parser.h"

static bool is_given(const struct keys_parser *p, enum keys_field field)
{
	return keys_is_given(p, field);
}

/* Where the field was named, or the command when it was not. */
static struct conf_loc place_of(const struct keys_parser *p, enum keys_field field)
{
	return is_given(p, field) ? p->at[field] : p->command->at;
}

static bool has_natt(const struct keys_parser *p)
{
	return is_given(p, KEYS_NAT_LOCAL) || is_given(p, KEYS_NAT_REMOTE) ||
	       is_given(p, KEYS_NAT_LOCAL_PORT) || is_given(p, KEYS_NAT_REMOTE_PORT);
}

static bool is_tunnel(const struct keys_parser *p)
{
	return is_given(p, KEYS_INNER_SRC) || is_given(p, KEYS_INNER_DST) ||
	       is_given(p, KEYS_INNER_SRC_PORT) || is_given(p, KEYS_INNER_DST_PORT) ||
	       is_given(p, KEYS_INNER_PROTO);
}

static void check_needed(struct keys_parser *p)
{
	struct keys_command *command = p->command;
	bool lookup = command->verb != KEYS_ADD && command->verb != KEYS_UPDATE &&
		      command->verb != KEYS_UPDATE_PAIR;

	if (!is_given(p, KEYS_SPI) && !p->puzzled)
		keys_error(p, command->at, "key-spi", "Need to define SPI for %s", p->verb);
	if (lookup)
		return;
	if (is_given(p, KEYS_SPI) && command->sa->spi && command->sa->spi < SA_LEAST_SPI)
		keys_error(p, p->at[KEYS_SPI], "key-spi", "SPIs 1 to 255 are reserved");
	if (!is_given(p, KEYS_DST) && !p->puzzled)
		keys_error(
			p, command->at, "key-address", "Need destination address for %s", p->verb);
	if (command->verb == KEYS_UPDATE_PAIR && is_given(p, KEYS_PAIR_SPI))
		keys_error(p, p->at[KEYS_PAIR_SPI], "key-unfit",
			"Don't use extension pair-spi for '%s' command", p->verb);
	if (is_given(p, KEYS_PAIR_SPI) && is_given(p, KEYS_SPI) &&
		command->sa->pair_spi == command->sa->spi)
		keys_error(p, p->at[KEYS_PAIR_SPI], "key-pair", "an SA cannot be its own pair");
}

static void check_esp_algorithms(struct keys_parser *p)
{
	struct sa *sa = p->command->sa;
	bool add = p->command->verb == KEYS_ADD;

	if (!is_given(p, KEYS_ENCR_ALG))
		sa->encr = ALG_ENCR_NULL;
	if (sa->encr == ALG_ENCR_NULL && is_given(p, KEYS_ENCR_KEY))
		keys_error(p, p->at[KEYS_ENCR_KEY], "key-null",
			"Cannot specify a key with NULL encryption algorithm");
	if (alg_is_ah_only(sa->auth))
		keys_error(p, p->at[KEYS_AUTH_ALG], "key-algorithm",
			"GMAC as auth_alg goes with AH alone; for ESP it is an encr_alg");
	if (!add)
		return;
	if (sa->encr != ALG_ENCR_NULL && sa->encr != ALG_ENCR_NONE && !is_given(p, KEYS_ENCR_KEY) &&
		!p->command->failed)
		keys_error(p, p->at[KEYS_ENCR_ALG], "key-missing",
			"encr_alg without an encryption key");
	if (sa->encr == ALG_ENCR_NULL && sa->auth == ALG_AUTH_NONE && !p->command->failed)
		keys_error(p, place_of(p, KEYS_ENCR_ALG), "key-algorithm",
			"NULL encryption needs an auth_alg, else nothing is protected");
	if (sa->encr == ALG_ENCR_AES_CTR && sa->auth == ALG_AUTH_NONE && !p->command->failed)
		keys_error(p, place_of(p, KEYS_ENCR_ALG), "key-algorithm",
			"AES-CTR needs an auth_alg, else anybody can change what it carries");
}

static void check_algorithms(struct keys_parser *p)
{
	const struct algorithm *encr = alg_find(p->in->algs, ALG_PROTO_ESP, p->command->sa->encr);
	struct keys_command *command = p->command;
	struct sa *sa = command->sa;
	bool add = command->verb == KEYS_ADD;

	if (add && !is_given(p, KEYS_AUTH_ALG) && !is_given(p, KEYS_ENCR_ALG)) {
		if (!p->puzzled)
			keys_error(p, command->at, "key-algorithm",
				"Select at least one algorithm for this add");
		return;
	}
	if (sa->auth == ALG_AUTH_NONE && is_given(p, KEYS_AUTH_KEY))
		keys_error(p, p->at[KEYS_AUTH_KEY], "key-algorithm",
			"authentication key without an auth_alg");
	/* A key that is missed may be there, behind a word that was not understood. */
	if (add && sa->auth != ALG_AUTH_NONE && !is_given(p, KEYS_AUTH_KEY) && !command->failed)
		keys_error(p, p->at[KEYS_AUTH_ALG], "key-missing",
			"auth_alg without an authentication key");
	if (encr && alg_is_combined(encr) && is_given(p, KEYS_AUTH_ALG) &&
		sa->auth != ALG_AUTH_NONE)
		keys_error(p, p->at[KEYS_AUTH_ALG], "key-algorithm",
			"%s protects integrity itself and takes no auth_alg", encr->names[0]);
	if (command->satype == KEYS_SATYPE_ESP)
		check_esp_algorithms(p);
	else if (add && sa->auth == ALG_AUTH_NONE && !command->failed)
		keys_error(p, command->at, "key-algorithm", "ah needs an auth_alg");
	if (add && !is_given(p, KEYS_AUTH_KEY) && !is_given(p, KEYS_ENCR_KEY) && !command->failed)
		keys_error(p, command->at, "key-missing", "Must have at least one key for an add");
	keys_check_keys(p);
}

/* A limit and what it has to come before; 0 is no limit. */
struct limit {
	enum keys_field field;
	const char *name;
	uint64_t value;
};

static void check_limit(struct keys_parser *p, struct limit low, struct limit high)
{
	if (low.value != 0 && high.value != 0 && low.value > high.value)
		keys_error(
			p, p->at[low.field], "key-lifetime", "%s is above %s", low.name, high.name);
}

/* The soft limit has to come before the hard one, the idle one before both. */
static void check_times(
	struct keys_parser *p, struct limit idle, struct limit soft, struct limit hard)
{
	check_limit(p, soft, hard);
	check_limit(p, idle, soft);
	check_limit(p, idle, hard);
}

static void check_lifetimes(struct keys_parser *p)
{
	const struct sa *sa = p->command->sa;

	check_limit(p, (struct limit){ KEYS_SOFT_BYTES, "soft_bytes", sa->soft.bytes },
		(struct limit){ KEYS_HARD_BYTES, "hard_bytes", sa->hard.bytes });
	check_limit(p, (struct limit){ KEYS_SOFT_ALLOC, "soft_alloc", sa->soft.allocations },
		(struct limit){ KEYS_HARD_ALLOC, "hard_alloc", sa->hard.allocations });
	check_times(p, (struct limit){ KEYS_IDLE_ADD, "idle_addtime", sa->idle_add_sec },
		(struct limit){ KEYS_SOFT_ADD, "soft_addtime", sa->soft.add_sec },
		(struct limit){ KEYS_HARD_ADD, "hard_addtime", sa->hard.add_sec });
	check_times(p, (struct limit){ KEYS_IDLE_USE, "idle_usetime", sa->idle_use_sec },
		(struct limit){ KEYS_SOFT_USE, "soft_usetime", sa->soft.use_sec },
		(struct limit){ KEYS_HARD_USE, "hard_usetime", sa->hard.use_sec });
	if (!(sa->flags & SA_FLAG_ESN) && sa->replay_value > UINT32_MAX)
		keys_error(p, p->at[KEYS_REPLAY_VALUE], "key-range",
			"replay_value: number is above 4294967295");
}

static void check_natt(struct keys_parser *p)
{
	bool encap = is_given(p, KEYS_ENCAP);

	if (!encap && (is_given(p, KEYS_NAT_LOCAL_PORT) || is_given(p, KEYS_NAT_REMOTE_PORT)))
		keys_error(p,
			place_of(p, is_given(p, KEYS_NAT_LOCAL_PORT) ? KEYS_NAT_LOCAL_PORT
								     : KEYS_NAT_REMOTE_PORT),
			"key-encap", "Must specify 'encap udp' with any NAT-T port");
	if (!encap && (is_given(p, KEYS_NAT_LOCAL) || is_given(p, KEYS_NAT_REMOTE)))
		keys_error(p,
			place_of(p, is_given(p, KEYS_NAT_LOCAL) ? KEYS_NAT_LOCAL : KEYS_NAT_REMOTE),
			"key-encap", "Must specify 'encap udp' with any NAT-T address");
	if ((p->command->sa->flags & SA_FLAG_ENCAP) && !has_natt(p))
		keys_error(p, p->at[KEYS_ENCAP], "key-encap",
			"Must specify NAT-T remote or local address for UDP encapsulation");
}

/* RFC 4303 sections 2.6 and 2.7: only where what is inside tells how long it is. */
static void check_padding(struct keys_parser *p, const struct keys_command *command)
{
	const struct sa *sa = command->sa;
	enum keys_field word = is_given(p, KEYS_TFC_PAD) ? KEYS_TFC_PAD : KEYS_TFC_DUMMY;

	if (is_given(p, word) && (sa->proto != SA_PROTO_ESP || sa->mode != SA_MODE_TUNNEL))
		keys_error(p, p->at[word], "key-tfc",
			"traffic flow confidentiality is for esp in tunnel mode");
}

static void check_tunnel(struct keys_parser *p)
{
	struct sa *sa = p->command->sa;
	uint8_t wanted;

	if (!is_tunnel(p))
		return;
	sa->mode = SA_MODE_TUNNEL;
	if (is_given(p, KEYS_PROTO) && sa->protocol != 0 && sa->protocol != IPPROTO_IPIP &&
		sa->protocol != IPPROTO_IPV6)
		keys_error(p, p->at[KEYS_PROTO], "key-tunnel",
			"Protocol type %u not for use with Tunnel-Mode SA", sa->protocol);
	if (p->command->failed)
		return;
	/* The original's unspecified address is an IPv6 one, whatever the other may be. */
	if (!is_given(p, KEYS_INNER_SRC))
		sa->inner_src.addr = address_any(AF_INET6);
	if (!is_given(p, KEYS_INNER_DST))
		sa->inner_dst.addr = address_any(AF_INET6);
	if (sa->inner_src.addr.family != sa->inner_dst.addr.family) {
		keys_error(p,
			place_of(p, is_given(p, KEYS_INNER_DST) ? KEYS_INNER_DST : KEYS_INNER_SRC),
			"key-family", "inner source and destination are of different families");
		return;
	}
	wanted = sa->inner_src.addr.family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	if (sa->protocol != 0 && sa->protocol != wanted)
		keys_error(p, p->at[KEYS_PROTO], "key-family",
			"protocol %u does not carry the inner addresses, %u does", sa->protocol,
			wanted);
	if ((sa->src_port || sa->dst_port) && (sa->inner_src_port || sa->inner_dst_port))
		keys_error(p,
			place_of(p, is_given(p, KEYS_SRC_PORT) ? KEYS_SRC_PORT : KEYS_DST_PORT),
			"key-tunnel", "both inner and outer ports are given");
}

/* How many sources go with this destination; any IPv6 unspecified one does. */
static size_t fitting_sources(const struct keys_command *command, const struct address *dst)
{
	size_t n = 0;

	for (size_t i = 0; i < command->n_srcs; i++)
		n += command->srcs[i].family == dst->family ||
		     (command->srcs[i].family == AF_INET6 &&
			     address_is_unspecified(&command->srcs[i]));
	return n;
}

/* Of the addresses that a destination name stands for, those that some source goes with. */
static void check_families(struct keys_parser *p)
{
	struct keys_command *command = p->command;
	bool ambiguous = false;
	size_t kept = 0;

	if (command->n_srcs == 0 || command->n_dsts == 0)
		return;
	for (size_t i = 0; i < command->n_dsts; i++) {
		size_t n = fitting_sources(command, &command->dsts[i]);

		if (n == 0)
			continue;
		ambiguous |= n > 1;
		command->dsts[kept++] = command->dsts[i];
	}
	command->n_dsts = kept;
	if (kept == 0)
		keys_error(p, p->at[KEYS_DST], "key-family",
			"No match for destination IP address: the source is of another family");
	else if (ambiguous)
		conf_warning(p->diags, p->at[KEYS_SRC], "key-ambiguous",
			"source name has several addresses, any source is taken");
}

static void check_addresses(struct keys_parser *p)
{
	const struct keys_command *command = p->command;

	for (size_t i = 0; i < command->n_dsts; i++)
		if (address_is_unspecified(&command->dsts[i])) {
			keys_error(p, p->at[KEYS_DST], "key-address",
				"the destination is the unspecified address");
			return;
		}
	for (size_t i = 0; i < command->n_srcs; i++)
		if (address_is_multicast(&command->srcs[i])) {
			keys_error(p, p->at[KEYS_SRC], "key-address",
				"the source is a multicast address");
			return;
		}
	check_families(p);
}

/* The times of an SA; in the service's file they are all that `update` may change. */
static void check_times_of_use(struct keys_parser *p)
{
	const struct keys_command *command = p->command;
	const struct keys_times *times = &command->times;
	uint64_t named = KEYS_BIT(KEYS_SPI) | KEYS_BIT(KEYS_SRC) | KEYS_BIT(KEYS_DST);
	bool declared = p->in->place == KEYS_OF_SERVICE && command->verb == KEYS_UPDATE;

	if (declared && (command->given & ~(named | KEYS_TIME_BITS) ||
				!(command->given & KEYS_TIME_BITS))) {
		keys_error(p, command->at, "key-command",
			"update changes nothing but times in the file of the manual-key service");
		return;
	}
	if (command->verb == KEYS_UPDATE_PAIR && command->given & KEYS_TIME_BITS)
		keys_error(
			p, command->at, "key-unfit", "Don't use times for '%s' command", p->verb);
	if (!keys_times_stand(times))
		keys_error(p,
			place_of(p, times->receive_until ? KEYS_RECEIVE_UNTIL : KEYS_SEND_UNTIL),
			"key-time",
			"send_from, send_until and receive_until are not in this order");
	else if (times->receive_until && times->receive_until <= p->in->now_sec)
		conf_warning(p->diags, p->at[KEYS_RECEIVE_UNTIL], "key-past",
			"the time of this SA is over, its lines can go");
}

void keys_check_command(struct keys_parser *p)
{
	struct keys_command *command = p->command;

	check_needed(p);
	check_addresses(p);
	if (command->verb == KEYS_ADD || command->verb == KEYS_UPDATE ||
		command->verb == KEYS_UPDATE_PAIR) {
		check_algorithms(p);
		check_lifetimes(p);
		check_natt(p);
		check_tunnel(p);
		check_padding(p, command);
		check_times_of_use(p);
	}
	if (!command->failed)
		sa_normalise(command->sa);
}
