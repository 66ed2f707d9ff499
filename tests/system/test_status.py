# SPDX-License-Identifier: GPL-2.0-or-later
"""What `systemctl status` says of each service, and what a bad or missing file does to its unit."""

import re

import pytest

POLICY = "/etc/inet/ipsecinit.conf"
KEYS = "/etc/inet/secret/ipseckeys"
ALGS = "/etc/inet/ipsecalgs"
RULE = "{ raddr 10.9.9.9 ulp tcp dir both } drop {}\n"
WARNED = "{ raddr 10.9.9.8 } bypass {}\n"
BAD_RULE = "{ raddr 10.9.9.300 dir both } drop {}\n"
SA = ("add esp spi 0x1001 src 10.9.9.1 dst 10.9.9.2 encr_alg aes "
      f"encrkey {'0123456789abcdef' * 2} auth_alg sha1 authkey {'0123456789abcdef' * 2}01234567\n")
CONFIGURATION = "95"


@pytest.fixture(scope="module")
def machine(alone):
    alone.systemctl("start", "ipsecalgs", "ipsec-policy", "ipsec-manual-key", "ipsec-datapath")
    return alone


def refused(machine, verb, unit):
    done = machine.systemctl(verb, unit, ok=False)
    assert done.returncode != 0
    return machine.status_text(unit)


def test_policy(machine):
    machine.write(POLICY, RULE + WARNED)
    machine.systemctl("reload", "ipsec-policy")
    good = machine.status_text("ipsec-policy")
    assert re.fullmatch(r"4 rules in force \(generation \d+\), 1 warning", good)
    # The warning stands above the error, and a second error below it.
    machine.write(POLICY, WARNED + RULE + BAD_RULE + BAD_RULE)
    assert refused(machine, "reload", "ipsec-policy") == \
        good + "; last reload failed at ipsecinit.conf:3:9"
    assert "10.9.9.9" in machine.exec("ipsecconf", "-l", "-n")
    machine.write(POLICY, RULE)
    machine.systemctl("reload", "ipsec-policy")
    assert re.fullmatch(r"2 rules in force \(generation \d+\)", machine.status_text("ipsec-policy"))


def test_manual_keys(machine):
    machine.write(KEYS, SA, mode=0o600)
    machine.systemctl("reload", "ipsec-manual-key")
    good = machine.status_text("ipsec-manual-key")
    assert re.fullmatch(r"1 SA in force \(generation \d+\)", good)
    machine.write(KEYS, "frobnicate\n", mode=0o600)
    assert refused(machine, "reload", "ipsec-manual-key") == \
        good + "; last reload failed at ipseckeys:1:1"
    machine.write(KEYS, SA, mode=0o644)
    assert good + "; last reload failed: ipseckeys: " in refused(machine, "reload", "ipsec-manual-key")
    machine.path(KEYS).chmod(0o600)
    machine.systemctl("reload", "ipsec-manual-key")
    assert machine.status_text("ipsec-manual-key") == good


def test_algorithms(machine):
    text = machine.path(ALGS).read_text()
    good = machine.status_text("ipsecalgs")
    assert " algorithms in force (generation " in good
    machine.write(ALGS, text + "ALG|nonsense\n")
    line = text.count("\n") + 1
    assert f"{good}; last reload failed at ipsecalgs:{line}" in refused(machine, "reload", "ipsecalgs")
    machine.write(ALGS, text)
    machine.systemctl("reload", "ipsecalgs")
    assert machine.status_text("ipsecalgs") == good


def test_datapath(machine):
    settings = "/etc/netipsec/datapath.cfg"
    text = machine.path(settings).read_text()
    machine.write(settings, text + "no_such = 1;\n")
    line = text.count("\n") + 1
    good = machine.status_text("ipsec-datapath")
    assert re.fullmatch(r"2 rules and 1 SA in force \(generation \d+\)", good)
    assert refused(machine, "reload", "ipsec-datapath") == \
        f"{good}; last reload failed at datapath.cfg:{line}"
    machine.write(settings, text)
    machine.systemctl("reload", "ipsec-datapath")
    assert machine.status_text("ipsec-datapath") == good


