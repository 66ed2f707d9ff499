# SPDX-License-Identifier: GPL-2.0-or-later
"""The preload library alone: a program that knows AF_KEY only, and a datapath that the test plays."""

import os
import signal
import socket
import subprocess
import threading

import pytest
from manager import preload

WAIT_SEC = 20
DOORS = {"linux": "pfkey-linux", "solaris": "pfkey"}
# The second argument says what is done with the socket that the first line opens.
PROGRAM = """
import ctypes, fcntl, os, select, socket, struct, sys
try:
    key = None if sys.argv[1] == "port" else socket.socket(15, socket.SOCK_RAW, 2)
except OSError as why:
    sys.exit(f"errno {why.errno}")
how = sys.argv[1]
if how in ("send", "write", "sendto"):
    fd = os.dup(key.fileno())  # another number, as after it was passed on
    {"send": key.send, "write": lambda octets: os.write(fd, octets),
     "sendto": lambda octets: ctypes.CDLL(None).sendto(fd, octets, len(octets), 0, bytes(16), 16),
     }[how](b"question")
    print(bool(select.select([fd], [], [], 0)[0]), key.recv(64))
elif how == "behind":
    key.send(b"first")
    key.send(b"question")  # while the answer to the first waits
    print(key.recv(64), select.select([key], [], [], 0)[0] != [], key.recv(64))
elif how == "end":
    key.recv(64)
    print("still there")
elif how == "bypass":
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for direction in (1, 2):
        udp.setsockopt(socket.IPPROTO_IP, 16, struct.pack("=HHHBBII", 2, 0, 4, direction, 0, 0, 0))
    udp.setsockopt(socket.IPPROTO_UDP, 100, 2)  # ESP in UDP
    print("granted")
elif how == "port":
    family = {"4": socket.AF_INET, "6": socket.AF_INET6}[sys.argv[2]]
    level, option = {"4": (0, 8), "6": (41, 49)}[sys.argv[2]]  # where datagrams were sent to
    udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    udp.setsockopt(level, option, 1)
    number = udp.fileno()
    udp.bind(tuple([sys.argv[3], int(sys.argv[4])]))
    print(udp.getsockname()[1], udp.fileno() == number, udp.getsockopt(level, option),
          bool(fcntl.fcntl(udp, fcntl.F_GETFL) & os.O_NONBLOCK), os.get_inheritable(number),
          len(os.listdir("/proc/self/fd")))
elif how == "others":
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.send(b"hello")
    print(two.recv(64))
    two.close()
    print(one.recv(64))
"""


@pytest.fixture(name="root")
def root_with_doors(tmp_path):
    (tmp_path / "run/netipsec").mkdir(parents=True)
    return tmp_path


class Door:
    """Answers each packet after a while, with the packet itself."""

    def __init__(self, root, name="linux", answers=2, instance=""):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.bind(str(root / f"run/netipsec{instance}" / DOORS[name]))
        self.sock.listen()
        self.sock.settimeout(WAIT_SEC)
        self.answers = answers
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        peer = self.sock.accept()[0]
        idle = threading.Event()  # of which nobody ever tells
        with peer:
            for _ in range(self.answers):
                packet = peer.recv(4096)
                if not packet:
                    return
                idle.wait(0.2)
                peer.send(b"answer to " + packet)

    def close(self):
        self.thread.join(WAIT_SEC)
        self.sock.close()


class Natt(Door):
    """Hands out a socket of each kind, each on a port that the kernel has chosen."""

    def __init__(self, root, kinds):
        DOORS["natt"] = "ike-natt"
        self.shared = [socket.socket(kind, socket.SOCK_DGRAM) for kind in kinds]
        for sock in self.shared:
            sock.bind(("", 0))
        super().__init__(root, "natt")

    def serve(self):
        peer = self.sock.accept()[0]
        with peer:
            if self.shared:
                kinds = bytes(4 if sock.family == socket.AF_INET else 6 for sock in self.shared)
                socket.send_fds(peer, [kinds], [sock.fileno() for sock in self.shared])

    def port(self, kind):
        return next(sock.getsockname()[1] for sock in self.shared if sock.family == kind)


