# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts with a router between them: one TCP port is protected; a tunnel takes what its rules name."""

import itertools
import socket

import pytest
from lablib import wire
from nettest.across import ENDS, LAB
from nettest.policy import COUNT, PLAIN, arrives, kind_of, load

INNER = {4: ("10.8.0.1", "10.8.0.2"), 6: ("fd00:8::1", "fd00:8::2")}
PROTECT = "ipsec {encr_algs aes-gcm16 sa shared}"
WAIT_SEC = 10
families = pytest.mark.parametrize("family", ENDS, ids=["ipv4", "ipv6"])
# What is forwarded is not the router's own: this rule has nothing to say about it.
ROUTER = "{laddr 10.0.0.0/8 ulp tcp} drop {}\n{laddr fd00::/16 ulp tcp} drop {}\n"


def keys():
    lines = []
    for number, (family, way) in enumerate(itertools.product(ENDS, (1, -1))):
        src, dst = ENDS[family][::way]
        mark = "6" if family == 6 else ""
        lines.append(f"add esp spi {0x9001 + number:#x} src{mark} {src} dst{mark} {dst} "
                     f"encr_alg aes-gcm16 encrkey {bytes([number + 1] * 20).hex()}\n")
    return "".join(lines)


def tunnel(side):
    here, there = ENDS[4] if side == "alpha" else ENDS[4][::-1]
    four, six = (INNER[family][side != "alpha"] for family in INNER)
    return (f'tunnels = ( {{ name = "tun0"; source = "{here}"; destination = "{there}"; '
            f'addresses = ( "{four}/30", "{six}/64" ); }} );\n')


@pytest.fixture(name="lab", scope="module")
def lab_fixture(labs, tmp_path_factory):
    top = tmp_path_factory.mktemp("across")
    for name in ("alpha", "beta", "router"):
        (top / name).mkdir()
        (top / name / "ipsecinit.conf").write_text(PLAIN if name != "router" else ROUTER)
        if name != "router":
            (top / name / "ipseckeys").write_text(keys())
            (top / name / "datapath.cfg").write_text(tunnel(name))
    (top / "across.lab").write_text(LAB)
    return labs(top / "across.lab")


def connects(lab, address, port):
    """A connection from alpha carries a word to beta's port and one back."""
    kind = kind_of(address)
    with lab["beta"].socket(kind, socket.SOCK_STREAM, 0, [address, port],
                            [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]) as server, \
            lab["alpha"].socket(kind, socket.SOCK_STREAM) as client:
        server.listen()
        server.settimeout(WAIT_SEC)
        client.settimeout(WAIT_SEC)
        client.connect((address, port))
        taken, _ = server.accept()
        with taken:
            taken.settimeout(WAIT_SEC)
            client.sendall(b"there")
            assert taken.recv(9) == b"there"
            taken.sendall(b"back")
            return client.recv(9) == b"back"


def ports_in_clear(capture, protocol):
    return {int.from_bytes(frame.payload[at:at + 2], "big")
            for frame in capture.of(protocol) for at in (0, 2)}


@families
def test_one_tcp_port_is_protected(lab, family):
    here, there = ENDS[family]
    for rules, protected in (((PLAIN, PLAIN), False),
                             ((f"{{raddr {there} rport 1234 ulp tcp}} {PROTECT}\n",
                               f"{{raddr {here} lport 1234 ulp tcp}} {PROTECT}\n"), True)):
        load(lab["alpha"], rules[0])
        load(lab["beta"], rules[1])
        with wire.Capture(lab["router"], "right") as capture:
            assert connects(lab, there, 1234) and connects(lab, there, 1235)
            assert arrives(lab["alpha"], lab["beta"], there, some=[1234])
            lab["alpha"].exec("ping", "-c1", "-W5", there)
        assert (1234 in ports_in_clear(capture, wire.TCP)) is not protected
        assert 1235 in ports_in_clear(capture, wire.TCP)
        assert 1234 in ports_in_clear(capture, wire.UDP)
        assert capture.of(wire.ICMP, wire.ICMPV6)
        assert bool(capture.of(wire.ESP)) is protected


