# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts behind one translator reach the same host outside: it tells them apart by SPI and port."""

import itertools
import socket
import struct

import pytest
from lablib import wire
from nettest.peer import statistics

OUTSIDE, NAT, SERVER = "198.51.100.2", "198.51.100.1", "10.9.0.1"
INSIDE = {"ann": ("10.0.1.2", "10.9.0.2"), "bob": ("10.0.2.2", "10.9.0.3")}
SPIS = {"ann": (0x5001, 0x5002), "bob": (0x5003, 0x5004)}  # to outside, back

LAB = """
host nat
	address  in1 10.0.1.1/24
	address  in2 10.0.2.1/24
	address  out {nat}/24
	forward
	nat      out

host outside
	address  eth0 {outside}/24
	files    outside
	services all
	after    ip address add {server}/24 dev vpn0

link nat:out outside:eth0
"""

HOST = """
host {name}
	address  eth0 {own}/24
	route    default via {gateway}
	files    {name}
	services all
	after    ip address add {inner}/24 dev vpn0

link {name}:eth0 nat:in{number}
"""

TUNNEL = 'tunnels = ( {{ name = "vpn0"; source = "{}"; destination = "{}"; }} );\n'
RULE = "{{tunnel vpn0 negotiate tunnel laddr {} raddr {}}} ipsec {{encr_algs aes-gcm16 sa shared}}\n"


def keys():
    """Of each host what it writes, and of outside both."""
    octets = itertools.cycle(range(3, 251))
    of = {name: "" for name in (*INSIDE, "outside")}
    for name, (own, inner) in INSIDE.items():
        there, back = SPIS[name]
        key = [bytes(itertools.islice(octets, 20)).hex() for _ in range(2)]
        end = "proto 4 replay 64 encap udp encr_alg aes-gcm16 encrkey"
        of[name] = (
            f"add esp spi {there} src {own} dst {OUTSIDE} isrc {inner} idst {SERVER} "
            f"nat_loc {NAT} {end} {key[0]}\n"
            f"add esp spi {back} src {OUTSIDE} dst {own} isrc {SERVER} idst {inner} "
            f"nat_loc {NAT} {end} {key[1]}\n")
        of["outside"] += (
            f"add esp spi {back} src {OUTSIDE} dst {NAT} isrc {SERVER} idst {inner} "
            f"nat_rem {own} {end} {key[1]}\n"
            f"add esp spi {there} pair-spi {back} src {NAT} dst {OUTSIDE} isrc {inner} idst {SERVER} "
            f"nat_rem {own} {end} {key[0]}\n")
    return of


def write(base, name, rules, tunnel, secrets):
    (base / name).mkdir()
    (base / name / "ipsecinit.conf").write_text(rules)
    (base / name / "datapath.cfg").write_text(tunnel)
    (base / name / "ipseckeys").write_text(secrets)
    (base / name / "ipseckeys").chmod(0o600)


@pytest.fixture(name="lab", scope="module")
def made(labs, tmp_path_factory):
    base = tmp_path_factory.mktemp("two")
    secrets = keys()
    write(base, "outside", "".join(RULE.format(SERVER, inner) for _, inner in INSIDE.values()),
          TUNNEL.format(OUTSIDE, NAT), secrets["outside"])
    text = LAB.format(nat=NAT, outside=OUTSIDE, server=SERVER)
    for number, (name, (own, inner)) in enumerate(INSIDE.items(), 1):
        write(base, name, RULE.format(inner, SERVER), TUNNEL.format(own, OUTSIDE), secrets[name])
        text += HOST.format(name=name, own=own, gateway=f"10.0.{number}.1", inner=inner,
                            number=number)
    (base / "two.lab").write_text("# SPDX-License-Identifier: GPL-2.0-or-later\n" + text)
    return labs(base / "two.lab")


def ask(lab, name, payload):
    """From a host inside to outside, and the answer."""
    inner = INSIDE[name][1]
    with lab["outside"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [SERVER, 5000]) as sink, \
            lab[name].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [inner, 5001]) as sender:
        sink.settimeout(10)
        sender.settimeout(10)
        sender.sendto(payload, (SERVER, 5000))
        came, peer = sink.recvfrom(65535)
        assert came == payload and peer == (inner, 5001)
        sink.sendto(payload[::-1], peer)
        assert sender.recvfrom(65535)[0] == payload[::-1]


def seen(capture):
    """SPI and the port of the translator, of each ESP in UDP."""
    rows = set()
    for frame in capture.frames:
        if frame.protocol == wire.UDP and len(frame.payload) > 20:
            source, target = struct.unpack_from("!HH", frame.payload)
            spi = int.from_bytes(frame.payload[8:12], "big")
            rows.add((spi, source if frame.source == NAT else target))
    return rows


def test_each_gets_its_own_answers(lab):
    with wire.Capture(lab["outside"], "eth0") as capture:
        for turn in range(5):
            for name in INSIDE:
                ask(lab, name, f"{name} {turn}".encode() * 10)
        # In turns they would not notice that one's port has become the other's.
        capture.wait(20, lambda frame: frame.protocol == wire.UDP)
    ports = {spi: port for spi, port in seen(capture) if spi in SPIS["ann"] + SPIS["bob"]}
    assert len(seen(capture)) == len(ports) == 4, "each SPI keeps to one port"
    assert ports[SPIS["ann"][0]] == ports[SPIS["ann"][1]]
    assert ports[SPIS["bob"][0]] == ports[SPIS["bob"][1]]
    assert ports[SPIS["ann"][0]] != ports[SPIS["bob"][0]]


def test_nobody_speaks_for_the_other(lab):
    """What comes through ann's SA with bob's inner address is not let in."""
    ann, bob = (INSIDE[name][1] for name in INSIDE)
    host = lab["ann"]
    files = [host.path(name) for name in ("/etc/inet/ipsecinit.conf", "/etc/inet/secret/ipseckeys")]
    kept = [path.read_text() for path in files]
    host.exec("ip", "address", "add", f"{bob}/32", "dev", "vpn0")
    for path, text in zip(files, kept):
        path.write_text(text.replace(ann, bob))
    for unit in ("ipsec-policy", "ipsec-manual-key"):
        host.systemctl("reload", unit)
    before = statistics(lab["outside"])
    with lab["outside"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [SERVER, 5000]) as sink, \
            host.socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [bob, 5001]) as forger, \
            wire.Capture(lab["outside"], "eth0") as capture:
        sink.settimeout(10)
        forger.sendto(b"forged", (SERVER, 5000))
        capture.wait(1, lambda frame: frame.protocol == wire.UDP and len(frame.payload) > 20)
        assert {spi for spi, _ in seen(capture)} == {SPIS["ann"][0]}
        with lab["bob"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, [bob, 5001]) as sender:
            sender.sendto(b"own", (SERVER, 5000))
        assert sink.recvfrom(100)[0] == b"own"
    after = statistics(lab["outside"])
    for verdict in ("in_accepted", "spd_esp_innermismatch"):
        assert after[verdict] == before[verdict] + 1, verdict
    for path, text in zip(files, kept):
        path.write_text(text)
    for unit in ("ipsec-policy", "ipsec-manual-key"):
        host.systemctl("reload", unit)
    for name in INSIDE:
        ask(lab, name, b"as before")
