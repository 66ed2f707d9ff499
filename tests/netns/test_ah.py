# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts talk under AH, and under AH around ESP; scapy checks each packet between them."""

import itertools
import socket
from dataclasses import dataclass

import pytest
from lablib import decode, wire
from nettest import oracle
from nettest.peer import statistics
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (HBHOptUnknown, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop,
                                 IPv6ExtHdrRouting)
from scapy.layers.ipsec import AH, ESP, SecurityAssociation
from scapy.layers.l2 import Ether
from scapy.packet import Raw, raw

ENDS = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
AH_PORT, BOTH_PORT = 7001, 7002
AH_KEY, ESP_KEY, ESP_AUTH = bytes(range(1, 33)), bytes(range(33, 49)), bytes(range(65, 97))
WAIT_SEC = 10

LAB = """
host alpha
	address  eth0 192.0.2.1/24 2001:db8::1/64
	files    alpha
	services all
host beta
	address  eth0 192.0.2.2/24 2001:db8::2/64
	files    beta
	services all
link alpha:eth0 beta:eth0
"""


def policy_text(local, remote):
    both = "auth_algs sha256 encr_algs aes encr_auth_algs sha256"
    return "".join(
        f"{{laddr {local[family]} raddr {remote[family]} ulp udp {side} {port}}} "
        f"ipsec {{{words} sa shared}}\n"
        for family in ENDS for port, words in ((AH_PORT, "auth_algs sha256"), (BOTH_PORT, both))
        for side in ("rport", "lport"))


def spi(family, protocol, reverse):
    return 0x1000 * family + 0x10 * protocol + (1 if reverse else 0)


def keys_text():
    lines = []
    for family, ends in ENDS.items():
        mark = "6" if family == 6 else ""
        for reverse in (False, True):
            src, dst = reversed(ends) if reverse else ends
            where = f"src{mark} {src} dst{mark} {dst} replay 64"
            # Each way has a key of its own.
            lines += [f"add ah spi {spi(family, wire.AH, reverse):#x} {where} auth_alg sha256 "
                      f"authkey {turned(AH_KEY, family, reverse).hex()}",
                      f"add esp spi {spi(family, wire.ESP, reverse):#x} {where} encr_alg aes "
                      f"encrkey {turned(ESP_KEY, family, reverse).hex()} auth_alg sha256 "
                      f"authkey {turned(ESP_AUTH, family, reverse).hex()}"]
    return "\n".join(lines) + "\n"


def turned(key, family, reverse):
    by = family + reverse
    return key[by:] + key[:by]


@dataclass
class World:
    lab: object

    def host(self, name):
        return self.lab[name]

    def udp(self, name, family, port):
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        address = ENDS[family][0 if name == "alpha" else 1]
        sock = self.lab[name].socket(kind, socket.SOCK_DGRAM, 0, [address, port])
        sock.settimeout(WAIT_SEC)
        return sock


@pytest.fixture(scope="module")
def world(labs, tmp_path_factory):
    top = tmp_path_factory.mktemp("ah")
    alpha = {family: ends[0] for family, ends in ENDS.items()}
    beta = {family: ends[1] for family, ends in ENDS.items()}
    for name, local, remote in (("alpha", alpha, beta), ("beta", beta, alpha)):
        (top / name).mkdir()
        (top / name / "ipsecinit.conf").write_text(policy_text(local, remote))
        (top / name / "ipseckeys").write_text(keys_text())
    (top / "ah.lab").write_text(LAB)
    return World(labs(top / "ah.lab"))


def ah_association(family, reverse=False):
    return SecurityAssociation(AH, spi=spi(family, wire.AH, reverse), auth_algo="SHA2-256-128",
                               auth_key=turned(AH_KEY, family, reverse))


def without_ah(octets, family, reverse=False):
    """What scapy finds under a sound AH; it raises when the ICV is wrong."""
    packet = (IP if family == 4 else IPv6)(octets)
    assert packet[AH].spi == spi(family, wire.AH, reverse)
    clear = ah_association(family, reverse).decrypt(packet)
    return clear.__class__(raw(clear))


