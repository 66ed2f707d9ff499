/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/ipsecalgs/request.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "lib/netipsec/ipsecalgs.h"
#include "services/ipsecalgs/request_parts.h"

static const char usage_text[] =
	"usage: ipsecalgs [--status] [--table | --json]     list the file's table\n"
	"       ipsecalgs -l [--status] [--table | --json]  list the table in force\n"
	"       ipsecalgs -s                                put the file's table in force\n"
	"       ipsecalgs -a {-P num | -p name} -k keys [-i incr] [-K default] -b blocks\n"
	"                 -n names -N num -m mech [-I iv] [-M icv] [-S salt] [-F flags] [-f] [-s]\n"
	"       ipsecalgs -P num -p name [-e sync|async] [-f] [-s]\n"
	"       ipsecalgs -r {-p name | -P num} {-n name | -N num} [-s]\n"
	"       ipsecalgs -R {-p name | -P num} [-s]\n"
	"       ipsecalgs -e {sync|async} {-P num | -p name} [-s]\n"
	"       ipsecalgs --help | --version\n";

static const char help_text[] =
	"\n"
	"  -a         add an algorithm\n"
	"  -b LIST    block (encryption) or MAC (authentication) lengths in bytes\n"
	"  -e MODE    execution mode of the protocol: sync or async\n"
	"  -F FLAGS   a number, or names of flags: VALID,COUNTER,COMBINED,CCM,GCM\n"
	"  -f         replace what conflicts\n"
	"  -I BYTES   length of the IV\n"
	"  -i BITS    increment of a key size range\n"
	"  -K BITS    default key size\n"
	"  -k LIST    key sizes in bits, or MIN-MAX with -i\n"
	"  -l         the table in force, without names, as the original's kernel list\n"
	"  -M BYTES   length of the ICV of a combined algorithm\n"
	"  -m NAME    mechanism\n"
	"  -N NUMBER  number of the algorithm\n"
	"  -n NAMES   its names, the primary one first; for -r any one of them\n"
	"  -P NUMBER  number of the protocol\n"
	"  -p NAME    name of the protocol\n"
	"  -R         remove a protocol and its algorithms\n"
	"  -r         remove an algorithm\n"
	"  -S BYTES   length of the salt\n"
	"  -s         put the file in force: alone, or after the change\n"
	"  --status   whether each can be used, and by which library\n"
	"  --table    one line an algorithm, in aligned columns\n"
	"  --json     the same as data\n"
	"\n"
	"See ipsecalgs(8).\n";

enum { OPTION_TABLE = 256, OPTION_JSON, OPTION_STATUS, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
	{ "table", no_argument, NULL, OPTION_TABLE },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "status", no_argument, NULL, OPTION_STATUS },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* Which letters go together; `form`: takes --table, --json and --status. */
static const struct {
	const char *letters;
	bool form;
} commands[] = {
	[REQUEST_LIST] = { "", true },
	[REQUEST_LIST_IN_FORCE] = { "l", true },
	[REQUEST_SYNCHRONIZE] = { "s", false },
	[REQUEST_ADD_ALGORITHM] = { "aPpkiKbnNmIMSFfs", false },
	[REQUEST_ADD_PROTOCOL] = { "Ppefs", false },
	[REQUEST_REMOVE_ALGORITHM] = { "rPpnNs", false },
	[REQUEST_REMOVE_PROTOCOL] = { "RPps", false },
	[REQUEST_SET_MODE] = { "ePps", false },
};

static int usage(void)
{
	fputs(usage_text, stderr);
	return -EINVAL;
}

void request_complain(const char *format, ...)
{
	CLEANUP(text_done) struct text said = { 0 };
	va_list args;

	va_start(args, format);
	text_vaddf(&said, format, args);
	va_end(args);
	fprintf(stderr, "ipsecalgs: %s\n", said.str ? said.str : "");
}

void request_done(struct request *request)
{
	text_done(&request->entry);
}

static int take_letter(struct letters *letters, int option)
{
	bool repeats = strchr("fsF", option) != NULL;

	if (letters->given[option] && !repeats)
		return usage();
	letters->given[option] = true;
	letters->value[option] = optarg;
	return option == 'F' ? request_flags(optarg, &letters->flags) : 0;
}

/* Return: 0 go on, 1 done, -EINVAL. */
static int take_option(struct letters *letters, struct request *request, int option)
{
	switch (option) {
	case OPTION_TABLE:
		request->form = REQUEST_FORM_TABLE;
		return 0;
	case OPTION_JSON:
		request->form = REQUEST_FORM_JSON;
		return 0;
	case OPTION_STATUS:
		request->status = true;
		return 0;
	case OPTION_HELP:
		fputs(usage_text, stdout);
		fputs(help_text, stdout);
		return 1;
	case OPTION_VERSION:
		printf("ipsecalgs (netipsec) %s\n", NETIPSEC_VERSION);
		return 1;
	case '?':
		return usage();
	default:
		return take_letter(letters, option);
	}
}

