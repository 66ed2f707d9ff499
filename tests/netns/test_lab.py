# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself, with stand-ins for the daemons: what it promises in docs/lab.md."""

import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from lablib.wire import UDP, Capture
from nettest.lab import REPO, Lab, client, place, units
from nettest.probe import SteadyProbe, loses_nothing

PAIR = """
host left
	address eth0 192.0.2.1/24 2001:db8::1/64
	services ipsec-policy ipsec-datapath
host right
	address eth0 192.0.2.2/24 2001:db8::2/64
link left:eth0 right:eth0
"""
ROUTED = """
host inside
	address eth0 10.0.0.2/24
	route   default via 10.0.0.1
host router
	address lan 10.0.0.1/24
	address wan 192.0.2.1/24
	forward ipv4
	nat     wan
host outside
	address eth0 192.0.2.2/24
link inside:eth0 router:lan
link router:wan outside:eth0 mtu 1400
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A staged installation whose daemons are stand-ins."""
    root = tmp_path_factory.mktemp("stage")
    sbin = root / "usr/sbin"
    sbin.mkdir(parents=True)
    (root / "usr/share/dbus-1/system.d").mkdir(parents=True)
    text = (REPO / "tests/netns/standin.py").read_text()
    for daemon in units.UNITS.values():
        (sbin / daemon).write_text(text)
        (sbin / daemon).chmod(0o755)
    return root


@pytest.fixture(scope="module")
def left(labs, stage, tmp_path_factory):
    """Host `left` of a lab with stand-ins."""
    return labs(write(tmp_path_factory.mktemp("files"), PAIR), stage)["left"]


def write(directory, text):
    path = directory / "some.lab"
    path.write_text(text)
    return path


def log(host, unit):
    return host.path(f"/log/{unit}.log").read_text()


def test_start_waits_for_ready_and_status_is_kept(left):
    facts = left.facts("ipsec-policy")
    assert (facts["state"], facts["status"], facts["starts"]) == ("active", "standing in", 1)
    assert left.facts("ipsec-ike")["state"] == "inactive"


def test_hosts_have_names_files_and_a_bus_of_their_own(left):
    assert left.exec("hostname") == "left\n"
    assert "2001:db8::2" in left.exec("getent", "ahosts", "right")
    left.exec("touch", "/etc/inet/mine", "/run/netipsec/mine", "/var/lib/netipsec/mine")
    assert left.path("/etc/inet/mine").exists() and not os.path.exists("/etc/inet/mine")
    names = left.exec("dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/",
                      "org.freedesktop.DBus.ListNames")
    assert names.count('string ":') == 1, "only the asker is on this bus"


def test_reload_tells_verdict_and_exit_status(left):
    good = left.systemctl("reload", "ipsec-policy")
    assert "verdict of the reload" in good.stderr
    left.exec("touch", "/etc/inet/bad")
    try:
        bad = left.systemctl("reload", "ipsec-policy", ok=False)
    finally:
        left.exec("rm", "/etc/inet/bad")
    assert bad.returncode == 1 and "ended with 1" in bad.stderr


def test_killed_service_comes_back_with_its_descriptors(left):
    before = left.facts("ipsec-datapath")
    left.kill("ipsec-datapath")
    left.wait_active("ipsec-datapath")
    after = left.facts("ipsec-datapath")
    assert after["starts"] == before["starts"] + 1 and after["pid"] != before["pid"]
    assert after["stored"] == ["arena"], "once, and the hung-up descriptor is gone"
    assert log(left, "ipsec-datapath").endswith("descriptors arena mine True\nstored kept\n")


def test_some_exit_statuses_are_final(left):
    """What comes of no accident is not tried again, and whoever waits is told."""
    starts = left.facts("ipsec-datapath")["starts"]
    left.write("/etc/inet/bad", "95")
    try:
        done = left.systemctl("restart", "ipsec-datapath", ok=False)
        assert done.returncode == 1 and "ipsec-datapath is failed" in done.stderr
        facts = left.facts("ipsec-datapath")
        assert (facts["state"], facts["starts"], facts["stored"]) == ("failed", starts + 1, [])
        assert facts["last_end"] == "exit status 95"
    finally:
        left.exec("rm", "/etc/inet/bad")
    left.systemctl("start", "ipsec-datapath")
    assert left.facts("ipsec-datapath")["state"] == "active"
    assert log(left, "ipsec-datapath").endswith("descriptors none mine False\n")


