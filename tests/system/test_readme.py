# SPDX-License-Identifier: GPL-2.0-or-later
"""README's two machines: what it tells a newcomer to type, typed."""

import re

import pytest
from lablib.wire import ESP, Capture
from systest.machine import REPO, Cable

ADDRESSES = ["192.0.2.1", "192.0.2.2"]


@pytest.fixture(scope="module")
def blocks():
    """The commands and lines of README's section, block by block."""
    text = (REPO / "README.md").read_text()
    section = text.split("## Two machines\n")[1].split("\n## ")[0]
    return [block.strip().splitlines() for block in re.findall(r"```\n(.*?)```", section, re.S)]


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
    return machine.exec("bash", "-c", f"cd {REPO} && {line}")


def test_a_ping_is_protected(pair, blocks):
    install, keys, policy, load = blocks
    # The build stands already, and nothing is to be fetched in the machine.
    install = [line.replace("./run build && ", "").replace("-C build", "-C build --no-rebuild")
               for line in install]
    for machine in pair:
        for line in install:
            type_in(machine, line)
    type_in(pair[0], keys[0])
    text = pair[0].path("/etc/inet/secret/ipseckeys").read_text()
    pair[1].write("/etc/inet/secret/ipseckeys", text, mode=0o600)
    pair[0].write("/etc/inet/ipsecinit.conf", policy[0] + "\n")
    pair[1].write("/etc/inet/ipsecinit.conf", other_way_round(policy[0]) + "\n")
    check, reload, ping = load
    for machine in pair:
        type_in(machine, check)
        type_in(machine, reload)
    with Capture(pair[0], "eth0") as wire:
        ping = ping.split("#")[0].replace("ping ", "ping -c 3 -i 0.2 -W 2 ")
        assert " 0% packet loss" in type_in(pair[0], ping)
        wire.wait(6, lambda frame: frame.protocol == ESP)
    assert not wire.clear()
