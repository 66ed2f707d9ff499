# SPDX-License-Identifier: GPL-2.0-or-later
"""tests/rights.table against real services, on both message buses, with polkit and without it."""

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from rights_table import rows  # noqa: E402  pylint: disable=wrong-import-position

SERVICES = {"Algorithms1": ("netipsec-algs", "ipsecalgs"),
            "Datapath1": ("netipsec-datapath", "ipsec-datapath"),
            "Ike1": ("netipsec-ike", "ipsec-ike"),
            "ManualKey1": ("netipsec-keys", "ipsec-manual-key"),
            "Policy1": ("netipsec-policy", "ipsec-policy")}
UNITS = [unit for _, unit in SERVICES.values()]
PEOPLE = {"adam": "ipsecadm", "kate": "ipseckey", "greta": None, "sam": None}
REFUSALS = {"org.freedesktop.DBus.Error.AccessDenied", "org.netipsec.Error.NotAuthorized",
            "org.netipsec.Error.NotOwner",
            "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"}
AUDITED = {"Policy1.Reload", "Policy1.RemoveFragment", "Policy1.ListConfigured",
           "Datapath1.Publish", "Datapath1.Withdraw", "Datapath1.DumpSas"}
AUDIT = "4e8a1d93c05f47b2a6d17c3e9b20f85a"
# Greta is granted by name what a site's own rule may grant.
SITE_RULE = """\
polkit.addRule(function(action, subject) {
    if (subject.user == "greta" && action.id.indexOf("org.netipsec.") == 0)
        return polkit.Result.YES;
});
"""
# Makes calls under its own user; says of each what came back. An argument fd is an empty file.
CALLER = """\
import json, os, sys
import dbus, dbus.lowlevel
bus = dbus.SystemBus()
found = []
calls, waits = json.load(sys.stdin)
for service, method, signature, arguments in calls:
    fd = os.memfd_create("empty")
    name, path = f"org.netipsec.{service}", f"/org/netipsec/{service}"
    call = dbus.lowlevel.MethodCallMessage(name, path, name, method)
    if signature:
        values = eval(f"({arguments},)", {"fd": dbus.types.UnixFd(fd)})
        call.append(*values, signature=signature)
    os.close(fd)
    try:
        if waits:
            bus.send_message_with_reply_and_block(call, 60)
        else:
            bus.send_message(call)
        found.append("done")
    except dbus.DBusException as error:
        found.append(error.get_dbus_name())
if not waits:
    bus.flush()
json.dump(found, sys.stdout)
"""


def ask(machine, user, table, waits=True):
    """{service.method: name of the error, or "done"} of these rows."""
    calls = [(row.service, row.method, row.signature, row.arguments) for row in table]
    told = machine.exec("/usr/bin/python3", "-c", CALLER, user=user,
                        stdin=json.dumps([calls, waits]))
    return {f"{row.service}.{row.method}": answer for row, answer in zip(table, json.loads(told))}


def users_of(row):
    """Who stands for each column of a row."""
    own = SERVICES[row.service][0]
    other = "netipsec-ike" if own != "netipsec-ike" else "netipsec-algs"
    return {"root": "root", "adm": "adam", "key": "kate", "user": "sam", "own": own, "other": other}


def audits(machine):
    """The audit records in the journal, as their fields."""
    machine.exec("journalctl", "--sync")
    lines = machine.exec("journalctl", "-o", "json", f"MESSAGE_ID={AUDIT}").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module", name="server",
                params=[(bus, polkit) for bus in ("dbus-daemon", "dbus-broker")
                        for polkit in ("polkit", "no-polkit")], ids="-".join)
def make_server(request, machines):
    """A machine with all services, and people of all kinds."""
    bus, polkit = request.param
    machine = machines(f"{bus}-{polkit}", bus=bus)
    machine.polkit = polkit == "polkit"
    if machine.polkit:
        machine.write("/etc/polkit-1/rules.d/10-site.rules", SITE_RULE)
        os.chmod(machine.path("/etc/polkit-1/rules.d"), 0o755)
    else:
        machine.path("/usr/share/netipsec/bus-polkit.conf").unlink()
        machine.path("/etc/systemd/system/polkit.service").symlink_to("/dev/null")
    machine.start()
    for name, group in PEOPLE.items():
        machine.exec("useradd", "--no-create-home", *(["--groups", group] if group else []), name)
    machine.systemctl("start", *UNITS)
    yield machine
    machine.remove()


def test_the_table(server):
    wrong = []
    wanted = {}  # user: rows and what is wanted of them
    for row in rows():
        for column, user in users_of(row).items():
            may = row.may[column] == "y" or (row.may[column] == "o" and server.polkit)
            wanted.setdefault(user, []).append((row, may))
        wanted.setdefault("greta", []).append(
            (row, row.may["user"] == "y" or bool(row.action and server.polkit)))
    for user, questions in wanted.items():
        answers = ask(server, user, [row for row, _ in questions])
        for row, may in questions:
            answer = answers[f"{row.service}.{row.method}"]
            if (answer not in REFUSALS) != may:
                wrong.append((user, f"{row.service}.{row.method}", answer))
    assert wrong == []
    for unit in UNITS:
        assert server.active(unit) == "active"


