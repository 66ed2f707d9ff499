/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/keys_sender.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/daemon/keys_door.h"

#define ANSWER_USEC (10 * USEC_PER_SEC)

struct keys_sender {
	int fd;
	sd_event_source *io, *timer;
	keys_sender_fn on_sent;
	void *userdata;
};

static void sent(struct keys_sender *sender, int result)
{
	keys_sender_fn on_sent = sender->on_sent;

	sender->on_sent = NULL;
	sender->io = sd_event_source_disable_unref(sender->io);
	sender->timer = sd_event_source_disable_unref(sender->timer);
	if (on_sent)
		on_sent(result, sender->userdata);
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	uint8_t answer = KEYS_DOOR_REFUSED;
	ssize_t n = recv(fd, &answer, sizeof(answer), 0);

	(void)source;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		sent(userdata, -errno);
	else
		sent(userdata, n == 0 ? -ECONNRESET : answer == KEYS_DOOR_TAKEN ? 0 : -EACCES);
	return 0;
}

static int on_silence(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	sent(userdata, -ETIMEDOUT);
	return 0;
}

static int knock(int *ret_fd)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(freep) char *path = NULL;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r = file_system_path(KEYS_DOOR_PATH, &path);

	if (r == 0)
		r = text_copy(address.sun_path, sizeof(address.sun_path), path);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int send_fd(int door, const uint8_t *bytes, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	return sendmsg(door, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int hand_over(int door, const struct snapshot_bytes *snap, uint64_t generation)
{
	CLEANUP(fd_closep) int memfd = -1;
	uint8_t message[KEYS_DOOR_BYTES];
	struct writer wr;
	int r = snapshot_seal(snap, SECTION_KEYS, &memfd);

	if (r < 0)
		return r;
	writer_init(&wr, message, sizeof(message));
	(void)write_bytes(&wr, KEYS_DOOR_MAGIC, KEYS_DOOR_MAGIC_BYTES);
	(void)write_le32(&wr, KEYS_DOOR_VERSION);
	(void)write_le64(&wr, generation);
	(void)write_bytes(&wr, snap->hash, sizeof(snap->hash));
	return wr.failed ? -EINVAL : send_fd(door, message, writer_used(&wr), memfd);
}

int keys_sender_new(sd_event *event, const struct snapshot_bytes *snap, uint64_t generation,
	keys_sender_fn on_sent, void *userdata, struct keys_sender **ret_sender)
{
	CLEANUP(keys_sender_freep) struct keys_sender *sender = calloc(1, sizeof(*sender));
	int r;

	if (!sender)
		return -ENOMEM;
	sender->fd = -1;
	sender->on_sent = on_sent;
	sender->userdata = userdata;
	r = knock(&sender->fd);
	if (r == 0)
		r = hand_over(sender->fd, snap, generation);
	if (r == 0)
		r = sd_event_add_io(event, &sender->io, sender->fd, EPOLLIN, on_answer, sender);
	if (r >= 0)
		r = sd_event_add_time_relative(
			event, &sender->timer, CLOCK_MONOTONIC, ANSWER_USEC, 0, on_silence, sender);
	if (r < 0)
		return r;
	*ret_sender = STEAL(sender);
	return 0;
}

struct keys_sender *keys_sender_free(struct keys_sender *sender)
{
	if (!sender)
		return NULL;
	(void)sd_event_source_disable_unref(sender->io);
	(void)sd_event_source_disable_unref(sender->timer);
	fd_closep(&sender->fd);
	free(sender);
	return NULL;
}
