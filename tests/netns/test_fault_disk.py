# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk is full, or read-only, or takes no more: what is in force stays so, and no number is used twice."""

import contextlib
import os
import socket
import time

import pytest
from lablib import wire
from nettest.fault import ENDS, State, answers, under_traffic, used_twice
from nettest.peer import statistics

STATE = "/var/lib/netipsec"
KEPT = f"{STATE}/datapath/policy"
POLICY, KEYS = "/etc/inet/ipsecinit.conf", "/etc/inet/secret/ipseckeys"
DISKS = (STATE, "/etc/inet")
STATEFUL = ["ipsec-datapath", "ipsec-policy", "ipsec-manual-key", "ipsecalgs"]
CHUNK = 1 << 14  # sequence numbers that are reserved ahead at least
MORE_KEYS = "".join(f"add esp spi {0x9000 + n:#x} src 192.0.2.1 dst 203.0.113.9 encr_alg aes-gcm16 "
                    f"encrkey {n:02x}{'5a' * 19}\n" for n in range(100))
MORE_RULES = "".join(f"{{raddr 10.0.{n // 250}.{n % 250 + 1} ulp tcp}} drop {{}}\n" for n in range(1000))


@contextlib.contextmanager
def elsewhere(host, prepare):
    """The host's directories lie on disks of the test's own while the block runs: prepare(place)."""
    for unit in STATEFUL:
        host.hold(unit)
        host.kill(unit)
    try:
        for place in DISKS:
            prepare(place)
        for unit in STATEFUL:
            host.release(unit)
            host.wait_active(unit)
        yield
    finally:
        for unit in STATEFUL:
            host.hold(unit)
            host.kill(unit)
        for place in DISKS:
            host.exec("umount", "--lazy", place)
        for unit in STATEFUL:
            host.release(unit)
            host.wait_active(unit)


@pytest.fixture
def small_disk(pair):
    """Room for what is there, and little more."""
    alpha = pair["alpha"]

    def prepare(place):
        alpha.exec("mkdir", "-p", "/run/old")
        alpha.exec("mount", "--bind", place, "/run/old")
        alpha.exec("mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "lab", place)
        alpha.exec("cp", "-a", "/run/old/.", place)
        alpha.exec("umount", "/run/old")
    with elsewhere(alpha, prepare):
        yield pair


def fill(host):
    for place in DISKS:
        done = host.run("dd", "if=/dev/zero", f"of={place}/ballast", "bs=1k")
        assert "No space left" in done.stderr


def empty(host):
    for place in DISKS:
        host.exec("rm", f"{place}/ballast")


def wait_for(host, *command):
    """Run the command until it succeeds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if host.run(*command).returncode == 0:
            return True
    return False


@contextlib.contextmanager
def changed(host, path, more):
    """The file has more lines while the block runs; the text lies in place, so no room is needed."""
    before = host.exec("cat", path)
    script = 'cat >"$0"'
    assert host.run("sh", "-c", script, path, stdin=before + more).returncode == 0
    yield
    assert host.run("sh", "-c", script, path, stdin=before).returncode == 0


def test_full(small_disk):
    alpha = small_disk["alpha"]
    with under_traffic(small_disk) as steady:
        with changed(alpha, KEYS, MORE_KEYS), changed(alpha, POLICY, MORE_RULES):
            fill(alpha)
            before = State(alpha)
            # SAs whose numbers have no place on disk are refused, and with them the file.
            done = alpha.systemctl("reload", "ipsec-manual-key", ok=False)
            assert done.returncode == 1 and "No space left on device" in done.stderr
            before.assert_kept(State(alpha))
            # A policy takes effect; at the next boot it will not be known, and neither the former.
            alpha.systemctl("reload", "ipsec-policy")
            assert alpha.run("test", "-e", KEPT).returncode != 0
            # Neither file nor table change.
            table = alpha.exec("ipsecalgs", "-l")
            done = alpha.run("ipsecalgs", "-e", "async", "-P", "2", "-s")
            assert done.returncode != 0 and "No space left on device" in done.stderr
            assert alpha.exec("ipsecalgs", "-l") == table
            assert alpha.run("sh", "-c", "ls /etc/inet/ipsecalgs*").stdout == ""
            steady.flow(100)
            empty(alpha)
            alpha.systemctl("reload", "ipsec-manual-key")
            alpha.systemctl("reload", "ipsec-policy")
            assert wait_for(alpha, "test", "-s", KEPT)
            alpha.exec("ipsecalgs", "-e", "async", "-P", "2", "-s")
            alpha.exec("rm", "/etc/inet/ipsecalgs")
        for unit in ("ipsec-manual-key", "ipsec-policy", "ipsecalgs"):
            alpha.systemctl("reload", unit)


def test_read_only(pair):
    """After a restart no SA can send, and the policy of before holds."""
    alpha, beta = pair["alpha"], pair["beta"]
    assert answers(alpha, ENDS["beta"][0])
    before = State(alpha)

    def prepare(place):
        alpha.exec("mount", "--bind", place, place)
        alpha.exec("mount", "-o", "remount,bind,ro", place)
    with wire.Capture(beta, "eth0") as capture:
        with elsewhere(alpha, prepare):
            for there in ENDS["beta"]:
                answers(alpha, there, seconds=1)
            done = alpha.run("ipsecalgs", "-e", "async", "-P", "2", "-s")
            assert done.returncode != 0 and "Read-only file system" in done.stderr
            alpha.systemctl("reload", "ipsec-policy")
        assert all(answers(alpha, there) for there in ENDS["beta"])
    before.assert_kept(State(alpha))
    assert not capture.clear()
    assert not used_twice(capture.of(wire.ESP))


def blast(host, count):
    """Datagrams as fast as they go; the peer need not hear of all."""
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(count):
            with contextlib.suppress(OSError):
                sock.sendto(b"x", (ENDS["beta"][0], 9))


def limit_files(host, octets):
    pid = str(host.outer_pid("ipsec-datapath"))
    assert os.spawnlp(os.P_WAIT, "prlimit", "prlimit", "--pid", pid, f"--fsize={octets}:") == 0


def test_the_disk_takes_no_more_numbers(pair):
    """What was reserved is used up and then packets are dropped, until the disk takes more."""
    alpha = pair["alpha"]
    with under_traffic(pair):
        limit_files(alpha, 0)
        for _ in range(100):
            blast(alpha, CHUNK // 4)
            if statistics(alpha)["esp_seq_unreserved"]:
                break
        assert statistics(alpha)["esp_seq_unreserved"] > 0
        limit_files(alpha, "unlimited")
