# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels made over the bus: every family in every other, in clear and in both modes of ESP."""

import itertools
import json

import pytest
from lablib import wire

ENDS = {4: ("192.0.2.1{}", "192.0.2.2{}"), 6: ("2001:db8::1{}", "2001:db8::2{}")}
INNER = {4: ("10.8.{}.1", "10.8.{}.2"), 6: ("fd00:8:{}::1", "fd00:8:{}::2")}
MODES = ["plain", "tunnel", "transport"]
TUNNELS = list(itertools.product(MODES, (4, 6)))  # mode, outer family
IP_IN_IP = (4, 41)

ADD = """
import dbus, json, sys
service = dbus.SystemBus().get_object("org.netipsec.Datapath1", "/org/netipsec/Datapath1")
for tunnel in json.load(sys.stdin):
    service.AddTunnel(dbus.Dictionary(tunnel, signature="sv"), dbus_interface="org.netipsec.Datapath1")
"""
REMOVE = """
import dbus, sys
service = dbus.SystemBus().get_object("org.netipsec.Datapath1", "/org/netipsec/Datapath1")
for name in sys.argv[1:]:
    service.RemoveTunnel(name, dbus_interface="org.netipsec.Datapath1")
"""


def name_of(mode, outer):
    return f"{mode[:2]}{outer}"


def ends_of(mode, outer, side):
    number = MODES.index(mode)
    both = [text.format(number) for text in ENDS[outer]]
    return both if side == "a" else both[::-1]


def inner_of(mode, outer, inner, side):
    number = TUNNELS.index((mode, outer)) + 1
    both = [text.format(number) for text in INNER[inner]]
    return both if side == "a" else both[::-1]


def policy(side):
    lines = []
    for mode, outer in TUNNELS:
        name = name_of(mode, outer)
        if mode == "transport":
            lines.append(f"{{tunnel {name} negotiate transport}} ipsec {{encr_algs aes-gcm16}}")
            continue
        for inner in (4, 6):
            here, there = inner_of(mode, outer, inner, side)
            what = "ipsec {encr_algs aes-gcm16 sa shared}" if mode == "tunnel" else "bypass {}"
            both = " dir both" if mode == "plain" else ""
            lines.append(f"{{tunnel {name} negotiate tunnel laddr {here} raddr {there}{both}}} {what}")
    return "\n".join(lines) + "\n"


def keys():
    """The same file at both ends."""
    octets = itertools.cycle(range(1, 255))
    lines = []
    for number, (mode, outer, inner, side) in enumerate(
            itertools.product(MODES[1:], (4, 6), (4, 6), "ab")):
        src, dst = ends_of(mode, outer, side)
        mark, proto = "6" if outer == 6 else "", 4 if inner == 4 else 41
        line = f"add esp spi {0x3000 + number:#x} src{mark} {src} dst{mark} {dst} proto {proto}"
        if mode == "tunnel":
            isrc, idst = inner_of(mode, outer, inner, side)
            mark = "6" if inner == 6 else ""
            line += f" isrc{mark} {isrc} idst{mark} {idst}"
        key = bytes(itertools.islice(octets, 20)).hex()
        lines.append(f"{line} encr_alg aes-gcm16 encrkey {key}")
    return "\n".join(lines) + "\n"


def host(side):
    addresses = [f"{ends_of(mode, outer, side)[0]}/{24 if outer == 4 else 64}"
                 for mode, outer in TUNNELS]
    return (f"host {side}\n\taddress eth0 {' '.join(addresses)}\n\tfiles {side}\n\tservices all\n")


def descriptions(side):
    made = []
    for mode, outer in TUNNELS:
        source, destination = ends_of(mode, outer, side)
        addresses = [f"{inner_of(mode, outer, inner, side)[0]}/{30 if inner == 4 else 64}"
                     for inner in (4, 6)]
        made.append({"name": name_of(mode, outer), "source": source, "destination": destination,
                     "addresses": addresses})
    return made


def add(lab, tunnels):
    done = lab.run("/usr/bin/python3", "-c", ADD, stdin=json.dumps(tunnels))
    assert done.returncode == 0, done.stderr


def reaches(lab, address, count=3):
    return lab.run("ping", f"-c{count}", "-i0.05", "-W2", address).returncode == 0


@pytest.fixture(name="lab", scope="module")
def made(labs, tmp_path_factory):
    base = tmp_path_factory.mktemp("tunnels")
    for side in "ab":
        (base / side).mkdir()
        (base / side / "ipsecinit.conf").write_text(policy(side))
        (base / side / "ipseckeys").write_text(keys())
    (base / "tunnels.lab").write_text(host("a") + host("b") + "link a:eth0 b:eth0\n")
    lab = labs(base / "tunnels.lab")
    for side in "ab":  # their policy is in force long since
        add(lab[side], descriptions(side))
    return lab


@pytest.mark.parametrize("inner", [4, 6], ids=lambda family: f"{family}in")
@pytest.mark.parametrize("mode,outer", TUNNELS, ids=lambda part: str(part))
def test_each_family_goes_in_each(lab, mode, outer, inner):
    there = inner_of(mode, outer, inner, "a")[1]
    ends = set(ends_of(mode, outer, "a"))
    with wire.Capture(lab["b"], "eth0") as capture:
        assert reaches(lab["a"], there)
    assert not capture.clear()
    protected = [frame for frame in capture.of(wire.ESP) if {frame.source, frame.destination} == ends]
    plain = [frame for frame in capture.of(*IP_IN_IP) if {frame.source, frame.destination} == ends]
    if mode != "plain":
        assert len(protected) >= 6 and not plain
        return
    assert not protected
    assert len([frame for frame in plain if frame.protocol == (4 if inner == 4 else 41)]) >= 6


def test_what_no_rule_names_does_not_enter(lab):
    name, there = name_of("tunnel", 4), "10.8.77.1"
    lab["a"].exec("ip", "route", "add", there, "dev", name)
    with wire.Capture(lab["b"], "eth0") as capture:
        assert not reaches(lab["a"], there)
    assert not capture.clear() and not capture.of(wire.ESP, *IP_IN_IP)


def test_one_leaves_and_the_others_stay(lab):
    name = name_of("tunnel", 6)
    there = inner_of("tunnel", 6, 4, "a")[1]
    others = [inner_of(mode, outer, 4, "a")[1] for mode, outer in TUNNELS
              if (mode, outer) != ("tunnel", 6)]
    lab["a"].exec("/usr/bin/python3", "-c", REMOVE, name)
    with wire.Capture(lab["b"], "eth0") as capture:
        assert not reaches(lab["a"], there, count=2)
        assert all(reaches(lab["a"], address) for address in others)
    assert not [frame for frame in capture.of(wire.ESP) if "2001:db8::11" == frame.source]
    add(lab["a"], [row for row in descriptions("a") if row["name"] == name])
    assert reaches(lab["a"], there)


def test_tunnels_of_the_bus_survive_the_daemon(lab):
    lab["a"].kill("ipsec-datapath")
    lab["a"].wait_active("ipsec-datapath")
    for mode, outer in TUNNELS:
        assert lab["a"].run("ping", "-c1", "-w10", "-i0.1",
                            inner_of(mode, outer, 6, "a")[1]).returncode == 0, (mode, outer)
