/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of ipsecconf and what goes with what; ipsecconf(8). */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "common/conf/value.h"
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
	OPTION_COUNTERS,
	OPTION_EXPLAIN,
	OPTION_WITH,
	OPTION_DIFF,
	OPTION_DRIFT,
	OPTION_CONFIRM,
	OPTION_CONFIRM_YES,
	OPTION_RELOAD,
	OPTION_FRAGMENT,
	OPTION_FRAGMENTS,
	OPTION_AUDIT,
};

/* What may be said beside a command. */
#define WITH_FLUSH     0x001U
#define WITH_INTERFACE 0x002U
#define WITH_JSON      0x004U
#define WITH_TABLE     0x008U
#define WITH_PRINT     0x010U
#define WITH_STRICT    0x020U /* and --format */
#define WITH_EXTENDED  0x040U
#define WITH_COUNTERS  0x080U
#define WITH_FILE      0x100U /* --with */
#define WITH_CONFIRM   0x200U
#define WITH_FRAGMENT  0x400U
#define WITH_AUDIT     0x800U

/* A row is a long option and, if it has one, its letter. */
static const struct {
	struct option option;
	const char *argument;
	const char *help;
} rows[] = {
	/* clang-format off */
	{ { "add",       required_argument, NULL, 'a' }, "FILE", "add the entries of FILE (\"-\": standard input)" },
	{ { "check",     required_argument, NULL, 'c' }, "FILE", "check FILE; needs neither daemon nor privilege" },
	{ { "remove",    required_argument, NULL, 'r' }, "FILE", "remove the entries that are written in FILE" },
	{ { "delete",    required_argument, NULL, 'd' }, "INDEX", "delete one SPD entry; \"TUNNEL,INDEX\" of a tunnel" },
	{ { "list",      no_argument,       NULL, 'l' }, NULL,   "list the host's rules in force, in match order" },
	{ { "list-all",  no_argument,       NULL, 'L' }, NULL,   "the same with those of every tunnel" },
	{ { "flush",     no_argument,       NULL, 'f' }, NULL,   "flush the host's policy; with -a, replace it" },
	{ { "flush-all", no_argument,       NULL, 'F' }, NULL,   "flush all policy; with -a, replace it" },
	{ { "reload",    no_argument,       NULL, OPTION_RELOAD },  NULL, "have the service read its file again" },
	{ { "explain",   required_argument, NULL, OPTION_EXPLAIN }, "FLOW", "which rule decides for a packet, and why" },
	{ { "diff",      required_argument, NULL, OPTION_DIFF },    "FILE", "what loading FILE would change" },
	{ { "drift",     no_argument,       NULL, OPTION_DRIFT },   NULL, "where file, service and datapath differ" },
	{ { "mirror",    no_argument,       NULL, OPTION_MIRROR },  NULL, "print a file as the peer needs it, ends swapped" },
	{ { "fragments", no_argument,       NULL, OPTION_FRAGMENTS }, NULL, "list the fragments" },
	{ { "confirm-yes", no_argument,     NULL, OPTION_CONFIRM_YES }, NULL, "keep what is in force on trial" },
	{ { "interface", required_argument, NULL, 'i' }, "NAME", "only this tunnel's policy, with -l, -d and -f" },
	{ { "numeric",   no_argument,       NULL, 'n' }, NULL,   "list numbers, not names" },
	{ { "quiet",     no_argument,       NULL, 'q' }, NULL,   "no general warnings" },
	{ { "confirm",   required_argument, NULL, OPTION_CONFIRM }, "SECONDS", "with -a, -f, -F, --reload: on trial, rolled back unless confirmed" },
	{ { "fragment",  required_argument, NULL, OPTION_FRAGMENT }, "NAME", "with -a and -f: the fragment of this name" },
	{ { "audit",     no_argument,       NULL, OPTION_AUDIT },   NULL, "with --fragment: only count what it would decide" },
	{ { "with",      required_argument, NULL, OPTION_WITH },    "FILE", "with --explain: by FILE, not by the policy in force" },
	{ { "print",     no_argument,       NULL, OPTION_PRINT },   NULL, "with -c: print the rules that FILE means" },
	{ { "strict",    no_argument,       NULL, OPTION_STRICT },  NULL, "with -c: warnings are errors" },
	{ { "extensions", no_argument,      NULL, OPTION_EXTENSIONS }, NULL, "files may have ranges of ports and lists of addresses" },
	{ { "format",    required_argument, NULL, OPTION_FORMAT },  "FORM", "with -c: text, json or sarif" },
	{ { "counters",  no_argument,       NULL, OPTION_COUNTERS }, NULL, "with -l, -L: what each rule decided" },
	{ { "json",      no_argument,       NULL, OPTION_JSON },    NULL, "as data" },
	{ { "table",     no_argument,       NULL, OPTION_TABLE },   NULL, "with -l, -L: aligned columns with counters" },
	{ { "bus",       required_argument, NULL, OPTION_BUS },     "ADDRESS", "message bus, or \"system\" (default)" },
	{ { "help",      no_argument,       NULL, OPTION_HELP },    NULL, "this text" },
	{ { "version",   no_argument,       NULL, OPTION_VERSION }, NULL, "the version" },
	/* clang-format on */
};

