/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of ipsecconf and what goes with what; ipsecconf(8), COMBINATIONS. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "services/policy/ipsecconf.h"

enum {
	OPTION_JSON = 256,
	OPTION_TABLE,
	OPTION_PRINT,
	OPTION_BUS,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_FORMAT,
	OPTION_STRICT,
	OPTION_EXTENSIONS,
	OPTION_MIRROR,
};

/* A row is a long option and, if it has one, its letter. */
static const struct {
	struct option option;
	const char *argument;
	const char *help;
} rows[] = {
	/* clang-format off */
	{ { "add",       required_argument, NULL, 'a' }, "FILE", "add the entries of FILE (\"-\": standard input)" },
	{ { "check",     required_argument, NULL, 'c' }, "FILE", "check FILE; needs neither daemon nor privilege" },
	{ { "list",      no_argument,       NULL, 'l' }, NULL,   "list the host's rules in force, in match order" },
	{ { "list-all",  no_argument,       NULL, 'L' }, NULL,   "the same with those of every tunnel" },
	{ { "flush",     no_argument,       NULL, 'f' }, NULL,   "flush the host's policy; with -a, replace it" },
	{ { "flush-all", no_argument,       NULL, 'F' }, NULL,   "flush all policy; with -a, replace it" },
	{ { "interface", required_argument, NULL, 'i' }, "NAME", "only this tunnel's policy, with -l and -f" },
	{ { "numeric",   no_argument,       NULL, 'n' }, NULL,   "list numbers, not names" },
	{ { "quiet",     no_argument,       NULL, 'q' }, NULL,   "no general warnings" },
	{ { "remove",    required_argument, NULL, 'r' }, NULL,   NULL },
	{ { "delete",    required_argument, NULL, 'd' }, NULL,   NULL },
	{ { "print",     no_argument,       NULL, OPTION_PRINT },   NULL, "with -c: print the rules that FILE means" },
	{ { "mirror",    no_argument,       NULL, OPTION_MIRROR },  NULL, "print a file as the peer needs it, ends swapped" },
	{ { "strict",    no_argument,       NULL, OPTION_STRICT },  NULL, "with -c: warnings are errors" },
	{ { "extensions", no_argument,      NULL, OPTION_EXTENSIONS }, NULL, "with -c, --mirror: allow ranges of ports and lists of addresses" },
	{ { "format",    required_argument, NULL, OPTION_FORMAT },  "FORM", "with -c: text, json or sarif" },
	{ { "json",      no_argument,       NULL, OPTION_JSON },    NULL, "with -c, -l, -L: the same as data" },
	{ { "table",     no_argument,       NULL, OPTION_TABLE },   NULL, "with -l, -L: aligned columns with counters" },
	{ { "bus",       required_argument, NULL, OPTION_BUS },     "ADDRESS", "message bus, or \"system\" (default)" },
	{ { "help",      no_argument,       NULL, OPTION_HELP },    NULL, "this text" },
	{ { "version",   no_argument,       NULL, OPTION_VERSION }, NULL, "the version" },
	/* clang-format on */
};

static const char usage_text[] =
	"usage: ipsecconf                                show what was configured\n"
	"       ipsecconf -l [-i tunnel] [-n]            list the rules in force\n"
	"       ipsecconf -L [-n]                        list those of all tunnels, too\n"
	"       ipsecconf -a {file|-} [-q]               add\n"
	"       ipsecconf -c {file|-} [file...]          check only\n"
	"       ipsecconf --mirror [file|-]              print the file that the peer needs\n"
	"       ipsecconf -f [-i tunnel] [-q]            flush the host's or a tunnel's policy\n"
	"       ipsecconf -F [-q]                        flush all policy\n"
	"       ipsecconf {-f|-F} -a {file|-} [-q]       replace in one step\n"
	"       ipsecconf --help | --version\n";

static int usage(const char *why)
{
	(void)fprintf(stderr, "%s%s\nFatal error - exiting.\n", usage_text, why);
	return -EINVAL;
}

static int help(void)
{
	(void)fputs(usage_text, stdout);
	(void)putchar('\n');
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct option *option = &rows[i].option;
		char letters[8] = "    ";

		if (!rows[i].help)
			continue;
		if (option->val < OPTION_JSON &&
			text_fixed(letters, sizeof(letters), "-%c, ", option->val) < 0)
			return -ENAMETOOLONG;
		(void)printf("  %s--%s%c%-*s %s\n", letters, option->name,
			rows[i].argument ? '=' : ' ', 15 - (int)strlen(option->name),
			rows[i].argument ? rows[i].argument : "", rows[i].help);
	}
	(void)puts("\nSee ipsecconf(8) and ipsecinit.conf(5).");
	return 1;
}

/* What was said so far, on the way to a request. */
struct taken {
	struct conf_request request;
	int command; /* the letter: a, c, l, L, or 0 */
	int flush; /* f, F, or 0 */
	bool format; /* --format was given */
};

static bool takes_file(int letter)
{
	return letter == 'a' || letter == 'c';
}

static int take_command(struct taken *t, int letter)
{
	if (t->command)
		return usage(takes_file(t->command) && takes_file(letter)
				     ? "Multiple commands or interface not required."
				     : "Multiple commands specified");
	t->command = letter;
	t->request.file = takes_file(letter) ? optarg : NULL;
	return 0;
}

