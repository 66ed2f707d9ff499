/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_own_load.h"

#include <errno.h>
#include <stdlib.h>

#include "common/marks.h"
#include "services/datapath/steer/nft_set.h"
#include "services/datapath/steer/steer_intra.h"

typedef char name_text[STEER_NAME_MAX];

/* Everything of one loading has this number in its name. */
static int name_of(name_text ret_name, const struct loading *loading, const char *part)
{
	return text_fixed(ret_name, STEER_NAME_MAX, OWN_PREFIX "%u-%s",
		loading->former->own_serial + 1, part);
}

static int name_numbered(
	name_text ret_name, const struct loading *loading, const char *part, size_t number)
{
	return text_fixed(ret_name, STEER_NAME_MAX, OWN_PREFIX "%u-%s%zu",
		loading->former->own_serial + 1, part, number);
}

/* Where the lines outbound lead. */
static int add_marks(struct loading *loading, const struct steer_own *own, name_text *targets)
{
	int r = text_copy(targets[OWN_DROP], STEER_NAME_MAX, steer_rules_target(STEER_DROP));

	for (size_t i = 0; i < own->out.lines.count && r == 0; i++) {
		uint32_t effect = own->out.lines.effects[i];

		if (effect < OWN_ACTION || targets[effect][0] != '\0')
			continue;
		r = name_numbered(targets[effect], loading, "as", effect - OWN_ACTION);
		if (r == 0)
			steer_intra_mark(
				loading->batch, targets[effect], (uint8_t)(effect - OWN_ACTION));
	}
	return r;
}

static int add_out(struct loading *loading, const struct steer_own *own, const char *chain)
{
	CLEANUP(freep) name_text *targets = calloc(OWN_OUT_EFFECTS, sizeof(*targets));
	int r = targets ? add_marks(loading, own, targets) : -ENOMEM;

	return r < 0 ? r
		     : steer_side_add(loading, &(struct side){ .lines = &own->out.lines,
						       .plan = own->out.plan,
						       .chain = chain,
						       .outbound = true,
						       .targets = targets });
}

/* Both ends have to be ours; what is not is judged like any other packet. */
static int add_gates(struct loading *loading, const struct steer_own *own, const char *lines,
	struct own_chains *chains)
{
	const struct steer_side *const gates[] = { &own->to, &own->from };
	static const char *const names[] = { "to", "from" };
	name_text targets[1], chain;
	int r = text_copy(targets[0], STEER_NAME_MAX, lines);

	for (size_t i = 0; i < ARRAY_SIZE(gates) && r == 0; i++) {
		r = name_of(chain, loading, names[i]);
		if (r == 0)
			r = steer_side_add(loading, &(struct side){ .lines = &gates[i]->lines,
							    .plan = gates[i]->plan,
							    .chain = chain,
							    .then = chains->out_chain,
							    .outbound = true,
							    .targets = targets });
		if (r == 0)
			r = text_copy(targets[0], STEER_NAME_MAX, chain);
	}
	if (r == 0)
		r = name_of(chains->own_out, loading, "out");
	if (r == 0)
		steer_intra_enter_out(loading->batch, chains->own_out, targets[0]);
	return r;
}

static int add_models(struct loading *loading, const struct steer_program *program,
	const struct steer_own *own, name_text *targets)
{
	int r = 0;

	for (size_t i = 0; i < own->n_models && r == 0; i++) {
		r = name_numbered(targets[i], loading, "is", i);
		if (r == 0)
			steer_intra_alternatives(loading->batch, targets[i], program,
				&own->in.lines.lines[own->models[i]]);
		if (r == 0)
			r = loading_commit_when_full(loading);
	}
	return r;
}

static int add_in(struct loading *loading, const struct steer_program *program,
	const struct steer_own *own, struct own_chains *chains)
{
	CLEANUP(freep) name_text *targets = calloc(own->n_models + 1, sizeof(*targets));
	name_text lines;
	int r = targets ? add_models(loading, program, own, targets) : -ENOMEM;

	if (r == 0)
		r = name_of(lines, loading, "lines");
	if (r == 0)
		r = steer_side_add(loading, &(struct side){ .lines = &own->in.lines,
						    .plan = own->in.plan,
						    .chain = lines,
						    .then = STEER_CHAIN_GOT_SECURE,
						    .targets = targets,
						    .uncounted = true });
	if (r == 0)
		r = name_of(chains->own_in, loading, "in");
	if (r == 0)
		steer_intra_enter_in(loading->batch, chains->own_in, chains->in_chain, lines);
	return r;
}

int steer_own_add(struct loading *loading, const struct steer_program *program,
	const struct steer_own *own, struct own_chains *chains)
{
	name_text lines;
	int r = name_of(lines, loading, "outs");

	if (r == 0)
		r = add_out(loading, own, lines);
	if (r == 0)
		r = add_gates(loading, own, lines, chains);
	return r < 0 ? r : add_in(loading, program, own, chains);
}

void steer_own_retire(struct loading *loading)
{
	const struct former *former = loading->former;

	/* Maps hold chains and rules hold maps, so the rules go first. */
	for (size_t i = 0; i < former->n_own_chains; i++)
		nft_chain_flush(loading->batch, former->own_chains[i]);
	for (size_t i = 0; i < former->n_own_maps; i++)
		nft_map_delete(loading->batch, former->own_maps[i]);
	for (size_t i = former->n_own_chains; i > 0; i--)
		nft_chain_delete(loading->batch, former->own_chains[i - 1]);
}
