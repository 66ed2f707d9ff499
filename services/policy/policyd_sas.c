/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a reload: are there SAs for what the rules ask for? The datapath is asked when they are in
 * force, so nobody waits for the answer; it ends in the journal and in the status line.
 */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memfd.h"
#include "common/daemon/log.h"
#include "services/policy/lint.h"
#include "services/policy/policy_sas.h"
#include "services/policy/policyd.h"

#define DATAPATH	"org.netipsec.Datapath1"
#define ASK_USEC	(10 * USEC_PER_SEC)
#define LISTING_MAX	((size_t)256 << 20) /* some hundred thousand SAs */
#define OWNER_NAME_SIZE 256

static int read_listing(
	const struct policyd *d, struct bus_reply *reply, struct policy_listed **ret_sas)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(freep) char *json = NULL;
	struct memfd_view view = { 0 };
	int r = bus_read(bus_reply_reader(reply), "h", &fd);

	if (r == 0)
		r = memfd_map(fd, LISTING_MAX, &view);
	if (r < 0)
		return r;
	json = strndup(view.len > 0 ? (const char *)view.bytes : "", view.len);
	memfd_unmap(&view);
	return json ? policy_listed_read(json, d->algs, ret_sas) : -ENOMEM;
}

static int hold_against(
	const struct policyd *d, const struct policy_listed *sas, struct conf_diags *diags)
{
	struct policy_lint lint = { .file = d->unheld,
		.label = conf_diags_file(diags, d->settings.config_file, "", 0, false),
		.diags = diags };

	if (!lint.label)
		return -ENOMEM;
	return policy_lint_sas(
		&lint, (const struct sa *const *)sas->owned, sas->count, sas->negotiates);
}

static void on_sas(struct bus_reply *reply, void *userdata)
{
	struct policyd *d = userdata;
	CLEANUP(policy_listed_freep) struct policy_listed *sas = NULL;
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	char owner[OWNER_NAME_SIZE];

	if (--d->sas_asked > 0)
		return; /* an answer to who asked last is on its way */
	/* Something else is in force by now, or the datapath does not tell: then nothing is known. */
	if (!d->unheld || !diags || bus_reply_error(reply) || read_listing(d, reply, &sas) < 0)
		return;
	if (bus_name_owner(
		    daemon_bus(d->service.daemon), POLICY_NEGOTIATOR, owner, sizeof(owner)) == 0)
		sas->negotiates = true;
	if (hold_against(d, sas, diags) < 0)
		return;
	d->unheld = NULL;
	log_diags(diags);
	for (size_t i = 0; i < conf_diags_count(diags); i++)
		d->service.warnings += conf_diags_get(diags, i)->severity == CONF_WARNING;
	service_show(&d->service);
}

void policyd_ask_sas(struct policyd *d)
{
	int r = bus_method_send(bus_method_writer(daemon_bus(d->service.daemon), DATAPATH,
					"/org/netipsec/Datapath1", DATAPATH, "DumpSas"),
		ASK_USEC, on_sas, d);

	if (r < 0)
		log_warning("the datapath cannot be asked for its SAs: %s", strerror(-r));
	else
		d->sas_asked++;
	d->unheld = r < 0 ? NULL : d->configured;
}
