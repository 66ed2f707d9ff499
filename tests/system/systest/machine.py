# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine: Debian's own systemd as process 1 in systemd-nspawn, on an overlay of this root.

What the machine writes stays in a tmpfs and outlives its reboots, until remove(). Its network
namespace does not outlive a power cycle, so that a boot begins without the firewall of the last one.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "tools"))
# pylint: disable=wrong-import-position
from lablib import linux  # noqa: E402
from lablib.agent import Agent  # noqa: E402
from lablib.network import QUIET  # noqa: E402

STAGE = Path(os.environ.get("NETIPSEC_STAGE", REPO / "build/root"))
BOOT_TIMEOUT_SEC = 60
COMMAND_TIMEOUT_SEC = 120
# What other packages enabled on this host is none of the machine's business.
EMPTIED = ["etc/systemd/system", "etc/systemd/network", "etc/inet", "etc/netipsec",
           "var/lib/netipsec", "var/log/journal", *(f"etc/rc{level}.d" for level in "0123456S")]
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
               "TERM": "dumb", "SYSTEMD_PAGER": "cat"}
BUSES = {"dbus-daemon": "dbus.service", "dbus-broker": "dbus-broker.service"}


def ip(*words):
    """ip(8) outside of all machines."""
    subprocess.run(["ip", *words], check=True, stdout=subprocess.PIPE)


