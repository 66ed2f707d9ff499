/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections of the PF_KEY door: who they are, what waits for them. */
#include "services/datapath/pfkey/pfkey_door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/listen.h"
#include "common/base/secret.h"
#include "services/datapath/pfkey/pfkey_door_parts.h"
#include "services/datapath/pfkey/pfkey_linux.h"

#define BACKLOG	       16
#define REQUEST_BYTES  (64U << 10)
#define MAX_GROUPS     1024
#define READS_PER_TURN 16 /* then others have their turn */

static void packet_free(struct pfkey_packet *packet)
{
	secret_wipe(packet->bytes, packet->len); /* it may hold keys */
	free(packet);
}

static void peer_free(struct pfkey_peer *peer)
{
	struct pfkey_packet *next;

	sd_event_source_disable_unref(peer->source);
	fd_closep(&peer->fd);
	for (struct pfkey_packet *at = peer->first; at; at = next) {
		next = at->next;
		packet_free(at);
	}
	sad_cursor_close(&peer->dump.cursor);
	free(peer);
}

static void peer_close(struct pfkey_peer *peer)
{
	peer->gone = true;
	(void)sd_event_source_set_enabled(peer->source, SD_EVENT_OFF);
}

void pfkey_count_managers(struct pfkey_door *door)
{
	const unsigned int ah = SADB_MANAGED(SA_PROTO_AH), esp = SADB_MANAGED(SA_PROTO_ESP);
	unsigned int protos = 0;

	for (const struct pfkey_peer *peer = door->peers; peer; peer = peer->next) {
		if (peer->extended || peer->registered & 1U << PFKEY_SATYPE_AH)
			protos |= ah;
		if (peer->extended || peer->registered & 1U << PFKEY_SATYPE_ESP)
			protos |= esp;
	}
	sadb_managers_changed(door->sadb, protos);
}

/* Free who has gone; never while somebody walks the list or handles one of them. */
static void sweep(struct pfkey_door *door)
{
	struct pfkey_peer **link = &door->peers, *peer;
	bool was_manager = false, was_policy = false;

	while ((peer = *link)) {
		if (!peer->gone) {
			link = &peer->next;
			continue;
		}
		*link = peer->next;
		door->n_peers--;
		was_manager |= peer->registered != 0;
		if (pfkey_linux_forget(door->policies, peer->number)) {
			was_policy = true;
			pfkey_audit_message(
				peer, PFKEY_LINUX_SPDFLUSH, "its connection has ended", 0);
		}
		peer_free(peer);
	}
	if (was_policy)
		pfkey_linux_enforce_rest(door);
	if (was_manager)
		pfkey_count_managers(door);
}

void pfkey_peer_wake(struct pfkey_peer *peer)
{
	(void)sd_event_source_set_io_events(peer->source, EPOLLIN | EPOLLOUT);
}

