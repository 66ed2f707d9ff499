# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab of one real host and a deaf peer, whose side of every SA the test plays with scapy."""

import itertools
import json
import socket
from dataclasses import dataclass

from lablib import decode, wire
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw, raw

from nettest import oracle

HOST = {4: "192.0.2.1", 6: "2001:db8::1"}
LOCAL_PORT = 9000
NO_SA_PORT, DROP_PORT, BYPASS_PORT, SHADOWED_PORT, OTHER_PORT = 7090, 7091, 7092, 7093, 7094
WAIT_SEC = 10

LAB = """
host host
	address  eth0 192.0.2.1/24 2001:db8::1/64
	files    host
	services all
host peer
	address  eth0 {addresses}
	after    nft add table inet deaf
	after    nft add chain inet deaf in {{ type filter hook input priority 0 ; policy drop ; }}
	after    nft add rule inet deaf in icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
link host:eth0 peer:eth0
"""


@dataclass
class Suite:
    """One row: a policy's words, the SAs' words, and the peer's address that has these SAs alone."""
    name: str
    number: int
    policy: str
    encr: str
    key_octets: int
    auth: str = ""

    @property
    def port(self):
        return 7000 + self.number

    def peer(self, family):
        """A policy's key length is only a minimum, so suites are kept apart by address."""
        return f"192.0.2.{10 + self.number}" if family == 4 else f"2001:db8::{10 + self.number}"

    def spi(self, family, outbound):
        return 0x1000 * self.number + 0x10 * family + (1 if outbound else 2)


SUITES = [
    Suite("aes128-sha256", 1, "encr_algs aes(128) encr_auth_algs sha256", "aes-cbc", 16, "sha256"),
    Suite("aes256-sha256", 2, "encr_algs aes(256) encr_auth_algs sha256", "aes-cbc", 32, "sha256"),
    Suite("gcm128", 3, "encr_algs aes-gcm16(128)", "aes-gcm16", 20),
    Suite("gcm256", 4, "encr_algs aes-gcm16(256)", "aes-gcm16", 36),
    Suite("null-sha256", 5, "encr_auth_algs sha256", "null", 0, "sha256"),
    Suite("ctr256-sha256", 6, "encr_algs aes-ctr(256) encr_auth_algs sha256", "aes-ctr", 36,
          "sha256"),
    Suite("blowfish-sha256", 7, "encr_algs blowfish encr_auth_algs sha256", "blowfish", 16,
          "sha256"),
]


def policy_text():
    """ipsecinit.conf: each suite by its port, then the rules about order, bypass and drop."""
    lines = ["# order: the first of two rules for one port decides"]
    for family in (4, 6):
        for suite in SUITES:
            lines.append(f"{{laddr {HOST[family]} raddr {suite.peer(family)} ulp udp "
                         f"rport {suite.port}}} ipsec {{{suite.policy} sa shared}}")
        first, other = SUITES[0], SUITES[2]
        wide = f"raddr {first.peer(family)} ulp udp"  # the same packets by other words: no duplicate
        ends = f"laddr {HOST[family]} {wide}"
        lines += [
            f"{{{ends} rport {NO_SA_PORT}}} ipsec {{encr_algs aes-gcm16(192) sa shared}}",
            f"{{{ends} rport {DROP_PORT}}} drop {{}}",
            f"{{{ends} rport {SHADOWED_PORT}}} ipsec {{{first.policy} sa shared}}",
            f"{{{wide} rport {SHADOWED_PORT}}} drop {{}}",
            f"{{{ends} rport {BYPASS_PORT}}} ipsec {{{first.policy} sa shared}}",
            f"{{{wide} rport {BYPASS_PORT} dir both}} bypass {{}}",
            f"{{raddr {other.peer(family)} ulp udp rport {OTHER_PORT}}} ipsec {{{first.policy}}}",
        ]
    return "\n".join(lines) + "\n"


