# SPDX-License-Identifier: GPL-2.0-or-later
"""What a policy makes of packets on the wire: each scenario first without it, so that it shows."""

import pytest
from nettest.policy import COUNT, ENDS, PLAIN, families, load, sent

HERE = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
got = []
for address in (sys.argv[1], "::1" if family == socket.AF_INET6 else "127.0.0.1"):
    with socket.socket(family, socket.SOCK_DGRAM) as taker, \
            socket.socket(family, socket.SOCK_DGRAM) as giver:
        taker.bind((address, 0))
        taker.settimeout(1)
        try:
            giver.sendto(b"x", taker.getsockname())
            got.append(bool(taker.recv(9)))
        except (TimeoutError, PermissionError):
            got.append(False)
print(*got)
"""


@families
def test_bypass_wins_before_and_after(pair, family):
    """A bypass rule that overlaps a protecting one decides, wherever it stands."""
    _, there, _, how = ENDS[family]
    protect = f"{{raddr {there}}} ipsec {{{how}}}\n"
    bypass = f"{{raddr {there} rport 7000 ulp udp dir both}} bypass {{}}\n"
    load(pair["alpha"], PLAIN)
    assert sent(pair, there, 7000, 7001) == ({7000: COUNT, 7001: COUNT}, False)
    for text in (bypass + protect, protect + bypass):
        load(pair["alpha"], text)
        assert sent(pair, there, 7000, 7001, esp=True) == ({7000: COUNT, 7001: 0}, True)


@families
def test_first_match_not_longest_prefix(pair, family):
    _, there, net, how = ENDS[family]
    drop, protect = f"{{raddr {net} ulp udp}} drop {{}}\n", f"{{raddr {there}}} ipsec {{{how}}}\n"
    load(pair["alpha"], PLAIN)
    assert sent(pair, there, 7000) == ({7000: COUNT}, False)
    load(pair["alpha"], drop + protect)
    assert sent(pair, there, 7000) == ({7000: 0}, False)
    load(pair["alpha"], protect + drop)
    assert sent(pair, there, 7000, esp=True) == ({7000: 0}, True)


@families
def test_the_same_in_a_long_policy(pair, family):
    """Maps in the place of a list: as above, between rules about others."""
    _, there, net, how = ENDS[family]
    others = "".join(f"{{raddr 198.51.100.{i}}} ipsec {{{how}}}\n{{raddr 203.0.113.{i}}} drop {{}}\n"
                     for i in range(1, 80))
    drop, protect = f"{{raddr {net} ulp udp}} drop {{}}\n", f"{{raddr {there}}} ipsec {{{how}}}\n"
    bypass = f"{{raddr {there} rport 7001 ulp udp dir both}} bypass {{}}\n"
    load(pair["alpha"], drop + others + protect + bypass)
    assert sent(pair, there, 7000, 7001) == ({7000: 0, 7001: COUNT}, False)
    load(pair["alpha"], protect + others + drop + bypass)
    assert sent(pair, there, 7000, 7001, esp=True) == ({7000: 0, 7001: COUNT}, True)


@families
def test_local_traffic_needs_the_same_action(pair, family):
    here, _, _, how = ENDS[family]
    out = f"{{laddr {here} raddr {here} ulp udp dir out}} ipsec {{{how}}}\n"
    same = f"{{laddr {here} raddr {here} ulp udp dir in}} ipsec {{{how}}}\n"
    other = f"{{laddr {here} raddr {here} ulp udp dir in}} ipsec {{encr_algs 3des sa shared}}\n"
    for text, arrives in ((PLAIN, True), (out + same, True), (out + other, False), (same, False)):
        load(pair["alpha"], text)
        done = pair["alpha"].exec("/usr/bin/python3", "-c", HERE, here)
        assert done.split() == [str(arrives), "True"], text


@families
def test_local_traffic_among_many_rules(pair, family):
    """As above, in maps; a hundred rules about any address are in the way, and are others."""
    here, _, _, how = ENDS[family]
    others = "".join(f"{{raddr 198.51.{i >> 8}.{i & 255} ulp tcp}} ipsec {{{how}}}\n"
                     for i in range(900))
    others += "".join(f"{{rport {1 + i} ulp udp dir {'in' if i % 3 else 'out'}}} "
                      f"{'drop {}' if i % 2 else 'ipsec {encr_algs 3des sa shared}'}\n"
                      for i in range(100))
    both = f"{{laddr {here} raddr {here} ulp udp}}"
    out = f"{{laddr {here} raddr {here} ulp udp dir out}} ipsec {{{how}}}\n"
    same = f"{{laddr {here} raddr {here} ulp udp dir in}} ipsec {{{how}}}\n"
    other = f"{{laddr {here} raddr {here} ulp udp dir in}} ipsec {{encr_algs 3des sa shared}}\n"
    for text, arrives in (("", True), (out + same, True), (out + other, False), (out, False),
                          (same, False), (f"{both} drop {{}}\n", False),
                          (f"{both} pass {{}}\n{both} drop {{}}\n", True)):
        load(pair["alpha"], others, text)
        done = pair["alpha"].exec("/usr/bin/python3", "-c", HERE, here)
        assert done.split() == [str(arrives), "True"], text
        load(pair["alpha"], text, others)
        done = pair["alpha"].exec("/usr/bin/python3", "-c", HERE, here)
        assert done.split() == [str(arrives), "True"], text
