# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsec-policyd and ipsecconf on a private bus, with a stand-in for the datapath."""

import json
import os
import re
import threading

import dbus
import pytest

from service import STAGE, read_memfd, send_signal

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
    assert policyd.status == "6 rules in force (generation 1)"


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


def delete(world, index, tunnel=""):
    return world.call("Policy1", "Delete", tunnel, dbus.UInt32(index), NO_OPTIONS)


NO_OPTIONS = dbus.Dictionary({}, signature="sv")


def test_deleting_one_direction_leaves_the_other(world, policyd):
    generation, removed, remaining = delete(world, 1)
    assert generation == 2
    assert removed == "{ ulp 6 raddr 192.0.2.17/32 dir out } " \
        "ipsec { encr_algs aes-gcm(256) sa shared } "
    assert remaining == "#INDEX 2\n{ ulp 6 raddr 192.0.2.17/32 dir in } " \
        "ipsec { encr_algs aes-gcm(256) sa shared } \n"
    # Its number is still that of the last SPD entry, so it is shown as before.
    assert "#INDEX 2\n{raddr 192.0.2.17 ulp tcp}" in configured(world)
    assert world.properties("Policy1")["RuleCount"] == 5
    _, removed, remaining = delete(world, 2)
    assert "dir in" in removed and remaining == ""
    assert "192.0.2.17" not in configured(world)


def test_adding_the_whole_completes_what_was_left(world, policyd):
    """Either direction, and only what is missing; what says something else is a duplicate as ever."""
    text = "{raddr 192.0.2.17 ulp tcp} ipsec {encr_algs aes-gcm16(256) sa shared}\n"
    count = world.properties("Policy1")["RuleCount"]
    for number, way in enumerate(("out", "in")):
        last = int(re.search(r"#INDEX (\d+)\n\{raddr 192.0.2.17", configured(world)).group(1))
        _, removed, _ = delete(world, last - 1 + number)
        assert f"dir {way}" in removed
        assert world.properties("Policy1")["RuleCount"] == count - 1
        _, warnings = world.call("Policy1", "Apply", source(text.replace("256", "128")), "typed",
                                 NO_OPTIONS)
        assert "[rule-duplicate]" in warnings
        assert world.properties("Policy1")["RuleCount"] == count - 1
        _, warnings = world.call("Policy1", "Apply", source(text), "typed", NO_OPTIONS)
        assert warnings == ""
        assert world.properties("Policy1")["RuleCount"] == count
        world.write(FILE, POLICY + number * "# another\n")
        world.call("Policy1", "Reload")
    _, warnings = world.call("Policy1", "Apply", source(text), "typed", NO_OPTIONS)
    assert "[rule-duplicate]" in warnings


def test_deleting_one_family_leaves_the_other(world, policyd):
    """Entries 3 to 6 are out v4, out v6, in v4, in v6."""
    _, removed, remaining = delete(world, 4)
    assert removed.startswith("{ lport 22 raddr ::/0 dir out }")
    assert remaining.splitlines() == [
        "#INDEX 3", "{ lport 22 raddr 0.0.0.0/0 dir out } pass { } ",
        "#INDEX 6", "{ lport 22 dir in } pass { } "]
    _, removed, remaining = delete(world, 6)
    assert removed.startswith("{ lport 22 raddr ::/0 dir in }")
    assert [line for line in remaining.splitlines() if line.startswith("#")] == [
        "#INDEX 3", "#INDEX 5"]
    # The number that the entry was shown by is gone, and with it the entry from the listing.
    assert "lport 22" not in configured(world)
    assert world.properties("Policy1")["RuleCount"] == 6


def test_a_number_that_is_not_there(world, policyd):
    for tunnel, index in ("", 7), ("t1", 1), ("t0", 3):
        with pytest.raises(dbus.DBusException) as caught:
            delete(world, index, tunnel)
        assert caught.value.get_dbus_name() == "org.netipsec.Error.NotFound"
    assert delete(world, 1, "t0")[1].startswith("{ tunnel t0 negotiate tunnel laddr")
    assert world.fake.sections["policy"][0] == 2


