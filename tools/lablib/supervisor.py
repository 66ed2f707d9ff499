# SPDX-License-Identifier: GPL-2.0-or-later
"""The first process of a host: makes it, then plays the service manager in it."""

import heapq
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

from lablib import linux, network, place, tree, units
from lablib.service import Service

GIVE_UP_AFTER = 3  # deaths before it was ever ready that make `lab up` fail


class Loop:
    """epoll with timers; every handler is a callable without arguments."""

    def __init__(self):
        self.epoll = select.epoll()
        self.handlers = {}
        self.timers = []
        self.cancelled = set()
        self.numbers = itertools.count()

    def watch(self, fd, events, handler):
        self.epoll.register(fd, events)
        self.handlers[fd] = handler

    def forget(self, fd):
        if self.handlers.pop(fd, None):
            self.epoll.unregister(fd)

    def after(self, seconds, handler):
        number = next(self.numbers)
        heapq.heappush(self.timers, (time.monotonic() + seconds, number, handler))
        return number

    def cancel(self, number):
        self.cancelled.add(number)

    def run(self):
        while True:
            timeout = max(0, self.timers[0][0] - time.monotonic()) if self.timers else -1
            for fd, _ in self.epoll.poll(timeout):
                if fd in self.handlers:
                    self.handlers[fd]()
            while self.timers and self.timers[0][0] <= time.monotonic():
                _, number, handler = heapq.heappop(self.timers)
                if number in self.cancelled:
                    self.cancelled.discard(number)
                else:
                    handler()


class Supervisor:
    """Services of one host and the control socket through which they are told what to do."""

    def __init__(self, lab, host, keeper, env):
        self.lab = lab
        self.host = host
        self.keeper = keeper  # socket to the keeper process; None once the lab stands
        self.loop = Loop()
        self.env = env
        bus = ["/usr/bin/dbus-daemon", f"--config-file={units.HOME}/bus.conf", "--nofork",
               "--nopidfile"]
        self.services = {"dbus": Service("dbus", bus, self.loop, self.env)}
        for name in units.UNITS:
            argv = [f"{units.STAGE}/usr/sbin/{units.UNITS[name]}"]
            self.services[name] = Service(name, argv, self.loop, self.env, units.FINAL_STATUSES)
        self.control = place.listen(units.HOME)
        self.control.setblocking(False)
        self.loop.watch(self.control.fileno(), select.EPOLLIN, self.on_connect)

    def tell(self, **message):
        if self.keeper is not None:
            self.keeper.send(json.dumps(message).encode())

    def start_all(self):
        """The bus, then all services at once: they must not care for their order."""
        waiting = set(self.host.services)

        def ready(good, name):
            if good:  # what is not, watch_start() tells
                waiting.discard(name)
            if not waiting:
                self.run_after()

        def bus_ready(good, text):
            if not good:
                self.tell(state="failed", why=text)
            elif not waiting:
                self.run_after()
            for name in self.host.services:
                self.services[name].start(lambda good, text, name=name: ready(good, name))
        self.services["dbus"].start(bus_ready)
        self.watch_start()

    def run_after(self):
        """The lab file's `after` commands, then the host stands."""
        for words, line in self.host.after:
            try:
                done = subprocess.run(words, env=self.env, text=True, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                why = done.stdout.strip() if done.returncode else None
            except OSError as error:
                why = error.strerror
            if why is not None:
                self.tell(state="failed", why=f"{self.lab.path}:{line}: error: "
                                              f"{' '.join(words)}: {why}")
                return
        self.tell(state="ready")

    def watch_start(self):
        """While the lab comes up: tell the keeper of a service that dies again and again, or for good."""
        for service in self.services.values():
            again = service.failures >= GIVE_UP_AFTER and service.state != "active"
            if again or service.state == "failed":
                with open(f"{units.HOME}/log/{service.name}.log", errors="replace",
                          encoding="utf-8") as log:
                    tail = "".join(log.readlines()[-10:]).rstrip()
                self.tell(state="failed", why=f"{service.name} does not start "
                                              f"({service.last_end}):\n{tail}")
                return
        if self.keeper is not None:
            self.loop.after(0.05, self.watch_start)

    def on_connect(self):
        client, _ = self.control.accept()
        self.loop.watch(client.fileno(), select.EPOLLIN, lambda: self.on_request(client))

    def on_request(self, client):
        """One JSON request with the caller's output descriptors, one JSON answer."""
        self.loop.forget(client.fileno())
        try:
            data, fds, _, _ = socket.recv_fds(client, 65536, 2)
            for fd in fds:
                os.set_inheritable(fd, False)  # recv_fds of Python 3.11 ignores MSG_CMSG_CLOEXEC
        except OSError:
            data, fds = b"", []

        def done(good, value):
            try:
                client.send(json.dumps({"ok": good, "value": value}).encode())
            except OSError:
                pass  # the caller did not wait
            client.close()
        try:
            if not data:
                client.close()
            elif len(fds) == 2:
                self.carry_out(json.loads(data), fds, done)
            else:
                done(False, "request without output descriptors")
        finally:
            for fd in fds:
                os.close(fd)

    def carry_out(self, request, fds, done):
        verb, name = request["verb"], units.unit_name(request.get("unit", ""))
        if verb == "list":
            done(True, [service.facts() for service in self.services.values()])
            return
        service = self.services.get(name)
        if service is None:
            done(False, f"Unit {name}.service not found.")
        elif verb == "show":
            done(True, service.facts())
        elif verb in ("hold", "release"):
            service.hold(verb == "hold")
            done(True, "")
        elif verb == "kill":
            good = service.kill(request["signal"])
            done(good, "" if good else f"{name} has no process")
        elif verb == "reload":
            service.reload(fds, done)
        elif verb in ("start", "stop", "restart"):
            getattr(service, verb)(done)
        else:
            done(False, f"Unknown verb {verb}.")


def run(lab, host, where, keeper):
    """In a fresh child of the keeper: becomes the host, never returns."""
    linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC)
    linux.sethostname(host.name)
    os.umask(0o022)
    tree.build(host, where, network.hosts_file(lab))
    os.chdir("/")
    network.quiet()
    keeper.send(json.dumps({"state": "separate"}).encode())
    if not keeper.recv(4096):
        return
    network.configure(lab, host)
    supervisor = Supervisor(lab, host, keeper, where.env)

    def keeper_word():
        # The only word that comes now is the end of the conversation: the lab stands.
        supervisor.loop.forget(keeper.fileno())
        keeper.close()
        supervisor.keeper = None
    supervisor.loop.watch(keeper.fileno(), select.EPOLLIN, keeper_word)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    supervisor.start_all()
    sys.stdout.flush()
    supervisor.loop.run()