families = pytest.mark.parametrize("family", ENDS, ids=lambda family: f"ipv{family}")
ports = pytest.mark.parametrize("port", [AH_PORT, BOTH_PORT], ids=["ah", "ah-esp"])
ORDERED = itertools.count(5600)
PAYLOADS = [b"", b"x", b"ping" * 25, bytes(range(256)) * 5]


@families
@ports
def test_both_ways_and_scapy_agrees(world, family, port, tmp_path):
    there, here = ENDS[family][1], ENDS[family][0]
    with wire.Capture(world.host("beta"), "eth0") as capture:
        with world.udp("alpha", family, 9000) as ours, world.udp("beta", family, port) as theirs:
            for payload in PAYLOADS:
                ours.sendto(payload, (there, port))
                came, source = theirs.recvfrom(65535)
                assert came == payload and source[0] == here
                theirs.sendto(payload, (here, 9000))
                assert ours.recvfrom(65535)[0] == payload
        capture.wait(2 * len(PAYLOADS), lambda frame: frame.protocol == wire.AH)
    assert not capture.clear()
    frames = capture.of(wire.AH)
    keys = decode.read_keys(keys_text())
    for number, frame in enumerate(frames):
        packet = without_ah(frame.raw[14:], family, frame.source == there)
        assert (ESP in packet) == (port == BOTH_PORT)
        if ESP in packet:
            packet = oracle.association(keys[packet[ESP].spi]).decrypt(packet)
        assert raw(packet[UDP].payload)[:len(PAYLOADS[number // 2])] == PAYLOADS[number // 2]
    capture.write(tmp_path / "wire.pcap")
    rows = decode.tshark_fields(tmp_path / "wire.pcap", keys, ["ah.spi", "ah.sequence"], "ah")
    spis = [f"0x{spi(family, wire.AH, reverse):08x}" for reverse in (False, True)]
    assert [row[0] for row in rows] == spis * len(PAYLOADS)
    for way in (0, 1):
        numbers = [int(row[1]) for row in rows[way::2]]
        assert numbers == list(range(numbers[0], numbers[0] + len(PAYLOADS)))


@families
@ports
def test_long_datagrams(world, family, port):
    """Fragments are of the protected packet; the other side puts them together first."""
    there, payload = ENDS[family][1], bytes(range(250)) * 80
    with world.udp("alpha", family, 9001) as ours, world.udp("beta", family, port) as theirs:
        ours.sendto(payload, (there, port))
        assert theirs.recvfrom(65535)[0] == payload


def inject(world, octets):
    """An IP packet from alpha's device to beta's."""
    ethernet = [world.host(name).exec("cat", "/sys/class/net/eth0/address").strip()
                for name in ("alpha", "beta")]
    kind = wire.ETH_P_IP if octets[0] >> 4 == 4 else wire.ETH_P_IPV6
    with world.host("alpha").socket(socket.AF_PACKET, socket.SOCK_RAW, 0, ["eth0", 0]) as sender:
        sender.send(raw(Ether(src=ethernet[0], dst=ethernet[1], type=kind)) + octets)


@families
def test_scapys_packets(world, family):
    """Sound ones arrive whatever routers did to them; spoiled and repeated ones are counted."""
    header = (IP if family == 4 else IPv6)(src=ENDS[family][0], dst=ENDS[family][1])
    clear = header / UDP(sport=9002, dport=AH_PORT) / Raw(b"by scapy")
    sealed = bytearray(raw(ah_association(family).encrypt(clear, seq_num=5000)))
    routed = bytearray(sealed)
    if family == 4:  # TOS and TTL, and the checksum that follows them
        routed[1], routed[8], routed[10:12] = 0xB8, 17, bytes(2)
        routed[10:12] = wire.checksum(bytes(routed[:20])).to_bytes(2, "big")
    else:
        routed[0:4], routed[7] = bytes.fromhex("6b812345"), 17
    spoiled = bytearray(routed)
    spoiled[-1] ^= 1
    before = statistics(world.host("beta"))
    with world.udp("beta", family, AH_PORT) as theirs:
        for packet in (spoiled, routed, routed):
            inject(world, bytes(packet))
        assert theirs.recvfrom(100)[0] == b"by scapy"
        again = ah_association(family).encrypt(
            header / UDP(sport=9002, dport=AH_PORT) / Raw(b"after"), seq_num=5001)
        inject(world, raw(again))
        assert theirs.recvfrom(100)[0] == b"after"
    after = statistics(world.host("beta"))
    assert {name: after[name] - before[name] for name in ("ah_bad_auth", "ah_early_replay",
                                                          "in_accepted")} == \
        {"ah_bad_auth": 1, "ah_early_replay": 1, "in_accepted": 2}


def test_extension_headers(world):
    """What is before AH comes from the kernel apart from the packet, and must be as it was."""
    options = [HBHOptUnknown(otype=0x1E, optdata=b"stay"), HBHOptUnknown(otype=0x3E, optdata=b"vary")]
    clear = (IPv6(src=ENDS[6][0], dst=ENDS[6][1]) / IPv6ExtHdrHopByHop(options=options)
             / UDP(sport=9004, dport=AH_PORT) / Raw(b"with options"))
    with world.udp("beta", 6, AH_PORT) as theirs:
        inject(world, raw(ah_association(6).encrypt(clear, seq_num=5500)))
        assert theirs.recvfrom(100)[0] == b"with options"


STAYS, VARIES = HBHOptUnknown(otype=0x1E, optdata=b"stay"), HBHOptUnknown(otype=0x3E, optdata=b"vary")
STATION = "2001:db8::77"
OPTIONS, HOPS = IPv6ExtHdrDestOpt(options=[STAYS, VARIES]), IPv6ExtHdrHopByHop(options=[VARIES])
ROUTE = IPv6ExtHdrRouting(addresses=[ENDS[6][1]], segleft=1)


@pytest.mark.parametrize("headers", [[ROUTE], [OPTIONS, ROUTE], [HOPS, OPTIONS, ROUTE], [OPTIONS]],
                         ids=["route", "options-route", "hops-options-route", "options"])
def test_order_of_extension_headers(world, headers):
    """The same headers in another order are another packet, whose ICV is another."""
    clear = IPv6(src=ENDS[6][0], dst=STATION if ROUTE in headers else ENDS[6][1])
    for header in headers:
        clear /= header
    clear /= UDP(sport=9006, dport=AH_PORT) / Raw(b"in this order")
    sealed = ah_association(6).encrypt(IPv6(raw(clear)), seq_num=next(ORDERED))
    if ROUTE in headers:  # the station has passed it on
        sealed.dst = ENDS[6][1]
        sealed[IPv6ExtHdrRouting].addresses, sealed[IPv6ExtHdrRouting].segleft = [STATION], 0
    with world.udp("beta", 6, AH_PORT) as theirs:
        inject(world, raw(sealed))
        assert theirs.recvfrom(100)[0] == b"in this order"


@families
def test_half_of_the_protection_is_refused(world, family):
    """AH alone where AH and ESP are asked for."""
    header = (IP if family == 4 else IPv6)(src=ENDS[family][0], dst=ENDS[family][1])
    before = statistics(world.host("beta"))
    with world.udp("beta", family, AH_PORT) as theirs:
        for number, port in ((6000, BOTH_PORT), (6001, AH_PORT)):
            clear = header / UDP(sport=9003, dport=port) / Raw(b"half")
            inject(world, raw(ah_association(family).encrypt(clear, seq_num=number)))
        assert theirs.recvfrom(100)[0] == b"half"
    after = statistics(world.host("beta"))
    assert after["spd_got_clear"] - before["spd_got_clear"] == 1
