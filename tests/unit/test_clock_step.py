# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody sets the clock: what lives by dates follows it, what lives by seconds does not notice.

The clock is the daemon's alone, by a library that is preloaded; ./run soak oldkernel sets a machine's.
"""

import datetime
import struct
import time

import pytest
from service import STAGE
from test_datapathd import Datapath, wait_for
from test_manual_keyd import datapath, write

LIBRARY = STAGE.parent / "tests/unit/clock-step.so"
HOUR = 3600
SHORT_SEC = 2
WAIT_SEC = 30
FORMER, SUCCESSOR = "6a1f" + "0c" * 18, "7b2f" + "1d" * 18
KEY = "add esp spi {} src 192.0.2.1 dst 192.0.2.2 encr_alg aes-gcm16 encrkey {}\n"


class Clock:
    """Of the daemons that it is given to."""

    def __init__(self, world):
        self.file = world.root / "clock-step"
        self.file.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(LIBRARY), "CLOCK_STEP": str(self.file),
                    "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def step(self, seconds):
        """Off the right time by so much, from now on."""
        with open(self.file, "r+b") as file:
            file.write(struct.pack("=q", seconds))


@pytest.fixture(name="clock")
def clock_fixture(world):
    return Clock(world)


def date(seconds):
    """That long from now, as key files have it."""
    return datetime.datetime.fromtimestamp(time.time() + seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def given(there):
    """The keys that the datapath was given last."""
    content = there.sections["keys"][2]
    return {key for key in (FORMER, SUCCESSOR) if bytes.fromhex(key) in content}


def test_manual_keys_follow_the_clock(world, clock):
    """Forward: at once. Back: what is over stays over, until somebody has the file read again."""
    there = datapath(world)
    at = date(5 * HOUR)
    write(world, KEY.format("0x1001", FORMER) +
          f"update esp spi 0x1001 dst 192.0.2.2 send_until {at} receive_until {at}\n" +
          KEY.format("0x1011", SUCCESSOR).rstrip() + f" send_from {at}\n")
    world.start("ipsec-manual-keyd", env=clock.env).ready()
    there.published.get(timeout=WAIT_SEC)
    assert given(there) == {FORMER, SUCCESSOR}
    clock.step(6 * HOUR)
    there.published.get(timeout=WAIT_SEC)
    assert given(there) == {SUCCESSOR}
    clock.step(-HOUR)
    assert world.properties("ManualKey1")["ConfigFile"]  # it has looked at what came to it until now
    assert there.published.empty() and given(there) == {SUCCESSOR}
    world.call("ManualKey1", "Reload")
    there.published.get(timeout=WAIT_SEC)
    assert given(there) == {FORMER, SUCCESSOR}


@pytest.mark.parametrize("seconds", [5 * HOUR, -5 * HOUR])
def test_lives_are_counted_in_seconds(world, clock, seconds):
    """An SA of seconds ends and one of hours does not, whichever way the clock went."""
    engine = Datapath(world).start(before=["env", *(f"{name}={value}" for name, value in clock.env.items())])
    wait_for((world.root / "run/netipsec/pfkey").exists)
    world.write("/etc/keys", "".join(KEY.format(spi, key).rstrip() + f" hard_addtime {life}\n" for spi, key, life in (
        ("0x1001", FORMER, SHORT_SEC), ("0x1002", SUCCESSOR, 4 * HOUR))))
    (world.root / "etc/keys").chmod(0o600)
    added = world.run("ipseckey", "-n", "-f", str(world.root / "etc/keys"))
    assert added.returncode == 0, added.stderr
    begun = time.clock_gettime(time.CLOCK_BOOTTIME)

    def spis():
        return {int(sa["spi"], 0) for sa in engine.listing("DumpSas")["sas"]}
    clock.step(seconds)
    there = spis()
    assert 0x1002 in there
    assert 0x1001 in there or time.clock_gettime(time.CLOCK_BOOTTIME) >= begun + SHORT_SEC
    wait_for(lambda: 0x1001 not in spis())
    assert time.clock_gettime(time.CLOCK_BOOTTIME) >= begun + SHORT_SEC - 1
    assert spis() == {0x1002}
