# SPDX-License-Identifier: GPL-2.0-or-later
"""A day in minutes: reloads, new keys on both ends, restarts and deaths in any order, under iperf3.

NETIPSEC_ENDURE_SEC (./run soak endurance) makes it last.
"""

import collections
import os
import random
import re
import secrets
import subprocess
import threading
import time

import pytest
from lablib import units, wire
from nettest.fault import ENDS, answers, resources
from nettest.probe import SteadyProbe
from nettest.progress import tell
from nettest.sas import dump_sas

SECONDS = float(os.environ.get("NETIPSEC_ENDURE_SEC", "5"))
SLICE_SEC = 60  # what one capture holds
STREAM = ("setpriv", "--pdeathsig", "KILL", "iperf3")  # ends with whoever started it
STREAM_RATE = "8M"
PERIOD_SEC = 0.005
RECOVERY_SEC = 60
POLICY, KEYS = "/etc/inet/ipsecinit.conf", "/etc/inet/secret/ipseckeys"
GROWTH = (1024, 4)  # KiB and descriptors of a service that lives all the time, from its first minute on
FIRST_SPI = 0x10000
SUITES = [("encr_alg aes-cbc auth_alg sha256", 16, 32), ("encr_alg aes-gcm16", 20, 0)]  # one a family


class Stream:
    """One TCP connection of iperf3 for all the time; it says each second what it has moved."""

    def __init__(self, pair, there):
        self.server = pair["beta"].popen(*STREAM, "-s", "-1", "--forceflush", stdout=subprocess.PIPE, text=True)
        assert any("listening" in line for line in self.server.stdout)
        self.moved, self.changed = [], threading.Condition()
        self.client = pair["alpha"].popen(*STREAM, "-c", there, "-t", "86400", "-b", STREAM_RATE, "-i", "1",
                                          "-f", "k", "--forceflush", stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT, text=True)
        self.readers = [threading.Thread(target=work, daemon=True) for work in (self._read, self._drain)]

    def _read(self):
        for line in self.client.stdout:
            found = re.search(r"([0-9.]+) Kbits/sec", line)
            with self.changed:
                self.moved.append(float(found[1]) if found else 0.0)
                self.changed.notify_all()

    def _drain(self):
        for _ in self.server.stdout:
            pass

    def __enter__(self):
        for reader in self.readers:
            reader.start()
        return self

    def __exit__(self, *trace):
        for process in (self.client, self.server):
            process.kill()
            process.wait()
        for reader in self.readers:
            reader.join()

    def goes_on(self):
        """Within a while, a second comes in which something moves."""
        with self.changed:
            before = len(self.moved)
            return self.changed.wait_for(lambda: any(self.moved[before:]), RECOVERY_SEC) and \
                self.client.poll() is None


