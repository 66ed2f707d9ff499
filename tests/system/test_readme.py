# SPDX-License-Identifier: GPL-2.0-or-later
"""README's two machines: what it tells a newcomer to type, typed, and what it promises, seen."""

import json
import re

import pytest
from lablib.wire import ESP, Capture
from systest.machine import REPO, Cable

ADDRESSES = ["192.0.2.1", "192.0.2.2"]
KEYS, POLICY = "/etc/inet/secret/ipseckeys", "/etc/inet/ipsecinit.conf"
PINGS = 3


@pytest.fixture(scope="module")
def blocks():
    """The commands and lines of README's section, block by block, without remarks."""
    text = (REPO / "README.md").read_text()
    section = text.split("## Two machines\n")[1].split("\n## ")[0]
    return [[line.split(" #")[0].rstrip() for line in block.strip().splitlines()]
            for block in re.findall(r"```\n(.*?)```", section, re.S)]


@pytest.fixture(scope="module")
def pair(machines):
    alpha, beta = machines("alpha", install=False, bind=[REPO]), machines("beta", install=False,
                                                                       bind=[REPO])
    Cable((alpha, "eth0", f"{ADDRESSES[0]}/24"), (beta, "eth0", f"{ADDRESSES[1]}/24"))
    alpha.start()
    beta.start()
    return alpha, beta


def other_way_round(line):
    one, two = ADDRESSES
    return line.replace(one, "@").replace(two, one).replace("@", two)


def type_in(machine, line):
    """What it printed, errors and warnings too."""
    return machine.exec("bash", "-c", f"cd {REPO} && {{ {line}\n}} 2>&1")


def test_a_ping_is_protected(pair, blocks):
    alpha, beta = pair
    install, _packages, keys, policy, load = blocks
    # The build stands already, and nothing is to be fetched in the machine.
    assert install[0].startswith("./run build && ")
    install[0] = install[0].removeprefix("./run build && ").replace("-C build", "-C build --no-rebuild")
    for machine in pair:
        for line in install:
            type_in(machine, line)
        for unit in re.findall(r"ipsec-[\w-]+", install[1]):
            assert machine.active(unit) == "active"
            assert "does not exist: 0 " in machine.status_text(unit)
    type_in(alpha, keys[0])
    beta.write(KEYS, alpha.path(KEYS).read_text(), mode=0o600)
    alpha.write(POLICY, policy[0] + "\n")
    beta.write(POLICY, other_way_round(policy[0]) + "\n")
    *steps, ping = load
    for machine in pair:
        said = "".join(type_in(machine, line) for line in steps)
        assert "error: " not in said and "warning: " not in said, said
        assert re.fullmatch(r"2 rules in force \(generation \d+\)", machine.status_text("ipsec-policy"))
        assert re.fullmatch(r"2 SAs in force \(generation \d+\)", machine.status_text("ipsec-manual-key"))
    with Capture(alpha, "eth0") as wire:
        ping = ping.replace("ping ", f"ping -c {PINGS} -i 0.2 -W 5 ")
        assert " 0% packet loss" in type_in(alpha, ping)
        wire.wait(2 * PINGS, lambda frame: frame.protocol == ESP)
    assert not wire.clear()
    counted = json.loads(type_in(alpha, "ipsecstat --sas --json"))["sas"]
    assert [sa["packets"] for sa in counted] == [PINGS, PINGS]
