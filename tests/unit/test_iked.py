# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsec-iked on a private bus: its file, its properties, the requests that it counts."""

import json
import os
import subprocess

import dbus
import pytest
from service import read_memfd, send_signal

DATAPATH = "org.netipsec.Datapath1"
NOBODY = 65534


def request(number):
    return dbus.Dictionary({
        "seq": dbus.UInt32(number), "protocol": "esp", "rule": f"{number:016x}",
        "source": "192.0.2.1", "odd": dbus.Array([1, 2], signature="i"),
    }, signature="sv")


def send_requests(world, numbers):
    assert world.connection.request_name(DATAPATH) in (1, 4)
    for number in numbers:
        send_signal(world.connection, "Datapath1", "Acquire", "a{sv}", request(number))


def test_says_that_it_negotiates_nothing(world):
    daemon = world.start("ipsec-iked").ready()
    assert world.properties("Ike1")["EngineState"] == "none: negotiates nothing"
    assert "negotiates nothing" in world.run("ipsec-iked", "--help").stdout
    assert "egotiates nothing" in daemon.status


def test_without_a_file(world):
    world.start("ipsec-iked").ready()
    shown = world.properties("Ike1")
    assert shown["ConfigState"] == "absent" and shown["State"] == "absent"
    assert shown["Generation"] == 1 and shown["AcquireCount"] == 0 and shown["LastError"] == ""
    assert list(shown["LastAcquires"]) == []


def test_reload_finds_the_file(world):
    world.start("ipsec-iked").ready()
    world.write("/etc/inet/ike/config", "p1_xform\n")
    assert world.run("ipsec-iked", "--reload").returncode == 0
    shown = world.properties("Ike1")
    assert shown["ConfigState"] == "present" and shown["State"] == "published"
    assert shown["Generation"] == 2


def test_reload_that_fails_changes_nothing(world):
    daemon = world.start("ipsec-iked").ready()
    (world.root / "etc/inet/ike/config").mkdir(parents=True)
    done = world.run("ipsec-iked", "--reload")
    assert done.returncode == 1
    assert done.stderr == "ipsec-iked: reload: /etc/inet/ike/config: not a regular file\n"
    shown = world.properties("Ike1")
    assert shown["State"] == "failed" and shown["LastError"] == "not a regular file"
    assert shown["ConfigState"] == "absent" and shown["Generation"] == 1
    daemon.wait_for("RELOADING=1")
    daemon.ready()
    assert "not a regular file" in daemon.status and daemon.errno != 0


def test_counts_requests_and_keeps_the_last(world):
    world.start("ipsec-iked").ready()
    send_requests(world, range(1, 21))
    shown = world.properties("Ike1")
    assert shown["AcquireCount"] == 20
    assert [str(line) for line in shown["LastAcquires"]] == [
        f"{n}: esp, rule {n:016x}" for n in range(5, 21)]
    listing = json.loads(read_memfd(world.call("Ike1", "ListAcquires")))
    assert listing["version"] == 1 and len(listing["acquires"]) == 16
    assert listing["acquires"][-1]["number"] == 20
    assert listing["acquires"][-1]["request"] == {
        "seq": 20, "protocol": "esp", "rule": f"{20:016x}", "source": "192.0.2.1"}


def test_addresses_are_not_in_the_open_property(world):
    world.start("ipsec-iked").ready()
    send_requests(world, [1])
    assert "192.0.2.1" not in " ".join(world.properties("Ike1")["LastAcquires"])


def can_be_nobody():
    with open("/proc/self/uid_map", encoding="ascii") as rows:
        ranges = [[int(word) for word in row.split()] for row in rows]
    return os.getuid() == 0 and any(first <= NOBODY < first + count for first, _, count in ranges)


@pytest.mark.skipif(not can_be_nobody(), reason="needs a second user id")
def test_addresses_need_rights(world):
    world.start("ipsec-iked").ready()
    done = subprocess.run(
        ["dbus-send", f"--bus={world.address}", "--print-reply", "--dest=org.netipsec.Ike1",
         "/org/netipsec/Ike1", "org.netipsec.Ike1.ListAcquires"],
        user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True, text=True,
        timeout=30, check=False)
    assert done.returncode == 1 and "org.netipsec.Error.NotAuthorized" in done.stderr


def test_requests_of_others_do_not_count(world):
    """Only the owner of the datapath's name is believed."""
    world.start("ipsec-iked").ready()
    send_signal(world.connection, "Datapath1", "Acquire", "a{sv}", request(1))
    assert world.properties("Ike1")["AcquireCount"] == 0


def test_a_request_that_is_no_dictionary_does_not_count(world):
    world.start("ipsec-iked").ready()
    send_requests(world, [])
    send_signal(world.connection, "Datapath1", "Acquire", "s", "esp")
    assert world.properties("Ike1")["AcquireCount"] == 0


@pytest.mark.parametrize("state", ["absent", "present"])
def test_check(world, state):
    if state == "present":
        world.write("/etc/inet/ike/config", "")
    done = world.run("ipsec-iked", "--check")
    assert done.returncode == 0
    assert done.stdout == (
        f"/etc/inet/ike/config: {state}; key management: none: negotiates nothing\n")


def test_settings_name_the_file(world):
    world.write("/etc/netipsec/other.cfg", 'config_file = "/etc/inet/other";\n')
    world.write("/etc/inet/other", "")
    done = world.run("ipsec-iked", "--check", "--config", str(world.root / "etc/netipsec/other.cfg"))
    assert done.returncode == 0 and done.stdout.startswith("/etc/inet/other: present")


def test_settings_with_an_unknown_name(world):
    world.write("/etc/netipsec/other.cfg", "x = 1;\n")
    done = world.run("ipsec-iked", "--check", "--config", str(world.root / "etc/netipsec/other.cfg"))
    assert done.returncode == 1 and "other.cfg:1: error:" in done.stderr


def test_ends_cleanly(world):
    code, _ = world.start("ipsec-iked").ready().stop()
    assert code == 0
