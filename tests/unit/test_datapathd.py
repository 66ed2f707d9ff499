# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsec-datapathd on a private bus, in a network namespace of its own, and ipsecstat beside it."""

import fcntl
import json
import os
import re
import subprocess
import tempfile
import threading
import time

import dbus
import pytest
from prometheus_client.openmetrics import parser as openmetrics

from service import SBIN, read_memfd

CONFIG = "/etc/netipsec/datapath.cfg"
WAIT_SEC = 20

# ESP with an SPI that nobody has, to ourselves.
SEND_ESP = """
import socket, struct, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
for n in range(int(sys.argv[1])):
    sock.sendto(struct.pack("!LL", 0x1234, n) + bytes(40), ("127.0.0.1", 0))
"""


class Datapath:
    """The daemon, and commands beside it in its network namespace."""

    def __init__(self, world):
        self.world = world
        self.daemon = None
        self.lines = []

    def start(self, *argv, before=()):
        apart = ["unshare", "-n"] if os.getuid() == 0 else ["unshare", "-cn", "--keep-caps"]
        self.daemon = self.world.start("ipsec-datapathd", *argv, prefix=[*before, *apart])
        threading.Thread(target=self._drain, args=[self.daemon.notify.dup()], daemon=True).start()
        self.world.wait_for_name("org.netipsec.Datapath1", self.daemon)
        threading.Thread(target=self._read, args=[self.daemon.process.stderr], daemon=True).start()
        self.inside("ip", "link", "set", "lo", "up")
        return self

    @staticmethod
    def _drain(notify):
        notify.settimeout(None)
        while notify.recv(4096):
            pass

    def _read(self, stream):
        for line in stream:
            self.lines.append(line)

    def enter(self):
        user = [] if os.getuid() == 0 else ["-U", "--preserve-credentials"]
        return ["nsenter", "-t", str(self.daemon.process.pid), "-n", *user]

    def inside(self, *argv):
        subprocess.run([*self.enter(), *argv], check=True, timeout=30)

    def send_esp(self, count=1):
        self.inside("/usr/bin/python3", "-c", SEND_ESP, str(count))

    def call(self, method, *args):
        return self.world.call("Datapath1", method, *args)

    def listing(self, method, *args):
        return json.loads(read_memfd(self.call(method, *args)))

    def tunables(self):
        return {row["name"]: row for row in self.listing("ListTunables")["tunables"]}

    def stat(self, *argv):
        return self.world.run("ipsecstat", "--bus", self.world.address, *argv)


def wait_for(look):
    """What look() finds, as soon as it finds something."""
    end = time.monotonic() + WAIT_SEC
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{look.__name__} found nothing in {WAIT_SEC} s")


@pytest.fixture(name="datapath")
def make_datapath(world):
    return Datapath(world)


def refusal(call, *args, **options):
    with pytest.raises(dbus.DBusException) as error:
        call(*args, **options)
    return error.value.get_dbus_name().rpartition(".")[2], error.value.get_dbus_message()


# ---- without a service manager ----

OUT = ("add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.2 encr_alg aes encrkey " + "1b" * 16 +
       " auth_alg sha256 authkey " + "2c" * 32 + "\n")


