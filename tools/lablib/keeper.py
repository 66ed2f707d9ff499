# SPDX-License-Identifier: GPL-2.0-or-later
"""The first process of a lab's pid namespace: while it lives the lab is up, when it ends all ends.

Whoever brings a lab up holds one end of a socket pair until the lab stands. If that end closes
before (interrupt, crash, SIGKILL), the keeper takes everything back.
"""

import json
import os
import select
import signal
import socket
import sys
import traceback

from lablib import linux, network, place, supervisor


class Failed(Exception):
    """The lab cannot come up, and why."""


def launch(lab, where, userns):
    """Fork the keeper; returns the conversation with it. Raises OSError if it may not be made."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    middle = os.fork()
    if middle:
        theirs.close()
        os.close(where.lock)
        os.waitpid(middle, 0)
        return ours
    status = 1
    try:
        ours.close()
        os.setsid()
        if userns:
            linux.enter_user_namespace()
        linux.unshare(linux.CLONE_NEWPID | linux.CLONE_NEWNS | linux.CLONE_NEWNET)
        if os.fork() == 0:
            _become_keeper(lab, where, userns, theirs)
        status = 0
    except OSError as why:
        theirs.send(json.dumps({"state": "forbidden", "why": str(why)}).encode())
    finally:
        os._exit(status)


def _become_keeper(lab, where, userns, client):
    """Never returns."""
    try:
        _redirect(where)
        keeper = Keeper(lab, where, userns, client)
        try:
            keeper.bring_up()
        except (Failed, network.NetworkError, OSError) as why:
            client.send(json.dumps({"state": "failed", "why": str(why)}).encode())
            keeper.take_back()
        else:
            keeper.stay()
    except BaseException:
        client.send(json.dumps({"state": "failed", "why": traceback.format_exc()}).encode())
    finally:
        os._exit(1)


def _redirect(where):
    """Hold no terminal and no pipe of whoever brought the lab up."""
    null = os.open("/dev/null", os.O_RDONLY)
    log = os.open(os.path.join(where.path, "keeper.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)


class Keeper:
    """Makes the hosts, then reaps their orphans."""

    def __init__(self, lab, where, userns, client):
        self.lab = lab
        self.where = where
        self.userns = userns
        self.client = client
        self.control = place.listen(where.path)
        self.hosts = {}  # name: (pid, socket)
        linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
        try:
            linux.mount("proc", "/proc", "proc")
        except PermissionError:
            pass  # some containers forbid it; the machine's own shows the processes too

    def bring_up(self):
        for host in self.lab.hosts.values():
            self._fork_host(host)
        self._await("separate")
        network.make_links(self.lab, {name: pid for name, (pid, _) in self.hosts.items()})
        for _, sock in self.hosts.values():
            sock.send(b"links")
        self._await("ready")
        self.where.describe({"hosts": list(self.hosts), "file": self.lab.path,
                             "userns": self.userns, "env": self.where.env})
        self.client.send(json.dumps({"state": "ready"}).encode())
        if not self.client.recv(16):
            raise Failed("nobody waited for it")
        for _, sock in self.hosts.values():
            sock.close()

    def _fork_host(self, host):
        os.makedirs(self.where.host_path(host.name))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid:
            theirs.close()
            self.hosts[host.name] = (pid, ours)
            return
        try:
            ours.close()
            for _, sock in self.hosts.values():
                sock.close()
            self.client.close()
            self.control.close()
            os.close(self.where.lock)
            supervisor.run(self.lab, host, self.where, theirs)
        except (network.NetworkError, OSError) as why:
            theirs.send(json.dumps({"state": "failed", "why": str(why)}).encode())
        except BaseException:
            theirs.send(json.dumps({"state": "failed", "why": traceback.format_exc()}).encode())
        finally:
            os._exit(1)

    def _await(self, state):
        """Wait until every host has said so; the client's end of file ends the wait."""
        poll = select.poll()
        names = {}
        poll.register(self.client, select.POLLIN)
        for name, (_, sock) in self.hosts.items():
            names[sock.fileno()] = name
            poll.register(sock, select.POLLIN)
        waiting = set(self.hosts)
        while waiting:
            for fd, _ in poll.poll():
                if fd == self.client.fileno():
                    raise Failed("interrupted")
                name = names[fd]
                data = self.hosts[name][1].recv(1 << 16)
                said = json.loads(data) if data else {"state": "failed", "why": "it ended"}
                if said["state"] != state:
                    raise Failed(f"{name}: {said['why']}")
                waiting.discard(name)

    def take_back(self):
        """End every other process of the lab, then its directory."""
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            while True:
                os.wait()
        except ChildProcessError:
            pass
        self.where.remove()

    def stay(self):
        """Reap what the hosts leave to the first process; end when no host is left."""
        self.client.close()
        names = {pid: name for name, (pid, _) in self.hosts.items()}
        while names:
            pid, status = os.wait()
            if pid in names:
                code = os.waitstatus_to_exitcode(status)
                print(f"host {names.pop(pid)} ended with {code}", file=sys.stderr, flush=True)
        self.take_back()
