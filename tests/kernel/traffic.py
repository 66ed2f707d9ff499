# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic that both ends make: echo requests of any size, TCP streams to an echo server.

make_socket(family, kind, proto, bind, options) opens a socket in the end's network.
"""

import os
import socket
import struct
import threading
import time

ECHO_PORT = 7777
TRIES, WAIT_SEC = 4, 1.5  # the first of a size may only teach the path's MTU
TCP_WAIT_SEC = 20
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT = 10, 23, 0
KINDS = {4: socket.AF_INET, 6: socket.AF_INET6}


def checksum(octets):
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _request(family, number, data):
    head = struct.pack("!BBHHH", 8 if family == 4 else 128, 0, 0, os.getpid() & 0xFFFF, number)
    if family == 6:
        return head + data  # the kernel sums it
    return head[:2] + struct.pack("!H", checksum(head + data)) + head[4:] + data


def _is_answer(packet, family, request):
    if family == 4:
        packet = packet[(packet[0] & 15) * 4:]
    return packet[0] == (0 if family == 4 else 129) and packet[4:] == request[4:]


def ping(make_socket, family, src, dst, sizes):
    """None, or what went wrong."""
    discover = (socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DONT) if family == 4 \
        else (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DONT)
    proto = socket.IPPROTO_ICMP if family == 4 else socket.IPPROTO_ICMPV6
    with make_socket(KINDS[family], socket.SOCK_RAW, proto, [src, 0], [discover]) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for number, size in enumerate(sizes, 1):
            request = _request(family, number, os.urandom(size))
            if not any(_ask(sock, family, request, dst) for _ in range(TRIES)):
                return f"{size} octets from {src} to {dst}: no answer"
    return None


def _ask(sock, family, request, dst):
    end = time.monotonic() + WAIT_SEC
    try:
        sock.sendto(request, (dst, 0))
        while True:
            sock.settimeout(max(end - time.monotonic(), 0.001))
            if _is_answer(sock.recv(65535), family, request):
                return True
    except OSError:
        return False


def serve(make_socket):
    """An echo server for both families, in threads that end with the process."""
    listener = make_socket(socket.AF_INET6, socket.SOCK_STREAM, 0, ["::", ECHO_PORT],
                           [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)])
    listener.listen(16)

    def echo(sock):
        with sock:
            try:
                while data := sock.recv(65536):
                    sock.sendall(data)
            except OSError:
                pass

    def accept():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener


def tcp(make_socket, family, src, dst, octets):
    """Send octets to the echo server and have them back; None, or what went wrong."""
    data = os.urandom(octets)
    try:
        with make_socket(KINDS[family], socket.SOCK_STREAM, 0, [src, 0], []) as sock:
            sock.settimeout(TCP_WAIT_SEC)
            sock.connect((dst, ECHO_PORT))
            return _stream(sock, data)
    except OSError as why:
        return f"TCP from {src} to {dst}: {why}"


def _stream(sock, data):
    def send():
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the receiver tells

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    came = bytearray()
    while part := sock.recv(65536):
        came += part
    sender.join()
    return None if came == data else f"TCP: {len(data)} octets sent, {len(came)} came, or others"
