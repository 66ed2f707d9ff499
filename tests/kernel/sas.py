# SPDX-License-Identifier: GPL-2.0-or-later
"""The SAs of the test: suites that both ends have, and both ends' words for each of them."""

import itertools
import random
from dataclasses import dataclass
from pathlib import Path

REGISTRY = Path(__file__).resolve().parents[2] / "etc/inet/ipsecalgs"
ENGINE = {4: "10.77.0.1", 6: "fd77::1"}
KERNEL = {4: "10.77.0.2", 6: "fd77::2"}
FIRST_SPI = 0x10000


def registered():
    """(protocol, number): first name."""
    rows = (line.split("|") for line in REGISTRY.read_text().splitlines() if line.startswith("ALG|"))
    return {(int(row[1]), int(row[2])): row[3].split(",")[0] for row in rows}


@dataclass(frozen=True)
class Cipher:
    """A cipher: its number, octets of key and salt, the kernel's name, bits of its own ICV."""
    number: int
    key: int
    salt: int
    kernel: str
    icv: int = 0


@dataclass(frozen=True)
class Auth:
    """An integrity algorithm: its number, octets of its key, the kernel's name, bits of ICV."""
    number: int
    key: int
    kernel: str
    icv: int


AUTHS = {
    "md5": Auth(2, 16, "hmac(md5)", 96), "sha1": Auth(3, 20, "hmac(sha1)", 96),
    "sha256": Auth(5, 32, "hmac(sha256)", 128), "sha384": Auth(6, 48, "hmac(sha384)", 192),
    "sha512": Auth(7, 64, "hmac(sha512)", 256), "xcbc": Auth(9, 16, "xcbc(aes)", 96),
    "cmac": Auth(249, 16, "cmac(aes)", 96),
}
CIPHERS = {
    "null": Cipher(11, 0, 0, "ecb(cipher_null)"), "des": Cipher(2, 8, 0, "cbc(des)"),
    "3des": Cipher(3, 24, 0, "cbc(des3_ede)"), "blowfish": Cipher(7, 16, 0, "cbc(blowfish)"),
    "ctr128": Cipher(13, 16, 4, "rfc3686(ctr(aes))"), "ctr256": Cipher(13, 32, 4, "rfc3686(ctr(aes))"),
    "aes192": Cipher(12, 24, 0, "cbc(aes)"), "aes256": Cipher(12, 32, 0, "cbc(aes)"),
    "aes128": Cipher(12, 16, 0, "cbc(aes)"),
    "ccm8": Cipher(14, 16, 3, "rfc4309(ccm(aes))", 64),
    "ccm12": Cipher(15, 24, 3, "rfc4309(ccm(aes))", 96),
    "ccm16": Cipher(16, 32, 3, "rfc4309(ccm(aes))", 128),
    "gcm8": Cipher(18, 16, 4, "rfc4106(gcm(aes))", 64),
    "gcm12": Cipher(19, 24, 4, "rfc4106(gcm(aes))", 96),
    "gcm128": Cipher(20, 16, 4, "rfc4106(gcm(aes))", 128),
    "gcm192": Cipher(20, 24, 4, "rfc4106(gcm(aes))", 128),
    "gcm256": Cipher(20, 32, 4, "rfc4106(gcm(aes))", 128),
    "gmac": Cipher(23, 16, 4, "rfc4543(gcm(aes))", 128),
    "chacha20": Cipher(28, 32, 4, "rfc7539esp(chacha20,poly1305)", 128),
}
# Every cipher once, every integrity algorithm once.
PAIRS = [(name, None if row.icv else "sha256") for name, row in CIPHERS.items()]
PAIRS += [("aes128", auth) for auth in AUTHS if auth != "sha256"]
# Families of the inner and outer header; transport mode has no outer one.
PLACES = [(4, None), (6, None), (4, 4), (6, 6)]
MIXED = [(6, 4), (4, 6)]
MIXED_SUITES = ["gcm128", "aes128-sha256"]
ESN_SUITES = ["gcm128", "aes256-sha256", "aes128-sha512", "ccm16", "chacha20"]
WIDE_SUITES = ["gcm256", "aes128-sha1"]
ESN_BEGIN = 2 ** 32 - 20  # so that the high half changes under way


def suite_name(cipher, auth):
    return f"{cipher}-{auth}" if auth else cipher


