# SPDX-License-Identifier: GPL-2.0-or-later
"""Every daemon and the bus die at random moments under traffic; services stand still; limits are hit.

NETIPSEC_FAULT_KILLS, NETIPSEC_FAULT_RELOADS and NETIPSEC_FAULT_STILL_SEC make it last, as ./run soak
faults does.
"""

import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from resource import RLIMIT_AS, RLIMIT_NOFILE, prlimit

import pytest
from lablib import units
from nettest.fault import ENDS, SECTIONS, generation, resources, under_traffic
from nettest.lab import REPO
from nettest.probe import UDP_PERIOD_SEC, SteadyProbe, loses_nothing
from nettest.progress import progress, tell

KILLS = int(os.environ.get("NETIPSEC_FAULT_KILLS", "10"))  # of each
STILL_SEC = float(os.environ.get("NETIPSEC_FAULT_STILL_SEC", "1"))
RELOADS = int(os.environ.get("NETIPSEC_FAULT_RELOADS", "500"))  # of each file
WARM_UP, GROWTH_KIB, FLOOD_GROWTH_KIB = 10, 256, 8192
SETTLED_SEC = 20
STEP = 100  # an even number, so that the files are in the end what they were
QUIET_PERIOD_SEC = 0.004  # of traffic for who measures something else
STILL_PERIOD_SEC = QUIET_PERIOD_SEC if STILL_SEC > 1 else UDP_PERIOD_SEC
ALGORITHMS = (REPO / "etc/inet/ipsecalgs").read_text()
# Whose file, and the line that comes and goes in it.
RELOADED = [
    ("Policy1", "/etc/inet/ipsecinit.conf", "{raddr 203.0.113.1 ulp tcp} drop {}\n"),
    ("ManualKey1", "/etc/inet/secret/ipseckeys",
     "add esp spi 0x9000 src 192.0.2.1 dst 203.0.113.9 encr_alg aes-gcm16 encrkey " + "5a" * 20 + "\n"),
    ("Algorithms1", "/etc/inet/ipsecalgs",
     next(line for line in ALGORITHMS.splitlines(True) if line.startswith("ALG|3|7|"))),
    ("Ike1", "/etc/inet/ike/config", "# nothing reads this yet\n"),
    ("Datapath1", None, ""),
]
# Reads how often, does it, and says so: a process for each reload would cost more than the reload.
RELOADER = """
import dbus, json, sys
bus, turn = dbus.SystemBus(), 0
for times in sys.stdin:
    for _ in range(int(times)):
        turn += 1
        for name, path, text, line in json.loads(sys.argv[1]):
            if path:
                with open(path, "w") as file:
                    file.write(text + line * (turn % 2))
            bus.call_blocking("org.netipsec." + name, "/org/netipsec/" + name, "org.netipsec." + name,
                              "Reload", "", ())
    print(times, end="", flush=True)
"""
ROOM_BYTES = 1 << 20
LARGE = {
    "ipsec-policy": ("/etc/inet/ipsecinit.conf", "".join(
        f"{{raddr 10.{n >> 16}.{n >> 8 & 255}.{n & 255} ulp tcp}} drop {{}}\n" for n in range(20000))),
    "ipsec-manual-key": ("/etc/inet/secret/ipseckeys", "".join(
        f"add esp spi {0x10000 + n:#x} src 192.0.2.1 dst 203.0.113.9 encr_alg aes-cbc encrkey {n:032x} "
        f"auth_alg sha256 authkey {n:064x}\n" for n in range(20000))),
}
# Calls that cost much, on several connections, answers unread until the bus takes no more.
FLOOD = """
import dbus, sys, threading
def flood():
    bus = dbus.SystemBus(private=True)
    while True:
        for method in ("GetStatistics", "ListRules", "DumpSas"):
            call = dbus.lowlevel.MethodCallMessage("org.netipsec.Datapath1", "/org/netipsec/Datapath1",
                                                   "org.netipsec.Datapath1", method)
            try:
                bus.send_message(call)
            except dbus.exceptions.DBusException:
                bus = dbus.SystemBus(private=True)
        bus.flush()
for _ in sys.argv[1:]:
    threading.Thread(target=flood, daemon=True).start()
print("flooding", flush=True)
sys.stdin.read()
"""
SERVICES = list(units.UNITS)


