/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What SAs policy wants, as PF_KEY proposes it: in ACQUIRE for a packet that waits, plain and
 * extended, and in answer to X_INVERSE_ACQUIRE (kernel-semantics of the original, section 9).
 */
#include <errno.h>
#include <stdlib.h>

#include "services/datapath/pfkey/pfkey_door_parts.h"
#include "services/datapath/pfkey/pfkey_linux.h"

/* What the engine can do for one kind of SA. */
struct means {
	struct pfkey_algorithm rows[PFKEY_MAX_ALGORITHMS];
	size_t n;
};

static void means_of(
	const struct sadb *sadb, enum sa_proto proto, uint8_t alg_proto, struct means *ret)
{
	ret->n = sadb_supported(sadb, proto, alg_proto, ret->rows);
}

/* The key range of an algorithm, cut to what there is. False: not to be had. */
static bool fit(const struct means *means, const struct alg_need *need, struct pfkey_algdesc *ret)
{
	for (size_t i = 0; i < means->n; i++) {
		const struct pfkey_algorithm *row = &means->rows[i];

		if (row->number != need->number)
			continue;
		ret->number = need->number;
		ret->salt_bits = row->salt_bits;
		ret->min_bits = need->min_bits > row->min_bits ? need->min_bits : row->min_bits;
		ret->max_bits = need->max_bits < row->max_bits ? need->max_bits : row->max_bits;
		return ret->min_bits <= ret->max_bits;
	}
	return false;
}

static void limits_of(
	const struct sadb *sadb, bool is_ah, struct sa_limits *soft, struct sa_limits *hard)
{
	soft->bytes = sadb_tunable(sadb, TUNABLE_OF(is_ah, SOFT_BYTES));
	soft->add_sec = sadb_tunable(sadb, TUNABLE_OF(is_ah, SOFT_ADDTIME));
	soft->use_sec = sadb_tunable(sadb, TUNABLE_OF(is_ah, SOFT_USETIME));
	hard->bytes = sadb_tunable(sadb, TUNABLE_OF(is_ah, HARD_BYTES));
	hard->add_sec = sadb_tunable(sadb, TUNABLE_OF(is_ah, HARD_ADDTIME));
	hard->use_sec = sadb_tunable(sadb, TUNABLE_OF(is_ah, HARD_USETIME));
}

static uint8_t replay_of(const struct sadb *sadb, bool is_ah)
{
	uint64_t packets = sadb_tunable(sadb, TUNABLE_OF(is_ah, REPLAY_SIZE));

	return packets > UINT8_MAX ? UINT8_MAX : (uint8_t)packets;
}

struct world {
	struct means ah, esp_auth, esp;
};

static struct world *world_new(const struct sadb *sadb)
{
	struct world *world = calloc(1, sizeof(*world));

	if (world) {
		means_of(sadb, SA_PROTO_AH, ALG_PROTO_AH, &world->ah);
		means_of(sadb, SA_PROTO_ESP, ALG_PROTO_AH, &world->esp_auth);
		means_of(sadb, SA_PROTO_ESP, ALG_PROTO_ESP, &world->esp);
	}
	return world;
}

/* One alternative, for AH or for ESP alone. False: it does not use that, or it is not to be had. */
static bool combine(const struct world *world, const struct action *action, enum sa_proto proto,
	struct pfkey_comb *ret)
{
	struct pfkey_algdesc auth = { 0 }, crypt = { 0 };
	bool ok;

	if (action->kind != ACTION_PROTECT)
		return false;
	if (proto == SA_PROTO_AH) {
		ok = action->has_ah && fit(&world->ah, &action->ah, &auth);
	} else {
		ok = action->has_esp && fit(&world->esp, &action->esp, &crypt);
		if (ok && action->has_esp_auth)
			ok = fit(&world->esp_auth, &action->esp_auth, &auth);
	}
	ret->auth = auth.number;
	ret->auth_min_bits = auth.min_bits;
	ret->auth_max_bits = auth.max_bits;
	ret->encrypt = crypt.number;
	ret->encrypt_min_bits = crypt.min_bits;
	ret->encrypt_max_bits = crypt.max_bits;
	ret->salt_bits = crypt.salt_bits;
	return ok;
}

