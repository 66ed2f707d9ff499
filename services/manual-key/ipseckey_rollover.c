/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipseckey rollover: what to put behind the key files of both ends, so that keys change in time. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memfd.h"
#include "common/base/secret.h"
#include "common/conf/value.h"
#include "services/manual-key/ipseckey.h"
#include "services/manual-key/keys_roll.h"
#include "services/manual-key/keys_save.h"
#include "services/manual-key/keys_source.h"

#define OVERLAP_MAX_SEC (366U * 86400)
#define TRIES		3 /* a random SPI may be taken */

struct plan {
	struct keys_roll roll;
	const char *from, *output, *peer_output;
	const char *label; /* of the key file, as the user knows it */
	const struct resolver *resolver; /* NULL: names are not looked up */
};

/* What is written for each end; both hold keys. */
struct successors {
	struct text here, peer;
};

static void successors_wipe(struct successors *more)
{
	keys_text_wipe(&more->here);
	keys_text_wipe(&more->peer);
}

static int complain(const char *what, const char *word)
{
	fprintf(stderr, "ipseckey: rollover: %s%s\n", what, word);
	return -EINVAL;
}

/* A time, or "+SECONDS" from now. */
static int take_time(const char *word, struct plan *plan)
{
	uint64_t now_sec = clock_wall_usec() / USEC_PER_SEC, sec;

	if (*word == '+') {
		if (value_number(word + 1, strlen(word + 1), OVERLAP_MAX_SEC, &sec) < 0)
			return complain("no number of seconds: ", word);
		sec += now_sec;
	} else if (keys_time_parse(word, strlen(word), &sec) < 0) {
		return complain("no time such as 2026-11-22T06:00:00Z: ", word);
	}
	if (sec <= now_sec)
		return complain("the time is over: ", word);
	plan->roll.at_sec = sec;
	return 0;
}

static int take_option(int c, struct plan *plan)
{
	switch (c) {
	case 'a':
		return take_time(optarg, plan);
	case 'l':
		if (value_number(optarg, strlen(optarg), OVERLAP_MAX_SEC, &plan->roll.overlap_sec) <
				0 ||
			plan->roll.overlap_sec == 0)
			return complain("no number of seconds: ", optarg);
		return 0;
	case 'o':
		plan->output = optarg;
		return 0;
	case 'O':
		plan->peer_output = optarg;
		return 0;
	case 'f':
		plan->from = plan->label = optarg;
		return 0;
	case 'p':
		return address_parse(optarg, &plan->roll.peer) < 0
			       ? complain("no address: ", optarg)
			       : 0;
	default:
		return -EINVAL; /* getopt has said why */
	}
}

static int take_options(char **words, struct plan *plan)
{
	static const struct option options[] = {
		{ "at", required_argument, NULL, 'a' },
		{ "overlap", required_argument, NULL, 'l' },
		{ "output", required_argument, NULL, 'o' },
		{ "peer-output", required_argument, NULL, 'O' },
		{ "from", required_argument, NULL, 'f' },
		{ "peer", required_argument, NULL, 'p' },
		{ 0 },
	};
	int count = 0, c, r = 0;

	while (words[count])
		count++;
	optind = 0; /* begin anew */
	while (r == 0 && (c = getopt_long(count, words, "", options, NULL)) != -1)
		r = take_option(c, plan);
	if (r < 0)
		return r;
	if (words[optind])
		return complain("what is meant by ", words[optind]);
	if (!plan->roll.at_sec || !plan->roll.overlap_sec)
		return complain("--at TIME and --overlap SECONDS are needed", "");
	if (!plan->output)
		return complain("--output FILE is needed; - prints the keys", "");
	if (plan->peer_output && (strcmp(plan->peer_output, "-") == 0 ||
					 strcmp(plan->peer_output, plan->output) == 0))
		return complain("--peer-output needs a file of its own", "");
	return 0;
}

/* The SAs of a text that has to be free of errors. Return: 0, -EBADMSG (in @diags), -ENOMEM. */
static int read_list(const struct plan *plan, const struct text *source, struct conf_diags *diags,
	struct sa_list **ret_list, struct keys_times **ret_times)
{
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	struct keys_input in = {
		.label = plan->label,
		.source = source->str ? source->str : "",
		.len = source->len,
		.algs = plan->roll.algs,
		.resolver = plan->resolver,
		.place = KEYS_OF_SERVICE,
	};
	int r = keys_parse(&in, diags, &file);

	if (r == 0)
		r = keys_list_build(file, plan->roll.algs, true, diags, ret_list, ret_times);
	return r == 0 && conf_diags_errors(diags) > 0 ? -EBADMSG : r;
}

