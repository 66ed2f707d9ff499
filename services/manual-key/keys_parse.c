/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_parse.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common/base/checked.h"
#include "common/conf/value.h"
#include "services/manual-key/keys_parser.h"

static void command_done(struct keys_command *command)
{
	sa_free(command->sa);
	free(command->srcs);
	free(command->dsts);
	free(command->src_id);
	free(command->dst_id);
	free(command->argument);
}

struct keys_file *keys_file_free(struct keys_file *file)
{
	if (file) {
		for (size_t i = 0; i < file->count; i++)
			command_done(&file->commands[i]);
		free(file->commands);
		free(file);
	}
	return NULL;
}

void keys_error(
	struct keys_parser *p, struct conf_loc at, const char *code, const char *format, ...)
{
	char message[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args); /* ours are all shorter */
	va_end(args);
	(void)conf_error(p->diags, at, code, "%s", message);
	p->command->failed = true;
}

bool keys_is_given(const struct keys_parser *p, enum keys_field field)
{
	return p->command->given & KEYS_BIT(field);
}

static void advance(struct keys_parser *p)
{
	p->tok = keys_lexer_next(&p->lexer);
}

static void skip_command(struct keys_parser *p)
{
	while (p->tok.kind == TOKEN_WORD)
		advance(p);
}

static bool lookup_only(enum keys_verb verb)
{
	return verb == KEYS_DELETE || verb == KEYS_DELETE_PAIR || verb == KEYS_GET;
}

/* Over the value of a keyword that is none, if what follows looks like one. */
static void skip_value(struct keys_parser *p)
{
	if (p->tok.kind == TOKEN_WORD && !keys_keyword_find(&p->tok))
		advance(p);
}

static bool take_once(struct keys_parser *p, const struct keys_keyword *kw, const struct token *tok)
{
	if (kw->field != KEYS_REFUSED && keys_is_given(p, kw->field)) {
		keys_error(p, tok->at, "key-repeated", "Can only specify single %s", kw->name);
		return false;
	}
	p->at[kw->field] = tok->at;
	p->command->given |= KEYS_BIT(kw->field);
	return true;
}

static void parse_extension(struct keys_parser *p)
{
	const struct token word = p->tok;
	const struct keys_keyword *kw = keys_keyword_find(&word);
	struct token values[2] = { word, word };
	bool wanted;

	advance(p);
	if (!kw) {
		keys_error(p, word.at, "key-keyword", "Unknown extension field");
		keys_hint_keyword(p, &word);
		p->puzzled = true;
		skip_value(p);
		return;
	}
	wanted = take_once(p, kw, &word);
	if (!kw->lookup && lookup_only(p->command->verb)) {
		keys_error(p, word.at, "key-unfit", "Don't use extension %s for '%s' command",
			kw->name, p->verb);
		wanted = false;
	}
	for (unsigned int i = 0; i < kw->values; i++) {
		if (p->tok.kind != TOKEN_WORD) {
			keys_error(p, word.at, "key-value", "%s: value missing", kw->name);
			return;
		}
		values[i] = p->tok;
		advance(p);
	}
	if (wanted)
		kw->parse(p, kw, &values[0], &values[1]);
}

/* The SA type behind a command word. False: there is none to work with. */
static bool parse_satype(struct keys_parser *p, bool needed)
{
	static const struct {
		const char *name;
		uint8_t satype;
	} names[] = {
		{ "all", KEYS_SATYPE_ALL },
		{ "ah", KEYS_SATYPE_AH },
		{ "esp", KEYS_SATYPE_ESP },
	};
	const struct token tok = p->tok;
	uint64_t number = UINT64_MAX;

	if (tok.kind == TOKEN_WORD) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (tok.len == strlen(names[i].name) &&
				strncasecmp(tok.text, names[i].name, tok.len) == 0)
				number = names[i].satype;
		if (number == UINT64_MAX &&
			(value_number(tok.text, tok.len, UINT8_MAX, &number) < 0 ||
				(number != KEYS_SATYPE_ALL && number != KEYS_SATYPE_AH &&
					number != KEYS_SATYPE_ESP))) {
			keys_error(p, tok.at, "key-satype", "Unknown SA type");
			conf_hint(p->diags, "SA types are ah and esp%s",
				needed ? "" : ", or all for both");
			return false;
		}
		p->command->satype = (uint8_t)number;
		advance(p);
	}
	if (needed && p->command->satype == KEYS_SATYPE_ALL) {
		keys_error(p, tok.kind == TOKEN_WORD ? tok.at : p->command->at, "key-satype",
			lookup_only(p->command->verb) ? "Must specify a single SA type"
						      : "Must specify a specific SA type");
		return false;
	}
	return true;
}

