# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a lab's state lives on disk, and who holds it.

BASE/NAME/ is one lab. Its keeper process holds a flock on that directory for as long as it lives,
so whether a lab is up is a question to the kernel and no recorded process id can mislead.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import socket

from lablib import linux

CONTROL = "control"
DESCRIPTION = "lab.json"


def default_base():
    """LAB_DIR, or the runtime directory of the user."""
    if os.environ.get("LAB_DIR"):
        return os.path.abspath(os.environ["LAB_DIR"])
    if os.environ.get("XDG_RUNTIME_DIR") and os.geteuid() != 0:
        return os.path.join(os.environ["XDG_RUNTIME_DIR"], "netipsec-lab")
    return "/run/netipsec-lab" if os.geteuid() == 0 else f"/tmp/netipsec-lab-{os.geteuid()}"


class Place:
    """The directory of one lab."""

    def __init__(self, base, name):
        self.base = base
        self.path = os.path.join(base, name)
        self.lock = None
        self.stage = None  # staged installation and environment: set while it is brought up
        self.env = {}

    def host_path(self, host):
        return os.path.join(self.path, "hosts", host)

    def claim(self):
        """Make the directory ours and empty; False when a living lab holds it."""
        os.makedirs(self.base, mode=0o700, exist_ok=True)
        if os.stat(self.base).st_uid != os.geteuid():
            raise PermissionError(1, "belongs to another user", self.base)
        while self.lock is None:
            try:
                os.mkdir(self.path, 0o755)
            except FileExistsError:
                pass
            try:
                self.lock = self._lock()
            except FileNotFoundError:
                continue  # taken away between mkdir and open: another `down` ended
            except BlockingIOError:
                return False
        for entry in os.scandir(self.path):
            _remove(entry.path)
        return True

    def _lock(self):
        """A descriptor with the directory locked."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A directory that was removed while we waited is another one.
            if os.fstat(fd).st_ino != os.stat(self.path).st_ino:
                raise FileNotFoundError
        except OSError:
            os.close(fd)
            raise
        return fd

    def is_up(self):
        try:
            os.close(self._lock())
        except BlockingIOError:
            return True
        except FileNotFoundError:
            pass
        return False

    def describe(self, what):
        """Record what the commands need to know of a lab that is up."""
        with open(os.path.join(self.path, DESCRIPTION + ".new"), "w", encoding="utf-8") as file:
            json.dump(what, file)
        os.rename(os.path.join(self.path, DESCRIPTION + ".new"),
                  os.path.join(self.path, DESCRIPTION))

    def description(self):
        """What describe() recorded, or None while no lab is up."""
        try:
            with open(os.path.join(self.path, DESCRIPTION), encoding="utf-8") as file:
                return json.load(file) if self.is_up() else None
        except FileNotFoundError:
            return None

    def kill(self):
        """End the keeper and with it every process of the lab; returns when they are gone."""
        try:
            with connect(self.path) as connection:
                keeper = os.pidfd_open(linux.peer_pid(connection))
        except (FileNotFoundError, ConnectionRefusedError, ProcessLookupError):
            return
        try:
            signal.pidfd_send_signal(keeper, signal.SIGKILL)
        except ProcessLookupError:
            pass
        wait_gone(keeper)

    def remove(self):
        """Take the directory away, and the base once it is empty."""
        _remove(self.path)
        try:
            os.rmdir(self.base)
        except OSError:
            pass  # other labs are there, or it is not ours to remove


def wait_gone(pidfd):
    """Wait until this process has ended; for the first of a pid namespace: all in it."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll()
    os.close(pidfd)


def _remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


def _short(directory_fd):
    # A Unix socket's path holds 107 bytes; a state directory's may be longer.
    return f"/proc/self/fd/{directory_fd}/{CONTROL}"


def listen(directory):
    """The control socket in this directory, listening in the name of this process."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.bind(_short(fd))
    os.close(fd)
    sock.listen(64)
    return sock


def connect(directory):
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.connect(_short(fd))
    except OSError:
        sock.close()
        raise
    finally:
        os.close(fd)
    return sock
