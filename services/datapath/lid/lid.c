/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipsec-lid: at boot, before any interface is up, the rules of the last policy go into the kernel.
 * What they protect is dropped until the datapath has come. Needs no bus, and ends when it is done.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon/daemon.h"
#include "common/daemon/keys_door.h"
#include "common/daemon/log-ids.h"
#include "common/daemon/log.h"
#include "services/datapath/lid/lid_store.h"
#include "services/datapath/plant/plant.h"

#define OPEN_OPTION "--open"

/* Who wrote a policy wants one: without it the host stays shut until it was read. */
#define POLICY_FILE "/etc/inet/ipsecinit.conf"

static const struct daemon_identity identity = {
	.program = "ipsec-lid",
	.summary =
		"Holds the lid on at boot: what policy protects is dropped until it is enforced.",
	.config = DATAPATH_CONFIG,
};

static bool exists(const char *plain)
{
	CLEANUP(freep) char *path = NULL;

	/* Without memory nothing is known, and then the answer is the careful one. */
	return file_system_path(plain, &path) < 0 || access(path, F_OK) == 0 || errno != ENOENT;
}

/* One rule for everything, both ways. */
static int shut_everything(struct spd **ret_spd)
{
	CLEANUP(rule_freep) struct rule *rule = rule_new(1);
	int r;

	if (!rule)
		return -ENOMEM;
	rule->directions = DIRECTION_BIT_BOTH;
	rule->actions[0].kind = ACTION_DISCARD;
	r = spd_new(&rule, 1, SPD_FIRST_MATCH, ret_spd);
	if (r == 0)
		rule = NULL;
	return r;
}

/* *ret_spd NULL: nothing is to be held. */
static int choose(const struct datapath_settings *settings, struct spd **ret_spd)
{
	int r;

	*ret_spd = NULL;
	if (settings->boot_policy == BOOT_CLEAR || exists(WITHDRAWN_DIR "/policy"))
		return 0;
	if (settings->boot_policy == BOOT_DROP)
		return shut_everything(ret_spd);
	r = lid_store_read(ret_spd);
	if (r == -ENOENT && !exists(POLICY_FILE))
		return 0;
	if (r == 0)
		return 0;
	log_event(LOG_WARNING, LOG_ID_SHUT, NULL,
		"%s: all packets are dropped until the policy is read",
		r == -ENOENT ? "no policy was in force here yet" : "the last policy is damaged");
	return shut_everything(ret_spd);
}

static int put_on(const struct datapath_settings *settings, const struct spd *spd)
{
	CLEANUP(steer_freep) struct steer *steer = NULL;
	struct steer_options options;
	bool present = false;
	int r;

	plant_steer_options(settings, &options);
	r = steer_new(&options, &steer);
	if (r == 0)
		r = steer_present(steer, &present);
	else if (r == -EPERM && steer_held(&present) == 0 && present)
		r = 0; /* by a datapath that lives, and lets nobody else touch it */
	if (r < 0)
		return r;
	if (present) {
		log_info("a lid is on already");
		return 0;
	}
	r = steer_load(steer, spd, &settings->tunnels);
	if (r == 0)
		r = steer_routes(steer);
	if (r == 0)
		log_event(LOG_INFO, LOG_ID_LID_ON, NULL, "the lid is on: %zu rules", spd->count);
	return r;
}

static int run(const struct daemon_options *options)
{
	CLEANUP(datapath_settings_freep) struct datapath_settings *settings = NULL;
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(spd_freep) struct spd *spd = NULL;
	int r;

	if (!diags)
		return -ENOMEM;
	r = datapath_settings_load(options->config, options->config_given, diags, &settings);
	daemon_report(options, diags);
	if (r < 0)
		return r;
	r = choose(settings, &spd);
	if (r < 0 || options->action != DAEMON_RUN || !spd)
		return r;
	return put_on(settings, spd);
}

/*
 * Nothing is held any more, and the next boot begins without. A policy that is in force is another
 * matter: whoever enforces it puts it back.
 */
static int lift(void)
{
	CLEANUP(datapath_settings_freep) struct datapath_settings *settings = NULL;
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(steer_freep) struct steer *steer = NULL;
	struct steer_options options;
	int r = diags ? datapath_settings_load(DATAPATH_CONFIG, false, diags, &settings) : -ENOMEM;

	if (r < 0)
		return r;
	plant_steer_options(settings, &options);
	r = steer_new(&options, &steer);
	if (r == 0)
		r = steer_remove(steer);
	return r < 0 ? r : lid_store_forget();
}

static int open_up(void)
{
	int r = lift();

	if (r < 0)
		log_error("the lid is not lifted: %s", strerror(-r));
	else
		log_event(LOG_NOTICE, LOG_ID_LIFTED, NULL, "the lid is lifted");
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct daemon_options options;
	int r;

	if (argc == 2 && strcmp(argv[1], OPEN_OPTION) == 0)
		return open_up();
	r = daemon_options_parse(&identity, argc, argv, &options);

	if (r < 0)
		return daemon_exit_code(r);
	if (options.action == DAEMON_EXIT)
		return 0;
	r = run(&options);
	if (r < 0)
		log_error("the lid is not on: %s", strerror(-r));
	return daemon_exit_code(r);
}