static bool verb_allowed(const struct keys_parser *p, const struct keys_verb_row *row)
{
	switch (p->in->place) {
	case KEYS_OF_SERVICE:
		return row->in_service;
	case KEYS_OF_FILE:
		return row->in_file;
	case KEYS_OF_ARGUMENTS:
		return row->in_arguments;
	case KEYS_OF_SESSION:
		return true;
	}
	return false;
}

static void refuse_verb(struct keys_parser *p, const struct keys_verb_row *row)
{
	if (p->in->place == KEYS_OF_ARGUMENTS && row->takes_sa) {
		keys_error(p, p->command->at, "key-command",
			"can't do ADD or UPDATE from the command line");
		conf_hint(p->diags, "other users see arguments; put the command in a file for -f");
	} else if (p->in->place == KEYS_OF_SERVICE && row->in_file) {
		keys_error(p, p->command->at, "key-command",
			"%s not appropriate in the file of the manual-key service", row->name);
		conf_hint(p->diags,
			"the file says which SAs there are; use ipseckey -f for the rest");
	} else {
		keys_error(p, p->command->at, "key-command", "%s not appropriate %s", row->name,
			p->in->place == KEYS_OF_ARGUMENTS ? "on the command line"
							  : "in config file");
	}
	skip_command(p);
}

static void take_argument(struct keys_parser *p)
{
	if (p->tok.kind != TOKEN_WORD)
		return;
	p->command->argument = strndup(p->tok.text, p->tok.len);
	if (!p->command->argument)
		p->no_memory = true;
	advance(p);
}

static void parse_plain_command(struct keys_parser *p, const struct keys_verb_row *row)
{
	bool has_type = row->verb != KEYS_HELP && row->verb != KEYS_MONITOR &&
			row->verb != KEYS_PASSIVE_MONITOR;
	bool typed = p->tok.kind == TOKEN_WORD;

	if (row->verb == KEYS_QUIT || (has_type && !parse_satype(p, false))) {
		skip_command(p);
		return;
	}
	if (row->verb == KEYS_SAVE && !typed)
		keys_error(p, p->command->at, "key-satype", "Must specify a specific SA type");
	if (row->verb == KEYS_SAVE || row->verb == KEYS_HELP)
		take_argument(p);
	if (p->tok.kind == TOKEN_WORD) {
		keys_error(p, p->tok.at, "key-surplus", "Too many arguments for %s command",
			row->name);
		skip_command(p);
	}
}

static void parse_sa_command(struct keys_parser *p)
{
	struct keys_command *command = p->command;

	command->sa = sa_new();
	if (!command->sa) {
		p->no_memory = true;
		return;
	}
	if (!parse_satype(p, true)) {
		skip_command(p);
		return;
	}
	command->sa->proto = command->satype == KEYS_SATYPE_AH ? SA_PROTO_AH : SA_PROTO_ESP;
	command->sa->state = SA_MATURE;
	while (p->tok.kind == TOKEN_WORD)
		parse_extension(p);
	if (!p->no_memory)
		keys_check_command(p);
}

