#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands in for a daemon when the lab itself is tested: readiness, descriptor store, stop, reload."""

import os
import signal
import socket
import sys

BAD = "/etc/inet/bad"


def main():
    if "--reload" in sys.argv:
        print("verdict of the reload", file=sys.stderr)
        return 1 if os.path.exists(BAD) else 0
    if os.path.exists(BAD):
        print("does not start", file=sys.stderr)
        with open(BAD, encoding="ascii") as file:
            return int(file.read() or "1")
    print("descriptors", os.environ.get("LISTEN_FDNAMES", "none"),
          "mine", os.environ.get("LISTEN_PID") == str(os.getpid()), flush=True)

    def on_term(_number, _frame):
        print("job is stop:", os.path.exists(os.environ["NETIPSEC_STOP_FILE"]), flush=True)
        sys.exit(0)
    signal.signal(signal.SIGTERM, on_term)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(os.environ["NOTIFY_SOCKET"])
        if "LISTEN_FDS" in os.environ:
            print("stored", os.pread(3, 100, 0).decode(), flush=True)
            # What is stored already is not stored twice.
            socket.send_fds(notify, [b"FDSTORE=1\nFDNAME=arena\nFDPOLL=0"], [3])
        else:
            arena = os.memfd_create("arena")
            os.write(arena, b"kept")
            socket.send_fds(notify, [b"FDSTORE=1\nFDNAME=arena\nFDPOLL=0"], [arena])
            one, other = socket.socketpair()
            socket.send_fds(notify, [b"FDSTORE=1\nFDNAME=polled"], [one.fileno()])
            other.close()
        notify.send(b"STATUS=standing in\nREADY=1")
        while True:
            signal.pause()


if __name__ == "__main__":
    sys.exit(main())
