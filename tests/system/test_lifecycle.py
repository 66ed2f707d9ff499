# SPDX-License-Identifier: GPL-2.0-or-later
"""Stop, restart, disable, mask, kill and shutdown of each service differ, each service alone."""

import json

import pytest
from systest.protected import ALPHA, BETA, SERVICES, cabled, fate

ENFORCED = "6 rules and 2 SAs in force"
# What becomes of packets that policy protects; a verb is one job for one unit.
PASSING = {
    "reload": dict.fromkeys(SERVICES, "protected"),
    "restart": dict.fromkeys(SERVICES, "protected"),
    "kill": dict.fromkeys(SERVICES, "protected"),
    "mask": dict.fromkeys(SERVICES, "protected"),
    "stop": {"ipsecalgs": "protected", "ipsec-policy": "clear", "ipsec-manual-key": "dropped",
             "ipsec-ike": "protected", "ipsec-datapath": "dropped"},
}
PASSING["disable --now"] = PASSING["stop"]
STOPS = ("stop", "disable --now")
# The last status of a unit that others still know of.
LEFT = {"ipsec-datapath": "what policy protects is dropped", "ipsec-ike": "nothing is negotiated",
        "ipsecalgs": "what was in force stays"}


@pytest.fixture(scope="module")
def pair(machines):
    alpha, beta = cabled(machines)
    for machine in (alpha, beta):
        machine.start()
        machine.systemctl("enable", "--now", *SERVICES)
    return alpha, beta


def bring_back(machine):
    machine.systemctl("unmask", *SERVICES)
    machine.systemctl("enable", *SERVICES)
    machine.systemctl("start", *SERVICES)
    wait_enforced(machine)


def wait_enforced(machine):
    machine.wait_for(lambda: machine.status_text("ipsec-datapath").startswith(ENFORCED),
                     f"'{ENFORCED}' in the status")


def sas(machine):
    return json.loads(machine.exec("ipsecstat", "--sas", "--json"))["sas"]


def do(machine, verb, unit):
    if verb == "kill":
        machine.kill(unit)
        machine.wait_for(lambda: machine.active(unit) == "active", f"the restart of {unit}")
    else:
        machine.systemctl(*verb.split(), unit)


@pytest.mark.parametrize("verb, unit", [(verb, unit) for verb in PASSING for unit in SERVICES])
def test_one_alone(pair, verb, unit):
    alpha, beta = pair
    bring_back(alpha)
    before = {other: alpha.main_pid(other) for other in SERVICES}
    do(alpha, verb, unit)
    assert fate(alpha, beta, PASSING[verb][unit]) == PASSING[verb][unit]
    after = {other: alpha.main_pid(other) for other in SERVICES}
    changed = {other for other in SERVICES if before[other] != after[other]}
    assert changed == (set() if verb in ("reload", "mask") else {unit})
    assert (after[unit] == 0) == (verb in STOPS)
    if verb in STOPS:
        assert alpha.status_text(unit) in ("", "stopped; " + LEFT.get(unit, "what it had in force is withdrawn"))
    assert not alpha.systemctl("--failed", "--quiet").stdout


@pytest.mark.parametrize("unit", SERVICES)
def test_a_masked_service_does_not_start_and_keeps_nobody_from_it(pair, unit):
    alpha, _ = pair
    bring_back(alpha)
    alpha.systemctl("mask", "--now", unit)
    assert alpha.systemctl("start", unit, ok=False).returncode != 0
    others = [other for other in SERVICES if other != unit]
    alpha.systemctl("restart", *others)
    assert {alpha.active(other) for other in others} == {"active"}
    assert alpha.active(unit) == "inactive"


def test_the_lid_leaves_a_living_datapath_alone(pair):
    """It is the boot's; a package's upgrade or somebody may start it again."""
    alpha, beta = pair
    bring_back(alpha)
    before = alpha.exec("nft", "list", "tables")
    for verb in ("start", "restart", "stop", "start"):
        alpha.systemctl(verb, "ipsec-lid")
        assert fate(alpha, beta, "protected") == "protected"
        assert alpha.exec("nft", "list", "tables") == before
    alpha.systemctl("stop", "ipsec-datapath")
    alpha.systemctl("restart", "ipsec-lid")
    assert fate(alpha, beta, "") == "dropped"
    alpha.systemctl("start", "ipsec-datapath")
    wait_enforced(alpha)
    assert not alpha.systemctl("--failed", "--quiet").stdout


def test_nobody_waits_for_a_datapath_that_does_not_come(pair):
    """A boot would pay for it once for each service."""
    alpha, _ = pair
    bring_back(alpha)
    alpha.systemctl("mask", "--now", "ipsec-datapath")
    for unit in ("ipsecalgs", "ipsec-policy", "ipsec-manual-key"):
        alpha.systemctl("restart", unit)
        took = int(alpha.show(unit, "ActiveEnterTimestampMonotonic")) - int(
            alpha.show(unit, "ExecMainStartTimestampMonotonic"))
        assert took < 4_000_000, unit
        assert alpha.status_text(unit).startswith("not enforced: datapath absent")


