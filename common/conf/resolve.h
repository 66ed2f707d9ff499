/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that files may use for numbers and addresses: hosts, networks, services, protocols. */
#ifndef CONF_RESOLVE_H
#define CONF_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/address.h"

#define RESOLVE_MAX_ADDRESSES 64

struct resolved {
	size_t count;
	struct address addrs[RESOLVE_MAX_ADDRESSES];
	bool is_network; /* from the networks database */
};

/*
 * Injected into parsers, so that tests and fuzzers bring their own. Each returns 0, -ENOENT for an
 * unknown name, or another negative errno. @name is NUL-terminated.
 */
struct resolver {
	int (*host)(void *userdata, const char *name, int family, struct resolved *ret);
	int (*service)(void *userdata, const char *name, uint16_t *ret_port);
	int (*protocol)(void *userdata, const char *name, uint8_t *ret_protocol);
	void *userdata;
};

/* The system's databases (getaddrinfo, getnetbyname_r, getservbyname_r, getprotobyname_r). */
extern const struct resolver resolver_system;
/* Numbers, and a fixed table of the usual protocol and service names; hosts are never found. */
extern const struct resolver resolver_fixed;
/* The usual name that was probably meant, NULL when none is near. */
const char *resolver_nearest_service(const char *word, size_t len);
const char *resolver_nearest_protocol(const char *word, size_t len);

#endif
