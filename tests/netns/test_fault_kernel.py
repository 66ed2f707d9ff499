# SPDX-License-Identifier: GPL-2.0-or-later
"""What others do to the kernel behind our back: rules, routes, interfaces, addresses."""

from pathlib import Path

import pytest
from nettest.fault import ENDS, answers, under_traffic

TUN = "ipsec0"
TABLE = "18768"
FAMILIES = ("-4", "-6")


def rules(host):
    return [sorted(host.exec("ip", family, "rule", "show").splitlines()) for family in FAMILIES]


def routes(host):
    return [sorted(host.exec("ip", family, "route", "show", "table", TABLE).splitlines())
            for family in FAMILIES]


def mtu(host):
    return Path(f"/proc/{host.outer_pid('ipsec-datapath')}/root/sys/class/net/{TUN}/mtu").read_text()


def steering(host):
    return rules(host) + routes(host) + [mtu(host)]


def delete_rules(host):
    for family in FAMILIES:
        priority = [line.split(":")[0] for line in host.exec("ip", family, "rule", "show").splitlines()
                    if "fwmark" in line]
        assert priority
        for number in priority:
            host.exec("ip", family, "rule", "delete", "priority", number)


DAMAGE = {
    "ruleset flushed": lambda host: host.run("nft", "flush", "ruleset"),
    "TUN deleted": lambda host: host.exec("ip", "link", "delete", TUN),
    "TUN down": lambda host: host.exec("ip", "link", "set", TUN, "down"),
    "TUN small": lambda host: host.exec("ip", "link", "set", TUN, "mtu", "1280"),
    "rules deleted": delete_rules,
    "routes flushed": lambda host: [host.exec("ip", family, "route", "flush", "table", TABLE)
                                    for family in FAMILIES],
}


@pytest.mark.parametrize("what", DAMAGE)
def test_restored_under_traffic(pair, what):
    alpha = pair["alpha"]
    whole = steering(alpha)
    with under_traffic(pair) as steady:
        steady.flow(100)
        DAMAGE[what](alpha)
        steady.flow(300)
    for _ in range(200):
        if steering(alpha) == whole:
            break
    assert steering(alpha) == whole


def up_and_down(host, _peer):
    """IPv6 addresses go with the link, and come back with whoever gave them."""
    host.exec("ip", "link", "set", "eth0", "down")
    host.exec("ip", "link", "set", "eth0", "up")
    host.exec("ip", "address", "replace", f"{ENDS['alpha'][1]}/64", "dev", "eth0", "nodad")


def out_and_in(host, _peer):
    """The addresses that policy and SAs are about."""
    for address, bits in zip(ENDS["alpha"], (24, 64)):
        host.exec("ip", "address", "delete", f"{address}/{bits}", "dev", "eth0")
    assert not answers(host, ENDS["beta"][0], seconds=1)
    for address, bits in zip(ENDS["alpha"], (24, 64)):
        host.exec("ip", "address", "add", f"{address}/{bits}", "dev", "eth0", "nodad")


def in_and_out(host, _peer):
    for number in range(40):
        host.exec("ip", "address", "add", f"198.51.100.{number + 1}/32", "dev", "eth0")
    host.exec("ip", "address", "flush", "dev", "eth0", "to", "198.51.100.0/24")


def narrow(host, peer):
    """What is too long for the wire then goes in pieces. A wire has one MTU: at both of its ends."""
    for mtu in (1300, 1500):
        for end in (host, peer):
            end.exec("ip", "link", "set", "eth0", "mtu", str(mtu))
        for there in ENDS["beta"]:
            host.exec("ping", "-c1", "-i0.2", "-w20", "-s", "1400", there)


WIRE = {"link down and up": up_and_down, "addresses out and in": out_and_in,
        "addresses in and out": in_and_out, "MTU changed": narrow}


@pytest.mark.parametrize("address", ENDS["beta"], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("what", WIRE)
def test_the_wire_changes_under_traffic(pair, what, address):
    with under_traffic(pair, address) as steady:
        WIRE[what](pair["alpha"], pair["beta"])
        steady.flow(100)