def test_what_was_deleted_stays_deleted(world, policyd):
    """Also when names are looked up again; a reload brings it back."""
    delete(world, 1)
    before = world.properties("Policy1")["RuleCount"]
    world.call("Policy1", "AddressesChanged")
    assert world.properties("Policy1")["RuleCount"] == before
    assert world.fake.sections["policy"][0] == 2
    world.call("Policy1", "Reload")
    assert world.properties("Policy1")["RuleCount"] == before + 1


def source(text):
    fd = os.memfd_create("test")
    os.write(fd, text.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    handed = dbus.types.UnixFd(fd)
    os.close(fd)
    return handed


def remove(world, text):
    return world.call("Policy1", "Remove", source(text), "typed", NO_OPTIONS)


def test_removing_by_text(world, policyd):
    apply(world, "{raddr 2001:db8::1} drop {}\n")
    generation, removed, unmatched, warnings = remove(
        world, "{lport 22\n dir   both}  # remark\n bypass { }\n{lport 99 dir in} drop {}\n"
        "{ raddr 2001:DB8::1 } drop {}")
    assert (generation, removed, unmatched) == (3, 2, 1)
    assert "typed:4: warning: Could not find a matching policy entry" in warnings
    assert "[entry-unmatched]" in warnings and "direction-assumed" not in warnings
    assert "lport 22" not in configured(world)
    assert world.properties("Policy1")["RuleCount"] == 4


def test_removing_compares_words(world, policyd):
    """The same meaning in other words is another entry."""
    _, removed, unmatched, _ = remove(world, "{dir both lport 22} bypass {}\n")
    assert (removed, unmatched) == (0, 1)
    assert world.fake.sections["policy"][0] == 1


def add_fragment(world, name, text, **options):
    return world.call("Policy1", "AddFragment", name, source(text),
                      dbus.Dictionary(options, signature="sv"))


def fragments(world):
    return json.loads(read_memfd(world.call("Policy1", "ListFragments")))["fragments"]


class TestFragments:
    """Pieces of policy that other programs bring."""

    TEXT = "{lport 80 dir in} drop {}\n"

    def test_one_is_ranked_behind_the_file(self, world, policyd):
        generation, warnings = add_fragment(world, "web", self.TEXT + "{lport 22 dir in} drop {}\n")
        assert generation == 2
        assert "web:2:1: warning: Duplicate policy entry" in warnings
        assert world.properties("Policy1")["RuleCount"] == 7
        assert "lport 80" not in configured(world)
        assert [f["name"] for f in fragments(world)] == ["web"]
        with pytest.raises(dbus.DBusException) as caught:
            delete(world, 8)
        assert "fragment" in caught.value.get_dbus_message()
        assert world.call("Policy1", "RemoveFragment", "web") == 3
        assert world.properties("Policy1")["RuleCount"] == 6
        with pytest.raises(dbus.DBusException) as caught:
            world.call("Policy1", "RemoveFragment", "web")
        assert caught.value.get_dbus_name() == "org.netipsec.Error.NotFound"

    def test_one_outlives_reload_and_flush(self, world, policyd):
        add_fragment(world, "web", self.TEXT)
        world.call("Policy1", "Flush", "", dbus.Dictionary({"all": True}, signature="sv"))
        assert world.properties("Policy1")["RuleCount"] == 1
        world.call("Policy1", "Reload")
        assert world.properties("Policy1")["RuleCount"] == 7
        add_fragment(world, "web", "{lport 81 dir in} drop {}\n{lport 82 dir in} drop {}\n")
        assert world.properties("Policy1")["RuleCount"] == 8

    def test_one_goes_with_its_owner(self, world, policyd):
        other = dbus.bus.BusConnection(world.address)
        proxy = other.get_object("org.netipsec.Policy1", "/org/netipsec/Policy1", introspect=False)
        proxy.get_dbus_method("AddFragment", "org.netipsec.Policy1")("web", source(self.TEXT), NO_OPTIONS)
        with pytest.raises(dbus.DBusException) as caught:
            add_fragment(world, "web", self.TEXT)
        assert caught.value.get_dbus_name() == "org.netipsec.Error.Exists"
        changed = world.wait_for_properties("Policy1")
        other.close()
        assert changed("RuleCount") == 6
        assert fragments(world) == []

    def test_a_persistent_one_is_there_after_a_restart(self, world, policyd):
        add_fragment(world, "web", self.TEXT, persistent=True)
        add_fragment(world, "look", "{lport 90 dir in} drop {}\n", persistent=True, enforce=False)
        stored = world.root / "var/lib/netipsec/policy/fragments"
        assert (stored / "web.conf").read_text() == self.TEXT
        assert sorted(p.name for p in stored.iterdir()) == ["look.audit", "web.conf"]
        content = world.fake.sections["policy"][2]
        policyd.stop()
        world.start("ipsec-policyd").ready()
        assert [(f["name"], f["owner"], f["enforce"]) for f in fragments(world)] == [
            ("look", "", False), ("web", "", True)]
        assert len(world.fake.sections["policy"][2]) == len(content)
        world.call("Policy1", "RemoveFragment", "web")
        assert [p.name for p in stored.iterdir()] == ["look.audit"]

    def test_bad_ones_change_nothing(self, world, policyd):
        with pytest.raises(dbus.DBusException) as caught:
            add_fragment(world, "web", "{lport 80 dir in} dorp {}\n", persistent=True)
        assert caught.value.get_dbus_name() == "org.netipsec.Error.Syntax"
        assert "web:1:19: error: Invalid action 'dorp'" in caught.value.get_dbus_message()
        for name in "", ".hidden", "a/b", "x" * 64:
            with pytest.raises(dbus.DBusException) as caught:
                add_fragment(world, name, self.TEXT)
            assert caught.value.get_dbus_name() == "org.netipsec.Error.Invalid"
        world.fake.refuse = "no room"
        with pytest.raises(dbus.DBusException):
            add_fragment(world, "web", self.TEXT, persistent=True)
        assert fragments(world) == []
        assert not list((world.root / "var/lib/netipsec/policy/fragments").iterdir())

    def test_one_that_fits_no_more_is_left_out(self, world, policyd):
        add_fragment(world, "tun", "{tunnel t0 negotiate tunnel laddr 10.1.0.0/16 raddr 10.3.0.0/16} "
                     "ipsec {encr_algs aes-gcm}\n")
        before = world.properties("Policy1")["RuleCount"]
        world.write(FILE, "{tunnel t0 negotiate transport} ipsec {encr_algs aes-gcm}\n")
        world.call("Policy1", "Reload")
        assert fragments(world)[0]["problem"].startswith("fragment tun:1:")
        assert world.properties("Policy1")["RuleCount"] == 2
        world.write(FILE, POLICY)
        world.call("Policy1", "Reload")
        assert fragments(world)[0]["problem"] == ""
        assert world.properties("Policy1")["RuleCount"] == before


class TestTrial:
    """Changes that go again unless they are confirmed."""

    @pytest.fixture(autouse=True)
    def on_trial(self, world, policyd):
        self.before = configured(world)
        world.call("Policy1", "Apply", source("{lport 23 dir in} drop {}\n"), "typed",
                   dbus.Dictionary({"confirm_usec": dbus.UInt64(60_000_000)}, signature="sv"))
        assert world.fake.confirm_usec == 60_000_000
        assert world.properties("Policy1")["OnTrial"]

    def test_confirmed(self, world):
        assert world.call("Policy1", "Confirm") == 2
        assert world.fake.trial is None
        assert not world.properties("Policy1")["OnTrial"]
        assert "lport 23" in configured(world)
        with pytest.raises(dbus.DBusException) as caught:
            world.call("Policy1", "Confirm")
        assert caught.value.get_dbus_name() == "org.netipsec.Error.NotFound"

    def test_rolled_back(self, world):
        changed = world.wait_for_properties("Policy1")
        world.fake.roll_back("policy")
        assert changed("Generation") == 3
        assert configured(world) == self.before
        assert not world.properties("Policy1")["OnTrial"]
        assert world.properties("Policy1")["RuleCount"] == 6
        assert apply(world, "{lport 24 dir in} drop {}\n")[0] == 4

    def test_what_was_rolled_back_is_not_published_again(self, world):
        """A datapath that comes anew, with nothing, is given what was in force last."""
        trial = world.fake.sections["policy"][2]
        former = world.fake.trial[2]
        assert trial != former
        changed = world.wait_for_properties("Policy1")
        world.fake.roll_back("policy")
        assert changed("Generation") == 3
        world.datapath_ends(world.fake)
        world.fake = world.datapath()
        assert world.fake.published.get(timeout=30) == "policy"
        assert world.fake.sections["policy"][2] == former
        assert configured(world) == self.before

    def test_a_trial_dies_with_its_datapath(self, world):
        """The next one knows nothing of it: what was in force before is what it is given."""
        former = world.fake.trial[2]
        world.datapath_ends(world.fake)
        world.fake = world.datapath()
        assert world.fake.published.get(timeout=30) == "policy"
        assert world.fake.sections["policy"][2] == former
        assert not world.properties("Policy1")["OnTrial"]
        assert configured(world) == self.before

    def test_nothing_else_meanwhile(self, world):
        with pytest.raises(dbus.DBusException) as caught:
            apply(world, "{lport 24 dir in} drop {}\n")
        assert caught.value.get_dbus_name() == "org.netipsec.Error.Unavailable"
        assert "--confirm-yes" in caught.value.get_dbus_message()

    def test_a_service_that_dies_does_not_undo_the_way_back(self, world, policyd):
        policyd.process.kill()
        policyd.process.wait()
        world.fake.roll_back("policy")
        world.start("ipsec-policyd").ready()
        assert configured(world) == self.before
        assert world.properties("Policy1")["State"] == "enforced"
        assert world.properties("Policy1")["Generation"] == 3


class TestWatched:
    """What other services tell makes the service look at its entries again."""

    ALGS = "/etc/inet/ipsecalgs"

    @pytest.fixture(autouse=True)
    def algorithms(self, world, policyd):
        table = (STAGE / "etc/inet/ipsecalgs").read_text()
        world.write(self.ALGS, table.replace("|aes-gcm,aes-gcm16|", "|aes-gcm|").replace(
            "|aes-gcm12|", "|aes-gcm12,aes-gcm16|"))
        assert world.fake.published.get(timeout=30) == "policy"

    def test_addresses(self, world):
        send_signal(world.fake.connection, "Datapath1", "AddressesChanged", None)
        assert world.fake.published.get(timeout=30) == "policy"
        assert "{raddr 192.0.2.17 ulp tcp} ipsec {encr_algs aes-gcm16(256)" in configured(world)
        assert "encr_algs aes-gcm12(256)" in delete(world, 7)[1]

    def test_algorithms(self, world):
        world.start("ipsecalgsd").ready()
        while world.fake.published.get(timeout=30) != "policy":
            pass
        assert "encr_algs aes-gcm12(256)" in delete(world, 7)[1]


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


def test_check_names_the_file_and_speaks_json(world):
    done = world.run("ipsecconf", "-c", "/nonexistent")
    assert done.returncode == 1 and "/nonexistent: error: No such file" in done.stderr
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