@families
def test_a_tunnel_takes_what_its_rules_name(lab, family):
    """With no rule of its own all passes as IP in IP; with one, nothing but what it names."""
    there = INNER[family][1]
    for name in ("alpha", "beta"):
        load(lab[name], PLAIN)
    ping = ["ping", "-c2", "-i0.05", "-W1", there]
    assert arrives(lab["alpha"], lab["beta"], there, some=[5000, 5001])
    lab["alpha"].exec(*ping)
    load(lab["alpha"], f"{{tunnel tun0 negotiate tunnel raddr {there} ulp udp rport 5000 dir both}} "
                       "bypass {}\n")
    with wire.Capture(lab["router"], "left") as capture:
        assert arrives(lab["alpha"], lab["beta"], there, some=[5000], none=[5001])
        assert lab["alpha"].run(*ping).returncode
    assert len(capture.of(4, 41)) == COUNT and not capture.clear()
    # And the way in: beta, whose tunnel has no rules, sends both.
    back = INNER[family][0]
    load(lab["alpha"], f"{{tunnel tun0 negotiate tunnel laddr {back} ulp udp lport 5000 dir both}} "
                       "bypass {}\n")
    assert arrives(lab["beta"], lab["alpha"], back, some=[5000], none=[5001])


def audit(host, *texts):
    """Rules that only count, in a fragment of their own."""
    done = host.run("ipsecconf", "-q", "--fragment", "look", "--audit", "-a", "-", stdin="".join(texts))
    assert done.returncode == 0, done.stderr


def audited(host, *head):
    """Packets that audit rules would not have let through as they are, one number a rule."""
    listing = host.exec("ipsecconf", "-ln", "--counters", *head).split("#AUDIT INDEX")[1:]
    return [int(entry.split("packets=")[1].split()[0]) for entry in listing]


@families
def test_audit_rules_of_a_tunnel_count_both_ways(lab, family):
    there = INNER[family][1]
    for name in ("alpha", "beta"):
        load(lab[name], PLAIN)
    assert arrives(lab["alpha"], lab["beta"], there, some=[5000, 5001])
    try:
        for name, end in (("alpha", "rport 5000 dir out"), ("beta", "lport 5000 dir in")):
            audit(lab[name], f"{{tunnel tun0 negotiate tunnel ulp udp {end}}} drop {{}}\n",
                  "{tunnel tun0 negotiate tunnel ulp udp rport 5001 dir out} bypass {}\n")
        with wire.Capture(lab["router"], "left") as capture:
            assert arrives(lab["alpha"], lab["beta"], there, some=[5000, 5001])
        assert len(capture.of(4, 41)) == 2 * COUNT
        for name in ("alpha", "beta"):
            assert sorted(audited(lab[name], "-i", "tun0")) == [0, COUNT]
        # What counts on through a reload of the same rules is theirs.
        load(lab["alpha"], PLAIN + "{raddr 198.51.100.251} drop {}\n")
        assert sorted(audited(lab["alpha"], "-i", "tun0")) == [0, COUNT]
    finally:
        for name in ("alpha", "beta"):
            lab[name].exec("ipsecconf", "--fragment", "look", "-f")


@families
def test_audit_rules_of_a_router_count_its_own_packets_alone(lab, family):
    there, router = ENDS[family][1], {4: "10.2.0.1", 6: "fd00:2::1"}[family]
    for name in ("alpha", "beta"):
        load(lab[name], PLAIN)
    load(lab["router"], PLAIN)
    try:
        audit(lab["router"], "{ulp udp rport 5000 dir out} drop {}\n",
              "{ulp udp lport 5000 dir in} drop {}\n")
        assert arrives(lab["alpha"], lab["beta"], there, some=[5000])
        assert audited(lab["router"]) == [0, 0]
        assert arrives(lab["router"], lab["beta"], there, some=[5000])
        assert arrives(lab["beta"], lab["router"], router, some=[5000])
        assert audited(lab["router"]) == [COUNT, COUNT]
    finally:
        lab["router"].exec("ipsecconf", "--fragment", "look", "-f")
        load(lab["router"], ROUTER)