/* True: it went out; false: the socket is full or gone. */
static bool send_now(struct pfkey_peer *peer, const void *bytes, size_t len)
{
	if (send(peer->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
		peer_close(peer);
	return false;
}

void pfkey_send(struct pfkey_peer *peer, const void *bytes, size_t len)
{
	struct pfkey_packet *packet;

	if (peer->gone || (!peer->first && send_now(peer, bytes, len)) || peer->gone)
		return;
	packet = peer->queued_bytes + len > PFKEY_DOOR_QUEUE_BYTES ? NULL
								   : malloc(sizeof(*packet) + len);
	if (!packet) {
		peer->has_lost = true;
		return;
	}
	packet->next = NULL;
	packet->len = len;
	memcpy(packet->bytes, bytes, len);
	*peer->last = packet;
	peer->last = &packet->next;
	peer->queued_bytes += len;
	pfkey_peer_wake(peer);
}

static void flush_queue(struct pfkey_peer *peer)
{
	while (peer->first && send_now(peer, peer->first->bytes, peer->first->len)) {
		struct pfkey_packet *packet = peer->first;

		peer->first = packet->next;
		if (!peer->first)
			peer->last = &peer->first;
		peer->queued_bytes -= packet->len;
		packet_free(packet);
	}
}

static void on_writable(struct pfkey_peer *peer)
{
	flush_queue(peer);
	if (!peer->gone && !peer->first && peer->has_lost)
		pfkey_tell_lost(peer);
	/* Still writable then: it comes back when others had their turn. */
	for (int i = 0; i < PFKEY_DUMP_PER_TURN && !peer->gone && !peer->first &&
			peer->dump.going && pfkey_dump_step(peer);)
		i++;
	if (!peer->gone && !peer->first && !peer->dump.going)
		(void)sd_event_source_set_io_events(peer->source, EPOLLIN);
}

static void on_readable(struct pfkey_peer *peer)
{
	uint8_t *buffer = malloc(REQUEST_BYTES);

	if (!buffer) {
		peer_close(peer);
		return;
	}
	for (int i = 0; i < READS_PER_TURN && !peer->gone; i++) {
		ssize_t n = recv(peer->fd, buffer, REQUEST_BYTES, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) { /* nobody sends an empty packet on purpose */
			peer_close(peer);
			break;
		}
		pfkey_handle(peer, buffer, (size_t)n < REQUEST_BYTES ? (size_t)n : REQUEST_BYTES,
			(size_t)n > REQUEST_BYTES);
		secret_wipe(buffer, (size_t)n < REQUEST_BYTES ? (size_t)n : REQUEST_BYTES);
	}
	free(buffer);
}

static int on_peer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct pfkey_peer *peer = userdata;
	struct pfkey_door *door = peer->door;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT)
		on_writable(peer);
	if (revents & EPOLLIN && !peer->gone)
		on_readable(peer);
	if (revents & (EPOLLHUP | EPOLLERR) && !(revents & EPOLLIN))
		peer_close(peer);
	sweep(door);
	return 0;
}

static bool in_group(const gid_t *groups, size_t n, gid_t primary, gid_t wanted)
{
	if (wanted == (gid_t)-1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (groups[i] == wanted)
			return true;
	return primary == wanted;
}

/* Rights are those at the time of connecting, as the kernel knows them. */
static int learn_rights(struct pfkey_peer *peer)
{
	CLEANUP(freep) gid_t *groups = calloc(MAX_GROUPS, sizeof(*groups));
	struct ucred cred;
	socklen_t len = sizeof(cred), groups_len = MAX_GROUPS * sizeof(*groups);
	bool trusted;

	if (!groups)
		return -ENOMEM;
	if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) < 0)
		groups_len = 0;
	trusted = cred.uid == 0 || cred.uid == geteuid();
	peer->uid = cred.uid;
	peer->pid = cred.pid;
	peer->may_change = trusted || in_group(groups, groups_len / sizeof(*groups), cred.gid,
					      peer->door->groups.admin);
	peer->right = cred.uid == 0	 ? "root"
		      : trusted		 ? "own user"
		      : peer->may_change ? "group ipsecadm"
					 : "none";
	peer->sees_keys = trusted || in_group(groups, groups_len / sizeof(*groups), cred.gid,
					     peer->door->groups.keys);
	return 0;
}

static size_t strangers(const struct pfkey_door *door)
{
	size_t n = 0;

	for (const struct pfkey_peer *peer = door->peers; peer; peer = peer->next)
		n += pfkey_is_stranger(peer);
	return n;
}

static int serve(struct pfkey_door *door, int fd, enum pfkey_dialect dialect)
{
	struct pfkey_peer *peer = NULL;
	int r = door->n_peers < PFKEY_DOOR_MAX_PEERS ? 0 : -EMFILE;

	if (r == 0) {
		peer = calloc(1, sizeof(*peer));
		r = peer ? 0 : -ENOMEM;
	}
	if (r < 0) {
		fd_closep(&fd);
		return r;
	}
	peer->door = door;
	peer->dialect = dialect;
	peer->fd = fd;
	peer->last = &peer->first;
	peer->number = ++door->next_number;
	r = learn_rights(peer);
	if (r == 0 && pfkey_is_stranger(peer) && strangers(door) >= PFKEY_DOOR_MAX_STRANGERS)
		r = -EMFILE;
	if (r == 0)
		r = sd_event_add_io(door->event, &peer->source, fd, EPOLLIN, on_peer, peer);
	if (r < 0) {
		peer_free(peer);
		return r;
	}
	peer->next = door->peers;
	door->peers = peer;
	door->n_peers++;
	return 0;
}

