# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may call what on a system bus with our policy: every method, by every kind of caller."""

import os
import json
import subprocess
import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import dbus
import dbus.lowlevel
import pytest
from dbus.mainloop.glib import DBusGMainLoop, threads_init
from gi.repository import GLib
from rights_table import rows
from service import STAGE, FakeDatapath

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or Path("/proc/self/uid_map").read_text().split()[2] == "1",
    reason="needs root and more than one user id")

SERVICES = ["Algorithms1", "Datapath1", "Ike1", "ManualKey1", "Policy1"]
# name: user id and supplementary groups; the groups' ids are their own
GROUPS = {"ipsecadm": 7001, "ipseckey": 7002}
CALLERS = {
    "root": (0, []),
    "netipsec-policy": (7101, []),
    "netipsec-keys": (7102, []),
    "netipsec-algs": (7103, []),
    "netipsec-ike": (7104, []),
    "netipsec-datapath": (7105, []),
    "admin": (7201, ["ipsecadm"]),
    "keeper": (7202, ["ipseckey"]),
    "somebody": (7203, []),
}
OWNERS = {"Algorithms1": "netipsec-algs", "Datapath1": "netipsec-datapath", "Ike1": "netipsec-ike",
          "ManualKey1": "netipsec-keys", "Policy1": "netipsec-policy"}
ALL = set(CALLERS)
ADMINS = {"root", "admin"}
# Who gets through to the service without polkit, beside its own user for Reload.
METHODS = {
    "Algorithms1.Change": ADMINS,
    "Algorithms1.ListAlgorithms": ALL,
    "Algorithms1.Reload": ADMINS | {"netipsec-algs"},
    "Datapath1.GetSection": ALL,
    "Datapath1.ListRules": ALL,
    "Datapath1.DumpSas": ALL,
    "Datapath1.ChooseSas": ALL,
    "Datapath1.ChooseSasBy": ALL,
    "Datapath1.GetStatistics": ALL,
    "Datapath1.ListTunables": ALL,
    "Datapath1.SetTunable": ADMINS,
    "Datapath1.ListDrops": ADMINS,
    "Datapath1.AddTunnel": ADMINS,
    "Datapath1.RemoveTunnel": ADMINS,
    "Datapath1.ListTunnels": ALL,
    "Datapath1.Reload": ADMINS | {"netipsec-datapath"},
    "Datapath1.Publish": {"root", "netipsec-policy", "netipsec-algs"},
    "Datapath1.Confirm": {"root", "netipsec-policy", "netipsec-algs"},
    "Datapath1.PublishKeys": {"root", "netipsec-keys"},
    "Datapath1.Withdraw": {"root", "netipsec-policy", "netipsec-algs", "netipsec-keys"},
    "Ike1.ListAcquires": ADMINS,
    "Ike1.Reload": ADMINS | {"netipsec-ike"},
    "ManualKey1.Reload": ADMINS | {"netipsec-keys"},
    "Policy1.Reload": ADMINS | {"netipsec-policy"},
    "Policy1.Apply": ADMINS,
    "Policy1.Flush": ADMINS,
    "Policy1.AddressesChanged": ADMINS,
    "Policy1.ListConfigured": ALL,
    "Policy1.ListFragments": ALL,
    "Policy1.GetSnapshot": ALL,
    "Policy1.ReloadWith": ADMINS,
    "Policy1.Remove": ADMINS,
    "Policy1.Delete": ADMINS,
    "Policy1.Confirm": ADMINS,
    "Policy1.AddFragment": ADMINS,
    "Policy1.RemoveFragment": ADMINS,
}
STANDARD = {
    "org.freedesktop.DBus.Introspectable.Introspect": ALL,
    "org.freedesktop.DBus.Properties.Get": ALL,
    "org.freedesktop.DBus.Properties.GetAll": ALL,
    "org.freedesktop.DBus.Properties.Set": {"root"},
    "org.example.Other.Method": {"root"},
}
# What the bus leaves to the service where polkit may decide.
OPENED = {f"{row.service}.{row.method}" for row in rows() if row.action}
REACHED = "org.example.Reached"
POLICY = STAGE / "usr/share/dbus-1/system.d/org.netipsec.conf"

# The default policy of a system bus, then ours.
BUS_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>%s</include>
</busconfig>
"""

# Makes calls and name requests under its own user; says for each whether the bus let it through.
CALLER = """\
import json, sys
import dbus
bus = dbus.bus.BusConnection(sys.argv[1])
found = []
for service, interface, method in json.load(sys.stdin):
    try:
        if method is None:
            bus.request_name(service, 4)
            bus.release_name(service)
        else:
            bus.call_blocking(service, "/", interface, method, "", ())
        found.append("through")
    except dbus.DBusException as error:
        found.append(error.get_dbus_name())
