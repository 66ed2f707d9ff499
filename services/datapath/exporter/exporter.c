/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipsec-exporter(8): answers one HTTP request on standard input, a connection that the service manager
 * took. Whoever asks gets what everybody may know, so that nothing of the request matters but its path.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "services/datapath/stat/stat.h"

#define REQUEST_MAX   3072
#define PATIENCE_USEC (10 * USEC_PER_SEC)
#define METRICS_TYPE  "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TEXT_TYPE     "text/plain; charset=utf-8"

struct answer {
	const char *status, *type, *more; /* static; @more: further header lines */
	struct text body;
	bool headers_only;
};

static bool is_complete(const char *request, size_t len)
{
	return memmem(request, len, "\r\n\r\n", 4) || memmem(request, len, "\n\n", 2);
}

/* The head of the request, ended by a NUL. -ETIMEDOUT, -EMSGSIZE or -ECONNRESET. */
static int read_head(char request[static REQUEST_MAX + 1])
{
	uint64_t end = clock_boot_usec() + PATIENCE_USEC;
	size_t len = 0;

	while (!is_complete(request, len)) {
		struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
		uint64_t now = clock_boot_usec();
		ssize_t n;

		if (len == REQUEST_MAX)
			return -EMSGSIZE;
		if (now >= end || poll(&in, 1, (int)((end - now) / 1000) + 1) == 0)
			return -ETIMEDOUT;
		n = read(STDIN_FILENO, request + len, REQUEST_MAX - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		len += (size_t)n;
	}
	request[len] = '\0';
	return strlen(request) == len ? 0 : -EBADMSG;
}

static void refuse(struct answer *answer, const char *status, const char *text)
{
	answer->status = status;
	answer->type = TEXT_TYPE;
	text_done(&answer->body);
	answer->body = (struct text){ 0 };
	text_addf(&answer->body, "%s\n", text);
}

/* "GET /metrics HTTP/1.1": the path, cut at its query. NULL: it is no request. */
static char *path_of(char *request, char **ret_method)
{
	char *rest = request, *line = strsep(&rest, "\r\n");
	char *method = strsep(&line, " "), *path = strsep(&line, " ");

	if (!path || *path != '/' || !line || strncmp(line, "HTTP/1.", 7) != 0)
		return NULL;
	*ret_method = method;
	return strsep(&path, "?");
}

static void answer_metrics(const char *address, struct answer *answer)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r = bus_open(NULL, address, NULL, NULL, &bus, &error);

	if (r == 0)
		r = stat_collect_metrics(bus, &answer->body, &error);
	if (r == 0)
		return;
	refuse(answer, "503 Service Unavailable", "ipsec-datapath.service does not answer");
	fprintf(stderr, "ipsec-exporter: ipsec-datapath.service: %s\n",
		error.message ? error.message : strerror(-r));
}

static void answer_request(char *request, const char *address, struct answer *answer)
{
	char *method = NULL, *path = path_of(request, &method);

	if (!path) {
		refuse(answer, "400 Bad Request", "this is no HTTP request");
		return;
	}
	answer->headers_only = strcmp(method, "HEAD") == 0;
	if (strcmp(method, "GET") != 0 && !answer->headers_only) {
		answer->more = "Allow: GET, HEAD\r\n";
		refuse(answer, "405 Method Not Allowed", "only GET and HEAD");
	} else if (strcmp(path, "/metrics") == 0) {
		answer->status = "200 OK";
		answer->type = METRICS_TYPE;
		answer_metrics(address, answer);
	} else {
		refuse(answer, "404 Not Found", "the metrics are at /metrics");
	}
}

static int send_answer(const struct answer *answer)
{
	if (answer->body.failed)
		return -ENOMEM;
	printf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: "
	       "close\r\n\r\n",
		answer->status, answer->type, answer->body.len, answer->more);
	if (!answer->headers_only)
		fputs(answer->body.str, stdout);
	return fflush(stdout) == EOF ? -errno : 0;
}

static int serve(const char *address)
{
	char request[REQUEST_MAX + 1];
	struct answer answer = { .more = "" };
	int r = read_head(request);

	if (r == -ECONNRESET)
		return 0; /* somebody only looked whether the port is open */
	if (r == -ETIMEDOUT)
		refuse(&answer, "408 Request Timeout", "the request did not come");
	else if (r < 0)
		refuse(&answer, "400 Bad Request", "this is no HTTP request");
	else
		answer_request(request, address, &answer);
	r = send_answer(&answer);
	text_done(&answer.body);
	return r;
}

static const struct option long_options[] = {
	{ "bus", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int usage(FILE *to)
{
	fputs("usage: ipsec-exporter [--bus ADDRESS]\n", to);
	return to == stdout ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	const char *address = "system";
	int c, r;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == 'b') {
			address = optarg;
		} else if (c == 'h') {
			return usage(stdout);
		} else if (c == 'V') {
			puts("ipsec-exporter (netipsec) " NETIPSEC_VERSION);
			return EXIT_SUCCESS;
		} else {
			return usage(stderr);
		}
	}
	if (optind < argc)
		return usage(stderr);
	r = serve(address);
	if (r < 0)
		fprintf(stderr, "ipsec-exporter: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
