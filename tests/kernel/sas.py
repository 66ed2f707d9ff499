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
PAIRS = [name if row.icv else f"{name}-sha256" for name, row in CIPHERS.items()]
PAIRS += [f"aes128-{auth}" for auth in AUTHS if auth != "sha256"]
# Families of the inner and outer header; transport mode has no outer one.
PLACES = [(4, None), (6, None), (4, 4), (6, 6)]
MIXED = [(6, 4), (4, 6)]
MIXED_SUITES = ["gcm128", "aes128-sha256"]
ESN_SUITES = ["gcm128", "aes256-sha256", "aes128-sha512", "ccm16", "chacha20"]
WIDE_SUITES = ["gcm256", "aes128-sha1"]
UDP_SUITES = ["gcm128", "aes128-sha256"]
NATT_PORT = 4500
ANY = {True: "0.0.0.0", False: "::"}
ESN_BEGIN = 2 ** 32 - 20  # so that the high half changes under way


# AH under each integrity algorithm, and ESP inside AH; the kernel has no GMAC for AH.
BUNDLES = [("gcm128", "sha256"), ("aes128-sha1", "sha512")]


@dataclass(frozen=True)
class Transform:
    """ESP with cipher and perhaps integrity, or AH: what one SA does."""
    proto: str
    cipher: Cipher
    auth: Auth

    def numbers(self):
        """Keys of registered()."""
        return ([(3, self.cipher.number)] if self.cipher else []) + \
            ([(2, self.auth.number)] if self.auth else [])


def esp(name):
    cipher, _, auth = name.partition("-")
    return Transform("esp", CIPHERS[cipher], AUTHS.get(auth))


def ah(name):
    return Transform("ah", None, AUTHS[name])


