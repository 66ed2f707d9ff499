#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""beside_gateway.py BENCH GATEWAY CORE: what sealing a packet costs, beside DPDK's ipsec-secgw.

Both take packets from memory in bursts of 32, AES-128-GCM by libipsec-mb, on one core, in turns. Of
the gateway the processor time counts, not the clock: what else runs on the machine must not. Two runs
of different length take out what its start costs.
"""

import json
import re
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = [64, 1408]
ROUNDS = 3
SHORT_SEC, LONG_SEC = 2, 5
FLOWS = 128
INSIDE, OUTER = "198.19.7", ("198.18.9.1", "198.18.9.2")
KEY = ":".join(f"{octet:02x}" for octet in range(1, 21))  # with its salt
SA = f"4321 aead_algo aes-128-gcm aead_key {KEY} mode ipv4-tunnel src {OUTER[0]} dst {OUTER[1]}"
ANY_PORTS = "sport 0:65535 dport 0:65535"
CONFIG = f"""sp ipv4 out esp protect 4321 pri 1 dst {INSIDE}.0/24 {ANY_PORTS}
sp ipv4 in esp protect 4321 pri 1 dst {INSIDE}.0/24 {ANY_PORTS}
sa out {SA}
sa in {SA}
rt ipv4 dst {OUTER[1]}/32 port 1
rt ipv4 dst {INSIDE}.0/24 port 0
neigh port 0 02:00:00:00:00:11
neigh port 1 02:00:00:00:00:12
"""
SENT = re.compile(r"^Total packets sent:\s+(\d+)", re.M)


def address(text):
    return bytes(map(int, text.split(".")))


def datagram(size, number):
    header = struct.pack("!BBHHHBBH", 0x45, 0, size, number, 0, 64, 17, 0) + address("198.19.6.1") \
        + address(f"{INSIDE}.{number + 1}")
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", ~total & 0xFFFF) + header[12:]
    udp = struct.pack("!HHHH", 1024 + number, 4000, size - 20, 0)
    return bytes(12) + b"\x08\0" + header + udp + bytes(size - 28)


def write_capture(path, size):
    octets = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for number in range(FLOWS):
        frame = datagram(size, number)
        octets += struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame
    path.write_bytes(octets)


def run_gateway(gateway, core, where, seconds):
    """(packets, seconds of the processor)"""
    command = ["timeout", "-s", "INT", str(seconds), gateway, "--no-huge", "-m", "1024", "-l", core,
               "--no-shconf", "--no-pci", "--no-telemetry", "--vdev", "crypto_aesni_gcm0",
               "--vdev", f"net_pcap0,rx_pcap={where / 'in.pcap'},infinite_rx=1",
               "--vdev", "net_null1,no-rx=1", "--", "-p", "0x3", "-P", "-u", "0x2", "-l", "-w", "0",
               "--rxoffload", "0", "--txoffload", "0", f"--config=(0,0,{core}),(1,0,{core})",
               "-f", str(where / "gateway.cfg"), "-t", "1"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    sent = SENT.findall(done.stdout)
    if not sent:
        sys.exit(f"beside_gateway: {gateway} sent nothing: {done.stdout[-500:]}")
    return int(sent[-1]), used


def gateway_ns(*how):
    packets, used = run_gateway(*how, SHORT_SEC)
    more, longer = run_gateway(*how, LONG_SEC)
    return 1e9 * (longer - used) / (more - packets)


def our_ns(bench, core, size):
    """{"engine" or "esp": ns}"""
    command = ["taskset", "-c", core, bench, "--json", "--suite", "aes-128-gcm", "--bytes", str(size)]
    rows = json.loads(subprocess.check_output(command, text=True))
    return {row["layer"]: row["ns"] for row in rows if row["provider"] == "ipsec-mb"
            and row["batch"] == 32 and row["way"] == "seal"}


def main():
    bench, gateway, core = sys.argv[1:]
    print(f"{'BYTES':>5} {'GATEWAY NS':>11} {'ENGINE NS':>10} {'ESP NS':>7} {'ENGINE/GW':>10} "
          f"{'ESP/GW':>7}  (rate, in gateways)")
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        (where / "gateway.cfg").write_text(CONFIG)
        for size in SIZES:
            write_capture(where / "in.pcap", size)
            rounds = [(gateway_ns(gateway, core, where), our_ns(bench, core, size))
                      for _ in range(ROUNDS)]
            theirs = statistics.median(ns for ns, _ in rounds)
            ours = [statistics.median(row[layer] for _, row in rounds) for layer in ("engine", "esp")]
            ratios = [statistics.median(ns / row[layer] for ns, row in rounds)
                      for layer in ("engine", "esp")]
            print(f"{size:5} {theirs:11.1f} {ours[0]:10.1f} {ours[1]:7.1f} {ratios[0]:9.2f}x "
                  f"{ratios[1]:6.2f}x", flush=True)


if __name__ == "__main__":
    main()
