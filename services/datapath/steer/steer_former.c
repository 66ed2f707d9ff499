/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_former.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/steer/nft_set.h"

#define SERIAL_MAX 400000000U

void former_done(struct former *former)
{
	free(former->chains);
	free(former->maps);
	free(former->own_chains);
	free(former->own_maps);
	free(former->named);
	free(former->counted);
}

/* Return: the number behind @prefix, as in "out-7" or "in-7-4"; -1: it does not begin so. */
static int64_t number_behind(const char *name, const char *prefix)
{
	const char *digits = name + strlen(prefix);
	uint32_t serial = 0;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return -1;
	for (; *digits >= '0' && *digits <= '9' && serial < SERIAL_MAX; digits++)
		serial = serial * 10 + (uint32_t)(*digits - '0');
	return serial;
}

static int64_t serial_of(const char *name)
{
	int64_t out = number_behind(name, OUT_PREFIX);

	return out >= 0 ? out : number_behind(name, IN_PREFIX);
}

static int add_name(char (**names)[STEER_NAME_MAX], size_t *n, const char *name)
{
	char(*more)[STEER_NAME_MAX] = reallocarray(*names, *n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	*names = more;
	return text_copy(more[(*n)++], STEER_NAME_MAX, name);
}

static int on_chain(const char *name, void *userdata)
{
	struct former *former = userdata;
	int64_t serial = serial_of(name), own = number_behind(name, OWN_PREFIX);

	if (own > former->own_serial)
		former->own_serial = (uint32_t)own;
	if (own >= 0)
		return add_name(&former->own_chains, &former->n_own_chains, name);
	if (serial < 0)
		return 0;
	if (serial > former->serial)
		former->serial = (uint32_t)serial;
	return add_name(&former->chains, &former->n_chains, name);
}

static int on_map(const char *name, void *userdata)
{
	struct former *former = userdata;

	if (number_behind(name, OWN_PREFIX) >= 0)
		return add_name(&former->own_maps, &former->n_own_maps, name);
	return serial_of(name) < 0 ? 0 : add_name(&former->maps, &former->n_maps, name);
}

/* A list that doubles: its room is the power of two at or above its length. */
static int add_count(struct former_count **counts, size_t *n, const struct former_count *count)
{
	if ((*n & (*n - 1)) == 0) {
		struct former_count *more = reallocarray(*counts, *n ? *n * 2 : 1, sizeof(*more));

		if (!more)
			return -ENOMEM;
		*counts = more;
	}
	(*counts)[(*n)++] = *count;
	return 0;
}

static int on_named(const char *name, uint64_t packets, uint64_t bytes, void *userdata)
{
	struct former *former = userdata;
	struct former_count count = { .packets = packets, .bytes = bytes };
	int r;

	if (strlen(name) >= sizeof(count.name))
		return 0; /* not one of ours */
	r = text_copy(count.name, sizeof(count.name), name);
	if (r == 0)
		r = add_count(&former->named, &former->n_named, &count);
	return r < 0 ? r : add_count(&former->counted, &former->n_counted, &count);
}

static int on_element(const char *name, uint64_t packets, uint64_t bytes, void *userdata)
{
	struct former *former = userdata;
	struct former_count count = { .packets = packets, .bytes = bytes };

	if (packets == 0 || text_copy(count.name, sizeof(count.name), name) < 0)
		return 0;
	return add_count(&former->counted, &former->n_counted, &count);
}

static int compare_names(const void *a, const void *b)
{
	const struct former_count *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static void sort_and_sum(struct former_count *counts, size_t *n)
{
	size_t unique = 0;

	if (*n)
		qsort(counts, *n, sizeof(*counts), compare_names);
	for (size_t i = 0; i < *n; i++) {
		if (unique && strcmp(counts[unique - 1].name, counts[i].name) == 0) {
			counts[unique - 1].packets += counts[i].packets;
			counts[unique - 1].bytes += counts[i].bytes;
		} else {
			counts[unique++] = counts[i];
		}
	}
	*n = unique;
}

struct former_count *former_find(struct former_count *counts, size_t n, const char *name)
{
	struct former_count key = { .packets = 0 };

	if (n == 0 || text_copy(key.name, sizeof(key.name), name) < 0)
		return NULL;
	return bsearch(&key, counts, n, sizeof(*counts), compare_names);
}

int former_read(
	struct netlink *nl, const char *table, enum former_counts counts, struct former *former)
{
	int r = nft_list_chains(nl, table, on_chain, former);

	if (r == 0)
		r = nft_list_maps(nl, table, on_map, former);
	if (r < 0 || counts == FORMER_NO_COUNTS)
		return r;
	if (counts == FORMER_COUNTS)
		r = nft_list_counters(nl, table, on_named, former);
	for (size_t i = 0; i < former->n_maps && r == 0 && counts == FORMER_COUNTS; i++)
		r = nft_list_elements(nl, table, former->maps[i], on_element, former);
	for (size_t i = 0; i < former->n_own_maps && r == 0; i++)
		r = nft_list_elements(nl, table, former->own_maps[i], on_element, former);
	sort_and_sum(former->named, &former->n_named);
	sort_and_sum(former->counted, &former->n_counted);
	return r;
}
