# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of the algorithm file: by the command, through the service, onto the disk."""

import json
import os
import stat
import subprocess

import dbus
import pytest
from service import REPO, read_memfd
from test_iked import NOBODY, can_be_nobody

FILE = "/etc/inet/ipsecalgs"
GOOD = """\
PROTO|2|PROTO_IPSEC_AH|sync
ALG|2|5|hmac-sha256,sha256|CKM_SHA256_HMAC_GENERAL|256|16|0|0
PROTO|3|PROTO_IPSEC_ESP|sync
# Start SUNWother
ALG|3|99|other|-|128|16|0|0
# End SUNWother
ALG|3|12|aes-cbc,aes|CKM_AES_CBC|128/128-256,64|16|0|0
"""
AES = "ALG|3|12|aes-cbc,aes|CKM_AES_CBC|128/128-256,64|16|0|0"
GCM = ("-a", "-P", "3", "-N", "20", "-n", "aes-gcm,aes-gcm16", "-m", "CKM_AES_GCM", "-k", "128-256",
       "-i", "64", "-b", "16", "-I", "8", "-M", "16", "-S", "4", "-F", "COUNTER,COMBINED", "-F", "16")
GCM_LINE = "ALG|3|20|aes-gcm,aes-gcm16|CKM_AES_GCM|128/128-256,64|16|8,16,4|23"


@pytest.fixture(name="served")
def make_served(world):
    world.write(FILE, GOOD)
    world.fake = world.datapath()
    world.start("ipsecalgsd").ready()
    return world


def lines(world):
    """What the file says, brackets of packages included."""
    text = (world.root / FILE.lstrip("/")).read_text()
    return [line for line in text.splitlines()
            if not line.startswith("#") or line.startswith(("# Start", "# End"))]


def in_force(world):
    listing = read_memfd(world.call("Algorithms1", "ListAlgorithms")).splitlines()
    return [line for line in listing if line.startswith(("ALG", "PROTO"))]


def change(world, *argv):
    done = world.run("ipsecalgs", *argv)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def refused(world, message, *argv):
    before = lines(world)
    done = world.run("ipsecalgs", *argv)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"ipsecalgs: {message}\n")
    assert lines(world) == before


def test_adds_behind_its_protocol_and_keeps_packages(served):
    change(served, *GCM)
    assert lines(served) == [*GOOD.splitlines(), GCM_LINE]


def test_a_package_stays_what_it_was(served):
    change(served, "-r", "-P", "3", "-N", "12")
    change(served, *GCM)
    change(served, "-r", "-P", "3", "-n", "OTHER")
    want = [line for line in GOOD.splitlines() if not line.startswith(("ALG|3|12", "ALG|3|99"))]
    assert lines(served) == [*want, GCM_LINE]


def test_without_s_only_the_file_changes(served):
    change(served, *GCM)
    assert served.properties("Algorithms1")["Generation"] == 1
    assert GCM_LINE not in in_force(served) and served.fake.sections["algorithms"][0] == 1
    change(served, "-s")
    assert served.properties("Algorithms1")["Generation"] == 2 and GCM_LINE in in_force(served)


def test_with_s_the_change_is_in_force_when_the_command_returns(served):
    change(served, *GCM, "-s")
    assert GCM_LINE in in_force(served) and served.fake.sections["algorithms"][0] == 2
    change(served, "-r", "-p", "proto_ipsec_esp", "-n", "AES-GCM16", "-s")
    assert GCM_LINE not in in_force(served) and served.fake.sections["algorithms"][0] == 3


def test_the_file_is_replaced_at_once(served):
    path = served.root / FILE.lstrip("/")
    with open(path, encoding="ascii") as former:
        change(served, *GCM)
        assert former.read() == GOOD, "the file was written in place"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert os.listdir(path.parent) == ["ipsecalgs"]


def test_the_builtin_table_becomes_a_file(world):
    world.datapath()
    world.start("ipsecalgsd").ready()
    assert world.run("ipsecalgs", "-e", "async", "-P", "2").returncode == 0
    want = (REPO / "etc/inet/ipsecalgs").read_text().replace("_AH|sync", "_AH|async").splitlines()
    assert lines(world) == [line for line in want if not line.startswith("#")]