@pytest.fixture(name="run_in_memory")
def make_run_in_memory(world):
    """What stands for /run is in memory, as the real one is."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as top:
        (world.root / "run/netipsec").rmdir()
        (world.root / "run/netipsec").symlink_to(top)
        yield world.root / "run/netipsec/arena"


def test_sas_outlive_the_daemon_where_nobody_keeps_descriptors(world, datapath, run_in_memory):
    alone = {"before": ["env", "-u", "NOTIFY_SOCKET"]}
    datapath.start(**alone)
    wait_for((world.root / "run/netipsec/pfkey").exists)
    world.write("/etc/keys", OUT)
    (world.root / "etc/keys").chmod(0o600)
    added = world.run("ipseckey", "-n", "-f", str(world.root / "etc/keys"))
    assert added.returncode == 0, added.stderr
    before = datapath.listing("DumpSas")["sas"]
    assert len(before) == 1 and run_in_memory.stat().st_mode & 0o777 == 0o600
    datapath.daemon.process.kill()
    datapath.daemon.process.wait()
    datapath.start(**alone)
    after = datapath.listing("DumpSas")["sas"]
    assert [sa["spi"] for sa in after] == [sa["spi"] for sa in before]
    assert after[0]["added_usec"] == before[0]["added_usec"]
    assert after[0]["sequence_reserved"] == before[0]["sequence_reserved"] > 0


# ---- sections on trial ----

def snapshot_of(world, text):
    """A policy as its service publishes it."""
    world.write("/etc/inet/ipsecinit.conf", text)
    fake = world.datapath()
    policyd = world.start("ipsec-policyd").ready()
    policyd.stop()
    content = fake.sections["policy"][2]
    world.datapath_ends(fake)
    return content


def publish(datapath, generation, content, **options):
    fd = os.memfd_create("policy", os.MFD_ALLOW_SEALING)
    try:
        os.write(fd, content)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK
                    | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
        return datapath.call("Publish", "policy", dbus.UInt64(generation), dbus.types.UnixFd(fd),
                             dbus.Dictionary(options, signature="sv"))
    finally:
        os.close(fd)


def texts(datapath):
    return [(rule["line"], rule["text"])
            for rule in datapath.listing("ListRules")["rules"]]


def test_a_policy_that_nobody_confirms_is_rolled_back(world, datapath):
    one = snapshot_of(world, "{lport 22} bypass {}\n")
    two = snapshot_of(world, "{lport 23} bypass {}\n\n{rport 7} drop {}\n")
    datapath.start()
    world.connection.request_name("org.netipsec.Policy1")
    assert publish(datapath, 1, one) == 1
    before = texts(datapath)
    assert publish(datapath, 2, two, confirm_usec=dbus.UInt64(300000)) == 2
    after = texts(datapath)
    assert {line for line, _ in after} == {1, 3}
    assert datapath.call("GetSection", "policy")[2] == "trial"
    wait_for(lambda: datapath.call("GetSection", "policy")[0] == 3)
    assert texts(datapath) == before != after
    assert datapath.call("GetSection", "policy")[2] == "enforced"
    wait_for(lambda: [line for line in datapath.lines if "not confirmed in time" in line])
    assert refusal(datapath.call, "Confirm", "policy", dbus.UInt64(3))[0] == "NotFound"
    assert publish(datapath, 4, two, confirm_usec=dbus.UInt64(60000000)) == 4
    assert refusal(datapath.call, "Confirm", "policy", dbus.UInt64(3))[0] == "Stale"
    datapath.call("Confirm", "policy", dbus.UInt64(4))
    assert datapath.call("GetSection", "policy")[2] == "enforced"
    assert texts(datapath) == after
    assert refusal(publish, datapath, 5, one, confirm_usec=dbus.UInt64(86400000001))[0] == "Invalid"
    assert refusal(publish, datapath, 5, one, confirm=dbus.UInt64(1))[0] == "Invalid"


# ---- tunables ----

def test_tunables_can_be_listed_and_set_within_their_ranges(datapath):
    datapath.start()
    rows = datapath.tunables()
    assert rows["_ipsec_policy_log_interval"] == {
        "name": "_ipsec_policy_log_interval", "value": 0, "default": 0, "least": 0, "most": 999999,
        "unit": "ms", "used": True, "help": rows["_ipsec_policy_log_interval"]["help"]}
    datapath.call("SetTunable", "ipsecesp_padding_check", dbus.UInt64(2))
    datapath.call("SetTunable", "ipsec_policy_log_interval", dbus.UInt64(999999))
    rows = datapath.tunables()
    assert rows["ipsecesp_padding_check"]["value"] == 2
    assert rows["_ipsec_policy_log_interval"]["value"] == 999999
    assert refusal(datapath.call, "SetTunable", "ipsecesp_padding_check", dbus.UInt64(3)) == (
        "Invalid", "ipsecesp_padding_check is 3, not between 0 and 2")
    assert refusal(datapath.call, "SetTunable", "padding", dbus.UInt64(1)) == (
        "NotFound", "'padding' is no tunable")
    assert datapath.tunables()["ipsecesp_padding_check"]["value"] == 2


def test_the_file_says_what_holds_after_a_start_and_after_a_reload(world, datapath):
    world.write(CONFIG, "padding_check = 2;\nicmp_accept_clear_messages = false;\n"
                        "ipsecah_larval_timeout = 30;\n")
    datapath.start()
    rows = datapath.tunables()
    assert [rows[name]["value"] for name in (
        "ipsecesp_padding_check", "_icmp_accept_clear_messages", "ipsecah_larval_timeout",
        "ipsecesp_larval_timeout")] == [2, 0, 30, 90]
    datapath.call("SetTunable", "ipsecah_larval_timeout", dbus.UInt64(31))
    world.write(CONFIG, "ipsecesp_padding_check = 0;\n")
    datapath.call("Reload")
    rows = datapath.tunables()
    assert [rows[name]["value"] for name in (
        "ipsecesp_padding_check", "_icmp_accept_clear_messages", "ipsecah_larval_timeout")] == [0, 1, 90]
    world.write(CONFIG, "ipsecesp_padding_check = 5;\n")
    assert refusal(datapath.call, "Reload")[0] == "Syntax"
    assert datapath.tunables()["ipsecesp_padding_check"]["value"] == 0


def test_ipsecstat_shows_and_sets_tunables(datapath):
    datapath.start()
    done = datapath.stat("--set", "ipsecesp_padding_check=2", "_pim_accept_clear_messages=off")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    rows = {row["name"]: row["value"]
            for row in json.loads(datapath.stat("--tunables", "--json").stdout)["tunables"]}
    assert rows["ipsecesp_padding_check"] == 2
    assert rows["_pim_accept_clear_messages"] == 0
    table = datapath.stat("--tunables").stdout.splitlines()
    assert table[0].split() == ["TUNABLE", "VALUE", "DEFAULT", "RANGE", "UNIT", "MEANING"]
    line = [line for line in table if line.startswith("ipsecesp_padding_check ")][0]
    assert line.split()[:4] == ["ipsecesp_padding_check", "2", "1", "0-2"]
    for wrong in ("ipsecesp_padding_check", "=1", "ipsecesp_padding_check=", "a=1x", "a=-1",
                  "a=99999999999999999999"):
        done = datapath.stat("--set", "ipsecesp_padding_check=1", wrong)
        assert (done.returncode, done.stderr) == (2, f"ipsecstat: '{wrong}' is not NAME=VALUE\n")
    assert datapath.tunables()["ipsecesp_padding_check"]["value"] == 2
    done = datapath.stat("--set", "ipsecesp_padding_check=3")
    assert done.returncode == 1
    assert "not between 0 and 2" in done.stderr


# ---- drops ----

def test_a_drop_is_listed_with_its_reason_and_a_hint(datapath):
    datapath.start()
    datapath.send_esp()
    drop = wait_for(lambda: datapath.listing("ListDrops", dbus.UInt64(0))["drops"])[0]
    assert abs(drop.pop("time_usec") / 1e6 - time.time()) < WAIT_SEC
    assert drop == {
        "number": 1, "reason": "esp_no_sa", "text": "no SA with this SPI and destination",
        "hint": "unknown SPI: the peer has an SA that we do not have, or it expired here",
        "direction": "in", "protocol": 50, "source": "127.0.0.1", "destination": "127.0.0.1",
        "spi": "0x00001234", "by": "engine"}
    assert datapath.listing("ListDrops", dbus.UInt64(1))["drops"] == []
    shown = datapath.stat("drops").stdout
    assert re.fullmatch(r"[-0-9]+ [0-9:.]+ in esp_no_sa: esp 127\.0\.0\.1 > 127\.0\.0\.1 spi 0x00001234: "
                        r"no SA with this SPI and destination \(unknown SPI: .*\)\n", shown), shown
    assert json.loads(datapath.stat("drops", "--json").stdout)["drops"][0]["number"] == 1


def test_the_last_drops_are_kept_and_new_ones_followed(world, datapath):
    datapath.start()
    datapath.send_esp(300)
    wait_for(lambda: datapath.listing("ListDrops", dbus.UInt64(299))["drops"])
    kept = datapath.listing("ListDrops", dbus.UInt64(0))
    assert len(kept["drops"]) + kept["lost"] >= 256
    assert [drop["number"] for drop in kept["drops"]] == list(
        range(kept["next"] - len(kept["drops"]), kept["next"]))
    with subprocess.Popen(
            [str(SBIN / "ipsecstat"), "--bus", world.address, "drops", "--follow", "--json"],
            stdout=subprocess.PIPE, text=True, env=world.env()) as follow:
        for _ in kept["drops"]:
            follow.stdout.readline()
        datapath.send_esp()
        assert json.loads(follow.stdout.readline())["number"] == kept["next"]
        follow.kill()



def test_the_policy_log_is_silent_until_it_is_wanted(datapath):
    datapath.start()
    datapath.send_esp()
    wait_for(lambda: datapath.listing("ListDrops", dbus.UInt64(0))["drops"])
    datapath.call("SetTunable", "_ipsec_policy_log_interval", dbus.UInt64(1))
    datapath.send_esp()
    wait_for(lambda: datapath.listing("ListDrops", dbus.UInt64(1))["drops"])
    assert not [line for line in datapath.lines if "mismatch" in line], "unknown SPIs are not wanted"
    datapath.call("SetTunable", "ipsecesp_log_unknown_spi", dbus.UInt64(1))
    datapath.send_esp()
    line = wait_for(lambda: [line for line in datapath.lines if "mismatch" in line])[0]
    assert line == ("<5>ipsec inbound policy mismatch: no SA with this SPI and destination (esp_no_sa), "
                    "packet dropped: esp 127.0.0.1 > 127.0.0.1 spi 0x00001234\n")


def test_a_long_interval_lets_one_message_through(datapath):
    datapath.start()
    datapath.call("SetTunable", "ipsecesp_log_unknown_spi", dbus.UInt64(1))
    datapath.call("SetTunable", "_ipsec_policy_log_interval", dbus.UInt64(999999))
    datapath.send_esp(20)
    wait_for(lambda: datapath.listing("ListDrops", dbus.UInt64(19))["drops"])
    assert len(wait_for(lambda: [line for line in datapath.lines if "mismatch" in line])) == 1
    datapath.call("SetTunable", "_ipsec_policy_log_interval", dbus.UInt64(1))
    datapath.send_esp()
    line = wait_for(lambda: [line for line in datapath.lines if "more since" in line])[0]
    assert "; 19 more since the last message" in line


# ---- tunnels ----

def add_tunnel(datapath, **options):
    datapath.call("AddTunnel", dbus.Dictionary(options, signature="sv"))


def tunnels(datapath):
    return {row["name"]: row for row in datapath.listing("ListTunnels")["tunnels"]}


def links(datapath):
    """{interface: its addresses} in the daemon's network namespace."""
    done = subprocess.run([*datapath.enter(), "ip", "-json", "address"], check=True, timeout=30,
                          capture_output=True, text=True)
    return {link["ifname"]: {f"{addr['local']}/{addr['prefixlen']}" for addr in link["addr_info"]}
            for link in json.loads(done.stdout)}


