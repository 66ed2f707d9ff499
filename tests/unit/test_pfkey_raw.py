# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes on the daemon's PF_KEY socket, made here by hand: each message, each extension, each refusal."""

import errno
import os
import socket
import struct

import pytest

from pfkey_bytes import (ACQUIRE, ADD, AH, AKEY, COOKIE, CURRENT, DELETE, DELPAIR, DELPAIR_STATE,
                         DST, DUMP, EKEY, EREG, ESP, EXPIRE, FLUSH, GET, GETSPI, GOOD, HARD,
                         IDENTITY_DST, IDENTITY_SRC, IDLE, INNER, INNER_DST, INNER_SRC,
                         INVERSE_ACQUIRE, KEYS, NATT_LOC, NATT_LOC_FLAG, NATT_REM, NATT_REM_FLAG,
                         OURS, PAIR, PEER, PID, PROMISC, PROPOSAL, REGISTER, SA, SOFT, SRC,
                         SUPPORTED_AUTH, SUPPORTED_ENCRYPT, TUNNEL, UPDATE, UPDATEPAIR, EDUMP,
                         Client, addr, ends, ext, key, life, message, replay_value, sa, spirange)
from service import World
from test_datapathd import Datapath, wait_for


@pytest.fixture(name="path", scope="module")
def make_path(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("pfkey"))
    datapath = Datapath(world).start()
    datapath.inside("ip", "address", "add", OURS + "/32", "dev", "lo")
    path = world.root / "run/netipsec/pfkey"
    wait_for(path.exists)
    yield path
    world.end()


@pytest.fixture(name="client")
def make_client(path):
    client = Client(path)
    yield client
    client.sock.close()
    cleaner = Client(path)
    cleaner.ask(FLUSH, satype=0)
    cleaner.sock.close()


def without(kind):
    """GOOD, and what is missing."""
    parts = {SA: sa(), SRC: addr(SRC, OURS), DST: addr(DST, PEER), EKEY: key(EKEY, 128), AKEY: key(AKEY, 160)}
    return b"".join(part for name, part in parts.items() if name != kind)


def twice(part, body=GOOD):
    return body + part + part if part not in body else body + part


EINVAL, EXIST, SRCH, NOTSUPP, MSGSIZE = (
    errno.EINVAL, errno.EEXIST, errno.ESRCH, errno.EOPNOTSUPP, errno.EMSGSIZE)

