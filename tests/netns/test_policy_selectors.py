# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that mean a part of the traffic alone: a host of a net, kinds of ICMP, one direction, groups."""

import json
import socket
import struct

from lablib import wire
from nettest.policy import COUNT, ENDS, PLAIN, arrives, families, kind_of, load, sent

STATION = {"ipv4": "192.0.2.3", "ipv6": "2001:db8::3"}
GROUP = {"ipv4": ("239.1.2.3", "224.0.0.0/4"), "ipv6": ("ff15::1:3", "ff00::/8")}
# Word of the file; kinds of messages: a request that is protected, one dropped, one let be.
MESSAGES = {"ipv4": ("icmp", 8, 13, 15), "ipv6": ("ipv6-icmp", 128, 139, 130)}


@families
def test_exception_host_inside_a_protected_net(pair, family):
    _, there, net, how = ENDS[family]
    station, length = STATION[family], net.split("/")[1]
    pair["beta"].exec("ip", "address", "add", f"{station}/{length}", "dev", "eth0",
                      *(["nodad"] if family == "ipv6" else []))
    protect = f"{{raddr {net}}} ipsec {{{how}}}\n"
    exception = f"{{raddr {station} dir both}} bypass {{}}\n"
    load(pair["beta"], PLAIN)
    load(pair["alpha"], PLAIN)
    assert sent(pair, there, 7000) == sent(pair, station, 7000) == ({7000: COUNT}, False)
    load(pair["alpha"], protect)
    assert sent(pair, station, 7000) == ({7000: 0}, False), "no SA leads there"
    load(pair["alpha"], exception, protect)
    assert sent(pair, there, 7000, esp=True) == ({7000: 0}, True)
    assert sent(pair, station, 7000) == ({7000: COUNT}, False)
    pair["beta"].exec("ip", "address", "del", f"{station}/{length}", "dev", "eth0")


def messages(pair, family, esp=0):
    """Of the ICMP messages that alpha sends, those in clear by kind, and how many are ESP."""
    here, there, *_ = ENDS[family]
    protocol = socket.IPPROTO_ICMP if family == "ipv4" else socket.IPPROTO_ICMPV6
    kinds = MESSAGES[family][1:]
    with wire.Capture(pair["beta"], "eth0") as capture, \
            pair["alpha"].socket(kind_of(there), socket.SOCK_RAW, protocol) as sock:
        for number in kinds * COUNT:
            body = struct.pack("!BBHHH", number, 0, 0, 7, 7) + bytes(16)
            if family == "ipv4":
                body = body[:2] + struct.pack("!H", wire.checksum(body)) + body[4:]
            try:
                sock.sendto(body, (there, 0))
            except PermissionError:
                pass
        capture.wait(esp, lambda frame: frame.protocol == wire.ESP)
    ours = [frame for frame in capture.frames if frame.source == here]
    clear = [frame.payload[0] for frame in ours if frame.protocol == protocol]
    return [clear.count(number) for number in kinds], \
        len([frame for frame in ours if frame.protocol == wire.ESP])


@families
def test_kinds_of_icmp(pair, family):
    _, there, _, how = ENDS[family]
    word, protected, dropped, _ = MESSAGES[family]
    load(pair["beta"], PLAIN)
    load(pair["alpha"], PLAIN)
    assert messages(pair, family) == ([COUNT] * 3, 0)
    load(pair["alpha"],
         f"{{raddr {there} ulp {word} type {protected} dir out}} ipsec {{{how}}}\n",
         f"{{raddr {there} ulp {word} type {dropped} dir out}} drop {{}}\n")
    assert messages(pair, family, COUNT) == ([0, 0, COUNT], COUNT)


