# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsecconf -c and --mirror as programs use them: several files, standard input, JSON, SARIF."""

import json
import subprocess

import pytest
from service import REPO, SBIN

GOOD = "{raddr 192.0.2.1 ulp tcp} ipsec {encr_algs aes-gcm16}\n"
WARNS = "{lport 53} bypass {}\n"
BAD = "# \u00e4\u00f6 \n{lport 1} drop {} #\u00e9\n\t{ulp tpc dir in} drop {}\n"


@pytest.fixture(name="files")
def fixture_files(tmp_path):
    for name, text in (("good", GOOD), ("warns", WARNS), ("bad name", BAD)):
        (tmp_path / name).write_text(text)
    return tmp_path


def conf(files, *argv, given=None):
    env = {"NETIPSEC_ROOT": str(REPO), "LC_ALL": "C"}
    return subprocess.run([SBIN / "ipsecconf", *argv], cwd=files, env=env, input=given,
                          capture_output=True, text=True, timeout=30, check=False)


def test_several_files_are_checked_each_by_itself(files):
    done = conf(files, "-c", "good", "good", "warns")
    assert done.returncode == 0
    assert done.stdout == ("IPsec configuration does not contain any errors.\n"
                           "IPsec policy was not modified.\n")
    assert [line for line in done.stderr.splitlines() if "[" in line and "warning" in line] == [
        "warns:1:12: warning: dir string not found for bypass policy; the rule holds for both "
        "directions [direction-assumed]"]
    done = conf(files, "-c", "good", "bad name", "warns")
    assert done.returncode == 1
    assert "bad name:3:7: error: " in done.stderr and "warns:1:12: warning: " in done.stderr
    assert done.stderr.endswith("1 policy rule(s) contained errors.\nFatal error - exiting.\n")
    done = conf(files, "-c", "good", "absent")
    assert done.returncode == 1
    assert done.stderr == ("absent: error: No such file or directory [policy-file]\n"
                           "Fatal error - exiting.\n")


def test_standard_input(files):
    assert conf(files, "-c", "-", given=GOOD).returncode == 0
    done = conf(files, "-c", "-", given=BAD)
    assert done.returncode == 1 and done.stderr.splitlines()[0].startswith("stdin:2:11: warning")


def test_strict_makes_errors_of_warnings(files):
    assert conf(files, "-c", "warns").returncode == 0
    done = conf(files, "-c", "warns", "--strict")
    assert done.returncode == 1
    assert "warns:1:12: error: dir string not found" in done.stderr
    assert conf(files, "-c", "good", "--strict").returncode == 0