def test_a_corrupt_file_is_left_alone(served):
    served.write(FILE, GOOD + "ALG|3|x\n")
    done = served.run("ipsecalgs", *GCM)
    assert done.returncode == 1 and f"{FILE}:8:1: error:" in done.stderr
    assert (served.root / FILE.lstrip("/")).read_text() == GOOD + "ALG|3|x\n"
    assert in_force(served)[-1] == AES


def test_exact_duplicate_changes_nothing(served):
    change(served, *GCM)
    before = (served.root / FILE.lstrip("/")).stat().st_ino
    change(served, *[word.replace("aes-gcm", "AES-gcm") for word in GCM])
    assert (served.root / FILE.lstrip("/")).stat().st_ino == before


@pytest.mark.parametrize("letter, value", [("-F", "CCM"), ("-I", "7"), ("-m", "CKM_OTHER"),
                                           ("-n", "aes-gcm"), ("-k", "128-320"), ("-b", "8")])
def test_all_of_an_entry_is_compared(served, letter, value):
    other = list(GCM)
    other[other.index(letter) + 1] = value
    change(served, *GCM)
    refused(served, "Algorithm already exists", *other)
    change(served, *other, "-f")
    assert GCM_LINE not in lines(served) and len(lines(served)) == len(GOOD.splitlines()) + 1


def test_number_or_name_taken(served):
    new = ["-a", "-P", "3", "-N", "12", "-n", "fresh", "-m", "-", "-k", "64", "-b", "8"]
    refused(served, "Algorithm already exists", *new)
    new[4], new[6] = "77", "fresh,AES"
    refused(served, "Algorithm already exists", *new)
    new[6] = "fresh,sha256"  # of the other protocol
    change(served, *new)
    assert lines(served)[-1] == "ALG|3|77|fresh,sha256|-|64|8|0|0"


def test_force_takes_all_that_conflict(served):
    change(served, "-a", "-P", "3", "-N", "99", "-n", "aes", "-m", "-", "-k", "64", "-b", "8", "-f")
    assert sorted(lines(served)[2:]) == [
        "# End SUNWother", "# Start SUNWother", "ALG|3|99|aes|-|64|8|0|0", "PROTO|3|PROTO_IPSEC_ESP|sync"]


@pytest.mark.parametrize("default, want", [("192", "192,128,256"), ("128", "128,192,256"),
                                           ("256", "256,128,192")])
def test_default_key_size_moves_to_the_front(served, default, want):
    change(served, "-a", "-P", "3", "-N", "7", "-n", "x", "-m", "M", "-b", "8", "-k", "128,192,256",
           "-K", default)
    assert f"ALG|3|7|x|M|{want}|8|0|0" in lines(served)


def test_default_of_a_range(served):
    change(served, "-a", "-p", "PROTO_IPSEC_ESP", "-N", "7", "-n", "x", "-m", "M", "-b", "8,16",
           "-k", "128-256", "-i", "64", "-K", "192")
    assert "ALG|3|7|x|M|192/128-256,64|8,16|0|0" in lines(served)


def test_protocols(served):
    change(served, "-P", "7", "-p", "MINE")
    assert lines(served)[-1] == "PROTO|7|MINE|sync"
    change(served, "-P", "7", "-p", "mine", "-e", "sync")
    refused(served, "Protocol already exists", "-P", "7", "-p", "MINE", "-e", "async")
    refused(served, "Protocol already exists", "-P", "7", "-p", "OTHER")
    refused(served, "Protocol already exists", "-P", "8", "-p", "mine")
    change(served, "-P", "8", "-p", "MINE", "-e", "async", "-f")
    assert lines(served)[-1] == "PROTO|8|MINE|async" and "PROTO|7|MINE|sync" not in lines(served)
    change(served, "-e", "sync", "-p", "mine")
    assert lines(served)[-1] == "PROTO|8|MINE|sync"
    change(served, "-R", "-P", "8")
    assert lines(served) == GOOD.splitlines()


def test_a_protocol_goes_with_its_algorithms(served):
    change(served, "-R", "-p", "PROTO_IPSEC_AH")
    assert lines(served) == GOOD.splitlines()[2:]
    change(served, "-P", "3", "-p", "NEW", "-f")
    assert lines(served) == ["# Start SUNWother", "# End SUNWother", "PROTO|3|NEW|sync"]


