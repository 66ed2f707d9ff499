/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/service.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/daemon/log-ids.h"
#include "common/daemon/log.h"

void service_init(struct service *service, const struct daemon_identity *identity,
	const struct service_hooks *hooks, const struct daemon_options *options, void *userdata)
{
	*service = (struct service){
		.identity = identity, .hooks = hooks, .userdata = userdata, .options = *options
	};
}

void service_done(struct service *service)
{
	service->publisher = publisher_free(service->publisher);
	service->daemon = daemon_free(service->daemon);
	load_note_done(&service->note);
	free(service->load_error);
	free(service->publish_error);
}

/* ---- how it is doing ---- */

const char *service_last_error(const struct service *service)
{
	if (service->load_error)
		return service->load_error;
	return service->publish_error ? service->publish_error : "";
}

const char *service_state(const struct service *service)
{
	if (service->load_error || service->publish_error)
		return "failed";
	if (!service->loaded)
		return "starting";
	switch (publisher_state(service->publisher)) {
	case PUBLISH_ABSENT:
		return "not-enforced";
	case PUBLISH_PENDING:
		return "published";
	case PUBLISH_ENFORCED:
		return service->absent ? "absent" : "enforced";
	case PUBLISH_REFUSED:
		break;
	}
	return "failed";
}

/* What became of the content that was taken last. */
static const char *fate(const struct service *service)
{
	switch (publisher_state(service->publisher)) {
	case PUBLISH_PENDING:
		return "on the way";
	case PUBLISH_ENFORCED:
		return "in force";
	case PUBLISH_ABSENT:
	case PUBLISH_REFUSED:
		break;
	}
	return "not in force";
}

static void show_status(struct service *service)
{
	CLEANUP(text_done) struct text text = { 0 };
	const char *error = service_last_error(service);
	uint64_t generation = publisher_generation(service->publisher);

	if (publisher_state(service->publisher) == PUBLISH_ABSENT) {
		text_add(&text, "not enforced: datapath absent");
	} else if (service->loaded) {
		service->hooks->describe(service->userdata, fate(service), &text);
		if (generation > 0)
			text_addf(&text, " (generation %" PRIu64 ")", generation);
	}
	if (service->loaded)
		load_note_add_warnings(&text, service->warnings);
	if (*error)
		load_note_add_fault(&text,
			service->ready && !service->began_partly ? "last reload" : "start",
			service->load_error ? &service->note : NULL, error);
	if (text.str && !text.failed)
		daemon_status(service->daemon, "%s", text.str);
}

void service_show(struct service *service)
{
	const char *const changed[] = { "Generation", "State", "LastError",
		service->hooks->count_property, NULL };

	show_status(service);
	if (bus_properties_changed(daemon_bus(service->daemon), service->identity->bus_path,
		    service->identity->bus_name, changed) < 0)
		log_warning("cannot announce changed properties");
}

static void set_load_error(struct service *service, const char *message)
{
	free(service->load_error);
	service->load_error = message ? strdup(message) : NULL; /* without memory: see the log */
}

void service_load_ended(
	struct service *service, const struct conf_diags *diags, const char *message)
{
	load_note_take(&service->note, diags);
	set_load_error(service, message);
}

/* ---- publishing ---- */

/* A publication under way. */
struct publication {
	struct service *service;
	void *content;
	struct bus_call *call; /* to be answered, or NULL */
};

/* What is in force leaves something out: that is an error until a better file comes. */
static bool note_complaint(struct service *service, const void *content)
{
	const char *complaint = service->hooks->complaint ? service->hooks->complaint(content)
							  : NULL;

	if (complaint)
		set_load_error(service, complaint);
	return !complaint;
}

static int verdict(const struct service *service, int result)
{
	if (result != 0 && result != -ENOTCONN)
		return result;
	return service->load_error ? -EBADMSG : 0;
}

