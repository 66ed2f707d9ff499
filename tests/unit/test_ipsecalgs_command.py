# SPDX-License-Identifier: GPL-2.0-or-later
"""The ipsecalgs command without its service: the file's table in three forms, and refusals."""

import json
import subprocess

import pytest
from service import SBIN, STAGE, World

FILE = """\
PROTO|2|PROTO_IPSEC_AH|sync
PROTO|3|PROTO_IPSEC_ESP|async
ALG|3|20|aes-gcm,aes-gcm16|CKM_AES_GCM|128/128-256,64|16|8,16,4|23
ALG|2|5|hmac-sha256,sha256,sha-256,hmac-sha-256|CKM_SHA256_HMAC_GENERAL|256|16
ALG|3|11|null|-|0|0
"""

LISTING = """\
List of algorithms, grouped by IPsec protocol:

Protocol 2/PROTO_IPSEC_AH (execution mode: sync)

\tProtocol number: 2
\tAlgorithm number: 5
\tAlgorithm names: hmac-sha256,sha256,sha-256,hmac-sha-256
\tMechanism Name: CKM_SHA256_HMAC_GENERAL
\tBlock sizes or MAC sizes: 16
\tKey sizes: 256
\tAlgorithm parameters: 0
\tAlgorithm flags: 

Protocol 3/PROTO_IPSEC_ESP (execution mode: async)

\tProtocol number: 3
\tAlgorithm number: 20
\tAlgorithm names: aes-gcm,aes-gcm16
\tMechanism Name: CKM_AES_GCM
\tBlock sizes or MAC sizes: 16
\tKey sizes: 128-256, increment 64, default 128
\tAlgorithm parameters: 8,16,4
\tAlgorithm flags: VALID COUNTER COMBINED GCM

\tProtocol number: 3
\tAlgorithm number: 11
\tAlgorithm names: null
\tMechanism Name: -
\tBlock sizes or MAC sizes: 0
\tKey sizes: 0
\tAlgorithm parameters: 0
\tAlgorithm flags: 

"""


@pytest.fixture
def with_file(world: World):
    world.write("/etc/inet/ipsecalgs", FILE)
    return world


def test_lists_the_file(with_file):
    done = with_file.run("ipsecalgs")
    assert (done.returncode, done.stdout, done.stderr) == (0, LISTING, "")


def test_columns(with_file):
    lines = with_file.run("ipsecalgs", "--table").stdout.splitlines()
    assert lines[0].split() == [
        "PROTO", "NUMBER", "NAMES", "KEY", "BITS", "BYTES", "IV,ICV,SALT", "FLAGS", "MECHANISM"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["2", "5", "hmac-sha256,sha256,sha-256,hmac-sha-256"], ["3", "20", "aes-gcm,aes-gcm16"],
        ["3", "11", "null"]]
    assert len({line.find("CKM_") for line in lines if "CKM_" in line}) == 1


def test_json(with_file):
    shown = json.loads(with_file.run("ipsecalgs", "--json").stdout)
    assert shown["version"] == 1 and shown["source"] == "file"
    assert [proto["exec_mode"] for proto in shown["protocols"]] == ["sync", "async"]
    gcm, null = shown["protocols"][1]["algorithms"]
    assert gcm["keys"] == {
        "default_bits": 128, "min_bits": 128, "max_bits": 256, "increment_bits": 64}
    assert (gcm["iv_bytes"], gcm["icv_bytes"], gcm["salt_bytes"]) == (8, 16, 4)
    assert gcm["flags"] == ["VALID", "COUNTER", "COMBINED", "GCM"]
    assert null["mechanism"] is None and null["keys"] == {"default_bits": 0, "sizes_bits": [0]}


def test_without_a_file_shows_the_builtin_table(world):
    done = world.run("ipsecalgs", "--json")
    shown = json.loads(done.stdout)
    assert done.returncode == 0 and "built-in" in done.stderr and shown["source"] == "built-in"
    assert [len(proto["algorithms"]) for proto in shown["protocols"]] == [11, 15]


