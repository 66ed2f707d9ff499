# SPDX-License-Identifier: GPL-2.0-or-later
"""The services as an administrator handles them: enable, reload, restart, stop, each alone."""

SERVICES = ["ipsecalgs", "ipsec-policy", "ipsec-manual-key", "ipsec-ike", "ipsec-datapath"]
PRESET = ["ipsecalgs", "ipsec-policy", "ipsec-datapath"]
RULE = "{ raddr 10.9.9.9 ulp tcp dir both } drop {}\n"
CONF = "/etc/inet/ipsecinit.conf"


def test_the_machine_knows_the_units_and_enables_what_solaris_does(alone):
    alone.systemctl("preset", "ipsec.target", *SERVICES)
    enabled = {unit: alone.run("systemctl", "is-enabled", unit).stdout.strip() for unit in SERVICES}
    assert enabled == {"ipsecalgs": "enabled", "ipsec-policy": "enabled", "ipsec-datapath": "enabled",
                       "ipsec-manual-key": "disabled", "ipsec-ike": "disabled"}


def test_the_target_is_one_thing_to_enable(alone):
    alone.systemctl("enable", "--now", "ipsec.target")
    alone.wait_for(lambda: all(alone.active(unit) == "active" for unit in PRESET), "the services")
    assert alone.active("ipsec-manual-key") == "inactive"
    alone.systemctl("stop", "ipsec.target")
    assert {alone.active(unit) for unit in PRESET} == {"active"}
    alone.systemctl("disable", "--now", "ipsec.target", *PRESET)
    assert {alone.run("systemctl", "is-enabled", unit).stdout.strip() for unit in PRESET} == {"disabled"}


def test_enable_now_of_policy_alone_is_enough(alone):
    alone.systemctl("enable", "--now", "ipsec-policy")
    assert alone.active("ipsec-policy") == "active"
    assert alone.active("ipsec-datapath") == "active"
    assert "does not exist" in alone.status_text("ipsec-policy")


def test_reload_is_synchronous_and_truthful(alone):
    alone.write(CONF, RULE)
    alone.systemctl("reload", "ipsec-policy")
    assert "10.9.9.9" in alone.exec("ipsecconf", "-l", "-n")
    alone.write(CONF, RULE + "{ raddr 10.9.9.300 dir both } drop {}\n")
    refused = alone.systemctl("reload", "ipsec-policy", ok=False)
    assert refused.returncode != 0
    assert "ipsecinit.conf:2:" in alone.status_text("ipsec-policy")
    assert "10.9.9.9" in alone.exec("ipsecconf", "-l", "-n")
    alone.write(CONF, RULE)
    alone.systemctl("reload", "ipsec-policy")
    assert "failed" not in alone.status_text("ipsec-policy")
