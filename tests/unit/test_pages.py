# SPDX-License-Identifier: GPL-2.0-or-later
"""What pages and samples say about files is held against the sources that read them."""

import re

import pytest
from service import REPO

REPORTS = re.compile(r"\b(?:conf_error|conf_warning|conf_note|entry_error|entry_whole_error|"
                     r"keys_error|corrupt|warn)\(")
CODE = re.compile(r'"([a-z]+(?:-[a-z0-9]+)+|quote|continuation)"')
PRINTED = re.compile(r"\[([a-z]+(?:-[a-z0-9]+)+)\]\\n")


def sources(*folders):
    for folder in folders:
        yield from sorted((REPO / folder).rglob("*.c"))


def codes_in_sources():
    codes = set()
    for path in sources("common", "lib", "services"):
        text = path.read_text()
        codes.update(PRINTED.findall(text))
        for statement in re.split(r";", re.sub(r"/\*.*?\*/", "", text, flags=re.S)):
            if REPORTS.search(statement):
                codes.update(CODE.findall(statement))
    return codes


def codes_in_page():
    page = (REPO / "man/netipsec-diagnostics.7").read_text()
    return re.findall(r"^\.It Cm (\S+)$", page, re.M)


def test_every_code_has_its_line():
    listed = codes_in_page()
    assert len(listed) == len(set(listed))
    found = codes_in_sources() - {"no-memory"}
    assert found - set(listed) == set(), "not in netipsec-diagnostics(7)"
    assert set(listed) - found == set(), "in netipsec-diagnostics(7) only"


def table_words(path, table):
    text = (REPO / path).read_text()
    body = re.search(rf"{table}\[.*?\] = \{{(.*?)^\}};", text, re.S | re.M).group(1)
    return re.findall(r'\{\s*"([a-z0-9_-]+)",', body)


TABLES = [
    ("services/policy/policy_pattern.c", "selector_words", 23),
    ("services/policy/policy_action.c", "action_words", 6),
    ("services/policy/policy_action.c", "property_words", 5),
    ("services/policy/policy_icmp.c", "icmp_types", 24),
    ("services/policy/policy_icmp.c", "icmp_codes", 25),
]


@pytest.mark.parametrize("path,table,count", TABLES, ids=[row[1] for row in TABLES])
def test_every_keyword_is_described(path, table, count):
    words = table_words(path, table)
    assert len(words) == count
    described = set(re.findall(r"[a-z0-9_-]+", "\n".join(
        line for line in (REPO / "man/ipsecinit.conf.5").read_text().splitlines()
        if line.startswith((".It Ic", ".Cm")))))
    assert [word for word in words if word not in described] == []


def test_every_long_option_is_described():
    text = (REPO / "services/policy/ipsecconf_options.c").read_text()
    options = re.findall(r'\{ \{ "([a-z-]+)",.*?(NULL\s*\}|" \}),$', text, re.M)
    page = (REPO / "man/ipsecconf.8").read_text()
    named = [name for name, rest in options if "NULL" not in rest]
    assert len(named) > 10
    assert [name for name in named if f"Fl -{name}" not in page] == []


def test_the_policy_sample_loads(world):
    done = world.run("ipsecconf", "-c", str(REPO / "etc/inet/ipsecinit.sample"))
    assert done.returncode == 0
    assert " error: " not in done.stderr and "IPsec configuration does not contain" in done.stdout


def test_the_policy_settings_sample_loads_and_names_every_setting(world):
    sample = REPO / "etc/netipsec/policy.cfg"
    done = world.run("ipsec-policyd", "--config", str(sample), "--check")
    assert (done.returncode, done.stderr) == (0, "")
    settings = re.findall(r'\.name = "([a-z_]+)"', (REPO / "services/policy/policyd.c").read_text())
    named = re.findall(r"^([a-z_]+) = ", sample.read_text(), re.MULTILINE)
    assert settings and settings == named
    assert [name for name in settings if f"\n{name} = " not in sample.read_text()] == []
