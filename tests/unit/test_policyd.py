# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsec-policyd and ipsecconf on a private bus, with a stand-in for the datapath."""

import fcntl
import json
import os
import threading

import dbus
import pytest

from service import read_memfd

POLICY = """\
# comment
{raddr 192.0.2.17 ulp tcp} ipsec {encr_algs aes-gcm16(256) sa shared} # tail
{lport 22 dir both}

    bypass {}
{tunnel t0 negotiate tunnel laddr 10.1.0.0/16 raddr 10.2.0.0/16}
    ipsec {encr_algs aes-gcm}
"""
FILE = "/etc/inet/ipsecinit.conf"


@pytest.fixture(name="policyd")
def started(world):
    world.write(FILE, POLICY)
    world.fake = world.datapath()
    daemon = world.start("ipsec-policyd").ready()
    # A manager reads what it is told; a full socket would keep the daemon waiting.
    threading.Thread(target=drain, args=[daemon.notify.dup()], daemon=True).start()
    return daemon


def drain(notify):
    notify.settimeout(None)
    while notify.recv(4096):
        pass


def configured(world):
    return world.run("ipsecconf").stdout


def apply(world, text, mode="add"):
    fd = os.memfd_create("test")
    os.write(fd, text.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        return world.call("Policy1", "Apply", dbus.types.UnixFd(fd), "typed",
                          dbus.Dictionary({"mode": mode}, signature="sv"))
    finally:
        os.close(fd)


def test_a_start_publishes_and_is_ready_when_it_is_in_force(world, policyd):
    assert world.fake.sections["policy"][0] == 1
    properties = world.properties("Policy1")
    assert properties["State"] == "enforced"
    assert properties["Generation"] == 1
    assert properties["RuleCount"] == 6
    assert properties["LastError"] == ""
    assert policyd.status == "enforced: 6 rules (generation 1)"


def test_configured_entries_are_shown_as_they_were_written(world, policyd):
    assert configured(world) == """\
#INDEX 2
{raddr 192.0.2.17 ulp tcp} ipsec {encr_algs aes-gcm16(256) sa shared}

#INDEX 6
{lport 22 dir both}
    bypass {}

#INDEX t0,2
{tunnel t0 negotiate tunnel laddr 10.1.0.0/16 raddr 10.2.0.0/16}
    ipsec {encr_algs aes-gcm}

"""


def test_a_reload_of_the_same_file_publishes_nothing(world, policyd):
    before = configured(world)
    assert world.run("ipsec-policyd", "--reload").returncode == 0
    assert world.fake.sections["policy"][0] == 1
    assert configured(world) == before


def test_a_bad_file_changes_nothing_and_says_where(world, policyd):
    world.write(FILE, POLICY + "{raddr 192.0.2.0/33} drop {}\n")
    done = world.run("ipsec-policyd", "--reload")
    assert done.returncode == 1
    assert f"{FILE}:8:18: error: prefix length 33 is longer than an IPv4 address [addr-prefix]\n" \
        "{raddr 192.0.2.0/33} drop {}\n                 ^~\n" in done.stderr
    assert world.fake.sections["policy"][0] == 1
    properties = world.properties("Policy1")
    assert properties["State"] == "failed"
    assert "addr-prefix" in properties["LastError"]
    world.write(FILE, POLICY)
    assert world.run("ipsec-policyd", "--reload").returncode == 0
    assert world.properties("Policy1")["State"] == "enforced"


def test_a_changed_file_is_the_next_generation(world, policyd):
    world.write(FILE, POLICY + "{lport 23 dir in} drop {}\n")
    assert world.call("Policy1", "Reload") == 2
    assert world.properties("Policy1")["RuleCount"] == 7
    # Two more SPD entries, families both; the numbers that were given stay.
    assert "#INDEX 8\n{lport 23 dir in} drop {}\n" in configured(world)
    assert configured(world).startswith("#INDEX 2\n")


def test_a_missing_file_is_an_empty_policy(world):
    fake = world.datapath()
    world.start("ipsec-policyd").ready()
    assert "policy" in fake.sections
    properties = world.properties("Policy1")
    assert properties["State"] == "absent"
    assert properties["RuleCount"] == 0
    assert configured(world) == ""


def test_a_bad_file_at_the_start_ends_it_with_the_configuration_code(world):
    world.write(FILE, "{lport 23 dir in} drop {")
    fake = world.datapath()
    daemon = world.start("ipsec-policyd")
    _, errors = daemon.process.communicate(timeout=30)
    assert daemon.process.returncode == 95
    assert "[brace-missing]" in errors
    assert not fake.sections


def test_adding_by_hand(world, policyd):
    generation, warnings = apply(world, "{lport 23 dir in} drop {}\n{lport 22 dir in} drop {}\n")
    assert generation == 2
    assert "typed:2:1: warning: Duplicate policy entry (ignored)" in warnings
    assert world.properties("Policy1")["RuleCount"] == 7
    with pytest.raises(dbus.DBusException) as caught:
        apply(world, "{lport 24 dir in} dorp {}\n")
    assert caught.value.get_dbus_name() == "org.netipsec.Error.Syntax"
    assert "typed:1:19: error: Invalid action 'dorp'" in caught.value.get_dbus_message()
    assert world.fake.sections["policy"][0] == 2


def test_replacing_keeps_what_is_not_meant(world, policyd):
    apply(world, "{lport 23 dir in} drop {}\n", "replace")
    shown = configured(world)
    assert "t0" in shown and "lport 23" in shown and "lport 22" not in shown
    apply(world, "{lport 24 dir in} drop {}\n", "replace-all")
    assert configured(world) == "#INDEX 10\n{lport 24 dir in} drop {}\n\n"
    assert world.call("Policy1", "Reload") == 4
    assert world.properties("Policy1")["RuleCount"] == 6


def test_a_source_without_entries_changes_nothing(world, policyd):
    generation, warnings = apply(world, "# nothing\n", "replace-all")
    assert generation == 1
    assert "Policy file does not contain any valid rules." in warnings
    assert world.properties("Policy1")["RuleCount"] == 6


def test_unknown_options_are_refused(world, policyd):
    with pytest.raises(dbus.DBusException) as caught:
        apply(world, "{lport 24 dir in} drop {}\n", "append")
    assert "InvalidArgs" in caught.value.get_dbus_name()
    with pytest.raises(dbus.DBusException) as caught:
        world.call("Policy1", "Flush", "", dbus.Dictionary({"some": True}, signature="sv"))
    assert "InvalidArgs" in caught.value.get_dbus_name()
    assert world.fake.sections["policy"][0] == 1


def test_what_the_datapath_refuses_is_not_taken_over(world, policyd):
    before = configured(world)
    world.fake.refuse = "no room for so many rules"
    with pytest.raises(dbus.DBusException) as caught:
        apply(world, "{lport 23 dir in} drop {}\n")
    assert caught.value.get_dbus_name() == "org.netipsec.Error.Invalid"
    assert caught.value.get_dbus_message() == "no room for so many rules"
    assert configured(world) == before


def test_changes_by_hand_need_the_datapath(world):
    world.write(FILE, POLICY)
    daemon = world.start("ipsec-policyd").ready()
    assert daemon.status == "not enforced: datapath absent"
    assert world.properties("Policy1")["State"] == "not-enforced"
    with pytest.raises(dbus.DBusException) as caught:
        apply(world, "{lport 23 dir in} drop {}\n")
    assert caught.value.get_dbus_name() == "org.netipsec.Error.Unavailable"
    fake = world.datapath()
    assert fake.published.get(timeout=30) == "policy"


def test_expanding_again_changes_nothing_where_nothing_changed(world, policyd):
    before = configured(world)
    world.call("Policy1", "AddressesChanged")
    assert configured(world) == before
    assert world.fake.sections["policy"][0] == 1


def test_a_restart_adopts_what_is_in_force(world, policyd):
    code, _ = policyd.stop()
    assert code == 0 and "policy" in world.fake.sections
    world.start("ipsec-policyd").ready()
    assert world.properties("Policy1")["Generation"] == 1
    assert world.fake.published.qsize() == 1


def test_a_stop_withdraws(world):
    world.write(FILE, POLICY)
    world.write("/run/stop", "")
    fake = world.datapath()
    stop_file = {"NETIPSEC_STOP_FILE": str(world.root / "run/stop")}
    code, _ = world.start("ipsec-policyd", env=stop_file).ready().stop()
    assert code == 0 and "policy" not in fake.sections


def test_a_datapath_that_comes_back_gets_the_policy_again(world, policyd):
    apply(world, "{lport 23 dir in} drop {}\n")
    content = world.fake.sections["policy"][2]
    world.datapath_ends(world.fake)
    again = world.datapath()
    assert again.published.get(timeout=30) == "policy"
    assert again.sections["policy"][2] == content


def test_precedence_is_a_setting(world):
    world.write("/etc/netipsec/policy.cfg", 'precedence = "solaris-priority";\n')
    world.write(FILE, "{lport 23 dir in} drop {}\n{raddr 192.0.2.1} ipsec {encr_algs aes-gcm}\n")
    fake = world.datapath()
    settings = world.root / "etc/netipsec/policy.cfg"
    world.start("ipsec-policyd", "--config", str(settings)).ready()
    ranked = fake.sections["policy"][2]
    other = world.root / "other.cfg"
    other.write_text('precedence = "first-match";\n')
    world.daemons[-1].stop()
    world.start("ipsec-policyd", "--config", str(other)).ready()
    assert fake.sections["policy"][2] != ranked


class TestCommand:
    """ipsecconf, where it needs the service."""

    def test_add_and_flush(self, world, policyd):
        source = world.root / "more.conf"
        source.write_text("{lport 23 dir in} drop {}\n")
        done = world.run("ipsecconf", "-a", str(source))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("WARNING") == 2
        done = world.run("ipsecconf", "-q", "-f", "-i", "t0")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert "t0" not in configured(world) and "lport 22" in configured(world)
        done = world.run("ipsecconf", "-q", "-F", "-a", str(source))
        assert done.returncode == 0
        assert configured(world).endswith("{lport 23 dir in} drop {}\n\n")
        assert configured(world).count("#INDEX") == 1
        assert world.run("ipsecconf", "-qF").returncode == 0
        assert configured(world) == ""

    def test_bad_entries(self, world, policyd):
        source = world.root / "more.conf"
        source.write_text("{lport 23 dir in} drop {}\n{lport x dir in} drop {}\n")
        done = world.run("ipsecconf", "-q", "-a", str(source))
        assert done.returncode == 1
        assert f"{source}:2:8: error: Bad Source Port 'x'" in done.stderr
        assert done.stderr.endswith("1 policy rule(s) contained errors.\nFatal error - exiting.\n")
        assert world.fake.sections["policy"][0] == 1

    def test_no_service(self, world):
        done = world.run("ipsecconf")
        assert done.returncode == 1 and "ipsec-policy.service" in done.stderr
        done = world.run("ipsecconf", "-l")
        assert done.returncode == 1 and "no rules are in force" in done.stderr


LISTING = {
    "version": 1, "generation": 3, "rules": [
        {"index": 4, "id": "0" * 16, "tunnel": "", "direction": "in", "line": 2,
         "text": "{ ulp 6 raddr 192.0.2.17/32 dir in } ipsec { encr_algs 3 sa shared } ",
         "packets": 1, "bytes": 60},
        {"index": 2, "id": "1" * 16, "tunnel": "", "direction": "out", "line": 2,
         "text": "{ ulp 6 rport 22 dir out } pass { } ", "packets": 7, "bytes": 700},
        {"index": 6, "id": "3" * 16, "tunnel": "", "direction": "both", "line": 2,
         "text": "{ raddr 192.0.2.18/32 dir both } drop { }", "packets": 7, "bytes": 700},
        {"index": 10, "id": "4" * 16, "tunnel": "", "direction": "both", "line": 2,
         "text": "{ lport 5 dir both } pass { }", "packets": 7, "bytes": 700},
        {"index": 1, "id": "2" * 16, "tunnel": "t0", "direction": "out", "line": 3,
         "text": "{ tunnel t0 negotiate tunnel dir out } drop { } ", "packets": 0, "bytes": 0},
    ]}


class TestListing:
    """ipsecconf -l against a datapath that lists five rules."""

    @pytest.fixture(autouse=True)
    def listing(self, world):
        fake = world.datapath()

        class Lister(dbus.service.Object):
            @dbus.service.method(fake.NAME, "", "h")
            def ListRules(self):
                fd = os.memfd_create("rules", os.MFD_ALLOW_SEALING)
                os.write(fd, json.dumps(LISTING).encode())
                seal(fd)
                handed = dbus.types.UnixFd(fd)
                os.close(fd)
                return handed

        fake.object.remove_from_connection()
        fake.object = Lister(fake.connection, "/org/netipsec/Datapath1")

    def test_host_rules_outbound_first(self, world):
        done = world.run("ipsecconf", "-ln")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "#INDEX 2\n{ ulp 6 rport 22 dir out } pass { } \n" \
            "#INDEX 5\n{ raddr 192.0.2.18/32 dir out } drop { }\n" \
            "#INDEX 8\n{ lport 5 dir out } pass { }\n" \
            "#INDEX 4\n{ ulp 6 raddr 192.0.2.17/32 dir in } ipsec { encr_algs 3 sa shared } \n" \
            "#INDEX 6\n{ raddr 192.0.2.18/32 dir in } drop { }\n" \
            "#INDEX 10\n{ lport 5 dir in } pass { }\n"

    def test_names(self, world):
        assert "{ ulp tcp rport ssh dir out } pass { } \n" in world.run("ipsecconf", "-l").stdout

    def test_one_tunnel_and_all(self, world):
        tunnel = "#INDEX t0,1\n{ tunnel t0 negotiate tunnel dir out } drop { } \n"
        assert world.run("ipsecconf", "-l", "-i", "t0").stdout == tunnel
        everything = world.run("ipsecconf", "-L", "-n").stdout
        assert everything.endswith(tunnel) and everything.count("#INDEX") == 7

    def test_json_and_table(self, world):
        said = json.loads(world.run("ipsecconf", "-l", "--json").stdout)
        assert said["generation"] == 3
        assert [rule["index"] for rule in said["rules"]] == [2, 6, 10, 4]
        assert said["rules"][0] == LISTING["rules"][1]
        table = world.run("ipsecconf", "-L", "--table").stdout.splitlines()
        assert table[0].split() == ["INDEX", "TUNNEL", "DIR", "LINE", "PACKETS", "BYTES", "RULE"]
        assert len(table) == 6


def seal(fd):
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK
                | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)


