# SPDX-License-Identifier: GPL-2.0-or-later
"""Where packets are worked, and how much of the CPUs that takes: both change under traffic."""

import os
import time

import pytest
from nettest.peer import statistics
from nettest.probe import SteadyProbe, loses_nothing

SETTINGS = "/etc/netipsec/ipsecalgs.cfg"
ADDRESSES = ["192.0.2.2", "2001:db8::2"]
PINGS = 20
FLOOD_SEC = 2
FLOOD = f"""
import socket, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + {FLOOD_SEC}
while time.monotonic() < end:
    for _ in range(50):
        sock.sendto(b"x" * 1300, ("192.0.2.2", 9))
"""


def set_mode(host, mode, protocol="3"):
    host.exec("ipsecalgs", "-e", mode, "-P", protocol, "-s")


def set_share(host, percent):
    host.write(SETTINGS, f"crypto_cpu_max = {percent};\n")
    host.systemctl("reload", "ipsecalgs")


@pytest.fixture(name="alpha")
def alpha_fixture(pair):
    host = pair["alpha"]
    before = host.path(SETTINGS).read_text() if host.path(SETTINGS).exists() else ""
    yield host
    host.write(SETTINGS, before)
    set_mode(host, "async")
    host.systemctl("reload", "ipsecalgs")


def ping(host, address="192.0.2.2"):
    return host.run("ping", "-q", f"-c{PINGS}", "-i0.01", "-W5", address).returncode == 0


@pytest.mark.parametrize("address", ADDRESSES, ids=["ipv4", "ipv6"])
def test_the_mode_says_which_thread_works(alpha, address):
    """What the control thread takes over is counted when it is left to it, and once more as done."""
    for mode, left in (("sync", 2 * PINGS), ("async", 0), ("sync", 2 * PINGS)):
        set_mode(alpha, mode)
        before = statistics(alpha)
        assert ping(alpha, address)
        after = statistics(alpha)
        gained = {name: after[name] - before[name]
                  for name in ("exec_sync", "out_protected", "in_accepted")}
        assert gained["exec_sync"] >= left if left else gained["exec_sync"] == 0, (mode, gained)
        assert min(gained["out_protected"], gained["in_accepted"]) >= PINGS, (mode, gained)


def test_the_mode_of_another_protocol_changes_nothing(alpha):
    set_mode(alpha, "sync", "2")
    before = statistics(alpha)["exec_sync"]
    assert ping(alpha) and statistics(alpha)["exec_sync"] == before


@pytest.mark.parametrize("address", ADDRESSES, ids=["ipv4", "ipv6"])
def test_a_switch_loses_nothing(pair, alpha, address):
    def switch():
        for mode in ("sync", "async") * 3:
            set_mode(alpha, mode)
    # Echoes come back the other way, so both directions are switched.
    loses_nothing(lambda: SteadyProbe(alpha, pair["beta"], address), switch)


def thread_seconds(pid):
    """{thread: CPU seconds} of the daemon."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        found[int(task)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def flood(host):
    """CPU seconds by thread, and the time that it took."""
    pid = host.outer_pid("ipsec-datapath")
    before, start = thread_seconds(pid), time.monotonic()
    host.exec("/usr/bin/python3", "-c", FLOOD)
    after = thread_seconds(pid)
    return {task: after[task] - before[task] for task in after}, time.monotonic() - start, pid


def most(percent, took):
    """What the share comes to; beside packets the daemon hears the bus and looks at its SAs."""
    return percent / 100 * len(os.sched_getaffinity(0)) * took * 1.25 + 0.1


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_the_share_of_the_cpus_bounds_a_flood(alpha, mode):
    percent = 2
    set_mode(alpha, mode)
    free, took, pid = flood(alpha)
    busy = free.pop(pid) if mode == "sync" else max(free.values())
    assert busy > most(percent, took), "unbounded it takes more, in the thread of its mode"
    set_share(alpha, percent)
    bounded, took, _ = flood(alpha)
    assert sum(bounded.values()) <= most(percent, took), bounded
    assert ping(alpha), "what is bounded is slow, not dead"