def test_held_service_stays_down_until_released(left):
    starts = left.facts("ipsec-datapath")["starts"]
    left.hold("ipsec-datapath")
    left.kill("ipsec-datapath")
    left.systemctl("restart", "ipsec-policy")
    facts = left.facts("ipsec-datapath")
    assert (facts["state"], facts["starts"], facts["stored"]) == ("restarting", starts, ["arena"])
    left.release("ipsec-datapath")
    left.wait_active("ipsec-datapath")


def test_only_stop_is_told_as_stop(left):
    left.systemctl("restart", "ipsec-policy")
    assert "job is stop: False" in log(left, "ipsec-policy")
    assert "job is stop: True" not in log(left, "ipsec-policy")
    left.systemctl("stop", "ipsec-policy")
    assert log(left, "ipsec-policy").endswith("job is stop: True\n")
    assert left.systemctl("is-active", "ipsec-policy", ok=False).returncode == 3
    left.systemctl("start", "ipsec-policy")
    assert log(left, "ipsec-policy").endswith("descriptors none mine False\n"), "stop drops the store"


def test_bus_comes_back(left):
    left.kill("dbus")
    left.wait_active("dbus")
    left.exec("dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/",
              "org.freedesktop.DBus.GetId")


def test_unknown_unit(left):
    done = left.systemctl("status", "nosuch.service", ok=False)
    assert done.returncode == 4 and "nosuch.service not found" in done.stderr


