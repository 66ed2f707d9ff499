# SPDX-License-Identifier: GPL-2.0-or-later
"""A key manager on the PF_KEY socket answers what packets ask for: ESP first, AH behind it."""

import socket
import struct

import pytest
from lablib import wire
from manager import WAIT_SEC, until
from nettest.peer import statistics
from pfkey_bytes import (ACQUIRE, ADD, AH, AKEY, DELETE, EKEY, ESP, FLUSH, GETSPI, PROPOSAL, REGISTER, SA,
                         UPDATE, Client, ends, key, message, sa, spirange)

OWN, PEER, OTHER = "192.0.2.1", "192.0.2.2", "192.0.2.3"
PORT, TOP = 7010, 1 << 31
FILE = (f"{{laddr {OWN} ulp udp rport {PORT} dir both}}"
        " ipsec {auth_algs sha1 encr_algs aes encr_auth_algs sha1}\n")
LAB = f"""
host alpha
	address  eth0 {OWN}/24
	files    alpha
	services ipsecalgs ipsec-policy ipsec-datapath
host beta
	address  eth0 {PEER}/24
	address  eth0 {OTHER}/24
link alpha:eth0 beta:eth0
"""


class Manager(Client):
    """A key manager for one kind of SA or more."""

    def __init__(self, host, *satypes):
        super().__init__(host.path("/run/netipsec/pfkey"))
        self.sock.settimeout(WAIT_SEC)
        for satype in satypes:
            self.done(REGISTER, satype=satype)

    def asked(self):
        """The next question."""
        answer = self.hear()
        while answer.kind != ACQUIRE:
            answer = self.hear()
        assert answer.pid == 0 and answer.seq >= TOP and PROPOSAL in answer.extensions
        return answer

    def result(self, *args, **options):
        """Of a request of ours, whatever is told beside it."""
        self.sock.send(message(*args, **options))
        answer = self.hear()
        while answer.kind != args[0]:
            answer = self.hear()
        return answer.error

    def add(self, spi, satype, seq, peer=PEER):
        keys = key(AKEY, 160, fill=spi % 250 + 1)
        body = sa(spi, auth=3, encrypt=12 if satype == ESP else 0) + ends(OWN, peer) + keys
        if satype == ESP:
            body += key(EKEY, 128, fill=spi % 250 + 1)
        return self.result(ADD, body, satype=satype, seq=seq)

    def delete(self, spi, satype):
        return self.result(DELETE, sa(spi) + ends(OWN, PEER), satype=satype)


@pytest.fixture(name="sender")
def make_sender(lab):
    with lab["alpha"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [OWN, PORT]) as sock:
        yield lambda octets, peer=PEER: sock.sendto(octets, (peer, PORT))


@pytest.fixture(name="manager")
def make_manager(lab):
    manager = Manager(lab["alpha"], ESP, AH)
    yield manager
    manager.result(FLUSH, satype=0)
    manager.sock.close()


def headers(frame):
    """SPI and next protocol of AH, SPI and number of the ESP inside."""
    follows, words = frame.payload[0], frame.payload[1] + 2
    return follows, struct.unpack_from("!I", frame.payload, 4)[0], \
        *struct.unpack_from("!II", frame.payload, 4 * words)


def test_esp_then_ah_then_the_packet(lab, manager, sender):
    with wire.Capture(lab["beta"], "eth0") as capture:
        for number in range(4):
            sender(b"waits %d" % number)
        first = manager.asked()
        assert first.satype == ESP
        assert manager.add(0x5001, ESP, first.seq) == 0
        second = manager.asked()
        assert (second.satype, second.seq) == (AH, first.seq - 1)
        assert manager.add(0x5002, AH, second.seq) == 0
        capture.wait(4, lambda frame: frame.protocol == wire.AH)
    frames = capture.of(wire.AH)
    assert {headers(frame)[:3] for frame in frames} == {(wire.ESP, 0x5002, 0x5001)}
    assert sorted(headers(frame)[3] for frame in frames) == [1, 2, 3, 4]


