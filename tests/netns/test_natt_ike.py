# SPDX-License-Identifier: GPL-2.0-or-later
"""Port 4500 is shared: a key manager gets what is key exchange, the engine everything else."""

import json
import select
import socket
import subprocess

import pytest
from nettest.peer import statistics

INSIDE, OUTSIDE, NAT = "10.0.0.2", "198.51.100.2", "198.51.100.1"
ROUTER = {4: NAT, 6: "2001:db8::1"}
TARGET = {4: OUTSIDE, 6: "2001:db8::2"}
PORT, ASKING_PORT, WAIT_SEC = 4500, 4600, 10
MARKER = bytes(4)
MANAGER = "netipsec-ike"
KINDS = {4: socket.AF_INET, 6: socket.AF_INET6}
families = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
pytestmark = pytest.mark.root

# Stands in for a key manager: says what it got, answers each datagram with its payload turned round.
SCRIPT = """
import json, select, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
    door.connect("/run/netipsec/ike-natt")
    data, fds, _, _ = socket.recv_fds(door, 16, 2)
print(json.dumps(list(data)), flush=True)
sockets = [socket.socket(fileno=fd) for fd in fds]
while sockets:
    for ready in select.select([sys.stdin, *sockets], [], [])[0]:
        if ready is sys.stdin:
            sys.exit()
        data, peer = ready.recvfrom(65535)
        ready.sendto(data[:4] + data[:3:-1], peer)
        print(json.dumps(data.hex()), flush=True)
"""


class Manager:
    """The stand-in, in the host outside."""

    def __init__(self, host, user=MANAGER):
        self.process = subprocess.Popen(
            host.argv("/usr/bin/python3", "-c", SCRIPT, user=user), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.families = self.read()

    def read(self):
        assert select.select([self.process.stdout], [], [], WAIT_SEC)[0], "the key manager is silent"
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(WAIT_SEC)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def nat(labs):
    lab = labs("nat")
    exchange(lab, b"hello")
    return lab


def exchange(lab, payload):
    """A datagram in ESP in UDP from inside, and its answer."""
    with lab["outside"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [OUTSIDE, 5000]) as sink, \
            lab["inside"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [INSIDE, 5001]) as sender:
        sink.settimeout(WAIT_SEC)
        sender.settimeout(WAIT_SEC)
        sender.sendto(payload, (OUTSIDE, 5000))
        came, peer = sink.recvfrom(65535)
        assert came == payload
        sink.sendto(payload, peer)
        assert sender.recvfrom(65535)[0] == payload


def ask(lab, family, text, answered=True):
    """A datagram of key exchange from the router; what the key manager sent back, in clear."""
    with lab["nat"].socket(KINDS[family], socket.SOCK_DGRAM, 0, [ROUTER[family], ASKING_PORT]) as sock:
        sock.settimeout(WAIT_SEC)
        sock.sendto(MARKER + text, (TARGET[family], PORT))
        return sock.recv(65535) if answered else None


def unanswered(lab):
    return statistics(lab["outside"])["esp_nat_t_ike"]


@families
def test_key_exchange_goes_to_the_key_manager_and_esp_does_not(nat, family):
    before = unanswered(nat)
    with Manager(nat["outside"]) as manager:
        assert manager.families == [4, 6]
        for number in range(5):
            text = b"exchange %d" % number
            assert ask(nat, family, text) == MARKER + text[::-1]
            assert bytes.fromhex(manager.read()) == MARKER + text
            exchange(nat, b"not for the key manager")
        assert unanswered(nat) == before


@families
def test_without_a_key_manager_it_is_counted(nat, family):
    before = unanswered(nat)
    ask(nat, family, b"anybody there?", answered=False)
    exchange(nat, b"after it")
    assert unanswered(nat) == before + 1


@families
def test_both_go_on_when_the_datapath_comes_back(nat, family):
    with Manager(nat["outside"]) as manager:
        nat["outside"].kill("ipsec-datapath")
        nat["outside"].wait_active("ipsec-datapath")
        assert ask(nat, family, b"still there?") == MARKER + b"?ereht llits"
        assert bytes.fromhex(manager.read()) == MARKER + b"still there?"
        exchange(nat, b"in ESP as ever")


def test_others_get_no_socket(nat):
    with Manager(nat["outside"], user="somebody") as somebody:
        assert somebody.families == []