static void on_published(int result, uint64_t generation, const char *error, void *userdata)
{
	struct publication *pub = userdata;
	struct service *service = pub->service;
	bool reloading = pub->call;

	if (result == 0 || result == -ENOTCONN) {
		bool complete = note_complaint(service, pub->content);

		service->loaded = true;
		service->warnings = service->note.warnings;
		service->hooks->take(service->userdata, STEAL(pub->content));
		service_show(service);
		if (pub->call && !complete)
			bus_call_fail(pub->call, "Syntax", "%s", service->load_error);
		else if (pub->call && bus_call_reply(pub->call, "t", generation) < 0)
			log_warning("cannot answer Reload");
	} else if (pub->call) {
		bus_call_fail(pub->call, "Invalid", "%s", error ? error : strerror(-result));
	}
	if (reloading)
		daemon_reloaded(service->daemon, verdict(service, result));
	if (pub->content)
		service->hooks->discard(pub->content);
	free(pub);
}

int service_publish(struct service *service, void *content, struct bus_call *call)
{
	struct publication *pub = calloc(1, sizeof(*pub));
	int r = -ENOMEM;

	set_load_error(service, NULL); /* it did load */
	if (pub) {
		*pub = (struct publication){ .service = service, .content = content, .call = call };
		r = publisher_publish(
			service->publisher, service->hooks->snapshot(content), on_published, pub);
	}
	if (r < 0) {
		if (call)
			bus_call_fail(call, "Io", "%s", strerror(-r));
		service->hooks->discard(content);
		free(pub);
	}
	return r;
}

/* Load the file; on an error leave the rendered diagnostics in @why. */
static int load(struct service *service, struct text *why, void **ret_content)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	int r;

	if (!diags)
		return -ENOMEM;
	service->began_partly = false;
	r = service->hooks->load(service->userdata, diags, ret_content);
	log_diags(diags);
	if (r < 0) {
		conf_diags_print(diags, why);
		service_load_ended(service, diags, why->str ? why->str : strerror(-r));
		service_show(service);
	} else {
		service_load_ended(service, diags, NULL);
	}
	return r;
}

static int on_reload_signal(void *userdata)
{
	CLEANUP(text_done) struct text why = { 0 };
	struct service *service = userdata;
	void *content = NULL;
	int r;

	if (service->hooks->reload)
		return service->hooks->reload(service->userdata);
	r = load(service, &why, &content);
	return r < 0 ? r : service_publish(service, content, NULL);
}

int service_on_reload(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(text_done) struct text why = { 0 };
	struct service *service = userdata;
	void *content = NULL;
	int r;

	(void)args;
	daemon_reloading(service->daemon);
	r = load(service, &why, &content);
	if (r == 0)
		r = service_publish(service, content, bus_call_keep(call));
	else
		bus_call_fail(call, r == -EBADMSG ? "Syntax" : "Io", "%s",
			why.str ? why.str : strerror(-r));
	if (r < 0)
		daemon_reloaded(service->daemon, r);
	return 0; /* the caller was told, or will be */
}

/* ---- its life ---- */

/* Also for what the publisher does on its own when the datapath comes back. */
static void on_state(
	enum publish_state state, uint64_t generation, const char *error, void *userdata)
{
	struct service *service = userdata;

	(void)state; /* both are asked of the publisher */
	(void)generation;
	free(service->publish_error);
	service->publish_error = error ? strdup(error) : NULL;
	if (service->publisher && !service->busy)
		service_show(service);
}

static void on_stop(bool withdraw, void *userdata)
{
	struct service *service = userdata;
	const char *subject = service->hooks->subject;
	char section[48];
	const char *const fields[] = { section, NULL };
	int r;

	if (!withdraw || !subject || !service->publisher)
		return;
	r = publisher_withdraw(service->publisher);
	if (r < 0)
		log_error("cannot withdraw the %s: %s", subject, strerror(-r));
	else if (text_fixed(section, sizeof(section), "IPSEC_SECTION=%s",
			 snapshot_section_name(service->hooks->section)) == 0)
		log_event(LOG_NOTICE, LOG_ID_WITHDRAWN, fields, "withdrawn: the %s", subject);
}