static int read_keys(const struct plan *plan, struct conf_diags *diags, struct text *ret_source)
{
	CLEANUP(keys_source_done) struct keys_source source = { 0 };
	CLEANUP(freep) char *path = NULL;
	int r = plan->from ? 0 : file_system_path(KEYS_FILE, &path);

	if (r == 0)
		r = keys_source_read(
			plan->from ? plan->from : path, plan->label, false, diags, &source);
	if (r == -ENOENT)
		return complain("Invalid pathname: ", plan->label);
	if (r < 0)
		return r;
	text_add_bytes(ret_source, source.text, source.len);
	text_add_char(ret_source, '\n');
	return ret_source->failed ? -ENOMEM : 0;
}

/* Both generations have to stand in one file. */
static int check_result(const struct plan *plan, const struct text *source, const struct text *more)
{
	CLEANUP(keys_text_wipe) struct text both = { 0 };
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	CLEANUP(freep) struct keys_times *times = NULL;

	text_add_bytes(&both, source->str, source->len);
	text_add_bytes(&both, more->str, more->len);
	if (both.failed || !diags)
		return -ENOMEM;
	return read_list(plan, &both, diags, &list, &times);
}

static int generate(struct plan *plan, const struct text *source, const struct sa_list *list,
	const struct keys_times *times, struct successors *more)
{
	static const char head[] = "# Written by ipseckey rollover, for the end of the key file";
	int r = -EBADMSG;

	for (int i = 0; r == -EBADMSG && i < TRIES; i++) {
		successors_wipe(more);
		plan->roll.count = plan->roll.n_replaced = plan->roll.n_directed = 0;
		text_addf(&more->here, "%s of %s.\n", head,
			plan->peer_output ? "this host" : "both hosts");
		text_addf(&more->peer, "%s of the other host.\n", head);
		r = keys_roll(&plan->roll, list, times, &more->here,
			plan->peer_output ? &more->peer : NULL);
		if (r == 0 && plan->roll.count == 0)
			return complain("no SA is to be replaced", "");
		if (r == 0)
			r = check_result(plan, source, &more->here);
	}
	if (r == -EBADMSG)
		return complain("the times do not go with those in ", plan->label);
	return r;
}

static void tell(const struct plan *plan)
{
	const struct keys_roll *roll = &plan->roll;
	char at[KEYS_TIME_TEXT_MAX];

	if (roll->n_replaced > 0)
		fprintf(stderr, "ipseckey: rollover: %zu left out, they have an end already\n",
			roll->n_replaced);
	if (roll->n_directed > 0)
		fprintf(stderr,
			"ipseckey: rollover: %zu left out, their direction is another at the other "
			"end: --peer-output writes a file for that\n",
			roll->n_directed);
	fprintf(stderr,
		"%zu successors; put them behind %s on both hosts, and reload both before %s\n",
		roll->count, plan->label, keys_time_format(roll->at_sec, at));
}

static int write_file(const char *path, const struct text *text)
{
	int r = file_replace(path, text->str, text->len, 0600);

	if (r < 0)
		fprintf(stderr, "ipseckey: rollover: %s: %s\n", path, strerror(-r));
	return r < 0 ? -EINVAL : 0;
}

static int write_out(struct ipseckey *tool, const struct plan *plan, const struct successors *more)
{
	int r = plan->peer_output ? write_file(plan->peer_output, &more->peer) : 0;

	if (r < 0)
		return r;
	if (strcmp(plan->output, "-") != 0)
		return write_file(plan->output, &more->here);
	text_add(&tool->output, more->here.str);
	return ipseckey_flush_output(tool);
}

static int roll_over(struct ipseckey *tool, struct plan *plan, struct conf_diags *diags)
{
	CLEANUP(successors_wipe) struct successors more = { 0 };
	CLEANUP(keys_text_wipe) struct text source = { 0 };
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	CLEANUP(freep) struct keys_times *times = NULL;
	int r = read_keys(plan, diags, &source);

	if (r == 0)
		r = read_list(plan, &source, diags, &list, &times);
	if (r == 0)
		r = generate(plan, &source, list, times, &more);
	if (r == 0)
		r = write_out(tool, plan, &more);
	if (r == 0)
		tell(plan);
	return r;
}

int ipseckey_rollover(const struct request *request)
{
	CLEANUP(ipseckey_done) struct ipseckey tool = { .request = request };
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct plan plan = {
		.label = KEYS_FILE,
		.resolver = request->numeric ? NULL : &resolver_system,
	};
	int r = take_options(request->words, &plan);

	if (r == 0 && request->paranoid && strcmp(plan.output, "-") == 0)
		r = complain("--output - prints keys, which -p forbids", "");
	if (r == 0)
		r = diags ? ipseckey_init(&tool) : -ENOMEM;
	plan.roll.algs = tool.algs;
	if (r == 0)
		r = roll_over(&tool, &plan, diags);
	if (r < 0 && diags)
		ipseckey_report(request, diags);
	if (r < 0 && r != -EINVAL && r != -EBADMSG)
		fprintf(stderr, "ipseckey: rollover: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
