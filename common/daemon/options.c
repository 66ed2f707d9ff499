/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/daemon/daemon.h"
#include "common/daemon/log.h"

/* A row is an option: the parser and --help both walk this table. */
static const struct {
	struct option option;
	const char *argument;
	const char *help;
} rows[] = {
	{ { "config", required_argument, NULL, 'c' }, "FILE",
		"settings, in place of the default file" },
	{ { "bus", required_argument, NULL, 'b' }, "ADDRESS",
		"message bus, or \"system\" (default)" },
	{ { "check", no_argument, NULL, 'n' }, NULL,
		"read the files, report what is wrong, and end" },
	{ { "reload", no_argument, NULL, 'r' }, NULL, "have the running daemon reload, and wait" },
	{ { "settings", no_argument, NULL, 's' }, NULL, "print the settings that hold, and end" },
	{ { "help", no_argument, NULL, 'h' }, NULL, "this text" },
	{ { "version", no_argument, NULL, 'V' }, NULL, "the version" },
};

static void print_help(const struct daemon_identity *identity)
{
	(void)printf("Usage: %s [OPTION]...\n%s\n\n", identity->program, identity->summary);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		(void)printf("  --%s%s%-*s %s\n", rows[i].option.name, rows[i].argument ? "=" : "",
			20 - (int)strlen(rows[i].option.name) - (rows[i].argument ? 1 : 0),
			rows[i].argument ? rows[i].argument : "", rows[i].help);
	(void)printf("\nSettings: %s\n", identity->config);
}

static int usage(const struct daemon_identity *identity, const char *words, const char *what)
{
	(void)fprintf(stderr, "%s: %s%s\nTry '%s --help'.\n", identity->program, words, what,
		identity->program);
	return -EINVAL;
}

static int take(const struct daemon_identity *identity, int letter, const char *word,
	struct daemon_options *options)
{
	enum daemon_action action = letter == 'n'   ? DAEMON_CHECK
				    : letter == 'r' ? DAEMON_RELOAD
						    : DAEMON_SETTINGS;

	switch (letter) {
	case 'c':
		options->config = optarg;
		options->config_given = true;
		return 0;
	case 'b':
		options->bus = optarg;
		return 0;
	case 'n':
	case 'r':
	case 's':
		if (options->action != DAEMON_RUN && options->action != action)
			return usage(identity,
				"--check, --reload and --settings exclude each other", "");
		options->action = action;
		return 0;
	case 'h':
		print_help(identity);
		options->action = DAEMON_EXIT;
		return 0;
	case 'V':
		(void)printf("%s (netipsec) %s\n", identity->program, NETIPSEC_VERSION);
		options->action = DAEMON_EXIT;
		return 0;
	case ':':
		return usage(identity, "an argument is missing behind ", word);
	default:
		return usage(identity, "not an option: ", word);
	}
}

int daemon_options_parse(
	const struct daemon_identity *identity, int argc, char **argv, struct daemon_options *ret)
{
	struct daemon_options options = {
		.config = identity->config, .bus = "system", .identity = identity
	};
	struct option longs[ARRAY_SIZE(rows) + 1] = { 0 };
	int letter, r;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		longs[i] = rows[i].option;
	optind = 0; /* of GNU: begin anew, also when called a second time */
	while (options.action != DAEMON_EXIT) {
		letter = getopt_long(argc, argv, "+:", longs, NULL);
		if (letter < 0)
			break;
		r = take(identity, letter, argv[optind - 1], &options);
		if (r < 0)
			return r;
	}
	if (options.action != DAEMON_EXIT && optind < argc)
		return usage(identity, "takes no arguments but options: ", argv[optind]);
	*ret = options;
	return 0;
}

void daemon_report(const struct daemon_options *options, const struct conf_diags *diags)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (options->action != DAEMON_CHECK && options->action != DAEMON_SETTINGS) {
		log_diags(diags);
		return;
	}
	conf_diags_print(diags, &text);
	if (text.str)
		fputs(text.str, stderr);
}
