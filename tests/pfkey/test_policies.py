# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies that come over PF_KEY beside those of the file: who wins, what a reload does, what is left."""

import errno
import json
import socket
import struct

import pytest
from lablib import wire
from manager import until

DOOR = "/run/netipsec/pfkey-linux"
OWN, PEER, MOVED = "192.0.2.1", "192.0.2.2", "192.0.2.3"
ADD, SPDADD, SPDFLUSH, SPDEXPIRE, MIGRATE = 3, 14, 19, 21, 24
SA, HARD, AKEY, EKEY, SATYPE, IPSEC, TRANSPORT, REQUIRE, SPI = 1, 3, 8, 9, 3, 2, 1, 2, 0x7001
OUT, DISCARD, SRC, DST, POLICY = 2, 0, 5, 6, 18
UDP, BASE = 17, 16
PORTS = {"file": 7001, "client": 7002, "both": 7003, "moved": 7004}
FILE = f"""{{laddr {OWN} ulp udp rport {PORTS['file']} dir out}} drop {{}}
{{laddr {OWN} ulp udp rport {PORTS['both']} dir out}} ipsec {{encr_algs aes encr_auth_algs sha256}}
"""
WAIT_SEC = 10
LAB = f"""
host alpha
	address  eth0 {OWN}/24
	files    alpha
	services ipsecalgs ipsec-policy ipsec-datapath
host beta
	address  eth0 {PEER}/24
	address  eth0 {MOVED}/24
link alpha:eth0 beta:eth0
"""


def extension(number, octets):
    return struct.pack("=HH", (len(octets) + 4) // 8, number) + octets


def address(number, text, bits, port):
    end = struct.pack("=H", socket.AF_INET) + port.to_bytes(2, "big") + socket.inet_aton(text)
    return extension(number, struct.pack("=BBH", UDP, bits, 0) + end + bytes(8))


class Client:
    """A program that speaks PF_KEY as Linux numbers it."""

    def __init__(self, host):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(WAIT_SEC)
        self.sock.connect(str(host.path(DOOR)))
        self.asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def ask(self, kind, *extensions, satype=0):
        """The errno of the answer; what others are told comes here too."""
        body = b"".join(extensions)
        self.asked += 1
        mark = struct.pack("=II", self.asked, self.sock.fileno())
        self.sock.send(struct.pack("=BBBBHH", 2, kind, 0, satype, (BASE + len(body)) // 8, 0) + mark
                       + body)
        answer = bytes(BASE)
        while answer[8:16] != mark:
            answer = self.sock.recv(4096)
        assert answer[:2] == bytes([2, kind])
        return answer[2]

    def add(self, port, what=DISCARD, *more):
        policy = extension(POLICY, struct.pack("=HBBII", what, OUT, 0, 0, 1000))
        return self.ask(SPDADD, address(SRC, OWN, 32, 0), address(DST, "0.0.0.0", 0, port), policy, *more)


@pytest.fixture(scope="module")
def alpha(lab):
    return lab["alpha"]


def places(host):
    """Rules in force, by where each comes from, in their order."""
    listing = json.loads(host.exec("ipsecstat", "--rules", "--json"))
    return [rule["source"].split("/")[-1] for rule in listing["rules"]]


def sends(host, port):
    """Does a datagram leave? The kernel refuses what a drop rule matches."""
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [OWN, 0]) as sock:
        try:
            sock.sendto(b"hello", (PEER, port))
        except PermissionError:
            return False
    return True


def test_a_clients_rules_stand_behind_the_files(alpha):
    assert sends(alpha, PORTS["client"]) and not sends(alpha, PORTS["file"])
    with Client(alpha) as client:
        assert client.add(PORTS["client"]) == 0
        assert client.add(PORTS["both"]) == 0
        assert places(alpha) == ["ipsecinit.conf", "ipsecinit.conf", "PF_KEY", "PF_KEY"]
        assert not sends(alpha, PORTS["client"]) and not sends(alpha, PORTS["file"])
        # The file protects this port: that there is no SA is a drop, but none that the kernel tells.
        assert sends(alpha, PORTS["both"])


def test_a_reload_keeps_them_and_the_connections_end_does_not(alpha):
    with Client(alpha) as client, Client(alpha) as other:
        assert client.add(PORTS["client"]) == 0
        assert other.add(PORTS["client"] + 10) == 0
        alpha.write("/etc/inet/ipsecinit.conf", FILE.splitlines()[0] + "\n")
        alpha.systemctl("reload", "ipsec-policy")
        assert places(alpha) == ["ipsecinit.conf", "PF_KEY", "PF_KEY"]
        assert not sends(alpha, PORTS["client"])
        assert other.ask(SPDFLUSH) == 0
        assert places(alpha) == ["ipsecinit.conf", "PF_KEY"]
        # Stopped, the file's rules go; what a client asked for is not the file's.
        alpha.systemctl("stop", "ipsec-policy")
        assert places(alpha) == ["PF_KEY"]
        assert sends(alpha, PORTS["file"]) and not sends(alpha, PORTS["client"])
        alpha.write("/etc/inet/ipsecinit.conf", FILE)
        alpha.systemctl("start", "ipsec-policy")
        assert places(alpha) == ["ipsecinit.conf", "ipsecinit.conf", "PF_KEY"]
    until(lambda: places(alpha) == ["ipsecinit.conf", "ipsecinit.conf"], "the client's rule is gone")
    assert sends(alpha, PORTS["client"]) and not sends(alpha, PORTS["file"])


def test_a_limited_policy_ends(alpha):
    """All hear of it, and its rule is gone."""
    life = extension(HARD, struct.pack("=IQQQ", 0, 0, 1, 0))
    with Client(alpha) as client, Client(alpha) as other:
        assert client.add(PORTS["client"], DISCARD, life) == 0
        assert not sends(alpha, PORTS["client"])
        told = bytes(2)
        while told[1] != SPDEXPIRE:
            told = other.sock.recv(4096)
        assert told[2] == 0 and life in told
        assert "PF_KEY" not in places(alpha) and sends(alpha, PORTS["client"])


def end(text):
    return struct.pack("=HH", socket.AF_INET, 0) + socket.inet_aton(text) + bytes(8)


def request(ends=b""):
    return struct.pack("=HHBBHII", 16 + len(ends), wire.ESP, TRANSPORT, REQUIRE, 0, 0, 0) + ends


def send(host, target):
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [OWN, 0]) as sock:
        sock.sendto(b"to be sealed", (target, PORTS["moved"]))


