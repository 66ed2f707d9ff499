# SPDX-License-Identifier: GPL-2.0-or-later
"""Worthless ESP in masses beside a good flow, which keeps what it keeps when nftables drops the masses."""

import json
import subprocess

import pytest
from nettest.fault import ENDS
from nettest.peer import statistics
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Raw, raw

RATE, SECONDS = 100_000, 3
GOOD = "50M"
GOOD_PORT = "5201"
TTL = 33  # of the flood, by which nftables knows it
KEPT = 0.8
TRIES = 3
# SPI; counted as. The second is a key that both ends have.
KINDS = {"unknown SPI": (0xDEAD, "esp_no_sa"), "bad ICV": (0x1002, "esp_bad_auth")}
FLOOD = """
import socket, sys, time
frame, rate, end = bytes.fromhex(sys.argv[1]), int(sys.argv[2]), time.monotonic() + float(sys.argv[3])
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("eth0", 0))
begin, sent = time.monotonic(), 0
while (now := time.monotonic()) < end:
    due = int((now - begin) * rate) - sent
    if due <= 0:
        time.sleep(0.0002)
        continue
    for _ in range(min(due, 500)):
        try:
            sock.send(frame)
        except OSError:
            pass
        sent += 1
print(int(sent / (time.monotonic() - begin)))
"""


def frame(pair, spi):
    """As beta would send it, with a sum that nobody computed and a number far ahead."""
    here, there = (json.loads(pair[name].exec("ip", "-json", "link", "show", "eth0"))[0]["address"]
                   for name in ("beta", "alpha"))
    return raw(Ether(src=here, dst=there) / IP(src=ENDS["beta"][0], dst=ENDS["alpha"][0], ttl=TTL, proto=50)
               / Raw(spi.to_bytes(4, "big") + (1 << 30).to_bytes(4, "big") + bytes(80))).hex()


def good_flow(pair, octets):
    """What part of a paced flow arrives beside the flood, and how many of those came a second."""
    alpha, beta = pair["alpha"], pair["beta"]
    server = alpha.popen("iperf3", "-s", "-1", "--forceflush", "-p", GOOD_PORT, stdout=subprocess.PIPE, text=True)
    assert any("listening" in line for line in server.stdout)
    flood = beta.popen("/usr/bin/python3", "-c", FLOOD, octets, str(RATE), str(SECONDS + 2),
                       stdout=subprocess.PIPE, text=True)
    told = beta.run("iperf3", "-c", ENDS["alpha"][0], "-p", GOOD_PORT, "-u", "-b", GOOD, "-l", "1200",
                    "-t", str(SECONDS), "-J").stdout
    rate = int(flood.communicate()[0])
    server.communicate()
    return 1 - json.loads(told)["end"]["sum"]["lost_percent"] / 100, rate


@pytest.mark.parametrize("kind", KINDS)
def test_good_flow_beside_a_flood(pair, kind, record_property):
    """Ratios of neighbours in time: the machine may have other things to do, so it has three tries."""
    alpha = pair["alpha"]
    spi, verdict = KINDS[kind]
    octets = frame(pair, spi)
    seen = []
    for _ in range(TRIES):
        before = statistics(alpha)[verdict]
        kept, rate = good_flow(pair, octets)
        dropped = statistics(alpha)[verdict] - before
        alpha.exec("nft", f"table ip guard {{ chain in {{ type filter hook prerouting priority -500; "
                          f"ip protocol esp ip ttl {TTL} drop; }}; }}")
        kept_by_nftables, _ = good_flow(pair, octets)
        alpha.exec("nft", "delete", "table", "ip", "guard")
        seen.append(f"{kind}: {rate} packets/s, {dropped} {verdict}, kept {kept:.3f}, "
                    f"beside nftables {kept_by_nftables:.3f}")
        print(seen[-1])
        assert dropped > 0
        if kept >= KEPT * kept_by_nftables:
            record_property("flood", seen[-1])
            return
    raise AssertionError("\n".join(seen))
