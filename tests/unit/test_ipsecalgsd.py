# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsecalgsd on a private bus, against a datapath that only keeps what it is given."""

import dbus
import pytest
from service import REPO, read_memfd

FILE = "/etc/inet/ipsecalgs"
GOOD = "PROTO|3|PROTO_IPSEC_ESP|sync\nALG|3|12|aes-cbc,aes|CKM_AES_CBC|128/128-256,64|16|0|0\n"
MORE = GOOD + "ALG|3|11|null|-|0|0|0|0\n"
BAD = "PROTO|3|PROTO_IPSEC_ESP|sync\nALG|3|x|aes|CKM_AES_CBC|128|16\n"
DIAGNOSTIC = f"{FILE}:2:7: error: algorithm number is not a decimal number [algs-number]\n"


def entries(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


def listed(world):
    return entries(read_memfd(world.call("Algorithms1", "ListAlgorithms")))


def test_publishes_the_file(world):
    world.write(FILE, MORE)
    datapath = world.datapath()
    daemon = world.start("ipsecalgsd").ready()
    shown = world.properties("Algorithms1")
    assert shown["State"] == "enforced" and shown["Generation"] == 1
    assert shown["AlgorithmCount"] == 2 and shown["LastError"] == "" and shown["ConfigFile"] == FILE
    assert datapath.sections["algorithms"][0] == 1
    assert listed(world) == entries(MORE)
    assert daemon.status == "2 algorithms in force (generation 1)"


def test_without_a_file_the_builtin_table_stands(world):
    world.datapath()
    daemon = world.start("ipsecalgsd").ready()
    assert world.properties("Algorithms1")["AlgorithmCount"] == 26
    assert listed(world) == entries((REPO / "etc/inet/ipsecalgs").read_text())
    assert "built-in" in daemon.status


def test_same_content_is_no_change(world):
    world.write(FILE, GOOD)
    datapath = world.datapath()
    world.start("ipsecalgsd").ready()
    world.write(FILE, "# a comment is no content\n" + GOOD)
    assert world.run("ipsecalgs", "-s").returncode == 0
    assert world.properties("Algorithms1")["Generation"] == 1
    assert datapath.published.qsize() == 1


def test_restart_adopts_what_is_in_force(world):
    world.write(FILE, GOOD)
    datapath = world.datapath()
    code, _ = world.start("ipsecalgsd").ready().stop()
    assert code == 0 and "algorithms" in datapath.sections
    world.start("ipsecalgsd").ready()
    shown = world.properties("Algorithms1")
    assert shown["State"] == "enforced" and shown["Generation"] == 1
    assert datapath.published.qsize() == 1


def test_stopping_the_unit_leaves_the_table_in_force(world):
    datapath = world.datapath()
    daemon = world.start("ipsecalgsd", env={"NETIPSEC_STOP_FILE": "/"}).ready()
    daemon.stop()
    assert "algorithms" in datapath.sections
    daemon.wait_for("STATUS=stopped; what was in force stays")


def test_reload_puts_the_new_file_in_force(world):
    world.write(FILE, GOOD)
    world.datapath()
    daemon = world.start("ipsecalgsd").ready()
    world.write(FILE, MORE)
    assert world.run("ipsecalgsd", "--reload").returncode == 0
    shown = world.properties("Algorithms1")
    assert shown["Generation"] == 2 and shown["AlgorithmCount"] == 2
    daemon.wait_for("RELOADING=1")
    daemon.ready()
    assert daemon.errno == 0


def test_bad_file_on_reload_changes_nothing(world):
    world.write(FILE, GOOD)
    datapath = world.datapath()
    daemon = world.start("ipsecalgsd").ready()
    world.write(FILE, BAD)
    done = world.run("ipsecalgsd", "--reload")
    assert done.returncode == 1
    assert done.stderr == DIAGNOSTIC + "ALG|3|x|aes|CKM_AES_CBC|128|16\n      ^\n"
    shown = world.properties("Algorithms1")
    assert shown["State"] == "failed" and shown["LastError"].startswith(DIAGNOSTIC)
    assert shown["Generation"] == 1 and shown["AlgorithmCount"] == 1
    assert datapath.sections["algorithms"][0] == 1 and listed(world) == entries(GOOD)
    daemon.wait_for("RELOADING=1")
    daemon.ready()
    assert daemon.status.endswith("; last reload failed at ipsecalgs:2:7") and daemon.errno != 0
    world.write(FILE, MORE)
    assert world.run("ipsecalgsd", "--reload").returncode == 0
    shown = world.properties("Algorithms1")
    assert shown["State"] == "enforced" and shown["LastError"] == "" and shown["Generation"] == 2


def test_bad_file_at_the_start(world):
    world.write(FILE, BAD)
    daemon = world.start("ipsecalgsd")
    _, errors = daemon.process.communicate(timeout=30)
    assert daemon.process.returncode == 95 and DIAGNOSTIC.strip() in errors


def test_signal_reloads(world):
    world.write(FILE, GOOD)
    datapath = world.datapath()
    daemon = world.start("ipsecalgsd").ready()
    datapath.published.get(timeout=30)
    world.write(FILE, MORE)
    daemon.process.send_signal(1)
    assert datapath.published.get(timeout=30) == "algorithms"
    assert datapath.sections["algorithms"][0] == 2


def test_refusal_by_the_datapath(world):
    world.write(FILE, GOOD)
    datapath = world.datapath()
    world.start("ipsecalgsd").ready()
    datapath.refuse = "no room for so many"
    world.write(FILE, MORE)
    done = world.run("ipsecalgsd", "--reload")
    assert (done.returncode, done.stderr) == (1, "ipsecalgsd: reload: no room for so many\n")
    shown = world.properties("Algorithms1")
    assert shown["State"] == "failed" and shown["LastError"] == "no room for so many"
    assert shown["Generation"] == 1 and listed(world) == entries(GOOD)


@pytest.mark.parametrize("service", ["ipsecalgsd", "ipsec-policyd"])
def test_what_the_datapath_will_never_take_is_a_bad_file(world, service):
    """At the start, as with an error that the parser finds."""
    world.datapath(refuse="no room for so many")
    daemon = world.start(service)
    daemon.wait_for("STATUS=start failed: no room for so many; what was in force stays")
    _, errors = daemon.process.communicate(timeout=30)
    assert daemon.process.returncode == 95 and "not in force: no room for so many" in errors


def test_what_may_pass_is_no_reason_to_end(world):
    datapath = world.datapath(refuse="the disk is full")
    datapath.refuse_with = "Io"
    daemon = world.start("ipsecalgsd").ready()
    assert world.properties("Algorithms1")["LastError"] == "the disk is full"
    datapath.refuse = None
    assert world.run("ipsecalgsd", "--reload").returncode == 0
    assert world.properties("Algorithms1")["State"] == "enforced"
    assert daemon.stop()[0] == 0


def test_stale_generation_is_asked_again(world):
    datapath = world.datapath()
    datapath.stale_answers = 1
    world.start("ipsecalgsd").ready()
    assert world.properties("Algorithms1")["State"] == "enforced"


def test_datapath_absent_then_there_then_restarted(world):
    world.write(FILE, GOOD)
    daemon = world.start("ipsecalgsd")
    daemon.wait_for("STATUS=not enforced: datapath absent")
    first = world.datapath()
    daemon.ready()
    assert world.properties("Algorithms1")["State"] == "enforced"
    world.datapath_ends(first)
    daemon.wait_for("STATUS=not enforced: datapath absent")
    shown = world.properties("Algorithms1")
    assert shown["State"] == "not-enforced" and shown["Generation"] == 0
    second = world.datapath()
    assert second.published.get(timeout=30) == "algorithms"
    assert second.sections["algorithms"][2] == first.sections["algorithms"][2]


def test_ready_also_without_a_datapath(world):
    daemon = world.start("ipsecalgsd").ready()
    assert daemon.status == "not enforced: datapath absent"
    assert world.properties("Algorithms1")["State"] == "not-enforced"
    done = world.run("ipsecalgs", "-l")
    assert (done.returncode, done.stdout) == (0, "") and "no table is in force" in done.stderr
    assert world.run("ipsecalgs", "-s").returncode == 0


def test_command_lists_what_is_in_force(world):
    world.write(FILE, GOOD + "ALG|3|20|aes-gcm|CKM_AES_GCM|128|16|8,16,4|23\n")
    world.datapath()
    world.start("ipsecalgsd").ready()
    world.write(FILE, MORE)  # not read yet
    done = world.run("ipsecalgs", "-l")
    assert done.returncode == 0
    assert done.stdout == (
        "Kernel list of algorithms:\n\n"
        "\tProtocol number: 3\n\tAlgorithm number: 12\n\tMechanism Name: CKM_AES_CBC\n"
        "\tBlock sizes or MAC sizes: 16\n\tKey sizes: 128-256, increment 64, default 128\n"
        "\tAlgorithm parameters: 0\n\tAlgorithm flags: VALID\n\n"
        "\tProtocol number: 3\n\tAlgorithm number: 20\n\tMechanism Name: CKM_AES_GCM\n"
        "\tBlock sizes or MAC sizes: 16\n\tKey sizes: 128\n"
        "\tAlgorithm parameters: 8,16,4\n\tAlgorithm flags: INVALID COUNTER COMBINED GCM\n\n")


@pytest.mark.parametrize("form", ["--table", "--json"])
def test_every_form_says_what_the_datapath_cannot_use(world, form):
    world.write(FILE, MORE)
    world.datapath().usable = [(3, 12)]
    world.start("ipsecalgsd").ready()
    said = world.run("ipsecalgs", "-l", form).stdout
    assert said.count("INVALID") == 1 and said.replace("INVALID", "").count("VALID") == 1


def test_command_synchronizes(world):
    world.write(FILE, GOOD)
    world.datapath()
    world.start("ipsecalgsd").ready()
    assert world.properties("Algorithms1")["State"] == "enforced"
    world.write(FILE, BAD)
    done = world.run("ipsecalgs", "-s")
    assert done.returncode == 1 and DIAGNOSTIC in done.stderr
    world.write(FILE, MORE)
    assert world.run("ipsecalgs", "-s").returncode == 0
    assert world.properties("Algorithms1")["Generation"] == 2


@pytest.mark.parametrize("text, code, out, err", [
    (MORE, 0, f"{FILE}: 2 algorithms\n", ""),
    (None, 0, f"{FILE}: 26 algorithms of the built-in table, there is no file\n", ""),
    (BAD, 1, "", DIAGNOSTIC + "ALG|3|x|aes|CKM_AES_CBC|128|16\n      ^\n"),
], ids=["good", "missing", "bad"])
def test_check(world, text, code, out, err):
    if text is not None:
        world.write(FILE, text)
    done = world.run("ipsecalgsd", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)


def test_arguments_of_reload_are_checked(world):
    world.datapath()
    world.start("ipsecalgsd").ready()
    with pytest.raises(dbus.DBusException) as caught:
        world.call("Algorithms1", "Reload", "now")
    assert caught.value.get_dbus_name() == "org.freedesktop.DBus.Error.InvalidArgs"