REFUSED = {
    # the message as a whole
    "version": (message(ADD, GOOD, version=3), EINVAL, None),
    "longer than told": (message(ADD, GOOD, units=3), MSGSIZE, 0),
    "shorter than told": (message(ADD, GOOD, units=300), MSGSIZE, 0),
    "half a unit": (message(FLUSH) + b"1234", MSGSIZE, 0),
    "SA type 9": (message(ADD, GOOD, satype=9), EINVAL, 4),
    "SA type 1": (message(FLUSH, satype=1), EINVAL, 4),
    "SA type 0": (message(ADD, GOOD, satype=0), EINVAL, 5),
    "extension 28": (message(ADD, GOOD + ext(28, bytes(4))), EINVAL, 2),
    "extension 0": (message(ADD, GOOD + ext(0, bytes(4))), EINVAL, 2),
    "extension 255": (message(ADD, GOOD + ext(255, bytes(4))), EINVAL, 2),
    "extension of no length": (message(ADD, GOOD + ext(HARD, bytes(28), units=0)), EINVAL, 3),
    "extension past the end": (message(ADD, GOOD + ext(HARD, bytes(28), units=5)), EINVAL, 3),
    # twice
    "two sources": (message(ADD, twice(addr(SRC, OURS))), EINVAL, 24),
    "two destinations": (message(ADD, twice(addr(DST, PEER))), EINVAL, 25),
    "two SAs": (message(ADD, twice(sa())), EINVAL, 26),
    "two cipher keys": (message(ADD, twice(key(EKEY, 128))), EINVAL, 27),
    "two auth keys": (message(ADD, twice(key(AKEY, 160))), EINVAL, 28),
    "two ranges": (message(GETSPI, ends() + spirange(300, 400) * 2), EINVAL, 29),
    "two hard lifetimes": (message(ADD, twice(life(HARD))), EINVAL, 0),
    "two inner sources": (message(ADD, GOOD + INNER + addr(INNER_SRC, "10.1.0.0", prefix=16)), EINVAL, 60),
    "two inner destinations": (message(ADD, GOOD + INNER + addr(INNER_DST, "10.2.0.0", prefix=16)), EINVAL, 61),
    "two local NAT ends": (message(ADD, twice(addr(NATT_LOC, "198.51.100.1", 4500))), EINVAL, 53),
    "two remote NAT ends": (message(ADD, twice(addr(NATT_REM, "198.51.100.1", 4500))), EINVAL, 54),
    "two cookies": (message(ADD, twice(ext(COOKIE, struct.pack("=III", 1, 5, 0)))), EINVAL, 50),
    # malformed
    "source of one unit": (message(ADD, without(SRC) + ext(SRC, bytes(4))), EINVAL, 30),
    "destination of one unit": (message(ADD, without(DST) + ext(DST, bytes(4))), EINVAL, 31),
    "SA of one unit": (message(ADD, without(SA) + ext(SA, bytes(4))), EINVAL, 32),
    "SA of three units": (message(ADD, without(SA) + ext(SA, sa()[4:] + bytes(8))), EINVAL, 32),
    "cipher key of no bits": (message(ADD, without(EKEY) + key(EKEY, 0, octets=bytes([1] * 16))), EINVAL, 33),
    "more bits than octets": (message(ADD, without(EKEY) + key(EKEY, 256, octets=bytes([1] * 16))), EINVAL, 33),
    "fewer bits than octets": (message(ADD, without(EKEY) + key(EKEY, 128, octets=bytes([1] * 32))), EINVAL, 33),
    "cipher key of zeros": (message(ADD, without(EKEY) + key(EKEY, 128, 0)), EINVAL, 33),
    "auth key of zeros": (message(ADD, without(AKEY) + key(AKEY, 160, 0)), EINVAL, 34),
    "range upside down": (message(GETSPI, ends() + spirange(400, 300)), EINVAL, 35),
    "short lifetime": (message(ADD, GOOD + ext(SOFT, bytes(20))), EINVAL, 0),
    "inner source of one unit": (message(ADD, GOOD + ext(INNER_SRC, bytes(4))), EINVAL, 62),
    "inner destination of one unit": (message(ADD, GOOD + ext(INNER_DST, bytes(4))), EINVAL, 63),
    # families and kinds of address
    "family of the source": (message(ADD, without(SRC) + ext(SRC, bytes(4) + struct.pack("=H", 99) + bytes(14))),
                             EINVAL, 8),
    "family of the destination": (message(ADD, without(DST) + ext(DST, bytes(4) + struct.pack("=H", 99) + bytes(14))),
                                  EINVAL, 9),
    "two families": (message(ADD, without(SRC) + addr(SRC, "2001:db8::1")), EINVAL, 11),
    "source is a group": (message(ADD, without(SRC) + addr(SRC, "224.0.0.5")), EINVAL, 12),
    "source is everybody": (message(ADD, without(SRC) + addr(SRC, "255.255.255.255")), EINVAL, 12),
    "destination unspecified": (message(ADD, without(DST) + addr(DST, "0.0.0.0")), EINVAL, 13),
    "inner source alone": (message(ADD, GOOD + addr(INNER_SRC, "10.1.0.0", prefix=16)), EINVAL, 59),
    "inner destination alone": (message(ADD, GOOD + addr(INNER_DST, "10.1.0.0", prefix=16)), EINVAL, 58),
    "inner families": (message(ADD, GOOD + addr(INNER_SRC, "10.1.0.0", prefix=16) +
                               addr(INNER_DST, "2001:db8::", prefix=32)), EINVAL, 67),
    "inner source prefix": (message(ADD, GOOD + addr(INNER_SRC, "10.1.0.0", prefix=33) +
                                    addr(INNER_DST, "10.2.0.0", prefix=16)), EINVAL, 64),
    "inner destination prefix": (message(ADD, GOOD + addr(INNER_SRC, "10.1.0.0", prefix=16) +
                                         addr(INNER_DST, "10.2.0.0", prefix=33)), EINVAL, 65),
    "two sets of ports": (message(ADD, sa() + addr(SRC, OURS, 80, 6) + addr(DST, PEER, 0, 6) + KEYS +
                                  addr(INNER_SRC, "10.1.0.0", 81, 6, 16) + addr(INNER_DST, "10.2.0.0", 0, 6, 16)),
                          EINVAL, 72),
    "4 with IPv6 inside": (message(ADD, sa() + addr(SRC, OURS, proto=4) + addr(DST, PEER, proto=4) + KEYS +
                                   addr(INNER_SRC, "2001:db8:1::", prefix=48) +
                                   addr(INNER_DST, "2001:db8:2::", prefix=48)), errno.EPROTOTYPE, 67),
    "TCP around a tunnel": (message(ADD, sa() + addr(SRC, OURS, proto=6) + addr(DST, PEER, proto=6) + KEYS + INNER),
                            errno.EPROTOTYPE, 67),
    # missing
    "no source": (message(ADD, without(SRC)), EINVAL, 18),
    "no destination": (message(ADD, without(DST)), EINVAL, 19),
    "no SA": (message(ADD, without(SA)), EINVAL, 20),
    "no cipher key": (message(ADD, without(EKEY)), EINVAL, 21),
    "no auth key in ESP": (message(ADD, without(AKEY)), EINVAL, 22),
    "no auth key in AH": (message(ADD, sa(encrypt=0) + ends(), satype=AH), EINVAL, 22),
    "no range": (message(GETSPI, ends()), EINVAL, 23),
    "range without source": (message(GETSPI, addr(DST, OURS) + spirange(300, 400)), EINVAL, 18),
    "range without destination": (message(GETSPI, addr(SRC, OURS) + spirange(300, 400)), EINVAL, 19),
    # what has no place there
    "a proposal": (message(ADD, GOOD + ext(PROPOSAL, bytes(4 + 72))), EINVAL, 38),
    "a list of algorithms": (message(ADD, GOOD + ext(SUPPORTED_AUTH, bytes(12))), EINVAL, 39),
    "current lifetime": (message(ADD, GOOD + life(CURRENT, add=5)), NOTSUPP, 0),
    # the SA
    "born larval": (message(ADD, without(SA) + sa(state=0)), EINVAL, 43),
    "born dead": (message(ADD, without(SA) + sa(state=3)), EINVAL, 43),
    "flag of nobody": (message(ADD, without(SA) + sa(flags=0x4)), EINVAL, 42),
    "flag of the kernel": (message(ADD, without(SA) + sa(flags=0x80000000)), EINVAL, 42),
    "auth algorithm 200": (message(ADD, without(SA) + sa(auth=200)), EINVAL, 40),
    "cipher 200": (message(ADD, without(SA) + sa(encrypt=200)), EINVAL, 41),
    "no cipher": (message(ADD, without(SA) + sa(encrypt=0)), EINVAL, 41),
    "nothing at all": (message(ADD, sa(auth=0, encrypt=11) + ends()), EINVAL, 40),
    "AH with a cipher": (message(ADD, sa() + ends() + key(AKEY, 160), satype=AH), EINVAL, 46),
    "AH with a cipher's key": (message(ADD, sa(encrypt=0) + ends() + KEYS, satype=AH), EINVAL, 37),
    "bits of the auth key": (message(ADD, without(AKEY) + key(AKEY, 128)), EINVAL, 44),
    "bits of the cipher key": (message(ADD, without(EKEY) + key(EKEY, 64)), EINVAL, 45),
    "key for NULL": (message(ADD, without(SA) + sa(encrypt=11)), EINVAL, 45),
    "weak DES": (message(ADD, sa(encrypt=2) + ends() + key(EKEY, 64, 0x01) + key(AKEY, 160)), EINVAL, 47),
    "TUNNEL without inner": (message(ADD, without(SA) + sa(flags=TUNNEL)), EINVAL, 58),
    "NATT_LOC without address": (message(ADD, without(SA) + sa(flags=NATT_LOC_FLAG)), EINVAL, 51),
    "NATT_REM without address": (message(ADD, without(SA) + sa(flags=NATT_REM_FLAG)), EINVAL, 52),
    "NAT over IPv6": (message(ADD, GOOD + addr(NATT_REM, "2001:db8::7", 4500)), EINVAL, 56),
    "local NAT over IPv6": (message(ADD, GOOD + addr(NATT_LOC, "2001:db8::7", 4500)), EINVAL, 55),
    "remote NAT of no family": (message(ADD, GOOD + ext(NATT_REM, bytes(4) + struct.pack("=H", 99) + bytes(14))),
                                EINVAL, 68),
    "local NAT of no family": (message(ADD, GOOD + ext(NATT_LOC, bytes(4) + struct.pack("=H", 99) + bytes(14))),
                               EINVAL, 69),
    "hard packets below soft": (message(ADD, GOOD + life(HARD, 5) + life(SOFT, 6)), EINVAL, 14),
    "hard octets below soft": (message(ADD, GOOD + life(HARD, 0, 5) + life(SOFT, 0, 6)), EINVAL, 15),
    "hard age below soft": (message(ADD, GOOD + life(HARD, 0, 0, 5) + life(SOFT, 0, 0, 6)), EINVAL, 16),
    "hard use below soft": (message(ADD, GOOD + life(HARD, 0, 0, 0, 5) + life(SOFT, 0, 0, 0, 6)), EINVAL, 17),
    "idle above hard": (message(ADD, GOOD + life(HARD, 0, 0, 5) + life(IDLE, 0, 0, 6)), EINVAL, 16),
    "idle above soft": (message(ADD, GOOD + life(SOFT, 0, 0, 5) + life(IDLE, 0, 0, 6)), EINVAL, 16),
    "replay value of 64 bits": (message(ADD, GOOD + replay_value(0, 5)), NOTSUPP, 81),
    "pair with itself": (message(ADD, GOOD + ext(PAIR, struct.pack("!I", 0x1001))), EINVAL, 73),
    "pair with nobody": (message(ADD, GOOD + ext(PAIR, struct.pack("!I", 0x1999))), EINVAL, 73),
    "pair with 0": (message(ADD, GOOD + ext(PAIR, struct.pack("!I", 0))), EINVAL, 73),
    # what is not there
    "update of nothing": (message(UPDATE, sa() + ends() + life(HARD, 0, 0, 9)), SRCH, 78),
    "pair update of nothing": (message(UPDATEPAIR, sa() + ends() + life(HARD, 0, 0, 9)), SRCH, 78),
    "get of nothing": (message(GET, sa() + ends()), SRCH, 78),
    "get without SA": (message(GET, ends()), EINVAL, 20),
    "get without destination": (message(GET, sa()), EINVAL, 19),
    "delete of nothing": (message(DELETE, sa() + ends()), SRCH, 78),
    "delete without destination": (message(DELETE, sa() + addr(SRC, OURS)), EINVAL, 19),
    "delete of everything": (message(DELETE), EINVAL, 20),
    "pair delete of nothing": (message(DELPAIR, sa() + ends()), SRCH, 78),
    "state without source": (message(DELPAIR_STATE, sa() + addr(DST, PEER)), EINVAL, 18),
    "state without destination": (message(DELPAIR_STATE, sa() + addr(SRC, OURS)), EINVAL, 19),
    "state without SA": (message(DELPAIR_STATE, ends()), EINVAL, 20),
    # the rest
    "flush with an extension": (message(FLUSH, sa()), EINVAL, 7),
    "dump with an extension": (message(DUMP, sa()), EINVAL, 7),
    "expire": (message(EXPIRE, sa() + ends() + life(CURRENT) + life(HARD)), NOTSUPP, 0),
    "register for nothing": (message(REGISTER, satype=0), EINVAL, 5),
    "question about nothing": (message(ACQUIRE, satype=0), EINVAL, 5),
    "negative answer of a plain manager": (message(ACQUIRE, satype=0, error=61), EINVAL, 5),
    "inverse without source": (message(INVERSE_ACQUIRE, addr(DST, PEER), satype=0), EINVAL, 18),
    "inverse without destination": (message(INVERSE_ACQUIRE, addr(SRC, OURS), satype=0), EINVAL, 19),
    "inverse without a rule": (message(INVERSE_ACQUIRE, ends(), satype=0), errno.ENOENT, 0),
    "inverse, inner source alone": (message(INVERSE_ACQUIRE, ends() + addr(INNER_SRC, "10.0.0.1", prefix=32), satype=0),
                                    EINVAL, 59),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(client, name):
    octets, number, diagnostic = REFUSED[name]
    client.sock.send(octets)
    answer = client.hear()
    assert (answer.kind, answer.error, len(answer.octets)) == (octets[1], number, 16)
    assert diagnostic in (None, answer.diagnostic)
    assert (answer.seq, answer.pid, answer.satype) == (77, PID, octets[3])
    assert client.count() == 0


@pytest.fixture(name="other")
def make_other(path, client):
    del client
    other = Client(path)
    yield other
    other.sock.close()


def flags_of(answer):
    return struct.unpack_from("=I", answer.extensions[SA], 8)[0]


def text_of(answer, kind):
    """Protocol, prefix, port, address."""
    body = answer.extensions[kind]
    proto, prefix, family, port = struct.unpack("=BB2xH", body[:6]) + struct.unpack("!H", body[6:8])
    at = 12 if family == socket.AF_INET6 else 8
    return proto, prefix, port, socket.inet_ntop(family, body[at:at + (16 if at == 12 else 4)])


def bits_of(answer, kind):
    bits, reserved = struct.unpack_from("=HH", answer.extensions[kind])
    return bits, reserved, answer.extensions[kind][4:]


def test_unknown_message(client, other):
    """In an answer of type 0, to the asker."""
    for kind in (0, 16, 200):
        assert client.ask(kind).refusal() == (0, EINVAL, 1)
    client.done(FLUSH, satype=0)
    assert other.hear().kind == FLUSH


def test_less_than_a_header(client):
    client.sock.send(b"\x02\x03")
    answer = client.hear()
    assert (answer.error, len(answer.octets)) == (MSGSIZE, 16)


def test_who_hears_what(client, other):
    """Changes and their refusals go to all, keys to nobody who did not ask; looks go to the asker."""
    answer = client.done(ADD, GOOD)
    assert not {EKEY, AKEY} & set(answer.extensions)
    assert other.hear().octets == answer.octets
    assert (answer.seq, answer.pid) == (77, PID)
    refusal = client.ask(ADD, GOOD, seq=78)
    assert refusal.refusal() == (ADD, EXIST, 0)
    assert other.hear().octets == refusal.octets
    got = client.done(GET, sa() + ends())
    assert bits_of(got, EKEY) == (128, 0, bytes([0x5b] * 16)) and AKEY in got.extensions
    assert client.count() == 1
    client.done(DELETE, sa() + ends())
    assert other.hear().kind == DELETE, "neither the GET nor the DUMP was for it"


def test_watching_everything(client, other):
    assert other.done(PROMISC, satype=1).octets == message(PROMISC, satype=1)
    client.done(ADD, GOOD)
    assert [other.hear().kind for _ in range(2)] == [ADD, ADD], "the request and its answer"
    client.done(GET, sa() + ends())
    assert [other.hear().kind for _ in range(2)] == [GET, GET]
    other.done(PROMISC, satype=0)
    client.done(GET, sa() + ends())
    client.done(FLUSH, satype=0)
    assert other.hear().kind == FLUSH


def test_any_order_and_all_at_once(client):
    parts = [sa(), addr(SRC, OURS), addr(DST, PEER), key(EKEY, 128), key(AKEY, 160), life(HARD, 9, 9, 9, 9),
             life(SOFT, 8, 8, 8, 8), ext(COOKIE, struct.pack("=III", 1, 5, 0)),
             ext(IDENTITY_SRC, struct.pack("=HHQ", 2, 0, 0) + b"alpha.example\0"),
             ext(IDENTITY_DST, struct.pack("=HHQ", 3, 0, 0) + b"root@beta.example\0")]
    client.done(ADD, b"".join(reversed(parts)))
    got = client.done(GET, sa() + ends())
    assert set(got.extensions) >= {SA, CURRENT, HARD, SOFT, SRC, DST, AKEY, EKEY, IDENTITY_SRC, IDENTITY_DST, COOKIE}
    assert list(got.extensions) == sorted(got.extensions), "sent in the order of their numbers"
    assert got.extensions[HARD] == life(HARD, 9, 9, 9, 9)[4:]
    assert struct.unpack_from("=I", got.extensions[SOFT])[0] == 8


def test_one_spi_for_two_protocols_and_destinations(client):
    client.done(ADD, GOOD)
    client.done(ADD, sa(encrypt=0) + ends() + key(AKEY, 160), satype=AH)
    client.done(ADD, sa() + ends(dst="192.0.2.3") + key(EKEY, 128, 9) + key(AKEY, 160))
    assert client.count() == 3
    client.done(DELETE, sa() + ends(), satype=AH)
    assert client.ask(GET, sa() + ends(), satype=AH).refusal() == (GET, SRCH, 78)
    client.done(GET, sa() + ends())
    client.done(GET, sa() + ends(dst="192.0.2.3"))


def test_reserved_and_filled(client):
    spi = ends(src=PEER, dst=OURS)
    answer = client.done(GETSPI, spi + spirange(0x2000, 0x2000))
    assert answer.extensions[SA][:4] == struct.pack("!I", 0x2000) and set(answer.extensions) == {SA, SRC, DST}
    assert client.ask(GETSPI, spi + spirange(0x2000, 0x2000)).refusal() == (GETSPI, EXIST, 0)
    assert client.ask(ADD, sa(0x2000) + spi + KEYS).refusal() == (ADD, EXIST, 0)
    assert client.ask(UPDATE, sa(0x2000) + spi).refusal() == (UPDATE, EINVAL, 21)
    answer = client.done(UPDATE, sa(0x2000, replay=64) + spi + KEYS + life(HARD, 0, 0, 100))
    assert not {EKEY, AKEY} & set(answer.extensions)
    for body, number, diagnostic in (
            (key(AKEY, 160), EINVAL, 36), (key(EKEY, 128), EINVAL, 37), (replay_value(9, 0), EINVAL, 43),
            (life(CURRENT, add=5), NOTSUPP, 82)):
        assert client.ask(UPDATE, sa(0x2000) + spi + body).refusal() == (UPDATE, number, diagnostic)
    assert client.ask(UPDATE, sa(0x2000, state=3) + spi).refusal() == (UPDATE, EINVAL, 43)
    client.done(UPDATE, sa(0x2000) + spi + life(HARD, 0, 0, 200))
    got = client.done(GET, sa(0x2000) + spi)
    assert got.extensions[HARD] == life(HARD, 0, 0, 200)[4:] and got.extensions[SA][4] == 64


def test_reserved_from_a_range(client):
    spi = ends(src=PEER, dst=OURS)
    for _ in range(20):
        answer = client.ask(GETSPI, spi + spirange(300, 1299))
        if answer.error:
            assert answer.refusal() == (GETSPI, EXIST, 0), "taken already: no second try"
        else:
            assert 300 <= int.from_bytes(answer.extensions[SA][:4], "big") <= 1299


def test_delete_by_addresses(client):
    client.done(GETSPI, ends() + spirange(0x3000, 0x3000))
    client.done(ADD, GOOD)
    client.done(ADD, sa(0x1002) + ends() + KEYS)
    client.done(ADD, sa(0x1003) + ends(dst="192.0.2.3") + KEYS)
    client.done(DELETE, addr(DST, PEER))
    assert client.hear().kind == DELETE, "one for each SA"
    assert client.count() == 2, "the larval one and that to another host stay"
    client.done(DELETE, addr(SRC, OURS))
    assert client.count() == 1


def test_delete_by_more(client):
    """Identities and the cookie count too, where they are given."""
    alice, bob = (ext(IDENTITY_SRC, struct.pack("=HHQ", 2, 0, 0) + name) for name in (b"alice\0", b"bob\0"))
    one, two = (ext(COOKIE, struct.pack("=III", 1, number, 0)) for number in (5, 6))
    client.done(ADD, GOOD + alice + one)
    client.done(ADD, sa(0x1002) + ends() + KEYS + bob + one)
    client.done(ADD, sa(0x1003) + ends() + KEYS + bob + two)
    client.done(ADD, sa(0x1004) + ends() + KEYS)
    for more, left in ((alice + two, 4), (alice, 3), (bob + two, 2), (one, 1)):
        client.ask(DELETE, addr(DST, PEER) + more)
        assert client.count() == left
    client.done(GET, sa(0x1004) + ends())


def test_pairs(client):
    """Opposite ways between the same ends; 73 no partner, 75 taken, 76 none to act on."""
    back = ends(src=PEER, dst=OURS)
    partner = ext(PAIR, struct.pack("!I", 0x1001))
    client.done(ADD, GOOD)
    assert client.ask(ADD, sa(0x2001) + ends(dst="192.0.2.3") + KEYS + partner).refusal() == (ADD, EINVAL, 73)
    client.done(ADD, sa(0x2001) + back + KEYS + partner)
    assert client.done(GET, sa() + ends()).extensions[PAIR][:4] == struct.pack("!I", 0x2001)
    assert client.ask(ADD, sa(0x2002) + back + KEYS + partner).refusal() == (ADD, EINVAL, 75)
    client.done(UPDATEPAIR, sa() + ends() + life(HARD, 0, 0, 300))
    assert client.hear().kind in (UPDATE, UPDATEPAIR)
    for spi, both in ((0x1001, ends()), (0x2001, back)):
        assert client.done(GET, sa(spi) + both).extensions[HARD] == life(HARD, 0, 0, 300)[4:]
    client.done(DELPAIR, sa() + ends())
    assert client.hear().error == 0
    assert client.count() == 0
    client.done(ADD, GOOD)
    assert client.ask(UPDATEPAIR, sa() + ends() + life(HARD, 0, 0, 400)).error == 0
    assert client.hear().refusal() == (UPDATEPAIR, SRCH, 76)
    assert client.done(GET, sa() + ends()).extensions[HARD] == life(HARD, 0, 0, 400)[4:], "itself it was updated"
    assert client.ask(DELPAIR, sa() + ends()).error == 0
    assert client.hear().refusal() == (DELPAIR, SRCH, 76)
    assert client.count() == 0, "itself it was deleted"


def test_pairs_in_a_state(client):
    client.done(ADD, GOOD)
    client.done(ADD, sa(0x2001) + ends(src=PEER, dst=OURS) + KEYS + ext(PAIR, struct.pack("!I", 0x1001)))
    client.sock.send(message(DELPAIR_STATE, sa(0, state=1) + ends(), satype=0))
    while client.hear().kind != DELPAIR_STATE:
        pass
    assert client.count() == 0
    assert client.ask(DELPAIR_STATE, sa(0, state=1) + ends(), satype=0).kind == DELPAIR_STATE


def test_addresses(client):
    """Mapped ones are IPv4, any source goes with either family, inner ones are cut to their prefix."""
    mapped = addr(SRC, "::ffff:" + OURS) + addr(DST, "::ffff:" + PEER)
    client.done(ADD, sa(0x4001) + mapped + KEYS)
    assert text_of(client.done(GET, sa(0x4001) + ends()), DST)[3] == PEER
    client.done(ADD, sa(0x4002, replay=32) + addr(SRC, "::") + addr(DST, PEER) + KEYS)
    got = client.done(GET, sa(0x4002) + addr(DST, PEER))
    assert got.extensions[SA][4] == 0, "no window where any may send"
    client.done(ADD, sa(0x4003) + ends() + KEYS + addr(INNER_SRC, "10.1.2.3", prefix=16) +
                addr(INNER_DST, "::ffff:10.2.3.4", prefix=96 + 8))
    got = client.done(GET, sa(0x4003) + ends())
    assert text_of(got, INNER_SRC) == (0, 16, 0, "10.1.0.0")
    assert text_of(got, INNER_DST) == (0, 8, 0, "10.0.0.0")
    assert text_of(got, SRC)[0] == 4 and flags_of(got) & TUNNEL
    client.done(ADD, sa(0x4004) + addr(SRC, OURS, 0, 6) + addr(DST, PEER, 80, 6) + KEYS)
    got = client.done(GET, sa(0x4004) + ends())
    assert flags_of(got) & 0x40000000 and text_of(got, DST) == (6, 32, 80, PEER)
    client.done(ADD, sa(0x4005) + addr(SRC, "2001:db8::1") + addr(DST, "2001:db8::2") + KEYS)
    assert text_of(client.done(GET, sa(0x4005) + addr(DST, "2001:db8::2")), SRC)[3] == "2001:db8::1"
    client.done(ADD, sa(0x4006) + addr(SRC, OURS) + addr(DST, "224.0.0.9") + KEYS)


def test_parity_is_mended(client):
    client.done(ADD, sa(encrypt=2) + ends() + key(EKEY, 64, 0x10) + key(AKEY, 160))
    assert bits_of(client.done(GET, sa() + ends()), EKEY)[2] == bytes([0x10] * 8)
    client.done(ADD, sa(0x1002, encrypt=2) + ends() + key(EKEY, 64, 0x32) + key(AKEY, 160))
    assert bits_of(client.done(GET, sa(0x1002) + ends()), EKEY)[2] == bytes([0x32] * 8)
    client.done(ADD, sa(0x1003, encrypt=2) + ends() + key(EKEY, 64, octets=bytes([0x33] * 8)) + key(AKEY, 160))
    assert bits_of(client.done(GET, sa(0x1003) + ends()), EKEY)[2] == bytes([0x32] * 8), "parity is odd"


def test_salt_stands_behind_the_key(client):
    """In a request all of it is counted and its IV told, in GET the key alone and its salt."""
    octets = bytes(range(1, 21))
    client.done(ADD, sa(auth=0, encrypt=20) + ends() + key(EKEY, 160, octets=octets))
    bits, reserved, body = bits_of(client.done(GET, sa(auth=0, encrypt=20) + ends()), EKEY)
    assert (bits, reserved, body[:20]) == (128, 32, octets)
    octets = bytes(range(2, 22)) + (7).to_bytes(8, "big")
    client.done(ADD, sa(0x1002, auth=0, encrypt=20) + ends() + key(EKEY, 224, reserved=64, octets=octets))
    bits, reserved, body = bits_of(client.done(GET, sa(0x1002) + ends()), EKEY)
    assert (bits, reserved, body[:20]) == (128, 32, octets[:20])


def test_dump(client):
    """None, one, a thousand; by type; what is idle; one at a time; its end has number 0."""
    assert client.count() == 0
    client.done(ADD, GOOD)
    assert client.count() == 1
    for number in range(999):
        client.done(ADD, sa(0x10000 + number, encrypt=0) + ends() + key(AKEY, 160), satype=AH)
    assert client.count() == 1000
    client.sock.send(message(DUMP, satype=ESP))
    assert [client.hear().satype for _ in range(2)] == [ESP, ESP]
    answer = client.ask(DUMP, ext(EDUMP, struct.pack("=IQ", 0, 3600)), satype=0)
    assert not answer.extensions and answer.seq == 0
    client.done(FLUSH, satype=AH)
    assert client.count() == 1


def test_register(client, other):
    answer = client.done(REGISTER)
    rows = {}
    for kind in (SUPPORTED_AUTH, SUPPORTED_ENCRYPT):
        body = answer.extensions[kind][4:]
        rows[kind] = {row[0]: row for row in struct.iter_unpack("=BBHHBB", body)}
    assert rows[SUPPORTED_ENCRYPT][12] == (12, 128, 128, 256, 64, 0)
    assert rows[SUPPORTED_ENCRYPT][20][5] == 32, "salt bits"
    assert rows[SUPPORTED_AUTH][3][2:4] == (160, 160)
    assert SUPPORTED_ENCRYPT not in client.done(REGISTER, satype=AH).extensions
    both = ext(EREG, bytes([AH, ESP, 0, 0]))
    assert client.ask(REGISTER, both, satype=0).refusal() == (REGISTER, errno.EBUSY, 0)
    assert other.done(REGISTER, both, satype=0).satype == AH
    assert other.hear().satype == ESP, "one answer for each type"
    assert other.ask(REGISTER).refusal() == (REGISTER, errno.EBUSY, 0)


def test_a_change_is_audited(world):
    """In the journal: who, by which right, what, and how it ended."""
    datapath = Datapath(world).start()
    path = world.root / "run/netipsec/pfkey"
    wait_for(path.exists)
    client = Client(path)
    client.done(ADD, GOOD)
    assert client.ask(ADD, GOOD).error == EXIST
    client.done(GET, sa() + ends())
    client.done(FLUSH, satype=0)
    client.sock.close()
    found = wait_for(lambda: (lines := [line for line in datapath.lines if "audit: PF_KEY." in line])[2:] and lines)
    who = f"by uid {os.getuid()}, pid {os.getpid()}, right: {'root' if os.getuid() == 0 else 'own user'}"
    about = f"(esp spi 0x1001 {OURS} > {PEER} transport)"
    assert [line.strip() for line in found] == [
        f"<6>audit: PF_KEY.ADD {about} {who}: done",
        f"<5>audit: PF_KEY.ADD {about} {who}: failed, EEXIST",
        f"<6>audit: PF_KEY.FLUSH {who}: done"]
    assert "5b5b5b" not in "".join(datapath.lines)
