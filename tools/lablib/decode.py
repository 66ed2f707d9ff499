# SPDX-License-Identifier: GPL-2.0-or-later
"""ESP as tshark understands it, with keys from the same ipseckeys file that the daemons read."""

import ipaddress
import subprocess
from dataclasses import dataclass

# name in ipseckeys: tshark's
CIPHERS = {
    "null": "NULL",
    "none": "NULL",
    "aes": "AES-CBC [RFC3602]",
    "aes-cbc": "AES-CBC [RFC3602]",
    "aes-gcm": "AES-GCM with 16 octet ICV [RFC4106]",
    "aes-gcm16": "AES-GCM with 16 octet ICV [RFC4106]",
    "aes-ctr": "AES-CTR [RFC3686]",
    "blowfish": "BLOWFISH-CBC [RFC2451]",
}
MACS = {
    "none": "NULL",
    "sha256": "HMAC-SHA-256-128 [RFC4868]",
    "hmac-sha256": "HMAC-SHA-256-128 [RFC4868]",
}


@dataclass
class Key:
    """One `add esp` of an ipseckeys file."""
    spi: int
    src: str
    dst: str
    encr: str
    encr_key: bytes
    auth: str
    auth_key: bytes

    def row(self):
        """tshark's option for its table of SAs."""
        words = ["IPv6" if ":" in self.src else "IPv4", self.src, self.dst, f"0x{self.spi:08x}",
                 CIPHERS[self.encr], "0x" + self.encr_key.hex() if self.encr_key else "",
                 MACS[self.auth], "0x" + self.auth_key.hex() if self.auth_key else ""]
        return "uat:esp_sa:" + ",".join(f'"{word}"' for word in words)


def read_keys(text):
    """{spi: Key} of the `add esp` commands in an ipseckeys file."""
    keys = {}
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split()
        if words[:2] != ["add", "esp"]:
            continue
        said = dict(zip(words[2::2], words[3::2]))
        ends = [str(ipaddress.ip_address(said.get(name) or said[name + "6"]))
                for name in ("src", "dst")]
        secrets = [bytes.fromhex(said.get(name, "").split("/")[0]) for name in ("encrkey", "authkey")]
        key = Key(int(said["spi"], 0), *ends, said.get("encr_alg", "null"), secrets[0],
                  said.get("auth_alg", "none"), secrets[1])
        keys[key.spi] = key
    return keys


def tshark_fields(pcap, keys, fields, wanted=""):
    """Rows of these fields (lists of text), a row for each packet that the filter wants."""
    command = ["tshark", "-n", "-r", str(pcap), "-T", "fields", "-E", "separator=|",
               "-E", "occurrence=a", "-o", "esp.enable_encryption_decode:TRUE",
               "-o", "esp.enable_authentication_check:TRUE"]
    for key in keys.values():
        command += ["-o", key.row()]
    for field in fields:
        command += ["-e", field]
    if wanted:
        command += ["-Y", wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [line.split("|") for line in done.stdout.splitlines()]