static int propose(
	const struct sadb *sadb, const struct sadb_acquire *acquire, struct pfkey_message *msg)
{
	const struct rule *rule = acquire->rule;
	bool is_ah = acquire->proto == SA_PROTO_AH;
	struct world *world = world_new(sadb);

	if (!world)
		return -ENOMEM;
	for (size_t i = 0; rule && i < rule->n_actions && msg->n_combs < PFKEY_MAX_COMBS; i++) {
		struct pfkey_comb comb = { 0 };

		if (!combine(world, &rule->actions[i], acquire->proto, &comb))
			continue;
		limits_of(sadb, is_ah, &comb.soft, &comb.hard);
		msg->combs[msg->n_combs++] = comb;
	}
	msg->proposal_replay = replay_of(sadb, is_ah);
	msg->present |= PFKEY_BIT(PFKEY_EXT_PROPOSAL);
	free(world);
	return 0;
}

static bool describe(const struct means *means, const struct alg_need *need, uint8_t satype,
	uint8_t kind, struct pfkey_ecomb *ecomb)
{
	struct pfkey_algdesc *alg = &ecomb->algs[ecomb->n_algs];

	if (!fit(means, need, alg))
		return false;
	alg->satype = satype;
	alg->kind = kind;
	ecomb->n_algs++;
	return true;
}

/* All that one alternative asks for. False: a part of it is not to be had. */
static bool combine_all(
	const struct world *world, const struct action *action, struct pfkey_ecomb *ret)
{
	if (action->kind != ACTION_PROTECT)
		return false;
	if (action->has_ah &&
		!describe(&world->ah, &action->ah, PFKEY_SATYPE_AH, PFKEY_ALGORITHM_AUTH, ret))
		return false;
	if (action->has_esp_auth && !describe(&world->esp_auth, &action->esp_auth, PFKEY_SATYPE_ESP,
					    PFKEY_ALGORITHM_AUTH, ret))
		return false;
	if (action->has_esp &&
		!describe(&world->esp, &action->esp, PFKEY_SATYPE_ESP, PFKEY_ALGORITHM_CRYPT, ret))
		return false;
	return ret->n_algs > 0;
}

static int propose_all(const struct sadb *sadb, const struct rule *rule, struct pfkey_message *msg)
{
	struct pfkey_eprop *eprop = calloc(1, sizeof(*eprop));
	struct world *world = world_new(sadb);

	msg->eprop = eprop;
	if (!eprop || !world) {
		free(world);
		return -ENOMEM;
	}
	for (size_t i = 0; rule && i < rule->n_actions && eprop->n_ecombs < PFKEY_MAX_COMBS; i++) {
		struct pfkey_ecomb ecomb = { 0 };

		if (!combine_all(world, &rule->actions[i], &ecomb))
			continue;
		limits_of(sadb, rule->actions[i].has_ah, &ecomb.soft, &ecomb.hard);
		eprop->ecombs[eprop->n_ecombs++] = ecomb;
	}
	eprop->replay = replay_of(sadb, false);
	msg->present |= PFKEY_BIT(PFKEY_EXT_EPROP);
	free(world);
	return 0;
}

static bool wants_unique(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_actions; i++)
		if (rule->actions[i].unique)
			return true;
	return false;
}

/* The inner addresses are the rule's, whatever packet it was. */
static void tell_inner(struct pfkey_message *msg, const struct sadb_acquire *acquire)
{
	const struct selector *selector = &acquire->rule->selector;
	struct sa *sa = msg->sa;

	sa->mode = SA_MODE_TUNNEL;
	sa->inner_src = selector->local;
	sa->inner_dst = selector->remote;
	sa->inner_protocol = selector->protocol;
	sa->inner_src_port = selector->local_port;
	sa->inner_dst_port = selector->remote_port;
	if (sa->inner_src.addr.family == AF_UNSPEC)
		sa->inner_src.addr = address_any(acquire->flow.local.family);
	if (sa->inner_dst.addr.family == AF_UNSPEC)
		sa->inner_dst.addr = address_any(acquire->flow.remote.family);
	msg->present |= PFKEY_BIT(PFKEY_EXT_INNER_SRC) | PFKEY_BIT(PFKEY_EXT_INNER_DST);
	sa_normalise(sa);
}

