# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws an SA and a packet for it."""

import ipaddress
from dataclasses import dataclass

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import (HBHOptUnknown, ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN)
from scapy.packet import Raw

SIZE_MAX = 9000
WINDOWS = [32, 64, 96, 128, 1024, 8192]
# NOP, record route, timestamp, router alert, stream id, loose route, an unknown one of class 2
IPV4_OPTIONS = [b"\x01", b"\x07\x07\x04\x00\x00\x00\x00", b"\x44\x08\x05\x00\x00\x00\x00\x00",
                b"\x94\x04\x00\x00", b"\x88\x04\x12\x34", b"\x83\x07\x08\x0a\x01\x02\x03",
                b"\xde\x06\x01\x02\x03\x04"]


@dataclass(frozen=True)
class Suite:
    """Cipher and integrity algorithm by the engine's names, and the octets of their keys."""
    encr: str
    key: int
    salt: int
    auth: str = "none"
    auth_key: int = 0
    icv: int = 0
    proto: str = "esp"

    @property
    def combined(self):
        """Has the cipher an ICV of its own?"""
        return self.auth == "none" and not self.encr.endswith(("-cbc", "-ctr"))


def suites(offers):
    """All pairs that the engine takes."""
    found = []
    for cipher in offers["ciphers"]:
        fields = cipher["name"], cipher["key"], cipher["salt"]
        if cipher["alone"]:
            found.append(Suite(*fields))
        if cipher["beside"]:
            found += [Suite(*fields, auth["name"], auth["key"], auth["icv"])
                      for auth in offers["auths"]]
    return found + [Suite("none", 0, 0, auth["name"], auth["key"], auth["icv"], "ah")
                    for auth in offers["ah"]]