def test_installed_file_is_the_builtin_table(world):
    builtin = world.run("ipsecalgs").stdout
    world.write("/etc/inet/ipsecalgs", (STAGE / "etc/inet/ipsecalgs").read_text())
    assert world.run("ipsecalgs").stdout == builtin


def test_bad_file(world):
    world.write("/etc/inet/ipsecalgs", "PROTO|2|AH|sync\nALG|2|5x|a|-|0|0\n")
    done = world.run("ipsecalgs")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "/etc/inet/ipsecalgs:2:7: error: algorithm number is not a decimal number [algs-number]\n"
        "ALG|2|5x|a|-|0|0\n      ^~\n")


@pytest.mark.parametrize("argv", [
    ("-l", "-s"), ("-l", "-l"), ("-s", "--json"), ("extra",), ("-x",), ("-P",), ("--nonesuch",)],
    ids=" ".join)
def test_usage_error(world, argv):
    done = world.run("ipsecalgs", *argv)
    assert done.returncode == 1 and done.stdout == "" and "usage: ipsecalgs" in done.stderr


ADD = ("-a", "-P", "3", "-N", "12", "-n", "aes", "-m", "CKM_AES_CBC", "-b", "16", "-k", "128")


@pytest.mark.parametrize("argv", [
    ("-a", "-P", "3", "-p", "x"), ("-r", "-P", "3", "-p", "x"), ("-R", "-P", "3", "-p", "x"),
    ("-a", "-r", "-P", "3"), ("-r", "-R", "-P", "3"), ("-a", "-e", "sync", "-P", "3"),
    ("-r", "-e", "sync", "-P", "3"), ("-R", "-e", "sync", "-P", "3"), ("-P", "3"), ("-p", "x"),
    ("-f",), ("-f", "-s"), ("-l", "-f"), ("-k", "128", "-s"), ("-R", "-P", "3", "-k", "128"),
    ("-r", "-P", "3", "-N", "1", "-n", "x"), ("-r", "-P", "3", "-N", "1", "-f"),
    ("-e", "sync", "-P", "3", "-f"), ("-s", "--status"), (*ADD, "--json"), (*ADD, "-k", "128"),
    ("-a", "-a", "-P", "3"), ("-R", "-R", "-P", "3"), ("-R", "-P", "3", "-P", "3"),
    (*ADD, "more")], ids=" ".join)
def test_one_command_a_call(with_file, argv):
    done = with_file.run("ipsecalgs", *argv)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("usage: ipsecalgs")
    assert (with_file.root / "etc/inet/ipsecalgs").read_text() == FILE


def without(letter):
    at = ADD.index(letter)
    return (*ADD[:at], *ADD[at + 2:])


def instead(letter, value, *more):
    return (*without(letter), letter, value, *more)


