/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecsvc(8): svcadm, svcs, svcprop and svccfg for these services, over the service manager. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/daemon/manager.h"
#include "services/svc/svc.h"

#define EXIT_USAGE   2
#define OPEN_UNIT    "ipsec-open.service" /* runs ipsec-lid --open, and the journal hears of it */
#define MAX_SERVICES 32

static const char usage_text[] =
	"usage: ipsecsvc [status] [--json] [SERVICE...]  how the services are doing\n"
	"       ipsecsvc enable [-t] SERVICE...    start, also at boot; -t: only now\n"
	"       ipsecsvc disable [-t] SERVICE...   stop, and take out of force; -t: only now\n"
	"       ipsecsvc refresh SERVICE...        read the file and the settings again\n"
	"       ipsecsvc restart SERVICE...        start anew; nothing goes out of force\n"
	"       ipsecsvc clear SERVICE...          start what failed, after the repair\n"
	"       ipsecsvc get SERVICE [NAME]        settings that hold\n"
	"       ipsecsvc set SERVICE NAME=VALUE... change settings, and refresh\n"
	"       ipsecsvc open                      lift the lid that a stopped datapath leaves\n"
	"       ipsecsvc --help | --version\n"
	"SERVICE: ipsecalgs policy manual-key ike datapath, with @NAME for a network namespace\n"
	"options: --bus ADDRESS|system\n";

struct request {
	const char *bus;
	bool json, temporary;
	char **words; /* behind the verb */
	size_t n_words;
	struct svc_manager *manager; /* NULL before it is needed */
	const char *user; /* who had the service manager ask; NULL: the caller himself */
};

struct verb {
	const char *name;
	int (*run)(struct request *request, struct text *why);
	bool takes_services; /* at least one */
	int (*each)(struct request *request, const struct svc_service *service, struct text *why);
	bool is_change; /* to be audited */
	bool needs_root; /* the service manager grants the others to whom polkit names */
};

static int usage(void)
{
	(void)fputs(usage_text, stderr);
	return EXIT_USAGE;
}

static int unknown(const char *verb)
{
	(void)fprintf(stderr, "ipsecsvc: there is no verb '%s'\n", verb);
	return usage();
}

static int parse_service(const char *word, struct svc_service *ret, struct text *why)
{
	int r = svc_parse_name(word, ret);

	if (r < 0)
		text_addf(why, "there is no service '%s'", word);
	return r;
}

static int open_manager(struct request *request, struct text *why)
{
	return request->manager ? 0 : svc_manager_open(request->bus, &request->manager, why);
}

/* What a unit says of itself when a job for it failed. */
static void add_status(struct request *request, const struct svc_service *service, struct text *why)
{
	CLEANUP(svc_facts_done) struct svc_facts facts = { 0 };
	CLEANUP(text_done) struct text ignored = { 0 };

	if (svc_manager_ask(request->manager, service, &facts, &ignored) == 0 && *facts.status)
		text_addf(why, ": %s", facts.status);
}

static int job(struct request *request, const char *method, const struct svc_service *service,
	struct text *why)
{
	char unit[SVC_UNIT_MAX];
	int r;

	svc_unit(service, unit);
	r = svc_manager_job(request->manager, method, unit, why);
	if (r == -EIO)
		add_status(request, service, why);
	return r;
}

static int enable(struct request *request, const struct svc_service *service, struct text *why)
{
	char unit[SVC_UNIT_MAX];
	int r = 0;

	svc_unit(service, unit);
	if (!request->temporary)
		r = svc_manager_enable(request->manager, unit, true, why);
	return r < 0 ? r : job(request, "StartUnit", service, why);
}

static int disable(struct request *request, const struct svc_service *service, struct text *why)
{
	char unit[SVC_UNIT_MAX];
	int r = 0;

	svc_unit(service, unit);
	if (!request->temporary)
		r = svc_manager_enable(request->manager, unit, false, why);
	return r < 0 ? r : job(request, "StopUnit", service, why);
}

static int refresh(struct request *request, const struct svc_service *service, struct text *why)
{
	return job(request, "ReloadUnit", service, why);
}

static int restart(struct request *request, const struct svc_service *service, struct text *why)
{
	return job(request, "RestartUnit", service, why);
}

