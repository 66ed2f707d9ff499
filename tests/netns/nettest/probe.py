# SPDX-License-Identifier: GPL-2.0-or-later
"""Steady traffic, and how much of it is lost: an echo every 10 ms and 1,000 numbered datagrams/s."""

import os
import select
import socket
import struct
import threading
import time

from lablib.wire import checksum

UDP_PERIOD_SEC = 0.001
MADE_UP_SEC = 0.05  # of a delay of the sender: more in one burst overflows a device's queue of 500
PING_EVERY = 10  # datagrams
RUN_IN = 300  # datagrams before and after the disturbance
QUIET_SEC = 1.0
STALL_SEC = 60
TRIES = 3
CONTROL_SEC = 5
BUFFER_BYTES = 16 << 20
ECHO_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
ECHO_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}


class SteadyProbe:
    """Context manager: traffic from one host to another flows while the block runs."""

    def __init__(self, source, sink, address, port=7777, period=UDP_PERIOD_SEC):
        self.period = period
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.target = (address, port)
        buffer = [(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)]
        self.sender = source.socket(self.family, socket.SOCK_DGRAM)
        self.sink = sink.socket(self.family, socket.SOCK_DGRAM, 0,
                                ["::" if ":" in address else "0.0.0.0", port], buffer)
        icmp = socket.IPPROTO_ICMPV6 if ":" in address else socket.IPPROTO_ICMP
        self.ping = source.socket(self.family, socket.SOCK_RAW, icmp, None, buffer)
        self.ident = os.getpid() & 0xFFFF
        self.sent = {"udp": 0, "ping": 0}
        self.came = {"udp": set(), "ping": set()}
        self.errors = {}
        self.changed = threading.Condition()
        self.stop_sending = threading.Event()
        self.wake_read, self.wake_write = os.pipe()
        self.threads = [threading.Thread(target=work, daemon=True)
                        for work in (self._send, self._receive)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.flow(RUN_IN)
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.flow(RUN_IN)
        self.stop_sending.set()
        self.threads[0].join()
        with self.changed:
            # Complete, or nothing has come for a while.
            while self.lost() and self.changed.wait(QUIET_SEC):
                pass
        os.write(self.wake_write, b"x")
        self.threads[1].join()
        for sock in (self.sender, self.sink, self.ping):
            sock.close()
        for fd in (self.wake_read, self.wake_write):
            os.close(fd)

    def flow(self, datagrams):
        """Return when that many more datagrams were sent."""
        patience = STALL_SEC + 2 * datagrams * UDP_PERIOD_SEC
        with self.changed:
            goal = self.sent["udp"] + datagrams
            assert self.changed.wait_for(lambda: self.sent["udp"] >= goal, patience), "the sender stalled"

    def lost(self):
        return sum(self.sent[kind] - len(self.came[kind]) for kind in self.sent)

    def report(self):
        return ", ".join(f"{kind} {self.sent[kind] - len(self.came[kind])} of {self.sent[kind]} lost"
                         for kind in self.sent) + (f", errors {self.errors}" if self.errors else "")

    def _echo(self, number):
        head = struct.pack("!BBHHH", ECHO_REQUEST[self.family], 0, 0, self.ident, number & 0xFFFF)
        body = struct.pack("!Q", number)
        if self.family == socket.AF_INET:
            head = head[:2] + struct.pack("!H", checksum(head + body)) + head[4:]
        return head + body

    def _try(self, sock, data, target):
        try:
            sock.sendto(data, target)
        except OSError as why:
            self.errors[why.strerror] = self.errors.get(why.strerror, 0) + 1

    def _send(self):
        due = time.monotonic()
        while not self.stop_sending.wait(max(0, due - time.monotonic())):
            number = self.sent["udp"]
            self._try(self.sender, struct.pack("!Q", number), self.target)
            if number % PING_EVERY == 0:
                self._try(self.ping, self._echo(self.sent["ping"]), (self.target[0], 0))
                self.sent["ping"] += 1
            with self.changed:
                self.sent["udp"] += 1
                self.changed.notify_all()
            due = max(due + self.period, time.monotonic() - MADE_UP_SEC)

    def _receive(self):
        while True:
            ready, _, _ = select.select([self.sink, self.ping, self.wake_read], [], [])
            if self.wake_read in ready:
                return
            if self.sink in ready:
                self._note("udp", self.sink.recv(2048))
            if self.ping in ready:
                packet = self.ping.recv(2048)
                if self.family == socket.AF_INET:
                    packet = packet[(packet[0] & 15) * 4:]
                kind, _, _, ident, _ = struct.unpack_from("!BBHHH", packet)
                if kind == ECHO_REPLY[self.family] and ident == self.ident:
                    self._note("ping", packet[8:16])

    def _note(self, kind, number):
        with self.changed:
            self.came[kind].add(number)
            self.changed.notify_all()


def loses_nothing(make_probe, disturb):
    """Assert that the disturbance loses no packet; a control run that does proves nothing."""
    for _ in range(TRIES):
        begin = time.monotonic()
        with make_probe() as probe:
            disturb()
        lasted = time.monotonic() - begin
        # What may excuse a loss lasts as long; after none a shorter one says that nothing is wrong here.
        alone = lasted if probe.lost() else min(lasted, CONTROL_SEC)
        with make_probe() as control:
            control.flow(int(alone / control.period))
        if control.lost() == 0:
            assert probe.lost() == 0, f"{probe.report()} with the disturbance, nothing without"
            print(f"{probe.report()} in {lasted:.1f} s, nothing without the disturbance")
            return
        told = control.report()
    raise AssertionError(f"inconclusive: without any disturbance {told}")
