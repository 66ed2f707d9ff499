# SPDX-License-Identifier: GPL-2.0-or-later
"""A reload on trial, whose service or datapath dies: who comes next finds what nobody has confirmed."""

import time

import dbus
import pytest

FILE = "/etc/inet/ipsecinit.conf"
POLICY = """\
{raddr 192.0.2.17 ulp tcp} ipsec {encr_algs aes-gcm16(256) sa shared}
{lport 22 dir both} bypass {}
"""
MORE = "{lport 24 dir in} drop {}\n"
TRIED = "{lport 23 dir in} drop {}\n" + POLICY  # numbered otherwise by a service that starts


def configured(world):
    return world.run("ipsecconf").stdout


def apply(world, text):
    """By hand. What is said when it is refused."""
    source = world.root / "typed"
    source.write_text(text)
    return world.run("ipsecconf", "-q", "-a", str(source)).stderr


@pytest.fixture(autouse=True)
def on_trial(world):
    world.write(FILE, POLICY)
    world.fake = world.datapath()
    world.policyd = world.start("ipsec-policyd").ready()
    world.former = world.fake.sections["policy"][2]
    world.words = configured(world)
    world.write(FILE, TRIED)
    world.call("Policy1", "ReloadWith",
               dbus.Dictionary({"confirm_usec": dbus.UInt64(60_000_000)}, signature="sv"))


def dies(world):
    world.policyd.process.kill()
    world.policyd.process.wait()


def comes_back(world):
    service = world.start("ipsec-policyd").ready()
    while not world.fake.published.empty():
        world.fake.published.get()
    return service


def meets(world, sections, trial):
    """The service, which is there already, and a datapath that comes with what it kept."""
    service = world.start("ipsec-policyd").ready()
    assert world.properties("Policy1")["State"] == "not-enforced"
    changed = world.wait_for_properties("Policy1")
    world.fake = world.datapath(sections=sections, trial=trial)
    while not changed("Generation"):
        pass
    return service


def back_again(world):
    """The policy before the trial, to the last number; what comes by hand builds on it."""
    properties = world.properties("Policy1")
    assert properties["State"] == "enforced" and not properties["OnTrial"]
    assert (properties["RuleCount"], properties["LastError"]) == (4, "")
    assert configured(world) == world.words
    assert world.fake.sections["policy"][2] == world.former
    world.call("Policy1", "AddressesChanged")
    assert world.fake.sections["policy"][2] == world.former
    assert apply(world, MORE) == ""
    assert configured(world).startswith(world.words) and "lport 24" in configured(world)


def refused(world):
    """Neither addresses that change nor anybody's hand bring what was rolled back into force."""
    assert not world.properties("Policy1")["OnTrial"]
    assert world.properties("Policy1")["State"] == "failed"
    assert "went back to an earlier policy" in world.properties("Policy1")["LastError"]
    with pytest.raises(dbus.DBusException) as caught:
        world.call("Policy1", "AddressesChanged")
    assert "ipsecconf --reload" in caught.value.get_dbus_message()
    assert "ipsecconf --reload" in apply(world, MORE)
    assert world.fake.sections["policy"][2] == world.former


def test_a_datapath_that_forgot_the_trial_is_given_the_former(world):
    """It has the policy, and does not know that nobody confirmed it: it would stay for good."""
    held = dict(world.fake.sections)
    world.datapath_ends(world.fake)
    while not world.fake.published.empty():
        world.fake.published.get()
    world.fake = world.datapath(sections=held)
    assert world.fake.published.get(timeout=30) == "policy"
    assert world.fake.sections["policy"][2] == world.former
    assert "lport 23" not in configured(world)


def test_confirmed(world):
    dies(world)
    comes_back(world)
    assert world.fake.trial and world.properties("Policy1")["OnTrial"]
    assert "--confirm-yes" in apply(world, MORE)
    world.call("Policy1", "Confirm")
    assert world.fake.trial is None and not world.properties("Policy1")["OnTrial"]
    assert apply(world, MORE) == ""


