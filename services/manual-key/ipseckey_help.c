/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor and help: the commands that are only for people. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memfd.h"
#include "services/manual-key/ipseckey.h"
#include "services/manual-key/keys_parser.h"
#include "services/manual-key/keys_print.h"
#include "services/manual-key/keys_save.h"

static void print_heard(struct ipseckey *tool, const struct pfkey_message *msg)
{
	const struct request *request = tool->request;
	const struct keys_print_style style = {
		.algs = tool->algs,
		.names = !request->numeric,
		.paranoid = request->paranoid,
		.raw_seconds = request->verbose,
		.now_sec = clock_wall_usec() / USEC_PER_SEC,
	};
	CLEANUP(keys_text_wipe) struct text text = { 0 };
	time_t now = (time_t)style.now_sec;
	struct keys_wire wire;
	struct tm tm;
	char when[64] = "";

	if (localtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%a %b %e %H:%M:%S %Y", &tm);
	wire.bytes = pfkey_client_bytes(tool->client, &wire.len);
	text_addf(&text, "Read %zu bytes.\nTimestamp: %s\n", wire.len, when);
	if (msg)
		keys_print_message(msg, &wire, &style, &text);
	else
		text_add(&text, "The message is not understood.\n");
	text_add_char(&text, '\n');
	if (text.str)
		fputs(text.str, stdout);
	(void)fflush(stdout);
}

static int listen_until(struct ipseckey *tool, int stop_fd)
{
	for (;;) {
		CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
		int r = pfkey_client_hear(tool->client, stop_fd, &msg);

		if (r <= 0)
			return r == 0 ? -EINTR : r;
		print_heard(tool, msg);
	}
}

int ipseckey_monitor(struct ipseckey *tool, bool actively)
{
	CLEANUP(fd_closep) int stop_fd = -1;
	sigset_t interrupt, before;
	int r = pfkey_client_listen(tool->client, actively);

	(void)sigemptyset(&interrupt);
	(void)sigaddset(&interrupt, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &interrupt, &before);
	stop_fd = signalfd(-1, &interrupt, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r == 0 && stop_fd < 0)
		r = -errno;
	if (r == 0) {
		struct signalfd_siginfo taken;

		printf("%s monitoring the PF_KEY socket.\n", actively ? "Actively" : "Passively");
		(void)fflush(stdout);
		r = listen_until(tool, stop_fd);
		if (r == -EINTR && read(stop_fd, &taken, sizeof(taken)) < 0)
			r = -errno;
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (r == -EPERM)
		fputs("ipseckey: Insufficient privileges to open PF_KEY socket.\n", stderr);
	else if (r != -EINTR)
		fprintf(stderr, "ipseckey: PF_KEY: %s\n", strerror(-r));
	tool->client = pfkey_client_free(tool->client); /* a listener is no longer one who asks */
	return r;
}

static void print_keywords(void)
{
	unsigned int n = 0;

	for (const struct keys_keyword *kw = keys_keywords(); kw->name; kw++)
		printf("%-24s%s", kw->name, ++n % 3 == 0 ? "\n" : "");
	printf("%s", n % 3 == 0 ? "" : "\n");
}

int ipseckey_help(const struct keys_command *command, struct conf_diags *diags)
{
	const char *topic = command->argument;
	bool known = !topic;

	if (topic && strcmp(topic, "attr") == 0) {
		print_keywords();
		return 0;
	}
	for (const struct keys_verb_row *row = keys_verbs(); row->name; row++)
		if (!topic || strcmp(topic, row->name) == 0) {
			printf("%-16s %s\n", row->name, row->help);
			known = true;
		}
	return known ? 0
		     : conf_error(diags, command->at, "key-command", "%s: Unknown command", topic);
}
