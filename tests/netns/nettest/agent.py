# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in a host: opens sockets there and hands them to the test process. Ends at end of file."""

import json
import socket
import sys


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
            control.send(json.dumps({"errno": why.errno, "text": str(why)}).encode())


if __name__ == "__main__":
    main()
