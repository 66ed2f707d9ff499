/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "services/svc/svc.h"

#define PREFIX "network/ipsec/"

/* In the order in which they build on each other. */
static const struct svc_kind kinds[] = {
	{ "ipsecalgs", "ipsecalgs", "ipsecalgsd", "ipsecalgs.cfg", "Algorithms1",
		"ipsecalgsd --check" },
	{ "policy", "ipsec-policy", "ipsec-policyd", "policy.cfg", "Policy1",
		"ipsecconf -c /etc/inet/ipsecinit.conf" },
	{ "manual-key", "ipsec-manual-key", "ipsec-manual-keyd", "manual-key.cfg", "ManualKey1",
		"ipseckey -c /etc/inet/secret/ipseckeys" },
	{ "ike", "ipsec-ike", "ipsec-iked", "ike.cfg", "Ike1", "ipsec-iked --check" },
	{ "datapath", "ipsec-datapath", "ipsec-datapathd", "datapath.cfg", "Datapath1",
		"ipsec-datapathd --check" },
};

size_t svc_kind_count(void)
{
	return ARRAY_SIZE(kinds);
}

const struct svc_kind *svc_kind_at(size_t i)
{
	return &kinds[i];
}

static const char *skip(const char *word, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(word, prefix, len) == 0 ? word + len : word;
}

static bool equals(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && strncmp(word, name, len) == 0;
}

/* What may be part of a path, of a unit's name and, behind a letter, of a bus name. */
bool svc_is_instance_name(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789_");

	return len > 0 && len < SVC_INSTANCE_MAX && name[len] == '\0';
}

static int take_instance(const char *at, char ret_instance[static SVC_INSTANCE_MAX])
{
	CLEANUP(freep) char *name = strdup(*at ? at + 1 : "");
	size_t len;

	if (!name)
		return -ENOMEM;
	len = strlen(name);
	if (len > strlen(".service") && strcmp(name + len - strlen(".service"), ".service") == 0)
		name[len - strlen(".service")] = '\0';
	if (*at == '\0' || (*at == ':' && strcmp(name, "default") == 0)) {
		ret_instance[0] = '\0';
		return 0;
	}
	if (!svc_is_instance_name(name))
		return -ENOENT;
	return text_copy(ret_instance, SVC_INSTANCE_MAX, name);
}

int svc_parse_name(const char *word, struct svc_service *ret)
{
	struct svc_service service = { 0 };
	size_t len;
	int r;

	word = skip(skip(word, "svc:/"), PREFIX);
	word = skip(word, "ipsec/");
	len = strcspn(word, "@:");
	r = take_instance(word + len, service.instance);
	if (r < 0)
		return r;
	if (word[len] == '\0' && len > strlen(".service") &&
		strcmp(word + len - strlen(".service"), ".service") == 0)
		len -= strlen(".service");
	for (size_t i = 0; i < ARRAY_SIZE(kinds) && !service.kind; i++)
		if (equals(word, len, kinds[i].name) || equals(word, len, kinds[i].unit))
			service.kind = &kinds[i];
	if (!service.kind)
		return -ENOENT;
	*ret = service;
	return 0;
}

void svc_add_fmri(struct text *text, const struct svc_service *service)
{
	text_addf(text, "svc:/" PREFIX "%s:%s", service->kind->name,
		service->instance[0] ? service->instance : "default");
}

void svc_unit(const struct svc_service *service, char ret_unit[static SVC_UNIT_MAX])
{
	/* Names of both kinds are short: it fits. */
	if (text_fixed(ret_unit, SVC_UNIT_MAX, "%s%s%s.service", service->kind->unit,
		    service->instance[0] ? "@" : "", service->instance) < 0)
		ret_unit[0] = '\0';
}

void svc_add_name(struct text *text, const struct svc_service *service)
{
	text_addf(text, "%s%s%s", service->kind->name, service->instance[0] ? "@" : "",
		service->instance);
}
