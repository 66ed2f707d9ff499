# SPDX-License-Identifier: GPL-2.0-or-later
"""Whom a daemon asks polkit about, what it does with each answer, and what it writes down."""

import os
import queue
import re
import subprocess
import threading
from pathlib import Path

import dbus
import dbus.lowlevel
import pytest
from dbus.mainloop.glib import DBusGMainLoop, threads_init
from gi.repository import GLib
from service import SBIN, FakeDatapath

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or Path("/proc/self/uid_map").read_text().split()[2] == "1",
    reason="needs root and more than one user id")

POLKIT = "org.freedesktop.PolicyKit1"
AUTHORITY = f"{POLKIT}.Authority"
REFUSED = "org.netipsec.Error.NotAuthorized"
CHALLENGED = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
NOBODY, ADMIN, OTHER = 65534, 1, 2  # a bus takes only whom the system knows
ADMINS = 7001  # the group ipsecadm
# With the groups of the test in the place of the host's.
IN_OUR_GROUPS = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/group && exec "$@"']


class FakePolkit:
    """An authority whose answers a test gives one by one."""

    def __init__(self, world, owns=True):
        threads_init()
        self.asked = queue.Queue()  # (message, subject, action, flags, id)
        self.cancelled = queue.Queue()  # ids
        self.loop = GLib.MainLoop()
        self.connection = dbus.bus.BusConnection(world.address, mainloop=DBusGMainLoop())
        self.connection.add_message_filter(self.take)
        if owns:
            assert self.connection.request_name(POLKIT) == 1
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()

    def take(self, _connection, message):
        if not isinstance(message, dbus.lowlevel.MethodCallMessage):
            return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED
        assert message.get_interface() == AUTHORITY
        if message.get_member() == "CancelCheckAuthorization":
            self.cancelled.put(str(message.get_args_list()[0]))
        else:
            assert message.get_signature() == "(sa{sv})sa{ss}us"
            (kind, details), action, more, flags, number = message.get_args_list()
            assert str(kind) == "system-bus-name" and not more
            self.asked.put((message, str(details["name"]), str(action), int(flags), str(number)))
        return dbus.lowlevel.HANDLER_RESULT_HANDLED

    def send(self, message):
        """In the loop's thread: the connection is not made for two."""
        GLib.idle_add(lambda: self.connection.send_message(message) and False)

    def answer(self, message, *values, signature="(bba{ss})"):
        reply = dbus.lowlevel.MethodReturnMessage(message)
        reply.append(*values, signature=signature)
        self.send(reply)

    def decide(self, message, authorized, challenge=False):
        self.answer(message, (authorized, challenge, dbus.Dictionary({}, signature="ss")))

    def fail(self, message):
        self.send(dbus.lowlevel.ErrorMessage(
            message, f"{POLKIT}.Error.Failed", "the rules have a syntax error"))

    def end(self):
        if self.connection in FakeDatapath.closed:
            return
        self.loop.quit()
        self.thread.join()
        self.connection.close()
        FakeDatapath.closed.append(self.connection)  # see there


# A call that waits in a process of its own, under another user.
CALLER = """\
import sys
import dbus.lowlevel
bus = dbus.bus.BusConnection(sys.argv[1])
call = dbus.lowlevel.MethodCallMessage(*sys.argv[2:6])
print(bus.get_unique_name(), flush=True)
try:
    bus.send_message_with_reply_and_block(call, 100)
    print("done")
except dbus.DBusException as error:
    print(error.get_dbus_name())
"""

class Caller:
    """Somebody calls a method and waits for the answer."""

    def __init__(self, world, method, uid=NOBODY, groups=()):
        service, _, member = method.partition(".")
        name = f"org.netipsec.{service}"
        more = [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]
        self.process = subprocess.Popen(
            ["setpriv", f"--reuid={uid}", f"--regid={uid}", *more, "/usr/bin/python3", "-c", CALLER,
             world.address, name, f"/org/netipsec/{service}", name, member],
            stdout=subprocess.PIPE, text=True)
        self.name = self.process.stdout.readline().strip()

    def answer(self):
        found = self.process.stdout.read().strip()  # ends with the call's own time limit
        self.process.wait()
        return found

    def vanish(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(name="served")
def make_served(world, tmp_path):
    """The world with a daemon that may be called by anybody."""
    tmp_path.chmod(0o755)
    (tmp_path / "group").write_text(f"root:x:0:\nipsecadm:x:{ADMINS}:\n")
    world.daemon = world.start("ipsec-iked", prefix=(*IN_OUR_GROUPS, str(tmp_path / "group"))).ready()
    return world


@pytest.fixture(name="polkit")
def make_polkit(served):
    made = FakePolkit(served)
    yield made
    made.end()


def records(served):
    """The audit records, in their order, without what changes from run to run."""
    _, errors = served.daemon.stop()
    found = re.findall(r"^<(\d)>audit: (\S+) by (.+), right: ([^:]+): (.+)$", errors, re.M)
    return [(int(level), what, re.sub(r"pid \d+, :1\.\d+", "pid N, NAME", who), right, result)
            for level, what, who, right, result in found]


def test_an_answer_decides(served, polkit):
    said = []
    for decision in ((True,), (False,), (False, True)):
        caller = Caller(served, "Ike1.Reload")
        message, subject, action, flags, _ = polkit.asked.get(timeout=30)
        assert (subject, action, flags) == (caller.name, "org.netipsec.manage-ike", 0)
        polkit.decide(message, *decision)
        said.append(caller.answer())
    assert said == ["done", REFUSED, CHALLENGED]
    who = f"uid {NOBODY}, pid N, NAME"
    assert records(served) == [
        (6, "Ike1.Reload", who, "polkit org.netipsec.manage-ike", "done"),
        (4, "Ike1.Reload", who, "none", f"refused, {REFUSED}"),
        (4, "Ike1.Reload", who, "none", f"refused, {CHALLENGED}")]


def test_a_password_is_asked_for_only_where_the_call_allows_it(served, polkit):
    argv = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "busctl", f"--address={served.address}"]
    call = ["call", "org.netipsec.Ike1", "/org/netipsec/Ike1", "org.netipsec.Ike1", "Reload"]
    for allowed in (True, False):
        with subprocess.Popen([*argv, f"--allow-interactive-authorization={allowed}", *call],
                              stdout=subprocess.PIPE) as process:
            message, _, _, flags, _ = polkit.asked.get(timeout=30)
            assert flags == int(allowed)
            polkit.decide(message, True)
            assert process.communicate(timeout=30)[0].startswith(b"t ")


