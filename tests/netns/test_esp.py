# SPDX-License-Identifier: GPL-2.0-or-later
"""Each packet the engine makes is opened by scapy and tshark, each that scapy makes by the engine."""

import socket

import pytest
from lablib import decode, wire
from nettest import oracle
from nettest.peer import (BYPASS_PORT, DROP_PORT, NO_SA_PORT, OTHER_PORT, SHADOWED_PORT,
                          SUITES, PeerLab)
from scapy.layers.inet import UDP
from scapy.layers.ipsec import ESP
from scapy.packet import Raw, raw

LENGTHS = [0, 1, 15, 16, 17, 100, 1300]
FAMILIES = [4, 6]

suites = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: f"ipv{family}")


@pytest.fixture(scope="module")
def peer(labs, tmp_path_factory):
    return PeerLab(labs, tmp_path_factory.mktemp("peer"))


def payloads(word):
    return [(word.encode() * (n // len(word) + 1))[:n] for n in LENGTHS]


@suites
@families
def test_engine_seals_scapy_and_tshark_open(peer, suite, family, tmp_path):
    want = payloads(suite.name)
    with peer.capture() as capture:
        with peer.udp(family) as sock:
            for payload in want:
                sock.sendto(payload, (suite.peer(family), suite.port))
        capture.wait(len(want), lambda frame: frame.protocol == wire.ESP)
    assert not capture.clear()
    opened = [oracle.scapy_open(frame, peer.keys) for frame in capture.of(wire.ESP)]
    assert [raw(packet[UDP].payload)[:len(payload)] for packet, payload in zip(opened, want)] == want
    assert all(packet[UDP].dport == suite.port for packet in opened)
    capture.write(tmp_path / "wire.pcap")
    fields = ["esp.spi", "esp.icv_good", "udp.dstport", "udp.payload"]
    rows = decode.tshark_fields(tmp_path / "wire.pcap", peer.keys, fields, "esp")
    expected = [[f"0x{suite.spi(family, True):08x}", "1", str(suite.port), payload.hex()]
                for payload in want]
    assert rows == expected


@suites
@families
def test_sequence_numbers_go_up_by_one(peer, suite, family):
    with peer.capture() as capture, peer.udp(family) as sock:
        for number in range(50):
            sock.sendto(b"%d" % number, (suite.peer(family), suite.port))
        capture.wait(50, lambda frame: frame.protocol == wire.ESP)
    numbers = [int.from_bytes(frame.payload[4:8], "big") for frame in capture.of(wire.ESP)]
    assert numbers == list(range(numbers[0], numbers[0] + 50))
    vectors = [frame.payload[8:16] for frame in capture.of(wire.ESP)]
    assert suite.encr == "null" or len(set(vectors)) == 50


@suites
@families
def test_scapy_seals_engine_opens(peer, suite, family):
    with peer.udp(family) as sock:
        for payload in payloads(suite.name):
            peer.send(peer.sealed(suite, family, payload))
            came, source = sock.recvfrom(65535)
            assert (came, source[:2]) == (payload, (suite.peer(family), suite.port))


@suites
@families
def test_spoiled_anywhere_is_refused(peer, suite, family):
    sound = raw(peer.sealed(suite, family, b"spoil me"))
    head = 20 if family == 4 else 40
    before = peer.counts()
    places = range(head + 8, len(sound))  # from the IV to the last octet of the ICV
    with peer.udp(family) as sock:
        for place in places:
            spoiled = bytearray(sound)
            spoiled[place] ^= 1
            peer.send(Raw(bytes(spoiled)))
        peer.arrives(suite, family, b"after", sock)
    after = peer.counts()
    assert after["esp_bad_auth"] - before["esp_bad_auth"] == len(places)
    assert after["in_accepted"] - before["in_accepted"] == 1


@suites
@families
def test_replayed_is_refused(peer, suite, family):
    with peer.udp(family) as sock:
        packet = peer.sealed(suite, family, b"once")
        before = peer.counts()
        for _ in range(3):
            peer.send(packet)
        assert sock.recvfrom(100)[0] == b"once"
        peer.arrives(suite, family, b"after", sock)
    after = peer.counts()
    refused = sum(after[name] - before[name] for name in ("esp_early_replay", "esp_replay"))
    assert refused == 2 and after["in_accepted"] - before["in_accepted"] == 2


@families
def test_spoiled_number_does_not_move_the_window(peer, family):
    suite = SUITES[0]
    spi = suite.spi(family, outbound=False)
    with peer.udp(family) as sock:
        forged = bytearray(raw(peer.sealed(suite, family, b"far ahead", sequence=2 ** 31)))
        forged[-1] ^= 1
        peer.send(Raw(bytes(forged)))
        peer.arrives(suite, family, b"still welcome", sock)
    assert peer.sequence[spi] < 1000


@families
def test_unknown_spi_is_refused(peer, family):
    packet = peer.sealed(SUITES[0], family, b"nobody")
    packet[ESP].spi = 0xDEADBEEF
    before = peer.counts()
    with peer.udp(family) as sock:
        peer.send(packet)
        peer.arrives(SUITES[0], family, b"after", sock)
    assert peer.counts()["esp_no_sa"] - before["esp_no_sa"] == 1


@families
def test_clear_where_protection_is_asked_for(peer, family):
    before = peer.counts()
    with peer.udp(family) as sock:
        for suite in SUITES:
            peer.send(peer.clear(suite, family, b"in clear"))
        peer.arrives(SUITES[0], family, b"after", sock)
    after = peer.counts()
    assert after["in_accepted"] - before["in_accepted"] == 1


@families
def test_sound_packet_of_another_suite_is_refused(peer, family):
    before = peer.counts()
    with peer.udp(family) as sock:
        # The right key and number, but the policy asks for another suite on this port.
        peer.send(peer.sealed(SUITES[2], family, b"wrong suite", port=OTHER_PORT))
        peer.arrives(SUITES[0], family, b"after", sock)
    after = peer.counts()
    refused = {name: after[name] - before[name] for name in after
               if name.startswith("spd_") and after[name] != before[name]}
    assert sum(refused.values()) == 1, refused


@families
def test_first_rule_decides_bypass_wins_drop_drops(peer, family):
    with peer.capture() as capture, peer.udp(family) as sock:
        sock.sendto(b"shadowed", (SUITES[0].peer(family), SHADOWED_PORT))
        try:
            sock.sendto(b"dropped", (SUITES[0].peer(family), DROP_PORT))
        except PermissionError:
            pass  # the lid may tell the sender
        sock.sendto(b"bypassed", (SUITES[0].peer(family), BYPASS_PORT))
        capture.wait(1, lambda frame: b"bypassed" in frame.raw)
        capture.wait(1, lambda frame: frame.protocol == wire.ESP)
    spis = [int.from_bytes(frame.payload[:4], "big") for frame in capture.of(wire.ESP)]
    assert spis == [SUITES[0].spi(family, True)]
    assert [frame.payload[8:] for frame in capture.of(wire.UDP)] == [b"bypassed"]


@families
def test_bypass_lets_in_what_drop_does_not(peer, family):
    with peer.udp(family) as sock:
        peer.send(peer.clear(SUITES[0], family, b"dropped", DROP_PORT))
        peer.send(peer.clear(SUITES[0], family, b"bypassed", BYPASS_PORT))
        assert sock.recvfrom(100)[0] == b"bypassed"


@families
def test_missing_sa_drops_and_asks(peer, family):
    before = peer.counts()
    with peer.capture() as capture, peer.udp(family) as sock:
        sock.sendto(b"nobody to protect it", (SUITES[0].peer(family), NO_SA_PORT))
        sock.sendto(b"after", (SUITES[0].peer(family), SUITES[0].port))
        capture.wait(1, lambda frame: frame.protocol == wire.ESP)
    assert len(capture.of(wire.ESP)) == 1 and not capture.clear()
    assert peer.counts()["sadb_acquire"] - before["sadb_acquire"] == 1


@families
def test_datagram_longer_than_the_path(peer, family):
    payload = bytes(range(256)) * 16
    with peer.capture() as capture, peer.udp(family) as sock:
        if family == 4:
            sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: fragments allowed
        sock.sendto(payload, (SUITES[0].peer(family), SUITES[0].port))
        capture.wait(3, lambda frame: frame.protocol in (wire.ESP, 44))
    assert not capture.clear() and all(len(frame.raw) <= 1514 for frame in capture.frames)
    assert not any(payload[:64] in frame.raw for frame in capture.frames)


@pytest.mark.parametrize("mode", ["async", "sync"])
@families
def test_numbers_may_leap(peer, family, mode):
    """A peer that lost its memory goes on far above: nothing of that is lost, or out of order."""
    suite = SUITES[2]
    spi = suite.spi(family, outbound=False)
    peer.host.exec("ipsecalgs", "-e", mode, "-P", "3", "-s")
    before = peer.counts()
    leaps, burst = (700, 1, 70000, 2 ** 20 + 5, 1), 30
    with peer.udp(family) as sock:
        for leap in leaps:
            peer.sequence[spi] += leap
            want = [b"%d %d" % (leap, number) for number in range(burst)]
            for payload in want:
                peer.send(peer.sealed(suite, family, payload))
            assert [sock.recvfrom(100)[0] for _ in want] == want
    after = peer.counts()
    assert after["esp_window_unreserved"] == before["esp_window_unreserved"]
    assert after["in_accepted"] - before["in_accepted"] == burst * len(leaps)
