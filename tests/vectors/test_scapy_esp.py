# SPDX-License-Identifier: GPL-2.0-or-later
"""Each packet that the engine makes is opened by scapy, each packet that scapy makes by the engine."""

import hmac
import json
import os
import struct
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from scapy.config import conf
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting)
from scapy.layers.ipsec import ESP, IPSecIntegrityError, SecurityAssociation
from scapy.packet import Raw

conf.verb = 0
TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NETIPSEC_BUILD", TOP / "build"))
SPI = 0x1234ABCD

# name: ours, octets of the key, scapy's name
AUTHS = {
    "md5": ("hmac-md5-96", 16, "HMAC-MD5-96"),
    "sha1": ("hmac-sha1-96", 20, "HMAC-SHA1-96"),
    "sha256": ("hmac-sha2-256-128", 32, "SHA2-256-128"),
    "sha384": ("hmac-sha2-384-192", 48, "SHA2-384-192"),
    "sha512": ("hmac-sha2-512-256", 64, "SHA2-512-256"),
    "cmac": ("aes-cmac-96", 16, "AES-CMAC-96"),
}

# ours: key and salt in octets, scapy's name; beside each an integrity algorithm of AUTHS
CIPHERS = {
    "des": ("des-cbc", 8, 0, "DES", "md5"),
    "3des": ("3des-cbc", 24, 0, "3DES", "sha1"),
    "blowfish": ("blowfish-cbc", 16, 0, "Blowfish", "sha1"),
    "ctr128": ("aes-ctr", 16, 4, "AES-CTR", "sha256"),
    "ctr192": ("aes-ctr", 24, 4, "AES-CTR", "cmac"),
    "ctr256": ("aes-ctr", 32, 4, "AES-CTR", "sha512"),
}
# combined ones
AEADS = {
    "gcm128": ("aes-gcm-16", 16, 4, "AES-GCM"),
    "gcm192": ("aes-gcm-16", 24, 4, "AES-GCM"),
    "gcm256": ("aes-gcm-16", 32, 4, "AES-GCM"),
    "ccm128": ("aes-ccm-16", 16, 3, "AES-CCM"),
    "ccm192": ("aes-ccm-16", 24, 3, "AES-CCM"),
    "ccm256": ("aes-ccm-16", 32, 3, "AES-CCM"),
    "chacha": ("chacha20-poly1305", 32, 4, "CHACHA20-POLY1305"),
}

DIGESTS = {
    "hmac-md5-96": ("md5", 12),
    "hmac-sha1-96": ("sha1", 12),
    "hmac-sha2-256-128": ("sha256", 16),
    "hmac-sha2-384-192": ("sha384", 24),
    "hmac-sha2-512-256": ("sha512", 32),
}


def octets(count, seed):
    return bytes((seed + 37 * i) % 256 for i in range(count))


