/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecstat(8): counters, SAs and rules of the datapath. */
#include "services/datapath/stat/stat.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 64

static const char usage_text[] =
	"usage: ipsecstat [-a] [--json]     packets by what became of them; -a: zeros too\n"
	"       ipsecstat --sas [--json]    security associations, without keys\n"
	"       ipsecstat --forecast [-a] [--json]  when limits of SAs run out; -a: all limits\n"
	"       ipsecstat --rules [--json]  rules in force, with what they decided\n"
	"       ipsecstat --tunnels [--json]  tunnels and their packets\n"
	"       ipsecstat --tunables [--json]  tunables, their defaults and ranges\n"
	"       ipsecstat --set NAME=VALUE...  set tunables until the next reload or restart\n"
	"       ipsecstat --openmetrics     counters, rules and SAs for a collector\n"
	"       ipsecstat drops [--follow] [--json]  packets dropped of late, and why\n"
	"       ipsecstat --help | --version\n"
	"options: --bus ADDRESS|system\n";

enum {
	OPT_SAS = 256,
	OPT_FORECAST,
	OPT_RULES,
	OPT_TUNNELS,
	OPT_TUNABLES,
	OPT_OPENMETRICS,
	OPT_DROPS,
	OPT_FOLLOW,
	OPT_SET,
	OPT_JSON,
	OPT_BUS,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "sas", no_argument, NULL, OPT_SAS },
	{ "forecast", no_argument, NULL, OPT_FORECAST },
	{ "rules", no_argument, NULL, OPT_RULES },
	{ "tunnels", no_argument, NULL, OPT_TUNNELS },
	{ "tunables", no_argument, NULL, OPT_TUNABLES },
	{ "openmetrics", no_argument, NULL, OPT_OPENMETRICS },
	{ "follow", no_argument, NULL, OPT_FOLLOW },
	{ "set", required_argument, NULL, OPT_SET },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "bus", required_argument, NULL, OPT_BUS },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

/* What is asked for, as an option or as a word; how it is fetched. */
enum topic {
	STAT_SAS,
	STAT_FORECAST,
	STAT_RULES,
	STAT_TUNNELS,
	STAT_TUNABLES,
	STAT_DROPS,
	STAT_OPENMETRICS
};
static const struct stat_topic {
	const char *word;
	int option;
	enum topic topic;
	const char *method;
} topics[] = {
	{ "sas", OPT_SAS, STAT_SAS, "DumpSas" },
	{ "forecast", OPT_FORECAST, STAT_FORECAST, "DumpSas" },
	{ "rules", OPT_RULES, STAT_RULES, "ListRules" },
	{ "tunnels", OPT_TUNNELS, STAT_TUNNELS, "ListTunnels" },
	{ "tunables", OPT_TUNABLES, STAT_TUNABLES, "ListTunables" },
	{ "openmetrics", OPT_OPENMETRICS, STAT_OPENMETRICS, NULL },
	{ "drops", OPT_DROPS, STAT_DROPS, NULL },
};

static const struct stat_topic *topic_of_option(int option)
{
	for (size_t i = 0; i < ARRAY_SIZE(topics); i++)
		if (topics[i].option == option)
			return &topics[i];
	return NULL;
}

static const struct stat_topic *topic_of_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(topics); i++)
		if (strcmp(topics[i].word, word) == 0)
			return &topics[i];
	return NULL;
}

static int usage(void)
{
	fputs(usage_text, stderr);
	return -EINVAL;
}

/* Return: as parse_options(). */
static int parse_option(int c, struct stat_request *request)
{
	const struct stat_topic *topic = topic_of_option(c);

	if (topic) {
		if (request->topic)
			return usage();
		request->topic = topic;
		return 1;
	}
	switch (c) {
	case 'a':
		request->all = true;
		return 1;
	case OPT_FOLLOW:
		request->follow = true;
		return 1;
	case OPT_SET:
		if (request->n_settings == STAT_MAX_SETTINGS)
			return usage();
		request->settings[request->n_settings++] = optarg;
		return 1;
	case OPT_JSON:
		request->json = true;
		return 1;
	case OPT_BUS:
		request->bus = optarg;
		return 1;
	case OPT_HELP:
		fputs(usage_text, stdout);
		return 0;
	case OPT_VERSION:
		puts("ipsecstat (netipsec) " NETIPSEC_VERSION);
		return 0;
	default:
		return -EINVAL;
	}
}

