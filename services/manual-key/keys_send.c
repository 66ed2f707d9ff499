/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_send.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "services/manual-key/keys_save.h"

/* A command under way. */
struct sending {
	struct pfkey_client *client;
	const struct keys_command *command;
	const struct keys_sender_style *style;
	struct conf_diags *diags;
};

static uint8_t message_type(enum keys_verb verb)
{
	switch (verb) {
	case KEYS_ADD:
		return PFKEY_ADD;
	case KEYS_UPDATE:
		return PFKEY_UPDATE;
	case KEYS_UPDATE_PAIR:
		return PFKEY_X_UPDATEPAIR;
	case KEYS_DELETE:
		return PFKEY_DELETE;
	case KEYS_DELETE_PAIR:
		return PFKEY_X_DELPAIR;
	case KEYS_GET:
		return PFKEY_GET;
	case KEYS_FLUSH:
		return PFKEY_FLUSH;
	case KEYS_DUMP:
	case KEYS_SAVE:
	case KEYS_FINGERPRINT:
		return PFKEY_DUMP;
	case KEYS_MONITOR:
		return PFKEY_X_PROMISC;
	case KEYS_PASSIVE_MONITOR:
	case KEYS_HELP:
	case KEYS_QUIT:
	case KEYS_OTHER:
		break;
	}
	return 0;
}

static bool is_lookup(uint8_t type)
{
	return type == PFKEY_DELETE || type == PFKEY_X_DELPAIR || type == PFKEY_GET;
}

/* "Association (type = ESP) with spi 0x1 and addr 192.0.2.1" */
static void name_association(const struct pfkey_message *asked, struct text *text)
{
	char addr[ADDRESS_TEXT_MAX];

	text_add(text, "Association (type = ");
	keys_print_satype(asked->satype, text);
	text_addf(text, ") with spi 0x%" PRIx32 " and addr %s", asked->sa->spi,
		address_format(&asked->sa->dst, addr));
}

static int refused(const struct sending *s, const struct pfkey_message *asked,
	const struct pfkey_message *answer)
{
	CLEANUP(text_done) struct text name = { 0 };
	const char *text = pfkey_diagnostic_text(answer->diagnostic);
	const struct conf_loc at = s->command->at;

	if (answer->error == EPERM) /* it is not about this command: the door is closed to us */
		return -EPERM;
	name_association(asked, &name);
	if (!name.str)
		return -ENOMEM;
	if (answer->error == EEXIST)
		return conf_error(s->diags, at, "pfkey-exists", "%s already exists", name.str);
	if (answer->error == ESRCH && is_lookup(asked->type) &&
		answer->diagnostic != PFKEY_DIAG_PAIR_SA_NOTFOUND)
		return conf_error(s->diags, at, "pfkey-absent", "%s does not exist", name.str);
	if (answer->error == EINVAL && is_lookup(asked->type) &&
		!(asked->present & PFKEY_BIT(PFKEY_EXT_ADDRESS_DST)))
		return conf_error(s->diags, at, "pfkey-refused",
			"One of the entered values is incorrect: PF_KEY Diagnostic code %u: %s",
			answer->diagnostic, text);
	if (answer->error == EINVAL || answer->error == ESRCH || answer->diagnostic != 0)
		return conf_error(s->diags, at, "pfkey-refused", "PF_KEY Diagnostic code %u: %s",
			answer->diagnostic, text);
	return conf_error(s->diags, at, "pfkey-refused", "%s", strerror(answer->error));
}

static int show_json(const struct sending *s, const struct pfkey_message *msg)
{
	bool larval = msg->sa->state == SA_LARVAL;
	struct json_object *object;
	const char *str;

	/* Keys were asked for: without them it would look as if there were none. */
	if (!s->style->print.paranoid && !larval && !keys_are_told(msg->sa))
		return -EACCES;
	object = keys_print_json(msg, &s->style->print);
	if (!object)
		return -ENOMEM;
	str = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (s->style->output->len > 0)
		text_add(s->style->output, ",\n");
	text_add(s->style->output, str ? str : "{}");
	(void)json_object_put(object);
	return 0;
}