def mtu_of(datapath, name):
    done = subprocess.run([*datapath.enter(), "ip", "-json", "link", "show", name], check=True,
                          timeout=30, capture_output=True, text=True)
    return json.loads(done.stdout)[0]["mtu"]


def test_tunnels_come_and_go_while_the_daemon_runs(datapath):
    datapath.start()
    assert tunnels(datapath) == {}
    add_tunnel(datapath, name="t4", source="192.0.2.1", destination="192.0.2.2",
               mtu=dbus.UInt32(1300), addresses=dbus.Array(["10.9.0.1/30", "fd00:9::1/64"]))
    add_tunnel(datapath, name="t6", source="2001:db8::1", destination="2001:db8::2", forward=True)
    assert tunnels(datapath) == {
        "t4": {"name": "t4", "source": "192.0.2.1", "destination": "192.0.2.2", "mtu": 1300,
               "addresses": ["10.9.0.1/30", "fd00:9::1/64"], "forward": False, "rules": 0,
               "origin": "bus"},
        "t6": {"name": "t6", "source": "2001:db8::1", "destination": "2001:db8::2",
               "addresses": [], "forward": True, "rules": 0, "origin": "bus"}}
    assert links(datapath)["t4"] == {"10.9.0.1/30", "fd00:9::1/64"}
    assert mtu_of(datapath, "t4") == 1300
    datapath.call("RemoveTunnel", "t4")
    assert set(tunnels(datapath)) == {"t6"}
    wait_for(lambda: "t4" not in links(datapath))
    assert "t6" in links(datapath)
    assert refusal(datapath.call, "RemoveTunnel", "t4") == ("NotFound", "there is no tunnel 't4'")
    add_tunnel(datapath, name="t4", source="192.0.2.1", destination="192.0.2.2")
    assert mtu_of(datapath, "t4") == 1400
    assert datapath.daemon.process.poll() is None


