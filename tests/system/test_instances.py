# SPDX-License-Identifier: GPL-2.0-or-later
"""Instances: two network namespaces of one machine, each with services, files and names of its own."""

import json
import secrets
import socket

import pytest
from lablib.wire import ESP, Capture
from systest.namespace import Namespace
from systest.protected import goes_to

ENDS = {"red": "10.1.0.1", "blue": "10.1.0.2"}
SERVICES = ["ipsecalgs", "ipsec-policy", "ipsec-manual-key", "ipsec-datapath"]
SECRET, OPEN, COUNT = 4242, 4243, 3


def other(namespace):
    return ENDS["blue" if namespace.name == "red" else "red"]


@pytest.fixture(scope="module", params=["dbus-daemon", "dbus-broker"])
def namespaces(request, machines):
    """red and blue on one cable, all services of both running; the host has none."""
    machine = machines(f"host-{request.param}", bus=request.param)
    machine.start()
    for name in ENDS:
        machine.exec("ip", "netns", "add", name)
    machine.exec("ip", "link", "add", "wire0", "netns", "red", "type", "veth", "peer", "name", "wire0",
                 "netns", "blue")
    text = "".join(f"add esp spi {spi} src {src} dst {dst} encr_alg aes-gcm16 encrkey "
                   f"{secrets.token_hex(20)}\n"
                   for spi, src, dst in (("0x1001", *ENDS.values()), ("0x1002", *reversed(ENDS.values()))))
    found = {}
    for name, address in ENDS.items():
        machine.exec("ip", "-n", name, "address", "add", f"{address}/24", "dev", "wire0")
        for link in ("lo", "wire0"):
            machine.exec("ip", "-n", name, "link", "set", link, "up")
        remote = ENDS["blue" if name == "red" else "red"]
        files = f"/etc/netipsec/ns/{name}"
        machine.exec("install", "-d", "-m", "0700", f"{files}/secret")
        machine.write(f"{files}/ipsecinit.conf",
                      f"{{ raddr {remote} ulp udp rport {OPEN} dir both }} pass {{}}\n"
                      f"{{ raddr {remote} }} ipsec {{ encr_algs aes-gcm16 sa shared }}\n")
        machine.write(f"{files}/secret/ipseckeys", text, mode=0o600)
        machine.systemctl("enable", "--now", *(f"{service}@{name}" for service in SERVICES))
        found[name] = Namespace(machine, name)
        machine.wait_for(lambda unit=f"ipsec-datapath@{name}": machine.status_text(unit).startswith(
            "4 rules and 2 SAs in force"), "enforcement")
    yield machine, found
    for namespace in found.values():
        namespace.agent.close()


def fate(source, sink, want):
    """What becomes of datagrams between the namespaces."""
    with Capture(sink, "wire0") as wire, source.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for port in (SECRET, OPEN):
            for _ in range(COUNT):
                try:
                    sock.sendto(b"x", (other(source), port))
                except OSError:
                    assert port == SECRET
        wire.wait(COUNT, lambda frame: goes_to(frame, OPEN))
        if want == "protected":
            wire.wait(COUNT, lambda frame: frame.protocol == ESP and
                      frame.source == ENDS[source.name])
    if [frame for frame in wire.frames if goes_to(frame, SECRET)]:
        return "clear"
    ours = [frame for frame in wire.of(ESP) if frame.source == ENDS[source.name]]
    return "protected" if ours else "dropped"


def test_each_protects_its_own(namespaces):
    machine, found = namespaces
    red, blue = found.values()
    assert fate(red, blue, "protected") == fate(blue, red, "protected") == "protected"
    machine.exec("ip", "netns", "exec", "red", "ping", "-c", "2", "-i", "0.2", "-W", "5", ENDS["blue"])
    assert machine.active("ipsec-policy") == machine.active("ipsec-datapath") == "inactive"
    assert "netipsec" not in machine.exec("nft", "list", "tables")
    assert "ipsec0" not in machine.exec("ip", "link")
    names = machine.exec("busctl", "list", "--no-legend", "--acquired")
    for name in ENDS:
        for service in ("Policy1", "Datapath1", "ManualKey1", "Algorithms1"):
            assert f"org.netipsec.{service}.ns_{name} " in names
    assert "org.netipsec.Policy1 " not in names