def make_suites():
    suites = {}
    for auth, (name, size, scapy_name) in AUTHS.items():
        suites[f"null-{auth}"] = ("null", b"", b"", name, octets(size, 9), "NULL", scapy_name)
        for bits in (128, 192, 256):
            suites[f"aes{bits}-{auth}"] = ("aes-cbc", octets(bits // 8, 1), b"", name,
                                           octets(size, 9), "AES-CBC", scapy_name)
    for name, (encr, size, salt, scapy_name, auth) in CIPHERS.items():
        ours, auth_size, scapy_auth = AUTHS[auth]
        suites[f"{name}-{auth}"] = (encr, octets(size, 1), octets(salt, 77), ours,
                                    octets(auth_size, 9), scapy_name, scapy_auth)
    for name, (encr, size, salt, scapy_name) in AEADS.items():
        suites[name] = (encr, octets(size, 5), octets(salt, 77), "none", b"", scapy_name, "NULL")
    return suites


SUITES = make_suites()
# mode: outer addresses, or None
MODES = {
    "transport": None,
    "tunnel4": ("198.51.100.1", "198.51.100.2"),
    "tunnel6": ("2001:db8:ffff::1", "2001:db8:ffff::2"),
}
V4 = {"src": "192.0.2.1", "dst": "192.0.2.2", "id": 4711, "ttl": 33}
V6 = {"src": "2001:db8::1", "dst": "2001:db8::2", "hlim": 44}
PACKETS = {
    "v4 udp": IP(**V4) / UDP(sport=1000, dport=2000) / Raw(octets(33, 3)),
    "v4 empty udp": IP(**V4) / UDP(sport=1000, dport=2000),
    "v4 tcp": IP(**V4, tos=0xB8) / TCP(sport=1, dport=80, seq=7, flags="PA") / Raw(octets(1200, 8)),
    "v4 icmp": IP(**V4, flags="DF") / ICMP(id=5, seq=6) / Raw(octets(56, 1)),
    "v6 udp": IPv6(**V6) / UDP(sport=1000, dport=2000) / Raw(octets(61, 3)),
    "v6 icmp": IPv6(**V6, tc=0x28) / ICMPv6EchoRequest(id=3, seq=4, data=octets(57, 2)),
}
for size in range(18):
    PACKETS[f"v4 payload {size}"] = IP(**V4, proto=253) / Raw(octets(size, size))


@pytest.fixture(name="tool", scope="module")
def start_tool():
    with subprocess.Popen([BUILD / "tests/vectors/esp-tool"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as tool:
        def ask(**request):
            tool.stdin.write(json.dumps(request) + "\n")
            tool.stdin.flush()
            return tool.stdout.readline().strip()
        yield ask
        tool.stdin.close()


def request(suite, mode, esn_hi=None):
    encr, key, salt, auth, auth_key = SUITES[suite][:5]
    fields = {"spi": SPI, "mode": "tunnel" if MODES[mode] else "transport", "encr": encr,
              "encr_key": key.hex(), "salt": salt.hex(), "auth": auth, "auth_key": auth_key.hex(),
              "esn_hi": esn_hi}
    if MODES[mode]:
        fields["src"], fields["dst"] = MODES[mode]
    return fields


def association(suite, mode, esn_hi=None):
    _, key, salt, _, auth_key, cipher, auth = SUITES[suite]
    header = None
    if mode == "tunnel4":
        header = IP(src=MODES[mode][0], dst=MODES[mode][1])
    elif mode == "tunnel6":
        header = IPv6(src=MODES[mode][0], dst=MODES[mode][1])
    return SecurityAssociation(ESP, spi=SPI, crypt_algo=cipher, crypt_key=key + salt,
                               auth_algo=auth, auth_key=auth_key or None, tunnel_header=header,
                               esn_en=esn_hi is not None, esn=esn_hi or 0)


def whole(packet):
    """The packet with lengths and checksums, dissected from its octets."""
    return packet.__class__(bytes(packet))


def parse(octets_):
    return IP(octets_) if octets_[0] >> 4 == 4 else IPv6(octets_)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("suite", SUITES)
def test_scapy_opens_ours(tool, suite, mode):
    for seq, (name, packet) in enumerate(PACKETS.items(), 1):
        clear = bytes(packet)
        sealed = tool(do="seal", seq=seq, packet=clear.hex(), **request(suite, mode))
        wire = parse(bytes.fromhex(sealed))
        assert wire[ESP].spi == SPI and wire[ESP].seq == seq
        if MODES[mode]:
            assert (wire.src, wire.dst) == MODES[mode]
        if wire.version == 4:
            fresh = wire.copy()
            del fresh.chksum
            assert whole(fresh).chksum == wire.chksum, name
        opened = association(suite, mode).decrypt(wire)
        assert bytes(opened) == clear, name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("suite", SUITES)
def test_we_open_scapys(tool, suite, mode):
    sa = association(suite, mode)
    for seq, (name, packet) in enumerate(PACKETS.items(), 1):
        clear = bytes(packet)
        sealed = bytes(sa.encrypt(whole(packet), seq_num=seq))
        opened = tool(do="open", packet=sealed.hex(), **request(suite, mode))
        assert opened == clear.hex(), name
        spoilt = bytearray(sealed)
        spoilt[-1] ^= 1
        assert tool(do="open", packet=spoilt.hex(), **request(suite, mode)) == "esp_bad_auth"


@pytest.mark.parametrize("suite", AEADS)
def test_extended_sequence_numbers(tool, suite):
    for high in (0, 1, 0x89ABCDEF):
        packet = PACKETS["v4 udp"]
        ours = request(suite, "transport", high)
        sealed = tool(do="seal", seq=9, packet=bytes(packet).hex(), **ours)
        opened = association(suite, "transport", high).decrypt(IP(bytes.fromhex(sealed)))
        assert bytes(opened) == bytes(packet)
        theirs = association(suite, "transport", high).encrypt(whole(packet), seq_num=9)
        assert tool(do="open", seq=9, packet=bytes(theirs).hex(), **ours) == bytes(packet).hex()
        with pytest.raises(IPSecIntegrityError):
            association(suite, "transport", high + 1).decrypt(IP(bytes.fromhex(sealed)))


@pytest.mark.parametrize("suite", [name for name in SUITES if SUITES[name][3] in DIGESTS])
def test_extended_sequence_numbers_with_hmac(tool, suite):
    """scapy leaves the high half out here, so Python's own HMAC is the judge (RFC 4303, 2.8)."""
    auth, auth_key = SUITES[suite][3:5]
    digest, size = DIGESTS[auth]
    for high in (0, 1, 0x89ABCDEF):
        clear = bytes(PACKETS["v4 udp"]).hex()
        ours = request(suite, "transport", high)
        sealed = bytes.fromhex(tool(do="seal", seq=9, packet=clear, **ours))
        want = hmac.new(auth_key, sealed[20:-size] + struct.pack("!L", high), digest).digest()
        assert sealed[-size:] == want[:size]
        sealed = bytes(association(suite, "transport").encrypt(whole(PACKETS["v4 udp"]), seq_num=9))
        assert tool(do="open", seq=9, packet=sealed.hex(), **ours) == "esp_bad_auth"
        want = hmac.new(auth_key, sealed[20:-size] + struct.pack("!L", high), digest).digest()
        theirs = sealed[:-size] + want[:size]
        assert tool(do="open", seq=9, packet=theirs.hex(), **ours) == clear


@pytest.mark.parametrize("suite", ["null-sha256", "aes128-sha256", "gcm128"])
@pytest.mark.parametrize("headers", [
    IPv6ExtHdrHopByHop(),
    IPv6ExtHdrDestOpt(),
    IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting(addresses=["2001:db8::9"], segleft=0),
    IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting(addresses=["2001:db8::9"], segleft=0)
    / IPv6ExtHdrDestOpt(),
])
def test_extension_headers(tool, suite, headers):
    packet = IPv6(**V6) / headers / UDP(sport=5, dport=6) / Raw(octets(20, 4))
    clear = bytes(packet)
    sealed = tool(do="seal", seq=1, packet=clear.hex(), **request(suite, "transport"))
    opened = association(suite, "transport").decrypt(IPv6(bytes.fromhex(sealed)))
    assert bytes(opened) == clear
    theirs = bytes(association(suite, "transport").encrypt(whole(packet), seq_num=1))
    assert tool(do="open", packet=theirs.hex(), **request(suite, "transport")) == clear.hex()


def test_short_gcm_tags_are_cut_from_the_long_one(tool):
    """scapy knows 16 octets only; RFC 4106 cuts the same tag to 8 and 12."""
    packet = bytes(PACKETS["v4 udp"])
    fields = request("gcm128", "transport")
    full = tool(do="seal", seq=1, packet=packet.hex(), **fields)
    for tag in (8, 12):
        fields["encr"] = f"aes-gcm-{tag}"
        cut = tool(do="seal", seq=1, packet=packet.hex(), **fields)
        assert cut[40:] == full[40:len(full) - 2 * (16 - tag)]
        assert tool(do="open", packet=cut, **fields) == packet.hex()


@pytest.mark.parametrize("tag", [8, 12, 16])
@pytest.mark.parametrize("suite", ["ccm128", "ccm256"])
def test_ccm_tags(tool, suite, tag):
    """CCM's tags of different lengths have nothing in common; python-cryptography knows all."""
    packet = bytes(PACKETS["v4 udp"])
    fields = request(suite, "transport")
    fields["encr"] = f"aes-ccm-{tag}"
    key, salt = SUITES[suite][1:3]
    sealed = bytes.fromhex(tool(do="seal", seq=1, packet=packet.hex(), **fields))[20:]
    clear = AESCCM(key, tag_length=tag).decrypt(salt + sealed[8:16], sealed[16:], sealed[:8])
    assert clear[:len(packet) - 20] == packet[20:]
    assert clear[-1] == 17


@pytest.mark.parametrize("esn_hi", [None, 0, 7])
@pytest.mark.parametrize("bits", [128, 192, 256])
def test_gmac_hides_nothing_and_covers_all(tool, bits, esn_hi):
    """RFC 4543: GCM over no text at all, everything up to the ICV being additional data."""
    packet = bytes(PACKETS["v4 udp"])
    key, salt = octets(bits // 8, 5), octets(4, 77)
    fields = {"spi": SPI, "mode": "transport", "encr": "aes-gmac", "encr_key": key.hex(),
              "salt": salt.hex(), "auth": "none", "auth_key": "", "esn_hi": esn_hi}
    sealed = bytes.fromhex(tool(do="seal", seq=3, packet=packet.hex(), **fields))[20:]
    assert sealed[16:16 + len(packet) - 20] == packet[20:]
    high = b"" if esn_hi is None else struct.pack("!L", esn_hi)
    covered = sealed[:4] + high + sealed[4:-16]
    assert AESGCM(key).encrypt(salt + sealed[8:16], b"", covered) == sealed[-16:]


@pytest.mark.parametrize("high", [None, 0, 7])
def test_xcbc(tool, high):
    """RFC 3566 by hand: scapy does not know it."""
    packet = bytes(PACKETS["v4 udp"])
    key = octets(16, 9)
    fields = {"spi": SPI, "mode": "transport", "encr": "null", "encr_key": "", "salt": "",
              "auth": "aes-xcbc-96", "auth_key": key.hex(), "esn_hi": high}
    sealed = bytes.fromhex(tool(do="seal", seq=3, packet=packet.hex(), **fields))[20:]
    covered = sealed[:-12] + (b"" if high is None else struct.pack("!L", high))
    assert xcbc(key, covered)[:12] == sealed[-12:]


def ecb(key, block):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def xor(one, other):
    return bytes(a ^ b for a, b in zip(one, other))


def xcbc(key, text):
    first, whole_mask, cut_mask = (ecb(key, bytes([n]) * 16) for n in (1, 2, 3))
    blocks = [text[at:at + 16] for at in range(0, len(text), 16)] or [b""]
    mask = whole_mask if len(blocks[-1]) == 16 else cut_mask
    if len(blocks[-1]) < 16:
        blocks[-1] = (blocks[-1] + b"\x80").ljust(16, b"\0")
    total = bytes(16)
    for block in blocks[:-1]:
        total = ecb(first, xor(total, block))
    return ecb(first, xor(xor(total, blocks[-1]), mask))
