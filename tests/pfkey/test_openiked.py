# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenBSD's iked, as Debian packages it for Linux's PF_KEY, brings rules and SAs to our datapath.

It knows nothing of us: the preload library takes its PF_KEY socket to the datapath's. Nothing else of
the suite brings policy or keys here, so what is protected is protected by what iked asked for.
"""

import json
import socket

import pytest
from lablib import wire
from manager import ADDRESS, SA_BYTES, Iked, is_ike, mature, protects, rules, spis, until
from nettest.peer import statistics
from nettest.sas import dump_sas

BURST, PING_OCTETS = 3, 1400


@pytest.fixture(scope="module")
def iked(bare, tmp_path_factory):
    directory = tmp_path_factory.mktemp("iked")
    managers = {name: Iked(bare[name], directory) for name in ("beta", "alpha")}
    for name in managers:
        until(lambda host=bare[name]: protects(host), f"{name} has rules and SAs")
    yield managers
    for manager in managers.values():
        manager.stop()


def ping(host, count=1):
    return host.exec("ping", "-c", str(count), "-i", "0.02", "-W", "10", "-s", str(PING_OCTETS),
                     ADDRESS["beta" if host.name == "alpha" else "alpha"])


def test_ping_is_protected_by_what_iked_installed(bare, iked):
    assert set(iked) == set(ADDRESS)
    with wire.Capture(bare["beta"], "eth0") as capture:
        ping(bare["alpha"])
        ping(bare["beta"])
    assert not [frame for frame in capture.clear() if not is_ike(frame)]
    assert spis(capture) and spis(capture) <= set(dump_sas(bare["alpha"]))


def test_each_end_has_the_flows_as_rules(bare, iked):
    assert set(iked) == set(ADDRESS)
    for name in ADDRESS:
        found = rules(bare[name])
        assert {rule["direction"] for rule in found} == {"in", "out"}
        assert all(f"laddr {ADDRESS[name]}/32 " in rule["text"] for rule in found)


def test_what_comes_in_clear_is_dropped(bare, iked):
    """A rule for what comes in, not only SAs for it."""
    assert set(iked) == set(ADDRESS)
    before = statistics(bare["alpha"])["spd_got_clear"]
    datagram = (9).to_bytes(2, "big") * 2 + (12).to_bytes(2, "big") + bytes(2) + b"leak"
    packet = wire.ipv4(ADDRESS["beta"], ADDRESS["alpha"], wire.UDP, datagram)
    own = json.loads(bare["alpha"].exec("ip", "-json", "link", "show", "eth0"))[0]["address"]
    with bare["beta"].socket(socket.AF_PACKET, socket.SOCK_RAW, 0, ["eth0", 0]) as raw:
        raw.send(bytes.fromhex(own.replace(":", "")) + b"\x02\0\0\0\0\2\x08\0" + packet)
    until(lambda: statistics(bare["alpha"])["spd_got_clear"] == before + 1, "it is counted")


def test_soft_limit_makes_iked_rekey(bare, iked):
    """EXPIRE over PF_KEY makes iked negotiate anew, and nothing goes in clear or is lost meanwhile."""
    assert set(iked) == set(ADDRESS)
    former = mature(bare["alpha"])
    with wire.Capture(bare["beta"], "eth0") as capture:
        # Few packets at a time: the hard limit is near the soft one, and a machine may be slow.
        for _ in range(2 * SA_BYTES // (BURST * PING_OCTETS)):
            ping(bare["alpha"], BURST)
            states = {sa["state"] for spi, sa in dump_sas(bare["alpha"]).items() if spi in former}
            if states != {"mature"}:
                break
        until(lambda: len(mature(bare["alpha"]) - former) >= 2 and
              len(mature(bare["beta"]) - former) >= 2, "there are new SAs")
        until(lambda: not former & set(dump_sas(bare["alpha"])), "the old SAs are gone")
        ping(bare["alpha"], BURST)
    fresh = mature(bare["alpha"])
    assert not former & fresh
    assert spis(capture) & former and spis(capture) & fresh
    assert not [frame for frame in capture.clear() if not is_ike(frame)]
    assert [frame for frame in capture.frames if is_ike(frame)]


def test_rules_go_with_the_connection_that_brought_them(bare, iked):
    iked["alpha"].stop()
    until(lambda: not rules(bare["alpha"]), "alpha's rules are gone")
    assert not [rule for rule in rules(bare["alpha"])]
