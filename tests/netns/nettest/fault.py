# SPDX-License-Identifier: GPL-2.0-or-later
"""A fault under traffic: nothing in clear, no number used twice, no state lost, and all comes back."""

import collections
import contextlib
import json
import re
from pathlib import Path

from lablib import wire

from nettest.probe import UDP_PERIOD_SEC, SteadyProbe
from nettest.sas import dump_sas

ENDS = {"alpha": ("192.0.2.1", "2001:db8::1"), "beta": ("192.0.2.2", "2001:db8::2")}
BUS = "--address=unix:path=/run/dbus/system_bus_socket"
DATAPATH = ("org.netipsec.Datapath1", "/org/netipsec/Datapath1", "org.netipsec.Datapath1")
SECTIONS = ("policy", "keys", "algorithms")
ANSWER_SEC = 20
NUMBER = 8  # octets of ESP that must never be seen twice: SPI and sequence number


def answers(host, address, seconds=ANSWER_SEC):
    """Ping until the first answer."""
    return host.run("ping", "-c1", "-i0.05", f"-w{seconds}", address).returncode == 0


def _get_section(host, name):
    told = host.exec("busctl", BUS, "--json=short", "call", *DATAPATH, "GetSection", "s", name)
    return json.loads(told)["data"]


def generation(host, name):
    """How often a section has changed."""
    return _get_section(host, name)[0]


def section(host, name):
    """Hash and state of a section as the datapath has it in force."""
    return _get_section(host, name)[1:]


def resources(host, unit):
    """(memory in KiB that is the process's own, descriptors) of a service."""
    process = Path(f"/proc/{host.outer_pid(unit)}")
    own = re.search(r"^Private_Dirty: +(\d+)", (process / "smaps_rollup").read_text(), re.M)
    return int(own[1]), len(list((process / "fd").iterdir()))


def used_twice(frames):
    """SPI and sequence number of packets that were sent more than once."""
    seen = collections.Counter(frame.payload[:NUMBER] for frame in frames)
    return [key.hex() for key, times in seen.items() if times > 1]


class State:
    """What a fault may not cost: the sections in force, and the SAs with what they have counted."""

    def __init__(self, host):
        self.sections = {name: section(host, name) for name in ("policy", "keys")}
        self.sas = dump_sas(host)

    def assert_kept(self, now):
        assert now.sections == self.sections
        assert now.sas.keys() == self.sas.keys()
        for spi, before in self.sas.items():
            for name in ("packets", "sequence", "replay_top"):
                assert now.sas[spi].get(name, 0) >= before.get(name, 0), (hex(spi), name)


@contextlib.contextmanager
def under_traffic(pair, address="192.0.2.2", period=UDP_PERIOD_SEC):
    """The block does the damage. Afterwards the wire has seen nothing that it should not have."""
    alpha, beta = pair["alpha"], pair["beta"]
    assert all(answers(alpha, there) for there in ENDS["beta"])
    before = State(alpha)
    with wire.Capture(beta, "eth0") as capture:
        with SteadyProbe(alpha, beta, address, period=period) as steady:
            yield steady
            assert all(answers(alpha, there) for there in ENDS["beta"])
            assert all(answers(beta, there) for there in ENDS["alpha"])
    before.assert_kept(State(alpha))
    assert not capture.clear()
    sealed = capture.of(wire.ESP)
    assert sealed and not used_twice(sealed)
