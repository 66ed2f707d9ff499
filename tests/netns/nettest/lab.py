# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab as a test sees it: hosts to run commands in, sockets in them, their private files."""

import os
import select
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "tools"))
# pylint: disable=wrong-import-position
from lablib import client, place, units  # noqa: E402, F401
from lablib.agent import Agent  # noqa: E402

# A machine may be slower than most.
PATIENCE = float(os.environ.get("NETIPSEC_PATIENCE", "1"))
COMMAND_TIMEOUT_SEC = 60 * PATIENCE
UP_TIMEOUT_SEC = 30 * PATIENCE


class Lab:
    """One lab that is up."""

    def __init__(self, file, base, name="test", stage=None, options=()):
        self.where = place.Place(str(base), name)
        self.command = [str(REPO / "tools/lab"), "--dir", str(base), "--name", name]
        stage_option = ["--stage", str(stage)] if stage else []
        done = subprocess.run([*self.command, "up", "--timeout", str(UP_TIMEOUT_SEC), *stage_option,
                               *options, str(file)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=COMMAND_TIMEOUT_SEC, check=False)
        if done.returncode:
            raise RuntimeError(f"lab up {file}: {done.stdout}")
        self.hosts = {name: Host(self, name) for name in self.where.description()["hosts"]}

    def __getitem__(self, name):
        return self.hosts[name]

    def down(self):
        for host in self.hosts.values():
            host.close()
        self.where.kill()
        self.where.remove()

    def logs(self):
        """What all services wrote; shown when a test fails."""
        text = ""
        for name in self.hosts:
            for log in sorted(Path(self.where.host_path(name), "log").glob("*.log")):
                lines = log.read_text(errors="replace").splitlines()[-40:]
                text += "".join(f"{name} {log.stem}: {line}\n" for line in lines)
        return text


class Host:
    """One host of a lab."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.files = Path(lab.where.host_path(name))
        self.agent = Agent(self.argv)
        self.socket = self.agent.socket

    def close(self):
        self.agent.close()

    def argv(self, *command, user=None):
        """Command line that runs command in the host, as another user of the host if asked."""
        if user is not None:
            command = ("setpriv", "--reuid", user, "--regid", user, "--init-groups",
                       "--inh-caps=-all", *command)
        return client.enter_argv(self.lab.where, self.name, command)

    def run(self, *command, user=None, stdin="", timeout=COMMAND_TIMEOUT_SEC):
        """Run to the end; returns CompletedProcess with text in stdout and stderr."""
        return subprocess.run(self.argv(*command, user=user), input=stdin, text=True,
                              capture_output=True, timeout=timeout, check=False)

    def exec(self, *command, user=None, timeout=COMMAND_TIMEOUT_SEC):
        """Like run(), but must succeed; returns what it printed."""
        done = self.run(*command, user=user, timeout=timeout)
        assert done.returncode == 0, (f"{self.name}: {' '.join(command)}: exit status "
                                      f"{done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def popen(self, *command, **options):
        return subprocess.Popen(self.argv(*command), **options)

    def path(self, inside):
        """Where a file of the host's private directories lies outside."""
        return self.files / inside.lstrip("/")

    def write(self, inside, text):
        """Change a file in place: owner and mode stay."""
        self.path(inside).write_text(text)

    # services

    def systemctl(self, *words, ok=True):
        done = self.run("systemctl", *words)
        if ok:
            assert done.returncode == 0, f"systemctl {' '.join(words)}: {done.stderr}"
        return done

    def facts(self, unit):
        """State of a service as the lab's service manager has it."""
        return client.ask(str(self.files), {"verb": "show", "unit": unit})

    def kill(self, unit, signal_number=9):
        """Kill the main process of a service and wait until that process is gone."""
        facts = self.facts(unit)
        watch = self.pidfd(unit)
        client.ask(str(self.files), {"verb": "kill", "unit": unit, "signal": int(signal_number)})
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        assert poll.poll(10000), f"{unit} (pid {facts['pid']}) survived signal {signal_number}"
        os.close(watch)

    def signal(self, unit, number):
        """Send a signal that does not end it."""
        client.ask(str(self.files), {"verb": "kill", "unit": unit, "signal": int(number)})

    def pidfd(self, unit):
        """Descriptor of a service's main process, through the host's own process numbers."""
        return os.pidfd_open(self._outer(self.facts(unit)["pid"]))

    def outer_pid(self, unit):
        """The number of a service's main process out here, where /proc tells of it."""
        return self._outer(self.facts(unit)["pid"])

    def _outer(self, inner):
        """The number that an inner process has out here: the same mount and net, same last NSpid."""
        with place.connect(str(self.files)) as connection:
            supervisor = client.linux.peer_pid(connection)
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text(encoding="ascii")
        for outer in children.split():
            status = Path(f"/proc/{outer}/status").read_text(encoding="ascii")
            numbers = [line for line in status.splitlines() if line.startswith("NSpid:")][0].split()
            if int(numbers[-1]) == inner:
                return int(outer)
        raise ProcessLookupError(f"{self.name}: no process {inner}")

    def hold(self, unit):
        """From now on the service does not come back by itself; release() lets it."""
        client.ask(str(self.files), {"verb": "hold", "unit": unit})

    def release(self, unit):
        client.ask(str(self.files), {"verb": "release", "unit": unit})

    def wait_active(self, unit):
        """Wait until the service manager has it ready; start answers at READY=1."""
        client.ask(str(self.files), {"verb": "start", "unit": unit})
