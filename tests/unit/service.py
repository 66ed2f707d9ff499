# SPDX-License-Identifier: GPL-2.0-or-later
"""A private bus, a file tree and real daemons on them, for tests of one service at a time."""

import os
import socket
import subprocess
from pathlib import Path

import dbus
import dbus.lowlevel

REPO = Path(__file__).resolve().parents[2]
STAGE = Path(os.environ.get("NETIPSEC_STAGE", REPO / "build/root"))
SBIN = STAGE / "usr/sbin"
PROPERTIES = "org.freedesktop.DBus.Properties"


class World:
    """One bus, one root directory; daemons started here end with it."""

    def __init__(self, root):
        self.root = root
        for name in ("etc/inet", "etc/netipsec", "run/netipsec", "var/lib/netipsec"):
            (root / name).mkdir(parents=True)
        self.bus_process = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.bus_process.stdout.readline().strip()
        self.daemons = []
        self.connection = dbus.bus.BusConnection(self.address)

    def env(self, **more):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DBUS_")}
        kept.pop("NOTIFY_SOCKET", None)
        return dict(kept, NETIPSEC_ROOT=str(self.root), DBUS_SYSTEM_BUS_ADDRESS=self.address, **more)

    def write(self, path, text):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)

    def run(self, *argv):
        return subprocess.run([SBIN / argv[0], *argv[1:]], env=self.env(), capture_output=True,
                              text=True, timeout=30, check=False)

    def start(self, *argv):
        daemon = Daemon(self, argv)
        self.daemons.append(daemon)
        return daemon

    def object(self, service):
        """The object of a service, such as "Ike1"; without asking for its introspection."""
        return self.connection.get_object(f"org.netipsec.{service}", f"/org/netipsec/{service}",
                                          introspect=False)

    def call(self, service, method, *args):
        return self.object(service).get_dbus_method(method, f"org.netipsec.{service}")(*args)

    def properties(self, service):
        get_all = self.object(service).get_dbus_method("GetAll", PROPERTIES)
        return dict(get_all(f"org.netipsec.{service}"))

    def end(self):
        for daemon in self.daemons:
            daemon.kill()
        self.connection.close()
        self.bus_process.kill()
        self.bus_process.wait()


class Daemon:
    """A daemon under a stand-in for the service manager's notify socket."""

    def __init__(self, world, argv):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = world.root / f"notify.{len(world.daemons)}"
        self.notify.bind(str(path))
        self.notify.settimeout(30)
        self.status = ""
        self.errno = 0
        self.process = subprocess.Popen(
            [SBIN / argv[0], *argv[1:]], env=world.env(NOTIFY_SOCKET=str(path)),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for(self, assignment):
        """Read notifications until one has this line."""
        while True:
            lines = self.notify.recv(4096).decode().splitlines()
            for line in lines:
                key, _, value = line.partition("=")
                if key == "STATUS":
                    self.status = value
                elif key == "ERRNO":
                    self.errno = int(value)
            if any(line.startswith(assignment) for line in lines):
                return

    def ready(self):
        self.wait_for("READY=1")
        return self

    def stop(self):
        self.process.terminate()
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.notify.close()


def read_memfd(unix_fd):
    """All bytes of a listing."""
    fd = unix_fd.take()
    try:
        return os.pread(fd, os.fstat(fd).st_size, 0).decode()
    finally:
        os.close(fd)


def send_signal(connection, service, name, signature, *args):
    message = dbus.lowlevel.SignalMessage(f"/org/netipsec/{service}", f"org.netipsec.{service}", name)
    message.append(*args, signature=signature)
    connection.send_message(message)