class Case:
    """One SA with one packet, and how far its peer's numbers have come."""

    def __init__(self, rng, offered):
        self.rng = rng
        # AH often; then by cipher first: there are many more pairs than combined modes.
        self.proto = rng.choice(("esp", "esp", "ah"))
        encr = rng.choice(sorted({suite.encr for suite in offered if suite.proto == self.proto}))
        self.suite = rng.choice([suite for suite in offered if suite.encr == encr])
        self.key = rng.randbytes(self.suite.key)
        self.salt = rng.randbytes(self.suite.salt)
        self.auth_key = rng.randbytes(self.suite.auth_key)
        self.spi = rng.randrange(256, 2 ** 32)
        self.family = rng.choice((4, 6))
        self.outer = rng.choice((None, 4, 6))
        self.ends = self._addresses(self.outer) if self.outer else None
        # RFC 4303 section 2.2.1 extends numbers under an ICV; without one none is checked.
        self.esn = rng.random() < 0.4 and self.spoilable()
        self._draw_numbers()
        self.packet = bytes(self._packet())
        self.spoilt_at = rng.randrange(2 ** 16)

    def __str__(self):
        where = {None: "transport", 4: "tunnel4", 6: "tunnel6"}[self.outer]
        numbers = f"seq {self.seq:#x} top {self.top:#x} window {self.replay}"
        return f"{self.suite} {where} v{self.family} esn {self.esn} {numbers} " \
            f"request {self.request()} packet {self.packet.hex()[:400]} ({len(self.packet)} octets)"

    def spoilable(self):
        return self.suite.auth != "none" or self.suite.combined

    def _addresses(self, family):
        if family == 4:
            return [str(ipaddress.IPv4Address(0xC6120000 + self.rng.randrange(1, 2 ** 17 - 1)))
                    for _ in range(2)]
        return [str(ipaddress.IPv6Address((0x20010DB8 << 96) + self.rng.randrange(1, 2 ** 80)))
                for _ in range(2)]

    def _draw_numbers(self):
        """The number, and what the window has seen: far ahead, around its edges, long ago."""
        rng = self.rng
        limit = 2 ** 64 if self.esn else 2 ** 32
        self.replay = rng.choice(WINDOWS) if self.esn else rng.choice([0, *WINDOWS])
        self.seq = rng.choice([rng.randrange(1, limit), rng.randrange(1, 5000),
                               limit - rng.randrange(1, 200)])
        if self.esn and rng.random() < 0.5:  # around where the high half changes
            self.seq = (rng.randrange(1, 2 ** 31) << 32) + rng.randrange(-100, 100)
        ahead = rng.choice([-1, 1, -rng.randrange(1, 2000), rng.randrange(0, 2 ** 20),
                            self.replay - 1, self.replay])
        self.top = min(max(self.seq + ahead, 0), limit - 1) if self.replay else 0
        # The engine reads it as a signed number; a key of so many packets is not met.
        self.seq, self.top = min(self.seq, 2 ** 63 - 2), min(self.top, 2 ** 63 - 2)
        if self.esn and self.top - self.seq >= self.replay:
            self.top = self.seq - 1  # else it is taken as the next half's: another packet

    def verdict(self):
        """Why the number is refused, None: it is not. The last 32-bit number ends an SA."""
        if not self.replay or (self.esn or self.top < 2 ** 32 - 1) and 0 < self.top - self.seq < self.replay \
                or self.seq > self.top:
            return None
        return f"{self.proto}_early_replay"

    def window(self):
        return {"window": self.replay, "top": self.top} if self.replay else {}

    def request(self):
        fields = {"proto": self.proto, "spi": self.spi, "mode": "tunnel" if self.outer else "transport",
                  "encr": self.suite.encr, "encr_key": self.key.hex(), "salt": self.salt.hex(),
                  "auth": self.suite.auth, "auth_key": self.auth_key.hex(),
                  "esn_hi": self.seq >> 32 if self.esn else None}
        if self.outer:
            fields["src"], fields["dst"] = self.ends
        return fields

    def _packet(self):
        head = self._head4() if self.family == 4 else self._head6()
        rng = self.rng
        most = SIZE_MAX - len(head) - 60
        size = rng.choice([rng.randrange(0, 70), rng.randrange(0, 1500), rng.randrange(0, most)])
        kind = rng.choice(("udp", "tcp", "icmp", "raw", "raw"))
        body = Raw(rng.randbytes(size))
        if kind == "udp":
            return head / UDP(sport=rng.randrange(1024, 4000), dport=rng.randrange(1024, 4000)) / body
        if kind == "tcp":
            return head / TCP(sport=rng.randrange(65536), dport=rng.randrange(65536),
                              seq=rng.randrange(2 ** 32), options=[("MSS", 1460)]) / body
        if kind == "icmp" and self.family == 4:
            return head / ICMP(id=rng.randrange(65536)) / body
        if kind == "icmp":
            return head / ICMPv6EchoRequest(id=rng.randrange(65536), data=body.load)
        last = head.lastlayer()
        setattr(last, "proto" if self.family == 4 else "nh", 253)
        return head / body

    def _head4(self):
        rng = self.rng
        src, dst = self._addresses(4)
        options = b"" if rng.random() < 0.5 else b"".join(rng.sample(IPV4_OPTIONS, rng.randrange(1, 4)))
        options = options[:40] + b"\x00" * (-len(options) % 4)
        return IP(src=src, dst=dst, tos=rng.randrange(256), id=rng.randrange(65536),
                  ttl=rng.randrange(1, 256), flags=rng.choice(("", "DF")),
                  options=[IPOption(options)] if options else [])

    def _head6(self):
        rng = self.rng
        src, dst = self._addresses(6)
        packet = IPv6(src=src, dst=dst, tc=rng.randrange(256), fl=rng.randrange(2 ** 20),
                      hlim=rng.randrange(1, 256))
        # The second one's data may change on the way.
        padding = [PadN(optdata=bytes(rng.randrange(0, 16))),
                   HBHOptUnknown(otype=0x3E, optdata=rng.randbytes(rng.randrange(0, 20)))]
        if rng.random() < 0.3:
            packet /= IPv6ExtHdrHopByHop(options=padding)
        if rng.random() < 0.3:
            packet /= IPv6ExtHdrDestOpt(options=padding)
        if rng.random() < 0.3:
            hops = self._addresses(6)[:rng.randrange(1, 3)]
            left = rng.choice((0, len(hops))) if self.proto == "ah" and not self.outer else 0
            packet /= IPv6ExtHdrRouting(addresses=hops, segleft=left)
            if rng.random() < 0.5:
                packet /= IPv6ExtHdrDestOpt(options=padding)
        return packet
