/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/io/path_mtu.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/marks.h"

#define SLOTS	    256
#define LIFE_USEC   (2 * USEC_PER_SEC)
#define MTU_LEAST_4 576
#define MTU_LEAST_6 1280

struct slot {
	struct address dst;
	uint32_t mtu;
	uint64_t until_usec;
};

struct path_mtu {
	struct hash_key key;
	struct slot slots[SLOTS]; /* one place each: who comes later takes it */
};

struct path_mtu *path_mtu_new(void)
{
	struct path_mtu *cache = calloc(1, sizeof(*cache));

	if (cache)
		hash_key_random(&cache->key);
	return cache;
}

struct path_mtu *path_mtu_free(struct path_mtu *cache)
{
	free(cache);
	return NULL;
}

static struct slot *find_slot(struct path_mtu *cache, const struct address *dst)
{
	return &cache->slots[hash_keyed(&cache->key, dst->bytes, sizeof(dst->bytes)) % SLOTS];
}

/* A connected socket knows its route's MTU; nothing is sent. */
static uint32_t ask_kernel(const struct address *dst)
{
	CLEANUP(fd_closep) int fd = socket(dst->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	socklen_t len = address_to_sockaddr(dst, 9, &ss), size = sizeof(int);
	uint32_t mark = MARK_BYPASS;
	int mtu = 0, level = dst->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int option = dst->family == AF_INET ? IP_MTU : IPV6_MTU;

	if (fd < 0)
		return 0;
	(void)setsockopt(
		fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)); /* routes by mark are rare */
	if (connect(fd, (struct sockaddr *)&ss, len) < 0 ||
		getsockopt(fd, level, option, &mtu, &size) < 0)
		return 0;
	if (dst->family == AF_INET)
		return mtu < MTU_LEAST_4 ? MTU_LEAST_4 : (uint32_t)mtu;
	return mtu < MTU_LEAST_6 ? MTU_LEAST_6 : (uint32_t)mtu;
}

uint32_t path_mtu_get(struct path_mtu *cache, const struct address *dst)
{
	struct slot *slot = find_slot(cache, dst);
	uint64_t now = clock_boot_usec();

	if (slot->until_usec > now && address_equal(&slot->dst, dst))
		return slot->mtu;
	*slot = (struct slot){ .dst = *dst, .mtu = ask_kernel(dst), .until_usec = now + LIFE_USEC };
	return slot->mtu;
}

void path_mtu_forget(struct path_mtu *cache, const struct address *dst)
{
	find_slot(cache, dst)->until_usec = 0;
}