class Config:
    """Two SAs, and the two addresses whose packets they are for."""

    def __init__(self, number, pair, place, esn=False, window=64):
        self.cipher, self.auth = CIPHERS[pair[0]], AUTHS.get(pair[1])
        self.family, self.outer = place
        self.esn, self.window = esn, window
        where = f"tunnel{self.family}in{self.outer}" if self.outer else f"transport{self.family}"
        special = f"-{'esn' if esn else 'window'}{window}" if window != 64 else ""
        self.name = f"{suite_name(*pair)}{special}-{where}"
        self.spi = FIRST_SPI + 2 * number
        rng = random.Random(self.name)
        self.keys = [self._octets(rng, self.cipher.key, self.cipher.salt) for _ in range(2)]
        self.auth_keys = [rng.randbytes(self.auth.key) if self.auth else b"" for _ in range(2)]
        if self.outer:
            self.engine, self.kernel = ((f"10.{net}.{number >> 8}.{number & 255}" for net in (81, 91))
                                        if self.family == 4
                                        else (f"fd{net}::{number:x}" for net in (81, 91)))
            self.outer_engine, self.outer_kernel = ENGINE[self.outer], KERNEL[self.outer]
        else:
            self.engine = self.outer_engine = ENGINE[self.family]
            self.kernel = f"10.77.{1 + (number >> 8)}.{number & 255}" if self.family == 4 \
                else f"fd77::1:{number:x}"
            self.outer_kernel = self.kernel

    def _octets(self, rng, key, salt):
        """Of a key and its salt; DES wants odd parity."""
        octets = rng.randbytes(key)
        if "des" in self.cipher.kernel:
            octets = bytes(octet & 0xFE | ~bin(octet >> 1).count("1") & 1 for octet in octets)
        return octets + rng.randbytes(salt)

    # the engine's words

    def rule(self, names):
        words = f"encr_algs {names[3, self.cipher.number]}"
        if self.auth:
            words += f" encr_auth_algs {names[2, self.auth.number]}"
        tunnel = f"tunnel tun{self.outer} negotiate tunnel " if self.outer else ""
        return f"{{{tunnel}laddr {self.engine} raddr {self.kernel}}} ipsec {{{words} sa shared}}\n"

    def key_lines(self, names):
        """Out, then in."""
        text = ""
        mark = "6" if ":" in self.outer_engine else ""
        inner_mark = "6" if ":" in self.engine else ""
        for inbound in (0, 1):
            src, dst = (self.outer_engine, self.outer_kernel)[::-1 if inbound else 1]
            isrc, idst = (self.engine, self.kernel)[::-1 if inbound else 1]
            text += f"add esp spi {self.spi + inbound:#x} src{mark} {src} dst{mark} {dst}"
            if self.outer:
                text += f" proto {4 if self.family == 4 else 41}"
                bits = 32 if self.family == 4 else 128
                text += f" isrc{inner_mark} {isrc}/{bits} idst{inner_mark} {idst}/{bits}"
            text += f" encr_alg {names[3, self.cipher.number]} replay {self.window}"
            if self.keys[inbound]:
                text += f" encrkey {self.keys[inbound].hex()}"
            if self.auth:
                text += f" auth_alg {names[2, self.auth.number]}"
                text += f" authkey {self.auth_keys[inbound].hex()}"
            if self.esn:
                text += f" flags esn replay_value {ESN_BEGIN}"
            text += "\n"
        return text

    # the kernel's words

    def _kernel_transform(self, index):
        key = f"0x{self.keys[index].hex()}" if self.keys[index] else '""'
        if self.cipher.icv:
            return f"aead {self.cipher.kernel} {key} {self.cipher.icv}"
        return f"enc {self.cipher.kernel} {key} auth-trunc {self.auth.kernel} " \
            f"0x{self.auth_keys[index].hex()} {self.auth.icv}"

    def xfrm_lines(self):
        """For `ip -batch`: what comes from the engine (its out), then what goes there."""
        text = ""
        mode = "tunnel" if self.outer else "transport"
        for index in (0, 1):
            src, dst = (self.outer_engine, self.outer_kernel)[::-1 if index else 1]
            isrc, idst = (self.engine, self.kernel)[::-1 if index else 1]
            numbers = f"replay-window {self.window}"
            if self.esn:
                numbers += f" replay-{'o' if index else ''}seq {ESN_BEGIN} flag esn"
            text += f"xfrm state add src {src} dst {dst} proto esp spi {self.spi + index:#x} " \
                f"reqid {self.spi} mode {mode} {numbers} {self._kernel_transform(index)}"
            text += " flag af-unspec\n" if self.outer else "\n"
            text += f"xfrm policy add src {isrc} dst {idst} dir {'out' if index else 'in'} " \
                f"priority 100 tmpl src {src} dst {dst} proto esp reqid {self.spi} mode {mode}\n"
        return text

    def address_line(self, dev):
        return f"address add {self.kernel}/{32 if self.family == 4 else 128} dev {dev}" \
            f"{'' if self.family == 4 else ' nodad'}\n"


def configs():
    names = registered()
    numbers = itertools.count(1)
    found = []

    def add(pair, places, **special):
        for place in places:
            found.append(Config(next(numbers), pair, place, **special))

    for pair in PAIRS:
        if (3, CIPHERS[pair[0]].number) not in names or \
                pair[1] and (2, AUTHS[pair[1]].number) not in names:
            continue
        name = suite_name(*pair)
        add(pair, PLACES)
        if name in MIXED_SUITES:
            add(pair, MIXED)
        if name in ESN_SUITES:
            add(pair, PLACES, esn=True, window=1024)
        if name in WIDE_SUITES:
            add(pair, PLACES[:1], window=1024)
    return found
