/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arguments of ipsecalgs(8): which of its commands they are, checked as far as a caller can. */
#ifndef IPSECALGS_REQUEST_H
#define IPSECALGS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

enum request_command {
	REQUEST_LIST,
	REQUEST_LIST_IN_FORCE,
	REQUEST_SYNCHRONIZE,
	REQUEST_ADD_ALGORITHM,
	REQUEST_ADD_PROTOCOL,
	REQUEST_REMOVE_ALGORITHM,
	REQUEST_REMOVE_PROTOCOL,
	REQUEST_SET_MODE
};

enum request_form { REQUEST_FORM_TEXT, REQUEST_FORM_TABLE, REQUEST_FORM_JSON };

/* Strings are borrowed from argv; NULL and 0: not given. */
struct request {
	enum request_command command;
	enum request_form form;
	bool status; /* what can be used, and by which library */
	bool force, synchronize;
	const char *protocol;
	uint32_t protocol_number;
	const char *name; /* REQUEST_REMOVE_ALGORITHM */
	uint32_t number;
	const char *mode;
	struct text entry; /* REQUEST_ADD_ALGORITHM: the ALG line from its third field on; owned */
};
void request_done(struct request *request);

/*
 * Complains on standard error, answers --help and --version on standard output.
 * Return: 0 go on, 1 done, -EINVAL, -ENOMEM.
 */
int request_parse(int argc, char **argv, struct request *ret) MUST_CHECK;

#endif
