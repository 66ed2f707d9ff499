# SPDX-License-Identifier: GPL-2.0-or-later
"""ESP in UDP through a translator that changes address and port, and what else comes to port 4500."""

import socket
import struct
from pathlib import Path

import pytest
from lablib import wire
from nettest.lab import REPO
from nettest.peer import statistics
from scapy.layers.inet import UDP
from scapy.utils import rdpcap

INSIDE, OUTSIDE, NAT = "10.0.0.2", "198.51.100.2", "198.51.100.1"
WAYS = {"transport": (INSIDE, OUTSIDE), "tunnel": ("10.9.0.1", "10.9.0.2"),
        "ipv6": ("2001:db8:0:1::2", "2001:db8::2")}
PORT, SHIFTED = 4500, 40000
REGISTER, NEW_MAPPING, ESP, SPORT, DPORT = 7, 23, 3, 21, 22
CAPTURES = REPO / "../shared/vectors/pcap"
ways = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def nat(labs):
    lab = labs("nat")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as manager:
        lab.mappings = list(watch_mappings(manager, lab))
    return lab


def watch_mappings(manager, lab):
    """What a key manager hears of the ports of transport and tunnel; it is registered for ESP."""
    manager.settimeout(20)
    manager.connect(str(lab["outside"].path("/run/netipsec/pfkey-linux")))
    manager.send(struct.pack("=BBBBHHII", 2, REGISTER, 0, ESP, 2, 0, 1, 1))
    for way in WAYS:  # inside speaks first, then outside knows the ports
        exchange(lab, way, b"hello")
    for _ in range(2):
        told = bytes(2)
        while told[1] != NEW_MAPPING:
            told = manager.recv(4096)
        yield told


def family_of(way):
    return socket.AF_INET6 if way == "ipv6" else socket.AF_INET


def exchange(lab, way, payload):
    """A datagram from inside and its answer."""
    source, target = WAYS[way]
    with lab["outside"].socket(family_of(way), socket.SOCK_DGRAM, 0, [target, 5000]) as sink, \
            lab["inside"].socket(family_of(way), socket.SOCK_DGRAM, 0, [source, 5001]) as sender:
        sink.settimeout(10)
        sender.settimeout(10)
        sender.sendto(payload, (target, 5000))
        came, peer = sink.recvfrom(65535)
        sink.sendto(came[::-1], peer)
        return sender.recvfrom(65535)[0][::-1]


def ports(frame):
    return struct.unpack_from("!HH", frame.payload)


def is_ours(frame):
    """UDP with a port of encapsulation at both ends."""
    return frame.protocol == wire.UDP and set(ports(frame)) <= {PORT, SHIFTED}


def speaks(frame):
    """Not what hosts say to find each other."""
    return frame.protocol != -1 and not (frame.protocol == wire.ICMPV6
                                         and 130 <= frame.payload[0] <= 143)


@ways
def test_nothing_but_esp_in_udp_crosses(nat, way):
    secret = b"only for the two of us, " * 4
    with wire.Capture(nat["nat"], "out") as capture:
        assert exchange(nat, way, secret) == secret
        capture.wait(2, is_ours)
    frames = [frame for frame in capture.frames if speaks(frame)]
    assert all(is_ours(frame) for frame in frames)
    assert not any(secret[:20] in frame.raw or secret[::-1][:20] in frame.raw for frame in frames)
    spis = {frame.payload[8:12] for frame in frames if len(frame.payload) > 9}
    assert len(spis) == 2


@ways
def test_long_datagrams_come_whole(nat, way):
    """Over IPv6 the sender cuts the outer datagram, and the lid sees the pieces one by one."""
    payload = bytes(range(256)) * 30
    assert exchange(nat, way, payload) == payload


