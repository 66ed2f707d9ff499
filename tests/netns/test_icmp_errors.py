# SPDX-License-Identifier: GPL-2.0-or-later
"""Clear ICMP errors that a router forges or a host sends: what they are about decides, not who sent them."""

import errno
import itertools
import select
import socket
import struct
import time

import pytest
from lablib import wire
from nettest.across import ENDS, LAB
from nettest.policy import PLAIN, Counted, kind_of, load

ROUTER = {4: "10.1.0.1", 6: "fd00:1::1"}
PROTECT = "ipsec {encr_algs aes-gcm16 sa shared}"
SECURE, CLEAR = 7000, 7001
SHORTER = 1300
WAIT_MSEC = 20000
families = pytest.mark.parametrize("family", ENDS, ids=["ipv4", "ipv6"])
# Kinds, codes and what a connected socket makes of them; the last is about the path.
UNREACHABLE = {4: (3, 3, errno.ECONNREFUSED), 6: (1, 4, errno.ECONNREFUSED)}
TOO_BIG = {4: (3, 4, errno.EMSGSIZE), 6: (2, 0, errno.EMSGSIZE)}


def keys():
    lines = []
    for number, (family, way) in enumerate(itertools.product(ENDS, (1, -1))):
        src, dst = ENDS[family][::way]
        mark = "6" if family == 6 else ""
        lines.append(f"add esp spi {0xa001 + number:#x} src{mark} {src} dst{mark} {dst} "
                     f"encr_alg aes-gcm16 encrkey {bytes([number + 1] * 20).hex()}\n")
    return "".join(lines)


@pytest.fixture(name="lab", scope="module")
def lab_fixture(labs, tmp_path_factory):
    top = tmp_path_factory.mktemp("errors")
    for name in ("alpha", "beta", "router"):
        (top / name).mkdir()
        (top / name / "ipsecinit.conf").write_text(PLAIN)
        if name != "router":
            (top / name / "ipseckeys").write_text(keys())
    (top / "errors.lab").write_text(LAB)
    return labs(top / "errors.lab")


def protect(lab, family, port=SECURE, ulp="udp"):
    """One port of beta's is protected, all else is clear."""
    here, there = ENDS[family]
    load(lab["alpha"], f"{{raddr {there} rport {port} ulp {ulp}}} {PROTECT}\n")
    load(lab["beta"], f"{{raddr {here} lport {port} ulp {ulp}}} {PROTECT}\n")


def talker(lab, family, port):
    """A connected socket of alpha that hears of errors, and of the path's MTU."""
    here, there = ENDS[family]
    sock = lab["alpha"].socket(kind_of(here), socket.SOCK_DGRAM, 0, [here, 0])
    if family == 4:
        sock.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER
        sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR
    sock.connect((there, port))
    return sock


def error_of(sock, wait_msec):
    """What the socket has heard, 0: nothing."""
    poll = select.poll()
    poll.register(sock, 0)
    if not poll.poll(wait_msec):
        return 0
    told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.recvmsg(2048, 2048, socket.MSG_ERRQUEUE)
    return told


def forge(lab, family, kind, sock, cut=None, length=12, mtu=SHORTER):
    """The router sends an error about a datagram of that socket; @cut: so much of it comes back."""
    here, there = ENDS[family]
    addresses = b"".join(socket.inet_pton(kind_of(here), end) for end in (here, there))
    protocol = socket.IPPROTO_TCP if sock.type == socket.SOCK_STREAM else socket.IPPROTO_UDP
    upper = struct.pack("!HHHH", sock.getsockname()[1], sock.getpeername()[1], length, 0)
    if family == 4:
        about = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 63, protocol, 0) + addresses + upper
        body = struct.pack("!BBHHH", kind[0], kind[1], 0, 0, mtu) + about[:cut]
        body = body[:2] + struct.pack("!H", wire.checksum(body)) + body[4:]
    else:
        about = struct.pack("!IHBB", 0x60000000, length, protocol, 63) + addresses + upper
        body = struct.pack("!BBHI", kind[0], kind[1], 0, mtu) + about[:cut]
    protocol = socket.IPPROTO_ICMP if family == 4 else socket.IPPROTO_ICMPV6
    with lab["router"].socket(kind_of(here), socket.SOCK_RAW, protocol) as raw:
        raw.sendto(body, (here, 0))


