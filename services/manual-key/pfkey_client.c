/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/pfkey_client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "common/base/memfd.h"
#include "common/base/secret.h"
#include "common/base/text.h"

#define ANSWER_USEC (10 * USEC_PER_SEC)

struct pfkey_client {
	int fd;
	uint32_t pid, seq;
	uint8_t type; /* of what was asked last */
	size_t len; /* of the last message */
	uint8_t buffer[PFKEY_MAX_BYTES]; /* may hold keys */
};

struct pfkey_client *pfkey_client_free(struct pfkey_client *client)
{
	if (client) {
		fd_closep(&client->fd);
		secret_wipe(client->buffer, sizeof(client->buffer));
		free(client);
	}
	return NULL;
}

int pfkey_client_new(struct pfkey_client **ret_client)
{
	CLEANUP(pfkey_client_freep) struct pfkey_client *client = calloc(1, sizeof(*client));
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(PFKEY_DOOR_PATH, &path);

	if (client)
		client->fd = -1;
	if (r < 0 || !client)
		return -ENOMEM;
	client->pid = (uint32_t)getpid();
	client->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return -errno;
	r = text_copy(address.sun_path, sizeof(address.sun_path), path);
	if (r < 0)
		return r;
	if (connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_client = STEAL(client);
	return 0;
}

/* What was sent or received last. */
static void forget(struct pfkey_client *client)
{
	secret_wipe(client->buffer, client->len);
	client->len = 0;
}

/* As recv(): the next message, in the place of the last. */
static ssize_t take(struct pfkey_client *client)
{
	ssize_t n;

	forget(client);
	n = recv(client->fd, client->buffer, sizeof(client->buffer), MSG_DONTWAIT);
	client->len = n > 0 ? (size_t)n : 0;
	return n;
}

int pfkey_client_send(struct pfkey_client *client, struct pfkey_message *msg)
{
	size_t len = 0;
	ssize_t n;
	int r;

	msg->pid = client->pid;
	msg->seq = ++client->seq;
	client->type = msg->type;
	forget(client);
	r = pfkey_encode(msg, PFKEY_REQUEST, client->buffer, sizeof(client->buffer), &len);
	if (r < 0)
		return r;
	n = send(client->fd, client->buffer, len, MSG_NOSIGNAL);
	client->len = len;
	return n < 0 ? -errno : 0;
}

/* Until something is to be read. */
static int await(const struct pfkey_client *client, uint64_t until_usec)
{
	uint64_t now = clock_boot_usec();
	struct pollfd pfd = { .fd = client->fd, .events = POLLIN };
	int r;

	if (now >= until_usec)
		return -ETIMEDOUT;
	r = poll(&pfd, 1, (int)((until_usec - now + 999) / 1000));
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 ? -ETIMEDOUT : 1;
}

/* Everybody hears most answers. The messages of a dump count down to 0, the last. */
static bool is_ours(const struct pfkey_client *client, const struct pfkey_message *msg)
{
	return msg->pid == client->pid && msg->type == client->type &&
	       (msg->seq == client->seq || msg->type == PFKEY_DUMP);
}

int pfkey_client_receive(struct pfkey_client *client, struct pfkey_message **ret_msg)
{
	uint64_t until_usec = clock_boot_usec() + ANSWER_USEC;
	struct pfkey_fault fault;

	for (;;) {
		CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
		ssize_t n;
		int r = await(client, until_usec);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		n = take(client);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		r = pfkey_decode(client->buffer, (size_t)n, PFKEY_ANSWER, &msg, &fault);
		if (r < 0)
			return r == -ENOMEM ? r : -EBADMSG;
		if (is_ours(client, msg)) {
			*ret_msg = STEAL(msg);
			return 0;
		}
	}
}

int pfkey_client_listen(struct pfkey_client *client, bool to_all)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = pfkey_message_new();
	CLEANUP(pfkey_message_freep) struct pfkey_message *answer = NULL;
	int r;

	if (!msg)
		return -ENOMEM;
	/* A request for nothing in particular: who may not even look is told so now. */
	msg->type = to_all ? PFKEY_X_PROMISC : PFKEY_GET;
	msg->satype = to_all ? 1 : PFKEY_SATYPE_ESP; /* of the former it is a switch */
	r = pfkey_client_send(client, msg);
	if (r == 0)
		r = pfkey_client_receive(client, &answer);
	if (r == 0 && answer && (to_all ? answer->error != 0 : answer->error == EPERM))
		r = -answer->error;
	return r;
}

/* A request of somebody else is told as it was made. */
static int decode_any(const struct pfkey_client *client, struct pfkey_message **ret_msg)
{
	struct pfkey_fault fault;
	int r = pfkey_decode(client->buffer, client->len, PFKEY_ANSWER, ret_msg, &fault);

	if (r < 0 && r != -ENOMEM)
		r = pfkey_decode(client->buffer, client->len, PFKEY_REQUEST, ret_msg, &fault);
	if (r < 0)
		*ret_msg = NULL;
	return r == -ENOMEM ? r : 1;
}

int pfkey_client_hear(struct pfkey_client *client, int stop_fd, struct pfkey_message **ret_msg)
{
	for (;;) {
		struct pollfd pfds[] = {
			{ .fd = client->fd, .events = POLLIN },
			{ .fd = stop_fd, .events = POLLIN },
		};
		ssize_t n;

		if (poll(pfds, ARRAY_SIZE(pfds), -1) < 0 && errno != EINTR)
			return -errno;
		if (pfds[1].revents)
			return 0;
		n = take(client);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		return decode_any(client, ret_msg);
	}
}

const uint8_t *pfkey_client_bytes(const struct pfkey_client *client, size_t *ret_len)
{
	*ret_len = client->len;
	return client->buffer;
}