def test_root_and_the_group_are_not_asked_about(served, polkit):
    assert Caller(served, "Ike1.Reload", uid=0).answer() == "done"
    assert Caller(served, "Ike1.Reload", uid=ADMIN, groups=[ADMINS]).answer() == "done"
    assert Caller(served, "Ike1.ListAcquires", uid=ADMIN, groups=[ADMINS]).answer() == "done"
    assert polkit.asked.empty()
    # Who may look changes nothing.
    assert [(what, right) for _, what, _, right, _ in records(served)] == [
        ("Ike1.Reload", "root"), ("Ike1.Reload", "group ipsecadm")]


@pytest.mark.parametrize("answer", [
    lambda polkit, message: polkit.fail(message),
    lambda polkit, message: polkit.answer(message, signature=""),
    lambda polkit, message: polkit.answer(message, True, signature="b"),
    lambda polkit, message: polkit.answer(message, ("yes",), signature="(s)"),
    lambda polkit, message: polkit.answer(message, (1, 1), signature="(uu)"),
    lambda polkit, message: polkit.end(),
], ids=["error", "empty", "bare", "word", "number", "gone"])
def test_what_is_no_answer_is_a_no(served, polkit, answer):
    caller = Caller(served, "Ike1.ListAcquires")
    answer(polkit, polkit.asked.get(timeout=30)[0])
    assert caller.answer() == REFUSED


def test_without_polkit_there_is_nobody_to_ask(served):
    assert Caller(served, "Ike1.Reload").answer() == REFUSED
    assert Caller(served, "Ike1.ListAcquires").answer() == REFUSED
    assert [result for *_, result in records(served)] == [f"refused, {REFUSED}"] * 2


def test_the_service_goes_on_while_polkit_thinks(served, polkit):
    caller = Caller(served, "Ike1.Reload")
    message = polkit.asked.get(timeout=30)[0]
    assert served.properties("Ike1")["State"]
    assert Caller(served, "Ike1.Reload", uid=0).answer() == "done"
    polkit.decide(message, True)
    assert caller.answer() == "done"


def test_a_caller_that_vanishes_gets_nothing_done(served, polkit):
    caller = Caller(served, "Ike1.Reload")
    message, *_, number = polkit.asked.get(timeout=30)
    caller.vanish()
    assert polkit.cancelled.get(timeout=15) == number  # not for want of an answer, after 25 s
    polkit.decide(message, True)
    assert served.properties("Ike1")["State"]  # behind the answer
    assert [result for *_, result in records(served)] == [f"refused, {REFUSED}"]


def test_one_user_does_not_take_all_places(served, polkit):
    waiting = [Caller(served, "Ike1.ListAcquires") for _ in range(4)]
    asked = [polkit.asked.get(timeout=30) for _ in waiting]
    assert Caller(served, "Ike1.ListAcquires").answer() == REFUSED
    other = Caller(served, "Ike1.ListAcquires", uid=OTHER)
    asked.append(polkit.asked.get(timeout=30))
    for message, *_ in asked:
        polkit.decide(message, True)
    assert [caller.answer() for caller in (*waiting, other)] == ["done"] * 5


def test_a_daemon_that_ends_leaves_no_question_behind(served, polkit):
    caller = Caller(served, "Ike1.Reload")
    *_, number = polkit.asked.get(timeout=30)
    assert served.daemon.stop()[0] == 0
    assert polkit.cancelled.get(timeout=30) == number
    assert caller.answer() in (REFUSED, "org.freedesktop.DBus.Error.NoReply")


def test_refusals_do_not_fill_the_journal(served):
    calls = "for _ in range(60):\n  try: bus.call_blocking(*sys.argv[2:6], '', ())\n" \
            "  except dbus.DBusException as error: assert 'NotAuthorized' in error.get_dbus_name()\n"
    script = f"import sys, dbus\nbus = dbus.bus.BusConnection(sys.argv[1])\n{calls}"
    name = "org.netipsec.Ike1"
    subprocess.run(["setpriv", f"--reuid={NOBODY}", "--clear-groups", "/usr/bin/python3", "-c",
                    script, served.address, name, "/org/netipsec/Ike1", name, "Reload"], check=True)
    assert 20 <= len(records(served)) < 60


def test_a_signal_is_written_down(served):
    served.daemon.process.send_signal(1)
    served.daemon.wait_for("READY=1")
    assert records(served) == [(6, "SIGHUP", f"uid 0, pid {os.getpid()}", "signal", "done")]


def test_a_failure_is_written_down(served):
    served.write("/etc/inet/ike/config", "")
    config = served.root / "etc/inet/ike/config"
    config.unlink()
    config.mkdir()
    assert Caller(served, "Ike1.Reload", uid=0).answer() != "done"
    assert [(level, result.partition(",")[0]) for level, *_, result in records(served)] == [
        (5, "failed")]
