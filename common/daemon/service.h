/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A daemon that owns one file and publishes one section: what its life is like, from the first
 * reading through reloads to the end. What differs between services stands in hooks.
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include "common/daemon/daemon.h"
#include "common/daemon/publish.h"
#include "common/daemon/status.h"

/* Contents are what one reading of the file came to; the service knows them by address only. */
struct service_hooks {
	enum snapshot_section section;
	const char *count_property; /* how much is in force: "RuleCount" */
	const char *subject; /* what is withdrawn, in words; NULL: it outlives a stopped unit */
	/* Return: 0, -EBADMSG (@diags say where), other errno with a diagnostic of the whole file. */
	int (*load)(void *userdata, struct conf_diags *diags, void **ret_content);
	void (*discard)(void *content);
	/* What --check says of a good file. */
	void (*tell)(const void *userdata, const void *content, struct text *text);
	int (*add_to_bus)(void *userdata);
	/* The bytes of @content, to be moved out of it. Unused by a service with its own `publish`. */
	struct snapshot_bytes *(*snapshot)(void *content);
	/* What of the file is not in @content, because it was bad; NULL: nothing. NULL: not asked. */
	const char *(*complaint)(const void *content);
	/* It is in force, or will be when the datapath comes; consumed. As `snapshot`. */
	void (*take)(void *userdata, void *content);
	/* "14 rules in force": what there is, and @state, which says what became of it. */
	void (*describe)(const void *userdata, const char *state, struct text *text);
	/* Services with a way of their own; NULL: service_publish(), and loading and publishing. */
	int (*publish)(void *userdata, void *content); /* the first; consumed */
	int (*reload)(void *userdata);
};

struct service {
	const struct daemon_identity *identity;
	const struct service_hooks *hooks;
	void *userdata;
	struct daemon_options options;
	struct daemon *daemon;
	struct publisher *publisher;
	bool loaded; /* something was handed to the publisher */
	bool absent; /* there is no file, which is no error */
	bool busy; /* a change is under way: its end tells */
	bool ready; /* the start is over */
	bool began_partly; /* the load error is of the start: the good rest came into force */
	struct load_note note; /* of the last reading */
	size_t warnings; /* of the reading that is in force */
	char *load_error; /* why the last load failed, NULL: it did not */
	char *publish_error; /* why the datapath refused, NULL: it did not */
};

/* Static strings and @userdata are kept. */
void service_init(struct service *service, const struct daemon_identity *identity,
	const struct service_hooks *hooks, const struct daemon_options *options, void *userdata);
void service_done(struct service *service);
/* As options.action asks: check the file, or open the bus and serve until stopped. Return: exit code. */
int service_main(struct service *service) MUST_CHECK;

/* As in the interfaces' State and LastError. */
const char *service_state(const struct service *service);
const char *service_last_error(const struct service *service);
/* @message: NULL when the last load was good. @diags: what it told; may be NULL. */
void service_load_ended(
	struct service *service, const struct conf_diags *diags, const char *message);
/* Tell the properties' readers and the service manager. */
void service_show(struct service *service);
/* Hand @content (consumed) to the datapath. @call: kept, answered with the verdict; or NULL. */
int service_publish(struct service *service, void *content, struct bus_call *call) MUST_CHECK;

/* Members that every service has; the userdata of a table with them is the struct service. */
static inline void *service_owner(void *userdata)
{
	const struct service *service = userdata;

	return service->userdata;
}
int service_on_reload(struct bus_call *call, struct bus_reader *args, void *userdata) MUST_CHECK;
int service_get_generation(struct bus_writer *value, void *userdata) MUST_CHECK;
int service_get_state(struct bus_writer *value, void *userdata) MUST_CHECK;
int service_get_last_error(struct bus_writer *value, void *userdata) MUST_CHECK;
/* clang-format off */
#define SERVICE_PROPERTIES                                                             \
	BUS_PROPERTY("Generation", "t", service_get_generation, BUS_EMITS_TRUE),       \
	BUS_PROPERTY("State", "s", service_get_state, BUS_EMITS_TRUE),                 \
	BUS_PROPERTY("LastError", "s", service_get_last_error, BUS_EMITS_TRUE)
/* clang-format on */
/* Put these members on the bus, under the identity's name. */
int service_add_members(struct service *service, const struct bus_member *members) MUST_CHECK;

#endif