/* A row is a command; the one without an option is that of no command at all. */
static const struct command {
	int letter;
	enum conf_command command;
	bool takes_file;
	unsigned int with;
} commands[] = {
	{ 0, COMMAND_SHOW, false, WITH_JSON },
	{ 'a', COMMAND_ADD, true, WITH_FLUSH | WITH_CONFIRM | WITH_FRAGMENT | WITH_AUDIT },
	{ 'c', COMMAND_CHECK, true,
		WITH_FLUSH | WITH_JSON | WITH_PRINT | WITH_STRICT | WITH_EXTENDED },
	{ 'r', COMMAND_REMOVE, true, 0 },
	{ 'd', COMMAND_DELETE, false, WITH_INTERFACE },
	{ 'l', COMMAND_LIST, false, WITH_INTERFACE | WITH_JSON | WITH_TABLE | WITH_COUNTERS },
	{ 'L', COMMAND_LIST_ALL, false, WITH_JSON | WITH_TABLE | WITH_COUNTERS },
	{ OPTION_RELOAD, COMMAND_RELOAD, false, WITH_CONFIRM },
	{ OPTION_EXPLAIN, COMMAND_EXPLAIN, false, WITH_JSON | WITH_FILE | WITH_EXTENDED },
	{ OPTION_DIFF, COMMAND_DIFF, false, WITH_JSON | WITH_EXTENDED },
	{ OPTION_DRIFT, COMMAND_DRIFT, false, WITH_JSON | WITH_EXTENDED },
	{ OPTION_MIRROR, COMMAND_MIRROR, false, WITH_EXTENDED },
	{ OPTION_FRAGMENTS, COMMAND_FRAGMENTS, false, WITH_JSON },
	{ OPTION_CONFIRM_YES, COMMAND_CONFIRM, false, 0 },
};

static const struct command flush_command = { 'f', COMMAND_FLUSH, false,
	WITH_FLUSH | WITH_INTERFACE | WITH_CONFIRM | WITH_FRAGMENT };

static const char usage_text[] =
	"usage: ipsecconf                                show what was configured\n"
	"       ipsecconf -l [-i tunnel] [-n]            list the rules in force\n"
	"       ipsecconf -L [-n]                        list those of all tunnels, too\n"
	"       ipsecconf -a {file|-} [-q]               add\n"
	"       ipsecconf -c {file|-} [file...]          check only\n"
	"       ipsecconf -r {file|-} [-q]               remove the entries in the file\n"
	"       ipsecconf -d index [-q]                  delete an entry of the host\n"
	"       ipsecconf -d tunnel,index [-q]           delete an entry of a tunnel\n"
	"       ipsecconf -i tunnel -d index [-q]        the same\n"
	"       ipsecconf -f [-i tunnel] [-q]            flush the host's or a tunnel's policy\n"
	"       ipsecconf -F [-q]                        flush all policy\n"
	"       ipsecconf {-f|-F} -a {file|-} [-q]       replace in one step\n"
	"       ipsecconf --explain flow [--with file]   say which rule decides, and why\n"
	"       ipsecconf --diff file                    say what loading it would change\n"
	"       ipsecconf --drift                        compare file, service and datapath\n"
	"       ipsecconf --mirror [file|-]              print the file that the peer needs\n"
	"       ipsecconf --reload | --confirm-yes       see ipsecconf(8)\n"
	"       ipsecconf --fragment name {-a file | -f} a named piece of policy\n"
	"       ipsecconf --fragments                    list those\n"
	"       ipsecconf --help | --version\n";