RANGE = instead("-k", "128-256", "-i", "64")
REFUSED = [
    (without("-P"), "Missing protocol number"),
    (without("-N"), "Missing algorithm number"),
    (without("-k"), "Missing key size(s)"),
    (without("-n"), "Missing algorithm name(s)"),
    (without("-b"), "Missing block/MAC lengths"),
    (without("-m"), "Missing mechanism name"),
    (instead("-k", "128-256"), "Missing key increment"),
    ((*ADD, "-i", "64"), "Key increment must not be specified with key sizes enumeration"),
    (instead("-k", "x-256", "-i", "64"), "Invalid lower key size range"),
    (instead("-k", "0-256", "-i", "64"), "Invalid lower key size range"),
    (instead("-k", "-256", "-i", "64"), "Invalid lower key size range"),
    (instead("-k", "128-", "-i", "64"), "Invalid higher key size range"),
    (instead("-k", "128-0", "-i", "64"), "Invalid higher key size range"),
    (instead("-k", "128-256-512", "-i", "64"), "Invalid higher key size range"),
    (instead("-k", "128-128", "-i", "64"), "Invalid key size range (min >= max)"),
    (instead("-k", "256-128", "-i", "64"), "Invalid key size range (min >= max)"),
    (instead("-k", "128-256", "-i", "0"), "Invalid key increment value"),
    (instead("-k", "128-256", "-i", "x"), "Invalid key increment value"),
    (instead("-k", "128-256", "-i", "100"),
     "Key size increment not consistent with key size range"),
    ((*RANGE, "-K", "64"), "Default key size not consistent with key size range"),
    ((*RANGE, "-K", "320"), "Default key size not consistent with key size range"),
    ((*RANGE, "-K", "130"), "Default key size not consistent with key size range"),
    ((*RANGE, "-K", "0"), "Invalid default key size value"),
    ((*ADD, "-K", "192"), "Default key size not in list of key sizes"),
    (instead("-P", "x"), "Invalid protocol number value"),
    (instead("-P", "0"), "Invalid protocol number value"),
    (instead("-P", "256"), "Invalid protocol number value"),
    (instead("-N", "0"), "Invalid algorithm number value"),
    (instead("-N", "12x"), "Invalid algorithm number value"),
    (instead("-N", "256"), "Invalid algorithm number value"),
    (instead("-N", "18446744073709551628"), "Invalid algorithm number value"),
    (instead("-k", "0"), "Invalid key size value"),
    (instead("-k", "128,"), "Invalid key size value"),
    (instead("-b", "0"), "Invalid block/MAC length value"),
    (instead("-b", "16,x"), "Invalid block/MAC length value"),
    ((*ADD, "-I", "x"), "Invalid IV length value"),
    ((*ADD, "-M", "0"), "Invalid ICV length value"),
    ((*ADD, "-S", "65536"), "Invalid salt length value"),
    ((*ADD, "-F", "VALID,SOME"), "Invalid flag: SOME"),
    ((*ADD, "-F", ""), "Invalid flag: "),
    ((*ADD, "-F", "0"), "Invalid flags value"),
    ((*ADD, "-F", "1x"), "Invalid flags value"),
    (instead("-n", "a|b"), "Invalid algorithm name(s) value"),
    (instead("-m", "a\nb"), "Invalid mechanism name value"),
    (("-e", "fast", "-P", "3"), 'Invalid execution mode "fast"'),
    (("-e", "Sync", "-P", "3"), 'Invalid execution mode "Sync"'),
    (("-P", "9", "-p", "x", "-e", "fast"), 'Invalid execution mode "fast"'),
    (("-e", "sync"), "Please specify protocol name or number."),
    (("-R",), "Please specify protocol to remove."),
    (("-r", "-P", "3"), "Missing algorithm ID."),
    (("-r", "-N", "3"), "Missing protocol number"),
    (("-r", "-P", "3", "-n", "aes,des"), "Specify a single algorithm name for removal, not a list."),
    (("-r", "-P", "3", "-N", "0"), "Invalid algorithm number value"),
]


@pytest.mark.parametrize("argv, message", REFUSED, ids=[" ".join(row[0]) for row in REFUSED])
def test_validation_needs_no_service(with_file, argv, message):
    done = with_file.run("ipsecalgs", *argv)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"ipsecalgs: {message}\n")


@pytest.mark.parametrize("argv", [ADD, ("-R", "-P", "3"), ("-l",), ("-s",), ("--status",)],
                         ids=" ".join)
def test_service_absent(world, argv):
    done = world.run("ipsecalgs", *argv)
    assert done.returncode == 1 and "ipsecalgs: ipsecalgs.service: " in done.stderr


def test_help_and_version(world):
    shown = world.run("ipsecalgs", "--help")
    assert shown.returncode == 0 and "usage: ipsecalgs" in shown.stdout and shown.stderr == ""
    assert world.run("ipsecalgs", "--version").stdout.startswith("ipsecalgs (netipsec) ")


def test_full_disk_is_a_failure(with_file):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([SBIN / "ipsecalgs"], env=with_file.env(), stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "standard output" in done.stderr