def keys_text():
    """ipseckeys: SAs of every suite, both directions, both families; keys count up."""
    octets = itertools.cycle(range(1, 255))
    lines = []
    for suite in SUITES:
        for family, outbound in itertools.product((4, 6), (True, False)):
            ends = HOST[family], suite.peer(family)
            src, dst = ends if outbound else reversed(ends)
            mark = "6" if family == 6 else ""
            line = f"add esp spi {suite.spi(family, outbound):#x} src{mark} {src} dst{mark} {dst}"
            line += f" encr_alg {suite.encr} replay 64"
            for word, count in (("encrkey", suite.key_octets), ("authkey", 32 if suite.auth else 0)):
                if count:
                    line += f" {word} {bytes(itertools.islice(octets, count)).hex()}"
            lines.append(line + (f" auth_alg {suite.auth}" if suite.auth else ""))
    return "\n".join(lines) + "\n"


class PeerLab:
    """The lab, and what the peer's side of it can do."""

    def __init__(self, labs, directory):
        (directory / "host").mkdir()
        (directory / "host/ipsecinit.conf").write_text(policy_text())
        (directory / "host/ipseckeys").write_text(keys_text())
        addresses = " ".join(f"{suite.peer(family)}/{24 if family == 4 else 64}"
                             for suite in SUITES for family in (4, 6))
        (directory / "peer.lab").write_text(LAB.format(addresses=addresses))
        self.lab = labs(directory / "peer.lab")
        self.host, self.peer = self.lab["host"], self.lab["peer"]
        self.keys = decode.read_keys(keys_text())
        self.addresses = [self._ethernet(host) for host in (self.host, self.peer)]
        # Sequence numbers that the peer used, by SPI.
        self.sequence = {spi: 0 for spi in self.keys}

    @staticmethod
    def _ethernet(host):
        return json.loads(host.exec("ip", "-json", "link", "show", "eth0"))[0]["address"]

    def udp(self, family, port=LOCAL_PORT):
        """A UDP socket on the host."""
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        sock = self.host.socket(kind, socket.SOCK_DGRAM, 0, [HOST[family], port])
        sock.settimeout(WAIT_SEC)
        return sock

    def send(self, packet):
        """Put an IP packet on the wire in the peer's name."""
        host, peer = self.addresses
        octets = raw(packet)
        kind = wire.ETH_P_IP if octets[0] >> 4 == 4 else wire.ETH_P_IPV6
        with self.peer.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, ["eth0", 0]) as sender:
            sender.send(raw(Ether(src=peer, dst=host, type=kind)) + octets)

    @staticmethod
    def clear(suite, family, payload, port=None):
        """A clear datagram from the peer to the host."""
        header = (IP if family == 4 else IPv6)(src=suite.peer(family), dst=HOST[family])
        return header / UDP(sport=port or suite.port, dport=LOCAL_PORT) / Raw(payload)

    def sealed(self, suite, family, payload, sequence=None, port=None):
        """A datagram as scapy protects it; sequence numbers count up unless told."""
        spi = suite.spi(family, outbound=False)
        if sequence is None:
            self.sequence[spi] += 1
            sequence = self.sequence[spi]
        association = oracle.association(self.keys[spi], sequence)
        return association.encrypt(self.clear(suite, family, payload, port))

    def arrives(self, suite, family, payload, sock):
        """Send a sound packet and wait until it has arrived: all before it was dealt with."""
        self.send(self.sealed(suite, family, payload))
        assert sock.recvfrom(65535)[0] == payload

    def counts(self):
        """{name: packets} of the host's datapath."""
        return statistics(self.host)

    def capture(self):
        return wire.Capture(self.peer, "eth0")


def statistics(host):
    """{name: packets} of a host's datapath, asked over its bus."""
    text = host.exec("busctl", "--address=unix:path=/run/dbus/system_bus_socket", "--json=short",
                     "call", "org.netipsec.Datapath1", "/org/netipsec/Datapath1",
                     "org.netipsec.Datapath1", "GetStatistics")
    return json.loads(text)["data"][0]