static bool is_in(const struct svc_facts *facts, const char *active)
{
	return facts->active && strcmp(facts->active, active) == 0;
}

/* Out of maintenance; what runs on with a former file reads the present one. */
static int clear(struct request *request, const struct svc_service *service, struct text *why)
{
	CLEANUP(svc_facts_done) struct svc_facts facts = { 0 };
	char unit[SVC_UNIT_MAX];
	int r = svc_manager_ask(request->manager, service, &facts, why);

	if (r < 0)
		return r;
	if (!is_in(&facts, "failed"))
		return is_in(&facts, "active") ? refresh(request, service, why) : 0;
	svc_unit(service, unit);
	r = svc_manager_reset(request->manager, unit, why);
	return r < 0 ? r : job(request, "StartUnit", service, why);
}

static int status(struct request *request, struct text *why)
{
	struct svc_service services[MAX_SERVICES] = { 0 };
	size_t count = 0;
	int r = 0;

	if (request->n_words > MAX_SERVICES) {
		text_add(why, "too many services");
		return -E2BIG;
	}
	for (; count < request->n_words && r == 0; count++)
		r = parse_service(request->words[count], &services[count], why);
	for (; request->n_words == 0 && count < svc_kind_count(); count++)
		services[count].kind = svc_kind_at(count);
	if (r == 0)
		r = open_manager(request, why);
	return r < 0 ? r : svc_status(request->manager, services, count, request->json, why);
}

static int get(struct request *request, struct text *why)
{
	struct svc_service service;
	int r;

	if (request->n_words < 1 || request->n_words > 2)
		return -EINVAL;
	r = parse_service(request->words[0], &service, why);
	return r < 0 ? r : svc_get(&service, request->words[1], why);
}

/* Written at once, in force with the next reading: which is now, if it runs. */
static int set(struct request *request, struct text *why)
{
	CLEANUP(svc_facts_done) struct svc_facts facts = { 0 };
	struct svc_service service;
	int r;

	if (request->n_words < 2)
		return -EINVAL;
	r = parse_service(request->words[0], &service, why);
	if (r == 0)
		r = svc_set(&service, request->words + 1, request->n_words - 1, why);
	if (r == 0)
		r = open_manager(request, why);
	if (r == 0)
		r = svc_manager_ask(request->manager, &service, &facts, why);
	if (r < 0 || !is_in(&facts, "active"))
		return r;
	r = refresh(request, &service, why);
	if (r < 0)
		(void)fputs("ipsecsvc: the settings are written, but not in force:\n", stderr);
	return r;
}

/* Only what nobody serves is lifted: a running datapath would put it back. */
static int open_lid(struct request *request, struct text *why)
{
	static const char *const names[] = { "policy", "datapath" };
	int r = request->n_words > 0 ? -EINVAL : open_manager(request, why);

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		CLEANUP(svc_facts_done) struct svc_facts facts = { 0 };
		struct svc_service service;

		r = svc_parse_name(names[i], &service);
		if (r == 0)
			r = svc_manager_ask(request->manager, &service, &facts, why);
		if (r == 0 && !is_in(&facts, "inactive") && !is_in(&facts, "failed")) {
			text_addf(why, "%s is %s: 'ipsecsvc disable policy datapath' first",
				names[i], facts.active);
			r = -EBUSY;
		}
	}
	return r < 0 ? r : svc_manager_job(request->manager, "StartUnit", OPEN_UNIT, why);
}

static const struct verb verbs[] = {
	{ "status", status, false, NULL, false, false },
	{ "enable", NULL, true, enable, true, true },
	{ "disable", NULL, true, disable, true, true },
	{ "refresh", NULL, true, refresh, true, false },
	{ "restart", NULL, true, restart, true, false },
	{ "clear", NULL, true, clear, true, false },
	{ "get", get, false, NULL, false, false },
	{ "set", set, false, NULL, true, true },
	{ "open", open_lid, false, NULL, true, false },
};

static int report(const char *what, struct text *why, int r)
{
	size_t len = why->str ? strlen(why->str) : 0;

	(void)fprintf(stderr, "ipsecsvc: %s%s%s%s", what ? what : "", what ? ": " : "",
		len ? why->str : strerror(-r), len && why->str[len - 1] == '\n' ? "" : "\n");
	manager_tell(len ? why->str : strerror(-r));
	return EXIT_FAILURE;
}

