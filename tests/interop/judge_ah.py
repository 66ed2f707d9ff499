# SPDX-License-Identifier: GPL-2.0-or-later
"""scapy's side of an SA of AH, and what a source-routed packet has become where it ends."""

import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from judge import AUTHS, GMAC_IV, TAG, Wrong, mac, parse, relength
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrRouting
from scapy.layers.ipsec import (AH, AUTH_ALGOS, AuthAlgo, IPSecIntegrityError, SecurityAssociation,
                                zero_mutable_fields)

SALT = 4


def stops_left(packet):
    return packet[IPv6ExtHdrRouting].segleft if IPv6ExtHdrRouting in packet else 0


def travelled(octets):
    """The packet at its last stop: each stop before swaps the destination with the next address."""
    packet = parse(octets)
    if IPv6ExtHdrRouting not in packet:
        return octets
    header = packet[IPv6ExtHdrRouting]
    at = len(octets) - len(bytes(header))
    changed = bytearray(octets)
    count = len(header.addresses)
    for i in range(count - header.segleft, count):
        slot = slice(at + 8 + 16 * i, at + 24 + 16 * i)
        changed[slot], changed[24:40] = changed[24:40], changed[slot]
    changed[at + 3] = 0
    return bytes(changed)


class OwnAuth(AuthAlgo):
    """What scapy lacks, over what scapy says does not change."""

    def __init__(self, case):
        super().__init__(case.suite.auth, mac=object, digestmod=None, icv_size=case.suite.icv)
        self.case = case
        self.gmac = case.suite.auth.startswith("aes-gmac")
        if self.gmac:
            self.icv_size = GMAC_IV + TAG

    def _sum(self, pkt, sending):
        clone = pkt.copy()
        nonce = clone[AH].icv[:GMAC_IV]
        clone = zero_mutable_fields(clone, sending=sending)
        if self.gmac:
            clone[AH].icv = nonce + bytes(TAG)
        data = bytes(clone) + (struct.pack("!L", self.case.seq >> 32) if self.case.esn else b"")
        key = self.case.auth_key
        if self.gmac:  # RFC 4543 section 3.3
            return nonce + AESGCM(key[:-SALT]).encrypt(key[-SALT:] + nonce, b"", data)
        return mac(self.case.suite.auth, key, data)[:self.icv_size]

    def sign(self, pkt, key, esn_en=False, esn=0):
        if self.gmac:
            pkt[AH].icv = self.case.rng.randbytes(GMAC_IV) + bytes(TAG)
        pkt[AH].icv = self._sum(pkt, sending=stops_left(pkt) > 0)
        return pkt

    def verify(self, pkt, key, esn_en=False, esn=0):
        pkt[AH].padding = pkt[AH].icv[self.icv_size:]
        pkt[AH].icv = pkt[AH].icv[:self.icv_size]
        if self._sum(pkt, sending=False) != pkt[AH].icv:
            raise IPSecIntegrityError(self.name)


class JudgeAh:
    """Seals and opens as the case's SA says."""

    first_summed = 12  # the ICV: what is before it is looked at before

    def __init__(self, case):
        self.case = case
        header = None
        if case.outer:
            header = (IP if case.outer == 4 else IPv6)(src=case.ends[0], dst=case.ends[1])
        self.sa = SecurityAssociation(AH, spi=case.spi, seq_num=case.seq & 0xFFFFFFFF,
                                      auth_algo="NULL", auth_key=case.auth_key,
                                      tunnel_header=header, esn_en=case.esn, esn=case.seq >> 32)
        self.own = OwnAuth(case)
        name = AUTHS.get(case.suite.auth)
        self.sa.auth_algo = self.scapys = AUTH_ALGOS[name] if name else self.own

    @staticmethod
    def knows(suite):
        return suite.auth in AUTHS or suite.auth.startswith("aes-gmac-")

    @staticmethod
    def begin(octets):
        return len(octets) - len(bytes(parse(octets)[AH]))

    def seal(self, clear):
        packet = parse(clear)
        # scapy predicts a source-routed packet's last stop even at that stop.
        arrived = not self.case.outer and IPv6ExtHdrRouting in packet and not stops_left(packet)
        self.sa.auth_algo = self.own if arrived else self.scapys
        sealed = relength(bytes(self.sa.encrypt(packet, seq_num=self.case.seq & 0xFFFFFFFF)))
        self.sa.auth_algo = self.scapys
        return sealed

    def open(self, sealed):
        """The clear packet's octets; raises what is wrong."""
        wire = parse(sealed)
        if wire[AH].spi != self.case.spi or wire[AH].seq != self.case.seq & 0xFFFFFFFF:
            raise Wrong("SPI or number")
        if self.case.outer and [wire.src, wire.dst] != self.case.ends:
            raise Wrong("outer addresses")
        if relength(sealed) != sealed:
            raise Wrong("length or checksum")
        at, size = self.begin(sealed), (wire[AH].payloadlen + 2) * 4
        following, before = wire[AH].nh, len(sealed) - len(bytes(wire[AH].underlayer))
        place = before + {IP: 9, IPv6: 6}.get(type(wire[AH].underlayer), 0)
        self.sa.auth_algo.verify(wire, self.sa.auth_key, esn_en=self.case.esn, esn=self.sa.esn)
        if self.case.outer:
            if following != (4 if self.case.family == 4 else 41):
                raise Wrong("next header")
            return sealed[at + size:]
        head = bytearray(sealed[:at])
        head[place] = following
        return relength(bytes(head) + sealed[at + size:])
