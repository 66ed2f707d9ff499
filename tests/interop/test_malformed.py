# SPDX-License-Identifier: GPL-2.0-or-later
"""Malformed captures that others collected: the whole engine drops each packet for a reason with a
name, counted once (tests/fuzz/fuzz_engine.c has the promises), and no parser reads beyond it."""

import contextlib
import os
import struct
import subprocess
from pathlib import Path

import pytest
from scapy.error import Scapy_Exception
from scapy.utils import RawPcapReader

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NETIPSEC_BUILD", TOP / "build"))
CAPTURES = TOP / "../shared/vectors/fuzz/pcap"
# What stands before the IP packet, by type of link; others are taken as they are.
LINK_HEADERS = {0: 4, 1: 14, 113: 16, 276: 20}
TARGETS = ["engine", "packet", "esp_open", "ah_open", "udp_encap", "frag_store"]
VLAN = 0x8100


def packets(path):
    """The IP packets of a capture, however far it can be read."""
    try:
        with contextlib.closing(RawPcapReader(str(path))) as reader:
            for octets, meta in reader:
                link = getattr(meta, "linktype", None) or getattr(reader, "linktype", 1)
                at = LINK_HEADERS.get(link, 0)
                if link == 1 and octets[12:14] == struct.pack("!H", VLAN):
                    at += 4
                yield octets[at:]
    except (Scapy_Exception, EOFError, struct.error):
        pass  # the file itself is cut


@pytest.fixture(name="inputs", scope="module")
def extract(tmp_path_factory):
    if not CAPTURES.is_dir():
        pytest.skip("no captures of other projects beside the checkout")
    directory = tmp_path_factory.mktemp("malformed")
    for path in sorted(CAPTURES.iterdir()):
        for number, octets in enumerate(packets(path)):
            (directory / f"{path.stem}-{number}").write_bytes(octets)
            # What comes to port 4500 is looked at without the headers before it as well.
            (directory / f"{path.stem}-{number}-inside").write_bytes(octets[28:])
    return directory


@pytest.mark.parametrize("target", TARGETS)
def test_captures_are_dropped_by_name(inputs, target):
    done = subprocess.run([BUILD / f"tests/fuzz/fuzz-{target}", inputs], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    tried = int(done.stdout.splitlines()[-1].split()[0])
    assert tried == len(list(inputs.iterdir())) > 200, "the captures were not read"