def test_esp_is_asked_for_though_only_ah_is_missing(lab, manager, sender):
    assert manager.add(0x5011, ESP, 1) == 0 and manager.add(0x5012, AH, 1) == 0
    with wire.Capture(lab["beta"], "eth0") as capture:
        sender(b"both are there")
        capture.wait(1, lambda frame: frame.protocol == wire.AH)
        assert manager.delete(0x5012, AH) == 0
        sender(b"waits")
        first = manager.asked()
        assert first.satype == ESP
        assert manager.add(0x5013, ESP, first.seq) == 0
        second = manager.asked()
        assert second.satype == AH
        assert manager.add(0x5014, AH, second.seq) == 0
        capture.wait(2, lambda frame: frame.protocol == wire.AH)
    assert {headers(frame)[1:3] for frame in capture.of(wire.AH)} == \
        {(0x5012, 0x5011), (0x5014, 0x5013)}


def test_another_answer_releases_nothing(lab, manager, sender):
    """Neither another number, nor another destination, nor an SPI that was reserved."""
    before = statistics(lab["alpha"])["sadb_acquire_toofull"]
    sender(b"displaced")
    asked = manager.asked()
    assert manager.add(0x5021, ESP, asked.seq, peer=OTHER) == 0
    assert manager.add(0x5022, ESP, asked.seq + 1, peer=OTHER) == 0
    assert manager.result(GETSPI, ends(PEER, OWN) + spirange(0x6000, 0x7000), seq=asked.seq) == 0
    for number in range(4):
        sender(b"waits %d" % number)
    until(lambda: statistics(lab["alpha"])["sadb_acquire_toofull"] > before, "one is displaced")
    assert manager.add(0x5023, ESP, asked.seq) == 0
    second = manager.asked()
    assert (second.satype, second.seq) == (AH, asked.seq - 1)
    with wire.Capture(lab["beta"], "eth0") as capture:
        assert manager.add(0x5024, AH, second.seq) == 0
        capture.wait(4, lambda frame: frame.protocol == wire.AH)
    assert statistics(lab["alpha"])["sadb_acquire_toofull"] == before + 1


@pytest.mark.parametrize("how", ["no", "failed", "flush"])
def test_what_ends_the_waiting(lab, manager, sender, how):
    before = statistics(lab["alpha"])["sadb_acquire"]
    sender(b"dropped")
    asked = manager.asked()
    if how == "no":
        manager.sock.send(message(ACQUIRE, satype=ESP, seq=asked.seq, error=110))
    elif how == "failed":
        bad = sa(0x5031, auth=3, encrypt=12) + ends(OWN, PEER) + key(AKEY, 160) + key(EKEY, 120)
        assert manager.result(ADD, bad, seq=asked.seq) == 22
    else:
        assert manager.result(FLUSH, satype=ESP) == 0
    until(lambda: statistics(lab["alpha"])["sadb_acquire"] == before + 1, "it is lost")
    sender(b"asks again")
    again = manager.asked()
    assert again.satype == ESP and again.seq < asked.seq


def test_who_registers_late_is_asked(lab, sender):
    """Nobody was there: neither the packet nor the question waits."""
    before = statistics(lab["alpha"])["sadb_acquire"]
    sender(b"lost")
    other = Manager(lab["alpha"], AH)  # not for ESP
    sender(b"lost, too")
    until(lambda: statistics(lab["alpha"])["sadb_acquire"] == before + 2, "both are lost")
    late = Manager(lab["alpha"], ESP)
    with wire.Capture(lab["beta"], "eth0") as capture:
        sender(b"waits")
        asked = late.asked()
        assert late.add(0x5041, ESP, asked.seq) == 0
        second = other.asked()
        assert other.add(0x5042, AH, second.seq) == 0
        capture.wait(1, lambda frame: frame.protocol == wire.AH)
    assert len(capture.of(wire.AH)) == 1
    late.result(FLUSH, satype=0)
    for each in (late, other):
        each.sock.close()


def test_an_update_of_the_larval_takes_no_question_of_the_other_way(lab, manager, sender):
    """The reserved SPI is for what comes in; its destination is not that of the question."""
    sender(b"waits")
    asked = manager.asked()
    manager.sock.send(message(GETSPI, ends(PEER, OWN) + spirange(0x6000, 0x7000), seq=asked.seq))
    reserved = manager.hear()
    spi, = struct.unpack_from("!I", reserved.extensions[SA])
    body = sa(spi, auth=3, encrypt=12) + ends(PEER, OWN) + key(AKEY, 160) + key(EKEY, 128)
    assert manager.result(UPDATE, body, seq=asked.seq) == 0
    assert manager.add(0x5051, ESP, asked.seq) == 0
    assert manager.asked().satype == AH