static void print(const struct sending *s, const struct pfkey_message *msg, struct text *text)
{
	struct keys_wire wire;

	wire.bytes = pfkey_client_bytes(s->client, &wire.len);
	keys_print_message(msg, &wire, &s->style->print, text);
}

static int show(const struct sending *s, const struct pfkey_message *msg)
{
	if (s->style->show)
		return s->style->show(s->style->show_userdata, msg);
	if (s->style->json)
		return show_json(s, msg);
	print(s, msg, s->style->output);
	return s->style->output->failed ? -ENOMEM : 0;
}

static int send_message(const struct sending *s, struct pfkey_message *msg)
{
	int r = pfkey_client_send(s->client, msg);

	/* What is turned into something else is for a reader that does not expect more. */
	if (r == 0 && s->style->verbose && !s->style->json && !s->style->show)
		print(s, msg, s->style->output);
	return r;
}

/* The messages of a dump up to the one that ends it. */
static int receive_dump(const struct sending *s, const struct pfkey_message *asked)
{
	for (;;) {
		CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
		int r = pfkey_client_receive(s->client, &msg);

		if (r < 0)
			return r;
		if (msg->error != 0)
			return refused(s, asked, msg);
		if (!(msg->present & PFKEY_BIT(PFKEY_EXT_SA)))
			break;
		r = show(s, msg);
		if (r < 0)
			return r;
		if (!s->style->json && !s->style->show)
			text_add_char(s->style->output, '\n');
	}
	if (!s->style->json && !s->style->show)
		text_addf(s->style->output, "Dump succeeded for SA type %u.\n", asked->satype);
	return 0;
}

static int ask(const struct sending *s, struct pfkey_message *msg)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *answer = NULL;
	int r = send_message(s, msg);

	if (r < 0)
		return r;
	if (msg->type == PFKEY_DUMP)
		return receive_dump(s, msg);
	r = pfkey_client_receive(s->client, &answer);
	if (r < 0)
		return r;
	if (answer->error != 0)
		return refused(s, msg, answer);
	return msg->type == PFKEY_GET ? show(s, answer) : 0;
}

static void copy_identity(const struct keys_identity *from, struct pfkey_message *msg,
	enum pfkey_extension extension, struct pfkey_identity *to)
{
	if (!from)
		return;
	msg->present |= PFKEY_BIT(extension);
	to->type = from->type;
	_Static_assert(sizeof(to->value) == sizeof(from->value), "one limit for identities");
	memcpy(to->value, from->value, sizeof(to->value));
}

static int send_sa(const struct sending *s, size_t i)
{
	const struct keys_command *command = s->command;
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	CLEANUP(sa_freep) struct sa *sa = keys_command_sa(command, i);
	uint8_t type = message_type(command->verb);

	if (sa)
		msg = pfkey_message_of_sa(type, sa, true);
	if (!msg)
		return -ENOMEM;
	if (is_lookup(type)) {
		msg->present = PFKEY_BIT(PFKEY_EXT_SA);
		if (command->given & KEYS_BIT(KEYS_SRC))
			msg->present |= PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC);
		if (command->given & KEYS_BIT(KEYS_DST))
			msg->present |= PFKEY_BIT(PFKEY_EXT_ADDRESS_DST);
	}
	copy_identity(command->src_id, msg, PFKEY_EXT_IDENTITY_SRC, &msg->identity_src);
	copy_identity(command->dst_id, msg, PFKEY_EXT_IDENTITY_DST, &msg->identity_dst);
	return ask(s, msg);
}

int keys_send(struct pfkey_client *client, const struct keys_command *command,
	const struct keys_sender_style *style, struct conf_diags *diags)
{
	const struct sending s = { client, command, style, diags };
	int result = 0;

	if (!command->sa) {
		CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();

		if (!msg)
			return -ENOMEM;
		msg->type = message_type(command->verb);
		msg->satype = command->satype;
		return ask(&s, msg);
	}
	for (size_t i = 0; i < keys_command_sas(command); i++) {
		int r = send_sa(&s, i);

		if (r < 0 && r != -EBADMSG)
			return r;
		if (r < 0)
			result = r;
	}
	return result;
}