static int usage(const char *why)
{
	(void)fprintf(
		stderr, "%s%s\nFatal error - exiting.\n", conf_is_managed() ? "" : usage_text, why);
	return -EINVAL;
}

static int help(void)
{
	(void)fputs(usage_text, stdout);
	(void)putchar('\n');
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct option *option = &rows[i].option;
		char letters[8] = "    ";

		if (option->val < OPTION_JSON &&
			text_fixed(letters, sizeof(letters), "-%c, ", option->val) < 0)
			return -ENAMETOOLONG;
		(void)printf("  %s--%s%c%-*s %s\n", letters, option->name,
			rows[i].argument ? '=' : ' ', 18 - (int)strlen(option->name),
			rows[i].argument ? rows[i].argument : "", rows[i].help);
	}
	(void)puts("\nSee ipsecconf(8) and ipsecinit.conf(5).");
	return 1;
}

/* What was said so far, on the way to a request. */
struct taken {
	char **argv;
	struct conf_request request;
	const struct command *command; /* NULL: none yet */
	int flush; /* f, F, or 0 */
	unsigned int with; /* WITH_* that were said */
};

static const struct command *find_command(int letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (letter != 0 && commands[i].letter == letter)
			return &commands[i];
	return NULL;
}

/* ---- taking them one by one ---- */

/* A number as in C: 0x10, 010, 8. */
static bool read_index(const char *word, uint32_t *ret_index)
{
	unsigned int base = 10;
	uint64_t number = 0;

	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
		base = 16;
		word += 2;
	} else if (word[0] == '0') {
		base = 8;
	}
	if (*word == '\0')
		return false;
	for (; *word; word++) {
		int digit = hex_digit(*word);

		if (digit < 0 || (unsigned int)digit >= base)
			return false;
		number = number * base + (unsigned int)digit;
		if (number > UINT32_MAX)
			return false;
	}
	*ret_index = (uint32_t)number;
	return number > 0;
}

static int take_index(struct taken *t, char *word)
{
	char *comma = strrchr(word, ',');

	if (comma) {
		if (t->request.interface)
			return usage("Interface name already selected");
		if (comma == word)
			return usage("Invalid interface name.");
		*comma = '\0';
		t->request.interface = word;
		word = comma + 1;
	}
	return read_index(word, &t->request.index) ? 0 : usage("Invalid index");
}

/* A word of its own that is no file: one of such a name is written ./--NAME. */
static bool is_long_option(const struct taken *t, const char *word)
{
	return word == t->argv[optind - 1] && strncmp(word, "--", 2) == 0;
}

static int take_command(struct taken *t, const struct command *command, char *argument)
{
	if (t->command)
		return usage(t->command->takes_file && command->takes_file
				     ? "Multiple commands or interface not required."
				     : "Multiple commands specified");
	t->command = command;
	if (command->takes_file && is_long_option(t, argument)) {
		optind--; /* `-c --json FILE`: the file is yet to come */
		return 0;
	}
	t->request.file = argument;
	return command->command == COMMAND_DELETE ? take_index(t, argument) : 0;
}

static int take_flush(struct taken *t, int letter)
{
	if (t->flush)
		return usage("Multiple commands specified");
	t->flush = letter;
	t->with |= WITH_FLUSH;
	return 0;
}

static int take_interface(struct taken *t)
{
	if (t->request.interface || t->flush == 'F' ||
		(t->command && t->command->command == COMMAND_LIST_ALL))
		return usage("Interface name already selected");
	if (*optarg == '\0')
		return usage("Invalid interface name.");
	t->request.interface = optarg;
	t->with |= WITH_INTERFACE;
	return 0;
}

static int take_format(struct taken *t)
{
	t->request.sarif = strcmp(optarg, "sarif") == 0;
	t->request.json = strcmp(optarg, "json") == 0;
	t->with |= WITH_STRICT;
	if (!t->request.sarif && !t->request.json && strcmp(optarg, "text") != 0)
		return usage("--format: text, json or sarif.");
	return 0;
}

static int take_confirm(struct taken *t)
{
	t->with |= WITH_CONFIRM;
	if (value_decimal(optarg, strlen(optarg), CONF_CONFIRM_MAX, &t->request.confirm_sec) < 0 ||
		t->request.confirm_sec == 0)
		return usage("--confirm: from 1 to 86400 seconds.");
	return 0;
}