def test_a_clear_datagram_in_pieces_stays_outside(nat):
    """Its later pieces look like those of a peer's, its first one does not."""
    source, target = WAYS["ipv6"]
    script = f"""
from scapy.all import *
whole = (IPv6(src="{source}", dst="{target}") / IPv6ExtHdrFragment() /
         UDP(sport=5001, dport=5000) / Raw(b"clear" * 500))
for piece in fragment6(whole, 1280):
    sendp(Ether(dst=getmacbyip6("{target}")) / piece, iface="out", verbose=0)
"""
    with nat["outside"].socket(socket.AF_INET6, socket.SOCK_DGRAM, 0, [target, 5000]) as sink, \
            wire.Capture(nat["outside"], "eth0") as capture:
        sink.settimeout(10)
        nat["nat"].exec("/usr/bin/python3", "-c", script)
        capture.wait(2, lambda frame: b"clear" * 50 in frame.raw)
        with nat["inside"].socket(socket.AF_INET6, socket.SOCK_DGRAM, 0, [source, 5001]) as sender:
            sender.sendto(b"sealed", (target, 5000))
        assert sink.recvfrom(65535)[0] == b"sealed"


@ways
def test_streams_both_ways(nat, way):
    """TCP: its checksum was made before translation."""
    source, target = WAYS[way]
    data = bytes(range(256)) * 400
    with nat["outside"].socket(family_of(way), socket.SOCK_STREAM, 0, [target, 5100]) as door, \
            nat["inside"].socket(family_of(way), socket.SOCK_STREAM, 0, [source, 0]) as caller:
        door.listen()
        caller.settimeout(10)
        caller.connect((target, 5100))
        answerer, _ = door.accept()
        answerer.settimeout(10)
        with answerer:
            for one, other in ((caller, answerer), (answerer, caller)):
                came = b""
                one.sendall(data)
                while len(came) < len(data):
                    came += other.recv(65536)
                assert came == data


def test_answers_follow_the_port(nat):
    """Nobody told outside that the translator changes the port."""
    with wire.Capture(nat["nat"], "out") as capture:
        exchange(nat, "transport", b"where am I?")
        capture.wait(2, lambda frame: is_ours(frame) and len(frame.payload) > 9)
    # What closes the streams of IPv6 may still be on its way.
    seen = {(frame.source, ports(frame)) for frame in capture.of(wire.UDP)
            if frame.ethertype == wire.ETH_P_IP}
    assert seen == {(NAT, (SHIFTED, PORT)), (OUTSIDE, (PORT, SHIFTED))}
    assert statistics(nat["outside"])["sa_port_renumbers"] == 2, "transport and tunnel"
    assert statistics(nat["inside"])["sa_port_renumbers"] == 0


def test_key_management_hears_of_the_port(nat):
    """In the numbering of Linux, with the port before at the source, and now at the destination."""
    for told in nat.mappings:
        ports_told = {}
        at = 16
        while at < len(told):
            units, kind = struct.unpack_from("=HH", told, at)
            ports_told[kind] = struct.unpack_from("!H", told, at + 4)[0]
            at += units * 8
        assert told[2:4] == bytes([0, ESP])
        assert (ports_told[SPORT], ports_told[DPORT]) == (PORT, SHIFTED)


def test_a_forger_does_not_move_the_port(nat):
    """The same datagram from another port, with one bit changed."""
    with wire.Capture(nat["nat"], "out") as capture:
        exchange(nat, "transport", b"to be forged")
        capture.wait(2, lambda frame: is_ours(frame) and len(frame.payload) > 9)
    (sealed,) = [frame.payload[8:] for frame in capture.of(wire.UDP)
                 if frame.source == NAT and len(frame.payload) > 9]
    number = struct.pack("!I", struct.unpack_from("!I", sealed, 4)[0] + 1)
    before = statistics(nat["outside"])
    with nat["nat"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [NAT, 41000]) as forger:
        forger.sendto(sealed[:4] + number + sealed[8:], (OUTSIDE, PORT))
    with wire.Capture(nat["nat"], "out") as capture:
        exchange(nat, "transport", b"still there")
        capture.wait(2, lambda frame: is_ours(frame) and len(frame.payload) > 9)
    after = statistics(nat["outside"])
    assert after["esp_bad_auth"] - before["esp_bad_auth"] == 1
    assert after["sa_port_renumbers"] == before["sa_port_renumbers"]
    assert not [frame for frame in capture.of(wire.UDP) if 41000 in ports(frame)]


