# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine on one end, the Linux kernel's own IPsec on the other: a User Mode Linux guest, whose
network interface is a cable to the lab. One boot serves all configurations."""

import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import sas
import traffic

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "netns"))
# pylint: disable=wrong-import-position
from nettest.lab import Lab  # noqa: E402
from nettest.sas import dump_sas  # noqa: E402

UML = "/usr/bin/linux.uml"
GUEST = Path(__file__).resolve().with_name("guest.py")
BOOT_SEC, ANSWER_SEC = 60, 90
PING_SIZES = [1, 64, 1300, 1452, 9000, 60000]
TCP_OCTETS = 150_000

CONFIGS = sas.configs()
if not shutil.which(UML):
    pytest.skip("NO KERNEL AS PEER: the Debian package user-mode-linux is missing, and ./run packages "
                "test cannot install it", allow_module_level=True)

LAB = """
host engine
	address  eth0 10.77.0.1/16 fd77::1/64
	files    engine
	services all
	after    ip -batch {batch}
host peer
	after    ip link add br0 type bridge
	after    ip tuntap add dev tap0 mode tap
	after    ip link set tap0 master br0
	after    ip link set eth0 master br0
	after    ip link set tap0 up
	after    ip link set br0 up
link engine:eth0 peer:eth0
"""
TUNNEL = """	{{ name = "tun{family}"; source = "{src}"; destination = "{dst}"; mtu = 1400; }}"""
# Counters of the kernel that stay zero when all that comes is sound; a late packet is not unsound.
UNSOUND = ["XfrmInError", "XfrmInHdrError", "XfrmInNoStates", "XfrmInStateProtoError",
           "XfrmInStateModeError", "XfrmInStateMismatch", "XfrmInStateInvalid", "XfrmInTmplMismatch",
           "XfrmInNoPols", "XfrmInPolBlock", "XfrmOutError", "XfrmOutBundleGenError",
           "XfrmOutStateProtoError", "XfrmOutStateModeError", "XfrmOutPolBlock"]


def write_engine(directory):
    names = sas.registered()
    (directory / "engine").mkdir()
    (directory / "engine/ipsecinit.conf").write_text("".join(c.rule(names) for c in CONFIGS))
    (directory / "engine/ipseckeys").write_text("".join(c.key_lines(names) for c in CONFIGS))
    tunnels = [TUNNEL.format(family=n, src=sas.ENGINE[n], dst=sas.KERNEL[n]) for n in (4, 6)]
    (directory / "engine/datapath.cfg").write_text("tunnels = (\n" + ",\n".join(tunnels) + "\n);\n")
    lines = ""
    for config in CONFIGS:
        if config.outer:
            bits = "/32" if config.family == 4 else "/128"
            nodad = "" if config.family == 4 else " nodad"
            lines += f"address add {config.engine}{bits} dev lo{nodad}\n"
            lines += f"route add {config.kernel}{bits} dev tun{config.outer}\n"
    (directory / "engine.batch").write_text(lines)
    (directory / "kernel.lab").write_text(LAB.format(batch=directory / "engine.batch"))


def write_kernel(directory):
    lines = "link set vec0 up\naddress add 10.77.0.2/16 dev vec0\naddress add fd77::2/64 dev vec0 nodad\n"
    for direction in ("in", "out"):  # neighbours have to find each other before they can protect
        for kind in (135, 136):
            lines += f"xfrm policy add src ::/0 dst ::/0 proto ipv6-icmp type {kind} " \
                f"dir {direction} priority 1\n"
    for place in sas.ANY.values():  # its policy is asked about the UDP header too, before the ESP in it
        lines += f"xfrm policy add src {place}/0 dst {place}/0 proto udp dport {sas.NATT_PORT} " \
            "dir in priority 1\n"
    for config in CONFIGS:
        lines += config.address_line("lo" if config.outer else "vec0")
        if config.outer:
            bits = "/32" if config.family == 4 else "/128"
            lines += f"route add {config.engine}{bits} dev vec0\n"
        lines += config.xfrm_lines()
    (directory / "kernel.batch").write_text(lines)


class Guest:
    """The kernel, and the line to it."""

    def __init__(self, host, directory):
        self.line, theirs = socket.socketpair()
        self.pending = b""
        self.console = directory / "console"
        with theirs, open(self.console, "wb") as console:
            fd = theirs.fileno()
            command = [UML, "mem=192M", "root=/dev/root", "rootfstype=hostfs", "ro", f"init={GUEST}",
                       "con=null", "con0=null,fd:2", f"ssl0=fd:{fd},fd:{fd}", "quiet",
                       f"uml_dir={directory}", "vec0:transport=tap,ifname=tap0,depth=128"]
            self.process = host.popen(*command, pass_fds=[fd], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=console)
        assert self.answer(BOOT_SEC) == "ready"

    def answer(self, seconds=ANSWER_SEC):
        self.line.settimeout(seconds)
        while b"\n" not in self.pending:
            data = self.line.recv(65536)
            assert data, "the guest ended: " + self.console.read_text(errors="replace")[-2000:]
            self.pending += data
        text, self.pending = self.pending.split(b"\n", 1)
        return json.loads(text)

    def __call__(self, *request):
        self.line.sendall(json.dumps(request).encode() + b"\n")
        return self.answer()

    def run(self, *argv):
        done = self("run", argv)
        assert done["status"] == 0, f"{argv}: {done['text']}"
        return done["text"]

    def close(self):
        self.line.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture(name="peers", scope="module")
def start_peers(tmp_path_factory):
    """(engine's host, kernel): all SAs and policies are in both."""
    directory = tmp_path_factory.mktemp("kernel")
    write_engine(directory)
    write_kernel(directory)
    lab = Lab(directory / "kernel.lab", directory, "lab")
    try:
        kernel = Guest(lab["peer"], directory)
        kernel.run("ip", "-batch", str(directory / "kernel.batch"))
        server = traffic.serve(lab["engine"].socket)
        yield lab["engine"], kernel
        server.close()
        kernel.close()
    finally:
        lab.down()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_both_ways(peers, config):
    engine, kernel = peers
    ends = config.family, config.engine, config.kernel
    back = config.family, config.kernel, config.engine
    assert traffic.ping(engine.socket, *ends, PING_SIZES) is None
    assert kernel("ping", *back, PING_SIZES) is None
    assert traffic.tcp(engine.socket, *ends, TCP_OCTETS) is None
    assert kernel("tcp", *back, TCP_OCTETS) is None


def kernel_sas(kernel):
    """{SPI: (packets, highest high half)} of the kernel's SAs."""
    found = {}
    for text in re.split(r"^(?=src )", kernel.run("ip", "-s", "xfrm", "state"), flags=re.M)[1:]:
        spi = int(re.search(r"spi (0x[0-9a-f]+)", text)[1], 0)
        packets = int(re.search(r"lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)", text)[1])
        high = max((int(hi, 0) for hi in re.findall(r"seq-hi (0x[0-9a-f]+)", text)), default=0)
        found[spi] = packets, high
    return found


def test_every_sa_carried_it_all(peers):
    """What went past its SA would have been dropped; this is the proof that it did not go."""
    engine, kernel = peers
    theirs, ours = kernel_sas(kernel), dump_sas(engine)
    for config in CONFIGS:
        for spi in config.spis():
            packets, high = theirs[spi]
            assert packets >= 2 * len(PING_SIZES) and ours[spi]["packets"] >= 2 * len(PING_SIZES), \
                f"{config.name}: {packets} packets, {ours[spi]}"
            assert ours[spi]["errors"] == 0, config.name
            assert high == config.esn, f"{config.name}: the high half is {high}"


def test_the_kernel_saw_nothing_unsound(peers):
    _, kernel = peers
    counts = dict(line.split() for line in kernel("xfrm_stat").splitlines())
    assert {name: counts[name] for name in UNSOUND if counts[name] != "0"} == {}
