# SPDX-License-Identifier: GPL-2.0-or-later
"""What an unprivileged user of a host may try: nothing that policy protects leaves in clear."""

import pytest
from lablib import wire

USER = "somebody"
TARGETS = ["192.0.2.2", "2001:db8::2"]
COUNT = 20

# Sends COUNT datagrams in each way that the first argument names; refusals are as good as drops.
SENDER = """
import socket, struct, sys
how, address, port, mark = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4], 0)
family = socket.AF_INET6 if ":" in address else socket.AF_INET
outcome = "sent"
for _ in range({count}):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            if how == "device":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
            elif how == "pktinfo":
                index = socket.if_nametoindex("eth0").to_bytes(4, sys.byteorder)
                if family == socket.AF_INET:
                    control = (socket.IPPROTO_IP, 8, index + bytes(8))
                else:
                    control = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, bytes(16) + index)
                sock.sendmsg([b"leak"], [control], 0, (address, port))
                continue
            elif how == "mark":
                sock.setsockopt(socket.SOL_SOCKET, 36, struct.pack("I", mark))
            elif how.startswith("local"):
                sock.bind(("", int(how[5:])))
            sock.sendto(b"leak", (address, port))
        except OSError as why:
            outcome = why.strerror
print(outcome)
""".replace("{count}", str(COUNT))

MARKS = [0x01000000, 0x02000000, 0x03000000, 0x04000000, 0x07000000, 0xFFFFFFFF, 0xFF00]
addresses = pytest.mark.parametrize("address", TARGETS, ids=["ipv4", "ipv6"])


def leaks(pair, *arguments, prefix=(), user=USER):
    """Clear datagrams on the wire while the sender runs; its last word comes too."""
    alpha = pair["alpha"]
    with wire.Capture(pair["beta"], "eth0") as capture:
        done = alpha.run(*prefix, "/usr/bin/python3", "-c", SENDER, *map(str, arguments), user=user)
        assert done.returncode == 0, done.stderr
        # The way out is open for what is protected: else silence would prove nothing.
        alpha.exec("ping", "-c1", "-w10", arguments[1])
    assert capture.of(wire.ESP)
    return capture.clear(), done.stdout.strip()


@pytest.mark.root
@addresses
@pytest.mark.parametrize("port", [500, 4500, 53, 7000])
@pytest.mark.parametrize("how", ["plain", "device", "pktinfo"])
def test_user_sends_nothing_in_clear(pair, how, port, address):
    clear, _ = leaks(pair, how, address, port, 0)
    assert not clear


@pytest.mark.root
@pytest.mark.parametrize("local", [500, 4500])
@addresses
def test_user_at_the_key_managers_ports(pair, local, address):
    """Port 500 takes a privilege to bind, 4500 does not; neither opens a hole for a user."""
    pair["alpha"].exec("sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0")
    try:
        clear, _ = leaks(pair, f"local{local}", address, local, 0)
    finally:
        pair["alpha"].exec("sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=1024")
    assert not clear


@pytest.mark.root
@pytest.mark.parametrize("mark", MARKS, ids=hex)
def test_mark_set_in_a_user_namespace(pair, mark):
    for address in TARGETS:
        clear, outcome = leaks(pair, "mark", address, 7000, mark, prefix=["unshare", "-Ur"])
        assert not clear and outcome == "Operation not permitted"


@pytest.mark.root
@pytest.mark.parametrize("mark", MARKS, ids=hex)
def test_bypass_mark_counts_only_with_the_right_user(pair, mark):
    """A user who may set marks (CAP_NET_ADMIN and no more) still opens nothing."""
    for address in TARGETS:
        clear, _ = leaks(pair, "mark", address, 7000, mark, user=None, prefix=[
            "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
            "--inh-caps=+net_admin", "--ambient-caps=+net_admin"])
        assert not clear


@addresses
def test_ping_through_a_device(pair, address):
    with wire.Capture(pair["beta"], "eth0") as capture:
        pair["alpha"].run("ping", "-I", "eth0", "-c3", "-i0.05", "-W1", address)
        pair["alpha"].exec("ping", "-c1", "-w10", address)
    assert not capture.clear()
