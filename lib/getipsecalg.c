/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The look-ups of getipsecalgbyname(3): answers are copies, made under the lock of the cache. */
#include "lib/netipsec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/registry.h"

#define PUBLIC __attribute__((visibility("default")))

#define NO_MECHANISM "-"

PUBLIC void freeipsecalgent(struct ipsecalgent *entry)
{
	if (!entry)
		return;
	for (size_t i = 0; entry->a_names && entry->a_names[i]; i++)
		free(entry->a_names[i]);
	free(entry->a_names);
	free(entry->a_mech_name);
	free(entry->a_block_sizes);
	free(entry->a_key_sizes);
	free(entry->a_mech_params);
	free(entry);
}

static char **copy_names(const struct ipsecalgs_alg *alg)
{
	char **names = calloc(alg->n_names + 1, sizeof(*names));

	for (size_t i = 0; names && i < alg->n_names; i++) {
		names[i] = strdup(alg->names[i]);
		if (names[i])
			continue;
		while (i > 0)
			free(names[--i]);
		free(names);
		return NULL;
	}
	return names;
}

static int *copy_sizes(const unsigned int *sizes, size_t count)
{
	int *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return NULL;
	for (size_t i = 0; i < count; i++)
		copy[i] = (int)sizes[i];
	return copy;
}

/* NULL: no memory. */
static struct ipsecalgent *copy_entry(const struct ipsecalgs_alg *alg)
{
	struct ipsecalgent *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->a_names = copy_names(alg);
	entry->a_proto_num = (int)alg->proto;
	entry->a_alg_num = (int)alg->number;
	entry->a_mech_name = strdup(alg->mechanism ? alg->mechanism : NO_MECHANISM);
	entry->a_block_sizes = copy_sizes(alg->block_sizes, alg->n_block_sizes);
	entry->a_key_sizes = copy_sizes(alg->key_sizes, alg->n_key_sizes);
	entry->a_key_increment = (int)alg->key_increment;
	entry->a_mech_params = copy_sizes(alg->params, IPSECALGS_PARAMS);
	entry->a_alg_flags = (int)alg->flags;
	if (!entry->a_names || !entry->a_mech_name || !entry->a_block_sizes ||
		!entry->a_key_sizes || !entry->a_mech_params) {
		freeipsecalgent(entry);
		return NULL;
	}
	return entry;
}

/* By name, or by number when that is NULL. */
static struct ipsecalgent *look_up(const char *name, int num, int proto, int *ret_error)
{
	struct ipsecalgent *entry = NULL;
	const struct ipsecalgs_alg *alg = NULL;
	const struct ipsecalgs *table;
	int error = registry_lock(&table);

	if (error == 0 && (proto < 0 || !ipsecalgs_find_proto(table, (unsigned int)proto)))
		error = EINVAL;
	if (error == 0 && name)
		alg = ipsecalgs_find_name(table, (unsigned int)proto, name);
	else if (error == 0 && num >= 0)
		alg = ipsecalgs_find_alg(table, (unsigned int)proto, (unsigned int)num);
	if (error == 0 && !alg)
		error = ENOENT;
	if (error == 0) {
		entry = copy_entry(alg);
		error = entry ? 0 : ENOMEM;
	}
	registry_unlock();
	if (ret_error)
		*ret_error = error;
	return entry;
}

PUBLIC struct ipsecalgent *getipsecalgbyname(const char *name, int proto, int *errp)
{
	if (name)
		return look_up(name, 0, proto, errp);
	if (errp)
		*errp = EFAULT;
	return NULL;
}

PUBLIC struct ipsecalgent *getipsecalgbynum(int num, int proto, int *errp)
{
	return look_up(NULL, num, proto, errp);
}

PUBLIC int getipsecprotobyname(const char *name)
{
	const struct ipsecalgs_proto *proto = NULL;
	const struct ipsecalgs *table;
	int number;

	if (!name)
		return -1;
	if (registry_lock(&table) == 0)
		proto = ipsecalgs_find_proto_name(table, name);
	number = proto ? (int)proto->number : -1;
	registry_unlock();
	return number;
}

PUBLIC char *getipsecprotobynum(int num)
{
	const struct ipsecalgs_proto *proto = NULL;
	const struct ipsecalgs *table;
	char *name;

	if (registry_lock(&table) == 0 && num >= 0)
		proto = ipsecalgs_find_proto(table, (unsigned int)num);
	name = proto ? strdup(proto->name) : NULL;
	registry_unlock();
	return name;
}