@pytest.mark.parametrize("options,why", [
    ({"name": "t4"}, "tunnel 't4' needs a source and a destination"),
    ({"source": "192.0.2.1", "destination": "192.0.2.2"}, "the tunnel has no name"),
    ({"name": "a/b", "source": "192.0.2.1", "destination": "192.0.2.2"},
     "'name' must be the name of an interface"),
    ({"name": "t4", "source": "192.0.2.1", "destination": "2001:db8::2"},
     "source and destination of tunnel 't4' are of different families"),
    ({"name": "t4", "source": "192.0.2.1", "destination": "192.0.2.2", "mtu": dbus.UInt32(9)},
     "'mtu' must be a number from 576 to 65535"),
    ({"name": "t4", "source": "192.0.2.1", "destination": "192.0.2.2", "color": "red"},
     "unknown setting 'color' of a tunnel"),
    ({"name": "t4", "source": "192.0.2.9", "destination": "192.0.2.10", "df": dbus.Double(1)},
     "the options are not those of a tunnel"),
    ({"name": "there", "source": "192.0.2.1", "destination": "192.0.2.2"},
     "tunnel 'there' stands twice"),
    ({"name": "t4", "source": "192.0.2.7", "destination": "192.0.2.8"},
     "tunnels 'there' and 't4' have the same ends"),
])
def test_what_is_no_tunnel_is_refused(datapath, options, why):
    datapath.start()
    add_tunnel(datapath, name="there", source="192.0.2.7", destination="192.0.2.8")
    assert refusal(add_tunnel, datapath, **options) == ("Invalid", why)
    assert set(tunnels(datapath)) == {"there"}


