# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsecsvc on a running system: verbs, the table, properties, and the lifting of the lid."""

import datetime
import json

import pytest
from systest.protected import SERVICES, cabled, fate

POLICY = "/etc/inet/ipsecinit.conf"
FMRI = "svc:/network/ipsec/"
RULE = "{ raddr 10.9.9.9 ulp tcp dir both } drop {}\n"
BAD = "{ raddr 10.9.9.300 } drop {}\n"


@pytest.fixture(scope="module")
def pair(machines):
    alpha, beta = cabled(machines)
    alpha.start()
    beta.start()
    return alpha, beta


@pytest.fixture(scope="module")
def machine(pair):
    return pair[0]


def svc(machine, *words):
    return machine.exec("ipsecsvc", *words)


def refused(machine, *words, user=None):
    done = machine.run("ipsecsvc", *words, user=user)
    assert done.returncode == 1, done
    return done.stderr


def status(machine, name="policy"):
    listing = json.loads(svc(machine, "status", "--json", name))
    assert listing["version"] == 1
    return listing["services"][0]


def test_a_quiet_system(machine):
    rows = [line.split() for line in svc(machine).splitlines()]
    assert rows[0] == ["STATE", "SINCE", "FMRI", "STATUS"]
    assert {(row[0], row[2]) for row in rows[1:]} == {
        ("disabled", f"{FMRI}{name}:default")
        for name in ("ipsecalgs", "policy", "manual-key", "ike", "datapath")}
    assert "problem" not in svc(machine)


def test_enable_and_disable(machine):
    svc(machine, "enable", "policy", f"{FMRI}manual-key:default", "ike")
    for unit in SERVICES:
        assert machine.active(unit) == "active"
    for unit in ("ipsec-policy", "ipsec-manual-key", "ipsec-ike", "ipsec-lid"):
        assert machine.run("systemctl", "is-enabled", unit).stdout.strip() == "enabled"
    shown = status(machine)
    assert (shown["fmri"], shown["state"], shown["unit"]) == (
        FMRI + "policy:default", "online", "ipsec-policy.service")
    assert shown["enabled"] and shown["pid"] == machine.main_pid("ipsec-policy") and not shown["problem"]
    assert shown["status"] == machine.status_text("ipsec-policy")
    since = datetime.datetime.strptime(shown["since"], "%Y-%m-%dT%H:%M:%S%z")  # as RFC 3339 has it
    assert since.timestamp() == shown["since_usec"] // 1_000_000 > 0 and shown["since"].endswith("Z")
    svc(machine, "disable", "ike")
    assert machine.active("ipsec-ike") == "inactive" and status(machine, "ike")["state"] == "disabled"
    svc(machine, "enable", "-t", "ike")
    assert machine.active("ipsec-ike") == "active"
    assert machine.run("systemctl", "is-enabled", "ipsec-ike").stdout.strip() == "disabled"
    svc(machine, "disable", "-t", "policy")
    shown = status(machine)
    assert shown["state"] == "offline" and shown["action"] == "ipsecsvc enable policy"
    svc(machine, "enable", "policy")


def test_refresh_and_what_is_wrong(machine):
    machine.write(POLICY, RULE)
    svc(machine, "refresh", "policy")
    assert "10.9.9.9" in machine.exec("ipsecconf", "-l", "-n")
    machine.write(POLICY, RULE + BAD)
    assert "last reload failed at ipsecinit.conf:2:9" in refused(machine, "refresh", "policy")
    shown = status(machine)
    assert shown["state"] == "degraded" and "ipsecinit.conf:2:9" in shown["problem"]
    assert "ipsecconf -c" in shown["action"] and "ipsecsvc refresh policy" in shown["action"]
    assert f"{FMRI}policy:default: degraded\n  problem: " in svc(machine, "status")
    assert "start failed at ipsecinit.conf:2:9" in refused(machine, "restart", "policy")
    shown = status(machine)
    assert shown["state"] == "maintenance" and "ipsecinit.conf:2:9" in shown["problem"]
    assert shown["action"].endswith("ipsecsvc clear policy")
    machine.write(POLICY, RULE)
    svc(machine, "clear", "policy")
    assert status(machine)["state"] == "online"


def test_what_is_no_verb(machine):
    done = machine.run("ipsecsvc", "frobnicate", "policy")
    assert done.returncode == 2 and "there is no verb 'frobnicate'" in done.stderr


def test_masked(machine):
    machine.systemctl("mask", "ipsec-ike")
    try:
        shown = status(machine, "ike")
        assert shown["problem"] == "ipsec-ike.service is masked" and "unmask" in shown["action"]
        assert "masked" in refused(machine, "restart", "ike")
    finally:
        machine.systemctl("unmask", "ipsec-ike")


