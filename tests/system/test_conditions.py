# SPDX-License-Identifier: GPL-2.0-or-later
"""Each service against each condition that its file can be in, at a start and at a reload."""

import json
import re
from typing import NamedTuple

import pytest

DATAPATH = ("org.netipsec.Datapath1", "/org/netipsec/Datapath1", "org.netipsec.Datapath1")
CONFIGURATION, PERMISSION = "95", "100"
SA = ("add esp spi 0x1001 src 10.9.9.1 dst 10.9.9.2 encr_alg aes "
      f"encrkey {'0123456789abcdef' * 2} auth_alg sha1 authkey {'0123456789abcdef' * 2}01234567\n")


class Service(NamedTuple):
    """A service and its file."""
    name: str  # of ipsecsvc
    file: str
    mode: int
    good: str  # None: as installed
    told: str  # of a good file, up to the generation
    section: str  # of the datapath, "": none


SERVICES = {
    "ipsec-policy": Service("policy", "/etc/inet/ipsecinit.conf", 0o644,
                            "{ raddr 10.9.9.9 ulp tcp dir both } drop {}\n", "2 rules in force", "policy"),
    "ipsec-manual-key": Service("manual-key", "/etc/inet/secret/ipseckeys", 0o600, SA, "1 SA in force", "keys"),
    "ipsecalgs": Service("ipsecalgs", "/etc/inet/ipsecalgs", 0o644, "+ALG|3|200|rot13|ROT13-CBC|128|16|0|0\n",
                         "27 algorithms in force", "algorithms"),
    "ipsec-ike": Service("ike", "/etc/inet/ike/config", 0o644, "# nothing\n",
                         "Negotiates nothing yet; /etc/inet/ike/config is there", ""),
    "ipsec-datapath": Service("datapath", "/etc/netipsec/datapath.cfg", 0o644, "+# ours\n",
                              "2 rules and 1 SA in force", ""),
}
# At a start: exit status, "" for a service that is online, and its status; at a reload: the same with its
# result. In the texts @ is the file, % its last part; what begins with ";" stands behind what was told before.
ONLINE = ""
DIRECTORY = "%: cannot read: not a regular file"
UNREADABLE = "%: cannot read: Permission denied"
STAYS = "; what was in force stays"
TABLE = {
    "ipsec-policy": {
        "missing": ((ONLINE, "@ does not exist: 0 rules in force"), (ONLINE, "@ does not exist: 0 rules in force")),
        "empty": ((ONLINE, "0 rules in force"),
                  (ONLINE, "@ has no rules, the policy before stays: 2 rules in force")),
        "unreadable": ((PERMISSION, f"start failed: {UNREADABLE}{STAYS}"),
                       ("refused", f"; last reload failed: {UNREADABLE}")),
        "directory": ((CONFIGURATION, f"start failed: {DIRECTORY}{STAYS}"),
                      ("refused", f"; last reload failed: {DIRECTORY}")),
        "bad": ((CONFIGURATION, f"start failed at %:1:1{STAYS}"), ("refused", "; last reload failed at %:1:1")),
    },
    "ipsec-manual-key": {
        "missing": ((ONLINE, "@ does not exist: 0 SAs in force"), (ONLINE, "@ does not exist: 0 SAs in force")),
        "empty": ((ONLINE, "0 SAs in force"), (ONLINE, "0 SAs in force")),
        # It may read what is root's alone, and nothing else.
        "unreadable": ((CONFIGURATION, f"start failed: %: the file has insecure permissions{STAYS}"),
                       ("refused", "; last reload failed: %: the file has insecure permissions")),
        "directory": ((CONFIGURATION, f"start failed: %: Not a regular file{STAYS}"),
                      ("refused", "; last reload failed: %: Not a regular file")),
        "bad": ((CONFIGURATION, f"start failed at %:1:1{STAYS}"), ("refused", "; last reload failed at %:1:1")),
    },
    "ipsecalgs": {
        "missing": ((ONLINE, "@ does not exist: 26 built-in algorithms in force"),
                    (ONLINE, "@ does not exist: 26 built-in algorithms in force")),
        "empty": ((ONLINE, "0 algorithms in force"), (ONLINE, "0 algorithms in force")),
        "unreadable": ((PERMISSION, f"start failed: {UNREADABLE}{STAYS}"),
                       ("refused", f"; last reload failed: {UNREADABLE}")),
        "directory": ((CONFIGURATION, f"start failed: {DIRECTORY}{STAYS}"),
                      ("refused", f"; last reload failed: {DIRECTORY}")),
        "bad": ((CONFIGURATION, f"start failed at %:1:1{STAYS}"), ("refused", "; last reload failed at %:1:1")),
    },
    "ipsec-ike": {
        "missing": ((ONLINE, "Negotiates nothing yet; @ does not exist"),
                    (ONLINE, "Negotiates nothing yet; @ does not exist")),
        # Nothing in it is used: it is not opened.
        "empty": ((ONLINE, "Negotiates nothing yet; @ is there"), (ONLINE, "Negotiates nothing yet; @ is there")),
        "unreadable": ((ONLINE, "Negotiates nothing yet; @ is there"),
                       (ONLINE, "Negotiates nothing yet; @ is there")),
        "directory": ((CONFIGURATION, "start failed: @: not a regular file; nothing is negotiated"),
                      ("refused", "Negotiates nothing yet; last reload failed: @: not a regular file")),
        "bad": ((ONLINE, "Negotiates nothing yet; @ is there"), (ONLINE, "Negotiates nothing yet; @ is there")),
    },
    "ipsec-datapath": {
        "missing": ((ONLINE, "; @ does not exist: the defaults hold"),
                    (ONLINE, "; @ does not exist: the defaults hold")),
        "empty": ((ONLINE, "2 rules and 1 SA in force"), (ONLINE, "2 rules and 1 SA in force")),
        "unreadable": ((PERMISSION, f"start failed: {UNREADABLE}; what policy protects is dropped"),
                       ("refused", f"; last reload failed: {UNREADABLE}")),
        "directory": ((CONFIGURATION, f"start failed: {DIRECTORY}; what policy protects is dropped"),
                      ("refused", f"; last reload failed: {DIRECTORY}")),
        "bad": ((CONFIGURATION, "start failed at %:1; what policy protects is dropped"),
                ("refused", "; last reload failed at %:1")),
    },
}
CASES = [(unit, condition, verb) for unit, rows in TABLE.items() for condition in rows
         for verb in ("restart", "reload")]


