/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protected side: raw sockets that take ESP and AH from the network and send whole packets. */
#ifndef DATAPATH_WIRE_H
#define DATAPATH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "services/datapath/packet/packet.h"
#include "services/datapath/io/path_mtu.h"
#include "services/datapath/io/path_table.h"

#define WIRE_BATCH	64
#define WIRE_MAX_INPUTS 8

struct wire_input {
	int fd;
	uint8_t family, protocol;
};

/* Shared by all workers: the kernel gives each packet to one reader. */
struct wire {
	struct wire_input inputs[WIRE_MAX_INPUTS];
	size_t n_inputs;
	int out4, out6; /* -1: the family is absent */
};

/* @tunnels: also take plain IP in IP. */
int wire_open(bool tunnels, struct wire *ret_wire) MUST_CHECK;
void wire_close(struct wire *wire);

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
