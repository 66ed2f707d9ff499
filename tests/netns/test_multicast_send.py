# SPDX-License-Identifier: GPL-2.0-or-later
"""One SA of a group in both directions: what programs here send to it, and who gets it."""

import json
import socket
import struct

import pytest
from lablib import wire
from nettest import oracle
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

HOST = {4: "192.0.2.1", 6: "2001:db8::1"}
FAR = {4: "198.51.100.1", 6: "2001:db8:1::1"}  # the host's address on its other link
MEMBER = {4: "198.51.100.2", 6: "2001:db8:1::2"}
GROUP = {4: "239.1.2.3", 6: "ff15::1:3"}
SPI = {4: 0x7003, 6: 0x7603}
ENCR_KEY, AUTH_KEY = "11" * 16, "22" * 32
PORT, LOCAL_PORT, HOPS = 5000, 5001, 7
WAIT_SEC = 10
LINK_MTU = 1500
families = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])

LAB = """
host host
	address  eth0 192.0.2.1/24 2001:db8::1/64
	address  eth1 198.51.100.1/24 2001:db8:1::1/64
	route    default via 192.0.2.9
	files    files
	services all
host peer
	address  eth0 192.0.2.2/24 2001:db8::2/64
host member
	address  eth0 198.51.100.2/24 2001:db8:1::2/64
	route    default via 198.51.100.1
	files    files
	services all
link host:eth0 peer:eth0
link host:eth1 member:eth0
"""


def policy():
    protect = "ipsec {encr_algs aes encr_auth_algs sha256 sa shared}"
    return "".join(f"{{raddr {group} ulp udp dir out}} {protect}\n"
                   f"{{laddr {group} ulp udp dir in}} {protect}\n" for group in GROUP.values())


def key_line(family, src=None):
    mark = "6" if family == 6 else ""
    source = f"src{mark} {src} " if src else ""
    return (f"add esp spi {SPI[family]:#x} {source}dst{mark} {GROUP[family]} encr_alg aes "
            f"encrkey {ENCR_KEY} auth_alg sha256 authkey {AUTH_KEY}\n")


def kind(family):
    return socket.AF_INET if family == 4 else socket.AF_INET6


class Party:
    """A host with programs that are members of the group, or send to it."""

    def __init__(self, host):
        self.host = host
        self.links = {link["ifname"]: link["ifindex"]
                      for link in json.loads(host.exec("ip", "-json", "link", "show"))}

    def sink(self, family, device):
        sock = self.host.socket(kind(family), socket.SOCK_DGRAM, 0,
                                ["" if family == 4 else "::", PORT])
        packed = socket.inet_pton(kind(family), GROUP[family])
        if family == 4:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                            packed + struct.pack("@4si", bytes(4), self.links[device]))
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                            packed + struct.pack("@i", self.links[device]))
        sock.settimeout(WAIT_SEC)
        return sock

    def send(self, family, device, src, *payloads):
        with self.host.socket(kind(family), socket.SOCK_DGRAM, 0, [src, LOCAL_PORT]) as sender:
            if family == 4:
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                                  struct.pack("@4s4si", bytes(4), bytes(4), self.links[device]))
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, HOPS)
            else:
                sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF,
                                  self.links[device])
                sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOPS)
            for payload in payloads:
                sender.sendto(payload, (GROUP[family], PORT))


@pytest.fixture(name="lab", scope="module")
def start_lab(labs, tmp_path_factory):
    base = tmp_path_factory.mktemp("multicast-send")
    (base / "files").mkdir()
    (base / "files/ipsecinit.conf").write_text(policy())
    (base / "files/ipseckeys").write_text("".join(map(key_line, GROUP)))
    (base / "send.lab").write_text(LAB)
    return labs(base / "send.lab")


@pytest.fixture(name="host", scope="module")
def take_host(lab):
    return Party(lab["host"])


@pytest.fixture(name="member", scope="module")
def take_member(lab):
    return Party(lab["member"])


