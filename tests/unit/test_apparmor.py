# SPDX-License-Identifier: GPL-2.0-or-later
"""AppArmor profiles: what the parser takes, and what each daemon needs, on the host and in instances."""

import re

import pytest
from service import STAGE
from test_units import EXPORTER, SERVICES, run, settings

PROFILES = STAGE / "etc/apparmor.d"
UNITS = [*SERVICES, EXPORTER[1]]
# Letters of what a daemon does to files; "ns" is an instance's name, "" the host's.
NEEDS = {
    "ipsec-datapathd": {"/dev/net/tun": "rw", "{run}/pfkey": "rw", "{run}/arena": "rw", "{state}/datapath/seq": "rw",
                        "{state}/withdrawn/policy": "rw", "{etc}/datapath.cfg": "r"},
    "ipsec-exporter": {},
    "ipsec-iked": {"{inet}/ike/config": "r", "{etc}/ike.cfg": "r", "{run}/ike-natt": "rw"},
    "ipsec-lid": {"{etc}/datapath.cfg": "r", "/var/lib/netipsec/datapath/policy": "rw",
                  "/etc/inet/ipsecinit.conf": "r"},
    "ipsec-manual-keyd": {"{inet}/secret/ipseckeys": "r", "{run}/keys": "rw", "{etc}/manual-key.cfg": "r",
                          "{state}/withdrawn/keys.abcdef": "rw", "{inet}/ipsecalgs": "r"},
    "ipsec-policyd": {"{inet}/ipsecinit.conf": "r", "{inet}/ipsecalgs": "r", "{etc}/policy.cfg": "r",
                      "{state}/policy/fragments/web": "rw", "{state}/withdrawn/policy.abcdef": "rw"},
    "ipsecalgsd": {"{inet}/ipsecalgs": "rw", "{inet}/ipsecalgs.abcdef": "rw", "{etc}/ipsecalgs.cfg": "r"},
}
PLACES = {
    "": {"inet": "/etc/inet", "etc": "/etc/netipsec", "run": "/run/netipsec", "state": "/var/lib/netipsec"},
    "ns": {"inet": "/etc/netipsec/ns/red", "etc": "/etc/netipsec/ns/red", "run": "/run/netipsec@red",
           "state": "/var/lib/netipsec/ns/red"},
}
SHARED = ["/etc/machine-id"]  # as ./run soak oldkernel shows
KEYS = ["/etc/inet/secret/ipseckeys", "/etc/netipsec/ns/red/secret/ipseckeys"]
RULE = re.compile(r"^  (deny )?(?:owner )?([/@]\S*) ([a-z]+),$", re.M)


def program(unit):
    return settings(unit)["Service.ExecStart"][0].split()[0]


def pattern(glob):
    """A regular expression for AppArmor's globs."""
    words = {"**": ".*", "*": "[^/]*", "{": "(?:", "}": ")", ",": "|", "@{run}": "(?:/run|/var/run)",
             "@{PROC}": "/proc"}
    parts = re.split(r"(@\{\w+\}|\*\*|[*{},])", glob)
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts))


def granted(name, path):
    """What a profile lets its daemon do to a file, beside the parts that all programs share."""
    allowed, denied = set(), set()
    for file in (PROFILES / f"usr.sbin.{name}", PROFILES / "abstractions/netipsec"):
        for deny, glob, letters in RULE.findall(file.read_text()):
            if pattern(glob).fullmatch(path):
                (denied if deny else allowed).update(letters)
    return allowed - denied


@pytest.mark.parametrize("unit", UNITS)
def test_the_parser_takes_it(unit, tmp_path):
    """Each program has one, which complains only, and grants the capabilities that the unit does."""
    profile = PROFILES / program(unit).lstrip("/").replace("/", ".")
    parser = ["/usr/sbin/apparmor_parser", "--skip-kernel-load", "--skip-cache", "--base=/etc/apparmor.d",
              f"--Include={PROFILES}"]
    done = run(*parser, str(profile))
    assert done.returncode == 0, done.stderr
    assert run(*parser, "--names", str(profile)).stdout.split() == [program(unit).rpartition("/")[2]]
    text = profile.read_text()
    assert f" {program(unit)} flags=(complain) {{" in text
    capabilities = {"CAP_" + word.upper() for word in re.findall(r"^  capability (\w+),$", text, re.M)}
    assert capabilities == set(settings(unit)["Service.CapabilityBoundingSet"][0].split())
    broken = tmp_path / "broken"
    broken.write_text(text.replace("include <abstractions/netipsec>", "includes what"))
    assert run(*parser, str(broken)).returncode != 0


def test_each_daemon_has_one():
    daemons = {program(unit).rpartition("/")[2] for unit in UNITS}
    assert {path.name.removeprefix("usr.sbin.") for path in PROFILES.glob("usr.sbin.*")} == daemons == set(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_what_it_needs_is_granted(name):
    for path in SHARED:
        assert "r" in granted(name, path)
    for place, words in PLACES.items():
        for path, letters in NEEDS[name].items():
            path = path.format(**words)
            if place and name == "ipsec-lid":
                continue  # no namespace is there when it runs
            assert set(letters) <= granted(name, path), (path, place)


@pytest.mark.parametrize("name", NEEDS)
def test_keys_and_others_files_are_closed(name):
    for path in KEYS:
        assert granted(name, path) == (set("r") if name == "ipsec-manual-keyd" else set())
    for path in ("/etc/inet/ipsecinit.conf", "/etc/netipsec/policy.cfg", "/etc/netipsec/ns/red/policy.cfg"):
        assert "w" not in granted(name, path)
    if name != "ipsecalgsd":
        assert "w" not in granted(name, "/etc/inet/ipsecalgs")
