/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP encapsulation (RFC 3948): the sockets on port 4500, and keep-alives to NATs. */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/bytes.h"
#include "common/marks.h"
#include "services/datapath/esp/esp.h"
#include "services/datapath/io/wire_port.h"

#define KEEPALIVE_OCTET 0xff
#define KEEPALIVE_TTL	255

/*
 * A key manager shares the port: its socket is number 1 of the group and gets what starts with the
 * non-ESP marker, ours as number 0 the rest. Shorter payloads end the program with 0 too; where there
 * is no number 1 the kernel gives us everything. Ours is kept between our lives to stay number 0.
 */
static int share_port(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0
		       ? -errno
		       : 0;
}

static const struct {
	int family, level, option, value;
} socket_options[] = {
	{ AF_UNSPEC, SOL_SOCKET, SO_REUSEPORT, 1 },
	/* The lid knows our socket by this mark. */
	{ AF_UNSPEC, SOL_SOCKET, SO_MARK, (int)MARK_BYPASS },
	{ AF_INET, IPPROTO_IP, IP_PKTINFO, 1 },
	{ AF_INET, IPPROTO_IP, IP_RECVTOS, 1 },
	/*
	 * Errors about what we sent in UDP. Over IPv4 the kernel tells them and believes none; over
	 * IPv6 a socket that wants no belief is not told of them either.
	 */
	{ AF_INET, IPPROTO_IP, IP_RECVERR, 1 },
	{ AF_INET6, IPPROTO_IPV6, IPV6_RECVERR, 1 },
	{ AF_INET, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE },
	{ AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, 1 },
	{ AF_INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE },
	/* RFC 6935: a peer may leave the checksum out, ESP has a better one. */
	{ AF_INET6, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1 },
};

static int set_options(int fd, int family)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(socket_options) && r == 0; i++)
		if (socket_options[i].family == AF_UNSPEC || socket_options[i].family == family)
			r = wire_set_option(fd, socket_options[i].level, socket_options[i].option,
				socket_options[i].value);
	return r == 0 && family == AF_INET6 ? wire_ask_headers(fd) : r;
}