@pytest.fixture(scope="module")
def installed(alone):
    """The files as they were installed."""
    return {unit: alone.path(service.file).read_text() for unit, service in SERVICES.items()
            if service.good.startswith("+")}


@pytest.fixture(scope="module")
def machine(alone, installed):
    for unit in SERVICES:
        put_good(alone, unit, installed)
    alone.systemctl("start", *SERVICES)
    return alone


def put_good(machine, unit, installed):
    service = SERVICES[unit]
    path = machine.path(service.file)
    if path.is_dir():
        path.rmdir()
    good = service.good
    machine.write(service.file, installed[unit] + good[1:] if good.startswith("+") else good, service.mode)


def spoil(machine, unit, condition):
    service = SERVICES[unit]
    path = machine.path(service.file)
    if condition in ("missing", "directory"):
        path.unlink()
    if condition == "directory":
        path.mkdir(mode=0o755)
    elif condition == "unreadable":
        path.chmod(0o644 if unit == "ipsec-manual-key" else 0)
    elif condition in ("empty", "bad"):
        path.write_text("" if condition == "empty" else "frobnicate = = {\n")


def status(machine, unit):
    """Without the generation."""
    return re.sub(r" \(generation \d+\)", "", machine.status_text(unit))


def wait_good(machine, unit):
    told = SERVICES[unit].told
    machine.wait_for(lambda: status(machine, unit) == told, f"'{told}' of {unit}")


def state(machine, unit):
    listing = json.loads(machine.exec("ipsecsvc", "status", "--json", SERVICES[unit].name))
    return listing["services"][0]["state"]


def in_force(machine, unit):
    """The section's generation and hash; without one, that packets which policy names get nowhere else."""
    section = SERVICES[unit].section
    if section:
        return machine.exec("busctl", "call", *DATAPATH, "GetSection", "s", section)
    return "table inet netipsec" in machine.exec("nft", "list", "tables")


def expected(unit, text):
    service = SERVICES[unit]
    text = text.replace("@", service.file).replace("%", service.file.rsplit("/", maxsplit=1)[-1])
    return service.told + text if text.startswith(";") else text


@pytest.mark.parametrize("unit, condition, verb", CASES, ids=map("-".join, CASES))
def test_a_service_and_its_file(machine, installed, unit, condition, verb):
    service = SERVICES[unit]
    wait_good(machine, unit)
    before = in_force(machine, unit)
    result, text = TABLE[unit][condition][verb == "reload"]
    spoil(machine, unit, condition)
    try:
        done = machine.systemctl(verb, unit, ok=False)
        assert (done.returncode == 0) == (result == ONLINE), done.stderr
        text = expected(unit, text)
        machine.wait_for(lambda: status(machine, unit) == text, f"'{text}' of {unit}")
        if verb == "restart" and result:
            machine.wait_for(lambda: machine.active(unit) == "failed", "the unit's failure")
            assert machine.show(unit, "ExecMainStatus") == result
            assert machine.show(unit, "NRestarts") == "0"
            assert state(machine, unit) == "maintenance"
        else:
            assert machine.active(unit) == "active"
            assert state(machine, unit) == ("degraded" if result else "online")
        if result:
            assert in_force(machine, unit) == before
    finally:
        put_good(machine, unit, installed)
    # Repaired, a running service is reloaded and a failed one cleared.
    machine.exec("ipsecsvc", "clear" if machine.active(unit) == "failed" else "refresh", service.name)
    wait_good(machine, unit)
    assert state(machine, unit) == "online"


def test_what_others_publish_does_not_hide_a_bad_file(machine, installed):
    """Policy comes into force in a datapath that runs with the settings of before, and says so."""
    wait_good(machine, "ipsec-datapath")
    spoil(machine, "ipsec-datapath", "bad")
    assert machine.systemctl("reload", "ipsec-datapath", ok=False).returncode != 0
    machine.write("/etc/inet/ipsecinit.conf", "{ raddr 10.9.9.8 } drop {}\n{ raddr 10.9.9.7 } drop {}\n")
    machine.systemctl("reload", "ipsec-policy")
    assert status(machine, "ipsec-datapath") == \
        "4 rules and 1 SA in force; last reload failed at datapath.cfg:1"
    assert state(machine, "ipsec-datapath") == "degraded" and state(machine, "ipsec-policy") == "online"
    for unit in ("ipsec-datapath", "ipsec-policy"):
        put_good(machine, unit, installed)
        machine.systemctl("reload", unit)
    for unit in ("ipsec-datapath", "ipsec-policy"):
        wait_good(machine, unit)
