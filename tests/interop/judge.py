# SPDX-License-Identifier: GPL-2.0-or-later
"""scapy's side of an SA, with python-cryptography for the integrity that scapy lacks."""

import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC
from scapy.config import conf
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.utils import checksum

conf.verb = 0

CIPHERS = {
    "null": "NULL", "des-cbc": "DES", "3des-cbc": "3DES", "blowfish-cbc": "Blowfish",
    "aes-cbc": "AES-CBC", "aes-ctr": "AES-CTR",
    "aes-ccm-8": "AES-CCM", "aes-ccm-12": "AES-CCM", "aes-ccm-16": "AES-CCM",
    "aes-gcm-8": "AES-GCM", "aes-gcm-12": "AES-GCM", "aes-gcm-16": "AES-GCM",
    "aes-gmac": "NULL", "chacha20-poly1305": "CHACHA20-POLY1305",
}
AUTHS = {  # scapy's name, where it has one
    "none": "NULL", "hmac-md5-96": "HMAC-MD5-96", "hmac-sha1-96": "HMAC-SHA1-96",
    "hmac-sha2-256-128": "SHA2-256-128", "hmac-sha2-384-192": "SHA2-384-192",
    "hmac-sha2-512-256": "SHA2-512-256", "aes-cmac-96": "AES-CMAC-96", "aes-xcbc-96": None,
}
DIGESTS = {"hmac-md5-96": "md5", "hmac-sha1-96": "sha1", "hmac-sha2-256-128": "sha256",
           "hmac-sha2-384-192": "sha384", "hmac-sha2-512-256": "sha512"}
GMAC_IV, TAG = 8, 16


class Wrong(Exception):
    """The engine's packet is not sound."""


def aes_block(key, block):
    context = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return context.update(block)


def xcbc(key, data):
    """AES-XCBC-MAC (RFC 3566 section 4)."""
    first, full, cut = (aes_block(key, bytes([n]) * 16) for n in (1, 2, 3))
    blocks = [data[at:at + 16] for at in range(0, len(data), 16)] or [b""]
    last = blocks.pop()
    if len(last) < 16:
        last, full = (last + b"\x80").ljust(16, b"\0"), cut
    chain = Cipher(algorithms.AES(first), modes.CBC(bytes(16))).encryptor()
    blocks.append(bytes(a ^ b for a, b in zip(last, full)))
    return chain.update(b"".join(blocks))[-16:]


def mac(name, key, data):
    if name in DIGESTS:
        return hmac.new(key, data, getattr(hashlib, DIGESTS[name])).digest()
    if name == "aes-xcbc-96":
        return xcbc(key, data)
    context = CMAC(algorithms.AES(key))
    context.update(data)
    return context.finalize()


def parse(octets):
    return IP(octets) if octets[0] >> 4 == 4 else IPv6(octets)


def relength(octets):
    """The packet with the length that it has."""
    packet = bytearray(octets)
    if packet[0] >> 4 == 6:
        packet[4:6] = struct.pack("!H", len(packet) - 40)
        return bytes(packet)
    head = (packet[0] & 15) * 4
    packet[2:4] = struct.pack("!H", len(packet))
    packet[10:12] = b"\0\0"
    packet[10:12] = struct.pack("!H", checksum(bytes(packet[:head])))
    return bytes(packet)