USAGE = [
    (["-a", "x", "-c", "y"], "Multiple commands or interface not required."),
    (["-a", "x", "-l"], "Multiple commands specified"),
    (["-l", "-l"], "Multiple commands specified"),
    (["-l", "-L"], "Multiple commands specified"),
    (["-f", "-l"], "Multiple commands specified"),
    (["-f", "-F"], "Multiple commands specified"),
    (["-l", "-i", "a", "-i", "b"], "Interface name already selected"),
    (["-F", "-i", "a"], "Interface name already selected"),
    (["-L", "-i", "a"], "Interface name already selected"),
    (["-l", "-i", ""], "Invalid interface name."),
    (["-a", "x", "-i", "t"], "Multiple commands or interface not required."),
    (["-i", "t", "-f", "-a", "x"], "Multiple commands or interface not required."),
    (["-i", "t", "-F"], "interface name not required."),
    (["-i", "t", "-L"], "interface name not required."),
    (["-i", "t"], "Bad usage."),
    (["-n"], "Bad usage."),
    (["-q"], "Bad usage."),
    (["x"], "Bad usage."),
    (["-l", "x"], "Bad usage."),
    (["-z"], "Bad usage."),
    (["--json"], "Bad usage."),
]


@pytest.mark.parametrize("arguments,message", USAGE, ids=[" ".join(row[0]) for row in USAGE])
def test_usage(world, arguments, message):
    done = world.run("ipsecconf", *arguments)
    assert done.returncode == 1 and done.stdout == ""
    assert "usage: ipsecconf" in done.stderr
    assert done.stderr.endswith(f"{message}\nFatal error - exiting.\n")


def test_check_names_the_file_and_speaks_json(world):
    done = world.run("ipsecconf", "-c", "/nonexistent")
    assert done.returncode == 1 and "/nonexistent: No such file" in done.stderr
    source = world.root / "bad.conf"
    source.write_text("{lport x} drop {}\n")
    done = world.run("ipsecconf", "-c", str(source), "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)["diagnostics"]
    assert said[0] == {"file": str(source), "line": 1, "column": 8, "end_line": 1, "end_column": 9,
                       "severity": "error", "code": "port-value",
                       "message": "Bad Source Port 'x': no such service", "hint": None}
    done = world.run("ipsecconf", "--version")
    assert done.stdout.startswith("ipsecconf (netipsec) ")


def test_the_listing_of_the_service_is_a_text_that_loads(world, policyd):
    listing = read_memfd(world.call("Policy1", "ListConfigured"))
    generation, warnings = apply(world, listing, "replace-all")
    # Only the lines differ, which the datapath is told.
    assert (generation, warnings) == (2, "")
    assert read_memfd(world.call("Policy1", "ListConfigured")) == listing