def test_commands_are_told_which(namespaces):
    machine, found = namespaces
    red = found["red"]
    assert ENDS["blue"] in red.command("ipsecconf", "-l", "-n")
    assert "0x1001" in red.command("ipseckey", "dump").lower() or "1001" in red.command("ipsecstat", "--sas")
    rows = json.loads(machine.exec("ipsecsvc", "status", "--json", "policy@red", "policy@blue", "policy"))
    assert [(row["fmri"], row["state"]) for row in rows["services"]] == [
        ("svc:/network/ipsec/policy:red", "online"), ("svc:/network/ipsec/policy:blue", "online"),
        ("svc:/network/ipsec/policy:default", "disabled")]
    assert machine.run("ipsecconf", "-l").returncode != 0, "the host has no policy service"
    assert machine.run("env", "NETIPSEC_INSTANCE=../x", "ipsecconf", "-l").returncode != 0


def test_rights_are_those_of_the_host(namespaces):
    machine, _ = namespaces
    def call(user, method, *words):
        return machine.run("busctl", "call", "org.netipsec.Datapath1.ns_red", "/org/netipsec/Datapath1",
                           "org.netipsec.Datapath1", method, *words, user=user)
    assert call("daemon", "ListTunables").returncode == 0
    for user in ("daemon", "netipsec-policy"):
        done = call(user, "Withdraw", "s", "keys")
        assert done.returncode != 0 and ("enied" in done.stderr or "only the owner" in done.stderr), done
    assert machine.run("busctl", "call", "org.netipsec.Policy1.ns_red", "/org/netipsec/Policy1",
                       "org.netipsec.Policy1", "Flush", "s", "host", user="daemon").returncode != 0


def test_a_stop_concerns_one_alone(namespaces):
    machine, found = namespaces
    red, blue = found.values()
    before = {blue.unit(service): machine.main_pid(blue.unit(service)) for service in SERVICES}
    machine.systemctl("stop", red.unit("ipsec-datapath"))
    assert fate(red, blue, "") == "dropped"
    machine.systemctl("start", red.unit("ipsec-datapath"))
    machine.wait_for(lambda: "4 rules and 2 SAs in force" in machine.status_text(red.unit("ipsec-datapath")),
                     "the return of red")
    machine.systemctl("restart", *(red.unit(service) for service in SERVICES))
    assert fate(red, blue, "protected") == "protected"
    machine.systemctl("stop", red.unit("ipsec-policy"))
    assert fate(red, blue, "") == "clear"
    assert fate(blue, red, "protected") == "protected"
    machine.exec("ipsecsvc", "enable", "policy@red")
    assert fate(red, blue, "protected") == "protected"
    assert {unit: machine.main_pid(unit) for unit in before} == before


def test_files_and_settings_are_its_own(namespaces):
    machine, found = namespaces
    place = "/etc/netipsec/ns/red/ipsecinit.conf"
    good = machine.path(place).read_text()
    machine.write(place, good + "{ raddr 10.9.9.300 } drop {}\n")
    assert machine.run("ipsecsvc", "refresh", "policy@red").returncode == 1
    assert "last reload failed at ipsecinit.conf:3:9" in machine.status_text("ipsec-policy@red")
    assert "failed" not in machine.status_text("ipsec-policy@blue")
    machine.write(place, good)
    machine.exec("ipsecsvc", "set", "policy@red", "resolve_timeout=9")
    assert "resolve_timeout = 9;" in machine.path("/etc/netipsec/ns/red/policy.cfg").read_text()
    assert machine.exec("ipsecsvc", "get", "policy@red", "resolve_timeout") == "resolve_timeout=9\n"
    assert machine.exec("ipsecsvc", "get", "policy@blue", "resolve_timeout") == "resolve_timeout=10\n"
    assert "failed" not in machine.status_text("ipsec-policy@red")
    assert fate(*found.values(), "protected") == "protected"
