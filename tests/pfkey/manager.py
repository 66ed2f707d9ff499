# SPDX-License-Identifier: GPL-2.0-or-later
"""openiked in a lab's hosts, and what it brought to their datapaths."""

import json
import subprocess
import time

from lablib import wire
from nettest.lab import REPO
from nettest.sas import dump_sas

ADDRESS = {"alpha": "192.0.2.1", "beta": "192.0.2.2"}
ACTIVE = {"alpha", "inside"}
WAIT_SEC = 30
IKE_PORT = (500).to_bytes(2, "big")
# The SAs may carry so much; iked asks to be told after 85 to 95 % of it.
SA_BYTES = 100_000

CONFIG = """ikev2 "pair" {role} {flow} local {own} peer {peer} \\
    childsa enc {cipher} ikelifetime 3600 lifetime 3600 bytes {octets} psk "{secret}"
"""
CIPHER = "aes-256 auth hmac-sha2-512"
# It lives until our end of the pipe is closed, and takes its children with it.
RUN = """LD_PRELOAD="$1" NETIPSEC_PFKEY=linux iked -d -v $5 -f "$2" -s "$3" > "$4" 2>&1 & daemon=$!
read -r _; kill "$daemon"; wait "$daemon"
"""


def preload():
    found = list((REPO / "build/root").glob("usr/lib*/**/netipsec/libnetipsec-pfkey.so"))
    assert len(found) == 1, "the preload library is not installed"
    return found[0]


def until(question, what):
    """What question() answers once that is something."""
    end = time.monotonic() + WAIT_SEC
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {WAIT_SEC} s: {what}"


def rules(host):
    """The rules in force that came over PF_KEY."""
    listing = json.loads(host.exec("ipsecstat", "--rules", "--json"))
    return [rule for rule in listing["rules"] if rule["source"] == "PF_KEY"]


class Iked:
    """One iked in one host."""

    def __init__(self, host, directory, flow="transport esp from {own} to {peer}", ends=None,
                 options="-T"):
        own, peer = ends or (ADDRESS[host.name], next(
            address for name, address in ADDRESS.items() if name != host.name))
        self.host = host
        self.log = directory / f"{host.name}.log"
        config = directory / f"{host.name}.conf"
        config.touch(0o600)
        config.write_text(CONFIG.format(role="active" if host.name in ACTIVE else "passive",
                                        flow=flow.format(own=own, peer=peer), own=own, peer=peer,
                                        cipher=CIPHER, octets=SA_BYTES,
                                        secret="correct horse battery staple"))
        self.process = host.popen("sh", "-c", RUN, "iked", str(preload()), str(config),
                                  str(directory / f"{host.name}.sock"), str(self.log), options,
                                  stdin=subprocess.PIPE)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self):
        self.process.stdin.close()
        self.process.wait(WAIT_SEC)


def mature(host):
    return {spi for spi, sa in dump_sas(host).items() if sa["state"] == "mature"}


def protects(host):
    """Both directions have a rule and an SA."""
    return len(rules(host)) >= 2 and len(mature(host)) >= 2


def is_ike(frame):
    return frame.protocol == wire.UDP and frame.payload[:2] == IKE_PORT == frame.payload[2:4]


def spis(capture):
    return {int.from_bytes(frame.payload[:4], "big") for frame in capture.of(wire.ESP)}
