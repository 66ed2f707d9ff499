# SPDX-License-Identifier: GPL-2.0-or-later
"""What the services write into a real journal, and what journalctl -x makes of it."""

import json
import socket

import pytest
from systest.protected import ALPHA, BETA, SECRET, cabled

POLICY = "/etc/inet/ipsecinit.conf"
DIAGNOSTIC = "5b1f0c7e1d6a4c0d9f3f1a3f0a7d6b21"
IN_FORCE = "0d3c2b5a8e2f4d7c8f64c1b92e5a7f10"
WITHDRAWN = "b4c2d116e2a645429b24d085a4aac816"
LIFTED = "08adba0e84924fc9b72d83ef883ea6da"
RESTORED = "3835f433a6ff4ebe8cff765854fdaceb"
REFUSED = "c2a94e0b6f7d4a61b5d80e9a3c17f542"
ABSENT = "8f57d1e6a0c34b92a7e43d5b6c8f9a03"
FAILURE = "7d2e9b4c60f14a3b8e5d1c07a9f6b8e2"
LOST, BACK = "e6704a9d3b1c4f58926fd0a1c7e8b335", "a3d80f5b7c2e4916b0f7e21d9c64385a"
AUDIT = "4e8a1d93c05f47b2a6d17c3e9b20f85a"
NOBODY_SERVES = "{ raddr 10.9.9.7 } ipsec { encr_algs rot13 }\n"


@pytest.fixture(scope="module")
def machine(machines):
    """It has seen a good deal."""
    alpha, beta = cabled(machines)
    alpha.start()
    beta.start()
    alpha.exec("journalctl", "--update-catalog")
    alpha.systemctl("enable", "--now", "ipsec-policy", "ipsec-manual-key", "ipsec-datapath")
    good = alpha.path(POLICY).read_text()
    alpha.write(POLICY, good + f"{{ raddr {BETA}.7 }} drop {{}}\n")
    alpha.systemctl("reload", "ipsec-policy", ok=False)
    alpha.write(POLICY, good)
    alpha.systemctl("reload", "ipsec-policy")
    algorithms = alpha.path("/etc/inet/ipsecalgs").read_text()
    alpha.write("/etc/inet/ipsecalgs", algorithms + "ALG|3|200|rot13|ROT13-CBC|128|16|0|0\n")
    alpha.systemctl("reload", "ipsecalgs")
    alpha.write(POLICY, good + NOBODY_SERVES)
    alpha.systemctl("reload", "ipsec-policy", ok=False)
    alpha.write(POLICY, good)
    alpha.systemctl("reload", "ipsec-policy")
    alpha.systemctl("restart", "dbus")
    alpha.wait_for(lambda: {entry["SYSLOG_IDENTIFIER"] for entry in events(alpha, BACK)} >= {
        "ipsec-policyd", "ipsec-datapathd"}, "the way back to the bus")
    alpha.exec("ipsecstat", "--set", "_ipsec_policy_log_interval=1")
    with beta.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", (ALPHA, SECRET))
    alpha.wait_for(lambda: events(alpha, FAILURE), "the packet's fate")
    alpha.exec("ip", "rule", "delete", "priority", "100")
    alpha.wait_for(lambda: events(alpha, RESTORED), "the rule's way back")
    alpha.systemctl("stop", "ipsec-datapath")
    alpha.wait_for(lambda: events(alpha, ABSENT), "what is told of the datapath's end")
    alpha.systemctl("stop", "ipsec-policy")
    alpha.exec("ipsecsvc", "open")
    assert events(alpha, LIFTED)
    return alpha


def events(machine, number=None):
    """Entries with a MESSAGE_ID of ours; those of the service manager are its own."""
    match = [f"MESSAGE_ID={number}"] if number else []
    machine.exec("journalctl", "--sync")
    lines = machine.exec("journalctl", "-o", "json", "--no-pager", *match).splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    # Of a process that is gone by then the journal knows what it said itself, and no more.
    return [entry for entry in entries
            if "MESSAGE_ID" in entry and "ipsec" in entry.get("SYSLOG_IDENTIFIER", "")]


def test_events_carry_their_fields(machine):
    wrong = [entry for entry in events(machine, DIAGNOSTIC) if entry["PRIORITY"] == "3"][-1]
    assert wrong["IPSEC_FILE"].endswith("ipsecinit.conf") and wrong["IPSEC_LINE"] == "4"
    assert wrong["IPSEC_CODE"]
    sections = {entry["IPSEC_SECTION"] for entry in events(machine, IN_FORCE)}
    assert sections == {"algorithms", "policy", "keys"}
    assert all(int(entry["IPSEC_GENERATION"]) > 0 for entry in events(machine, IN_FORCE))
    assert [entry["IPSEC_SECTION"] for entry in events(machine, WITHDRAWN)] == ["policy"]


def test_each_event_is_explained(machine):
    seen = {entry["MESSAGE_ID"] for entry in events(machine)}
    assert {DIAGNOSTIC, IN_FORCE, WITHDRAWN, RESTORED, REFUSED, ABSENT, FAILURE, LOST, BACK,
            LIFTED, AUDIT} - seen == set()
    listed = machine.exec("journalctl", "--list-catalog", "--no-pager", *seen)
    for number in seen:
        assert number in listed and "netipsec" in listed


def test_a_reader_is_told_what_to_do(machine):
    shown = machine.exec("journalctl", "-x", "--no-pager", f"MESSAGE_ID={DIAGNOSTIC}")
    assert "Something is wrong at /etc/inet/ipsecinit.conf:4" in shown
    assert "Repair the line, then reload the service." in shown
