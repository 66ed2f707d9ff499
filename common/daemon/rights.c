/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/rights.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/daemon/audit.h"
#include "common/daemon/log.h"
#include "common/daemon/polkit.h"

#define MAX_QUESTIONS	     16 /* at polkit at a time, */
#define MAX_QUESTIONS_A_USER 4
#define MAX_REFUSALS	     20 /* that are written down within */
#define REFUSALS_USEC	     (10 * USEC_PER_SEC)
#define PREFIX		     "org.netipsec."

/* One call from the guard to its answer. */
struct rights_case {
	struct rights_case *next, **link;
	struct rights *rights; /* NULL: it is gone */
	struct bus_call *call; /* kept while polkit is asked, else NULL */
	struct polkit_question *question;
	const char *interface, *member; /* of the member table */
	const struct right *right; /* NULL: the method has no row */
	char sender[256];
	bool known;
	struct bus_credentials who;
	char by[96]; /* the right that the caller has */
};

struct rights {
	struct bus *bus;
	struct rights_case *cases;
	uint64_t questions; /* so far */
	uint64_t refusals_since_usec;
	unsigned int refusals;
};

/* ---- what is written down ---- */

/* Anybody can be refused as often as he likes: the journal is not his to fill. */
static bool refusal_is_told(struct rights *rights)
{
	uint64_t now = clock_monotonic_usec();

	if (now - rights->refusals_since_usec >= REFUSALS_USEC) {
		if (rights->refusals > MAX_REFUSALS)
			log_warning("audit: %u refusals were not written down",
				rights->refusals - MAX_REFUSALS);
		rights->refusals_since_usec = now;
		rights->refusals = 0;
	}
	return rights->refusals++ < MAX_REFUSALS;
}

static bool is_refusal(const char *error)
{
	return strcmp(error, BUS_ERROR_PREFIX "NotAuthorized") == 0 ||
	       strcmp(error, BUS_ERROR_PREFIX "NotOwner") == 0 ||
	       strcmp(error, POLKIT_INTERACTION_REQUIRED) == 0;
}

static void write_down(struct rights_case *c, const char *error)
{
	char what[160];
	const char *service = strncmp(c->interface, PREFIX, strlen(PREFIX)) == 0
				      ? c->interface + strlen(PREFIX)
				      : c->interface;
	struct audit record = { .what = what,
		.known = c->known,
		.uid = c->who.uid,
		.pid = c->who.pid,
		.sender = c->sender,
		.right = c->by,
		.error = error };

	if (error)
		record.result = is_refusal(error) ? AUDIT_REFUSED : AUDIT_FAILED;
	if (record.result == AUDIT_REFUSED || !*c->by)
		record.right = "none";
	/* Who looks and may look changes nothing. */
	if (record.result != AUDIT_REFUSED && c->right && c->right->kind == RIGHT_VIEW)
		return;
	if (record.result == AUDIT_REFUSED && c->rights && !refusal_is_told(c->rights))
		return;
	if (text_fixed(what, sizeof(what), "%s.%s", service, c->member) == 0)
		audit_write(&record);
}

static void on_end(const char *error, void *userdata)
{
	struct rights_case *c = userdata;

	write_down(c, error);
	(void)polkit_cancel(c->question);
	if (c->link)
		*c->link = c->next;
	if (c->link && c->next)
		c->next->link = c->link;
	free(c);
}

/* ---- the decision ---- */

static int refuse(struct bus_call *call)
{
	return bus_call_fail(
		call, "NotAuthorized", "only for root and the group " RIGHTS_ADMIN_GROUP);
}

static bool is_admin(const struct bus_credentials *who)
{
	const struct group *admins = getgrnam(RIGHTS_ADMIN_GROUP);

	for (size_t i = 0; admins && i < who->n_groups; i++)
		if (who->groups[i] == admins->gr_gid)
			return true;
	return false;
}

/* What needs no question. Nothing: the caller has no right of his own. */
static const char *own_right(const struct rights_case *c)
{
	enum right_kind kind = c->right ? c->right->kind : RIGHT_ROOT;

	if (!c->known)
		return NULL;
	if (c->who.uid == 0)
		return "root";
	if (c->who.uid == geteuid()) /* ExecReload=, and what could trace us as well */
		return "own user";
	if (kind == RIGHT_PUBLISH)
		return "owner of the section";
	if ((kind == RIGHT_MANAGE || kind == RIGHT_VIEW) && is_admin(&c->who))
		return "group " RIGHTS_ADMIN_GROUP;
	return NULL;
}

