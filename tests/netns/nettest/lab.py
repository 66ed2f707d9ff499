# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab as a test sees it: hosts to run commands in, sockets in them, their private files."""

import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "tools"))
# pylint: disable=wrong-import-position
from lablib import client, place, units  # noqa: E402, F401

COMMAND_TIMEOUT_SEC = 60


class Lab:
    """One lab that is up."""

    def __init__(self, file, base, name="test", stage=None, options=()):
        self.where = place.Place(str(base), name)
        self.command = [str(REPO / "tools/lab"), "--dir", str(base), "--name", name]
        stage_option = ["--stage", str(stage)] if stage else []
        done = subprocess.run([*self.command, "up", *stage_option, *options, str(file)],
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
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        agent = Path(__file__).with_name("agent.py")
        with theirs:
            self.agent = subprocess.Popen(
                self.argv("/usr/bin/python3", "-I", str(agent), str(theirs.fileno())),
                pass_fds=[theirs.fileno()])
        if self.control.recv(16) != b"ready":
            raise RuntimeError(f"{name}: the agent did not start")

    def close(self):
        self.control.close()
        self.agent.wait()

    def argv(self, *command, user=None):
        """Command line that runs command in the host, as another user of the host if asked."""
        if user is not None:
            command = ("setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups",
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

    def socket(self, family, kind, proto=0, bind=None, options=()):
        """A socket that lives in the host's network, usable here."""
        request = {"family": family, "type": kind, "proto": proto, "bind": bind,
                   "options": list(options)}
        self.control.send(json.dumps(request).encode())
        data, fds, _, _ = socket.recv_fds(self.control, 1 << 16, 1)
        answer = json.loads(data)
        if not fds:
            raise OSError(answer["errno"], answer["text"])
        return socket.socket(fileno=fds[0])

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

    def pidfd(self, unit):
        """Descriptor of a service's main process, through the host's own process numbers."""
        return os.pidfd_open(self._outer(self.facts(unit)["pid"]))

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

    def wait_active(self, unit):
        """Wait until the service manager has it ready; start answers at READY=1."""
        client.ask(str(self.files), {"verb": "start", "unit": unit})
