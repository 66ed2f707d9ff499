# SPDX-License-Identifier: GPL-2.0-or-later
"""SAs of multicast groups: several senders share one, or each has its own under the same SPI."""

import itertools
import json
import socket
import struct
import time

import pytest
from lablib import decode, wire
from nettest import oracle
from nettest.peer import statistics
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw, raw

HOST = {4: "192.0.2.1", 6: "2001:db8::1"}
SENDERS = {4: ["192.0.2.2", "192.0.2.3"], 6: ["2001:db8::2", "2001:db8::3"]}
STRANGER = {4: "192.0.2.4", 6: "2001:db8::4"}
SHARED = {4: "239.1.2.3", 6: "ff15::1:3"}  # one SA, which names no source
OWN = {4: "239.1.2.4", 6: "ff15::1:4"}  # one for each source
SHARED_SPI, OWN_SPI = {4: 0x7003, 6: 0x7603}, {4: 0x7004, 6: 0x7604}
SHARED_NUMBER = 0  # of the keys; the senders of the other group have 1 and 2
PORT, LOCAL_PORT = 5000, 5001
WAIT_SEC = 10
families = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])

LAB = """
host host
	address  eth0 192.0.2.1/24 2001:db8::1/64
	route    default via 192.0.2.9
	files    host
	services all
host peer
	address  eth0 192.0.2.2/24 2001:db8::2/64
link host:eth0 peer:eth0
"""


def policy():
    protect = "ipsec {encr_algs aes encr_auth_algs sha256 sa shared}"
    return "".join(f"{{raddr {group} ulp udp dir out}} {protect}\n"
                   f"{{laddr {group} ulp udp dir in}} {protect}\n"
                   for group in (*SHARED.values(), *OWN.values()))


def key_line(family, group, spi, src, number):
    mark = "6" if family == 6 else ""
    source = f"src{mark} {src} " if src else ""
    return (f"add esp spi {spi[family]:#x} {source}dst{mark} {group[family]} encr_alg aes "
            f"encrkey {bytes([number + 1] * 16).hex()} auth_alg sha256 "
            f"authkey {bytes([number + 101] * 32).hex()}\n")


def keys():
    return "".join(key_line(family, SHARED, SHARED_SPI, None, SHARED_NUMBER) +
                   "".join(key_line(family, OWN, OWN_SPI, src, number)
                           for number, src in enumerate(SENDERS[family], 1))
                   for family in (4, 6))


class Peer:
    """The link as the senders see it."""

    def __init__(self, lab):
        self.lab, self.host, self.peer = lab, lab["host"], lab["peer"]
        link = json.loads(self.host.exec("ip", "-json", "link", "show", "eth0"))[0]
        self.index = link["ifindex"]
        self.numbers = itertools.count(1)

    def member(self, family, group):
        """A socket of the host that has joined the group on the link."""
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        sock = self.host.socket(kind, socket.SOCK_DGRAM, 0, ["" if family == 4 else "::", PORT])
        packed = socket.inet_pton(kind, group)
        if family == 4:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                            packed + struct.pack("@4si", bytes(4), self.index))
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                            packed + struct.pack("@i", self.index))
        sock.settimeout(WAIT_SEC)
        return sock

    def send(self, octets):
        if octets[0] >> 4 == 4:
            kind, address = wire.ETH_P_IP, b"\x01\x00\x5e" + octets[17:20]
        else:
            kind, address = wire.ETH_P_IPV6, b"\x33\x33" + octets[36:40]
        with self.peer.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, ["eth0", 0]) as sender:
            sender.send(address + b"\x02\0\0\0\0\x02" + struct.pack("!H", kind) + octets)


def clear(family, src, group, payload):
    header = (IP(src=src, dst=group[family], ttl=1) if family == 4
              else IPv6(src=src, dst=group[family], hlim=1))
    return header / UDP(sport=LOCAL_PORT, dport=PORT) / Raw(payload)


def sealed(family, src, group, spi, number, sequence, payload):
    """A sender's datagram to the group."""
    (key,) = decode.read_keys(key_line(family, group, spi, src, number)).values()
    return raw(oracle.association(key, sequence).encrypt(clear(family, src, group, payload)))