def test_a_bad_file_is_told_until_it_is_repaired(world, datapath):
    world.write(CONFIG, "path_mtu = 1400;\n")
    datapath.start()
    world.write(CONFIG, "path_mtu = 1400;\nfrobnicate = 1;\n")
    assert refusal(datapath.call, "Reload")[0] == "Syntax"
    shown = world.properties("Datapath1")
    assert shown["State"] == "failed" and "datapath.cfg:2" in shown["LastError"]
    world.write(CONFIG, "path_mtu = 1400;\n")
    datapath.call("Reload")
    shown = world.properties("Datapath1")
    assert shown["State"] == "absent" and shown["LastError"] == ""


def test_a_reload_brings_the_difference(world, datapath):
    tunnel = 'name = "{}"; source = "192.0.2.1"; destination = "192.0.2.{}";'
    one, two, three = (tunnel.format(f"t{n}", n + 1) for n in (1, 2, 3))
    world.write(CONFIG, f"tunnels = ( {{ {one} }}, {{ {two} addresses = [ \"10.9.0.1/30\" ]; }} );\n")
    datapath.start()
    assert {name: row["origin"] for name, row in tunnels(datapath).items()} == {
        "t1": "file", "t2": "file"}
    add_tunnel(datapath, name="t9", source="192.0.2.1", destination="192.0.2.9")
    number = links_numbers(datapath)["t2"]
    world.write(CONFIG, f"tunnels = ( {{ {two} mtu = 1280; addresses = [ \"10.9.1.1/30\" ]; }}, "
                        f"{{ {three} }} );\npath_mtu = 1400;\n")
    datapath.call("Reload")
    assert list(tunnels(datapath)) == ["t2", "t3", "t9"]
    assert links(datapath)["t2"] == {"10.9.1.1/30"}
    assert mtu_of(datapath, "t2") == 1280
    assert links_numbers(datapath)["t2"] == number, "its interface is still the same one"
    wait_for(lambda: "t1" not in links(datapath))
    assert refusal(datapath.call, "RemoveTunnel", "t2") == (
        "Invalid", "tunnel 't2' stands in the settings file")
    nine = tunnel.format("t4", 9)
    world.write(CONFIG, f"tunnels = ( {{ {nine} }} );\n")
    assert refusal(datapath.call, "Reload") == (
        "Invalid", "tunnel 't4' is at odds with 't9', which was added over the bus")
    assert list(tunnels(datapath)) == ["t2", "t3", "t9"]
    world.write(CONFIG, "workers = 2;\n")
    assert refusal(datapath.call, "Reload")[0] == "Invalid"
    assert list(tunnels(datapath)) == ["t2", "t3", "t9"]


def links_numbers(datapath):
    done = subprocess.run([*datapath.enter(), "ip", "-json", "link"], check=True, timeout=30,
                          capture_output=True, text=True)
    return {link["ifname"]: link["ifindex"] for link in json.loads(done.stdout)}


def test_more_tunnels_than_there_is_room_for(datapath):
    datapath.start()
    for n in range(64):
        add_tunnel(datapath, name=f"t{n}", source="192.0.2.1", destination=f"198.51.100.{n + 1}")
    assert refusal(add_tunnel, datapath, name="t64", source="192.0.2.1",
                   destination="198.51.100.99") == ("Invalid", "more than 64 tunnels")
    datapath.call("RemoveTunnel", "t7")
    add_tunnel(datapath, name="t64", source="192.0.2.1", destination="198.51.100.99")
    assert len(tunnels(datapath)) == 64


