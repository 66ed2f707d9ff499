# SPDX-License-Identifier: GPL-2.0-or-later
"""A restart of the datapath under traffic: how long nothing passes, and what it does not cost."""

import collections
import os
import socket
import statistics
import threading
import time

import pytest
from lablib.wire import ESP, Capture
from nettest.probe import SteadyProbe
from systest.protected import ALPHA, BETA, SERVICES, cabled

RUNS = 5
MEDIAN_SEC, MOST_SEC = 0.2, 1.0
TRIES = 3
STREAM_PORT = 5001
CHUNK = 1 << 14


@pytest.fixture(scope="module")
def pair(machines):
    alpha, beta = cabled(machines)
    for machine in (alpha, beta):
        machine.start()
        machine.systemctl("enable", "--now", *SERVICES)
    return alpha, beta


class Stream:
    """One TCP connection that never pauses; every byte is looked at."""

    def __init__(self, alpha, beta):
        self.listener = beta.socket(socket.AF_INET, socket.SOCK_STREAM, 0, [BETA, STREAM_PORT])
        self.listener.listen(1)
        self.sender = alpha.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sender.settimeout(30)
        self.sender.connect((BETA, STREAM_PORT))
        self.receiver = self.listener.accept()[0]
        self.receiver.settimeout(30)
        self.ending = threading.Event()
        self.came, self.wrong = 0, 0
        self.sent = 0
        self.threads = [threading.Thread(target=work) for work in (self._send, self._receive)]

    def _send(self):
        pattern = bytes(range(256)) * (CHUNK // 256)
        while not self.ending.is_set():
            self.sender.sendall(pattern)
            self.sent += CHUNK
            self.ending.wait(0.005)
        self.sender.shutdown(socket.SHUT_WR)

    def _receive(self):
        while True:
            data = self.receiver.recv(CHUNK)
            if not data:
                return
            start = self.came % 256
            self.wrong += data != bytes((start + n) % 256 for n in range(len(data)))
            self.came += len(data)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *trace):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        for sock in (self.sender, self.receiver, self.listener):
            sock.close()


def longest_gap(times):
    return max(later - earlier for earlier, later in zip(times, times[1:]))


def restart_under_traffic(alpha, beta):
    """The outage in seconds, as the other end saw it."""
    before = alpha.main_pid("ipsec-datapath")
    with Capture(beta, "eth0") as wire:
        with Stream(alpha, beta) as stream, SteadyProbe(alpha, beta, BETA):
            begun = time.time()
            alpha.systemctl("restart", "ipsec-datapath")
            done = time.time()
            moved = stream.came
            alpha.wait_for(lambda: stream.came > moved + CHUNK, "TCP's recovery")
    assert alpha.main_pid("ipsec-datapath") != before
    assert not wire.clear()
    assert stream.came == stream.sent and not stream.wrong
    ours = [frame for frame in wire.of(ESP) if frame.source == ALPHA]
    used = collections.Counter(frame.payload[:8] for frame in ours)
    assert used and max(used.values()) == 1, "a sequence number was used twice"
    return longest_gap([frame.when for frame in ours if begun - 0.1 < frame.when < done + MOST_SEC])


def slowness():
    """How long a thread waits for a CPU here, in units of its own work: others may be at it too."""
    return max(1.0, os.getloadavg()[0] / os.cpu_count())


def test_a_restart_under_traffic_is_short_and_costs_nothing(pair):
    """Clear packets, numbers used twice and broken connections are judged in every run."""
    alpha, beta = pair
    for _ in range(TRIES):
        gaps = [restart_under_traffic(alpha, beta) for _run in range(RUNS)]
        slow = slowness()
        words = ", ".join(f"{gap * 1000:.0f}" for gap in gaps)
        print(f"outage in ms: {words}; on a machine {slow:.1f} times as slow as if it were idle")
        if statistics.median(gaps) < MEDIAN_SEC * slow and max(gaps) < MOST_SEC * slow:
            return
    pytest.fail(f"{TRIES} times in a row too long; the last: {words} ms, {slow:.1f} times as slow")
