# SPDX-License-Identifier: GPL-2.0-or-later
"""Two machines with ESP between them, and what becomes of a packet that policy wants protected."""

import secrets
import socket

from lablib.wire import ESP, UDP, Capture

from systest.machine import Cable

ALPHA, BETA = "10.0.0.1", "10.0.0.2"
SECRET, OPEN = 4242, 4243
POLICY_FILE, KEY_FILE = "/etc/inet/ipsecinit.conf", "/etc/inet/secret/ipseckeys"
SERVICES = ["ipsecalgs", "ipsec-policy", "ipsec-manual-key", "ipsec-ike", "ipsec-datapath"]
COUNT = 3


def policy(remote):
    """Everything to the other end but one port."""
    return (f"{{ raddr {remote} ulp udp rport {OPEN} dir both }} pass {{}}\n"
            f"{{ raddr {remote} ulp udp lport {OPEN} dir both }} pass {{}}\n"
            f"{{ raddr {remote} }} ipsec {{ encr_algs aes-gcm16 sa shared }}\n")


def keys(*extra):
    """One SA each way."""
    lines = [f"add esp spi {spi} src {src} dst {dst} encr_alg aes-gcm16 encrkey {secrets.token_hex(20)}\n"
             for spi, src, dst in (("0x1001", ALPHA, BETA), ("0x1002", BETA, ALPHA), *extra)]
    return "".join(lines)


def cabled(machines, **options):
    """The two, with files and without power."""
    alpha, beta = machines("alpha", **options), machines("beta", **options)
    Cable((alpha, "eth0", f"{ALPHA}/24"), (beta, "eth0", f"{BETA}/24"))
    text = keys()
    for machine, remote in ((alpha, BETA), (beta, ALPHA)):
        machine.write(POLICY_FILE, policy(remote))
        machine.write(KEY_FILE, text, mode=0o600)
    return alpha, beta


def fate(alpha, beta, want):
    """Datagrams from alpha, as beta's end of the cable shows them: "protected", "clear" or "dropped"."""
    with Capture(beta, "eth0") as wire, alpha.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for port in (SECRET, OPEN):
            for _ in range(COUNT):
                try:
                    sock.sendto(b"x", (BETA, port))
                except OSError:  # a filter's verdict, or a blackhole's
                    assert port == SECRET
        # What policy lets pass always does, and what was sent before it has come by then.
        wire.wait(COUNT, lambda frame: goes_to(frame, OPEN))
        if want == "protected":  # the engine's way is longer than the kernel's
            wire.wait(COUNT, is_ours)
    if [frame for frame in wire.frames if goes_to(frame, SECRET)]:
        return "clear"
    return "protected" if any(map(is_ours, wire.frames)) else "dropped"


def is_ours(frame):
    """Sealed by alpha; beta may answer with errors, sealed too."""
    return frame.protocol == ESP and frame.source == ALPHA


def goes_to(frame, port):
    """In clear."""
    return frame.protocol == UDP and int.from_bytes(frame.payload[2:4], "big") == port
