/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/ipseckey.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memfd.h"
#include "common/daemon/algs.h"
#include "services/manual-key/keys_parser.h"
#include "services/manual-key/keys_save.h"
#include "services/manual-key/keys_send.h"

/* What the user should know, on standard error; with --json the diagnostics alone, on output. */
void ipseckey_report(const struct request *request, const struct conf_diags *diags)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (request->json && request->check) {
		conf_diags_print_json(diags, &text);
		if (text.str)
			puts(text.str);
		return;
	}
	conf_diags_print(diags, &text);
	if (text.str)
		fputs(text.str, stderr);
}

/* The registry's file is not the one that is asked about: when it is bad, that is said in a line. */
static int load_algorithms(struct alg_table **ret_table)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	int r = diags ? algs_load(NULL, diags, ret_table) : -ENOMEM;

	if (r != -EBADMSG)
		return r;
	fprintf(stderr, "ipseckey: %s has errors, using the built-in algorithms\n", ALGS_FILE);
	return algs_builtin(ret_table);
}

int ipseckey_init(struct ipseckey *tool)
{
	return load_algorithms(&tool->algs);
}

void ipseckey_done(struct ipseckey *tool)
{
	keys_text_wipe(&tool->output);
	tool->client = pfkey_client_free(tool->client);
	tool->algs = alg_table_free(tool->algs);
}

static int door_failed(int r)
{
	if (r == -ENOENT || r == -ECONNREFUSED)
		fputs("ipseckey: Unable to open PF_KEY socket: ipsec-datapath.service is not "
		      "running\n",
			stderr);
	else if (r == -EACCES || r == -EPERM)
		fputs("ipseckey: Insufficient privileges to open PF_KEY socket.\n", stderr);
	else if (r == -ETIMEDOUT)
		fputs("ipseckey: Reply message from PF_KEY timed out.\n", stderr);
	else
		fprintf(stderr, "ipseckey: PF_KEY: %s\n", strerror(-r));
	return r;
}

int ipseckey_flush_output(struct ipseckey *tool)
{
	const char *str = tool->output.str ? tool->output.str : "";

	if (tool->output.failed)
		return -ENOMEM;
	if (tool->wants_object)
		printf("{\"version\":1,\"associations\":[%s%s%s]}\n", *str ? "\n" : "", str,
			*str ? "\n" : "");
	else
		fputs(str, stdout);
	(void)fflush(stdout);
	keys_text_wipe(&tool->output);
	tool->wants_object = false;
	return 0;
}

/* What a dump is turned into: some other form of each SA. */
struct conversion {
	struct text *text;
	struct keys_saved saved;
	const struct alg_table *algs;
};

static int show_saved(void *userdata, const struct pfkey_message *msg)
{
	struct conversion *c = userdata;

	return keys_save(&c->saved, msg, c->text);
}

static int show_wireshark(void *userdata, const struct pfkey_message *msg)
{
	struct conversion *c = userdata;

	return keys_wireshark(msg, c->algs, c->text);
}

static int show_fingerprint(void *userdata, const struct pfkey_message *msg)
{
	struct conversion *c = userdata;

	return keys_fingerprint(msg, c->text);
}

static int not_told(const struct keys_command *command, struct conf_diags *diags)
{
	(void)conf_error(diags, command->at, "key-hidden", "the keys are not shown to you");
	conf_hint(diags, "it takes root or a member of the group ipseckey");
	return -EBADMSG;
}

static int send_converted(struct ipseckey *tool, const struct keys_command *command,
	struct keys_sender_style *style, struct conversion *c, struct conf_diags *diags)
{
	int r;

	style->show_userdata = c;
	r = keys_send(tool->client, command, style, diags);
	return r == -EACCES ? not_told(command, diags) : r;
}

/* All of it is gathered first: a file that exists is replaced as a whole or not at all. */
static int save(struct ipseckey *tool, const struct keys_command *command,
	struct keys_sender_style *style, struct conf_diags *diags)
{
	CLEANUP(keys_text_wipe) struct text text = { 0 };
	CLEANUP(keys_locals_done) struct keys_locals locals = { 0 };
	struct conversion c = { .text = &text };
	const char *path = command->argument;
	int r;

	if (tool->request->paranoid)
		return conf_error(diags, command->at, "key-save",
			"save and -p do not go together: the file would be of no use");
	r = keys_locals_read(&locals);
	if (r == 0)
		r = keys_saved_init(&c.saved, tool->algs, &locals);
	if (r < 0)
		return r;
	text_add(&text, keys_save_head);
	style->show = show_saved;
	r = send_converted(tool, command, style, &c, diags);
	keys_saved_done(&c.saved);
	if (r < 0)
		return r;
	if (text.failed)
		return -ENOMEM;
	if (!path || strcmp(path, "-") == 0) {
		text_add(&tool->output, text.str);
		return 0;
	}
	r = file_replace(path, text.str, text.len, 0400);
	return r < 0 ? conf_error(diags, command->at, "key-save", "cannot write the file: %s",
			       strerror(-r))
		     : 0;
}

static int open_door(struct ipseckey *tool)
{
	int r = tool->client ? 0 : pfkey_client_new(&tool->client);

	return r < 0 ? door_failed(r) : 0;
}

static int send_command(
	struct ipseckey *tool, const struct keys_command *command, struct conf_diags *diags)
{
	const struct request *request = tool->request;
	struct conversion c = { .text = &tool->output, .algs = tool->algs };
	struct keys_sender_style style = {
		.print = {
			.algs = tool->algs, .names = !request->numeric,
			.paranoid = request->paranoid || (request->json && !request->reveal),
			.raw_seconds = request->verbose, .now_sec = clock_wall_usec() / USEC_PER_SEC,
		},
		.verbose = request->verbose, .json = request->json, .output = &tool->output,
	};
	bool dump = command->verb == KEYS_DUMP || command->verb == KEYS_GET;

	if (request->wireshark && dump && request->paranoid)
		return conf_error(diags, command->at, "key-hidden",
			"--wireshark and -p do not go together: the table is made of keys");
	if (command->verb == KEYS_SAVE)
		return save(tool, command, &style, diags);
	if (command->verb == KEYS_FINGERPRINT)
		style.show = show_fingerprint;
	else if (request->wireshark && dump)
		style.show = show_wireshark;
	tool->wants_object = request->json && !style.show;
	return send_converted(tool, command, &style, &c, diags);
}

int ipseckey_carry_out(struct ipseckey *tool, const struct keys_command *command,
	struct conf_diags *diags, size_t *done)
{
	int r;

	if (command->verb == KEYS_HELP) {
		r = ipseckey_help(command, diags);
		*done += r == 0;
		return r == -EBADMSG ? 0 : r;
	}
	if (command->given & KEYS_TIME_BITS) {
		(void)conf_error(diags, command->at, "key-time",
			"only the manual-key service keeps the times of SAs");
		conf_hint(diags, "put the command into its file");
		return 0;
	}
	r = open_door(tool);
	if (r < 0)
		return r;
	if (command->verb == KEYS_MONITOR || command->verb == KEYS_PASSIVE_MONITOR)
		return ipseckey_monitor(tool, command->verb == KEYS_MONITOR);
	r = send_command(tool, command, diags);
	if (r == 0)
		++*done;
	if (r == 0 || r == -EBADMSG)
		return 0;
	tool->client = pfkey_client_free(tool->client);
	return r == -ENOMEM ? r : door_failed(r);
}