def test_json_of_several_files(files):
    done = conf(files, "-c", "warns", "bad name", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    said = json.loads(done.stdout)
    assert [(row["file"], row["line"], row["severity"], row["code"])
            for row in said["diagnostics"]] == [
        ("warns", 1, "warning", "direction-assumed"),
        ("bad name", 2, "warning", "direction-assumed"),
        ("bad name", 3, "error", "protocol-value")]


def test_a_file_that_is_absent_is_data_too(files):
    done = conf(files, "-c", "good", "absent", "warns", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    said = json.loads(done.stdout)["diagnostics"]
    assert [(d["file"], d["severity"], d["code"]) for d in said] == [
        ("absent", "error", "policy-file"), ("warns", "warning", "direction-assumed")]
    done = conf(files, "-c", "absent", "--format=sarif")
    result = json.loads(done.stdout)["runs"][0]["results"][0]
    assert done.returncode == 1 and result["ruleId"] == "policy-file"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "absent"


def test_sarif(files):
    """The parts of SARIF 2.1.0 that are required, and places as it counts them."""
    done = conf(files, "-c", "warns", "bad name", "good", "--format=sarif")
    assert (done.returncode, done.stderr) == (1, "")
    log = json.loads(done.stdout)
    assert log["version"] == "2.1.0" and len(log["runs"]) == 1
    run = log["runs"][0]
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["tool"]["driver"]["name"] == "ipsecconf"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [
        "direction-assumed", "protocol-value"]
    results = run["results"]
    assert [row["level"] for row in results] == ["warning", "warning", "error"]
    assert all(row["message"]["text"] for row in results)
    place = results[2]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "bad%20name"
    assert place["region"] == {"startLine": 3, "startColumn": 7, "endColumn": 10}
    absolute = conf(files, "-c", str(files / "warns"), "--format", "sarif")
    uri = json.loads(absolute.stdout)["runs"][0]["results"][0]["locations"][0]
    assert uri["physicalLocation"]["artifactLocation"]["uri"] == f"file://{files}/warns"
    nothing = json.loads(conf(files, "-c", "good", "--format=sarif").stdout)
    assert nothing["runs"][0]["results"] == []


@pytest.mark.parametrize("argv", [
    ("-c", "--strict", "warns"), ("-c", "warns", "--strict"), ("--strict", "-c", "warns"),
    ("-c", "--strict", "--", "warns"), ("-f", "-c", "--strict", "warns"), ("-cwarns", "--strict")])
def test_options_stand_before_the_file_and_behind(files, argv):
    done = conf(files, *argv)
    assert done.returncode == 1
    assert "warns:1:12: error: dir string not found" in done.stderr


def test_a_file_whose_name_begins_with_dashes(files):
    (files / "--strict").write_text(WARNS)
    assert conf(files, "-c", "./--strict").returncode == 0
    assert conf(files, "-c", "--", "--strict").returncode == 0
    assert conf(files, "-c--strict").returncode == 0


@pytest.mark.parametrize("argv", [
    ("-c", "--json"), ("-a", "--fragment", "x"), ("-c", "--"),
    ("-a", "good", "warns"), ("-l", "good"), ("--format=xml", "-c", "good"),
    ("--strict", "-a", "good"), ("--format=text", "-l"), ("--mirror", "good", "warns"),
    ("--mirror", "-c", "good"), ("--extensions", "-l"), ("--mirror", "--strict", "good")])
def test_what_does_not_go_together(files, argv):
    done = conf(files, *argv)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: ") and done.stdout == ""


ANY = ("{laddr 2001:db8:1111:2222::1 raddr 2001:db8:2222:3333::2 ulp tcp rport 443}\n"
       "\tipsec {encr_algs any encr_auth_algs sha256 sa unique} or\n"
       "\tipsec {auth_algs sha512} or ipsec {auth_algs sha384}\n"
       "{raddr 192.0.2.2} ipsec {encr_auth_algs any} or pass {}\n"
       "{lport 5 dir in} drop {}\n")


def test_what_is_printed_reads_back(files):
    first = conf(files, "-c", "-", "--print", given=ANY)
    rules = first.stdout.split("IPsec configuration")[0]
    assert first.returncode == 0 and rules.count("encr_algs aes-cbc(") == 1
    assert rules.count(" or\n\t") == 1 and max(map(len, rules.splitlines())) <= 1022
    again = conf(files, "-c", "-", "--print", given=rules)
    assert (again.returncode, again.stdout) == (0, first.stdout)


MIRRORED = [
    ("{laddr 10.1.0.0/16 lport 22 remote 10.2.0.1 dir in} drop {}",
     "{raddr 10.1.0.0/16 rport 22 local 10.2.0.1 dir out} drop {}"),
    ("{raddr 192.0.2.1 ulp tcp} ipsec {encr_algs aes-gcm16} or pass {}",
     "{laddr 192.0.2.1 ulp tcp} ipsec {encr_algs aes-gcm16} or pass {}"),
    ("{daddr 192.0.2.1 dport 80} apply {auth_algs sha256}",
     "{daddr 192.0.2.1 dport 80} permit {auth_algs sha256}"),
    ("{saddr 192.0.2.1} drop {dir in} # in out {dir in}",
     "{saddr 192.0.2.1} drop {dir out} # in out {dir in}"),
    ("#expect in tcp 192.0.2.1:5 10.0.0.1:80 drop \"{lport 80 dir in} drop {}\"\n"
     "{lport 80 dir in} drop {}",
     "#expect out tcp 192.0.2.1:5 10.0.0.1:80 drop \"{rport 80 dir out} drop {}\"\n"
     "{rport 80 dir out} drop {}"),
]


@pytest.mark.parametrize("source,want", MIRRORED)
def test_mirror(files, source, want):
    done = conf(files, "--mirror", "-", given=source)
    assert (done.returncode, done.stdout) == (0, want)
    assert conf(files, "--mirror", "-", given=want).stdout == source
    assert conf(files, "-c", "-", given=want).returncode == 0


def test_a_file_with_errors_is_not_mirrored(files):
    done = conf(files, "--mirror", "bad name")
    assert (done.returncode, done.stdout) == (1, "")
    assert "bad name:3:7: error: " in done.stderr
