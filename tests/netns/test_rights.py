# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what over a host's real bus policy: reading is open to all, changing is not."""

import json

import pytest
from nettest.peer import statistics
from nettest.sas import dump_sas

USER = "somebody"
READS = [("Datapath1", "GetStatistics"), ("Datapath1", "ListRules"), ("Datapath1", "DumpSas"),
         ("Policy1", "ListConfigured"), ("Algorithms1", "ListAlgorithms")]
CHANGES = [(name, "Reload") for name in ("Datapath1", "Policy1", "ManualKey1", "Algorithms1", "Ike1")]
CHANGES += [("Datapath1", "Withdraw", "s", "policy"), ("Policy1", "Flush", "sa{sv}", "", "0")]


def call(host, name, *words, user=None):
    return host.run("busctl", "--address=unix:path=/run/dbus/system_bus_socket", "call",
                    f"org.netipsec.{name}", f"/org/netipsec/{name}", f"org.netipsec.{name}", *words,
                    user=user)


@pytest.mark.root
@pytest.mark.parametrize("words", READS, ids=".".join)
def test_anybody_may_read(pair, words):
    done = call(pair["alpha"], *words, user=USER)
    assert done.returncode == 0, done.stderr


@pytest.mark.root
@pytest.mark.parametrize("words", CHANGES, ids=lambda words: ".".join(words[:2]))
def test_a_user_may_change_nothing(pair, words):
    done = call(pair["alpha"], *words, user=USER)
    assert done.returncode != 0
    assert done.stderr.endswith((": Access denied\n", ": only for root and the group ipsecadm\n"))
    assert pair["alpha"].run("ping", "-c1", "-i0.05", "-w10", "192.0.2.2").returncode == 0


@pytest.mark.root
@pytest.mark.parametrize("words", CHANGES[1:5], ids=lambda words: ".".join(words[:2]))
def test_an_operator_may_reload(pair, words):
    done = call(pair["alpha"], *words, user="operator")
    assert done.returncode == 0, done.stderr


@pytest.mark.root
def test_a_user_may_not_take_a_service_name(pair):
    script = ("import dbus; print(dbus.SystemBus().request_name('org.netipsec.Policy1'))")
    done = pair["alpha"].run("/usr/bin/python3", "-c", script, user=USER)
    assert done.returncode != 0 and "AccessDenied" in done.stderr


@pytest.mark.root
def test_root_may_not_publish_for_a_service(pair):
    """Not even root, when it does not own the section's name."""
    done = call(pair["alpha"], "Datapath1", "Withdraw", "s", "policy")
    assert done.returncode != 0 and statistics(pair["alpha"])


def test_no_key_octet_is_shown(pair):
    alpha = pair["alpha"]
    keys = [word for line in alpha.path("/etc/inet/secret/ipseckeys").read_text().splitlines()
            for word in line.split() if len(word) >= 32]
    assert len(keys) >= 6
    shown = json.dumps(dump_sas(alpha)) + alpha.lab.logs()
    for unit in ("Datapath1", "ManualKey1"):
        shown += alpha.exec("busctl", "--address=unix:path=/run/dbus/system_bus_socket",
                            "introspect", f"org.netipsec.{unit}", f"/org/netipsec/{unit}")
    assert "0x00001001" in shown and not [key for key in keys if key in shown.lower()]
