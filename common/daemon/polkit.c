/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/polkit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/daemon/log.h"

#define AUTHORITY     "org.freedesktop.PolicyKit1"
#define PATH	      "/org/freedesktop/PolicyKit1/Authority"
#define INTERFACE     AUTHORITY ".Authority"
#define ALLOW_DIALOG  UINT32_C(1)
#define TYPING_USEC   (120 * USEC_PER_SEC)
#define THINKING_USEC (25 * USEC_PER_SEC) /* it may have to be started */

struct polkit_question {
	struct bus *bus;
	polkit_answer_fn on_answer;
	void *userdata;
	bool interactive;
	char id[32]; /* to cancel it by, unique among ours */
};

static struct bus_writer *begin(struct bus *bus, const char *method)
{
	return bus_method_writer(bus, AUTHORITY, PATH, INTERFACE, method);
}

static int write_question(struct bus_writer *wr, const struct polkit_subject *subject,
	const struct polkit_question *question)
{
	int r = bus_open_container(wr, 'r', "");

	if (r == 0)
		r = bus_write(wr, "s", "system-bus-name");
	if (r == 0)
		r = bus_open_container(wr, 'a', "{sv}");
	if (r == 0)
		r = bus_write_option(wr, "name", "s", subject->sender);
	if (r == 0)
		r = bus_close_container(wr);
	if (r == 0)
		r = bus_close_container(wr);
	if (r == 0)
		r = bus_write(wr, "s", subject->action);
	if (r == 0)
		r = bus_open_container(wr, 'a', "{ss}");
	if (r == 0)
		r = bus_close_container(wr);
	if (r == 0)
		r = bus_write(wr, "us", subject->interactive ? ALLOW_DIALOG : 0U, question->id);
	return r;
}

static enum polkit_answer read_answer(struct bus_reply *reply, bool interactive)
{
	const struct bus_error *error = bus_reply_error(reply);
	struct bus_reader *rd;
	int authorized = 0, challenge = 0;

	if (error) {
		/* That there is none is no news. */
		if (bus_error_number(error) != -ENOTCONN)
			log_warning("polkit does not answer: %s", error->message);
		return POLKIT_NO;
	}
	rd = bus_reply_reader(reply);
	if (bus_enter(rd, 'r', "") < 0 || bus_read(rd, "bb", &authorized, &challenge) < 0) {
		log_warning("polkit's answer cannot be read");
		return POLKIT_NO;
	}
	if (authorized)
		return POLKIT_YES;
	return challenge && !interactive ? POLKIT_CHALLENGE : POLKIT_NO;
}

static void give_up(const struct polkit_question *question)
{
	struct bus_writer *wr = begin(question->bus, "CancelCheckAuthorization");

	if (!wr)
		return;
	/* One that has ended is an error there, and nothing to us. */
	if (bus_write(wr, "s", question->id) < 0)
		bus_writer_free(wr);
	else if (bus_method_send(wr, THINKING_USEC, NULL, NULL) < 0)
		log_debug("a question to polkit could not be cancelled");
}

static void on_reply(struct bus_reply *reply, void *userdata)
{
	struct polkit_question *question = userdata;
	polkit_answer_fn on_answer = question->on_answer;
	void *asker = question->userdata;
	enum polkit_answer answer = read_answer(reply, question->interactive);

	if (bus_reply_error(reply) && bus_error_number(bus_reply_error(reply)) == -ETIMEDOUT)
		give_up(question);
	free(question);
	on_answer(answer, asker);
}

int polkit_ask(struct bus *bus, const struct polkit_subject *subject, polkit_answer_fn on_answer,
	void *userdata, struct polkit_question **ret_question)
{
	struct polkit_question *question = calloc(1, sizeof(*question));
	struct bus_writer *wr;
	int r;

	if (!question)
		return -ENOMEM;
	*question = (struct polkit_question){ .bus = bus,
		.on_answer = on_answer,
		.userdata = userdata,
		.interactive = subject->interactive };
	r = text_fixed(question->id, sizeof(question->id), "netipsec-%" PRIu64, subject->number);
	wr = r == 0 ? begin(bus, "CheckAuthorization") : NULL;
	if (wr && write_question(wr, subject, question) < 0) {
		bus_writer_free(wr);
		wr = NULL;
	}
	r = bus_method_send(
		wr, subject->interactive ? TYPING_USEC : THINKING_USEC, on_reply, question);
	if (r < 0) {
		free(question);
		return r;
	}
	*ret_question = question;
	return 0;
}

struct polkit_question *polkit_cancel(struct polkit_question *question)
{
	if (!question)
		return NULL;
	bus_forget_replies(question->bus, question);
	give_up(question);
	free(question);
	return NULL;
}