static int open_service(struct service *service)
{
	const struct daemon_hooks hooks = {
		.reload = on_reload_signal, .stop = on_stop, .userdata = service
	};
	int r = daemon_new(service->identity, &service->options, &hooks, &service->daemon);

	if (r == 0)
		r = service->hooks->add_to_bus(service->userdata);
	if (r == 0)
		r = publisher_new(service->daemon, service->hooks->section, on_state, service,
			&service->publisher);
	return r;
}

/* What the datapath will never take is a bad file: nobody shall think that it is in force. */
static int check_verdict(const struct service *service)
{
	if (!publisher_is_unfit(service->publisher))
		return 0;
	daemon_start_failed(&service->options, NULL, service_last_error(service));
	return -EBADMSG;
}

static int run(struct service *service, void *content)
{
	int r = open_service(service);

	if (r < 0) {
		service->hooks->discard(content);
		return r;
	}
	if (service->hooks->publish)
		r = service->hooks->publish(service->userdata, content);
	else
		r = service_publish(service, content, NULL);
	if (r == 0)
		r = publisher_wait(service->publisher);
	if (r == 0)
		r = check_verdict(service);
	if (r == 0)
		r = daemon_ready(service->daemon);
	/* What is good of a file stays in force only while somebody is there who publishes it again. */
	if (r == 0 && service->load_error) {
		service->began_partly = true;
		daemon_reloaded(service->daemon, -EBADMSG);
	}
	service->ready = r == 0;
	if (r == 0)
		r = daemon_run(service->daemon);
	return r;
}

/* --check: what the loader says, for people and for tests. */
static int check(struct service *service, struct conf_diags *diags)
{
	CLEANUP(text_done) struct text text = { 0 }, told = { 0 };
	void *content = NULL;
	int r = service->hooks->load(service->userdata, diags, &content);

	conf_diags_print(diags, &text);
	if (text.str)
		(void)fputs(text.str, stderr);
	if (r < 0) {
		if (!text.str)
			(void)fprintf(stderr, "%s: %s\n", service->identity->program, strerror(-r));
		return EXIT_FAILURE;
	}
	service->hooks->tell(service->userdata, content, &told);
	service->hooks->discard(content);
	(void)printf("%s\n", told.str ? told.str : "");
	return EXIT_SUCCESS;
}

int service_main(struct service *service)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	void *content = NULL;
	int r = diags ? 0 : -ENOMEM;

	if (r == 0 && service->options.action == DAEMON_CHECK)
		return check(service, diags);
	if (r == 0) {
		r = service->hooks->load(service->userdata, diags, &content);
		log_diags(diags);
		service_load_ended(service, diags, NULL);
		if (r < 0)
			daemon_start_failed(&service->options, diags, strerror(-r));
		r = daemon_file_fault(r);
	}
	if (r == 0)
		r = run(service, content);
	if (r < 0 && r != -EBADMSG)
		log_error("%s", strerror(-r));
	return daemon_exit_code(r);
}

/* ---- on the bus ---- */

int service_get_generation(struct bus_writer *value, void *userdata)
{
	const struct service *service = userdata;

	return bus_write(value, "t", publisher_generation(service->publisher));
}

int service_get_state(struct bus_writer *value, void *userdata)
{
	return bus_write(value, "s", service_state(userdata));
}

int service_get_last_error(struct bus_writer *value, void *userdata)
{
	return bus_write(value, "s", service_last_error(userdata));
}

int service_add_members(struct service *service, const struct bus_member *members)
{
	return bus_add_interface(daemon_bus(service->daemon), service->identity->bus_path,
		service->identity->bus_name, members, service);
}