# ---- metrics ----

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? ([0-9]+)')


def test_openmetrics_is_sound(datapath):
    """The rules of the format that promtool holds a text against."""
    datapath.start()
    datapath.send_esp()
    wait_for(lambda: datapath.listing("ListDrops", dbus.UInt64(0))["drops"])
    done = datapath.stat("--openmetrics")
    assert done.returncode == 0
    lines = done.stdout.split("\n")
    assert lines[-2:] == ["# EOF", ""]
    family = kind = None
    families, samples = set(), {}
    for line in lines[:-2]:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in families, "one block a family"
            families.add(family)
            continue
        if line.startswith("# HELP "):
            assert line.split(" ")[2] == family
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        assert name == family + {"counter": "_total", "info": "_info", "gauge": ""}[kind]
        assert (name, labels) not in samples, "a sample stands once"
        samples[name, labels] = int(value)
    assert samples["ipsec_dropped_packets_total", 'reason="esp_no_sa"'] == 1
    assert samples["ipsec_passed_packets_total", 'reason="in_accepted"'] == 0
    assert samples["ipsec_policy_generation", None] == 0
    assert samples["ipsec_sas", None] == 0


def ask(world, request):
    """What the exporter answers to these octets: status, headers and body."""
    done = subprocess.run([SBIN / "ipsec-exporter", "--bus", world.address], input=request,
                          env=world.env(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return status.removeprefix("HTTP/1.1 "), dict(line.split(": ") for line in lines), body.decode()


def test_exporter_answers_what_a_strict_parser_takes(world, datapath):
    datapath.start()
    datapath.send_esp()
    wait_for(lambda: datapath.listing("ListDrops", dbus.UInt64(0))["drops"])
    status, headers, body = ask(world, b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n")
    assert status == "200 OK" and int(headers["Content-Length"]) == len(body.encode())
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in openmetrics.text_string_to_metric_families(body)}
    drops = {sample.labels["reason"]: sample.value
             for sample in families["ipsec_dropped_packets"].samples}
    assert drops["esp_no_sa"] == 1 and families["ipsec_dropped_packets"].type == "counter"
    status, headers, body = ask(world, b"HEAD /metrics HTTP/1.0\n\n")
    assert status == "200 OK" and int(headers["Content-Length"]) > 0 and body == ""


@pytest.mark.parametrize("request_, status", [
    (b"GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
    (b"GET /metricsx HTTP/1.1\r\n\r\n", "404 Not Found"),
    (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
    (b"GET /metrics\r\n\r\n", "400 Bad Request"),
    (b"GET metrics HTTP/1.1\r\n\r\n", "400 Bad Request"),
    (b"GET /metrics SIP/2.0\r\n\r\n", "400 Bad Request"),
    (b"\r\n\r\n", "400 Bad Request"),
    (b"GET /metrics\0 HTTP/1.1\r\n\r\n", "400 Bad Request"),
    (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 9000, "400 Bad Request"),
    (b"GET /metrics HTTP/1.1\r\n\r\n", "503 Service Unavailable"),
], ids=["root", "longer", "post", "old", "relative", "sip", "empty", "zero", "endless", "nobody"])
def test_exporter_refuses(world, request_, status):
    """Nobody is on the bus here."""
    assert ask(world, request_)[0] == status


def test_exporter_says_nothing_to_who_only_looks(world):
    done = subprocess.run([SBIN / "ipsec-exporter", "--bus", world.address], input=b"GET /me",
                          env=world.env(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stdout == b""


# ---- addresses ----

def test_changes_of_addresses_are_told(world, datapath):
    datapath.start()
    monitor = subprocess.Popen(
        ["gdbus", "monitor", "--address", world.address, "--dest", "org.netipsec.Datapath1"],
        stdout=subprocess.PIPE, text=True)
    try:
        assert "Monitoring" in monitor.stdout.readline()
        monitor.stdout.readline()  # who owns the name
        datapath.inside("ip", "address", "add", "192.0.2.77/32", "dev", "lo")
        for line in monitor.stdout:
            if "AddressesChanged" in line:
                break
        else:
            raise AssertionError("the monitor ended")
    finally:
        monitor.kill()
        monitor.wait()