class Judge:
    """Seals and opens as the case's SA says."""

    first_summed = 8  # IV, text or ICV; SPI and number are looked at before

    def __init__(self, case):
        self.case = case
        suite = case.suite
        self.combined_icv = int(suite.encr.rsplit("-", 1)[1]) if suite.encr[:7] in ("aes-gcm", "aes-ccm") \
            else None
        self.short_tag = suite.encr.startswith("aes-gcm") and self.combined_icv < TAG
        # scapy takes no high half into an integrity algorithm's sum.
        self.own_mac = suite.auth != "none" and (case.esn or not AUTHS[suite.auth])
        self.gmac = suite.encr == "aes-gmac"
        header = None
        if case.outer:
            header = (IP if case.outer == 4 else IPv6)(src=case.ends[0], dst=case.ends[1])
        crypt_key = b"" if self.gmac else case.key + case.salt
        self.sa = SecurityAssociation(
            ESP, spi=case.spi, seq_num=case.seq & 0xFFFFFFFF,
            crypt_algo=CIPHERS[suite.encr], crypt_key=crypt_key,
            crypt_icv_size=TAG if suite.encr.startswith("aes-gcm") else self.combined_icv,
            auth_algo="NULL" if self.own_mac else AUTHS[suite.auth],
            auth_key=case.auth_key or None, tunnel_header=header,
            esn_en=case.esn, esn=case.seq >> 32)

    @staticmethod
    def knows(suite):
        return suite.encr in CIPHERS and suite.auth in AUTHS

    def _high(self):
        return struct.pack("!L", self.case.seq >> 32) if self.case.esn else b""

    def _gmac(self, head, body):
        """RFC 4543 section 3.3: all of it is additional data. @body: with the IV before it."""
        data = head[:4] + self._high() + head[4:8] + body
        return AESGCM(self.case.key).encrypt(self.case.salt + body[:GMAC_IV], b"", data)

    @staticmethod
    def begin(octets):
        packet = parse(octets)
        return len(octets) - len(bytes(packet[ESP]))

    def seal(self, clear):
        packet = self.sa.encrypt(parse(clear), seq_num=self.case.seq & 0xFFFFFFFF)
        octets = bytes(packet)
        at = self.begin(octets)
        if self.gmac:
            body = self.case.rng.randbytes(GMAC_IV) + octets[at + 8:]
            octets = octets[:at + 8] + body + self._gmac(octets[at:at + 8], body)
        elif self.short_tag:
            octets = octets[:self.combined_icv - TAG]  # RFC 4106 section 6 cuts the same tag
        elif self.own_mac:
            octets += self._mac(octets[at:])
        return relength(octets)

    def _mac(self, esp):
        return mac(self.case.suite.auth, self.case.auth_key, esp + self._high())[:self.case.suite.icv]

    def open(self, sealed):
        """The clear packet's octets; raises what is wrong."""
        wire = parse(sealed)
        if wire[ESP].spi != self.case.spi or wire[ESP].seq != self.case.seq & 0xFFFFFFFF:
            raise Wrong("SPI or number")
        if self.case.outer and [wire.src, wire.dst] != self.case.ends:
            raise Wrong("outer addresses")
        if relength(sealed) != sealed:
            raise Wrong("length or checksum")
        at = self.begin(sealed)
        if self.gmac:
            head, body, tag = sealed[at:at + 8], sealed[at + 8:-TAG], sealed[-TAG:]
            if self._gmac(head, body) != tag:
                raise InvalidTag
            sealed = sealed[:at + 8] + body[GMAC_IV:]
        elif self.short_tag:
            sealed = self._long_tag(sealed, at)
        elif self.own_mac:
            icv = self.case.suite.icv
            if self._mac(sealed[at:-icv]) != sealed[-icv:]:
                raise InvalidTag
            sealed = sealed[:-icv]
        return self._decrypt(relength(sealed))

    def _decrypt(self, sealed):
        """As scapy's decrypt() but for its last step: that takes what lies behind an IPv6 routing
        header for what the first header names, and fails."""
        packet = parse(sealed)
        esp, sa = packet[ESP], self.sa
        sa.auth_algo.verify(esp, sa.auth_key)
        icv_size = sa.crypt_icv_size or sa.crypt_algo.icv_size or sa.auth_algo.icv_size
        plain = sa.crypt_algo.decrypt(sa, esp, sa.crypt_key, icv_size, esn_en=sa.esn_en, esn=sa.esn)
        if self.case.outer:
            if plain.nh != (4 if self.case.family == 4 else 41):
                raise Wrong("next header")
            return bytes(plain.data)
        at = self.begin(sealed)
        head = bytearray(sealed[:at])
        before = len(sealed) - len(bytes(esp.underlayer))
        head[before + {IP: 9, IPv6: 6}.get(type(esp.underlayer), 0)] = plain.nh
        return relength(bytes(head) + bytes(plain.data))

    def _long_tag(self, sealed, at):
        """scapy knows tags of 16 octets only: the same packet with the whole one, if its tag holds."""
        nonce, text = self.case.salt + sealed[at + 8:at + 16], sealed[at + 16:-self.combined_icv]
        mode = modes.GCM(nonce, sealed[-self.combined_icv:], min_tag_length=self.combined_icv)
        context = Cipher(algorithms.AES(self.case.key), mode).decryptor()
        head = sealed[at:at + 4] + self._high() + sealed[at + 4:at + 8]
        context.authenticate_additional_data(head)
        clear = context.update(text) + context.finalize()
        return sealed[:at + 16] + AESGCM(self.case.key).encrypt(nonce, clear, head)