@pytest.mark.parametrize("unit, file, mode, bad, place", [
    ("ipsec-policy", "/etc/netipsec/policy.cfg", 0o644, "enforce = 7;\n", "policy.cfg:1"),
])
def test_a_bad_file_at_the_start_fails_the_unit_and_changes_nothing(
        machine, unit, file, mode, bad, place):
    before = machine.status_text("ipsec-datapath")
    text = machine.path(file).read_text()
    machine.write(file, bad, mode=mode)
    line = refused(machine, "restart", unit)
    assert line.startswith(f"start failed at {place}") and line.endswith("; what was in force stays")
    machine.wait_for(lambda: machine.active(unit) == "failed", "the unit's failure")
    assert machine.show(unit, "ExecMainStatus") == CONFIGURATION
    assert machine.show(unit, "NRestarts") == "0"
    assert machine.status_text("ipsec-datapath") == before
    machine.write(file, text, mode=mode)
    machine.systemctl("reset-failed", unit)
    machine.systemctl("start", unit)
    assert "failed" not in machine.status_text(unit)
    assert "in force" in machine.status_text(unit)


def test_what_the_datapath_refuses_at_the_start_fails_the_unit_too(machine):
    """A good file, with an algorithm that the table has and the engine has not."""
    text, algorithms = machine.path(POLICY).read_text(), machine.path(ALGS).read_text()
    machine.write(ALGS, algorithms + "ALG|3|200|rot13|ROT13-CBC|128|16|0|0\n")
    machine.systemctl("restart", "ipsecalgs")
    before = machine.status_text("ipsec-datapath")
    machine.write(POLICY, "{ raddr 10.9.9.7 } ipsec { encr_algs rot13 }\n")
    line = refused(machine, "restart", "ipsec-policy")
    assert line.startswith("start failed: ") and "is not served by this engine; what was in force" in line
    machine.wait_for(lambda: machine.active("ipsec-policy") == "failed", "the unit's failure")
    assert machine.show("ipsec-policy", "ExecMainStatus") == CONFIGURATION
    assert machine.status_text("ipsec-datapath") == before
    assert "ROT13" in machine.exec("ipsecalgs")
    shown = machine.exec("ipsecsvc", "status", "policy")
    assert "maintenance" in shown and "is not served by this engine" in shown
    machine.write(POLICY, text)
    machine.write(ALGS, algorithms)
    machine.systemctl("restart", "ipsecalgs")
    machine.exec("ipsecsvc", "clear", "policy")
    assert "in force" in machine.status_text("ipsec-policy")


def test_the_algorithm_service_cannot_make_a_policy(machine):
    """Its user may make files in the directory; none of them counts, and what is root's stays."""
    algs = "netipsec-algs"
    machine.write(POLICY, RULE)
    machine.systemctl("reload", "ipsec-policy")
    good = machine.status_text("ipsec-policy")
    assert machine.run("rm", "-f", POLICY, user=algs).returncode != 0
    machine.exec("chown", algs, POLICY)
    for _ in range(2):
        line = refused(machine, "reload", "ipsec-policy")
        assert line.startswith(good) and "others than root may change it" in line
        machine.exec("rm", POLICY)
        machine.exec("ln", "-s", "ipsecinit.sample", POLICY, user=algs)
    machine.exec("rm", POLICY)
    machine.write(POLICY, RULE)
    machine.systemctl("reload", "ipsec-policy")
    assert machine.status_text("ipsec-policy") == good
    # What its own daemon sees of the place.
    machine.systemctl("restart", "ipsecalgs")
    inside = ("nsenter", f"--target={machine.main_pid('ipsecalgs')}", "--mount", "sh", "-c")
    assert "Read-only" in machine.run(*inside, f"echo >>{POLICY}").stderr
    assert "ipseckeys" not in machine.run(*inside, "ls -a /etc/inet/secret").stdout
