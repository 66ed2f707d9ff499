# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies on a wire: load one, send, see what became of it at the other end."""

import itertools
import socket
import struct

import pytest
from lablib import wire

from nettest.peer import statistics

POLICY = "/etc/inet/ipsecinit.conf"
# Of the ready-made pair: alpha, beta, their network, what their SAs do.
ENDS = {"ipv4": ("192.0.2.1", "192.0.2.2", "192.0.2.0/24",
                 "encr_algs aes encr_auth_algs sha256 sa shared"),
        "ipv6": ("2001:db8::1", "2001:db8::2", "2001:db8::/64", "encr_algs aes-gcm16 sa shared")}
PLAIN = "{raddr 198.51.100.250} drop {}\n"  # says nothing about these hosts
COUNT = 3
WAIT_SEC = 10
ASK_AGAIN = 2000
families = pytest.mark.parametrize("family", ENDS)


def load(host, *texts):
    host.write(POLICY, "".join(texts))
    host.systemctl("reload", "ipsec-policy")


def kind_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def send(host, address, ports, count=COUNT):
    """Datagrams to each port; what the kernel refuses at once counts as dropped."""
    with host.socket(kind_of(address), socket.SOCK_DGRAM) as sock:
        for port, _ in itertools.product(ports, range(count)):
            try:
                sock.sendto(b"x", (address, port))
            except PermissionError:
                pass


def sent(pair, to, *ports, esp=False):
    """Datagrams in clear by port, and was there ESP, as the other end sees them."""
    with wire.Capture(pair["beta"], "eth0") as capture:
        send(pair["alpha"], to, ports)
        if esp:
            capture.wait(1, lambda frame: frame.protocol == wire.ESP)
    clear = [struct.unpack_from("!H", frame.payload, 2)[0] for frame in capture.of(wire.UDP)]
    return {port: clear.count(port) for port in ports}, bool(capture.of(wire.ESP))


def arrives(sender, receiver, address, some=(), none=()):
    """Each port of some gets all datagrams. What was sent before to those of none has not come."""
    sinks = {port: receiver.socket(kind_of(address), socket.SOCK_DGRAM, 0, [address, port])
             for port in (*none, *some)}
    send(sender, address, sinks)
    came = dict.fromkeys(sinks, 0)
    for port in (*some, *none):
        with sinks[port] as sink:
            sink.settimeout(WAIT_SEC if port in some else None)
            for _ in range(COUNT):
                try:
                    sink.recv(9, 0 if port in some else socket.MSG_DONTWAIT)
                except (TimeoutError, BlockingIOError):
                    break
                came[port] += 1
    return came == {port: COUNT if port in some else 0 for port in sinks}


class Counted:
    """Context manager: a verdict of a host is counted so many times for what the block does."""

    def __init__(self, host, verdict, times=COUNT):
        self.host, self.verdict, self.times = host, verdict, times

    def _count(self):
        return statistics(self.host)[self.verdict]

    def __enter__(self):
        self.before = self._count()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            return
        for _ in range(ASK_AGAIN):
            if self._count() >= self.before + self.times:
                break
        assert self._count() == self.before + self.times, self.verdict