def path_of(lab, family):
    return lab["alpha"].exec("ip", f"-{family}", "route", "get", ENDS[family][1])


@families
def test_a_router_cannot_disturb_what_is_protected(lab, family):
    """Anybody can send an error; about a protected connection none is believed."""
    load(lab["alpha"], PLAIN)
    load(lab["beta"], PLAIN)
    with talker(lab, family, SECURE) as secure, talker(lab, family, CLEAR) as clear:
        for sock in (secure, clear):
            forge(lab, family, UNREACHABLE[family], sock)
            assert error_of(sock, WAIT_MSEC) == errno.ECONNREFUSED
        protect(lab, family)
        for kind in (UNREACHABLE[family], TOO_BIG[family]):
            with Counted(lab["alpha"], "spd_got_clear", 2):
                forge(lab, family, kind, secure)
                forge(lab, family, kind, secure, cut=20 if family == 4 else 40)
                # It comes behind those, so when it is there they are judged.
                if kind is UNREACHABLE[family]:
                    forge(lab, family, kind, clear)
                    assert error_of(clear, WAIT_MSEC) == kind[2]
            assert error_of(secure, 0) == 0
            assert "mtu" not in path_of(lab, family)
        forge(lab, family, TOO_BIG[family], clear)
        assert error_of(clear, WAIT_MSEC) == errno.EMSGSIZE
        assert f"mtu {SHORTER}" in path_of(lab, family)
        lab["alpha"].exec("ip", f"-{family}", "route", "flush", "cache")


@families
def test_the_drop_names_the_rule_of_the_connection(lab, family):
    """The log tells who sent the error, and the rule that the connection is under."""
    kind = UNREACHABLE[family]
    told = (f" {ROUTER[family]} > {ENDS[family][0]} type {kind[0]} code {kind[1]}, "
            "rule at /etc/inet/ipsecinit.conf:1")
    protect(lab, family)
    lab["alpha"].exec("ipsecstat", "--set", "_ipsec_policy_log_interval=1")
    deadline = time.monotonic() + WAIT_MSEC / 1000
    with talker(lab, family, SECURE) as secure, Counted(lab["alpha"], "spd_got_clear", 1):
        forge(lab, family, kind, secure)
        while told not in lab.logs():
            assert time.monotonic() < deadline, told
    lab["alpha"].exec("ipsecstat", "--set", "_ipsec_policy_log_interval=0")
    rules = lab["alpha"].exec("ipsecconf", "-l", "--counters").split("#INDEX")
    assert [rule.split("packets=")[1].split()[0] for rule in rules if "dir in" in rule] == ["1"]


@families
def test_policy_may_ask_for_the_error_too(lab, family):
    """With the tunable off the error itself has to be let in as well, by its own addresses and type."""
    word = "icmp" if family == 4 else "ipv6-icmp"
    drop = f"{{raddr {ROUTER[family]} ulp {word} type {UNREACHABLE[family][0]} dir in}} drop {{}}\n"
    for text, value, heard in ((PLAIN, 0, True), (drop, 1, True), (drop, 0, False)):
        load(lab["alpha"], text)
        lab["alpha"].exec("ipsecstat", "--set", f"_icmp_accept_clear_messages={value}")
        with talker(lab, family, CLEAR) as clear:
            with Counted(lab["alpha"], "spd_explicit", 0 if heard else 1):
                forge(lab, family, UNREACHABLE[family], clear)
                if heard:
                    assert error_of(clear, WAIT_MSEC) == errno.ECONNREFUSED, (text, value)
            assert heard or error_of(clear, 0) == 0
    lab["alpha"].exec("ipsecstat", "--set", "_icmp_accept_clear_messages=1")


