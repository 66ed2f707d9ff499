# SPDX-License-Identifier: GPL-2.0-or-later
"""ESP as scapy and tshark understand it, from the same ipseckeys file that the daemons read."""

import ipaddress
import subprocess
from dataclasses import dataclass

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation

# name in ipseckeys: (scapy, tshark)
CIPHERS = {
    "null": ("NULL", "NULL"),
    "aes": ("AES-CBC", "AES-CBC [RFC3602]"),
    "aes-cbc": ("AES-CBC", "AES-CBC [RFC3602]"),
    "aes-gcm": ("AES-GCM", "AES-GCM with 16 octet ICV [RFC4106]"),
    "aes-gcm16": ("AES-GCM", "AES-GCM with 16 octet ICV [RFC4106]"),
}
MACS = {
    "none": ("NULL", "NULL"),
    "sha256": ("SHA2-256-128", "HMAC-SHA-256-128 [RFC4868]"),
    "hmac-sha256": ("SHA2-256-128", "HMAC-SHA-256-128 [RFC4868]"),
}


@dataclass
class Key:
    """One `add esp` of an ipseckeys file."""
    spi: int
    src: str
    dst: str
    encr: str = "null"
    encr_key: bytes = b""
    auth: str = "none"
    auth_key: bytes = b""
    inner: bool = False

    def scapy(self, seq=0, tunnel=False):
        """A SecurityAssociation that starts at this sequence number."""
        header = None
        if tunnel:
            family = IPv6 if ":" in self.src else IP
            header = family(src=self.src, dst=self.dst)
        # scapy takes the salt as the key's tail, as ipseckeys does
        return SecurityAssociation(ESP, spi=self.spi, seq_num=seq, crypt_algo=CIPHERS[self.encr][0],
                                   crypt_key=self.encr_key or None, auth_algo=MACS[self.auth][0],
                                   auth_key=self.auth_key or None, tunnel_header=header)

    def tshark(self):
        """A row of tshark's table of SAs."""
        family = "IPv6" if ":" in self.src else "IPv4"
        row = [family, self.src, self.dst, f"0x{self.spi:08x}", CIPHERS[self.encr][1],
               "0x" + self.encr_key.hex() if self.encr_key else "", MACS[self.auth][1],
               "0x" + self.auth_key.hex() if self.auth_key else ""]
        return "uat:esp_sa:" + ",".join(f'"{word}"' for word in row)


def read_keys(text):
    """{spi: Key} of the `add esp` commands in an ipseckeys file."""
    keys = {}
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split()
        if words[:2] != ["add", "esp"]:
            continue
        said = dict(zip(words[2::2], words[3::2]))
        encr_key = bytes.fromhex(said.get("encrkey", "").split("/")[0])
        key = Key(int(said["spi"], 0), said.get("src") or said["src6"],
                  said.get("dst") or said["dst6"], said.get("encr_alg", "null"), encr_key,
                  said.get("auth_alg", "none"), bytes.fromhex(said.get("authkey", "")),
                  any(word in said for word in ("isrc", "isrc6", "iproto")))
        key.src, key.dst = (str(ipaddress.ip_address(a)) for a in (key.src, key.dst))
        keys[key.spi] = key
    return keys


def scapy_open(frame, keys):
    """Decrypt a captured Frame; returns the packet that scapy finds inside. Raises when it is not sound."""
    packet = (IPv6 if ":" in frame.source else IP)(frame.raw[14:])
    return keys[packet[ESP].spi].scapy().decrypt(packet)


def tshark_fields(pcap, keys, fields, wanted=""):
    """Rows of these fields (lists of text), a row for each packet that the filter wants."""
    command = ["tshark", "-n", "-r", str(pcap), "-T", "fields", "-E", "separator=|",
               "-E", "occurrence=a", "-o", "esp.enable_encryption_decode:TRUE",
               "-o", "esp.enable_authentication_check:TRUE"]
    for key in keys.values():
        command += ["-o", key.tshark()]
    for field in fields:
        command += ["-e", field]
    if wanted:
        command += ["-Y", wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [line.split("|") for line in done.stdout.splitlines()]