@pytest.mark.parametrize("message, argv", [
    ("Unknown protocol", ("-R", "-P", "9")), ("Unknown protocol", ("-e", "sync", "-p", "x")),
    ("Unknown protocol", ("-r", "-P", "9", "-N", "1")), ("Unknown algorithm", ("-r", "-P", "3", "-N", "1")),
    ("Unknown algorithm", ("-r", "-P", "3", "-n", "x")), ("Unknown protocol", (*GCM[:2], "9", *GCM[3:])),
    ("empty algorithm name", (*GCM[:6], "a,,b", *GCM[7:])),
    ("character not allowed in the mechanism name", (*GCM[:8], "a b", *GCM[9:])),
])
def test_refused_by_the_table(served, message, argv):
    refused(served, message, *argv)


def test_more_names_than_can_be_used(served):
    names = ",".join(f"n{i}" for i in range(9))
    before = lines(served)
    done = served.run("ipsecalgs", *GCM[:6], names, *GCM[7:])
    assert done.returncode == 1 and "[algs-limit]" in done.stderr and lines(served) == before


def test_refusal_by_the_datapath_is_told(served):
    served.fake.refuse = "no room for so many"
    done = served.run("ipsecalgs", *GCM, "-s")
    assert (done.returncode, done.stderr) == (1, "ipsecalgs: no room for so many\n")
    assert GCM_LINE in lines(served) and GCM_LINE not in in_force(served)


def test_unwritable_directory(served):
    (served.root / "etc/inet").rename(served.root / "etc/elsewhere")
    done = served.run("ipsecalgs", "-r", "-P", "3", "-N", "12")
    assert done.returncode == 1 and f"{FILE}: No such file or directory" in done.stderr


def ask(world, operation, **arguments):
    options = dbus.Dictionary({name.replace("_", "-"): value for name, value in arguments.items()},
                              signature="sv")
    return world.call("Algorithms1", "Change", operation, options)


@pytest.mark.parametrize("operation, arguments, error", [
    ("destroy", {"protocol": "x"}, "Invalid"),
    ("remove-protocol", {"colour": "red"}, "Invalid"),
    ("remove-protocol", {"protocol": dbus.UInt32(3)}, "Invalid"),
    ("remove-protocol", {}, "Invalid"),
    ("remove-protocol", {"protocol": "PROTO_IPSEC_AH", "protocol_number": dbus.UInt32(2)}, "Invalid"),
    ("remove-algorithm", {"protocol_number": dbus.UInt32(3)}, "Invalid"),
    ("remove-algorithm", {"protocol_number": dbus.UInt32(3), "name": "aes", "number": dbus.UInt32(12)},
     "Invalid"),
    ("add-algorithm", {"protocol_number": dbus.UInt32(3)}, "Invalid"),
    ("add-algorithm", {"protocol_number": dbus.UInt32(3), "entry": "7|x|-|0|0\nPROTO|9|y|sync"}, "Invalid"),
    ("add-algorithm", {"protocol_number": dbus.UInt32(3), "entry": "7|x|-"}, "Invalid"),
    ("add-protocol", {"protocol": "x"}, "Invalid"),
    ("add-protocol", {"protocol_number": dbus.UInt32(9)}, "Invalid"),
    ("add-protocol", {"protocol": "x|y", "protocol_number": dbus.UInt32(9)}, "Invalid"),
    ("add-protocol", {"protocol": "", "protocol_number": dbus.UInt32(9)}, "Invalid"),
    ("add-protocol", {"protocol": "x", "protocol_number": dbus.UInt32(300)}, "Invalid"),
    ("set-mode", {"protocol_number": dbus.UInt32(3), "exec_mode": "fast"}, "Invalid"),
    ("set-mode", {"protocol_number": dbus.UInt32(3)}, "Invalid"),
    ("set-mode", {"protocol": "x", "exec_mode": "sync"}, "NotFound"),
    ("add-protocol", {"protocol": "x", "protocol_number": dbus.UInt32(3)}, "Exists"),
])
def test_errors_of_the_method(served, operation, arguments, error):
    before = lines(served)
    with pytest.raises(dbus.DBusException) as caught:
        ask(served, operation, **arguments)
    assert caught.value.get_dbus_name() == f"org.netipsec.Error.{error}"
    assert lines(served) == before


