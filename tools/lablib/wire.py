# SPDX-License-Identifier: GPL-2.0-or-later
"""What crosses a wire, with proof that nothing was missed.

An AF_PACKET reader of our own: tcpdump cannot write in every namespace. A capture counts only if
the kernel dropped nothing for it and the canary, sent in clear at the end, was seen.
"""

import ipaddress
import os
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

ETH_P_ALL = 0x0003
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
BUFFER_BYTES = 64 << 20
CANARY_TIMEOUT_SEC = 10
CANARY_ADDRESS = "192.0.2.250"
ESP, AH, ICMP, TCP, UDP, ICMPV6 = 50, 51, 1, 6, 17, 58
EXTENSION_HEADERS = (0, 43, 60)


@dataclass
class Frame:
    """One captured frame, looked at as far as the IP protocol."""
    when: float
    raw: bytes
    ethertype: int
    source: str = ""
    destination: str = ""
    protocol: int = -1
    payload: bytes = b""  # after the IP header and its extensions


def dissect(when, raw):
    """A Frame; what is not IP keeps protocol -1."""
    frame = Frame(when, raw, struct.unpack_from("!H", raw, 12)[0])
    packet = raw[14:]
    if frame.ethertype == ETH_P_IP and len(packet) >= 20:
        frame.protocol = packet[9]
        frame.source = str(ipaddress.ip_address(packet[12:16]))
        frame.destination = str(ipaddress.ip_address(packet[16:20]))
        frame.payload = packet[(packet[0] & 15) * 4:struct.unpack_from("!H", packet, 2)[0]]
    elif frame.ethertype == ETH_P_IPV6 and len(packet) >= 40:
        following, rest = packet[6], packet[40:40 + struct.unpack_from("!H", packet, 4)[0]]
        while following in EXTENSION_HEADERS and len(rest) >= 8:
            following, rest = rest[0], rest[(rest[1] + 1) * 8:]
        frame.protocol, frame.payload = following, rest
        frame.source = str(ipaddress.ip_address(packet[8:24]))
        frame.destination = str(ipaddress.ip_address(packet[24:40]))
    return frame


def checksum(data):
    """The internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, protocol, payload, ttl=64):
    """An IPv4 packet as bytes."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, ttl, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def is_about_esp(icmp):
    """An error of ICMP, and the packet in it is ESP."""
    return icmp[:1] in (b"\x03", b"\x0b", b"\x0c") and icmp[8 + 9:8 + 10] == bytes([ESP])


class Capture:
    """Use as a context manager; frames are complete once it has ended.

    with Capture(host, "eth0") as wire:
        ...
    assert not wire.clear()
    """

    def __init__(self, host, iface):
        self.host = host  # anything with the socket() of Agent
        self.iface = iface
        self.frames = []
        self.canary = b"canary " + os.urandom(16).hex().encode()
        self.seen_canary = threading.Event()
        self.changed = threading.Condition()
        self.sock = host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, None,
                                [(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)])
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:
            pass  # drops, if any, are counted all the same
        self.sock.bind((iface, ETH_P_ALL))
        self.wake_read, self.wake_write = os.pipe()
        self.thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self._finish()
        finally:
            os.write(self.wake_write, b"x")
            self.thread.join()
            for fd in (self.wake_read, self.wake_write):
                os.close(fd)
            self.sock.close()

    def _read(self):
        while True:
            ready, _, _ = select.select([self.sock, self.wake_read], [], [])
            if self.sock not in ready:
                return
            raw = self.sock.recv(1 << 17)
            if self.canary in raw:
                self.seen_canary.set()
                continue
            with self.changed:
                self.frames.append(dissect(time.time(), raw))
                self.changed.notify_all()

    def _finish(self):
        """Send the canary in clear, see it, and ask how much was dropped."""
        with self.host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, [self.iface, 0]) as sender:
            datagram = struct.pack("!HHHH", 9, 9, 8 + len(self.canary), 0) + self.canary
            sender.send(b"\x02\0\0\0\0\1" b"\x02\0\0\0\0\2" + struct.pack("!H", ETH_P_IP)
                        + ipv4(CANARY_ADDRESS, CANARY_ADDRESS, UDP, datagram))
        if not self.seen_canary.wait(CANARY_TIMEOUT_SEC):
            raise RuntimeError("the capture missed its canary")
        counts = self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        dropped = struct.unpack("II", counts)[1]
        if dropped:
            raise RuntimeError(f"the capture dropped {dropped} frames and proves nothing")

    def wait(self, count, wanted, timeout=10):
        """Wait until that many frames for which wanted(frame) holds have come."""
        with self.changed:
            found = self.changed.wait_for(
                lambda: sum(map(wanted, self.frames)) >= count, timeout)
        assert found, f"fewer than {count} such frames within {timeout} s"

    def of(self, *protocols):
        """Frames of these IP protocols."""
        return [frame for frame in self.frames if frame.protocol in protocols]

    def clear(self):
        """Frames that show an inner protocol: ICMP, TCP, UDP; neighbour discovery is let be.

        An error about ESP shows none: the system says so when nobody is there to take ESP.
        """
        return [frame for frame in self.frames
                if frame.protocol in (TCP, UDP)
                or (frame.protocol == ICMP and not is_about_esp(frame.payload))
                or (frame.protocol == ICMPV6 and frame.payload[:1] in (b"\x80", b"\x81"))]

    def write(self, path):
        """All frames as a pcap file."""
        with open(path, "wb") as file:
            file.write(struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            for frame in self.frames:
                seconds = int(frame.when)
                file.write(struct.pack("!IIII", seconds, int((frame.when - seconds) * 1e6),
                                       len(frame.raw), len(frame.raw)) + frame.raw)
