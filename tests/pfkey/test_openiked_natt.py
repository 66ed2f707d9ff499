# SPDX-License-Identifier: GPL-2.0-or-later
"""openiked behind a translator: its port 4500 is the datapath's, and what it negotiates is ESP in UDP."""

import struct

import pytest
from lablib import wire
from manager import SA_BYTES, Iked, mature, protects, until
from nettest.lab import Lab
from nettest.sas import dump_sas

INSIDE, OUTSIDE, NAT = "10.0.0.2", "198.51.100.2", "198.51.100.1"
ENDS = {"inside": (INSIDE, OUTSIDE), "outside": (OUTSIDE, NAT)}
INNER = {"inside": "10.1.0.1", "outside": "10.2.0.1"}
NETS = {"inside": "10.1.0.0/24", "outside": "10.2.0.0/24"}
OTHER = {"inside": "outside", "outside": "inside"}
IKE, PORT, SHIFTED, MARKER = 500, 4500, 40000, bytes(4)
BURST, PING_OCTETS = 3, 1300
SETTINGS = """ike_user = "root"
tunnels = ( {{ name = "vpn0"; source = "{}"; destination = "{}"; }} );
"""
LAB = f"""
host inside
	address  eth0 {INSIDE}/24
	route    default via 10.0.0.1
	files    inside
	services ipsecalgs ipsec-datapath
	after    ip address add {INNER['inside']}/32 dev lo
	after    ip route add {NETS['outside']} dev vpn0 src {INNER['inside']}

host nat
	address  in 10.0.0.1/24
	address  out {NAT}/24
	forward
	nat      out
	after    nft insert rule ip lab_nat hide oifname out udp sport {PORT} masquerade to :{SHIFTED}

host outside
	address  eth0 {OUTSIDE}/24
	files    outside
	services ipsecalgs ipsec-datapath
	after    ip address add {INNER['outside']}/32 dev lo
	after    ip route add {NETS['inside']} dev vpn0 src {INNER['outside']}

link inside:eth0 nat:in
link nat:out outside:eth0
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    directory = tmp_path_factory.mktemp("natt")
    for name, (own, peer) in ENDS.items():
        (directory / name).mkdir()
        (directory / name / "datapath.cfg").write_text(SETTINGS.format(own, peer))
    (directory / "natt.lab").write_text(LAB)
    lab = Lab(directory / "natt.lab", tmp_path_factory.mktemp("labs"), "pfkeynatt")
    yield lab
    lab.down()


@pytest.fixture(scope="module")
def iked(bare, tmp_path_factory):
    directory = tmp_path_factory.mktemp("iked")
    managers = {name: Iked(bare[name], directory, f"esp from {NETS[name]} to {NETS[OTHER[name]]}",
                           ENDS[name], options="") for name in ("outside", "inside")}
    for name in managers:
        until(lambda host=bare[name]: protects(host), f"{name} has rules and SAs")
    yield managers
    for manager in managers.values():
        manager.stop()


def ping(host, count=BURST):
    host.exec("ping", "-c", str(count), "-i", "0.02", "-W", "10", "-s", str(PING_OCTETS), "-I",
              INNER[host.name], INNER[OTHER[host.name]])


def ports(frame):
    return struct.unpack_from("!HH", frame.payload)


def is_exchange(frame):
    """Key exchange: on its own port, or behind the marker on the shared one."""
    return frame.protocol == wire.UDP and (IKE in ports(frame) or frame.payload[8:12] == MARKER)


def is_esp(frame):
    return frame.protocol == wire.UDP and PORT in ports(frame) and len(frame.payload) > 16 and \
        not is_exchange(frame)


def spis(capture):
    return {int.from_bytes(frame.payload[8:12], "big") for frame in capture.frames if is_esp(frame)}


def test_ping_goes_as_esp_in_udp(bare, iked):
    assert set(iked) == set(ENDS)
    with wire.Capture(bare["nat"], "out") as capture:
        ping(bare["inside"])
        ping(bare["outside"])
        capture.wait(4 * BURST, is_esp)
    frames = [frame for frame in capture.frames if frame.protocol == wire.UDP]
    assert all(is_esp(frame) or is_exchange(frame) or len(frame.payload) == 9 for frame in frames)
    assert not capture.of(wire.ESP, wire.ICMP)
    assert {(frame.source, ports(frame)) for frame in frames if is_esp(frame)} == \
        {(NAT, (SHIFTED, PORT)), (OUTSIDE, (PORT, SHIFTED))}
    assert spis(capture) <= set(dump_sas(bare["outside"])) & set(dump_sas(bare["inside"]))


def test_rekeying_crosses_as_well(bare, iked):
    """By the soft limit in octets, over the port that both share."""
    assert set(iked) == set(ENDS)
    former = mature(bare["inside"])
    with wire.Capture(bare["nat"], "out") as capture:
        for _ in range(2 * SA_BYTES // (BURST * PING_OCTETS)):
            ping(bare["inside"])
            states = {sa["state"] for spi, sa in dump_sas(bare["inside"]).items() if spi in former}
            if states != {"mature"}:
                break
        until(lambda: all(len(mature(bare[name]) - former) >= 2 for name in ENDS),
              "there are new SAs")
        until(lambda: not former & set(dump_sas(bare["inside"])), "the old SAs are gone")
        ping(bare["inside"])
    fresh = mature(bare["inside"])
    assert spis(capture) & former and spis(capture) & fresh
    assert [frame for frame in capture.frames if is_exchange(frame) and PORT in ports(frame)]
    assert not capture.of(wire.ESP, wire.ICMP)
