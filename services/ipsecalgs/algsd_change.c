/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/ipsecalgs/algsd_change.h"

#include <string.h>

DEFINE_CLEANUP(struct ipsecalgs *, ipsecalgs_free)

bool algs_operation_find(const char *name, enum algs_operation *ret_operation)
{
	static const char *const names[] = {
		[ALGS_ADD_ALGORITHM] = "add-algorithm",
		[ALGS_ADD_PROTOCOL] = "add-protocol",
		[ALGS_REMOVE_ALGORITHM] = "remove-algorithm",
		[ALGS_REMOVE_PROTOCOL] = "remove-protocol",
		[ALGS_SET_MODE] = "set-mode",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		*ret_operation = (enum algs_operation)i;
		return true;
	}
	return false;
}

static enum algs_change_verdict invalid(struct text *why, const char *text)
{
	text_add(why, text);
	return ALGS_CHANGE_INVALID;
}

static enum algs_change_verdict verdict_of(enum ipsecalgs_answer answer, struct text *why)
{
	text_add(why, ipsecalgs_answer_text(answer));
	switch (answer) {
	case IPSECALGS_CHANGED:
		return ALGS_CHANGE_MADE;
	case IPSECALGS_SAME:
		return ALGS_CHANGE_NONE;
	case IPSECALGS_ALG_EXISTS:
	case IPSECALGS_PROTO_EXISTS:
		return ALGS_CHANGE_EXISTS;
	case IPSECALGS_NO_PROTO:
	case IPSECALGS_NO_ALG:
		return ALGS_CHANGE_UNKNOWN;
	case IPSECALGS_NO_MEMORY:
		break;
	}
	return ALGS_CHANGE_NO_MEMORY;
}

static bool parse_mode(const char *name, enum ipsecalgs_mode *ret)
{
	static const enum ipsecalgs_mode modes[] = { IPSECALGS_SYNC, IPSECALGS_ASYNC };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (strcmp(ipsecalgs_mode_name(modes[i]), name) == 0) {
			*ret = modes[i];
			return true;
		}
	}
	return false;
}

/* The protocol that is meant, by name or by number; 0: the table has none such. */
static unsigned int proto_of(const struct ipsecalgs *table, const struct algs_change *change)
{
	const struct ipsecalgs_proto *proto =
		change->protocol ? ipsecalgs_find_proto_name(table, change->protocol)
				 : ipsecalgs_find_proto(table, change->protocol_number);

	return proto ? proto->number : 0;
}

static void first_problem(const struct ipsecalgs_problem *problem, void *userdata)
{
	struct text *why = userdata;

	if (problem->fatal && why->len == 0)
		text_add(why, problem->text);
}

/* Read by the parser of the file, so that what is taken can be read back. */
static enum algs_change_verdict add_algorithm(struct ipsecalgs *table,
	const struct algs_change *change, unsigned int proto, struct text *why)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *parsed = NULL;
	CLEANUP(text_done) struct text source = { 0 };
	struct ipsecalgs_alg *alg;

	if (!change->entry || strchr(change->entry, '\n'))
		return invalid(why, "an entry of one line is needed");
	text_addf(&source, "PROTO|%u|-|sync\nALG|%u|%s\n", proto, proto, change->entry);
	if (source.failed)
		return ALGS_CHANGE_NO_MEMORY;
	if (ipsecalgs_parse(source.str, source.len, first_problem, why, &parsed) < 0)
		return why->len ? ALGS_CHANGE_INVALID : ALGS_CHANGE_NO_MEMORY;
	alg = &parsed->items[1].alg; /* behind its protocol */
	return verdict_of(ipsecalgs_add_alg(table, alg, change->force), why);
}

static enum algs_change_verdict add_protocol(
	struct ipsecalgs *table, const struct algs_change *change, struct text *why)
{
	CLEANUP(freep) char *name = NULL;
	struct ipsecalgs_proto proto = { .number = change->protocol_number };

	if (!change->protocol || !change->protocol_number)
		return invalid(why, "a protocol needs both a name and a number");
	if (change->protocol_number > IPSECALGS_NUMBER_MAX)
		return invalid(why, "Invalid protocol number value");
	for (const char *c = change->protocol; *c || c == change->protocol; c++) {
		if (*c <= ' ' || *c > '~' || *c == '|')
			return invalid(why, "Invalid protocol name");
	}
	if (change->mode && !parse_mode(change->mode, &proto.mode))
		return invalid(why, "Invalid execution mode");
	name = strdup(change->protocol);
	if (!name)
		return ALGS_CHANGE_NO_MEMORY;
	proto.name = name;
	return verdict_of(ipsecalgs_add_proto(table, &proto, change->force), why);
}

static enum algs_change_verdict remove_algorithm(struct ipsecalgs *table,
	const struct algs_change *change, unsigned int proto, struct text *why)
{
	unsigned int number = change->number;

	if (!change->name == !change->number)
		return invalid(why, "either a name or a number of the algorithm is needed");
	if (change->name) {
		const struct ipsecalgs_alg *alg = ipsecalgs_find_name(table, proto, change->name);

		if (!alg)
			return verdict_of(IPSECALGS_NO_ALG, why);
		number = alg->number;
	}
	return verdict_of(ipsecalgs_remove_alg(table, proto, number), why);
}

static enum algs_change_verdict set_mode(struct ipsecalgs *table, const struct algs_change *change,
	unsigned int proto, struct text *why)
{
	enum ipsecalgs_mode mode;

	if (!change->mode || !parse_mode(change->mode, &mode))
		return invalid(why, "Invalid execution mode");
	return verdict_of(ipsecalgs_set_mode(table, proto, mode), why);
}

enum algs_change_verdict algs_change_apply(
	struct ipsecalgs *table, const struct algs_change *change, struct text *why)
{
	unsigned int proto;

	if (change->operation == ALGS_ADD_PROTOCOL)
		return add_protocol(table, change, why);
	if (!change->protocol == !change->protocol_number)
		return invalid(why, "either a name or a number of the protocol is needed");
	proto = proto_of(table, change);
	if (proto == 0)
		return verdict_of(IPSECALGS_NO_PROTO, why);
	switch (change->operation) {
	case ALGS_ADD_ALGORITHM:
		return add_algorithm(table, change, proto, why);
	case ALGS_REMOVE_ALGORITHM:
		return remove_algorithm(table, change, proto, why);
	case ALGS_REMOVE_PROTOCOL:
		return verdict_of(ipsecalgs_remove_proto(table, proto), why);
	case ALGS_SET_MODE:
		return set_mode(table, change, proto, why);
	case ALGS_ADD_PROTOCOL:
		break; /* done above */
	}
	return invalid(why, "no such operation");
}