/* Return: 1 to go on, 0 when everything is said, negative after a mistake in the arguments. */
static int parse_options(int argc, char **argv, struct stat_request *request)
{
	int c, r = 1;

	while (r == 1 && (c = getopt_long(argc, argv, "a", long_options, NULL)) != -1)
		r = parse_option(c, request);
	if (r != 1)
		return r;
	/* More assignments may follow the first one. */
	while (request->n_settings && optind < argc && request->n_settings < STAT_MAX_SETTINGS)
		request->settings[request->n_settings++] = argv[optind++];
	if (optind < argc && !request->topic && !request->n_settings) {
		request->topic = topic_of_word(argv[optind++]);
		if (!request->topic)
			return usage();
	}
	if (optind < argc)
		return usage();
	if ((request->n_settings && request->topic) ||
		(request->follow && (!request->topic || request->topic->topic != STAT_DROPS)))
		return usage();
	return 1;
}

static int counters(
	struct bus *bus, const struct stat_request *request, struct bus_error *ret_error)
{
	CLEANUP(freep) struct stat_counter *list = calloc(VERDICT_COUNT, sizeof(*list));
	size_t count = 0;
	int r = list ? stat_fetch_counters(bus, list, &count, ret_error) : -ENOMEM;

	return r < 0 ? r : stat_show_counters(list, count, request);
}

static int show(struct json_object *listing, const struct stat_request *request)
{
	switch (request->topic->topic) {
	case STAT_SAS:
		return stat_show_sas(listing);
	case STAT_FORECAST:
		return stat_show_forecast(listing, request);
	case STAT_RULES:
		return stat_show_rules(listing);
	case STAT_TUNNELS:
		return stat_show_tunnels(listing, request);
	case STAT_TUNABLES:
		return stat_show_tunables(listing);
	case STAT_DROPS:
	case STAT_OPENMETRICS:
		break;
	}
	return -EINVAL;
}

static int listing(struct bus *bus, const struct stat_request *request, struct bus_error *ret_error)
{
	CLEANUP(freep) char *text = NULL;
	struct json_object *parsed;
	int r = stat_fetch_listing(bus, request->topic->method, &text, ret_error);

	if (r < 0)
		return r;
	if (request->json && request->topic->topic != STAT_TUNNELS &&
		request->topic->topic != STAT_FORECAST) {
		fputs(text, stdout);
		return 0;
	}
	parsed = json_tokener_parse(text);
	if (!parsed)
		return -EBADMSG;
	r = show(parsed, request);
	(void)json_object_put(parsed);
	return r;
}

/* In their order, up to the first that is refused. */
static int set_all(struct bus *bus, const struct stat_request *request, struct bus_error *ret_error)
{
	int r = 0;

	for (size_t i = 0; i < request->n_settings && r == 0; i++) {
		char name[NAME_MAX_BYTES];
		uint64_t value;

		r = stat_parse_assignment(request->settings[i], name, sizeof(name), &value);
		if (r == 0)
			r = stat_set_tunable(bus, name, value, ret_error);
	}
	return r;
}

/* Before anything is asked: nothing is set when one of several cannot be meant. */
static int check_settings(const struct stat_request *request)
{
	char name[NAME_MAX_BYTES];
	uint64_t value;

	for (size_t i = 0; i < request->n_settings; i++) {
		if (stat_parse_assignment(request->settings[i], name, sizeof(name), &value) == 0)
			continue;
		fprintf(stderr, "ipsecstat: '%s' is not NAME=VALUE\n", request->settings[i]);
		return -EINVAL;
	}
	return 0;
}

static int run(struct bus *bus, const struct stat_request *request, struct bus_error *ret_error)
{
	if (request->n_settings)
		return set_all(bus, request, ret_error);
	if (!request->topic)
		return counters(bus, request, ret_error);
	if (request->topic->topic == STAT_DROPS)
		return stat_drops(bus, request, ret_error);
	if (request->topic->topic == STAT_OPENMETRICS)
		return stat_openmetrics(bus, ret_error);
	return listing(bus, request, ret_error);
}

int main(int argc, char **argv)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	struct stat_request request = { .bus = "system" };
	int r = parse_options(argc, argv, &request);

	if (r == 1 && check_settings(&request) < 0)
		r = -EINVAL;
	if (r <= 0)
		return r < 0 ? 2 : EXIT_SUCCESS;
	r = bus_open(NULL, request.bus, NULL, NULL, &bus, &error);
	if (r == 0)
		r = run(bus, &request, &error);
	if (r < 0)
		fprintf(stderr, "ipsecstat: ipsec-datapath.service: %s\n",
			error.message ? error.message : strerror(-r));
	if (fflush(stdout) == EOF && r == 0)
		r = -errno;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
