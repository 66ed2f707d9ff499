/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protected side: raw sockets that take ESP and AH from the network and send whole packets, UDP
 * sockets that take what is encapsulated for the way through NATs.
 */
#ifndef DATAPATH_WIRE_H
#define DATAPATH_WIRE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "services/datapath/packet/packet.h"
#include "services/datapath/io/path_mtu.h"
#include "services/datapath/io/path_table.h"

#define WIRE_BATCH	64
#define WIRE_MAX_INPUTS 10
#define WIRE_MAX_TUNS	65

struct wire_input {
	int fd;
	uint8_t family, protocol;
};

/* Shared by all workers: the kernel gives each packet to one reader. */
struct wire {
	struct wire_input inputs[WIRE_MAX_INPUTS];
	size_t n_inputs;
	int out4, out6; /* -1: the family is absent */
	/* Own devices, 0: none here. What comes in there was protected already. */
	_Atomic int tuns[WIRE_MAX_TUNS];
};

/* @tunnels: also take plain IP in IP. */
int wire_open(bool tunnels, struct wire *ret_wire) MUST_CHECK;
void wire_close(struct wire *wire);
/*
 * Also take UDP on port 4500 of both families; to be called before any port is made.
 * @kept: sockets of a former life, of IPv4 and IPv6; consumed, -1: there is none.
 * Return: 0, or why the port is not to be had; the rest of the wire is as it was.
 */
int wire_open_natt(struct wire *wire, int kept[static 2]) MUST_CHECK;
/* Number of one of our devices, 0: it is gone. Any time. */
void wire_set_tun(struct wire *wire, size_t which, int ifindex);
/* The socket for those of a family; -1: there is none. */
int wire_natt_fd(const struct wire *wire, uint8_t family);
/*
 * Another socket on that port, for a key manager: it gets what starts with the non-ESP marker for as
 * long as somebody has it open, and what it sends passes the lid.
 */
int wire_share_natt(uint8_t family, int *ret_fd) MUST_CHECK;

struct wire_path {
	struct address src, dst; /* src: unspecified: the system chooses */
	uint16_t src_port, dst_port;
};
/* RFC 3948 section 2.3, IPv4. Any thread. */
int wire_keep_alive(const struct wire *wire, const struct wire_path *path) MUST_CHECK;

/* One worker's side: scratch for batches and fragments. */
struct wire_port;
int wire_port_new(const struct wire *wire, struct path_mtu *mtus, struct path_copy *paths,
	struct wire_port **ret_port) MUST_CHECK; /* all borrowed */
struct wire_port *wire_port_free(struct wire_port *port);
DEFINE_CLEANUP(struct wire_port *, wire_port_free)

/*
 * Up to @n whole IP packets from one input; an IPv6 header is made again from what the kernel tells
 * of it. A packet that cannot be made whole has length 0. Return: how many, 0 when nothing is there.
 */
int wire_receive(struct wire_port *port, size_t input, struct packet **pkts, size_t n) MUST_CHECK;
/* An ICMP error about a packet of ours. */
struct wire_error {
	uint8_t protocol; /* of the input */
	struct address dst; /* where the packet was going to */
	uint32_t mtu; /* what fits, 0: the error says something else */
	size_t len;
	uint8_t bytes[16]; /* of the packet, behind its IP headers */
};
/* False: there is none. */
bool wire_next_error(struct wire_port *port, size_t input, struct wire_error *ret_error);
/*
 * Send with the bypass mark, in order; too long ones are fragmented when they may be.
 * @ret_sent: for each packet, whether the kernel took it.
 */
void wire_send(struct wire_port *port, struct packet *const *pkts, size_t n, bool *ret_sent);

#endif
