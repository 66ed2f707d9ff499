# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets of a host, usable outside.

Run as a program in a host it opens sockets there and hands them over; Agent starts it and asks.
"""

import json
import os
import socket
import subprocess
import sys


class Agent:
    """The helper in one host; argv: function that turns a command into one that runs in the host."""

    def __init__(self, argv):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = argv("/usr/bin/python3", "-I", os.path.abspath(__file__), str(theirs.fileno()))
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        if self.control.recv(16) != b"ready":
            raise RuntimeError("the helper did not start: " + " ".join(command))

    def close(self):
        self.control.close()
        self.process.wait()

    def socket(self, family, kind, proto=0, bind=None, options=()):
        """A socket that lives in the host's network; options: (level, name, value)."""
        request = {"family": family, "type": kind, "proto": proto, "bind": bind,
                   "options": list(options)}
        self.control.send(json.dumps(request).encode())
        data, fds, _, _ = socket.recv_fds(self.control, 1 << 16, 1)
        if not fds:
            answer = json.loads(data)
            raise OSError(answer["errno"], answer["text"])
        os.set_inheritable(fds[0], False)
        return socket.socket(fileno=fds[0])


def open_socket(want):
    """A socket of this network namespace as the request describes it."""
    sock = socket.socket(want["family"], want["type"], want["proto"])
    for level, name, value in want["options"]:
        sock.setsockopt(level, name, value.encode() if isinstance(value, str) else value)
    if want["bind"] is not None:
        sock.bind(tuple(want["bind"]))
    return sock


def main():
    control = socket.socket(fileno=int(sys.argv[1]))
    control.send(b"ready")
    while True:
        request = control.recv(1 << 16)
        if not request:
            return
        try:
            with open_socket(json.loads(request)) as sock:
                socket.send_fds(control, [b"{}"], [sock.fileno()])
        except OSError as why:
            control.send(json.dumps({"errno": why.errno, "text": why.strerror}).encode())


if __name__ == "__main__":
    main()