def test_who_did_what_is_in_the_journal(server):
    """What was let through to a service is written down, done or not; what only looks is not."""
    asked = [row for row in rows() if f"{row.service}.{row.method}" in AUDITED]
    assert len(asked) == len(AUDITED)
    for user in ("root", "adam", "greta", "sam", "netipsec-policy", "netipsec-keys"):
        ask(server, user, asked)
    found = {(record["IPSEC_AUDIT_WHAT"], record["IPSEC_AUDIT_RIGHT"], record["IPSEC_AUDIT_RESULT"])
             for record in audits(server)}
    assert ("Policy1.Reload", "root", "done") in found
    assert ("Policy1.Reload", "group ipsecadm", "done") in found
    assert ("Policy1.Reload", "own user", "done") in found
    assert ("Policy1.RemoveFragment", "group ipsecadm", "failed") in found
    assert ("Datapath1.Publish", "owner of the section", "done") in found
    assert ("Datapath1.Withdraw", "none", "refused") in found
    assert (("Policy1.Reload", "polkit org.netipsec.manage-policy", "done") in found) == server.polkit
    assert (("Policy1.Reload", "none", "refused") in found) == server.polkit
    assert not {what for what, *_ in found} & {"Datapath1.DumpSas", "Policy1.ListConfigured"}
    uid = server.exec("id", "-u", "adam").strip()
    records = [record for record in audits(server) if record.get("IPSEC_AUDIT_UID") == uid]
    assert records and all(int(record["IPSEC_AUDIT_PID"]) > 1 and
                           record["IPSEC_AUDIT_SENDER"].startswith(":1.") for record in records)


def test_a_caller_that_vanishes_gets_nothing_done(server):
    ask(server, "sam", [row for row in rows() if row.may["user"] == "n"], waits=False)
    uid = server.exec("id", "-u", "sam").strip()
    # Behind what was sent before, since each service takes calls in their order.
    done = [answer for answer in ask(server, "root", [
        row for row in rows() if row.method in ("Reload", "ListAcquires")]).values()]
    assert set(done) == {"done"}
    assert not [record for record in audits(server)
                if record.get("IPSEC_AUDIT_UID") == uid and record["IPSEC_AUDIT_RESULT"] != "refused"]


def test_units_are_handled_by_the_group(server):
    """As the profile "Network IPsec Management" lets them on Solaris; systemd itself asks polkit."""
    def systemctl(user, *words):
        done = server.run("systemctl", "--no-ask-password", *words, user=user)
        return done.returncode == 0

    assert systemctl("adam", "reload", "ipsec-policy") == server.polkit
    assert systemctl("adam", "restart", "ipsec-manual-key.service") == server.polkit
    assert not systemctl("sam", "reload", "ipsec-policy")
    assert not systemctl("kate", "restart", "ipsec-manual-key")
    assert not systemctl("adam", "restart", "systemd-journald")
    assert not systemctl("adam", "kill", "ipsec-policy")
    assert not systemctl("adam", "mask", "ipsec-policy")
    assert not systemctl("adam", "set-property", "ipsec-policy", "MemoryMax=1G")


def test_properties_and_boots_are_the_groups_too(server):
    """What needs root's rights is asked of a unit whose name says who asks; nobody speaks for another."""
    def ipsecsvc(user, *words):
        done = server.run("ipsecsvc", *words, user=user)
        assert (done.returncode == 0) == (not done.stderr), done
        return done.stderr

    settings = server.path("/etc/netipsec/policy.cfg")
    before = settings.read_text()
    for user, may in (("adam", server.polkit), ("sam", False), ("kate", False)):
        assert (ipsecsvc(user, "set", "policy", "resolve_timeout=9") == "") == may, user
        assert (settings.read_text() != before) == may
        assert server.exec("ipsecsvc", "get", "policy", "resolve_timeout") == \
            f"resolve_timeout={9 if may else 10}\n"
        assert (ipsecsvc(user, "enable", "ike", "policy") == "") == may
        enabled = server.run("systemctl", "is-enabled", "ipsec-ike").stdout.strip()
        assert enabled == ("enabled" if may else "disabled")
        assert (ipsecsvc(user, "disable", "ike") == "") == may
        settings.write_text(before)
        server.systemctl("reload", "ipsec-policy")
        server.systemctl("start", "ipsec-ike")
    unit = "ipsec-request@{}:set\\x0apolicy\\x0aresolve_timeout\\x3d8.service"
    for user, named in (("sam", "sam"), ("sam", "adam"), ("adam", "root"), ("adam", "sam")):
        assert server.run("systemctl", "--no-ask-password", "start", unit.format(named), user=user).returncode
    assert settings.read_text() == before
    if server.polkit:
        told = ipsecsvc("adam", "set", "policy", "resolve_timeout=0")
        assert "policy.cfg:" in told and "not between 1 and 600" in told
        assert ipsecsvc("adam", "set", "policy", "config_file=/etc/$HOME/%i x") == ""
        assert "config_file=/etc/$HOME/%i x\n" in server.exec("ipsecsvc", "get", "policy")
        settings.write_text(before)
        server.systemctl("reload", "ipsec-policy")
        uid = server.exec("id", "-u", "adam").strip()
        ours = [(record["IPSEC_AUDIT_WHAT"], record["IPSEC_AUDIT_RESULT"]) for record in audits(server)
                if record["IPSEC_AUDIT_RIGHT"] == "service manager" and record["IPSEC_AUDIT_UID"] == uid]
        assert ours[:3] == [("ipsecsvc set policy resolve_timeout=9", "done"),
                            ("ipsecsvc enable ike policy", "done"), ("ipsecsvc disable ike", "done")]
        assert ("ipsecsvc set policy resolve_timeout=0", "failed") in ours
    assert not server.systemctl("--failed", "--quiet").stdout


def test_a_polkit_that_fails_grants_nothing(server):
    if not server.polkit:
        return  # it never was there, see the table
    policy = [row for row in rows() if row.service == "Policy1" and row.action]
    server.systemctl("mask", "--now", "--runtime", "polkit")
    assert set(ask(server, "greta", policy).values()) == {"org.netipsec.Error.NotAuthorized"}
    assert not set(ask(server, "adam", policy).values()) & REFUSALS
