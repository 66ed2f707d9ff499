# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnel mode between two hosts themselves: it serves their policy, and its silence is filled."""

import pytest
from lablib import decode, wire
from nettest import oracle
from nettest.peer import statistics
from scapy.layers.inet import ICMP, IP

HOSTS = {"alpha": "192.0.2.1", "beta": "192.0.2.2"}
SPI = {"alpha": 0x7001, "beta": 0x7002}
KEYS = "/etc/inet/secret/ipseckeys"
PAD = 600
MOST = 20 + 8 + 8 + PAD + 4 + 16

LAB = """
host alpha
	address  eth0 192.0.2.1/24
	files    alpha
	services all
host beta
	address  eth0 192.0.2.2/24
	files    beta
	services all
link alpha:eth0 beta:eth0
"""


def keys():
    return "".join(
        f"add esp spi {SPI[src]:#x} src {HOSTS[src]} dst {HOSTS[dst]} "
        f"isrc {HOSTS[src]}/32 idst {HOSTS[dst]}/32 encr_alg aes-gcm16 "
        f"encrkey {bytes([SPI[src] & 0xff]).hex() * 20} tfc_pad {PAD} "
        f"{'tfc_dummy 500' if src == 'alpha' else ''}\n"
        for src, dst in (("alpha", "beta"), ("beta", "alpha")))


@pytest.fixture(name="hosts", scope="module")
def hosts_fixture(labs, tmp_path_factory):
    base = tmp_path_factory.mktemp("self")
    for name, peer in (("alpha", "beta"), ("beta", "alpha")):
        (base / name).mkdir()
        (base / name / "ipsecinit.conf").write_text(
            f"{{laddr {HOSTS[name]} raddr {HOSTS[peer]}}} ipsec {{encr_algs aes-gcm16 sa shared}}\n")
        (base / name / "ipseckeys").write_text(keys())
    (base / "self.lab").write_text(LAB)
    return labs(base / "self.lab")


def test_hosts_talk_in_tunnel_mode(hosts):
    with wire.Capture(hosts["beta"], "eth0") as capture:
        hosts["alpha"].exec("ping", "-c1", "-W5", HOSTS["beta"])
    assert not capture.clear()
    known = decode.read_keys(hosts["alpha"].path(KEYS).read_text())
    opened = [oracle.scapy_open(frame, known) for frame in capture.of(wire.ESP)]
    inner = [packet.payload for packet in opened if ICMP in packet and packet.proto == 4]
    assert {(packet[IP].src, packet[IP].dst) for packet in inner} == \
        {tuple(HOSTS.values()), tuple(reversed(HOSTS.values()))}


def test_silence_is_filled(hosts):
    before = statistics(hosts["beta"])["esp_dummy"]
    with wire.Capture(hosts["beta"], "eth0") as capture:
        capture.wait(4, lambda frame: frame.protocol == wire.ESP)
    frames = capture.of(wire.ESP)
    assert {(frame.source, frame.destination) for frame in frames} == \
        {(HOSTS["alpha"], HOSTS["beta"])}, "nobody else was asked to"
    numbers = [int.from_bytes(frame.payload[4:8], "big") for frame in frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert max(len(frame.raw) - 14 for frame in frames) <= MOST
    hosts["alpha"].exec("ping", "-c1", "-W5", HOSTS["beta"])
    assert statistics(hosts["beta"])["esp_dummy"] - before >= 4