@pytest.mark.skipif(not can_be_nobody(), reason="needs a second user id")
def test_the_service_itself_asks_who_calls(served):
    """The bus of this test lets everybody through."""
    before = lines(served)
    done = subprocess.run(
        ["gdbus", "call", "--address", served.address, "--dest", "org.netipsec.Algorithms1",
         "--object-path", "/org/netipsec/Algorithms1",
         "--method", "org.netipsec.Algorithms1.Change", "remove-protocol",
         "{'protocol-number': <uint32 3>}"], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
        capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0 and "org.netipsec.Error.NotAuthorized" in done.stderr
    assert lines(served) == before


def test_status(served):
    served.fake.usable = [(2, 2), (2, 5), (3, 12)]
    change(served, *GCM)
    rows = [line.split() for line in served.run("ipsecalgs", "--status").stdout.splitlines()]
    assert rows[0][-2:] == ["STATUS", "LIBRARY"]
    found = {(int(row[0]), int(row[1])): row for row in rows[1:]}
    assert found[2, 5][-3:] == ["available", "Library", "1.0"]
    assert found[3, 12][-3:] == ["available", "Library", "1.0"]
    assert found[3, 99][-2:] == found[3, 20][-2:] == ["unsupported", "-"]
    assert found[2, 2][-3:] == ["disabled,deprecated", "Library", "1.0"], "in no table, yet served"
    change(served, "-r", "-P", "3", "-N", "12", "-s")
    rows = served.run("ipsecalgs", "-l", "--status", "--table").stdout.splitlines()
    assert [row.split()[-3] for row in rows if "aes-cbc" in row] == ["disabled"]


def test_status_as_data(served):
    served.fake.usable = [(2, 2), (3, 12)]
    shown = json.loads(served.run("ipsecalgs", "--status", "--json").stdout)
    auth, encr = [{alg["number"]: alg for alg in proto["algorithms"]} for proto in shown["protocols"]]
    assert (encr[12]["status"], encr[12]["library"], encr[12]["deprecated"]) == (
        "available", "Library 1.0", False)
    assert (auth[5]["status"], auth[5]["library"]) == ("unsupported", None)
    assert (auth[2]["status"], auth[2]["deprecated"]) == ("disabled", True)


@pytest.mark.parametrize("value, code", [("1", 0), ("100", 0), ("0", 1), ("101", 1), ('"x"', 1)])
def test_share_of_the_cpus(world, value, code):
    world.write("/etc/netipsec/ipsecalgs.cfg", f"crypto_cpu_max = {value};\n")
    assert world.run("ipsecalgsd", "--check").returncode == code
    if code == 0:
        world.start("ipsecalgsd").ready()
        assert world.properties("Algorithms1")["CryptoCpuMax"] == int(value)


def test_share_of_the_cpus_follows_a_reload(world):
    def say(value):
        world.write("/etc/netipsec/ipsecalgs.cfg", f"crypto_cpu_max = {value};\n")
        return world.run("ipsecalgsd", "--reload").returncode, world.properties("Algorithms1")["CryptoCpuMax"]
    world.start("ipsecalgsd").ready()
    assert say(40) == (0, 40)
    assert say(0) == (1, 40), "what cannot be is refused, and the former share holds"
    assert say(100) == (0, 100)


def test_the_datapath_names_its_libraries(world):
    world.start("ipsec-datapathd", prefix=["unshare", "-n"] if os.getuid() == 0
                else ["unshare", "-cn", "--keep-caps"])
    world.wait_for_name("org.netipsec.Datapath1", world.daemons[-1])
    shown = world.properties("Datapath1")
    named = {(int(a), int(b)): str(library) for a, b, library in shown["AlgorithmLibraries"]}
    assert sorted(named) == sorted((int(a), int(b)) for a, b in shown["UsableAlgorithms"])
    assert named.pop((3, 11)) == "" and all(named.values())
    assert any(library.startswith("OpenSSL 3") for library in named.values())