def test_all_die_in_any_order(pair, record_property):
    """The bus too, and mostly the next one before the last is back."""
    alpha = pair["alpha"]
    seed = random.SystemRandom().randrange(1 << 32)
    record_property("seed", seed)
    print("seed", seed)
    tell(f"seed {seed}")
    draw = random.Random(seed)
    order = [*SERVICES, "dbus"] * KILLS
    draw.shuffle(order)
    with under_traffic(pair) as steady:
        for number in progress("deaths", len(order)):
            alpha.wait_active(order[number])
            alpha.kill(order[number])
            steady.flow(draw.randrange(1, 60))
        for unit in {"dbus": None, **units.UNITS}:
            alpha.wait_active(unit)


def test_all_but_the_datapath_stand_still(pair):
    """Nothing that is protected waits for any of them."""
    alpha = pair["alpha"]
    others = [unit for unit in [*SERVICES, "dbus"] if unit != "ipsec-datapath"]

    def still():
        for unit in others:
            alpha.signal(unit, signal.SIGSTOP)
        threading.Event().wait(STILL_SEC)
        for unit in others:
            alpha.signal(unit, signal.SIGCONT)
    with under_traffic(pair, period=STILL_PERIOD_SEC):
        loses_nothing(lambda: SteadyProbe(alpha, pair["beta"], ENDS["beta"][1], port=7778,
                                          period=STILL_PERIOD_SEC), still)
        alpha.systemctl("reload", "ipsec-policy")


def test_datapath_stands_still(pair):
    with under_traffic(pair) as steady:
        pair["alpha"].signal("ipsec-datapath", signal.SIGSTOP)
        steady.flow(int(1000 * STILL_SEC))
        pair["alpha"].signal("ipsec-datapath", signal.SIGCONT)


def set_limit(host, unit, descriptors):
    """For descriptors that it opens from now on; returns what it was."""
    return prlimit(host.outer_pid(unit), RLIMIT_NOFILE,
                   (descriptors, prlimit(host.outer_pid(unit), RLIMIT_NOFILE)[1]))[0]


def cpu_sec(host, unit):
    """CPU time of the thread that serves others."""
    fields = Path(f"/proc/{host.outer_pid(unit)}/task/{host.outer_pid(unit)}/stat").read_text()
    user, system = fields.rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


# Knocks at each door until it is not heard any more, says how often, and waits.
CLIENTS = """
import socket, sys
knocks = []
for path in sys.argv[1:]:
    for _ in range(50):
        knock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            knock.connect(path)
        except BlockingIOError:
            break
        knocks.append(knock)
print(len(knocks), flush=True)
sys.stdin.read()
"""


def settles(done):
    """Ask until it is so; answers that are under way hold descriptors."""
    end = time.monotonic() + SETTLED_SEC
    while time.monotonic() < end:
        if done():
            return True
    return False