def test_the_manager_and_the_bus_start_again(pair):
    """Nobody notices, but that nothing can be asked for while there is no bus."""
    alpha, beta = pair
    bring_back(alpha)
    before = {unit: alpha.main_pid(unit) for unit in SERVICES}
    added = {sa["spi"]: sa["added_usec"] for sa in sas(alpha)}
    alpha.systemctl("daemon-reexec")
    alpha.systemctl("restart", "dbus")
    for unit in SERVICES:
        alpha.wait_for(lambda unit=unit: alpha.systemctl("reload", unit, ok=False).returncode == 0,
                       f"the way back of {unit} to the bus")
    assert {unit: alpha.main_pid(unit) for unit in SERVICES} == before
    alpha.systemctl("stop", "dbus.socket", "dbus")
    for unit in SERVICES:
        assert alpha.systemctl("reload", unit, ok=False).returncode != 0
        assert "reload: Failed to connect" in alpha.journal("-u", f"{unit}.service", "-n", "9")
    assert fate(alpha, beta, "protected") == "protected"
    assert {unit: alpha.main_pid(unit) for unit in SERVICES} == before
    alpha.systemctl("start", "dbus.socket", "dbus")
    # What the manager keeps for the datapath it keeps across its own new start.
    alpha.kill("ipsec-datapath")
    alpha.wait_for(lambda: alpha.active("ipsec-datapath") == "active", "the datapath's return")
    wait_enforced(alpha)
    assert fate(alpha, beta, "protected") == "protected"
    assert {sa["spi"]: sa["added_usec"] for sa in sas(alpha)} == added


def test_isolate_leaves_what_is_enabled(pair):
    alpha, beta = pair
    bring_back(alpha)
    before = {unit: alpha.main_pid(unit) for unit in SERVICES}
    alpha.systemctl("isolate", "multi-user.target")
    assert {unit: alpha.main_pid(unit) for unit in SERVICES} == before
    assert fate(alpha, beta, "protected") == "protected"


def orders():
    """Each service once before and once behind each other one, at each place, and the way back."""
    return [SERVICES[n:] + SERVICES[:n] for n in range(len(SERVICES))] + [SERVICES[::-1]]


@pytest.mark.parametrize("order", orders(), ids="-".join)
def test_any_order(pair, order):
    """Each job alone, without what units pull in."""
    alpha, beta = pair
    bring_back(alpha)
    for unit in order:
        alpha.systemctl("stop", "--job-mode=ignore-dependencies", unit)
    assert {alpha.active(unit) for unit in SERVICES} == {"inactive"}
    # Behind the datapath's end a policy can only be withdrawn on paper; the lid is not lifted so.
    early = order.index("ipsec-policy") < order.index("ipsec-datapath")
    assert fate(alpha, beta, "") == ("clear" if early else "dropped")
    for unit in order:
        alpha.systemctl("start", "--no-block", "--job-mode=ignore-dependencies", unit)
    wait_enforced(alpha)
    alpha.wait_for(lambda: {alpha.active(unit) for unit in SERVICES} == {"active"}, "the starts")
    assert fate(alpha, beta, "protected") == "protected"


@pytest.mark.parametrize("unit, left", [("ipsec-policy", "no policy, everything passes; 2 SAs"),
                                        ("ipsec-manual-key", "6 rules and 0 SAs in force")])
def test_a_stop_without_the_datapath_counts_at_its_next_start(pair, unit, left):
    alpha, _ = pair
    bring_back(alpha)
    alpha.systemctl("stop", "ipsec-datapath")
    assert alpha.exec("ls", "/var/lib/netipsec/withdrawn") == ""
    alpha.systemctl("stop", unit)
    assert alpha.exec("ls", "/var/lib/netipsec/withdrawn") != ""
    alpha.systemctl("start", "--job-mode=ignore-dependencies", "ipsec-datapath")
    alpha.wait_for(lambda: alpha.status_text("ipsec-datapath").startswith(left), left)
    assert alpha.exec("ls", "/var/lib/netipsec/withdrawn") == ""


def test_an_sa_of_another_origin_outlives_the_key_file(pair):
    alpha, _ = pair
    bring_back(alpha)
    alpha.exec("ipseckey", stdin=f"add esp spi 0x7777 src {ALPHA} dst {BETA} encr_alg aes-gcm16 "
                                 f"encrkey {'5a' * 20}\nquit\n")
    try:
        alpha.systemctl("stop", "ipsec-manual-key")
        left = alpha.exec("ipseckey", "dump")
        assert "7777" in left and "1001" not in left
    finally:
        alpha.exec("ipseckey", "delete", "esp", "spi", "0x7777", "dst", BETA)


def test_shutdown_withdraws_nothing(pair):
    alpha, beta = pair
    bring_back(alpha)
    alpha.stop()
    assert not list(alpha.upper.joinpath("var/lib/netipsec/withdrawn").glob("*"))
    kept = alpha.upper.joinpath("var/lib/netipsec/datapath/policy")
    assert kept.exists()
    alpha.start()
    wait_enforced(alpha)
    assert fate(alpha, beta, "protected") == "protected"
