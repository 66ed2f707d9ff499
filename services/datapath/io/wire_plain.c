/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/io/wire_plain.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/bytes.h"

#define WORDS_MAX    8U /* two IPv6 addresses */
#define PROGRAM_MAX  ((WIRE_MAX_TUNS) * (2 * WORDS_MAX + 1) + 1)
#define IPV4_SRC_AT  12U
#define IPV6_SRC_AT  8U
#define WHOLE_PACKET UINT32_MAX

/* The rest of a packet's source and destination is compared word by word. */
static size_t add_ends(struct sock_filter *code, uint8_t family, const struct wire_ends *ends)
{
	size_t half = address_len(family) / sizeof(uint32_t), words = 2 * half, n = 0;
	uint32_t at = (uint32_t)SKF_NET_OFF + (family == AF_INET ? IPV4_SRC_AT : IPV6_SRC_AT);

	for (size_t i = 0; i < words; i++) {
		const uint8_t *bytes = i < half ? ends->remote->bytes : ends->local->bytes;
		uint32_t word = load_be32(bytes + (i < half ? i : i - half) * sizeof(uint32_t));
		uint8_t rest = (uint8_t)(2 * (words - i) - 1);

		code[n++] = (struct sock_filter)BPF_STMT(
			BPF_LD | BPF_W | BPF_ABS, at + (uint32_t)(i * sizeof(uint32_t)));
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word, 0, rest);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, WHOLE_PACKET);
	return n;
}

static int attach(int fd, uint8_t family, const struct wire_ends *ends, size_t n_ends)
{
	CLEANUP(freep) struct sock_filter *code = calloc(PROGRAM_MAX, sizeof(*code));
	struct sock_fprog program = { .filter = code };
	size_t n = 0;

	if (!code)
		return -ENOMEM;
	for (size_t i = 0; i < n_ends && i < WIRE_MAX_TUNS; i++)
		if (ends[i].local->family == family)
			n += add_ends(&code[n], family, &ends[i]);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	program.len = (unsigned short)n;
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

int wire_admit_plain(const struct wire *wire, const struct wire_ends *ends, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < wire->n_inputs && r == 0; i++) {
		const struct wire_input *input = &wire->inputs[i];

		if (input->protocol == IPPROTO_IPIP || input->protocol == IPPROTO_IPV6)
			r = attach(input->fd, input->family, ends, n);
	}
	return r;
}
