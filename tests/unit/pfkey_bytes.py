# SPDX-License-Identifier: GPL-2.0-or-later
"""PF_KEY messages in the numbering of Solaris, made and read byte by byte."""

import socket
import struct

GETSPI, UPDATE, ADD, DELETE, GET, ACQUIRE, REGISTER, EXPIRE, FLUSH, DUMP = range(1, 11)
PROMISC, INVERSE_ACQUIRE, UPDATEPAIR, DELPAIR, DELPAIR_STATE = range(11, 16)
(SA, CURRENT, HARD, SOFT, SRC, DST, INNER_SRC, AKEY, EKEY, IDENTITY_SRC, IDENTITY_DST, SENSITIVITY,
 PROPOSAL, SUPPORTED_AUTH, SUPPORTED_ENCRYPT, RANGE, EREG, EPROP, COOKIE, NATT_LOC, NATT_REM,
 INNER_DST, PAIR, REPLAY_VALUE, EDUMP, IDLE, OUTER_SENS) = range(1, 28)
AH, ESP = 2, 3
TUNNEL, NATT_LOC_FLAG, NATT_REM_FLAG = 0x20000, 0x100000, 0x80000
OURS, PEER = "192.0.2.1", "192.0.2.2"
WAIT_SEC = 20
PID = 4711


def ext(kind, body, units=None):
    body += bytes(-(len(body) + 4) % 8)
    return struct.pack("=HH", (len(body) + 4) // 8 if units is None else units, kind) + body


def sa(spi=0x1001, replay=0, state=1, auth=3, encrypt=12, flags=0):
    return ext(SA, struct.pack("!I", spi) + struct.pack("=BBBBI", replay, state, auth, encrypt, flags))


def sockaddr(text, port=0):
    if ":" in text:
        return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + \
            socket.inet_pton(socket.AF_INET6, text) + bytes(8)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(text) + bytes(8)


def addr(kind, text, port=0, proto=0, prefix=0):
    return ext(kind, struct.pack("=BBH", proto, prefix, 0) + sockaddr(text, port))


def key(kind, bits, fill=0x5b, reserved=0, octets=None):
    octets = bytes([fill]) * ((bits + 7) // 8) if octets is None else octets
    return ext(kind, struct.pack("=HH", bits, reserved) + octets)


def life(kind, allocations=0, octets=0, add=0, use=0):
    return ext(kind, struct.pack("=IQQQ", allocations, octets, add, use))


def spirange(low, high):
    return ext(RANGE, struct.pack("!III", low, high, 0))


def replay_value(low, high):
    return ext(REPLAY_VALUE, struct.pack("=IQ", low, high))


def ends(src=OURS, dst=PEER):
    return addr(SRC, src) + addr(DST, dst)


KEYS = key(EKEY, 128) + key(AKEY, 160)
GOOD = sa() + ends() + KEYS
INNER = addr(INNER_SRC, "10.1.0.0", prefix=16) + addr(INNER_DST, "10.2.0.0", prefix=16)


def message(kind, body=b"", satype=ESP, version=2, units=None, error=0, seq=77):
    units = (16 + len(body)) // 8 if units is None else units
    return struct.pack("=BBBBHHII", version, kind, error, satype, units, 0, seq, PID) + body


class Answer:
    def __init__(self, octets):
        (self.version, self.kind, self.error, self.satype, self.units, self.diagnostic, self.seq,
         self.pid) = struct.unpack_from("=BBBBHHII", octets)
        assert self.version == 2 and self.units * 8 == len(octets)
        self.octets, self.extensions, at = octets, {}, 16
        while at < len(octets):
            units, kind = struct.unpack_from("=HH", octets, at)
            assert units > 0 and kind not in self.extensions
            self.extensions[kind] = octets[at + 4:at + units * 8]
            at += units * 8

    def refusal(self):
        return self.kind, self.error, self.diagnostic


class Client:
    """One PF_KEY socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(WAIT_SEC)
        self.sock.connect(str(path))

    def hear(self):
        octets = self.sock.recv(65536)
        assert octets, "the door was shut"
        return Answer(octets)

    def ask(self, *args, **options):
        self.sock.send(message(*args, **options))
        return self.hear()

    def done(self, *args, **options):
        answer = self.ask(*args, **options)
        assert (answer.error, answer.diagnostic) == (0, 0)
        return answer

    def count(self):
        """SAs that there are."""
        number, answer = 0, self.ask(DUMP, satype=0)
        while answer.extensions:
            number, answer = number + 1, self.hear()
        assert answer.seq == 0
        return number
