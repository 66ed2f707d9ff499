/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the preload library. */
#ifndef LIBNETIPSEC_PFKEY_PRELOAD_H
#define LIBNETIPSEC_PFKEY_PRELOAD_H

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/un.h>

#define PUBLIC __attribute__((visibility("default")))

#define LINUX_DOOR   "/pfkey-linux"
#define SOLARIS_DOOR "/pfkey"
#define NATT_DOOR    "/ike-natt"

/* dlsym() answers with an object pointer; the C library promises that it is the function's. */
#define NEXT(name)                                      \
	__extension__({                                 \
		__typeof__(&(name)) next_;              \
		void *found_ = dlsym(RTLD_NEXT, #name); \
		memcpy(&next_, &found_, sizeof(next_)); \
		next_;                                  \
	})

/*
 * Where a door is: behind NETIPSEC_ROOT, in the directory of NETIPSEC_INSTANCE. False: those are no
 * names for that.
 */
bool preload_door(const char *door, struct sockaddr_un *ret);

#endif