def test_rolled_back_before_it_comes(world):
    dies(world)
    world.fake.roll_back("policy")
    comes_back(world)
    back_again(world)


def test_rolled_back_behind_it(world):
    dies(world)
    comes_back(world)
    changed = world.wait_for_properties("Policy1")
    world.fake.roll_back("policy")
    while changed("State") != "enforced":
        pass
    held = dict(world.fake.sections)
    # A datapath that comes anew with what it kept is left alone, too.
    world.datapath_ends(world.fake)
    changed = world.wait_for_properties("Policy1")
    world.fake = world.datapath(sections=held)
    while changed("Generation") != held["policy"][0]:
        pass
    back_again(world)


def test_both_have_died(world):
    dies(world)
    held, trial = dict(world.fake.sections), world.fake.trial
    world.datapath_ends(world.fake)
    meets(world, held, trial)
    assert world.fake.trial and world.properties("Policy1")["OnTrial"]
    changed = world.wait_for_properties("Policy1")
    world.fake.roll_back("policy")
    assert changed("Generation")
    while changed("State") != "enforced":
        pass
    back_again(world)


def test_both_have_died_and_the_time_is_over(world):
    dies(world)
    world.fake.roll_back("policy")
    held = dict(world.fake.sections)
    world.datapath_ends(world.fake)
    meets(world, held, None)
    # Its numbers are known before what it is: that is read, and published, behind them.
    deadline = time.monotonic() + 30
    while world.properties("Policy1")["State"] == "published":
        assert time.monotonic() < deadline
    back_again(world)


def test_who_comes_next_knows_it_too(world):
    """Nobody has asked for what the file has: it stays as it was, over any number of deaths."""
    dies(world)
    world.fake.roll_back("policy")
    comes_back(world).process.kill()
    comes_back(world)
    back_again(world)


def test_what_was_cut_and_what_only_counts(world):
    """Deleted by number before the trial, and of a service that enforced nothing then."""
    world.fake.roll_back("policy")
    world.write("/etc/netipsec/policy.cfg", "enforce = false;\n")
    world.write(FILE, POLICY)
    world.call("Policy1", "Reload")
    last = int(configured(world).split()[1])  # of the first entry, which has two
    assert world.run("ipsecconf", "-q", "-d", str(last - 1)).returncode == 0
    world.former, world.words = world.fake.sections["policy"][2], configured(world)
    world.write("/etc/netipsec/policy.cfg", "")
    world.write(FILE, TRIED)
    world.call("Policy1", "ReloadWith",
               dbus.Dictionary({"confirm_usec": dbus.UInt64(60_000_000)}, signature="sv"))
    dies(world)
    world.fake.roll_back("policy")
    comes_back(world)
    assert world.properties("Policy1")["State"] == "enforced"
    assert world.fake.sections["policy"][2] == world.former


def test_a_former_text_that_is_lost(world):
    """Nothing of ours is published then; the status says what is not known."""
    dies(world)
    (world.root / "var/lib/netipsec/policy/former").unlink()
    world.fake.roll_back("policy")
    comes_back(world)
    refused(world)


def test_whoever_wants_it_says_so(world):
    dies(world)
    world.fake.roll_back("policy")
    service = comes_back(world)
    world.call("Policy1", "Reload")
    assert world.fake.sections["policy"][2] != world.former
    assert apply(world, MORE) == ""
    # From then on it is the policy, also of the service that comes next.
    service.process.kill()
    service.process.wait()
    comes_back(world)
    assert world.properties("Policy1")["State"] == "enforced"


def test_another_file_is_taken(world):
    dies(world)
    world.fake.roll_back("policy")
    world.write(FILE, "{lport 25 dir in} drop {}\n")
    comes_back(world)
    assert world.properties("Policy1")["State"] == "enforced"
    assert "lport 25" in configured(world)
