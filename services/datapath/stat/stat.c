/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecstat(8): counters, SAs and rules of the datapath. */
#include "services/datapath/stat/stat.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

static const char usage_text[] =
	"usage: ipsecstat [-a] [--json]     packets by what became of them; -a: zeros too\n"
	"       ipsecstat --sas [--json]    security associations, without keys\n"
	"       ipsecstat --rules [--json]  rules in force, with what they decided\n"
	"       ipsecstat --tunnels [--json]  tunnels and their packets\n"
	"       ipsecstat --help | --version\n"
	"options: --bus ADDRESS|system\n";

enum { OPT_SAS = 256, OPT_RULES, OPT_TUNNELS, OPT_JSON, OPT_BUS, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "sas", no_argument, NULL, OPT_SAS },
	{ "rules", no_argument, NULL, OPT_RULES },
	{ "tunnels", no_argument, NULL, OPT_TUNNELS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "bus", required_argument, NULL, OPT_BUS },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

/* Return: 1 to go on, 0 when everything is said, negative after a mistake in the arguments. */
static int parse_options(int argc, char **argv, struct stat_request *request)
{
	unsigned int topics = 0;
	int c;

	while ((c = getopt_long(argc, argv, "a", long_options, NULL)) != -1) {
		switch (c) {
		case 'a':
			request->all = true;
			break;
		case OPT_SAS:
		case OPT_RULES:
		case OPT_TUNNELS:
			request->topic = c == OPT_SAS	  ? STAT_SAS
					 : c == OPT_RULES ? STAT_RULES
							  : STAT_TUNNELS;
			topics++;
			break;
		case OPT_JSON:
			request->json = true;
			break;
		case OPT_BUS:
			request->bus = optarg;
			break;
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
	if (optind < argc || topics > 1) {
		fputs(usage_text, stderr);
		return -EINVAL;
	}
	return 1;
}

static int complain(int result, const struct bus_error *error)
{
	fprintf(stderr, "ipsecstat: ipsec-datapath.service: %s\n",
		error->message ? error->message : strerror(-result));
	return result;
}

static int counters(struct bus *bus, const struct stat_request *request)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	struct stat_counter list[VERDICT_COUNT];
	size_t count = 0;
	int r = stat_fetch_counters(bus, list, &count, &error);

	return r < 0 ? complain(r, &error) : stat_show_counters(list, count, request);
}

static int listing(struct bus *bus, const struct stat_request *request)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(freep) char *text = NULL;
	struct json_object *parsed;
	int r = stat_fetch_listing(
		bus, request->topic == STAT_SAS ? "DumpSas" : "ListRules", &text, &error);

	if (r < 0)
		return complain(r, &error);
	if (request->json && request->topic != STAT_TUNNELS) {
		fputs(text, stdout);
		return 0;
	}
	parsed = json_tokener_parse(text);
	if (!parsed)
		return complain(-EBADMSG, &error);
	if (request->topic == STAT_SAS)
		r = stat_show_sas(parsed);
	else if (request->topic == STAT_RULES)
		r = stat_show_rules(parsed);
	else
		r = stat_show_tunnels(parsed, request);
	(void)json_object_put(parsed);
	return r;
}

int main(int argc, char **argv)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	struct stat_request request = { .bus = "system" };
	int r = parse_options(argc, argv, &request);

	if (r <= 0)
		return r < 0 ? 2 : EXIT_SUCCESS;
	r = bus_open(NULL, request.bus, NULL, NULL, &bus, &error);
	if (r < 0)
		(void)complain(r, &error);
	else
		r = request.topic == STAT_COUNTERS ? counters(bus, &request)
						   : listing(bus, &request);
	if (fflush(stdout) == EOF && r == 0)
		r = -errno;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
