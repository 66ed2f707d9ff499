/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/io/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "common/base/text.h"

#define TUN_DEVICE "/dev/net/tun"

static int open_queue(const char *name, bool lasting, int *ret_fd)
{
	CLEANUP(fd_closep) int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq ifr = { 0 };
	int header_bytes = sizeof(struct virtio_net_hdr), r;

	if (fd < 0)
		return -errno;
	r = text_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name);
	if (r < 0)
		return r;
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	/* Without offloads the kernel hands over packets as they would go on a wire. */
	if (ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) < 0 ||
		ioctl(fd, TUNSETOFFLOAD, 0UL) < 0 ||
		ioctl(fd, TUNSETPERSIST, lasting ? 1UL : 0UL) < 0)
		return -errno;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int tun_open(const char *name, size_t n_queues, bool lasting, struct tun *ret_tun)
{
	struct tun tun = { .queues = calloc(n_queues, sizeof(*tun.queues)) };
	int r = tun.queues ? text_copy(tun.name, sizeof(tun.name), name) : -ENOMEM;

	while (r == 0 && tun.n_queues < n_queues) {
		r = open_queue(name, lasting, &tun.queues[tun.n_queues]);
		if (r == 0)
			tun.n_queues++;
	}
	if (r == 0) {
		tun.ifindex = (int)if_nametoindex(name);
		r = tun.ifindex ? 0 : -ENODEV;
	}
	if (r < 0)
		tun_close(&tun);
	else
		*ret_tun = tun;
	return r;
}

void tun_close(struct tun *tun)
{
	for (size_t i = 0; i < tun->n_queues; i++)
		fd_closep(&tun->queues[i]);
	free(tun->queues);
	*tun = (struct tun){ 0 };
}

void tun_forget(struct tun *tun)
{
	/* It may be gone already. */
	if (tun->n_queues > 0)
		(void)ioctl(tun->queues[0], TUNSETPERSIST, 0UL);
}

/* Return: 1, 0 when nothing is there, negative errno. A packet that is not sound gets length 0. */
static int read_one(int queue, struct packet *pkt)
{
	struct virtio_net_hdr vnet = { 0 };
	struct iovec iov[2] = {
		{ .iov_base = &vnet, .iov_len = sizeof(vnet) },
		{ .iov_base = pkt->data, .iov_len = PACKET_MAX_LEN },
	};
	ssize_t n;

	do
		n = readv(queue, iov, 2);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if ((size_t)n < sizeof(vnet))
		return -EIO;
	pkt->len = (size_t)n - sizeof(vnet);
	pkt->offload = (struct packet_offload){
		.gso_type = vnet.gso_type,
		.gso_size = vnet.gso_size,
		.needs_checksum = (vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0,
		.csum_start = vnet.csum_start,
		.csum_offset = vnet.csum_offset,
	};
	if (pkt->offload.needs_checksum && !packet_finish_checksum(pkt))
		pkt->len = 0;
	return 1;
}

int tun_read(int queue, struct packet **pkts, size_t n)
{
	size_t got = 0;

	while (got < n) {
		int r = read_one(queue, pkts[got]);

		if (r < 0)
			return got ? (int)got : r;
		if (r == 0)
			break;
		got++;
	}
	return (int)got;
}

size_t tun_write(int queue, struct packet *const *pkts, size_t n)
{
	struct virtio_net_hdr vnet = { 0 };
	size_t taken = 0;

	for (size_t i = 0; i < n; i++) {
		struct iovec iov[2] = {
			{ .iov_base = &vnet, .iov_len = sizeof(vnet) },
			{ .iov_base = pkts[i]->data, .iov_len = pkts[i]->len },
		};
		ssize_t sent;

		do
			sent = writev(queue, iov, 2);
		while (sent < 0 && errno == EINTR);
		if (sent >= 0)
			taken++;
	}
	return taken;
}
