# SPDX-License-Identifier: GPL-2.0-or-later
"""A private bus, a file tree and real daemons on them, for tests of one service at a time."""

import fcntl
import hashlib
import json
import os
import queue
import socket
import subprocess
import threading
from pathlib import Path

import dbus
import dbus.lowlevel
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop, threads_init
from gi.repository import GLib

REPO = Path(__file__).resolve().parents[2]
STAGE = Path(os.environ.get("NETIPSEC_STAGE", REPO / "build/root"))
SBIN = STAGE / "usr/sbin"
PROPERTIES = "org.freedesktop.DBus.Properties"


# As a system bus that refuses nothing: what a daemon itself refuses is under test.
BUS_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""


class World:
    """One bus, one root directory; daemons started here end with it."""

    def __init__(self, root):
        self.root = root
        for name in ("etc/inet", "etc/netipsec", "run/netipsec", "var/lib/netipsec"):
            (root / name).mkdir(parents=True)
        (root / "bus.conf").write_text(BUS_CONFIG)
        self.bus_process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={root}/bus.conf", "--nofork", "--print-address=1"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.bus_process.stdout.readline().strip()
        self.daemons = []
        self.datapaths = []
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
        file.chmod(0o644)  # whatever the tester's umask is

    def run(self, *argv):
        return subprocess.run([SBIN / argv[0], *argv[1:]], env=self.env(), capture_output=True,
                              text=True, timeout=30, check=False)

    def start(self, *argv, env=None, prefix=()):
        daemon = Daemon(self, [*prefix, SBIN / argv[0], *argv[1:]], env or {})
        self.daemons.append(daemon)
        return daemon

    def datapath(self, refuse=None, sections=None, trial=None):
        made = FakeDatapath(self, refuse, sections, trial)
        self.datapaths.append(made)
        return made

    def datapath_ends(self, datapath):
        self.datapaths.remove(datapath)
        datapath.end()

    def wait_for_name(self, name, daemon):
        """Until the daemon owns its name, which it may long before it is ready."""
        script = ["gdbus", "wait", "--address", self.address, "--timeout", "30", name]
        done = subprocess.run(script, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            daemon.process.kill()
            raise AssertionError(f"{name} has no owner: {daemon.process.communicate()[1]}")

    def object(self, service):
        """The object of a service, such as "Ike1"; without asking for its introspection."""
        return self.connection.get_object(f"org.netipsec.{service}", f"/org/netipsec/{service}",
                                          introspect=False)

    def call(self, service, method, *args):
        return self.object(service).get_dbus_method(method, f"org.netipsec.{service}")(*args)

    def wait_for_properties(self, service):
        """From now on: a function that waits until properties change, and says what one is then."""
        connection = dbus.bus.BusConnection(self.address, mainloop=DBusGMainLoop())
        FakeDatapath.closed.append(connection)
        told = queue.Queue()
        connection.add_signal_receiver(lambda _interface, changed, _gone: told.put(changed),
                                       "PropertiesChanged", PROPERTIES, f"org.netipsec.{service}")

        def wait(name):
            while True:
                changed = told.get(timeout=30)
                if name in changed:
                    return changed[name]
        return wait

    def properties(self, service):
        get_all = self.object(service).get_dbus_method("GetAll", PROPERTIES)
        return dict(get_all(f"org.netipsec.{service}"))

    def end(self):
        for daemon in self.daemons:
            daemon.kill()
        for datapath in self.datapaths:
            datapath.end()
        self.connection.close()
        self.bus_process.kill()
        self.bus_process.wait()


class Daemon:
    """A daemon under a stand-in for the service manager's notify socket."""

    def __init__(self, world, argv, env):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = world.root / f"notify.{len(world.daemons)}"
        self.notify.bind(str(path))
        self.notify.settimeout(30)
        self.status = ""
        self.errno = 0
        self.process = subprocess.Popen(
            argv, env=world.env(NOTIFY_SOCKET=str(path), **env),
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
        _, errors = self.process.communicate()
        print(errors or "", end="")  # shown beside a test that failed
        self.notify.close()


class FakeDatapath:
    """The datapath's side of the publish contract, in a thread with a connection of its own."""

    NAME = "org.netipsec.Datapath1"
    # Closed connections are kept: the loop of a later test, which runs the same context, still
    # dispatches their end, and python's binding fails in whatever it does then without the object.
    closed = []

    def __init__(self, world, refuse=None, sections=None, trial=None):
        threads_init()
        self.refuse = refuse  # message of the error that Publish answers
        self.refuse_with = "Invalid"
        self.usable = [(2, 5), (3, 12)]  # protocol and number of algorithms
        self.sections = sections or {}  # name: (generation, hash, bytes)
        self.published = queue.Queue()  # names, after they came into force
        self.trial = trial  # what a publication on trial took the place of
        self.confirm_usec = None  # of the last publication that asked for a trial
        self.stale_answers = 0  # how many calls of Publish find that somebody was faster
        self.context = GLib.MainLoop()
        self.connection = dbus.bus.BusConnection(world.address, mainloop=DBusGMainLoop())
        self.object = self._object()
        assert self.connection.request_name(self.NAME) == 1
        self.thread = threading.Thread(target=self.context.run)
        self.thread.start()

    def _object(fake):  # pylint: disable=no-self-argument
        class Object(dbus.service.Object):
            @dbus.service.method(fake.NAME, "s", "tays")
            def GetSection(self, section):
                if section not in fake.sections:
                    return dbus.UInt64(0), dbus.Array([], "y"), "absent"
                generation, digest, _ = fake.sections[section]
                trying = fake.trial and section == "policy"
                return dbus.UInt64(generation), dbus.ByteArray(digest), "trial" if trying else "enforced"

            @dbus.service.method(fake.NAME, "stha{sv}", "t")
            def Publish(self, section, generation, snapshot, options):
                former = fake.sections.get(str(section))
                if options.get("keep_trial") and not fake.trial:
                    raise dbus.DBusException("over", name="org.netipsec.Error.Stale")
                in_force = dbus.UInt64(fake.publish(str(section), int(generation), snapshot))
                if not options.get("keep_trial"):
                    fake.trial = former if "confirm_usec" in options else None
                fake.confirm_usec = options.get("confirm_usec")
                return in_force

            @dbus.service.method(fake.NAME, "st", "")
            def Confirm(self, section, generation):
                assert fake.trial and fake.sections[str(section)][0] == generation
                fake.trial = None

            @dbus.service.method(PROPERTIES, "ss", "v")
            def Get(self, _interface, name):
                if name == "AlgorithmLibraries":
                    rows = [(dbus.Byte(a), dbus.Byte(b), "Library 1.0") for a, b in fake.usable]
                    return dbus.Array(map(dbus.Struct, rows), signature="(yys)", variant_level=1)
                assert name == "UsableAlgorithms"
                return dbus.Array([dbus.Struct(map(dbus.Byte, pair)) for pair in fake.usable],
                                  signature="(yy)", variant_level=1)

            @dbus.service.method(fake.NAME, "s", "")
            def Withdraw(self, section):
                fake.sections.pop(str(section), None)

        return Object(fake.connection, "/org/netipsec/Datapath1")

    def publish(self, section, generation, snapshot):
        in_force = self.sections.get(section, (0,))[0]
        if self.stale_answers:
            self.stale_answers -= 1
            raise dbus.DBusException("somebody was faster", name="org.netipsec.Error.Stale")
        if generation <= in_force:
            raise dbus.DBusException("stale", name="org.netipsec.Error.Stale")
        print(f"datapath: {section} {generation} behind {in_force}")
        if self.refuse:
            raise dbus.DBusException(self.refuse, name=f"org.netipsec.Error.{self.refuse_with}")
        content = read_memfd(snapshot, raw=True)
        self.sections[section] = (generation, hashlib.sha256(content).digest(), content)
        self.published.put(section)
        return generation

    def roll_back(self, section):
        """Nobody confirmed in time."""
        generation = self.sections[section][0] + 1
        self.sections[section] = (generation, *self.trial[1:])
        self.trial = None
        send_signal(self.connection, "Datapath1", "SectionChanged", "st", section, generation)

    def end(self):
        """As a datapath that dies; what it holds is forgotten unless a next one is told."""
        self.object.remove_from_connection()
        self.context.quit()
        self.thread.join()
        self.connection.close()
        self.closed.append(self.connection)


def read_memfd(unix_fd, raw=False):
    """All bytes of a listing."""
    fd = unix_fd.take()
    try:
        content = os.pread(fd, os.fstat(fd).st_size, 0)
        return content if raw else content.decode()
    finally:
        os.close(fd)


def listing_fd(value):
    """What a daemon answers with, to be handed over: JSON in a sealed memfd."""
    fd = os.memfd_create("rules", os.MFD_ALLOW_SEALING)
    os.write(fd, json.dumps(value).encode())
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK
                | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    handed = dbus.types.UnixFd(fd)
    os.close(fd)
    return handed


def send_signal(connection, service, name, signature, *args):
    message = dbus.lowlevel.SignalMessage(f"/org/netipsec/{service}", f"org.netipsec.{service}", name)
    if args:
        message.append(*args, signature=signature)
    connection.send_message(message)