def test_sas_move_with_their_numbers(lab, alpha):
    """X_MIGRATE by somebody else: the same SPI and key go on at the new address, and nothing at the old."""
    head = struct.pack("=HBBII", IPSEC, OUT, 0, 0, 0)
    selector = address(SRC, OWN, 32, 0) + address(DST, "192.0.2.0", 24, PORTS["moved"])
    pair = request(end(OWN) + end(PEER)) + request(end(OWN) + end(MOVED))
    with Client(alpha) as client, Client(alpha) as mover, wire.Capture(lab["beta"], "eth0") as seen:
        assert client.ask(SPDADD, selector, extension(POLICY, head + request())) == 0
        assert client.ask(
            ADD, extension(SA, struct.pack("!I", SPI) + struct.pack("=BBBBI", 0, 1, 3, 12, 0)),
            address(SRC, OWN, 32, 0), address(DST, PEER, 32, 0),
            extension(AKEY, struct.pack("=HH", 160, 0) + bytes(range(1, 21)) + bytes(4)),
            extension(EKEY, struct.pack("=HH", 128, 0) + bytes(range(40, 56))), satype=SATYPE) == 0
        send(alpha, PEER)
        seen.wait(1, lambda frame: frame.protocol == wire.ESP)
        assert mover.ask(MIGRATE, selector, extension(POLICY, head + pair[:-8])) == errno.EINVAL
        assert mover.ask(MIGRATE, selector, extension(POLICY, head + pair)) == 0
        assert mover.ask(MIGRATE, selector, extension(POLICY, head + pair)) == 0, "none is there"
        send(alpha, PEER)  # has no SA any more
        send(alpha, MOVED)
        seen.wait(2, lambda frame: frame.protocol == wire.ESP)
    found = [(frame.destination, *struct.unpack_from("!II", frame.payload))
             for frame in seen.of(wire.ESP)]
    assert found == [(PEER, SPI, 1), (MOVED, SPI, 2)]
    assert not [frame for frame in seen.of(wire.UDP) if b"sealed" in frame.payload]


def test_who_has_no_right_is_refused(alpha):
    """All reach the socket, and who is in no group of ours is told so whatever he asks for."""
    script = ("import socket\nsock = socket.socket(1, 5)\n"
              f"sock.connect('{DOOR}')\n"
              "for kind in (10, 14, 18, 19):\n"
              "    sock.send(bytes([2, kind, 0, 0, 2]) + bytes(11))\n"
              "    print(sock.recv(4096)[:3].hex())\n")
    told = alpha.exec("/usr/bin/python3", "-c", script, user="somebody")
    assert told.split() == [f"02{kind:02x}01" for kind in (10, 14, 18, 19)]