@pytest.fixture(name="peer", scope="module")
def start_peer(labs, tmp_path_factory):
    base = tmp_path_factory.mktemp("multicast")
    (base / "host").mkdir()
    (base / "host/ipsecinit.conf").write_text(policy())
    (base / "host/ipseckeys").write_text(keys())
    (base / "multicast.lab").write_text(LAB)
    return Peer(labs(base / "multicast.lab"))


@families
def test_two_senders_share_an_sa_without_a_source(peer, family):
    """Both count from 1: nobody could keep a window for them."""
    with peer.member(family, SHARED[family]) as sink:
        for sequence, src in itertools.product((1, 2, 3), SENDERS[family]):
            payload = f"{src} says {sequence}".encode()
            peer.send(sealed(family, src, SHARED, SHARED_SPI, SHARED_NUMBER, sequence, payload))
            came, source = sink.recvfrom(65535)
            assert (came, source[0]) == (payload, src)


@families
def test_senders_with_an_sa_each_under_one_spi(peer, family):
    before = statistics(peer.host)
    with peer.member(family, OWN[family]) as sink:
        for number, src in enumerate(SENDERS[family], 1):
            peer.send(sealed(family, src, OWN, OWN_SPI, number, 1, b"under my own key"))
            assert sink.recvfrom(65535)[0] == b"under my own key"
        # With another's key, and from one who has none.
        peer.send(sealed(family, SENDERS[family][0], OWN, OWN_SPI, 2, 2, b"under yours"))
        peer.send(sealed(family, STRANGER[family], OWN, OWN_SPI, 1, 2, b"under anybody's"))
        peer.send(sealed(family, SENDERS[family][1], OWN, OWN_SPI, 2, 3, b"after them"))
        assert sink.recvfrom(65535)[0] == b"after them"
    after = statistics(peer.host)
    assert after["esp_bad_auth"] - before["esp_bad_auth"] == 1
    assert after["esp_no_sa"] - before["esp_no_sa"] == 1


@families
def test_clear_datagrams_to_the_group_are_refused(peer, family):
    before = statistics(peer.host)["spd_got_clear"]
    src = SENDERS[family][0]
    with peer.member(family, SHARED[family]) as sink:
        peer.send(raw(clear(family, src, SHARED, b"in clear")))
        peer.send(sealed(family, src, SHARED, SHARED_SPI, SHARED_NUMBER, 9, b"sealed"))
        assert sink.recvfrom(65535)[0] == b"sealed"
    assert statistics(peer.host)["spd_got_clear"] > before


@families
def test_nothing_goes_to_the_group_in_clear(peer, family):
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with wire.Capture(peer.peer, "eth0") as capture, \
            peer.host.socket(kind, socket.SOCK_DGRAM, 0, [HOST[family], LOCAL_PORT]) as sender:
        if family == 4:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                              struct.pack("@4s4si", bytes(4), bytes(4), peer.index))
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, peer.index)
        # The host has no SA of its own for the latter, so what goes there is dropped.
        for group in (OWN[family], SHARED[family]):
            sender.sendto(b"not in clear", (group, PORT))
        capture.wait(1, lambda frame: frame.destination == SHARED[family])
    assert {frame.destination for frame in capture.of(wire.ESP)} == {SHARED[family]}
    assert not [frame for frame in capture.frames if b"not in clear" in frame.raw]


def groups(peer):
    """What the engine's device is a member of."""
    return {entry["address"] for device in json.loads(peer.host.exec("ip", "-json", "maddress"))
            if device["ifname"] == "ipsec0" for entry in device["maddr"] if "address" in entry}


def test_membership_lasts_as_long_as_the_sas(peer):
    wanted = {*SHARED.values(), *OWN.values()}
    assert wanted <= groups(peer)
    peer.host.exec("ipseckey", "flush")
    end = time.monotonic() + WAIT_SEC
    while wanted & groups(peer):
        assert time.monotonic() < end, "the groups are not left"
    peer.host.systemctl("reload", "ipsec-manual-key")
    assert wanted <= groups(peer)
