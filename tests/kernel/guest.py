#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""First process of the User Mode Linux guest: answers the test's requests, a line of JSON each.

The serial line ttyS0 is a socket of the test. The guest's root is the machine's own, read-only.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import tty
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import traffic  # noqa: E402 pylint: disable=wrong-import-position

MODULES = Path("/usr/lib/uml/modules")
WANTED = ["esp4", "esp6", "ah4", "ah6", "xfrm_user"]
# Nothing loads a cipher on demand here; this one tests them all when it is loaded.
NOT_WANTED = "tcrypt"
NATT_PORT, UDP_ENCAP, UDP_ENCAP_ESPINUDP = 4500, 100, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(kind, where):
    if LIBC.mount(kind.encode(), where.encode(), kind.encode(), 0, None):
        raise OSError(ctypes.get_errno(), f"mount {where}")


class Modules:
    """Loads modules and what they need; there is no modprobe on a small machine."""

    def __init__(self):
        self.base = MODULES / os.uname().release
        self.needs, self.loaded = {}, set()
        for line in (self.base / "modules.dep").read_text(encoding="ascii").splitlines():
            path, _, needs = line.partition(":")
            self.needs[path] = needs.split()

    def load(self, path):
        if path in self.loaded:
            return
        self.loaded.add(path)
        for need in reversed(self.needs[path]):
            self.load(need)
        with open(self.base / path, "rb") as file:
            LIBC.syscall(313, file.fileno(), b"", 0)  # finit_module; the ciphers missing will tell

    def load_all(self):
        for path in self.needs:
            name = Path(path).stem
            if name in WANTED or path.startswith("kernel/crypto/") and name != NOT_WANTED:
                self.load(path)


def make_socket(family, kind, proto, bind, options):
    sock = socket.socket(family, kind, proto)
    for option in options:
        sock.setsockopt(*option)
    sock.bind(tuple(bind))
    return sock


def run(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return {"status": done.returncode, "text": done.stdout}


def open_natt():
    """The sockets by which the kernel takes ESP in UDP (RFC 3948); they are kept by the caller."""
    sockets = []
    for family, place in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        only = [(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)] if family == socket.AF_INET6 else []
        sock = make_socket(family, socket.SOCK_DGRAM, 0, [place, NATT_PORT], only)
        sock.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP)
        sockets.append(sock)
    return sockets


VERBS = {
    "run": run,
    "ping": lambda *words: traffic.ping(make_socket, *words),
    "tcp": lambda *words: traffic.tcp(make_socket, *words),
    "xfrm_stat": lambda: Path("/proc/net/xfrm_stat").read_text(encoding="ascii"),
}


def main():
    for kind, where in (("proc", "/proc"), ("sysfs", "/sys")):
        mount(kind, where)
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    line = os.open("/dev/ttyS0", os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    Modules().load_all()
    for name in ("accept_dad", "router_solicitations"):
        Path("/proc/sys/net/ipv6/conf/vec0", name).write_text("0", encoding="ascii")
    run(["ip", "link", "set", "lo", "up"])
    kept = [traffic.serve(make_socket), *open_natt()]
    with os.fdopen(line, "rb", buffering=0) as requests, \
            os.fdopen(os.dup(line), "wb", buffering=0) as answers:
        answers.write(b'"ready"\n')
        pending = b""
        while data := requests.read(4096):
            *whole, pending = (pending + data).split(b"\n")
            for text in whole:
                verb, *words = json.loads(text)
                answers.write(json.dumps(VERBS[verb](*words)).encode() + b"\n")
    for sock in kept:
        sock.close()


main()
