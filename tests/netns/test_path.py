# SPDX-License-Identifier: GPL-2.0-or-later
"""A router in the middle with a shorter link behind it: who is told what, and what still arrives."""

import socket

import pytest
from lablib import wire
from nettest.peer import statistics

MTU = 1400
# 20 (40) + 8 + 8 + text + 16 <= 1400, text in words with a trailer of 2: what a clear packet may have.
CLEAR = 1366
UDP_HEADER = 8
ADDRESSES = {4: ("10.1.0.1", "10.2.0.1"), 6: ("2001:db8:1::1", "2001:db8:2::1")}
# A pair of addresses for ESP in UDP, which is the longer by a header.
ENCAPSULATED = {4: ("10.1.0.2", "10.2.0.2"), 6: ("2001:db8:1::2", "2001:db8:2::2")}
families = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])

LAB = f"""
host alpha
	address  eth0 10.1.0.1/24 2001:db8:1::1/64 10.1.0.2/24 2001:db8:1::2/64
	route    default via 10.1.0.254
	route    default via 2001:db8:1::254
	files    alpha
	services all
host router
	address  left 10.1.0.254/24 2001:db8:1::254/64
	address  right 10.2.0.254/24 2001:db8:2::254/64
	forward
host beta
	address  eth0 10.2.0.1/24 2001:db8:2::1/64 10.2.0.2/24 2001:db8:2::2/64
	route    default via 10.2.0.254
	route    default via 2001:db8:2::254
	files    beta
	services all
link alpha:eth0 router:left
link router:right beta:eth0 mtu {MTU}
"""


def rules(here, there):
    return "".join(f"{{laddr {ends[family][here]} raddr {ends[family][there]}}} "
                   "ipsec {encr_algs aes-gcm16 sa shared}\n"
                   for ends in (ADDRESSES, ENCAPSULATED) for family in (4, 6))


def keys():
    lines = []
    ways = [(ends, family, way) for ends in (ADDRESSES, ENCAPSULATED)
            for family in (4, 6) for way in (0, 1)]
    for number, (ends, family, way) in enumerate(ways, start=1):
        src, dst = ends[family][way], ends[family][1 - way]
        mark = "6" if family == 6 else ""
        key = bytes((number * 16 + place) % 256 for place in range(20)).hex()
        lines.append(f"add esp spi {0x5000 + number:#x} src{mark} {src} dst{mark} {dst} "
                     f"encr_alg aes-gcm16 encrkey {key}"
                     f"{' encap udp nat_rport 4500' if ends is ENCAPSULATED else ''}\n")
    return "".join(lines)


@pytest.fixture(scope="module")
def lab(labs, tmp_path_factory):
    base = tmp_path_factory.mktemp("path")
    for here, name in enumerate(("alpha", "beta")):
        (base / name).mkdir()
        (base / name / "ipsecinit.conf").write_text(rules(here, 1 - here))
        (base / name / "ipseckeys").write_text(keys())
    (base / "path.lab").write_text(LAB)
    return labs(base / "path.lab")


