# SPDX-License-Identifier: GPL-2.0-or-later
"""ESP as scapy understands it, beside lablib's decoding by tshark."""

from lablib.decode import Key, read_keys, tshark_fields  # noqa: F401
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation

CIPHERS = {"null": "NULL", "none": "NULL", "aes": "AES-CBC", "aes-cbc": "AES-CBC",
           "aes-gcm": "AES-GCM", "aes-gcm16": "AES-GCM",
           "aes-ctr": "AES-CTR", "blowfish": "Blowfish"}
MACS = {"none": "NULL", "sha256": "SHA2-256-128", "hmac-sha256": "SHA2-256-128"}


def association(key, seq=1, tunnel=False):
    """scapy's side of a Key, next to send this sequence number."""
    family = IPv6 if ":" in key.src else IP
    # scapy takes the salt as the key's tail, as ipseckeys does
    return SecurityAssociation(ESP, spi=key.spi, seq_num=seq, crypt_algo=CIPHERS[key.encr],
                               crypt_key=key.encr_key or None, auth_algo=MACS[key.auth],
                               auth_key=key.auth_key or None,
                               tunnel_header=family(src=key.src, dst=key.dst) if tunnel else None)


def scapy_open(frame, keys):
    """Decrypt a captured Frame; returns the packet that scapy finds. Raises when it is not sound."""
    packet = (IPv6 if ":" in frame.source else IP)(frame.raw[14:])
    return association(keys[packet[ESP].spi]).decrypt(packet)