static int bind_port(int fd, uint8_t family)
{
	struct address any = address_any(family);
	struct sockaddr_storage ss;
	socklen_t len = address_to_sockaddr(&any, ESP_NATT_PORT, &ss);

	return bind(fd, (const struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

static int make_udp(uint8_t family, int *ret_fd)
{
	CLEANUP(fd_closep) int fd = socket(
		family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	int r;

	if (fd < 0)
		return -errno;
	wire_force_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	r = set_options(fd, family);
	if (r == 0)
		r = bind_port(fd, family);
	if (r == -EADDRNOTAVAIL)
		r = 0; /* IPv6 is switched off */
	if (r == 0)
		r = share_port(fd);
	if (r == 0)
		*ret_fd = STEAL_FD(fd);
	return r;
}

static int open_udp(struct wire *wire, uint8_t family, int kept)
{
	CLEANUP(fd_closep) int fd = kept;
	int r = fd < 0 ? make_udp(family, &fd) : 0;

	if (r < 0)
		return r == -EAFNOSUPPORT ? 0 : r;
	wire->inputs[wire->n_inputs++] = (struct wire_input){
		.fd = STEAL_FD(fd), .family = family, .protocol = IPPROTO_UDP
	};
	return 0;
}

int wire_share_natt(uint8_t family, int *ret_fd)
{
	CLEANUP(fd_closep) int fd = socket(
		family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	int r;

	if (fd < 0)
		return -errno;
	r = wire_set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0)
		r = wire_set_option(fd, SOL_SOCKET, SO_MARK, (int)MARK_BYPASS);
	if (r == 0 && family == AF_INET6)
		r = wire_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (r == 0)
		r = bind_port(fd, family);
	if (r == 0)
		*ret_fd = STEAL_FD(fd);
	return r;
}

int wire_natt_fd(const struct wire *wire, uint8_t family)
{
	for (size_t i = 0; i < wire->n_inputs; i++)
		if (wire->inputs[i].protocol == IPPROTO_UDP && wire->inputs[i].family == family)
			return wire->inputs[i].fd;
	return -1;
}

int wire_open_natt(struct wire *wire, int kept[static 2])
{
	size_t before = wire->n_inputs;
	int r = open_udp(wire, AF_INET, STEAL_FD(kept[0]));

	if (r == 0)
		r = open_udp(wire, AF_INET6, STEAL_FD(kept[1]));
	fd_closep(&kept[1]);
	while (r < 0 && wire->n_inputs > before)
		fd_closep(&wire->inputs[--wire->n_inputs].fd);
	return r;
}

void wire_set_tun(struct wire *wire, size_t which, int ifindex)
{
	atomic_store_explicit(&wire->tuns[which], ifindex, memory_order_relaxed);
}

static bool is_own_device(const struct wire *wire, int ifindex)
{
	for (size_t i = 0; i < WIRE_MAX_TUNS; i++)
		if (atomic_load_explicit(&wire->tuns[i], memory_order_relaxed) == ifindex)
			return true;
	return false;
}

bool wire_restore_udp(
	const struct wire *wire, struct packet *pkt, const struct wire_from *from, int ifindex)
{
	size_t len = pkt->len + ESP_UDP_HEADER;
	uint8_t *at = packet_push(pkt, ESP_UDP_HEADER);

	if (!at || len > UINT16_MAX)
		return false;
	store_be16(at, ntohs(from->six.sin6_port)); /* both kinds have it in the same place */
	store_be16(at + 2, ESP_NATT_PORT);
	store_be16(at + 4, (uint16_t)len);
	store_be16(at + 6, 0);
	pkt->decrypted = is_own_device(wire, ifindex);
	return true;
}

bool wire_restore_ipv4(const struct wire *wire, struct packet *pkt, const struct wire_from *from,
	struct msghdr *msg)
{
	struct in_pktinfo info = { .ipi_ifindex = 0 };
	struct address src = address_v4((const uint8_t *)&from->four.sin_addr), dst;
	struct packet_outer outer = { .src = &src, .dst = &dst, .protocol = IPPROTO_UDP };

	if (msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return false;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != IPPROTO_IP)
			continue;
		if (cmsg->cmsg_type == IP_PKTINFO && cmsg->cmsg_len >= CMSG_LEN(sizeof(info)))
			memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
		else if (cmsg->cmsg_type == IP_TOS)
			outer.traffic_class = *CMSG_DATA(cmsg);
	}
	dst = address_v4((const uint8_t *)&info.ipi_addr);
	if (!wire_restore_udp(wire, pkt, from, info.ipi_ifindex) ||
		!packet_push(pkt, packet_outer_len(&dst)) || pkt->len > PACKET_MAX_LEN)
		return false;
	packet_write_outer(pkt->data, &outer);
	packet_set_length(pkt);
	return true;
}

int wire_keep_alive(const struct wire *wire, const struct wire_path *path)
{
	uint8_t buffer[PACKET_HEADROOM + 64];
	struct sockaddr_storage ss;
	socklen_t len = address_to_sockaddr(&path->dst, 0, &ss);
	struct packet_outer outer = {
		.src = &path->src, .dst = &path->dst, .protocol = IPPROTO_UDP
	};
	struct packet pkt;
	uint8_t *udp;

	if (path->dst.family != AF_INET || path->src.family != AF_INET || wire->out4 < 0)
		return -EAFNOSUPPORT;
	packet_init(&pkt, buffer, sizeof(buffer));
	udp = packet_append(&pkt, ESP_UDP_HEADER + 1);
	if (!udp || !packet_push(&pkt, packet_outer_len(&path->dst)))
		return -ENOBUFS;
	store_be16(udp, path->src_port);
	store_be16(udp + 2, path->dst_port);
	store_be16(udp + 4, ESP_UDP_HEADER + 1);
	store_be16(udp + 6, 0);
	udp[ESP_UDP_HEADER] = KEEPALIVE_OCTET;
	packet_write_outer(pkt.data, &outer);
	pkt.data[8] = KEEPALIVE_TTL;
	packet_set_length(&pkt);
	return sendto(wire->out4, pkt.data, pkt.len, MSG_DONTWAIT, (const struct sockaddr *)&ss,
		       len) < 0
		       ? -errno
		       : 0;
}