def exchange(lab, family, payload, tries=1, forbid=False, ends=None):
    """A datagram from alpha to beta. The first ones may only teach the path's MTU."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    source, target = (ends or ADDRESSES)[family]
    with lab["beta"].socket(kind, socket.SOCK_DGRAM, 0, [target, 5000]) as sink, \
            lab["alpha"].socket(kind, socket.SOCK_DGRAM, 0, [source, 5001]) as sender:
        sink.settimeout(10 / tries)
        if family == 4:
            sender.setsockopt(socket.IPPROTO_IP, 10, 2 if forbid else 0)  # IP_MTU_DISCOVER
        for _ in range(tries):
            try:
                sender.sendto(payload, (target, 5000))
                return sink.recvfrom(65535)[0]
            except (TimeoutError, OSError):
                pass
    raise AssertionError(f"{len(payload)} octets never arrived")


def count(lab, name):
    return statistics(lab["alpha"])[name]


@families
def test_sender_is_told_what_fits_before_protection(lab, family):
    target = ADDRESSES[family][1]
    option = "-4" if family == 4 else "-6"
    header = 20 if family == 4 else 40
    lab["alpha"].exec("ping", option, "-c1", "-w10", target)
    # Packets that fit our own link: the router complains about ESP, then we complain inward.
    size = str(CLEAR + 40 - header - 8)
    for _ in range(3):
        lab["alpha"].run("ping", option, "-c1", "-W1", "-Mdo", "-s", size, target)
    route = lab["alpha"].exec("ip", option, "route", "get", target)
    if family == 4:
        assert f"mtu {CLEAR}" in route, route
    lab["alpha"].exec("ping", option, "-c1", "-w10", "-Mdo", "-s", str(CLEAR - header - 8), target)
    too_long = lab["alpha"].run("ping", option, "-c1", "-W1", "-Mdo", "-s",
                                str(CLEAR - header - 7), target)
    assert family == 6 or too_long.returncode != 0
    assert count(lab, "esp_icmp") > 0


@families
def test_errors_about_esp_in_udp_are_heard(lab, family):
    source, target = ENCAPSULATED[family]
    option = "-4" if family == 4 else "-6"
    header = 20 if family == 4 else 40
    clear = CLEAR - UDP_HEADER
    lab["alpha"].exec("ping", option, "-I", source, "-c1", "-w10", target)
    before = count(lab, "esp_icmp")
    for _ in range(3):
        lab["alpha"].run("ping", option, "-I", source, "-c1", "-W1", "-Mdo",
                         "-s", str(CLEAR + 40 - header - 8), target)
    assert count(lab, "esp_icmp") > before
    if family == 4:
        route = lab["alpha"].exec("ip", "route", "get", target, "from", source)
        assert f"mtu {clear}" in route, route
    with wire.Capture(lab["beta"], "eth0") as capture:
        lab["alpha"].exec("ping", option, "-I", source, "-c1", "-w10", "-Mdo",
                          "-s", str(clear - header - 8), target)
    assert any(len(frame.raw) > MTU - 20 for frame in capture.of(wire.UDP))


@families
def test_long_datagrams_arrive_whole(lab, family):
    """Fragments of ESP, ours or the router's, are put together before they are opened."""
    payload = bytes(range(256)) * 40
    with wire.Capture(lab["beta"], "eth0") as capture:
        assert exchange(lab, family, payload, tries=5) == payload
    assert all(len(frame.raw) <= MTU + 14 for frame in capture.frames)
    assert not any(payload[:64] in frame.raw for frame in capture.frames)


@families
@pytest.mark.parametrize("ends", [ADDRESSES, ENCAPSULATED], ids=["esp", "udp"])
def test_errors_that_nobody_can_have_sent_change_nothing(lab, family, ends):
    """Too small, and about a number that was never used: the path stays as it is."""
    source, target = ends[family]
    udp = ends is ENCAPSULATED
    spi, kind = 0x5001 + (2 if family == 6 else 0) + (4 if udp else 0), "IP" if family == 4 else "IPv6"
    error = ("ICMP(type=3, code=4, nexthopmtu=mtu)" if family == 4
             else "ICMPv6PacketTooBig(mtu=mtu)")
    inner = ("proto=" if family == 4 else "nh=") + ("17" if udp else "50")
    router = "10.1.0.254" if family == 4 else "2001:db8:1::254"
    exchange(lab, family, b"before", tries=5, ends=ends)
    before = count(lab, "esp_icmp")
    script = f"""
from scapy.all import *
import struct
for mtu, number in ((68, 1), (575, 1), (600, 0x7fffffff), (1300, 0x7fffffff)):
    esp = struct.pack(">II", {spi}, number) + bytes(64)
    udp = struct.pack(">HHHH", 4500, 4500, 8 + len(esp), 0) if {udp} else b""
    about = {kind}(src="{source}", dst="{target}", {inner}) / Raw(udp + esp)
    send({kind}(src="{router}", dst="{source}") / {error} / Raw(bytes(about)), verbose=0)
"""
    lab["router"].exec("/usr/bin/python3", "-c", script)
    header = (20 if family == 4 else 40) + 8 + (UDP_HEADER if udp else 0)
    payload = b"x" * (CLEAR - header)
    with wire.Capture(lab["beta"], "eth0") as capture:
        assert exchange(lab, family, payload, tries=5, forbid=True, ends=ends) == payload
    assert any(len(frame.raw) > MTU - 40 for frame in capture.of(wire.UDP if udp else wire.ESP))
    assert count(lab, "esp_icmp") - before >= 4
