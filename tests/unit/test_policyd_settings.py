# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings of ipsec-policyd: listed, and read again with the file; a file that has no rules."""

import pytest

FILE = "/etc/inet/ipsecinit.conf"


@pytest.fixture(name="policyd")
def started(world):
    """Kept: without it there is nobody to read what a manager is told."""
    world.write(FILE, "{lport 22 dir both} pass {}\n{lport 23 dir in} drop {}\n")
    world.fake = world.datapath()
    return world.start("ipsec-policyd").ready()


def test_a_reload_takes_settings_and_file_or_neither(world, policyd):
    other = "/etc/inet/other.conf"
    world.write(other, "{lport 22 dir in} pass {}\n")
    settings = f'config_file = "{other}";\n'
    for text, told in ((settings + "enforce = 7;\n", "/etc/netipsec/policy.cfg:2:"),
                       ('config_file = "/etc/inet/bad.conf";\n', "/etc/inet/bad.conf:1:")):
        world.write("/etc/inet/bad.conf", "{lport 70000} pass {}\n")
        world.write("/etc/netipsec/policy.cfg", text)
        done = world.run("ipsec-policyd", "--reload")
        assert done.returncode == 1 and told in done.stderr
        shown = world.properties("Policy1")
        assert shown["ConfigFile"] == FILE and shown["RuleCount"] == 3 and shown["State"] == "failed"
    world.write("/etc/netipsec/policy.cfg", settings)
    assert world.run("ipsec-policyd", "--reload").returncode == 0
    shown = world.properties("Policy1")
    assert shown["ConfigFile"] == other and shown["RuleCount"] == 1 and shown["State"] == "enforced"


def test_settings_are_listed_as_they_hold(world):
    world.write("/etc/netipsec/policy.cfg", "resolve_timeout = 7;\n")
    done = world.run("ipsec-policyd", "--settings")
    assert done.returncode == 0 and done.stdout.splitlines() == [
        f'config_file = "{FILE}";', 'precedence = "first-match";', "enforce = true;",
        "extensions = false;", "resolve_timeout = 7;"]
    world.write("/etc/netipsec/policy.cfg", "resolve_timeout = 0;\n")
    done = world.run("ipsec-policyd", "--settings")
    assert done.returncode == 1 and "policy.cfg:1:" in done.stderr and not done.stdout


def test_a_file_without_entries_changes_nothing_and_the_status_says_so(world):
    good = "{raddr 192.0.2.17 dir both} drop {}\n"
    world.write(FILE, good)
    world.fake = world.datapath()
    daemon = world.start("ipsec-policyd").ready()
    world.write(FILE, "# nothing\n")
    assert world.call("Policy1", "Reload") == 1
    daemon.wait_for(f"STATUS={FILE} has no rules, the policy before stays: 2 rules in force")
    world.write(FILE, "frobnicate\n")
    assert world.run("ipsec-policyd", "--reload").returncode == 1
    daemon.wait_for("STATUS=2 rules in force (generation 1); last reload failed at ipsecinit.conf:1:1")
    world.write(FILE, good)
    assert world.call("Policy1", "Reload") == 1
    daemon.wait_for("STATUS=2 rules in force (generation 1)")
    assert daemon.status == "2 rules in force (generation 1)"
