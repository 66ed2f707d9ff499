# SPDX-License-Identifier: GPL-2.0-or-later
"""In the guest: the AppArmor profiles in a kernel, first as they are shipped, then made to bind."""

import contextlib
import re
import subprocess
from pathlib import Path

import pytest
from here import DATAPATH, protects_again, run, show, wait_for, write
from systest import protected
from systest.protected import SERVICES

PROFILES = sorted(Path("/etc/apparmor.d").glob("usr.sbin.ipsec*"))
COMPLAINS = " flags=(complain)"
LOADED = Path("/sys/kernel/security/apparmor/profiles")
LINE = re.compile(r'apparmor="(?:ALLOWED|DENIED)".*')
CURSOR = "/run/journal-read"
NAMESPACE = "red"
CREDENTIAL = "/etc/systemd/system/ipsec-manual-key.service.d/credential.conf"
TUNNEL = """tunnels = (
	{ name = "vpn9"; source = "192.0.2.1"; destination = "192.0.2.2"; mtu = 1400; addresses = [ "10.99.0.1/30" ]; }
);
"""


def load(mode):
    for path in PROFILES:
        text = path.read_text()
        assert COMPLAINS in text
        subprocess.run(["apparmor_parser", "--replace", "--skip-cache"], check=True, text=True,
                       input=text if mode == "complain" else text.replace(COMPLAINS, ""))
    loaded = dict(line.rstrip(")").split(" (") for line in LOADED.read_text().splitlines())
    names = [path.name.removeprefix("usr.sbin.") for path in PROFILES]
    assert len(names) == 7 and {loaded[name] for name in names} == {mode}


def said():
    """What AppArmor has not liked since this was last asked."""
    run("journalctl", "--sync")
    text = run("journalctl", "-b", "-o", "cat", f"--cursor-file={CURSOR}")
    return sorted(set(re.sub(r"\b(pid|audit|ino|sauid|fsuid|ouid)\S*", "", line) for line in LINE.findall(text)))


def confined(unit, mode):
    pid = show("MainPID", unit)
    assert Path(f"/proc/{pid}/attr/current").read_text().rstrip("\0\n").endswith(f" ({mode})"), unit


@contextlib.contextmanager
def other_files():
    before = Path(protected.POLICY_FILE).read_text()
    write(protected.POLICY_FILE, before + "{ raddr localhost ulp tcp rport 9 dir both } drop {}\n")
    write("/etc/inet/ike/config", "# nothing\n")
    write("/etc/netipsec/datapath.cfg", TUNNEL)
    try:
        yield
    finally:
        write(protected.POLICY_FILE, before)
        Path("/etc/netipsec/datapath.cfg").unlink()


def files_are_read_and_written(pair):
    """Each file again, with a change; fragments and the algorithms are written by their daemons."""
    with other_files():
        for unit in SERVICES:
            run("systemctl", "reload", unit)
    write("/run/more", "{ raddr 203.0.113.9 ulp tcp dir both } drop {}\n")
    run("ipsecconf", "-q", "--fragment", "web", "-a", "/run/more")
    run("ipsecconf", "--fragment", "web", "-f")
    run("ipsecalgs", "-r", "-p", "PROTO_IPSEC_ESP", "-n", "des", "-s", ok=False)  # it is gone the second time
    for unit in SERVICES:
        run("systemctl", "reload", unit)
    protects_again(pair)


def what_is_asked_is_answered():
    for command in (["ipsecconf", "-l"], ["ipsecstat"], ["ipsecstat", "--sas"], ["ipsecstat", "drops"],
                    ["ipseckey", "dump"], ["ipsecsvc"], ["ipsecalgs"]):
        run(*command)
    run("systemctl", "start", "ipsec-exporter.socket")
    assert "ipsec_sas" in run("curl", "-sS", "-m", "60", "http://127.0.0.1:9814/metrics")
    run("systemctl", "stop", "ipsec-exporter.socket")


def services_come_and_go(pair):
    """Death, orderly stops with and without somebody to tell, and the lid."""
    before = show("MainPID")
    run("systemctl", "kill", "-s", "KILL", DATAPATH)
    wait_for(lambda: show("MainPID") not in ("0", before) and show("ActiveState") == "active", "it comes back")
    protects_again(pair)
    run("systemctl", "stop", DATAPATH)
    run("systemctl", "stop", "ipsec-policy", "ipsec-manual-key")  # which leave word that they are gone
    run("systemctl", "start", *SERVICES)
    protects_again(pair)
    run("systemctl", "restart", "ipsec-lid")
    run("systemctl", "restart", *SERVICES)
    protects_again(pair)


def keys_come_as_a_credential(pair):
    write("/root/keys", Path(protected.KEY_FILE).read_text(), 0o600)
    write(CREDENTIAL, "[Service]\nLoadCredential=ipseckeys:/root/keys\n")
    run("systemctl", "daemon-reload")
    try:
        run("systemctl", "restart", "ipsec-manual-key")
        protects_again(pair)
    finally:
        Path(CREDENTIAL).unlink()
        run("systemctl", "daemon-reload")
    run("systemctl", "restart", "ipsec-manual-key")


def instance_works():
    """Files of its own, at places of its own."""
    files = f"/etc/netipsec/ns/{NAMESPACE}"
    run("ip", "netns", "add", NAMESPACE)
    run("install", "-d", "-m", "0700", f"{files}/secret")
    write(f"{files}/ipsecinit.conf", protected.policy("10.1.0.2"))
    write(f"{files}/secret/ipseckeys", protected.keys(), 0o600)
    units = [f"{unit}@{NAMESPACE}" for unit in SERVICES]
    run("systemctl", "start", *units)
    for unit in units:
        run("systemctl", "reload", unit)
    assert "rules and 2 SAs in force" in show("StatusText", f"{DATAPATH}@{NAMESPACE}")
    run("systemctl", "stop", *reversed(units))
    run("ip", "netns", "delete", NAMESPACE)


@pytest.mark.parametrize("mode", ["complain", "enforce"])
def test_all_that_they_do_is_in_their_profiles(pair, mode):
    """Nothing is written about them while they do it, and something as soon as one does what it may not."""
    run("sysctl", "-q", "kernel.printk_ratelimit=0")
    load(mode)
    said()
    run("systemctl", "restart", "ipsec-lid", *SERVICES)
    protects_again(pair)
    for unit in SERVICES:
        confined(unit, mode)
    files_are_read_and_written(pair)
    what_is_asked_is_answered()
    services_come_and_go(pair)
    keys_come_as_a_credential(pair)
    instance_works()
    for unit in SERVICES:
        confined(unit, mode)
    complaints = said()
    assert not complaints, "\n".join(complaints)
    stranger = run("aa-exec", "-p", "ipsec-iked", "--", "/bin/cat", "/etc/gshadow", ok=False)
    assert any('profile="ipsec-iked"' in line for line in said()), stranger
