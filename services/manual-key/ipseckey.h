/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of ipseckey(8): what was asked for, and the door that it is asked at. */
#ifndef MANUAL_KEY_IPSECKEY_H
#define MANUAL_KEY_IPSECKEY_H

#include "services/manual-key/keys_parse.h"
#include "services/manual-key/pfkey_client.h"

struct request {
	bool numeric, verbose, paranoid, json;
	bool reveal; /* keys in JSON */
	bool wireshark; /* what is found as rows of esp_sa */
	bool check; /* -c: send nothing */
	const char *file;
	char *save; /* -s */
	char **words; /* a command; NULL-terminated */
	bool done; /* --help, --version: answered */
};

struct ipseckey {
	const struct request *request;
	struct alg_table *algs; /* owned */
	struct pfkey_client *client; /* owned, NULL until it is needed */
	struct text output; /* not written yet; may hold keys */
	bool wants_object; /* the output is to stand in a JSON object */
};

int ipseckey_init(struct ipseckey *tool) MUST_CHECK;
void ipseckey_done(struct ipseckey *tool);

/*
 * Carry one command out and count it in @done if it was. What is refused is reported in @diags.
 * Return: 0, -EINTR (monitoring was interrupted), else negative errno after it was reported, the
 * door being of no use.
 */
int ipseckey_carry_out(struct ipseckey *tool, const struct keys_command *command,
	struct conf_diags *diags, size_t *done) MUST_CHECK;
int ipseckey_flush_output(struct ipseckey *tool) MUST_CHECK;
/* What the user should know, on standard error; with --json -c the diagnostics alone, on output. */
void ipseckey_report(const struct request *request, const struct conf_diags *diags);

/* Return: -EINTR, or negative errno after it was reported. */
int ipseckey_monitor(struct ipseckey *tool, bool actively) MUST_CHECK;
int ipseckey_help(const struct keys_command *command, struct conf_diags *diags) MUST_CHECK;

/* Return: exit status. */
int ipseckey_session(const struct request *request);
int ipseckey_genkey(const struct request *request);
int ipseckey_rollover(const struct request *request);

#endif