json.dump(found, sys.stdout)
"""


class PolicyBus:
    """A bus with our policy and a service under every name that says who got through."""

    def __init__(self, scratch, polkit):
        passwd, group = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
        for name, gid in GROUPS.items():
            group += f"{name}:x:{gid}:\n"
        for name, (uid, _) in CALLERS.items():
            if uid:
                passwd += f"{name}:x:{uid}:{uid}::/:/bin/false\n"
                group += f"{name}:x:{uid}:\n"
        (scratch / "passwd").write_text(passwd)
        (scratch / "group").write_text(group)
        policy = POLICY
        if not polkit:  # the part that the policy includes is not beside it there
            policy = scratch / "usr/share/dbus-1/system.d" / POLICY.name
            policy.parent.mkdir(parents=True)
            policy.write_text(POLICY.read_text())
        (scratch / "bus.conf").write_text(BUS_CONFIG % policy)
        script = ("mount --bind $0/passwd /etc/passwd && mount --bind $0/group /etc/group &&"
                  "exec dbus-daemon --config-file=$0/bus.conf --nofork --print-address=1")
        self.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script, str(scratch)],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()
        threads_init()
        self.loop = GLib.MainLoop()
        self.served = dbus.bus.BusConnection(self.address, mainloop=DBusGMainLoop())
        self.served.add_message_filter(self.answer)
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()

    def answer(self, connection, message):
        if isinstance(message, dbus.lowlevel.MethodCallMessage):
            connection.send_message(dbus.lowlevel.ErrorMessage(message, REACHED, "reached"))
            return dbus.lowlevel.HANDLER_RESULT_HANDLED
        return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED

    def own_all(self):
        for service in SERVICES:
            assert self.served.request_name(f"org.netipsec.{service}") == 1

    def ask(self, caller, calls):
        uid, groups = CALLERS[caller]
        numbers = [str(GROUPS[name]) for name in groups]
        more = [f"--groups={','.join(numbers)}"] if numbers else ["--clear-groups"]
        done = subprocess.run(
            ["setpriv", f"--reuid={uid}", f"--regid={uid}", *more, "/usr/bin/python3", "-c", CALLER,
             self.address], input=json.dumps(calls), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def end(self):
        self.loop.quit()
        self.thread.join()
        self.served.close()
        FakeDatapath.closed.append(self.served)  # see there
        self.process.terminate()
        self.process.wait()


@pytest.fixture(name="polkit", params=[False, True], ids=["without-polkit", "with-polkit"])
def choose_polkit(request):
    return request.param


@pytest.fixture(name="bus")
def make_bus(tmp_path, polkit):
    made = PolicyBus(tmp_path, polkit)
    yield made
    made.end()


def methods_of_the_contract():
    for service in SERVICES:
        path = STAGE / f"usr/share/dbus-1/interfaces/org.netipsec.{service}.xml"
        for method in ElementTree.parse(path).iter("method"):
            yield f"{service}.{method.attrib['name']}"


def test_the_tables_have_every_method():
    assert set(METHODS) == set(methods_of_the_contract())
    assert {f"{row.service}.{row.method}" for row in rows()} == set(METHODS)


def test_the_actions_are_those_of_polkit():
    tree = ElementTree.parse(STAGE / "usr/share/polkit-1/actions/org.netipsec.policy")
    actions = {action.attrib["id"] for action in tree.iter("action")}
    assert actions == {f"org.netipsec.{row.action}" for row in rows() if row.action}
    owners = {action.attrib["id"]: set(action.findtext("annotate").split())
              for action in tree.iter("action")}
    for row in rows():  # or polkit would not answer the service
        if row.action:
            assert f"unix-user:{OWNERS[row.service]}" in owners[f"org.netipsec.{row.action}"]
    # Nobody is granted anything without a password, nor keeps the right in a session that is not his.
    for action in tree.iter("action"):
        given = [action.find("defaults").findtext(f"allow_{who}")
                 for who in ("any", "inactive", "active")]
        assert given == ["auth_admin", "auth_admin", "auth_admin_keep"]


@pytest.mark.parametrize("caller", CALLERS)
def test_calls(bus, polkit, caller):
    bus.own_all()
    wanted = {}
    for name, who in METHODS.items():
        service, method = name.split(".")
        wanted[f"org.netipsec.{service}", f"org.netipsec.{service}", method] = \
            caller in who or (polkit and name in OPENED)
    for service in SERVICES:
        for name, who in STANDARD.items():
            interface, _, method = name.rpartition(".")
            wanted[f"org.netipsec.{service}", interface, method] = caller in who
    found = bus.ask(caller, list(wanted))
    wrong = [(call, answer) for (call, want), answer in zip(wanted.items(), found)
             if answer != (REACHED if want else "org.freedesktop.DBus.Error.AccessDenied")]
    assert wrong == []


@pytest.mark.parametrize("caller", CALLERS)
def test_names(bus, caller):
    found = bus.ask(caller, [(f"org.netipsec.{service}", None, None) for service in SERVICES])
    for service, answer in zip(SERVICES, found):
        want = caller in ("root", OWNERS[service])
        assert answer == ("through" if want else "org.freedesktop.DBus.Error.AccessDenied"), service
