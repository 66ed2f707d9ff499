#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make_packets.py: writes the starting inputs of `packet`, `esp_open` and `udp_encap`."""

import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
A4, B4 = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
A6, B6 = (bytes.fromhex("20010db8") + bytes(11) + bytes([n]) for n in (1, 2))
ROUTING = bytes.fromhex("1102000100000000") + A6


def v4(protocol, payload, options=b"", fragment=0):
    length = 20 + len(options) + len(payload)
    return struct.pack("!BBHHHBBH", 0x40 | (5 + len(options) // 4), 0, length, 7, fragment, 64,
                       protocol, 0) + A4 + B4 + options + payload


def v6(protocol, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + A6 + B6 + payload


def udp(size):
    return struct.pack("!HHHH", 1000, 2000, 8 + size, 0) + bytes(size)


def tcp(size):
    return struct.pack("!HHIIBBHHH", 1, 2, 3, 4, 0x50, 0x18, 5, 0, 0) + bytes(size)


def write(target, inputs):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, octets in inputs.items():
        (folder / name).write_bytes(octets)


PACKETS = {
    "v4-udp": v4(17, udp(5)),
    "v4-tcp-two-segments": v4(6, tcp(900)),
    "v4-udp-two-segments": v4(17, udp(900)),
    "v4-icmp": v4(1, bytes([8, 0, 0, 0, 0, 1, 0, 1])),
    "v4-options": v4(253, b"xx", bytes([1, 148, 4, 0, 0, 0, 0, 0])),
    "v4-source-route": v4(253, b"xx", bytes([1, 131, 7, 4]) + B4),
    "v4-first-fragment": v4(17, udp(8), fragment=0x2000),
    "v4-later-fragment": v4(17, bytes(16), fragment=5),
    "v4-short-option": v4(253, b"", bytes([148, 1, 0, 0])),
    "v4-esp": v4(50, struct.pack("!II", 0x1001, 1) + bytes(60)),
    "v4-length-too-large": v4(17, udp(5))[:-3],
    "v6-udp": v6(17, udp(5)),
    "v6-tcp-two-segments": v6(6, tcp(900)),
    "v6-hop-by-hop": v6(0, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp(1)),
    "v6-options": v6(60, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp(1)),
    "v6-routing": v6(43, ROUTING + udp(1)),
    "v6-segments": v6(43, bytes.fromhex("1102040100000000") + A6 + udp(1)),
    "v6-fragment": v6(44, bytes([17, 0, 0, 1, 0, 0, 0, 9]) + udp(8)),
    "v6-later-fragment": v6(44, bytes([60, 0, 0, 8, 0, 0, 0, 9]) + bytes(8)),
    "v6-chain": v6(0, bytes([60, 0, 1, 4, 0, 0, 0, 0]) + bytes([60, 0, 1, 4, 0, 0, 0, 0]) * 14),
    "v6-extension-cut": v6(43, bytes([17, 9, 0, 0, 0, 0, 0, 0])),
    "empty": b"",
}

# The first octet: suite, 0x10 tunnel mode, 0x20 64-bit numbers; then payload, padding, trailer.
TEXTS = {
    "transport-udp": bytes([0]) + udp(2) + bytes([2, 17]),
    "transport-padded": bytes([1]) + udp(3) + bytes([1, 2, 3, 3, 17]),
    "transport-bad-padding": bytes([1]) + udp(3) + bytes([1, 2, 9, 3, 17]),
    "padding-too-long": bytes([4]) + bytes([0, 0, 255, 17]),
    "dummy": bytes([4]) + bytes([0, 0, 0, 59]),
    "tunnel-v4": bytes([0x14]) + v4(17, udp(2)) + bytes([0, 4]),
    "tunnel-v6": bytes([0x11]) + v6(17, udp(6)) + bytes(range(1, 9)) + bytes([8, 41]),
    "tunnel-wrong-version": bytes([0x14]) + v4(17, udp(2)) + bytes([0, 41]),
    "tunnel-tfc": bytes([0x14]) + v4(17, udp(2)) + bytes(8) + bytes([0, 4]),
    "tunnel-cut": bytes([0x14]) + v4(17, udp(2))[:10] + bytes([0, 4]),
    "esn": bytes([0x24]) + udp(2) + bytes([0, 17]),
    "foreign-esp": bytes([4]) + v4(50, struct.pack("!II", 0x1001, 1) + bytes(60)),
    "foreign-runt": bytes([1]) + v4(50, struct.pack("!II", 0x1001, 1)),
    "foreign-v6": bytes([2]) + v6(50, struct.pack("!II", 0x1001, 1) + bytes(80)),
    "foreign-extension": bytes([3]) + v6(60, bytes([50, 0, 1, 4, 0, 0, 0, 0]) + bytes(40)),
}

# The first octet: 1 IPv6, 2 a wrong length, 4 out of an SA, 8 the segment is TCP's.
DATAGRAMS = {
    "keep-alive": bytes([0, 255]),
    "keep-alive-v6": bytes([1, 255]),
    "nothing": bytes([0]),
    "three-octets": bytes([8, 0, 0, 0]),
    "marker": bytes([0]) + bytes(4),
    "key-exchange": bytes([1]) + bytes(4) + bytes(range(28)),
    "spi-alone": bytes([0]) + struct.pack("!I", 0x1001),
    "esp-runt": bytes([0]) + struct.pack("!II", 0x1001, 1) + bytes(10),
    "esp-forged": bytes([8]) + struct.pack("!II", 0x1001, 1) + bytes(60),
    "esp-forged-v6": bytes([9]) + struct.pack("!II", 0x1001, 1) + bytes(61),
    "esp-nobody": bytes([8]) + struct.pack("!II", 0x1003, 1) + bytes(60),
    "esp-decrypted": bytes([4]) + struct.pack("!II", 0x1001, 1) + bytes(60),
    "too-long": bytes([2, 255]),
    "tcp": bytes([8]) + tcp(7),
    "udp": bytes([1]) + udp(8),
}

write("packet", PACKETS)
write("udp_encap", DATAGRAMS)
write("esp_open", TEXTS)