/* One command a call: how many the letters name, and the last of them. */
static unsigned int count_commands(const struct letters *letters, enum request_command *ret)
{
	const bool *given = letters->given;
	bool adds_protocol = given['P'] && given['p'];
	const struct {
		bool named;
		enum request_command command;
	} named[] = {
		{ given['a'], REQUEST_ADD_ALGORITHM },
		{ given['r'], REQUEST_REMOVE_ALGORITHM },
		{ given['R'], REQUEST_REMOVE_PROTOCOL },
		{ given['l'], REQUEST_LIST_IN_FORCE },
		{ adds_protocol, REQUEST_ADD_PROTOCOL },
		{ given['e'] && !adds_protocol, REQUEST_SET_MODE },
	};
	unsigned int count = 0;

	*ret = given['s'] ? REQUEST_SYNCHRONIZE : REQUEST_LIST;
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		if (!named[i].named)
			continue;
		*ret = named[i].command;
		count++;
	}
	return count;
}

static int choose_command(const struct letters *letters, struct request *request)
{
	if (count_commands(letters, &request->command) > 1)
		return usage();
	for (int letter = 1; letter < REQUEST_LETTERS; letter++) {
		if (letters->given[letter] && !strchr(commands[request->command].letters, letter))
			return usage();
	}
	if (!commands[request->command].form && (request->form || request->status))
		return usage();
	return 0;
}

/* -P or -p where the command needs one; @missing: what to say when there is neither. */
static int take_protocol(
	const struct letters *letters, const char *missing, struct request *request)
{
	if (!letters->given['P'] && !letters->given['p'])
		return request_refuse("%s", missing);
	request->protocol = letters->value['p'];
	if (!letters->given['P'])
		return 0;
	return request_number(letters->value['P'], "protocol number", IPSECALGS_NUMBER_MAX,
		&request->protocol_number);
}

static int take_mode(const struct letters *letters, struct request *request)
{
	request->mode = letters->value['e'];
	if (request->mode && strcmp(request->mode, "sync") != 0 &&
		strcmp(request->mode, "async") != 0)
		return request_refuse("Invalid execution mode \"%s\"", request->mode);
	return 0;
}

static int take_removal(const struct letters *letters, struct request *request)
{
	if (letters->given['n'] && letters->given['N'])
		return usage();
	if (!letters->given['n'] && !letters->given['N'])
		return request_refuse("Missing algorithm ID.");
	request->name = letters->value['n'];
	if (request->name)
		return strchr(request->name, ',')
			       ? request_refuse("Specify a single algorithm name for removal, "
						"not a list.")
			       : 0;
	return request_number(
		letters->value['N'], "algorithm number", IPSECALGS_NUMBER_MAX, &request->number);
}

static int take_values(const struct letters *letters, struct request *request)
{
	int r = 0;

	request->force = letters->given['f'];
	request->synchronize = letters->given['s'];
	switch (request->command) {
	case REQUEST_LIST:
	case REQUEST_LIST_IN_FORCE:
	case REQUEST_SYNCHRONIZE:
		break;
	case REQUEST_ADD_ALGORITHM:
		r = take_protocol(letters, "Missing protocol number", request);
		if (r == 0)
			r = request_entry(letters, &request->entry);
		break;
	case REQUEST_ADD_PROTOCOL:
		r = take_protocol(letters, "Missing protocol number", request);
		if (r == 0)
			r = take_mode(letters, request);
		break;
	case REQUEST_REMOVE_ALGORITHM:
		r = take_protocol(letters, "Missing protocol number", request);
		if (r == 0)
			r = take_removal(letters, request);
		break;
	case REQUEST_REMOVE_PROTOCOL:
		r = take_protocol(letters, "Please specify protocol to remove.", request);
		break;
	case REQUEST_SET_MODE:
		r = take_mode(letters, request);
		if (r == 0)
			r = take_protocol(
				letters, "Please specify protocol name or number.", request);
		break;
	}
	return r;
}

int request_parse(int argc, char **argv, struct request *ret)
{
	struct letters letters = { 0 };
	int option, r;

	*ret = (struct request){ .form = REQUEST_FORM_TEXT };
	while ((option = getopt_long(argc, argv, "aflrRsb:p:P:i:k:K:m:n:N:e:S:M:I:F:", long_options,
			NULL)) != -1) {
		r = take_option(&letters, ret, option);
		if (r != 0)
			return r;
	}
	if (optind < argc)
		return usage();
	r = choose_command(&letters, ret);
	return r < 0 ? r : take_values(&letters, ret);
}