def of_group(capture, family):
    return [frame for frame in capture.frames if frame.destination == GROUP[family]]


@families
def test_another_implementation_opens_what_is_sent(lab, host, family):
    payloads = [f"to all of you, {number}".encode() for number in range(3)]
    with wire.Capture(lab["peer"], "eth0") as near, wire.Capture(lab["member"], "eth0") as far:
        host.send(family, "eth0", HOST[family], *payloads)
        near.wait(len(payloads), lambda frame: frame.destination == GROUP[family])
    sent = of_group(near, family)
    assert [frame.protocol for frame in sent] == [wire.ESP] * len(payloads)
    keys = oracle.read_keys(key_line(family, HOST[family]))
    opened = [oracle.scapy_open(frame, keys) for frame in sent]
    assert [bytes(packet[UDP].payload) for packet in opened] == payloads
    for frame, packet in zip(sent, opened):
        assert frame.source == HOST[family]
        outer = (IP if family == 4 else IPv6)(frame.raw[14:])
        assert (outer.ttl if family == 4 else outer.hlim) == HOPS
        assert packet[UDP].dport == PORT
        if family == 6:
            assert outer.fl == 0
    assert not of_group(far, family)


@families
def test_it_leaves_by_the_link_that_the_program_chose(lab, host, member, family):
    """Whatever the routes of the group and the link of the source say."""
    with wire.Capture(lab["peer"], "eth0") as near, wire.Capture(lab["member"], "eth0") as far, \
            member.sink(family, "eth0") as sink:
        host.send(family, "eth1", HOST[family], b"by the other link")
        came, source = sink.recvfrom(65535)
        assert (came, source[0]) == (b"by the other link", HOST[family])
    assert [frame.protocol for frame in of_group(far, family)] == [wire.ESP]
    assert not of_group(near, family)


@families
def test_both_send_under_the_one_sa(host, member, family):
    with host.sink(family, "eth1") as here, member.sink(family, "eth0") as there:
        for number in range(3):
            host.send(family, "eth1", FAR[family], f"host {number}".encode())
            came, source = there.recvfrom(65535)
            assert (came, source[0]) == (f"host {number}".encode(), FAR[family])
            member.send(family, "eth0", MEMBER[family], f"member {number}".encode())
            # A member that sends gets its own, too.
            assert there.recvfrom(65535)[0] == f"member {number}".encode()
            assert here.recvfrom(65535)[0] == f"host {number}".encode()
            came, source = here.recvfrom(65535)
            assert (came, source[0]) == (f"member {number}".encode(), MEMBER[family])


@families
def test_members_here_get_one_copy_of_each(host, family):
    payloads = [f"copy {number}".encode() for number in range(20)]
    with host.sink(family, "eth0") as sink:
        host.send(family, "eth0", HOST[family], *payloads)
        assert [sink.recvfrom(65535)[0] for _ in payloads] == payloads
        host.send(family, "eth0", HOST[family], b"the end")
        assert sink.recvfrom(65535)[0] == b"the end"


@families
def test_what_becomes_too_long_is_cut(lab, host, member, family):
    """It filled the link in clear; nobody may be told that it does not any more."""
    payload = bytes(range(256)) * 6
    payload = payload[:LINK_MTU - (28 if family == 4 else 48)]
    with wire.Capture(lab["member"], "eth0") as far, member.sink(family, "eth0") as sink:
        host.send(family, "eth1", FAR[family], payload)
        assert sink.recvfrom(65535)[0] == payload
    assert len(of_group(far, family)) == 2
    assert not [frame for frame in far.frames if payload[:64] in frame.raw]


@families
def test_it_goes_on_after_a_restart(host, member, family):
    """The engine's device may have another number then."""
    host.host.systemctl("restart", "ipsec-datapath")
    with member.sink(family, "eth0") as sink:
        host.send(family, "eth1", FAR[family], b"after the restart")
        assert sink.recvfrom(65535)[0] == b"after the restart"