def test_ipv6_datagrams_have_a_checksum(nat):
    with wire.Capture(nat["nat"], "out") as capture:
        exchange(nat, "ipv6", b"odd")
        capture.wait(2, lambda frame: frame.ethertype == wire.ETH_P_IPV6 and is_ours(frame))
    frames = [frame for frame in capture.of(wire.UDP) if frame.ethertype == wire.ETH_P_IPV6]
    for frame in frames:
        pseudo = frame.raw[22:54] + struct.pack("!II", len(frame.payload), wire.UDP)
        assert frame.payload[6:8] != b"\0\0" and wire.checksum(pseudo + frame.payload) == 0


def is_keep_alive(frame):
    return is_ours(frame) and frame.payload[8:] == b"\xff"


def test_idle_sas_are_kept_alive(nat):
    before = statistics(nat["outside"])["esp_nat_t_ka"]
    with wire.Capture(nat["nat"], "in") as capture:
        capture.wait(3, is_keep_alive)
    alive = [frame for frame in capture.frames if is_keep_alive(frame)]
    assert {(frame.source, frame.destination, ports(frame)) for frame in alive} == \
        {(INSIDE, OUTSIDE, (PORT, PORT))}
    assert {frame.raw[14 + 8] for frame in alive} == {255}
    exchange(nat, "transport", b"after them")
    assert statistics(nat["outside"])["esp_nat_t_ka"] - before >= 3


def kind_of(payload):
    """Which counter a datagram to the port ends in, when no SA is for it."""
    if len(payload) < 4:
        return "esp_nat_t_ka"
    return "esp_nat_t_ike" if payload[:4] == bytes(4) else "esp_no_sa"


def counted(nat, payloads):
    """Send them from the translator itself; returns by how much the counters have risen."""
    names = {"esp_nat_t_ike", "esp_no_sa"}  # keep-alives come from elsewhere too
    before = statistics(nat["outside"])
    with nat["nat"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [NAT, 4600]) as sender:
        for payload in payloads:
            sender.sendto(payload, (OUTSIDE, PORT))
    exchange(nat, "transport", b"after them")
    after = statistics(nat["outside"])
    wanted = [kind for kind in map(kind_of, payloads) if kind in names]
    assert after["esp_nat_t_ka"] - before["esp_nat_t_ka"] >= \
        sum(kind_of(payload) == "esp_nat_t_ka" for payload in payloads)
    return ({name: after[name] - before[name] for name in names},
            {name: wanted.count(name) for name in names})


def test_what_comes_to_the_port(nat):
    got, wanted = counted(nat, [b"", b"\xff", b"\0\0\0", bytes(4), bytes(32),
                                b"\0\0\0\1" + bytes(40), b"\xff" * 60])
    assert got == wanted == {"esp_nat_t_ike": 2, "esp_no_sa": 2}


def test_captured_key_exchange_and_esp_are_told_apart(nat):
    capture = Path(CAPTURES, "scapy-ikev2_nat_t.pcapng")
    if not capture.exists():
        pytest.skip("no packets of other stacks beside the checkout")
    payloads = [bytes(packet[UDP].payload) for packet in rdpcap(str(capture))
                if UDP in packet and PORT in (packet[UDP].sport, packet[UDP].dport)]
    got, wanted = counted(nat, payloads)
    assert payloads and got == wanted


def test_sas_and_ports_outlive_the_daemon(nat):
    nat["outside"].kill("ipsec-datapath")
    nat["outside"].wait_active("ipsec-datapath")
    with wire.Capture(nat["nat"], "out") as capture:
        with nat["outside"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [OUTSIDE, 5300]) as sender, \
                nat["inside"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [INSIDE, 5301]) as sink:
            sink.settimeout(10)
            sender.sendto(b"you first this time", (NAT, 5301))
            assert sink.recvfrom(100)[0] == b"you first this time"
    assert all(is_ours(frame) for frame in capture.frames if speaks(frame))
