# SPDX-License-Identifier: GPL-2.0-or-later
"""Two gateways with a host behind each: tunnel mode, whole datagrams, nothing beside the tunnel."""

import socket

import pytest
from lablib import decode, wire
from nettest import oracle
from nettest.probe import SteadyProbe, loses_nothing
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

HOSTS = {4: ("10.1.0.2", "10.2.0.2"), 6: ("2001:db8:1::2", "2001:db8:2::2")}
families = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


def keys_of(vpn):
    return decode.read_keys(vpn["gw1"].path("/etc/inet/secret/ipseckeys").read_text())


def exchange(vpn, family, payload, tries=1):
    """A datagram from h1 to h2; returns what came. The first of IPv6 may only teach the path's MTU."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    source, target = HOSTS[family]
    with vpn["h2"].socket(kind, socket.SOCK_DGRAM, 0, [target, 5000]) as sink, \
            vpn["h1"].socket(kind, socket.SOCK_DGRAM, 0, [source, 5001]) as sender:
        sink.settimeout(10 / tries)
        for _ in range(tries):
            sender.sendto(payload, (target, 5000))
            try:
                return sink.recvfrom(65535)
            except TimeoutError:
                pass
    raise AssertionError(f"{len(payload)} octets never arrived")


@families
def test_hosts_reach_each_other_through_esp(vpn, family, tmp_path):
    with wire.Capture(vpn["gw2"], "wan") as capture:
        came, source = exchange(vpn, family, b"across the middle")
    assert came == b"across the middle" and source[0] == HOSTS[family][0]
    assert not capture.clear()
    (frame,) = capture.of(wire.ESP)
    inner = oracle.scapy_open(frame, keys_of(vpn)).payload
    assert isinstance(inner, IP if family == 4 else IPv6)
    assert (inner.src, inner.dst) == HOSTS[family]
    assert (inner.ttl if family == 4 else inner.hlim) == 63, "one hop, the gateway"
    assert bytes(inner[UDP].payload) == b"across the middle"
    capture.write(tmp_path / "wan.pcap")
    rows = decode.tshark_fields(tmp_path / "wan.pcap", keys_of(vpn),
                                ["esp.icv_good", "udp.payload"], "esp")
    assert rows == [["1", b"across the middle".hex()]]


@families
def test_steady_traffic_loses_nothing(vpn, family):
    loses_nothing(lambda: SteadyProbe(vpn["h1"], vpn["h2"], HOSTS[family][1]),
                  lambda: vpn["gw1"].systemctl("reload", "ipsec-policy"))


@families
def test_whole_datagrams_and_path_mtu(vpn, family):
    payload = bytes(range(256)) * 20
    with wire.Capture(vpn["gw2"], "wan") as capture:
        came, _ = exchange(vpn, family, payload, tries=5)
    assert came == payload and not capture.clear()
    assert all(len(frame.raw) <= 1514 for frame in capture.frames)


@families
def test_dead_datapath_of_a_gateway_leaks_nothing(vpn, family):
    gateway = vpn["gw1"]
    gateway.hold("ipsec-datapath")
    try:
        with wire.Capture(vpn["gw2"], "wan") as capture:
            gateway.kill("ipsec-datapath")
            assert vpn["h1"].run("ping", "-c3", "-i0.05", "-W1", HOSTS[family][1]).returncode != 0
    finally:
        gateway.release("ipsec-datapath")
    gateway.wait_active("ipsec-datapath")
    assert not capture.clear()
    assert not [frame for frame in capture.of(wire.ESP) if frame.source == "192.0.2.1"]
    vpn["h1"].exec("ping", "-c1", "-i0.05", "-w10", HOSTS[family][1])


def test_other_networks_do_not_enter_the_tunnel(vpn):
    """A tunnel with policy drops what its rules do not name."""
    gateway = vpn["gw1"]
    gateway.exec("ip", "route", "add", "10.9.0.0/24", "dev", "vpn0")
    with wire.Capture(vpn["gw2"], "wan") as capture:
        vpn["h1"].run("ping", "-c3", "-i0.05", "-W1", "10.9.0.1")
        vpn["h1"].exec("ping", "-c1", "-w10", HOSTS[4][1])
    gateway.exec("ip", "route", "del", "10.9.0.0/24", "dev", "vpn0")
    assert not capture.clear()
    opened = [oracle.scapy_open(frame, keys_of(vpn)) for frame in capture.of(wire.ESP)]
    assert {packet[IP].payload.dst for packet in opened if IP in packet} <= set(HOSTS[4])
