# SPDX-License-Identifier: GPL-2.0-or-later
"""The datapath dies at random moments under traffic, each second time with its memory: nothing is used twice.

Its memory is kept by the service manager's store of descriptors, and once more by a file, where nobody
keeps descriptors.
"""

import collections
import os
import random
import select
import shutil
import socket
import tempfile
import time
from pathlib import Path

import pytest
from lablib import wire
from nettest.lab import REPO, Lab
from nettest.probe import SteadyProbe
from nettest.progress import progress, tell
from nettest.sas import dump_sas

KILLS = int(os.environ.get("NETIPSEC_KILLS", "20"))
UNIT = "ipsec-datapath"
KEYS = "/etc/inet/secret/ipseckeys"
ARENA = "/run/netipsec/arena"
HEADER = 8  # SPI and number, then the IV
REPLAYED = 500
WAIT_SEC = 40

# The daemon as if nobody heard its NOTIFY_SOCKET; what is ready is told in its place.
ALONE = """#!/usr/bin/python3
import os, socket, sys, time
notify = os.environ.pop("NOTIFY_SOCKET", None)
daemon = os.getpid()
if notify and os.fork() == 0:
    while os.getppid() == daemon:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            if door.connect_ex("/run/netipsec/pfkey") == 0:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
                    told.sendto(b"READY=1", notify)
                break
        time.sleep(0.01)
    os._exit(0)
os.execv(sys.argv[0] + ".real", [sys.argv[0], *sys.argv[1:]])
"""


def wait_until_down(alpha):
    """The service manager has buried it; a stop then finds nothing to end and forgets what was stored."""
    never = select.poll()
    for _ in range(1000):
        if alpha.facts(UNIT)["state"] == "restarting":
            return
        never.poll(5)
    raise AssertionError(f"{UNIT} is not down")


def wait_for(look):
    end = time.monotonic() + WAIT_SEC
    while not (found := look()):
        assert time.monotonic() < end, f"nothing in {WAIT_SEC} s"
        time.sleep(0.02)
    return found


class Store:
    """Keeps the memory in the service manager."""
    kills = KILLS

    @staticmethod
    def lose(alpha):
        alpha.systemctl("stop", UNIT)
        assert alpha.facts(UNIT)["stored"] == []


class File:
    """Keeps it in a file."""
    kills = KILLS // 4

    @staticmethod
    def lose(alpha):
        assert alpha.facts(UNIT)["stored"] == []
        alpha.path(ARENA).unlink()


def kill(alpha, keeper, with_memory):
    alpha.hold(UNIT)
    alpha.kill(UNIT)
    wait_until_down(alpha)
    if with_memory:
        keeper.lose(alpha)
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


@pytest.fixture(name="stage_alone", scope="module")
def make_stage_alone(tmp_path_factory):
    """A staged installation whose datapath has nobody who keeps descriptors."""
    stage = tmp_path_factory.mktemp("stage") / "root"
    shutil.copytree(os.environ.get("NETIPSEC_STAGE", REPO / "build/root"), stage, symlinks=True)
    daemon = stage / "usr/sbin/ipsec-datapathd"
    daemon.rename(f"{daemon}.real")
    daemon.write_text(ALONE)
    daemon.chmod(0o755)
    return stage


@pytest.fixture(name="kept", params=[Store, File])
def make_kept(request):
    """A lab and what keeps its memory. Its keys ask for windows; by default manual ones have none."""
    if request.param is Store:
        yield from with_windows(request.getfixturevalue("pair"), Store)
        return
    # What stands for /run is in memory, as the real one is.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as base:
        lab = Lab(REPO / "etc/labs/pair.lab", Path(base), "alone", request.getfixturevalue("stage_alone"))
        try:
            yield from with_windows(lab, File)
        finally:
            lab.down()


def with_windows(lab, keeper):
    alpha = lab["alpha"]
    before = alpha.path(KEYS).read_text()
    alpha.write(KEYS, before.replace("encr_alg", "replay 64 encr_alg"))
    alpha.systemctl("reload", "ipsec-manual-key")
    yield lab, keeper
    alpha.write(KEYS, before)
    alpha.systemctl("reload", "ipsec-manual-key")


def test_no_number_is_used_twice(kept, record_property):
    lab, keeper = kept
    alpha, beta = lab["alpha"], lab["beta"]
    seed = random.SystemRandom().randrange(1 << 32)
    record_property("seed", seed)
    tell(f"seed {seed}")
    draw = random.Random(seed)
    with wire.Capture(beta, "eth0") as capture:
        with SteadyProbe(alpha, beta, "192.0.2.2") as steady:
            for number in progress("deaths of the datapath", keeper.kills):
                steady.flow(draw.randrange(1, 200))
                kill(alpha, keeper, with_memory=number % 2 == 1)
    sealed = [frame for frame in capture.of(wire.ESP) if frame.source == "192.0.2.1"]
    assert len(sealed) > 10 * keeper.kills and not capture.clear(), f"seed {seed}"
    assert not used_twice(sealed, lambda frame: frame.payload[:HEADER]), f"seed {seed}"
    assert not used_twice(sealed, lambda frame: frame.payload[:4] + frame.payload[HEADER:HEADER + 8]), f"seed {seed}"
    # The memory is lost once more, and the peer is silent: of what came in before, up to the very last
    # packet, nothing is taken again.
    opened = [frame for frame in capture.of(wire.ESP) if frame.destination == "192.0.2.1"]
    assert len(opened) > keeper.kills
    spi = int.from_bytes(opened[0].payload[:4], "big")
    kill(alpha, keeper, with_memory=True)
    wait_for(lambda: spi in dump_sas(alpha))
    old = opened[-REPLAYED:]
    replay(beta, old)
    wait_for(lambda: dump_sas(alpha)[spi]["errors"] >= len(old))
    assert dump_sas(alpha)[spi]["packets"] == 0, f"seed {seed}"
    # What is new comes in when its numbers have passed what was reserved ahead.
    end = time.monotonic() + WAIT_SEC
    while dump_sas(alpha)[spi]["packets"] == 0:
        assert time.monotonic() < end, f"seed {seed}"
        alpha.run("ping", "-q", "-c", "1500", "-i", "0.001", "-w", "3", "192.0.2.2")