class Day:
    """What may happen, and what was done so far."""

    def __init__(self, pair, draw):
        self.pair, self.draw = pair, draw
        self.done = collections.Counter()
        self.policy = pair["alpha"].path(POLICY).read_text()
        self.next_spi = FIRST_SPI
        self.held = []  # by beta's services, which nobody ends, after each slice
        self.used = collections.defaultdict(set)

    def reload_policy(self):
        alpha = self.pair["alpha"]
        more = "".join(f"{{raddr 203.0.113.{n} ulp tcp}} drop {{}}\n" for n in range(1, self.draw.randrange(2, 90)))
        alpha.write(POLICY, self.policy + more)
        alpha.systemctl("reload", "ipsec-policy")

    def rekey(self):
        """New keys are received on both ends before the old ones go from either."""
        lines = ""
        for index, (here, there) in enumerate(zip(ENDS["alpha"], ENDS["beta"])):
            suite, key, auth = SUITES[index]
            for source, target in ((here, there), (there, here)):
                lines += f"add esp spi {self.next_spi:#x} src {source} dst {target} replay 64 {suite} " \
                    f"encrkey {secrets.token_hex(key)}" + (f" authkey {secrets.token_hex(auth)}\n" if auth else "\n")
                self.next_spi += 1
        hosts = list(self.pair.hosts.values())
        before = [host.path(KEYS).read_text() for host in hosts]
        for host, old in zip(hosts, before):
            host.write(KEYS, old + lines)
            host.systemctl("reload", "ipsec-manual-key")
        for host in hosts:
            host.write(KEYS, lines)
            host.systemctl("reload", "ipsec-manual-key")
        assert all(set(dump_sas(host)) == set(range(self.next_spi - 4, self.next_spi)) for host in hosts)

    def restart(self):
        self.pair["alpha"].systemctl("restart", self.draw.choice(list(units.UNITS)))

    def die(self):
        unit = self.draw.choice([*units.UNITS, "dbus"])
        self.pair["alpha"].kill(unit)
        self.pair["alpha"].wait_active(unit)
        if unit == "dbus":
            self._wait_for_names()

    def _wait_for_names(self):
        """A new bus knows nobody; each service takes its name again when it has noticed."""
        end = time.monotonic() + RECOVERY_SEC
        for unit in units.UNITS:
            while self.pair["alpha"].systemctl("reload", unit, ok=False).returncode != 0:
                assert time.monotonic() < end, f"{unit} does not come back to the bus"

    def act(self):
        for unit in [*units.UNITS, "dbus"]:
            self.pair["alpha"].wait_active(unit)
        what = self.draw.choice([self.reload_policy, self.rekey, self.restart, self.die])
        what()
        self.done[what.__name__] += 1

    def judge(self, capture):
        """Nothing in clear, and no number that was ever seen before."""
        assert not capture.clear()
        sealed = capture.of(wire.ESP)
        assert sealed
        for frame in sealed:
            spi, number = (int.from_bytes(frame.payload[n:n + 4], "big") for n in (0, 4))
            assert number not in self.used[spi], f"number {number} of SPI {spi:#x} was used twice"
            self.used[spi].add(number)
        self.held.append({unit: resources(self.pair["beta"], unit) for unit in units.UNITS})

    def grown(self):
        """Services that hold more memory or descriptors than after the first slice, and not by chance."""
        return {unit: (self.held[0][unit], now) for unit, now in self.held[-1].items()
                if any(more > less + room for more, less, room in zip(now, self.held[0][unit], GROWTH))}


@pytest.fixture(name="files")
def files_fixture(pair):
    before = [(host, path, host.path(path).read_text()) for host in pair.hosts.values() for path in (POLICY, KEYS)]
    yield
    for host, path, text in before:
        host.write(path, text)
        host.systemctl("reload", "ipsec-policy" if path == POLICY else "ipsec-manual-key")


@pytest.mark.usefixtures("files")
def test_everything_happens_and_nothing_is_lost_for_good(pair, record_property):
    alpha, beta = pair["alpha"], pair["beta"]
    seed = random.SystemRandom().randrange(1 << 32)
    record_property("seed", seed)
    print("seed", seed)
    tell(f"seed {seed}")
    day = Day(pair, random.Random(seed))
    begun = time.monotonic()
    with Stream(pair, ENDS["beta"][0]) as stream:
        while time.monotonic() - begun < SECONDS or len(day.done) < 4:
            until = time.monotonic() + min(SLICE_SEC, SECONDS)
            with wire.Capture(beta, "eth0") as capture:
                with SteadyProbe(alpha, beta, ENDS["beta"][1], period=PERIOD_SEC) as steady:
                    while time.monotonic() < until or len(day.done) < 4:
                        day.act()
                        steady.flow(day.draw.randrange(1, 100))
                    assert all(answers(alpha, there) for there in ENDS["beta"])
                assert stream.goes_on(), stream.moved
            day.judge(capture)
            tell(f"{time.monotonic() - begun:.0f} of {SECONDS:.0f} s: {dict(day.done)}, "
                 f"{sum(map(len, day.used.values()))} packets with numbers of their own, "
                 f"iperf3 {sum(stream.moved) / max(1, len(stream.moved)) / 1000:.1f} Mbit/s, "
                 f"KiB and descriptors of beta's {day.held[-1]}")
    assert not day.grown()
