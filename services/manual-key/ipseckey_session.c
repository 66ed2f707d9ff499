/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands as they are typed, or come on standard input. */
#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

#include "common/base/secret.h"
#include "services/manual-key/ipseckey.h"
#include "services/manual-key/keys_parser.h"
#include "services/manual-key/keys_save.h"

#define PROMPT	       "ipseckey> "
#define HISTORY_EVENTS 100

struct session {
	struct ipseckey tool;
	bool continued; /* the line to come goes on with a command */
	EditLine *edit; /* owned, NULL: standard input is no terminal */
	History *history; /* owned */
	char *line; /* of getline(), owned, may hold keys */
	size_t line_size;
	struct text command; /* logical line under way, may hold keys */
};

static char *prompt(EditLine *edit)
{
	static char first[] = PROMPT, more[] = "> ";
	struct session *s = NULL;

	(void)el_get(edit, EL_CLIENTDATA, &s);
	return s && s->continued ? more : first;
}

/* The longest beginning that all words with this beginning share; n_found of them. */
struct completion {
	const char *word;
	size_t len;
	const char *found;
	size_t found_len, n_found;
};

static void offer(struct completion *c, const char *name)
{
	size_t same = 0;

	if (strncmp(name, c->word, c->len) != 0)
		return;
	if (c->n_found++ == 0) {
		c->found = name;
		c->found_len = strlen(name);
		return;
	}
	while (same < c->found_len && name[same] == c->found[same])
		same++;
	c->found_len = same;
}

static void offer_all(struct completion *c, size_t position)
{
	static const char *const types[] = { "all", "ah", "esp" };

	for (const struct keys_verb_row *row = keys_verbs(); position == 0 && row->name; row++)
		offer(c, row->name);
	for (size_t i = 0; position == 1 && i < ARRAY_SIZE(types); i++)
		offer(c, types[i]);
	for (const struct keys_keyword *kw = keys_keywords(); position > 1 && kw->name; kw++)
		offer(c, kw->name);
}

static unsigned char complete(EditLine *edit, int key)
{
	const LineInfo *info = el_line(edit);
	struct completion c = { .word = info->buffer };
	char rest[64];
	size_t words = 0, n;

	(void)key;
	for (const char *at = info->buffer; at < info->cursor; at++)
		if (*at == ' ') {
			words += at > info->buffer && at[-1] != ' ';
			c.word = at + 1;
		}
	c.len = (size_t)(info->cursor - c.word);
	offer_all(&c, words);
	if (c.n_found == 0 || c.found_len < c.len || c.found_len - c.len > sizeof(rest) - 2)
		return CC_ERROR;
	n = c.found_len - c.len;
	memcpy(rest, c.found + c.len, n);
	if (c.n_found == 1)
		rest[n++] = ' ';
	rest[n] = '\0';
	if (n == 0 || el_insertstr(edit, rest) < 0)
		return CC_ERROR;
	return CC_REFRESH;
}

static int open_editor(struct session *s)
{
	HistEvent event;

	(void)signal(SIGINT, SIG_IGN); /* it ends `monitor`, which takes it by other means */
	s->edit = el_init("ipseckey", stdin, stdout, stderr);
	s->history = history_init();
	if (!s->edit || !s->history)
		return -ENOMEM;
	(void)history(s->history, &event, H_SETSIZE, HISTORY_EVENTS);
	(void)el_set(s->edit, EL_CLIENTDATA, s);
	(void)el_set(s->edit, EL_PROMPT, prompt);
	(void)el_set(s->edit, EL_EDITOR, "emacs");
	(void)el_set(s->edit, EL_SIGNAL, 0);
	(void)el_set(s->edit, EL_HIST, history, s->history);
	(void)el_set(s->edit, EL_ADDFN, "ipseckey-complete", "complete a word", complete);
	(void)el_set(s->edit, EL_BIND, "^I", "ipseckey-complete", NULL);
	return 0;
}

static void session_done(struct session *s)
{
	if (s->line)
		secret_wipe(s->line, s->line_size);
	free(s->line);
	keys_text_wipe(&s->command);
	if (s->edit)
		el_end(s->edit);
	if (s->history)
		history_end(s->history);
	ipseckey_done(&s->tool);
}

/* One physical line into the command. False: there is none. */
static bool read_line(struct session *s)
{
	const char *line;
	ssize_t n;
	int count = 0;

	if (s->edit) {
		line = el_gets(s->edit, &count);
		n = line ? count : -1;
	} else {
		n = getline(&s->line, &s->line_size, stdin);
		line = s->line;
	}
	if (n <= 0)
		return false;
	text_add_bytes(&s->command, line, (size_t)n);
	return !s->command.failed;
}

static bool goes_on(const struct text *command)
{
	return command->len >= 2 && command->str[command->len - 1] == '\n' &&
	       command->str[command->len - 2] == '\\';
}

static bool read_command(struct session *s)
{
	bool any;

	keys_text_wipe(&s->command);
	s->continued = false;
	do {
		any = read_line(s);
		s->continued = any && goes_on(&s->command);
	} while (s->continued);
	return s->command.len > 0;
}

/* What was typed may be recalled, unless keys belong to it or a word that was taken for one. */
static void keep_in_history(struct session *s, const struct keys_file *file)
{
	HistEvent event;

	if (!s->history || file->count != 1 || file->n_failed > 0)
		return;
	switch (file->commands[0].verb) {
	case KEYS_ADD:
	case KEYS_UPDATE:
	case KEYS_UPDATE_PAIR:
	case KEYS_OTHER:
		return;
	case KEYS_DELETE:
	case KEYS_DELETE_PAIR:
	case KEYS_GET:
	case KEYS_FLUSH:
	case KEYS_DUMP:
	case KEYS_QUIT:
	case KEYS_MONITOR:
	case KEYS_PASSIVE_MONITOR:
	case KEYS_SAVE:
	case KEYS_FINGERPRINT:
	case KEYS_HELP:
		(void)history(s->history, &event, H_ENTER, s->command.str);
		return;
	}
}

/* Return: 0, 1 (the session ends here), -ENOMEM. */
static int carry_out(struct session *s)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	const struct request *request = s->tool.request;
	struct keys_input in = {
		.label = "input",
		.source = s->command.str,
		.len = s->command.len,
		.algs = s->tool.algs,
		.resolver = request->numeric ? NULL : &resolver_system,
		.place = KEYS_OF_SESSION,
	};
	size_t done = 0;
	int r = diags ? keys_parse(&in, diags, &file) : -ENOMEM;

	if (r < 0)
		return r;
	keep_in_history(s, file);
	for (size_t i = 0; i < file->count && r == 0; i++)
		if (!file->commands[i].failed)
			r = ipseckey_carry_out(&s->tool, &file->commands[i], diags, &done);
	ipseckey_report(request, diags);
	if (file->n_failed > 0 && file->commands[0].verb == KEYS_OTHER)
		fputs("Type help or ? for usage info\n", stderr);
	if (ipseckey_flush_output(&s->tool) < 0 || r == -ENOMEM)
		return -ENOMEM;
	return file->quits ? 1 : 0;
}

int ipseckey_session(const struct request *request)
{
	CLEANUP(session_done) struct session s = { .tool = { .request = request } };
	int r = ipseckey_init(&s.tool);

	(void)setlocale(LC_CTYPE, "");
	if (r == 0 && isatty(STDIN_FILENO))
		r = open_editor(&s);
	while (r == 0 && read_command(&s))
		r = carry_out(&s);
	if (r < 0) {
		fprintf(stderr, "ipseckey: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