/* Each of them, whatever became of the others. */
static int run_each(const struct verb *verb, struct request *request)
{
	int worst = EXIT_SUCCESS;

	if (request->n_words == 0)
		return usage();
	for (size_t i = 0; i < request->n_words; i++) {
		CLEANUP(text_done) struct text why = { 0 };
		struct svc_service service;
		int r = parse_service(request->words[i], &service, &why);

		if (r == 0)
			r = open_manager(request, &why);
		if (r == 0)
			r = verb->each(request, &service, &why);
		if (r < 0)
			worst = report(request->words[i], &why, r);
	}
	return worst;
}

static int run_once(const struct verb *verb, struct request *request)
{
	CLEANUP(text_done) struct text why = { 0 };
	int r = verb->run(request, &why);

	if (r == -EINVAL && !why.str)
		return usage();
	return r < 0 ? report(NULL, &why, r) : EXIT_SUCCESS;
}

static int ask_for(const struct verb *verb, struct request *request)
{
	CLEANUP(text_done) struct text why = { 0 };
	int r = request->n_words == 0 ? -EINVAL : open_manager(request, &why);

	if (r == -EINVAL)
		return usage();
	if (r == 0)
		r = svc_request(
			request->manager, verb->name, request->words, request->n_words, &why);
	return r < 0 ? report(request->words[0], &why, r) : EXIT_SUCCESS;
}

static int run_verb(const struct verb *verb, struct request *request)
{
	int code;

	if (verb->needs_root && !request->temporary && svc_request_is_due())
		return ask_for(verb, request);
	code = verb->takes_services ? run_each(verb, request) : run_once(verb, request);
	if (verb->is_change && code != EXIT_USAGE && geteuid() == 0)
		svc_request_audit(request->user, verb->name, request->words, request->n_words,
			code == EXIT_SUCCESS);
	return code;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* ExecStart= of ipsec-request@.service: what somebody else may have root do is what he asks for there. */
static int carry_out(struct request *request)
{
	struct request asked = *request;
	char *words[MAX_SERVICES + 1];
	const struct verb *verb;
	int n, code;

	if (request->n_words != 1 || request->temporary)
		return usage();
	n = svc_request_split(request->words[0], &asked.user, words, ARRAY_SIZE(words));
	verb = n > 0 ? find_verb(words[0]) : NULL;
	if (!verb || !verb->needs_root)
		return usage();
	asked.words = words + 1;
	asked.n_words = (size_t)n - 1;
	code = run_verb(verb, &asked);
	request->manager = asked.manager;
	return code;
}

int main(int argc, char **argv)
{
	enum { OPT_JSON = 256, OPT_BUS, OPT_HELP, OPT_VERSION };
	static const struct option options[] = {
		{ "json", no_argument, NULL, OPT_JSON },
		{ "bus", required_argument, NULL, OPT_BUS },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ 0 },
	};
	struct request request = { .bus = "system" };
	const struct verb *verb;
	const char *word;
	int letter, r;

	while ((letter = getopt_long(argc, argv, "t", options, NULL)) != -1) {
		switch (letter) {
		case 't':
			request.temporary = true;
			break;
		case OPT_JSON:
			request.json = true;
			break;
		case OPT_BUS:
			request.bus = optarg;
			break;
		case OPT_HELP:
			(void)fputs(usage_text, stdout);
			return EXIT_SUCCESS;
		case OPT_VERSION:
			(void)puts("ipsecsvc (netipsec) " NETIPSEC_VERSION);
			return EXIT_SUCCESS;
		default:
			return usage();
		}
	}
	word = optind < argc ? argv[optind] : "status";
	request.words = argv + optind + (optind < argc);
	request.n_words = optind < argc ? (size_t)(argc - optind - 1) : 0;
	verb = find_verb(word);
	if (verb)
		r = run_verb(verb, &request);
	else
		r = strcmp(word, "carry-out") == 0 ? carry_out(&request) : unknown(word);
	(void)svc_manager_free(request.manager);
	return r;
}