/* Ports and protocol only as far as the rule names them; an SA for this flow alone names all. */
static void tell_flow(struct sa *sa, const struct sadb_acquire *acquire)
{
	const struct selector *selector = &acquire->rule->selector;
	bool unique = wants_unique(acquire->rule), ports = acquire->flow.has_ports;

	if (acquire->rule->tunnel[0] != '\0') { /* its selectors are about what is inside */
		sa->protocol = acquire->flow.protocol;
		return;
	}
	sa->protocol = unique ? acquire->flow.protocol : selector->protocol;
	sa->src_port = unique && ports ? acquire->flow.local_port : selector->local_port;
	sa->dst_port = unique && ports ? acquire->flow.remote_port : selector->remote_port;
}

static void tell_ends(struct pfkey_message *msg, const struct sadb_acquire *acquire)
{
	msg->present = PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) | PFKEY_BIT(PFKEY_EXT_ADDRESS_DST);
	msg->sa->src = acquire->src;
	msg->sa->dst = acquire->dst;
	if (acquire->rule && acquire->mode == SA_MODE_TUNNEL)
		tell_inner(msg, acquire);
	else if (acquire->rule)
		tell_flow(msg->sa, acquire);
}

static bool has_extended(const struct pfkey_door *door)
{
	for (const struct pfkey_peer *peer = door->peers; peer; peer = peer->next)
		if (peer->extended && !peer->gone)
			return true;
	return false;
}

/* First for AH and ESP together, to whom that was promised, then for the one that is missing. */
void pfkey_tell_acquire(struct pfkey_door *door, const struct sadb_acquire *acquire)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();

	if (!msg)
		return;
	msg->type = PFKEY_ACQUIRE;
	msg->seq = acquire->seq;
	tell_ends(msg, acquire);
	if (has_extended(door) && propose_all(door->sadb, acquire->rule, msg) == 0)
		pfkey_answer_extended(door, msg);
	msg->present &= ~PFKEY_BIT(PFKEY_EXT_EPROP);
	msg->satype = pfkey_satype_of((int)acquire->proto);
	pfkey_linux_name_policy(door->policies, acquire->rule, msg);
	if (propose(door->sadb, acquire, msg) == 0)
		pfkey_answer_managers(door, msg->satype, msg);
}

void pfkey_door_set_policy(struct pfkey_door *door, pfkey_policy_fn fn, void *userdata)
{
	door->policy = fn;
	door->policy_userdata = userdata;
}

static struct flow flow_of(const struct pfkey_message *msg, bool inner)
{
	const struct sa *sa = msg->sa;
	struct flow flow = { .direction = DIRECTION_OUT,
		.local = inner ? sa->inner_src.addr : sa->src,
		.remote = inner ? sa->inner_dst.addr : sa->dst,
		.protocol = inner ? sa->inner_protocol : sa->protocol,
		.local_port = inner ? sa->inner_src_port : sa->src_port,
		.remote_port = inner ? sa->inner_dst_port : sa->dst_port };

	flow.has_ports = flow.local_port || flow.remote_port;
	return flow;
}

int pfkey_on_inverse_acquire(
	struct pfkey_peer *peer, struct pfkey_message *msg, struct sadb_refusal *refusal)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *answer = pfkey_message_new();
	struct pfkey_door *door = peer->door;
	struct pfkey_policy_query query = { .has_inner = pfkey_has(msg, PFKEY_EXT_INNER_SRC) };
	struct sadb_acquire wanted = { .src = msg->sa->src, .dst = msg->sa->dst };
	int r;

	if (!answer)
		return pfkey_door_refuse(refusal, ENOMEM, PFKEY_DIAG_NONE);
	query.outer = flow_of(msg, false);
	if (query.has_inner)
		query.inner = flow_of(msg, true);
	wanted.rule = door->policy ? door->policy(&query, door->policy_userdata) : NULL;
	if (!wanted.rule)
		return pfkey_door_refuse(refusal, ENOENT, PFKEY_DIAG_NONE);
	wanted.mode = query.tunnel_mode ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT;
	wanted.flow = query.tunnel_mode ? query.inner : query.outer;
	answer->type = msg->type;
	answer->satype = msg->satype;
	answer->seq = msg->seq;
	answer->pid = msg->pid;
	tell_ends(answer, &wanted);
	r = propose_all(door->sadb, wanted.rule, answer);
	if (r < 0)
		return pfkey_door_refuse(refusal, -r, PFKEY_DIAG_NONE);
	pfkey_answer_and_show(peer, answer);
	return 0;
}