class Config:
    """The SAs between two addresses, innermost first, a pair for each transform."""

    def __init__(self, number, name, transforms, place, esn=False, window=64, udp=False):
        self.transforms = transforms
        self.family, self.outer = place
        self.esn, self.window, self.udp = esn, window, udp
        where = f"tunnel{self.family}in{self.outer}" if self.outer else f"transport{self.family}"
        special = f"-{'esn' if esn else 'window'}{window}" if window != 64 else ""
        special += "-udp" if udp else ""
        self.name = f"{name}{special}-{where}"
        self.first_spi = FIRST_SPI + 4 * number
        rng = random.Random(self.name)
        self.keys = {spi: self._draw_keys(rng, spi) for spi in self.spis()}
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

    def spis(self):
        return range(self.first_spi, self.first_spi + 2 * len(self.transforms))

    def _of(self, spi):
        """(transform, does the engine receive?) of an SPI."""
        return self.transforms[(spi - self.first_spi) // 2], (spi - self.first_spi) % 2

    def _draw_keys(self, rng, spi):
        """The cipher's with its salt, and the integrity algorithm's. DES wants odd parity."""
        transform, _ = self._of(spi)
        octets = b""
        if transform.cipher:
            octets = rng.randbytes(transform.cipher.key)
            if "des" in transform.cipher.kernel:
                octets = bytes(octet & 0xFE | ~bin(octet >> 1).count("1") & 1 for octet in octets)
            octets += rng.randbytes(transform.cipher.salt)
        return octets, rng.randbytes(transform.auth.key) if transform.auth else b""

    # the engine's words

    def rule(self, names):
        words = ""
        for transform in self.transforms:
            if transform.cipher:
                words += f"encr_algs {names[3, transform.cipher.number]} "
            if transform.auth:
                word = "encr_auth_algs" if transform.cipher else "auth_algs"
                words += f"{word} {names[2, transform.auth.number]} "
        tunnel = f"tunnel tun{self.outer} negotiate tunnel " if self.outer else ""
        return f"{{{tunnel}laddr {self.engine} raddr {self.kernel}}} ipsec {{{words}sa shared}}\n"

    def key_lines(self, names):
        mark = "6" if ":" in self.outer_engine else ""
        inner_mark = "6" if ":" in self.engine else ""
        text = ""
        for spi in self.spis():
            transform, inbound = self._of(spi)
            src, dst = (self.outer_engine, self.outer_kernel)[::-1 if inbound else 1]
            isrc, idst = (self.engine, self.kernel)[::-1 if inbound else 1]
            text += f"add {transform.proto} spi {spi:#x} src{mark} {src} dst{mark} {dst}"
            if self.outer:
                bits = 32 if self.family == 4 else 128
                text += f" proto {4 if self.family == 4 else 41}"
                text += f" isrc{inner_mark} {isrc}/{bits} idst{inner_mark} {idst}/{bits}"
            text += f" replay {self.window}"
            key, auth_key = self.keys[spi]
            if transform.cipher:
                text += f" encr_alg {names[3, transform.cipher.number]}"
            if key:
                text += f" encrkey {key.hex()}"
            if transform.auth:
                text += f" auth_alg {names[2, transform.auth.number]} authkey {auth_key.hex()}"
            if self.udp:
                text += f" encap udp nat_rport {NATT_PORT}"
            text += f" flags esn replay_value {ESN_BEGIN}\n" if self.esn else "\n"
        return text

    # the kernel's words

    def _kernel_transform(self, spi):
        transform, _ = self._of(spi)
        key, auth_key = self.keys[spi]
        words = ""
        if transform.cipher:
            text = f"0x{key.hex()}" if key else '""'
            if transform.cipher.icv:
                return f"aead {transform.cipher.kernel} {text} {transform.cipher.icv}"
            words = f"enc {transform.cipher.kernel} {text} "
        return words + f"auth-trunc {transform.auth.kernel} 0x{auth_key.hex()} {transform.auth.icv}"

    def _kernel_flags(self, spi, mode):
        transform, _ = self._of(spi)
        flags = ["esn"] if self.esn else []
        if mode == "tunnel":
            flags.append("af-unspec")
        if transform.proto == "ah" and ":" not in self.outer_engine:
            flags.append("align4")  # RFC 4302 section 3.3.3.2.1; the kernel's default is another
        return f" flag {' '.join(flags)}" if flags else ""

    def _mode(self, spi):
        """Only the innermost one of a bundle is in tunnel mode for the kernel."""
        return "tunnel" if self.outer and spi < self.first_spi + 2 else "transport"

    def xfrm_lines(self):
        """For `ip -batch`. What is in for the engine is out here."""
        text = ""
        for spi in self.spis():
            transform, inbound = self._of(spi)
            src, dst = (self.outer_engine, self.outer_kernel)[::-1 if inbound else 1]
            mode = self._mode(spi)
            numbers = f"replay-window {self.window}"
            if self.esn:
                numbers += f" replay-{'o' if inbound else ''}seq {ESN_BEGIN}"
            if self.udp:
                numbers += f" encap espinudp {NATT_PORT} {NATT_PORT} {ANY['.' in src]}"
            text += f"xfrm state add src {src} dst {dst} proto {transform.proto} spi {spi:#x} " \
                f"reqid {self.first_spi} mode {mode} {numbers} {self._kernel_transform(spi)}" \
                f"{self._kernel_flags(spi, mode)}\n"
        for inbound in (0, 1):
            src, dst = (self.outer_engine, self.outer_kernel)[::-1 if inbound else 1]
            isrc, idst = (self.engine, self.kernel)[::-1 if inbound else 1]
            text += f"xfrm policy add src {isrc} dst {idst} dir {'out' if inbound else 'in'} " \
                "priority 100"
            for spi in self.spis()[inbound::2]:
                mode = self._mode(spi)
                ends = f"src {src} dst {dst} " if mode == "tunnel" or not self.outer else ""
                text += f" tmpl {ends}proto {self._of(spi)[0].proto} reqid {self.first_spi} mode {mode}"
            text += "\n"
        return text

    def address_line(self, dev):
        return f"address add {self.kernel}/{32 if self.family == 4 else 128} dev {dev}" \
            f"{'' if self.family == 4 else ' nodad'}\n"


def configs():
    names = registered()
    numbers = itertools.count(1)
    found = []

    def add(name, transforms, places, **special):
        if all(number in names for transform in transforms for number in transform.numbers()):
            for place in places:
                found.append(Config(next(numbers), name, transforms, place, **special))

    for name in PAIRS:
        add(name, [esp(name)], PLACES)
        if name in MIXED_SUITES:
            add(name, [esp(name)], MIXED)
        if name in ESN_SUITES:
            add(name, [esp(name)], PLACES, esn=True, window=1024)
        if name in UDP_SUITES:
            add(name, [esp(name)], PLACES, udp=True)
        if name in WIDE_SUITES:
            add(name, [esp(name)], PLACES[:1], window=1024)
    for name in AUTHS:
        add(f"ah-{name}", [ah(name)], PLACES)
    add("ah-sha256", [ah("sha256")], MIXED)
    add("ah-sha256", [ah("sha256")], PLACES, esn=True, window=1024)
    for inner, outer in BUNDLES:
        add(f"{inner}-in-ah-{outer}", [esp(inner), ah(outer)], PLACES)
    return found
