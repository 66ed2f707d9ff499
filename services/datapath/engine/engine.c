/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One worker's engine, and the versions of everything that it reads. */
#include "services/datapath/engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/base/hash.h"
#include "services/datapath/engine/engine_internal.h"

int engine_new(const struct engine_setup *setup, struct engine **ret_engine)
{
	struct engine *engine;

	if (setup->worker >= SAD_MAX_WORKERS || !setup->view || !setup->counters)
		return -EINVAL;
	engine = calloc(1, sizeof(*engine));
	if (!engine)
		return -ENOMEM;
	engine->setup = *setup;
	engine->cache = flow_cache_new();
	if (!engine->cache) {
		free(engine);
		return -ENOMEM;
	}
	*ret_engine = engine;
	return 0;
}

struct engine *engine_free(struct engine *engine)
{
	if (engine)
		(void)flow_cache_free(engine->cache);
	free(engine);
	return NULL;
}

void engine_set_padding(struct engine *engine, enum esp_padding padding)
{
	engine->setup.padding = padding;
}

void engine_set_sync(struct engine *engine, unsigned int protocols)
{
	engine->sync = protocols;
}

void engine_set_path_mtu(struct engine *engine, uint32_t path_mtu)
{
	engine->setup.path_mtu = path_mtu;
}

/* Where a rule's counts are, by its id. */
struct counted_rule {
	uint64_t id;
	size_t index;
};

static int compare_ids(const void *a, const void *b)
{
	const struct counted_rule *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int take_over_list(struct rule *const *rules, struct rule_hits *hits, size_t count,
	struct rule *const *former, const struct rule_hits *former_hits, size_t n_former)
{
	CLEANUP(freep) struct counted_rule *counted = NULL;

	if (n_former == 0)
		return 0;
	counted = calloc(n_former, sizeof(*counted));
	if (!counted)
		return -ENOMEM;
	for (size_t i = 0; i < n_former; i++)
		counted[i] = (struct counted_rule){ former[i]->id, i };
	qsort(counted, n_former, sizeof(*counted), compare_ids);
	for (size_t i = 0; i < count; i++) {
		const struct counted_rule key = { rules[i]->id, 0 };
		const struct counted_rule *found = bsearch(
			&key, counted, n_former, sizeof(*counted), compare_ids);
		const struct rule_hits *from = found ? &former_hits[found->index] : NULL;

		if (!from)
			continue;
		atomic_init(&hits[i].packets,
			atomic_load_explicit(&from->packets, memory_order_relaxed));
		atomic_init(
			&hits[i].bytes, atomic_load_explicit(&from->bytes, memory_order_relaxed));
	}
	return 0;
}

/* Counts of rules that live on. */
static int take_over_hits(struct engine_view *view, const struct engine_view *former)
{
	const struct spd *now = view->spd, *then = former ? former->spd : NULL;
	int r;

	if (!then)
		return 0;
	r = take_over_list(
		now->rules, view->hits, now->count, then->rules, former->hits, then->count);
	return r < 0 ? r
		     : take_over_list(now->audit, view->hits + now->count, now->n_audit,
			       then->audit, former->hits + then->count, then->n_audit);
}

static int compile(struct engine_view *view)
{
	const struct spd *spd = view->spd;
	int r = classifier_new(spd->rules, spd->count, &view->classifier);

	if (r == 0 && spd->n_audit)
		r = classifier_new(spd->audit, spd->n_audit, &view->audit);
	if (r < 0)
		return r;
	view->heads[0] = classifier_head(view->classifier, "");
	for (size_t i = 0; view->tunnels && i < view->tunnels->count; i++) {
		const char *name = view->tunnels->tunnels[i].name;

		view->heads[i + 1] = classifier_head(view->classifier, name);
		view->audit_heads[i] = view->audit ? classifier_head(view->audit, name)
						   : CLASSIFIER_NO_HEAD;
	}
	return 0;
}

int engine_view_new(const struct engine_view_parts *parts, struct engine_view **ret_view)
{
	CLEANUP(engine_view_freep) struct engine_view *view = calloc(1, sizeof(*view));
	struct hash_key version;
	int r;

	if (!view)
		return -ENOMEM;
	view->tunnels = parts->tunnels;
	view->sad = parts->sad;
	view->generation = parts->generation;
	if (parts->spd) {
		view->hits = calloc(
			parts->spd->count + parts->spd->n_audit + 1, sizeof(*view->hits));
		if (!view->hits)
			return -ENOMEM;
		view->spd = parts->spd;
		r = take_over_hits(view, parts->former);
		if (r == 0)
			r = compile(view);
		if (r < 0) {
			view->spd = NULL; /* the caller's still */
			return r;
		}
	}
	hash_key_random(&version);
	view->version = version.k0 | 1; /* the version of an engine that has seen none is 0 */
	*ret_view = STEAL(view);
	return 0;
}

struct engine_view *engine_view_free(struct engine_view *view)
{
	if (!view)
		return NULL;
	(void)classifier_free(view->classifier);
	(void)classifier_free(view->audit);
	if (!view->lent)
		(void)spd_free(view->spd);
	free(view->hits);
	free(view);
	return NULL;
}

void engine_flush_hits(struct engine *engine)
{
	struct rule_hits *hits = engine->hits;

	if (!hits)
		return;
	(void)atomic_fetch_add_explicit(&hits->packets, engine->hit_packets, memory_order_relaxed);
	(void)atomic_fetch_add_explicit(&hits->bytes, engine->hit_bytes, memory_order_relaxed);
	engine->hits = NULL;
	engine->hit_packets = engine->hit_bytes = 0;
}

void engine_hit(struct engine *engine, const struct engine_match *match, size_t len)
{
	struct rule_hits *hits = &engine->view->hits[match->index];

	if (engine->hits != hits)
		engine_flush_hits(engine);
	engine->hits = hits;
	engine->hit_packets++;
	engine->hit_bytes += len;
}

int engine_find_tunnel(
	const struct engine_view *view, const struct address *local, const struct address *remote)
{
	for (size_t i = 0; view->tunnels && i < view->tunnels->count; i++) {
		const struct tunnel *tunnel = &view->tunnels->tunnels[i];

		if (address_equal(&tunnel->src, local) && address_equal(&tunnel->dst, remote))
			return (int)i;
	}
	return ENGINE_HOST;
}

int engine_find_any_source(const struct engine_view *view, const struct address *local)
{
	for (size_t i = 0; view->tunnels && i < view->tunnels->count; i++) {
		const struct tunnel *tunnel = &view->tunnels->tunnels[i];

		if (tunnel->any_source && address_equal(&tunnel->src, local))
			return (int)i;
	}
	return ENGINE_HOST;
}

bool engine_prepare(struct engine *engine, struct sad_entry *entry, struct esp_sa *ret_esp)
{
	*ret_esp = (struct esp_sa){
		.sa = entry->sa,
		.suite = &entry->suite,
		.context = sad_context(entry, engine->setup.worker),
		.run = entry->run,
		.padding = engine->setup.padding,
		.now_usec = engine->now_usec,
		.room = engine_room(engine, entry),
	};
	return ret_esp->context != NULL;
}

void engine_tell_events(struct engine *engine, struct sad_entry *entry, uint32_t before)
{
	uint32_t events = atomic_load_explicit(&entry->run->events, memory_order_acquire);

	if ((events & ~before) == 0)
		return;
	sad_raise(entry);
	if ((events & ~before & SA_EVENT_URGENT) != 0 && engine->setup.on_event)
		engine->setup.on_event(entry, engine->setup.userdata);
}