static int take_flush(struct taken *t, int letter)
{
	if (t->flush)
		return usage("Multiple commands specified");
	t->flush = letter;
	return 0;
}

static int take_interface(struct taken *t)
{
	if (t->request.interface || t->flush == 'F' || t->command == 'L')
		return usage("Interface name already selected");
	if (*optarg == '\0')
		return usage("Invalid interface name.");
	t->request.interface = optarg;
	return 0;
}

static int take_format(struct taken *t)
{
	t->request.sarif = strcmp(optarg, "sarif") == 0;
	t->request.json = strcmp(optarg, "json") == 0;
	t->format = true;
	if (!t->request.sarif && !t->request.json && strcmp(optarg, "text") != 0)
		return usage("--format: text, json or sarif.");
	return 0;
}

/* Options that say how -c checks. Return: as take_option(). */
static int take_check_option(struct taken *t, int letter)
{
	switch (letter) {
	case OPTION_FORMAT:
		return take_format(t);
	case OPTION_STRICT:
		t->request.strict = true;
		return 0;
	case OPTION_EXTENSIONS:
		t->request.extensions = true;
		return 0;
	default:
		return usage("Bad usage.");
	}
}

/* Return: 0 go on, 1 done, -EINVAL. */
static int take_option(struct taken *t, int letter)
{
	switch (letter) {
	case 'a':
	case 'c':
	case 'l':
	case 'L':
	case OPTION_MIRROR:
		return take_command(t, letter);
	case 'f':
	case 'F':
		return take_flush(t, letter);
	case 'i':
		return take_interface(t);
	case 'n':
		t->request.numeric = true;
		return 0;
	case 'q':
		t->request.quiet = true;
		return 0;
	case 'r':
	case 'd':
		return usage(letter == 'r' ? "-r: removing entries is not available."
					   : "-d: deleting by index is not available.");
	case OPTION_JSON:
		t->request.json = true;
		return 0;
	case OPTION_TABLE:
		t->request.table = true;
		return 0;
	case OPTION_PRINT:
		t->request.print = true;
		return 0;
	case OPTION_BUS:
		t->request.bus = optarg;
		return 0;
	case OPTION_HELP:
		return help();
	case OPTION_VERSION:
		(void)printf("ipsecconf (netipsec) %s\n", NETIPSEC_VERSION);
		return 1;
	default:
		return take_check_option(t, letter);
	}
}

/* Forms of output belong to the commands that print such a thing. */
static bool forms_fit(const struct taken *t)
{
	const struct conf_request *request = &t->request;
	bool lists = t->command == 'l' || t->command == 'L';

	if (request->table && (!lists || request->json))
		return false;
	if (t->command != 'c' && (request->print || t->format || request->strict))
		return false;
	if (request->extensions && t->command != 'c' && t->command != OPTION_MIRROR)
		return false;
	return !request->json || lists || t->command == 'c';
}

static int settle_command(struct taken *t)
{
	struct conf_request *request = &t->request;

	if (t->flush == 'F')
		request->flush = FLUSH_ALL;
	else if (t->flush == 'f')
		request->flush = FLUSH_SCOPE;
	switch (t->command) {
	case 'a':
		request->command = COMMAND_ADD;
		return 0;
	case 'c':
		request->command = COMMAND_CHECK;
		return 0;
	case 'l':
		request->command = COMMAND_LIST;
		break;
	case 'L':
		request->command = COMMAND_LIST_ALL;
		break;
	case OPTION_MIRROR:
		request->command = COMMAND_MIRROR;
		if (request->n_more_files > 0)
			request->file = request->more_files[0];
		break;
	default:
		request->command = t->flush ? COMMAND_FLUSH : COMMAND_SHOW;
		return 0;
	}
	return t->flush ? usage("Multiple commands specified") : 0;
}

static int settle(struct taken *t)
{
	const struct conf_request *request = &t->request;
	int r = settle_command(t);

	if (r < 0)
		return r;
	if (request->interface && takes_file(t->command))
		return usage("Multiple commands or interface not required.");
	if (request->interface && (t->flush == 'F' || t->command == 'L'))
		return usage("interface name not required.");
	if (request->command == COMMAND_SHOW &&
		(request->interface || request->numeric || request->quiet))
		return usage("Bad usage.");
	return forms_fit(t) ? 0 : usage("Bad usage.");
}

/* -c takes any number of files behind its own, --mirror one. */
static size_t most_operands(const struct taken *t)
{
	if (t->command == 'c')
		return SIZE_MAX;
	return t->command == OPTION_MIRROR ? 1 : 0;
}

int conf_options_parse(int argc, char **argv, struct conf_request *ret)
{
	struct taken t = { .request = { .bus = "system" } };
	struct option longs[ARRAY_SIZE(rows) + 1] = { 0 };
	int letter, r;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		longs[i] = rows[i].option;
	while ((letter = getopt_long(argc, argv, "nlfLFa:qd:r:i:c:", longs, NULL)) != -1) {
		r = take_option(&t, letter);
		if (r != 0)
			return r;
	}
	t.request.more_files = argv + optind;
	t.request.n_more_files = (size_t)(argc - optind);
	if (t.request.n_more_files > most_operands(&t))
		return usage("Bad usage.");
	r = settle(&t);
	if (r == 0)
		*ret = t.request;
	return r;
}