int pfkey_door_serve(struct pfkey_door *door, int fd)
{
	return serve(door, fd, PFKEY_SOLARIS);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct pfkey_listener *listener = userdata;
	struct pfkey_door *door = listener->door;
	int peer;

	(void)source;
	(void)revents;
	sweep(door);
	peer = listen_accept(fd, &listener->spare);
	if (peer >= 0)
		/* Who is one too many sees the end at once. */
		(void)!serve(door, peer, (enum pfkey_dialect)(listener - door->listeners));
	return 0;
}

static int listen_at(struct pfkey_door *door, enum pfkey_dialect dialect, const char *path)
{
	struct pfkey_listener *listener = &door->listeners[dialect];
	int r = listen_open(
		&(struct listen_at){
			.path = path, .mode = 0666, .group = (gid_t)-1, .backlog = BACKLOG },
		&listener->fd);

	if (r < 0)
		return r;
	listener->door = door;
	listener->spare = listen_spare(listener->fd);
	listener->path = strdup(path);
	if (!listener->path)
		return -ENOMEM;
	return sd_event_add_io(
		door->event, &listener->source, listener->fd, EPOLLIN, on_connection, listener);
}

int pfkey_door_new(sd_event *event, struct sadb *sadb, const char *path,
	const struct pfkey_door_groups *groups, struct pfkey_door **ret_door)
{
	CLEANUP(pfkey_door_freep) struct pfkey_door *door = calloc(1, sizeof(*door));
	int r;

	if (!door)
		return -ENOMEM;
	for (size_t i = 0; i < PFKEY_DIALECTS; i++)
		door->listeners[i].fd = door->listeners[i].spare = -1;
	door->event = sd_event_ref(event);
	door->sadb = sadb;
	door->groups = *groups;
	r = sadb_listen(sadb, pfkey_on_event, door);
	if (r == 0)
		r = listen_at(door, PFKEY_SOLARIS, path);
	if (r < 0)
		return r;
	*ret_door = STEAL(door);
	return 0;
}

int pfkey_door_listen_linux(
	struct pfkey_door *door, const char *path, const struct pfkey_door_policy *policy)
{
	int r = pfkey_linux_policies_new(policy, &door->policies);

	return r < 0 ? r : listen_at(door, PFKEY_LINUX, path);
}

static void listener_done(struct pfkey_listener *listener)
{
	sd_event_source_disable_unref(listener->source);
	fd_closep(&listener->fd);
	fd_closep(&listener->spare);
	if (listener->path)
		(void)unlink(listener->path);
	free(listener->path);
}

struct pfkey_door *pfkey_door_free(struct pfkey_door *door)
{
	if (!door)
		return NULL;
	sadb_unlisten(door->sadb, pfkey_on_event, door);
	/* We stop, they do not: what is protected stays so until another of us has read the policy. */
	door->policies = pfkey_linux_policies_free(door->policies);
	for (struct pfkey_peer *peer = door->peers; peer; peer = peer->next)
		peer->gone = true;
	sweep(door);
	pfkey_audit_done(door);
	for (size_t i = 0; i < PFKEY_DIALECTS; i++)
		listener_done(&door->listeners[i]);
	sd_event_unref(door->event);
	free(door);
	return NULL;
}

void pfkey_door_tick(struct pfkey_door *door)
{
	pfkey_linux_expire(door);
}

size_t pfkey_door_peers(const struct pfkey_door *door)
{
	size_t n = 0;

	for (const struct pfkey_peer *peer = door->peers; peer; peer = peer->next)
		n += !peer->gone;
	return n;
}
