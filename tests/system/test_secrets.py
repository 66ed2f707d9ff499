# SPDX-License-Identifier: GPL-2.0-or-later
"""Key bytes stay where they belong: not in cores, on the bus, in the journal, in /proc, in other files.

Beside the keys in force there is a canary, planted in each of these places: that it is found in all of them
says that the search would find the others too.
"""

import base64
import contextlib
import json
import os
import resource
import signal
import subprocess

import pytest

BUS = "/var/tmp/bus.pcap"
KEYS = "/etc/inet/secret/ipseckeys"
SERVICES = ["ipsecalgs", "ipsec-policy", "ipsec-manual-key", "ipsec-ike", "ipsec-datapath"]
HOLDERS = ["ipsec-manual-key", "ipsec-datapath"]  # they leave no core at all
SECRET_PLACES = ["etc/inet/secret"]
CORES = "[Service]\nLimitCORE=infinity\nWorkingDirectory=/tmp\n"

# What lies in memory of the machine alone. Reads {name: [hex]}; prints [[name, where]].
SEARCH = r"""
import json, os, subprocess, sys
patterns = [(name, bytes.fromhex(one)) for name, forms in json.load(sys.stdin).items() for one in forms]
found = set()

def look(where, content):
    found.update((name, where) for name, pattern in patterns if pattern in content)

def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""

for place in ("/run", "/dev/shm"):
    for folder, _, names in os.walk(place):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.isfile(path) and not os.path.islink(path):
                look(path, read(path))
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("cmdline", "environ"):
        look(f"/proc/*/{name}", read(f"/proc/{pid}/{name}"))
look("journal", subprocess.run(["journalctl", "--all", "-o", "export"], capture_output=True).stdout)
print(json.dumps(sorted(found)))
"""


def forms_of(key):
    """The bytes as they are, in hexadecimal, and in base64 wherever in a longer text they stand."""
    middles = [base64.b64encode(b"\0" * shift + key)[(0, 2, 3)[shift]:][:len(key)] for shift in range(3)]
    return [one.hex() for one in [key, key.hex().encode(), key.hex().upper().encode(), *middles]]


def search(machine, keys):
    """{(name of a key, where it is)}; what the machine wrote on its disk lies in the upper layer of its root."""
    patterns = {name: forms_of(key) for name, key in keys.items()}
    found = {tuple(one) for one in json.loads(machine.exec("/usr/bin/python3", "-c", SEARCH,
                                                           stdin=json.dumps(patterns)))}
    for path in machine.upper.rglob("*"):
        inside = path.relative_to(machine.upper).as_posix()
        if path.is_file() and not path.is_symlink() and not inside.startswith(("usr/", *SECRET_PLACES)):
            content = path.read_bytes()
            found.update((name, f"/{inside}") for name, forms in patterns.items()
                         if any(bytes.fromhex(one) in content for one in forms))
    return found


@pytest.fixture(name="machine", scope="module")
def machine_fixture(machines):
    machine = machines("secretive")
    machine.start()
    for unit in SERVICES:
        machine.write(f"/etc/systemd/system/{unit}.service.d/cores.conf", CORES)
    machine.systemctl("daemon-reload")
    return machine


def abort(machine, unit):
    """As a fault would: with nothing in the way of a core but the daemon itself."""
    before = machine.main_pid(unit)
    with contextlib.suppress(PermissionError):  # the daemon's own limit is 0, and may be all that can be had
        resource.prlimit(machine.outer(before), resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    machine.kill(unit, signal.SIGABRT)
    machine.wait_for(lambda: machine.main_pid(unit) not in (0, before) and machine.active(unit) == "active",
                     f"the restart of {unit}", timeout=60)


def plant(machine, canary):
    """The canary in a message of the journal and of the bus, and in the core of a process."""
    machine.exec("logger", base64.b64encode(b"x" + canary).decode())
    machine.exec("busctl", "emit", "/", "org.netipsec.Test1", "Planted", "s", canary.hex().upper())
    machine.exec("mkdir", "-p", "/var/tmp/plant")
    machine.write("/var/tmp/plant/canary", canary.hex())
    script = "import os; key = bytes.fromhex(open('canary').read()); os.unlink('canary'); os.abort()"
    died = machine.run("sh", "-c", f'cd /var/tmp/plant && ulimit -c unlimited && exec /usr/bin/python3 -c "{script}"')
    assert -died.returncode == signal.SIGABRT, died


def sas(machine):
    return {sa["spi"] for sa in json.loads(machine.exec("ipsecstat", "--sas", "--json"))["sas"]}


@pytest.fixture(name="monitor")
def monitor_fixture(machine):
    """All messages of the bus into a file, until the end of the test."""
    with machine.popen("busctl", "capture", stdout=open(machine.upper / BUS.lstrip("/"), "wb"),
                       stderr=subprocess.DEVNULL) as monitor:
        machine.wait_for(lambda: machine.run("test", "-s", BUS).returncode == 0, "the capture")
        yield monitor
        machine.run("pkill", "-x", "busctl")


@pytest.fixture(name="canary")
def canary_fixture():
    return os.urandom(24)


@pytest.fixture(name="held")
def held_fixture(machine, canary):
    """A process that has the canary among its arguments."""
    with machine.popen("/usr/bin/python3", "-c", "import sys; print('up', flush=True); sys.stdin.read()",
                       canary.hex(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        yield process
        process.stdin.close()


def work_with(machine, keys):
    """Keys come into force, and a person does with them what is wrong, and looks at it afterwards."""
    text = (f"add esp spi 0x1001 src 10.9.9.1 dst 10.9.9.2 encr_alg aes encrkey {keys['cipher key'].hex()} "
            f"auth_alg sha256 authkey {keys['integrity key'].hex()}\n")
    wrong = f"add esp {keys['cipher key'].hex()} spi {keys['integrity key'].hex()}\n"
    machine.write(KEYS, text, mode=0o600)
    machine.path(KEYS).parent.chmod(0o700)
    machine.systemctl("start", *SERVICES)
    assert sas(machine) == {"0x00001001"}
    machine.write(KEYS, text + wrong, mode=0o600)
    assert machine.systemctl("reload", "ipsec-manual-key", ok=False).returncode != 0
    assert "Unknown extension field" in machine.journal("-u", "ipsec-manual-key.service")
    machine.exec("ipseckey", "fingerprint")
    machine.exec("ipseckey", "-n", "dump")
    machine.write(KEYS, text, mode=0o600)
    machine.systemctl("reload", "ipsec-manual-key")


def test_key_bytes_are_nowhere_else(machine, monitor, canary, held):
    keys = {"cipher key": os.urandom(16), "integrity key": os.urandom(32)}
    assert monitor.poll() is None and held.poll() is None
    work_with(machine, keys)
    plant(machine, canary)
    for unit in SERVICES:
        abort(machine, unit)
    machine.wait_for(lambda: sas(machine) == {"0x00001001"}, "the SA after all these deaths")
    found = search(machine, {**keys, "canary": canary})
    where = {place for name, place in found if name == "canary"}
    assert where >= {"/proc/*/cmdline", "journal", BUS}, where
    if machine.exec("cat", "/proc/sys/kernel/core_pattern").strip() == "core":
        assert any(place.startswith("/var/tmp/plant/core") for place in where), where
    assert {one for one in found if one[0] != "canary"} == set()
    for unit in HOLDERS:
        said = machine.journal("-u", f"{unit}.service")
        assert "code=killed, status=6/ABRT" in said and "code=dumped" not in said, unit