class Machine:
    """Made without power; start() boots it."""

    def __init__(self, name, directory, bus="dbus-daemon", install=True, bind=()):
        self.name = name
        self.base = Path(directory)
        self.root = self.base / "root"
        self.upper = self.base / "rw/upper"
        self.netns = f"netipsec-{os.getpid()}-{name}"
        self.binds = [f"--bind={place}" for place in bind]
        self.cables = []
        self.process = self.leader = self._agent = None
        self.root.mkdir(parents=True)
        self.upper.parent.mkdir()
        linux.mount("tmpfs", str(self.upper.parent), "tmpfs", 0, "mode=0755")
        (self.base / "rw/work").mkdir()
        self._furnish(bus)
        if install:
            self._install()
        linux.mount("overlay", str(self.root), "overlay", 0,
                    f"lowerdir=/,upperdir={self.upper},workdir={self.base}/rw/work")

    def _furnish(self, bus):
        for place in EMPTIED:
            (self.upper / place).mkdir(parents=True)
            os.setxattr(self.upper / place, "trusted.overlay.opaque", b"y")
        for place in ("etc", "var", "var/lib", "var/log"):
            (self.upper / place).chmod(0o755)
        etc = self.upper / "etc"
        (etc / "machine-id").write_text(os.urandom(16).hex() + "\n")
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
        (etc / "fstab").write_text("")
        (etc / "resolv.conf").write_text("")
        # A journal that a test can read back at once, however fast it comes.
        journald = etc / "systemd/journald.conf.d/test.conf"
        journald.parent.mkdir(parents=True)
        journald.write_text("[Journal]\nStorage=volatile\nRateLimitBurst=0\n")
        # Container images forbid packages to start services; machines do not.
        (self.upper / "usr/sbin").mkdir(parents=True)
        (self.upper / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 0\n")
        (self.upper / "usr/sbin/policy-rc.d").chmod(0o755)
        (etc / "systemd/system/dbus.service").symlink_to(f"/lib/systemd/system/{BUSES[bus]}")

    def _install(self):
        """As a package would put the files there; users and directories come at the boot."""
        shutil.copytree(STAGE, self.upper, symlinks=True, dirs_exist_ok=True)
        # /lib is a link into /usr, and may not be hidden by a directory.
        assert not (self.upper / "lib").exists()

    # power

    def start(self):
        """Boot and wait until all jobs are done."""
        self.connect()
        self.boot()

    def connect(self):
        """The network: there before the machine has power."""
        assert self.process is None
        subprocess.run(["ip", "netns", "add", self.netns], check=True)
        for key, value in QUIET.items():
            subprocess.run(["ip", "netns", "exec", self.netns, "sysctl", "-q",
                            f"{key.replace('/', '.')}={value}"], check=True)
        ip("-n", self.netns, "link", "set", "lo", "up")
        for cable in self.cables:
            cable.plug(self)

    def boot(self):
        self._spawn()
        self.wait_booted()

    def _spawn(self):
        tun = ["--bind=/dev/net/tun"] if os.path.exists("/dev/net/tun") else []
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot",
                   f"--directory={self.root}", f"--machine={self.name}",
                   f"--network-namespace-path=/run/netns/{self.netns}", "--console=pipe",
                   "--link-journal=no", "--resolv-conf=off", "--timezone=off",
                   "--capability=CAP_NET_ADMIN", "--kill-signal=SIGRTMIN+3", *tun, *self.binds,
                   "systemd.firstboot=off", "systemd.show_status=0"]
        self.console = open(self.base / "console", "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.console,
                                        stderr=subprocess.STDOUT, start_new_session=True)

    def wait_booted(self):
        """Until process 1 says that all jobs are done; a failed unit is for the test to find."""
        deadline = time.monotonic() + BOOT_TIMEOUT_SEC
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"{self.name} died:\n{self.console_text()}"
            self.leader = self._find_leader()
            if self.leader:
                done = self.run("systemctl", "is-system-running", "--wait")
                if done.stdout.strip() in ("running", "degraded"):
                    return
            # Nothing to wait on before the manager's socket is there.
            time.sleep(0.05)
        raise TimeoutError(f"{self.name} did not boot:\n{self.console_text()}")

    def _find_leader(self):
        """Process 1 of the machine, as numbered here: a child of systemd-nspawn or of its helper."""
        todo = [self.process.pid]
        while todo:
            pid = todo.pop()
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
                numbers = [line for line in status.splitlines() if line.startswith("NSpid:")][0]
                if len(numbers.split()) > 2 and numbers.split()[-1] == "1" and \
                        "systemd" in os.readlink(f"/proc/{pid}/exe").rsplit("/", 1)[-1]:
                    return pid
                for task in Path(f"/proc/{pid}/task").iterdir():
                    todo += map(int, (task / "children").read_text(encoding="ascii").split())
            except (FileNotFoundError, ProcessLookupError):
                continue
        return None

    def stop(self):
        """Orderly power-off."""
        self._close_agent()
        self.run("systemctl", "poweroff")
        self.process.wait(BOOT_TIMEOUT_SEC)
        self._off()

    def pull_plug(self):
        """Everything is killed at once."""
        self._close_agent()
        os.kill(self.leader, signal.SIGKILL)
        self.process.wait(BOOT_TIMEOUT_SEC)
        self._off()

    def _off(self):
        self.process = self.leader = None
        self.console.close()
        for cable in self.cables:
            cable.unplug(self)
        subprocess.run(["ip", "netns", "delete", self.netns], check=True)

    def remove(self):
        self._close_agent()
        if self.process is not None and self.process.poll() is None:
            # Without process 1 nothing of the machine lives on, as it would without systemd-nspawn.
            leader = self.leader or self._find_leader()
            os.kill(leader or self.process.pid, signal.SIGKILL)
            self.process.wait()
        subprocess.run(["ip", "netns", "delete", self.netns], check=False,
                       stderr=subprocess.DEVNULL)
        for mount in (self.root, self.upper.parent):
            subprocess.run(["umount", "--lazy", str(mount)], check=False)

    def console_text(self):
        return Path(self.base, "console").read_text(errors="replace")[-4000:]

    # inside

    def argv(self, *command, user=None):
        """Command line that runs command in the machine, as another user of it if asked."""
        if user is not None:
            command = ("setpriv", "--reuid", user, "--regid", user, "--init-groups",
                       "--inh-caps=-all", *command)
        words = [f"{key}={value}" for key, value in ENVIRONMENT.items()]
        return ["nsenter", "--target", str(self.leader), "--all", "--wdns=/", "env", "-i", *words,
                *command]

    def run(self, *command, user=None, stdin="", timeout=COMMAND_TIMEOUT_SEC):
        """Run to the end; returns CompletedProcess with text in stdout and stderr."""
        return subprocess.run(self.argv(*command, user=user), input=stdin, text=True,
                              capture_output=True, timeout=timeout, check=False)

    def exec(self, *command, user=None, stdin="", timeout=COMMAND_TIMEOUT_SEC):
        """Like run(), but must succeed; returns what it printed."""
        done = self.run(*command, user=user, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, (f"{self.name}: {' '.join(command)}: exit status "
                                      f"{done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def popen(self, *command, user=None, **options):
        return subprocess.Popen(self.argv(*command, user=user), **options)

    @property
    def socket(self):
        """Sockets of the machine, usable outside."""
        if self._agent is None:
            self._agent = Agent(lambda *command: ["nsenter", "--target", str(self.leader), "--net",
                                                  *command])
        return self._agent.socket

    def _close_agent(self):
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    def path(self, inside):
        """Where a file lies outside; /run is the machine's own and not there."""
        return self.root / inside.lstrip("/")

    def write(self, inside, text, mode=0o644):
        """A file of root's."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    # systemd

    def systemctl(self, *words, ok=True):
        done = self.run("systemctl", *words)
        if ok:
            assert done.returncode == 0, (f"systemctl {' '.join(words)}: {done.stderr}\n"
                                          f"{self.journal()}")
        return done

    def show(self, unit, name):
        """A property of a unit."""
        return self.exec("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def active(self, unit):
        return self.show(unit, "ActiveState")

    def status_text(self, unit):
        return self.show(unit, "StatusText")

    def main_pid(self, unit):
        """As numbered inside; 0: none."""
        return int(self.show(unit, "MainPID"))

    def kill(self, unit, number=signal.SIGKILL):
        """Kill a service's main process; returns when the process is gone."""
        pid = self.main_pid(unit)
        assert pid, f"{self.name}: {unit} has no process"
        watch = os.pidfd_open(self.outer(pid))
        self.exec("kill", f"-{int(number)}", str(pid))
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        assert poll.poll(10000), f"{unit} survived signal {number}"
        os.close(watch)

    def outer(self, inner):
        """The number that a process of the machine has out here."""
        space = os.readlink(f"/proc/{self.leader}/ns/pid")
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if os.readlink(entry / "ns/pid") != space:
                    continue
                status = (entry / "status").read_text(encoding="ascii")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # gone, or of a namespace that is none of ours
            numbers = [line for line in status.splitlines() if line.startswith("NSpid:")][0]
            if int(numbers.split()[-1]) == inner:
                return int(entry.name)
        raise ProcessLookupError(f"{self.name}: no process {inner}")

    def wait_for(self, question, what, timeout=20):
        """Ask until the answer is true; for what systemd tells nobody about."""
        deadline = time.monotonic() + timeout
        while not question():
            assert time.monotonic() < deadline, f"{self.name}: {what} did not happen in {timeout} s"
            time.sleep(0.02)

    def journal(self, *words):
        words = words or ("-u", "ipsec*", "-n", "60")
        return self.run("journalctl", "--no-pager", "-o", "short-monotonic", *words).stdout


class Cable:
    """An Ethernet cable between two machines; it is there while both have power."""

    def __init__(self, *ends):
        """ends: (machine, interface, addresses...) twice."""
        self.ends = ends
        self.plugged = set()
        for end in ends:
            end[0].cables.append(self)

    def plug(self, machine):
        self.plugged.add(machine.name)
        if len(self.plugged) < 2:
            return
        (a, iface_a, *_), (b, iface_b, *_) = self.ends
        ip("link", "add", iface_a, "netns", a.netns, "type", "veth", "peer", "name", iface_b,
           "netns", b.netns)
        for end, iface, *addresses in self.ends:
            for address in addresses:
                nodad = ["nodad"] if ":" in address else []
                ip("-n", end.netns, "address", "add", address, "dev", iface, *nodad)
            ip("-n", end.netns, "link", "set", iface, "up")

    def unplug(self, machine):
        """At once: with its namespace the cable would go only when the last process has."""
        if len(self.plugged) == 2:
            iface = next(iface for end, iface, *_ in self.ends if end is machine)
            subprocess.run(["ip", "-n", machine.netns, "link", "delete", iface], check=False)
        self.plugged.discard(machine.name)