def test_routing_and_nat(labs, tmp_path):
    lab = labs(write(tmp_path, ROUTED))
    lab["inside"].exec("ping", "-c1", "-W5", "192.0.2.2")
    assert "mtu 1400" in lab["router"].exec("ip", "link", "show", "wan")
    with lab["outside"].socket(socket.AF_INET, socket.SOCK_DGRAM, 0, ["0.0.0.0", 5000]) as sink, \
         lab["inside"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sink.settimeout(10)
        sender.sendto(b"x", ("192.0.2.2", 5000))
        assert sink.recvfrom(10)[1][0] == "192.0.2.1"


def test_capture_sees_all_and_its_canary(left):
    right = left.lab["right"]
    with Capture(right, "eth0") as wire:
        with left.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(100):
                sender.sendto(b"number %d" % number, ("192.0.2.2", 4000))
        wire.wait(100, lambda frame: frame.protocol == UDP)
    numbers = [frame.payload[8:] for frame in wire.of(UDP)]
    assert numbers == [b"number %d" % number for number in range(100)]


def test_probe_counts_what_is_lost(left):
    right = left.lab["right"]
    loses_nothing(lambda: SteadyProbe(left, right, "192.0.2.2"), lambda: None)
    with SteadyProbe(left, right, "2001:db8::2") as probe:
        right.exec("nft", "add table ip6 t; add chain ip6 t in { type filter hook input priority 0; }; "
                          "add rule ip6 t in udp dport 7777 drop")
        probe.flow(200)
        right.exec("nft", "delete", "table", "ip6", "t")
    lost = probe.sent["udp"] - len(probe.came["udp"])
    assert 0 < lost < probe.sent["udp"] and probe.sent["ping"] == len(probe.came["ping"])


class HeldUp(SteadyProbe):
    """One that gets no processor for a second, as when the machine starts other programs."""
    times = []

    def _try(self, sock, data, target):
        self.times.append(time.monotonic())
        if len(self.times) == 200:
            time.sleep(1)
        super()._try(sock, data, target)


def test_probe_sends_no_burst_after_a_delay(left):
    with HeldUp(left, left.lab["right"], "192.0.2.2") as probe:
        probe.flow(500)
    again = probe.times[200]
    assert sum(again <= at < again + 0.1 for at in probe.times) < 300, "what a queue of a device holds"


def test_mistakes_are_told_with_their_lines(tmp_path):
    path = write(tmp_path, "address eth0 192.0.2.1/24\nhost a\n  address eth1 192.0.2.1/24\n"
                           "  services nosuch\nlink a:eth0 b:eth0\n")
    done = subprocess.run([REPO / "tools/lab", "--dir", tmp_path / "state", "up", path],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2
    lines = [line.removeprefix(f"{path}:").split(":")[0] for line in done.stderr.splitlines()]
    assert sorted(lines) == ["1", "3", "4", "5"]
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("status", ["", "95"])
def test_service_that_does_not_start_fails_the_lab(stage, tmp_path, status):
    (tmp_path / "bad").write_text(status)
    path = write(tmp_path, PAIR.replace("services", "file /etc/inet/bad bad\n\tservices"))
    with pytest.raises(RuntimeError, match="does not start"):
        Lab(path, tmp_path / "state", stage=stage)
    assert not (tmp_path / "state").exists()


def test_two_labs_and_taken_name(stage, tmp_path):
    path = write(tmp_path, PAIR)
    one, two = (Lab(path, tmp_path / "state", name, stage) for name in ("one", "two"))
    try:
        one["left"].exec("ping", "-c1", "-W5", "right")
        with pytest.raises(RuntimeError, match="up already"):
            Lab(path, tmp_path / "state", "one", stage)
        one.down()
        two["left"].exec("ping", "-c1", "-W5", "right")
    finally:
        one.down()
        two.down()
    assert not (tmp_path / "state").exists()


def processes_of(state):
    """Supervisors and services of labs that live in this directory: seen by their mounts."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if bytes(state) in file.read():
                    found.append(pid)
        except OSError:
            pass
    return found


def keeper_of(where):
    """Descriptor of the process that keeps a lab up."""
    with place.connect(where.path) as connection:
        return os.pidfd_open(client.linux.peer_pid(connection))


def test_keeper_killed_then_down(stage, tmp_path):
    lab = Lab(write(tmp_path, PAIR), tmp_path / "state", "crash", stage)
    service = lab["left"].pidfd("ipsec-datapath")
    keeper = keeper_of(lab.where)
    signal.pidfd_send_signal(keeper, signal.SIGKILL)
    place.wait_gone(keeper)
    place.wait_gone(service)
    assert not lab.where.is_up()
    subprocess.run([*lab.command, "down"], check=True)
    assert not (tmp_path / "state").exists() and not processes_of(tmp_path / "state")
    lab.down()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("services", ["", "services ipsec-datapath"])
def test_up_ended_in_the_middle_leaves_nothing(stage, tmp_path, number, services):
    state = tmp_path / "state"
    go_on = tmp_path / "fifo"
    os.mkfifo(go_on)
    # `after` blocks in the middle of `up`, once the services run.
    path = write(tmp_path, f"host a\n\t{services or 'forward'}\n\tafter cat {go_on}\n")
    process = subprocess.Popen([REPO / "tools/lab", "--dir", state, "up", "--stage", stage, path],
                               stderr=subprocess.DEVNULL)
    writer = []
    opener = threading.Thread(target=lambda: writer.append(os.open(go_on, os.O_WRONLY)))
    opener.start()
    opener.join(20)
    assert writer, "the lab never came to its `after` command"
    keeper = keeper_of(place.Place(str(state), "default"))
    process.send_signal(number)
    process.wait()
    place.wait_gone(keeper)
    os.close(writer[0])
    assert not processes_of(state)
    subprocess.run([REPO / "tools/lab", "--dir", state, "down"], check=True)
    assert not state.exists()


def test_in_a_user_namespace(labs, stage, tmp_path):
    lab = labs(write(tmp_path, PAIR), stage, ["--userns"])
    assert lab["left"].exec("cat", "/proc/self/uid_map").split() == ["0", str(os.geteuid()), "1"]
    with SteadyProbe(lab["left"], lab["right"], "192.0.2.2") as probe:
        lab["left"].systemctl("restart", "ipsec-datapath")
    assert probe.lost() == 0