def test_no_descriptors_left(pair):
    """Doors that cannot be opened wait; nobody spins, nothing is lost, and it all goes on afterwards."""
    alpha = pair["alpha"]
    with under_traffic(pair) as steady:
        before = {unit: resources(alpha, unit)[1] for unit in SERVICES}
        limits = {unit: set_limit(alpha, unit, before[unit]) for unit in SERVICES}
        clients = alpha.popen("/usr/bin/python3", "-c", CLIENTS, "/run/netipsec/pfkey",
                              "/run/netipsec/keys", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
        assert int(clients.stdout.readline()) > 0
        spent = cpu_sec(alpha, "ipsec-datapath")
        steady.flow(2000)
        assert cpu_sec(alpha, "ipsec-datapath") - spent < 1, "somebody knocks and the loop spins"
        for unit in ("ipsec-policy", "ipsec-manual-key", "ipsecalgs"):
            assert alpha.systemctl("reload", unit, ok=False).returncode == 1
        clients.stdin.close()
        clients.wait()
        for unit in SERVICES:
            alpha.wait_active(unit)
            set_limit(alpha, unit, limits[unit])
        for unit in ("ipsec-policy", "ipsec-manual-key", "ipsecalgs"):
            alpha.systemctl("reload", unit)
        assert alpha.run("ipseckey", "dump").returncode == 0
    assert settles(lambda: all(resources(alpha, unit)[1] <= before[unit] for unit in SERVICES))


@pytest.mark.parametrize("unit", ["ipsec-policy", "ipsec-manual-key", "ipsec-datapath"])
def test_no_memory_left(pair, unit):
    """A policy or key file that is too large for what memory there is: refused, and the former in force."""
    alpha = pair["alpha"]
    path, large = LARGE["ipsec-manual-key" if unit == "ipsec-manual-key" else "ipsec-policy"]
    reloaded = "ipsec-manual-key" if unit == "ipsec-manual-key" else "ipsec-policy"
    before = alpha.path(path).read_text()
    with under_traffic(pair):
        pid = alpha.outer_pid(unit)
        status = Path(f"/proc/{pid}/status").read_text()
        used = int(re.search(r"^VmSize:\s+(\d+)", status, re.M)[1]) << 10
        limits = prlimit(pid, RLIMIT_AS)
        prlimit(pid, RLIMIT_AS, (used + ROOM_BYTES, limits[1]))
        alpha.write(path, before + large)
        try:
            assert alpha.systemctl("reload", reloaded, ok=False).returncode == 1
        finally:
            alpha.write(path, before)
        alpha.wait_active(unit)
        if alpha.outer_pid(unit) == pid:
            prlimit(pid, RLIMIT_AS, limits)
        alpha.systemctl("reload", reloaded)


def test_reloads_leave_nothing_behind(pair):
    """Files that change each time: neither memory nor descriptors grow once all has been done some times."""
    alpha = pair["alpha"]
    alpha.write("/etc/inet/ipsecalgs", ALGORITHMS)
    work = []
    for name, path, line in RELOADED:
        before = alpha.path(path).read_text() if path and alpha.path(path).exists() else ""
        work.append((name, path, before.replace(line, ""), line))
    with under_traffic(pair, period=QUIET_PERIOD_SEC), alpha.popen(
            "/usr/bin/python3", "-c", RELOADER, json.dumps(work), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True) as reloader:
        def reload(times):
            reloader.stdin.write(f"{times}\n")
            reloader.stdin.flush()
            assert reloader.stdout.readline() == f"{times}\n"
        reload(WARM_UP)
        generations = {name: generation(alpha, name) for name in SECTIONS}
        before = {unit: resources(alpha, unit) for unit in SERVICES}
        for _ in progress(f"times {STEP} reloads of each file", RELOADS // STEP):
            reload(STEP)
        turns = {name: generation(alpha, name) - generations[name] for name in SECTIONS}
        after = {unit: resources(alpha, unit) for unit in SERVICES}
        reloader.stdin.close()
    tell(f"KiB and descriptors before {before}, afterwards {after}")
    assert min(turns.values()) >= RELOADS, f"not each reload brought something new: {turns}"
    for unit in SERVICES:
        assert after[unit][0] <= before[unit][0] + GROWTH_KIB, (unit, before, after)
        assert after[unit][1] <= before[unit][1], (unit, before, after)
    alpha.path("/etc/inet/ipsecalgs").unlink()
    alpha.systemctl("reload", "ipsecalgs")


def test_flood_on_the_bus(pair):
    """Somebody without rights calls as fast as he can and reads no answer: packets and others go on."""
    alpha, user = pair["alpha"], "somebody" if os.geteuid() == 0 else None
    with under_traffic(pair) as steady:
        before = resources(alpha, "ipsec-datapath")
        flood = subprocess.Popen(alpha.argv("/usr/bin/python3", "-c", FLOOD, *map(str, range(3)), user=user),
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert flood.stdout.readline() == "flooding\n"
            sent = steady.sent["udp"]
            for _ in range(5):
                alpha.systemctl("reload", "ipsec-policy")
                assert alpha.run("ipsecstat").returncode == 0
            steady.flow(1000)
            assert steady.sent["udp"] > sent
        finally:
            flood.stdin.close()
            flood.wait()
        alpha.systemctl("reload", "ipsec-policy")
        assert settles(lambda: resources(alpha, "ipsec-datapath")[1] <= before[1])
        assert resources(alpha, "ipsec-datapath")[0] <= before[0] + FLOOD_GROWTH_KIB