static int set(struct taken *t, bool *flag, unsigned int with)
{
	*flag = true;
	t->with |= with;
	return 0;
}

/* Options that go with some commands. Return: as take_option(). */
static int take_modifier(struct taken *t, int letter)
{
	switch (letter) {
	case OPTION_FORMAT:
		return take_format(t);
	case OPTION_CONFIRM:
		return take_confirm(t);
	case OPTION_STRICT:
		return set(t, &t->request.strict, WITH_STRICT);
	case OPTION_EXTENSIONS:
		return set(t, &t->request.extensions, WITH_EXTENDED);
	case OPTION_JSON:
		return set(t, &t->request.json, WITH_JSON);
	case OPTION_TABLE:
		return set(t, &t->request.table, WITH_TABLE);
	case OPTION_COUNTERS:
		return set(t, &t->request.counters, WITH_COUNTERS);
	case OPTION_PRINT:
		return set(t, &t->request.print, WITH_PRINT);
	case OPTION_AUDIT:
		return set(t, &t->request.audit, WITH_AUDIT);
	case OPTION_FRAGMENT:
		t->request.fragment = optarg;
		t->with |= WITH_FRAGMENT;
		return 0;
	case OPTION_WITH:
		t->request.with = optarg;
		t->with |= WITH_FILE;
		return 0;
	default:
		return usage("Bad usage.");
	}
}

/* Return: 0 go on, 1 done, -EINVAL. */
static int take_option(struct taken *t, int letter)
{
	const struct command *command = find_command(letter);

	if (command)
		return take_command(t, command, optarg);
	switch (letter) {
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
	case OPTION_BUS:
		t->request.bus = optarg;
		return 0;
	case OPTION_HELP:
		return help();
	case OPTION_VERSION:
		(void)printf("ipsecconf (netipsec) %s\n", NETIPSEC_VERSION);
		return 1;
	default:
		return take_modifier(t, letter);
	}
}

/* ---- what goes with what ---- */

static int settle_interface(const struct taken *t)
{
	if (!t->request.interface)
		return 0;
	if (t->command->takes_file)
		return usage("Multiple commands or interface not required.");
	if (t->flush == 'F' || t->command->command == COMMAND_LIST_ALL)
		return usage("interface name not required.");
	return 0;
}

static int settle(struct taken *t)
{
	struct conf_request *request = &t->request;
	int r;

	if (!t->command)
		t->command = t->flush ? &flush_command : &commands[0];
	else if (t->flush && !(t->command->with & WITH_FLUSH))
		return usage("Multiple commands specified");
	if (t->flush)
		request->flush = t->flush == 'F' ? FLUSH_ALL : FLUSH_SCOPE;
	request->command = t->command->command;
	r = settle_interface(t);
	if (r < 0)
		return r;
	if (request->command == COMMAND_SHOW && (request->numeric || request->quiet))
		return usage("Bad usage.");
	if ((t->with & ~t->command->with) || (request->json && request->table) ||
		(request->audit && !request->fragment) || (request->fragment && request->interface))
		return usage("Bad usage.");
	if (request->fragment && (t->flush == 'F' || (t->flush && request->file)))
		return usage("--fragment: one of -a and -f.");
	if (request->command == COMMAND_MIRROR && request->n_more_files > 0)
		request->file = request->more_files[0];
	return 0;
}

/* -c takes any number of files behind its own, --mirror one. */
static size_t most_operands(const struct taken *t)
{
	if (t->command && t->command->command == COMMAND_CHECK)
		return SIZE_MAX;
	return t->command && t->command->command == COMMAND_MIRROR ? 1 : 0;
}

int conf_options_parse(int argc, char **argv, struct conf_request *ret)
{
	struct taken t = { .argv = argv, .request = { .bus = "system" } };
	struct option longs[ARRAY_SIZE(rows) + 1] = { 0 };
	int letter, r;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		longs[i] = rows[i].option;
	while ((letter = getopt_long(argc, argv, "nlfLFa:qd:r:i:c:", longs, NULL)) != -1) {
		r = take_option(&t, letter);
		if (r != 0)
			return r;
	}
	if (t.command && t.command->takes_file && !t.request.file) {
		if (optind == argc)
			return usage("Bad usage.");
		t.request.file = argv[optind++];
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