def test_properties(machine):
    machine.write(POLICY, RULE)
    svc(machine, "enable", "policy")
    settings = machine.path("/etc/netipsec/policy.cfg")
    before = settings.read_text()
    assert svc(machine, "get", "policy", "config/config_file") == f"config_file={POLICY}\n"
    assert "precedence=first-match\n" in svc(machine, "get", "policy")
    machine.write("/etc/inet/corp.policy", RULE.replace("10.9.9.9", "10.9.9.7"))
    svc(machine, "set", "policy", "config_file=/etc/inet/corp.policy", "resolve_timeout=7")
    assert settings.read_text() == before.replace(POLICY + '"', '/etc/inet/corp.policy"').replace(
        "resolve_timeout = 10", "resolve_timeout = 7")
    assert "10.9.9.7" in machine.exec("ipsecconf", "-l", "-n")
    # In force or nothing.
    for words, told in ((["resolve_timeout=0"], "policy.cfg:"), (["nonsense=1"], "no setting"),
                        (["resolve_timeout"], "NAME=VALUE"), (["enforce=no; x=1"], "no value"),
                        (["config_file=a\nb"], "no value"), (["resolve_timeout=8", "enforce=7"], ": error: ")):
        after = settings.read_text()
        assert told in refused(machine, "set", "policy", *words)
        assert settings.read_text() == after
    svc(machine, "set", "policy", f"config_file={POLICY}", "resolve_timeout=10")
    assert settings.read_text() == before
    assert "10.9.9.9" in machine.exec("ipsecconf", "-l", "-n")
    assert "config_file=/etc/inet/ipsecinit.conf" in machine.exec("ipsecsvc", "get", "policy", user="daemon")
    assert refused(machine, "set", "policy", "resolve_timeout=9", user="daemon")
    assert settings.read_text() == before


def test_tunables_and_the_other_services(machine):
    svc(machine, "enable", "policy", "manual-key")
    svc(machine, "set", "datapath", "ipsecesp_padding_check=2")
    assert svc(machine, "get", "datapath", "ipsecesp_padding_check") == "ipsecesp_padding_check=2\n"
    row = [line for line in machine.exec("ipsecstat", "--tunables").splitlines() if "padding_check" in line]
    assert row and row[0].split()[1] == "2"
    svc(machine, "set", "manual-key", "strict=true")
    machine.write("/etc/inet/algs", machine.path("/etc/inet/ipsecalgs").read_text())
    svc(machine, "set", "ipsecalgs", "config_file=/etc/inet/algs", "crypto_cpu_max=90")
    assert svc(machine, "get", "ipsecalgs") == "config_file=/etc/inet/algs\ncrypto_cpu_max=90\n"
    shown = machine.exec("busctl", "get-property", "org.netipsec.Algorithms1", "/org/netipsec/Algorithms1",
                         "org.netipsec.Algorithms1", "ConfigFile")
    assert "/etc/inet/algs" in shown


def test_open_lifts_the_lid_and_nothing_else(pair):
    alpha, beta = pair
    alpha.write(POLICY, "{ raddr 10.0.0.2 ulp udp rport 4243 dir both } pass {}\n{ raddr 10.0.0.2 } "
                        "ipsec { encr_algs aes-gcm16 sa shared }\n")
    svc(alpha, "refresh", "policy")
    assert "'ipsecsvc disable policy datapath' first" in refused(alpha, "open")
    # The datapath first, so that nobody hears of the policy's end.
    svc(alpha, "disable", "datapath")
    svc(alpha, "disable", "policy")
    assert fate(alpha, beta, "dropped") == "dropped"
    assert refused(alpha, "open", user="daemon")
    assert fate(alpha, beta, "dropped") == "dropped"
    svc(alpha, "open")
    assert fate(alpha, beta, "clear") == "clear"
    assert "netipsec" not in alpha.exec("nft", "list", "tables")
    assert not alpha.path("/var/lib/netipsec/datapath/policy").exists()
    svc(alpha, "enable", "datapath", "policy")
    assert status(alpha)["state"] == "online"


@pytest.mark.parametrize("words", [["frobnicate"], ["enable"], ["get"], ["set", "policy"], ["--no-such"]])
def test_usage(machine, words):
    done = machine.run("ipsecsvc", *words)
    assert done.returncode == 2 and "usage" in done.stderr


def test_unknown_services(machine):
    assert "there is no service 'sshd'" in refused(machine, "restart", "sshd")
    assert "there is no service" in refused(machine, "status", "policy@../../x")