def bind(root, family, address, port):
    """What a program finds that binds a socket: in a network of its own, where all ports are free."""
    env = {**os.environ, "LD_PRELOAD": str(preload()), "NETIPSEC_ROOT": str(root)}
    done = subprocess.run(["unshare", "-Urn", "/usr/bin/python3", "-c", PROGRAM, "port", family,
                           address, str(port)], env=env, text=True, capture_output=True,
                          timeout=WAIT_SEC, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("family, kind", [("4", socket.AF_INET), ("6", socket.AF_INET6)])
def test_port_4500_is_the_datapaths(root, family, kind):
    door = Natt(root, [socket.AF_INET, socket.AF_INET6])
    found = bind(root, family, "", 4500)
    door.close()
    # The same number with its option, still not blocking, nor passed on; and nothing is left open.
    assert found[:5] == [str(door.port(kind)), "True", "1", "True", "False"]
    assert found[5] == bind(root, family, "", 4600)[5]


@pytest.mark.parametrize("kinds", [[], [socket.AF_INET6]], ids=["nobody", "another"])
def test_without_one_from_the_datapath_the_port_is_its_own(root, kinds):
    door = Natt(root, kinds)
    assert bind(root, "4", "", 4500)[0] == "4500"
    door.close()


@pytest.mark.parametrize("address, port", [("127.0.0.1", 4500), ("", 500), ("", 4501)])
def test_other_ports_and_addresses_are_let_be(root, address, port):
    assert bind(root, "4", address, port)[0] == str(port)


def run(root, how, numbering=None, **more):
    env = {name: value for name, value in os.environ.items() if name != "NETIPSEC_PFKEY"}
    env.update({"LD_PRELOAD": str(preload()), "NETIPSEC_ROOT": str(root)})
    env.update(more)
    if numbering:
        env["NETIPSEC_PFKEY"] = numbering
    return subprocess.run(["/usr/bin/python3", "-c", PROGRAM, how], env=env, text=True,
                          capture_output=True, timeout=WAIT_SEC, check=False)


@pytest.mark.parametrize("how", ["send", "write", "sendto"])
@pytest.mark.parametrize("numbering", [None, "linux", "solaris"])
def test_the_answer_is_there_when_a_write_returns(root, how, numbering):
    door = Door(root, numbering or "linux", answers=1)
    done = run(root, how, numbering)
    door.close()
    assert done.stdout == "True b'answer to question'\n", done.stderr


def test_the_answer_is_there_behind_what_was_not_read(root):
    door = Door(root)
    done = run(root, "behind")
    door.close()
    assert done.stdout == "b'answer to first' True b'answer to question'\n", done.stderr


def test_the_end_of_the_datapath_ends_the_program(root):
    door = Door(root, answers=0)
    done = run(root, "end")
    door.close()
    assert done.returncode == -signal.SIGTERM and not done.stdout


def test_without_datapath_there_is_no_socket(root):
    done = run(root, "send")
    assert done.returncode == 1 and done.stderr == "errno 2\n"


def test_an_instance_has_a_door_of_its_own(root):
    (root / "run/netipsec@blue").mkdir()
    door = Door(root, answers=1, instance="@blue")
    done = run(root, "send", NETIPSEC_INSTANCE="blue")
    door.close()
    assert done.stdout == "True b'answer to question'\n", done.stderr
    for name in ("../netipsec@blue", ""):
        assert run(root, "send", NETIPSEC_INSTANCE=name).stderr == "errno 22\n"


def test_a_sockets_own_bypass_is_granted(root):
    door = Door(root, answers=0)
    done = run(root, "bypass")
    door.close()
    assert done.stdout == "granted\n", done.stderr


def test_other_sockets_are_let_be(root):
    door = Door(root, answers=0)
    done = run(root, "others")
    door.close()
    assert done.stdout == "b'hello'\nb''\n", done.stderr
