# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes in is held against the rule: alternatives, protection nobody asked for, too much of it."""

import pytest
from lablib import wire
from nettest.policy import COUNT, ENDS, PLAIN, Counted, arrives, families, load
from nettest.probe import RUN_IN, SteadyProbe, loses_nothing

KEYS = "/etc/inet/secret/ipseckeys"
AH_KEY = "5a" * 32


def ah_keys():
    lines = []
    for number, (here, there, *_) in enumerate(ENDS.values()):
        mark = "6" if ":" in here else ""
        for way, (src, dst) in enumerate(((here, there), (there, here))):
            lines.append(f"add ah spi {0x8001 + 2 * number + way:#x} src{mark} {src} dst{mark} {dst} "
                         f"auth_alg sha256 authkey {AH_KEY}\n")
    return "".join(lines)


@pytest.fixture(name="hosts", scope="module")
def hosts_fixture(labs):
    """Both ends, with SAs of AH beside those of ESP."""
    lab = labs("pair")
    for name in ("alpha", "beta"):
        lab[name].write(KEYS, lab[name].path(KEYS).read_text() + ah_keys())
        lab[name].systemctl("reload", "ipsec-manual-key")
    return lab["alpha"], lab["beta"]


def rule(near, far, what, more=""):
    return f"{{laddr {near} raddr {far} ulp udp{more}}} {what}\n"


@families
def test_or_pass_takes_both(hosts, family):
    """Who asks for protection or none sends the first and takes either."""
    alpha, beta = hosts
    here, there, _, how = ENDS[family]
    either = rule(here, there, f"ipsec {{{how}}} or pass {{}}")
    protect = f"ipsec {{{how}}}"
    other = rule(here, there, protect, " lport 7000")
    load(alpha, PLAIN)
    load(beta, PLAIN)
    assert arrives(beta, alpha, here, some=[7000])
    load(alpha, other)
    assert arrives(beta, alpha, here, some=[7001], none=[7000])
    load(alpha, either)
    assert arrives(beta, alpha, here, some=[7000, 7001])
    load(beta, rule(there, here, protect))
    with wire.Capture(alpha, "eth0") as capture:
        assert arrives(beta, alpha, here, some=[7000])
        assert arrives(alpha, beta, there, some=[7000])
    assert not capture.of(wire.UDP) and len(capture.of(wire.ESP)) == 2 * COUNT


@families
def test_protection_that_no_rule_asks_for(hosts, family):
    alpha, beta = hosts
    here, there, _, how = ENDS[family]
    load(alpha, PLAIN)
    load(beta, PLAIN)
    assert arrives(beta, alpha, here, some=[7000])
    load(beta, rule(there, here, f"ipsec {{{how}}}", " rport 7000"))
    with Counted(alpha, "spd_got_secure"):
        assert arrives(beta, alpha, here, some=[7001], none=[7000])
    load(alpha, rule(here, there, f"ipsec {{{how}}}", " lport 7000"))
    assert arrives(beta, alpha, here, some=[7000, 7001])


@families
def test_surplus_ah(hosts, family):
    """AH around the ESP that the rule asks for is more than it asks for."""
    alpha, beta = hosts
    here, there, _, how = ENDS[family]
    load(alpha, PLAIN)
    load(beta, PLAIN)
    assert arrives(beta, alpha, here, some=[7000])
    load(beta, rule(there, here, f"ipsec {{auth_algs sha256 {how}}}", " rport 7000"))
    load(alpha, rule(here, there, f"ipsec {{{how}}}", " lport 7000"))
    with wire.Capture(alpha, "eth0") as capture, Counted(alpha, "spd_got_ah"):
        assert arrives(beta, alpha, here, some=[7001], none=[7000])
    assert len(capture.of(wire.AH)) == COUNT
    load(alpha, rule(here, there, f"ipsec {{auth_algs sha256 {how}}}", " lport 7000"))
    assert arrives(beta, alpha, here, some=[7000, 7001])


@families
def test_removal_under_traffic(hosts, family):
    """A rule goes while datagrams flow: they go on in clear, and none is lost between."""
    alpha, beta = hosts
    here, there, _, how = ENDS[family]
    protect = f"{{raddr {there} ulp udp rport 7777 dir out}} ipsec {{{how}}}\n"
    load(beta, PLAIN)
    load(alpha, PLAIN)
    with wire.Capture(beta, "eth0") as capture:
        assert arrives(alpha, beta, there, some=[7777])
    assert len(capture.of(wire.UDP)) == COUNT
    load(beta, rule(there, here, f"ipsec {{{how}}} or pass {{}}", " lport 7777"))
    captures = []

    def remove():
        with wire.Capture(beta, "eth0") as before:
            before.wait(COUNT, lambda frame: frame.protocol == wire.ESP)
        with wire.Capture(beta, "eth0") as capture:
            load(alpha, PLAIN)
            capture.wait(RUN_IN, lambda frame: frame.protocol == wire.UDP)
        captures[:] = [before, capture]

    def probe():
        load(alpha, protect)
        return SteadyProbe(alpha, beta, there)

    loses_nothing(probe, remove)
    before, after = captures
    assert not before.of(wire.UDP)
    last = [frame.protocol for frame in after.frames if frame.protocol in (wire.UDP, wire.ESP)]
    assert set(last[-COUNT:]) == {wire.UDP}


