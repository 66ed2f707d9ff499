# SPDX-License-Identifier: GPL-2.0-or-later
"""The datapath dies at random moments under traffic, each second time with its memory: nothing is used twice."""

import collections
import os
import random
import select
import time
import socket

import pytest
from lablib import wire
from nettest.probe import SteadyProbe
from nettest.progress import progress, tell
from nettest.sas import dump_sas

KILLS = int(os.environ.get("NETIPSEC_KILLS", "20"))
UNIT = "ipsec-datapath"
KEYS = "/etc/inet/secret/ipseckeys"
ON_DISK_SEC = 2  # the tops of windows are, after a second
HEADER = 8  # SPI and number, then the IV


def wait_until_down(alpha):
    """The service manager has buried it; a stop then finds nothing to end and forgets what was stored."""
    never = select.poll()
    for _ in range(1000):
        if alpha.facts(UNIT)["state"] == "restarting":
            return
        never.poll(5)
    raise AssertionError(f"{UNIT} is not down")


def kill(alpha, with_memory):
    alpha.hold(UNIT)
    alpha.kill(UNIT)
    wait_until_down(alpha)
    if with_memory:
        alpha.systemctl("stop", UNIT)
        assert alpha.facts(UNIT)["stored"] == []
    alpha.release(UNIT)
    alpha.wait_active(UNIT)


def used_twice(frames, key_of):
    seen = collections.Counter(key_of(frame) for frame in frames)
    return [key for key, times in seen.items() if times > 1]


def replay(beta, frames):
    """Put frames on the wire once more, as whoever recorded them can."""
    sender = beta.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, None, [])
    sender.bind(("eth0", wire.ETH_P_IP))
    for frame in frames:
        sender.send(frame.raw)
    sender.close()


@pytest.fixture
def with_windows(pair):
    """The lab's keys ask for no replay window, as manual keys do by default."""
    alpha = pair["alpha"]
    before = alpha.path(KEYS).read_text()
    alpha.write(KEYS, before.replace("encr_alg", "replay 64 encr_alg"))
    alpha.systemctl("reload", "ipsec-manual-key")
    yield pair
    alpha.write(KEYS, before)
    alpha.systemctl("reload", "ipsec-manual-key")


def test_no_number_is_used_twice(with_windows, record_property):
    alpha, beta = with_windows["alpha"], with_windows["beta"]
    seed = random.SystemRandom().randrange(1 << 32)
    record_property("seed", seed)
    tell(f"seed {seed}")
    draw = random.Random(seed)
    with wire.Capture(beta, "eth0") as capture:
        with SteadyProbe(alpha, beta, "192.0.2.2") as steady:
            for number in progress("deaths of the datapath", KILLS):
                steady.flow(draw.randrange(1, 200))
                last = time.time()
                kill(alpha, with_memory=number % 2 == 1)
    sealed = [frame for frame in capture.of(wire.ESP) if frame.source == "192.0.2.1"]
    assert len(sealed) > 10 * KILLS and not capture.clear(), f"seed {seed}"
    assert not used_twice(sealed, lambda frame: frame.payload[:HEADER]), f"seed {seed}"
    assert not used_twice(sealed, lambda frame: frame.payload[:4] + frame.payload[HEADER:HEADER + 8]), f"seed {seed}"
    # What came in before any of the deaths is not taken again.
    opened = [frame for frame in capture.of(wire.ESP) if frame.destination == "192.0.2.1"]
    before = dump_sas(alpha)
    old = [frame for frame in opened if frame.when < last - ON_DISK_SEC][:200]
    replay(beta, old)
    assert alpha.run("ping", "-c1", "-i0.05", "-w10", "192.0.2.2").returncode == 0  # all of them went ahead of it
    after = dump_sas(alpha)
    spi = int.from_bytes(opened[0].payload[:4], "big")
    assert len(opened) > KILLS and after[spi]["packets"] == before[spi]["packets"] + 1, f"seed {seed}"
    assert after[spi]["errors"] >= before[spi]["errors"] + len(old)