@families
def test_icmp_requests_of_one_side(pair, family):
    """The stack answers whatever policy says, until the tunable asks policy; answers are another kind."""
    here, there, *_ = ENDS[family]
    word, request, *_ = MESSAGES[family]
    asked = [(pair["alpha"], there), (pair["beta"], here)]
    drop = f"{{raddr {there} ulp {word} type {request} dir in}} drop {{}}\n"
    load(pair["beta"], PLAIN)
    for text, value, answered in ((PLAIN, 1, [True, True]), (drop, 1, [True, True]),
                                  (drop, 0, [True, False]), (PLAIN, 0, [True, True])):
        load(pair["alpha"], text)
        pair["alpha"].exec("ipsecstat", "--set", f"_icmp_accept_clear_messages={value}")
        assert [host.run("ping", "-c2", "-i0.05", "-W1", address).returncode == 0
                for host, address in asked] == answered, (text, value)
    pair["alpha"].exec("ipsecstat", "--set", "_icmp_accept_clear_messages=1")


@families
def test_one_direction_alone(pair, family):
    here, there, _, how = ENDS[family]
    alpha, beta = pair["alpha"], pair["beta"]
    load(beta, PLAIN)
    load(alpha, PLAIN)
    assert sent(pair, there, 7000) == ({7000: COUNT}, False)
    assert arrives(beta, alpha, here, some=[7000, 7001])
    load(alpha, f"{{raddr {there} ulp udp rport 7000 dir out}} ipsec {{{how}}}\n")
    assert sent(pair, there, 7000, esp=True) == ({7000: 0}, True)
    assert arrives(beta, alpha, here, some=[7000, 7001])
    load(alpha, f"{{raddr {there} ulp udp lport 7000 dir in}} ipsec {{{how}}}\n")
    assert sent(pair, there, 7000) == ({7000: COUNT}, False)
    assert arrives(beta, alpha, here, some=[7001], none=[7000])


def to_group(pair, family):
    """Datagrams to a group that leave in clear, and was there ESP."""
    group, _ = GROUP[family]
    link = json.loads(pair["alpha"].exec("ip", "-json", "link", "show", "eth0"))[0]["ifindex"]
    with wire.Capture(pair["beta"], "eth0") as capture, \
            pair["alpha"].socket(kind_of(group), socket.SOCK_DGRAM, 0, [ENDS[family][0], 0]) as sock:
        if family == "ipv4":
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                            struct.pack("@4s4si", bytes(4), bytes(4), link))
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
        for _ in range(COUNT):
            try:
                sock.sendto(b"x", (group, 7000))
            except OSError:
                pass  # a drop may be told
    return len([frame for frame in capture.of(wire.UDP) if frame.destination == group]), \
        bool(capture.of(wire.ESP))


@families
def test_multicast_is_let_out_of_a_protected_host(pair, family):
    here, there, _, how = ENDS[family]
    protect = f"{{laddr {here}}} ipsec {{{how}}}\n"
    groups = f"{{raddr {GROUP[family][1]} dir both}} bypass {{}}\n"
    load(pair["beta"], PLAIN)
    load(pair["alpha"], PLAIN)
    assert to_group(pair, family) == (COUNT, False)
    load(pair["alpha"], protect)
    assert to_group(pair, family) == (0, False)
    load(pair["alpha"], groups, protect)
    assert to_group(pair, family) == (COUNT, False)
    assert sent(pair, there, 7000, esp=True) == ({7000: 0}, True)


@families
def test_explicit_drop(pair, family):
    here, there, *_ = ENDS[family]
    alpha, beta = pair["alpha"], pair["beta"]
    load(beta, PLAIN)
    load(alpha, PLAIN)
    assert arrives(alpha, beta, there, some=[7000, 7001])
    assert arrives(beta, alpha, here, some=[7000, 7001])
    load(alpha, f"{{raddr {there} rport 7000 ulp udp}} drop {{}}\n",
         f"{{raddr {there} lport 7000 ulp udp}} drop {{}}\n")
    assert arrives(alpha, beta, there, some=[7001], none=[7000])
    assert arrives(beta, alpha, here, some=[7001], none=[7000])