@pytest.mark.parametrize("secure", [SECURE, 500], ids=["a port", "key exchange"])
@families
def test_errors_go_as_their_packets_came(lab, family, secure):
    """
    Nobody listens at beta: the answer about the protected port is protected, the other is clear. The
    hole for key exchange is for key exchange, not for what quotes a datagram that nobody wanted.
    """
    here, there = ENDS[family]
    protocol = wire.ICMP if family == 4 else wire.ICMPV6
    protect(lab, family, secure)
    for port, sealed in ((secure, True), (CLEAR, False)):
        with wire.Capture(lab["router"], "right") as capture, talker(lab, family, port) as sock:
            sock.send(b"x")
            assert error_of(sock, WAIT_MSEC) == errno.ECONNREFUSED
        errors = [frame for frame in capture.of(protocol)
                  if frame.source == there and frame.payload[0] == UNREACHABLE[family][0]]
        assert bool(errors) is not sealed
        assert bool([frame for frame in capture.of(wire.ESP) if frame.source == there]) is sealed


@families
def test_a_router_tells_what_it_could_not_forward(lab, family):
    """Its own policy has no word about that, though it names the host that is told."""
    here, there = ENDS[family]
    nowhere = "10.2.0.99" if family == 4 else "fd00:2::99"
    for name in ("alpha", "beta"):
        load(lab[name], PLAIN)
    load(lab["router"], f"{{raddr {here} dir out}} drop {{}}\n")
    lab["router"].exec("ip", f"-{family}", "route", "add", "unreachable", nowhere)
    with lab["alpha"].socket(kind_of(here), socket.SOCK_DGRAM, 0, [here, 0]) as sock:
        if family == 4:
            sock.setsockopt(socket.IPPROTO_IP, 11, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, 25, 1)
        sock.connect((nowhere, CLEAR))
        sock.send(b"x")
        assert error_of(sock, WAIT_MSEC) in (errno.EHOSTUNREACH, errno.ENETUNREACH)
    lab["router"].exec("ip", f"-{family}", "route", "del", "unreachable", nowhere)
    load(lab["router"], PLAIN)


def longest(lab, here, sender, receiver):
    """Of the packets on the wire that bring some octets to beta."""
    left = 20000
    with wire.Capture(lab["router"], "left") as capture:
        sender.sendall(bytes(left))
        while left > 0:
            left -= len(receiver.recv(left))
    return max(len(frame.raw) - 14 for frame in capture.of(wire.ESP) if frame.source == here)


@families
def test_a_clear_error_shortens_the_path_and_does_no_more(lab, family):
    """
    About what is protected it is dropped. The path is believed to be shorter, down to the floor, if
    the packet that came back was longer than what is said to fit.
    """
    here, there = ENDS[family]
    floor = 576 if family == 4 else 1280
    shorter = 1400  # what is sealed fits into it without fragments of IPv6
    protect(lab, family, ulp="tcp")
    with lab["beta"].socket(kind_of(there), socket.SOCK_STREAM, 0, [there, SECURE]) as door, \
            lab["alpha"].socket(kind_of(here), socket.SOCK_STREAM, 0, [here, 0]) as sender:
        door.listen()
        sender.connect((there, SECURE))
        receiver = door.accept()[0]
        receiver.settimeout(WAIT_MSEC / 1000)
        assert longest(lab, here, sender, receiver) > shorter
        with Counted(lab["alpha"], "spd_got_clear", 4):
            # What is not believed comes first: it would leave a path that is shorter than the last.
            forge(lab, family, TOO_BIG[family], sender, length=1450, mtu=floor - 1)
            forge(lab, family, TOO_BIG[family], sender, length=100, mtu=floor + 8)
            forge(lab, family, UNREACHABLE[family], sender, length=1450, mtu=floor + 8)
            forge(lab, family, TOO_BIG[family], sender, length=1450, mtu=shorter)
        deadline = time.monotonic() + WAIT_MSEC / 1000
        while longest(lab, here, sender, receiver) > shorter:
            assert time.monotonic() < deadline
        assert longest(lab, here, sender, receiver) > floor + 8
        receiver.close()