static void on_polkit(enum polkit_answer answer, void *userdata)
{
	struct rights_case *c = userdata;
	struct bus_call *call = STEAL(c->call);
	struct bus_credentials who;

	c->question = NULL;
	/* A caller that left while polkit thought gets nothing done any more. */
	if (answer == POLKIT_YES &&
		(bus_credentials(c->rights->bus, c->sender, &who) < 0 ||
			text_fixed(c->by, sizeof(c->by), "polkit %s", c->right->action) < 0))
		answer = POLKIT_NO;
	switch (answer) {
	case POLKIT_YES:
		bus_call_go_on(call);
		return;
	case POLKIT_CHALLENGE:
		(void)bus_call_refuse(call, POLKIT_INTERACTION_REQUIRED,
			"%s needs a password, and this call may not ask for it", c->right->action);
		return;
	case POLKIT_NO:
		break;
	}
	(void)refuse(call);
}

static bool may_be_asked(const struct rights *rights, uid_t uid)
{
	unsigned int all = 0, same = 0;

	for (const struct rights_case *c = rights->cases; c; c = c->next) {
		if (!c->question)
			continue;
		all++;
		same += c->who.uid == uid;
	}
	return all < MAX_QUESTIONS && same < MAX_QUESTIONS_A_USER;
}

static int ask_polkit(struct rights_case *c, struct bus_call *call)
{
	struct polkit_subject subject = { .sender = c->sender,
		.action = c->right->action,
		.number = ++c->rights->questions,
		.interactive = bus_call_is_interactive(call) };

	if (!may_be_asked(c->rights, c->who.uid))
		return bus_call_fail(call, "NotAuthorized", "too many questions wait for polkit");
	if (polkit_ask(c->rights->bus, &subject, on_polkit, c, &c->question) < 0)
		return refuse(call);
	c->call = bus_call_keep(call);
	return 0;
}

static struct rights_case *case_new(
	struct rights *rights, const struct bus_call *call, const struct right *right)
{
	struct rights_case *c = calloc(1, sizeof(*c));

	if (!c || text_copy(c->sender, sizeof(c->sender), bus_call_sender(call)) < 0) {
		free(c);
		return NULL;
	}
	c->rights = rights;
	c->right = right;
	c->interface = bus_call_interface(call);
	c->member = bus_call_member(call);
	c->known = bus_credentials(rights->bus, c->sender, &c->who) == 0;
	c->next = rights->cases;
	c->link = &rights->cases;
	if (c->next)
		c->next->link = &c->next;
	rights->cases = c;
	return c;
}

static int guard(struct bus_call *call, void *userdata)
{
	const struct right *right = right_find(bus_call_interface(call), bus_call_member(call));
	struct rights *rights = userdata;
	struct rights_case *c;
	const char *own;

	if (right && right->kind == RIGHT_OPEN)
		return 0;
	c = case_new(rights, call, right);
	if (!c)
		return -ENOMEM;
	bus_call_on_end(call, on_end, c);
	own = own_right(c);
	if (own)
		return text_copy(c->by, sizeof(c->by), own);
	if (c->known && right && right->action)
		return ask_polkit(c, call);
	return refuse(call);
}

static void on_leave(const char *unique_name, void *userdata)
{
	struct rights *rights = userdata;
	struct rights_case *next;

	for (struct rights_case *c = rights->cases; c; c = next) {
		next = c->next;
		if (c->question && strcmp(c->sender, unique_name) == 0)
			(void)refuse(c->call); /* for the record: nobody hears it */
	}
}

int rights_new(struct bus *bus, struct rights **ret_rights)
{
	struct rights *rights = calloc(1, sizeof(*rights));

	if (!rights)
		return -ENOMEM;
	rights->bus = bus;
	bus_set_guard(bus, guard, on_leave, rights);
	*ret_rights = rights;
	return 0;
}

struct rights *rights_free(struct rights *rights)
{
	struct rights_case *next;

	if (!rights)
		return NULL;
	bus_set_guard(rights->bus, NULL, NULL, NULL);
	for (struct rights_case *c = rights->cases; c; c = next) {
		next = c->next;
		c->rights = NULL; /* a service that kept the call may answer it yet */
		if (c->question)
			(void)refuse(c->call);
	}
	for (struct rights_case *c = rights->cases; c; c = next) {
		next = c->next;
		c->link = NULL; /* it hangs on its call alone */
	}
	free(rights);
	return NULL;
}