static void parse_command(struct keys_parser *p)
{
	const struct token word = p->tok;
	const struct keys_verb_row *row = keys_verb_find(&word);

	memset(p->at, 0, sizeof(p->at));
	p->key_bits = 0;
	p->puzzled = false;
	p->command->at = word.at;
	p->command->verb = row ? row->verb : KEYS_OTHER;
	p->verb = row ? row->name : "";
	advance(p);
	if (!row) {
		keys_error(p, word.at, "key-command", "Unknown command");
		keys_hint_verb(p, &word);
		skip_command(p);
	} else if (!verb_allowed(p, row)) {
		refuse_verb(p, row);
	} else if (row->takes_sa) {
		parse_sa_command(p);
	} else {
		parse_plain_command(p, row);
	}
	/*
	 * What the lexer found on the command's lines counts against it as well. A line that is too
	 * long is the end: what follows is read for its mistakes alone.
	 */
	if (conf_diags_errors(p->diags) > p->errors_before || p->lexer.too_long)
		p->command->failed = true;
}

static struct keys_command *command_new(struct keys_file *file, size_t *size)
{
	struct keys_command *commands;
	size_t bytes;

	if (file->count == *size) {
		*size = *size ? 2 * *size : 16;
		if (!checked_mul(*size, sizeof(*commands), &bytes))
			return NULL;
		commands = realloc(file->commands, bytes);
		if (!commands)
			return NULL;
		file->commands = commands;
	}
	commands = &file->commands[file->count++];
	memset(commands, 0, sizeof(*commands));
	return commands;
}

int keys_parse(const struct keys_input *in, struct conf_diags *diags, struct keys_file **ret_file)
{
	CLEANUP(keys_file_freep) struct keys_file *file = calloc(1, sizeof(*file));
	const char *label = conf_diags_file(diags, in->label, in->source, in->len, true);
	CLEANUP(secret_pool_done) struct secret_pool pool = { NULL };
	struct keys_parser p = { .in = in, .diags = diags, .pool = &pool };
	size_t size = 0;

	if (!file || !label)
		return -ENOMEM;
	p.errors_before = conf_diags_errors(diags);
	keys_lexer_init(&p.lexer, label, in->source, in->len, diags);
	for (advance(&p); p.tok.kind != TOKEN_END; advance(&p)) {
		if (p.tok.kind != TOKEN_WORD) {
			p.errors_before = conf_diags_errors(diags);
			continue;
		}
		p.command = command_new(file, &size);
		if (!p.command)
			return -ENOMEM;
		parse_command(&p);
		if (p.no_memory)
			return -ENOMEM;
		file->n_failed += p.command->failed;
		if (p.command->verb == KEYS_QUIT && !p.command->failed) {
			file->quits = true;
			file->count--; /* where reading stopped is of no use to anybody */
			break;
		}
		if (p.tok.kind == TOKEN_END)
			break;
		p.errors_before = conf_diags_errors(diags);
	}
	*ret_file = STEAL(file);
	return 0;
}

size_t keys_command_sas(const struct keys_command *command)
{
	if (!command->sa || command->failed)
		return 0;
	return command->n_dsts ? command->n_dsts : 1;
}

/* The one source of this family; the unspecified address when there is none or a choice. */
static struct address source_for(const struct keys_command *command, int family)
{
	struct address found = address_any(family);
	size_t n = 0;

	for (size_t i = 0; i < command->n_srcs; i++)
		if (command->srcs[i].family == family) {
			found = command->srcs[i];
			n++;
		}
	return n == 1 ? found : address_any(family);
}

static int put_identity(struct sa_identity **to, const struct keys_identity *from)
{
	return from ? sa_set_identity(to, from->type, 0, from->value) : 0;
}

struct sa *keys_command_sa(const struct keys_command *command, size_t i)
{
	struct sa *sa = sa_copy(command->sa);

	if (!sa)
		return NULL;
	if (command->n_dsts > 0) {
		sa->dst = command->dsts[i];
		sa->src = source_for(command, sa->dst.family);
	} else if (command->n_srcs > 0) {
		sa->src = command->srcs[0];
	}
	if (put_identity(&sa->identity_src, command->src_id) < 0 ||
		put_identity(&sa->identity_dst, command->dst_id) < 0)
		return sa_free(sa);
	return sa;
}
