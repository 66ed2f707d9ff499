# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages, samples and completions, held against the programs that they tell of."""

import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from service import REPO, SBIN

PAGES = sorted((REPO / "man").glob("*.[1-9]"))
DAEMONS = {  # service: daemon, settings
    "Algorithms1": ("ipsecalgsd", "ipsecalgs.cfg"),
    "Datapath1": ("ipsec-datapathd", "datapath.cfg"),
    "Ike1": ("ipsec-iked", "ike.cfg"),
    "ManualKey1": ("ipsec-manual-keyd", "manual-key.cfg"),
    "Policy1": ("ipsec-policyd", "policy.cfg"),
}
COMMANDS = ("ipsecalgs", "ipsecconf", "ipseckey", "ipsecstat", "ipsecsvc")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[a-zA-Z](?![a-z-]))")
SOURCES = [path for room in ("lib", "common", "services") for path in (REPO / room).rglob("*.c")]


def options_of_help(program):
    """Options as --help names them; letters that stand together in one bracket are told apart."""
    text = subprocess.run([SBIN / program, "--help"], capture_output=True, text=True,
                          check=True).stdout
    for letters in re.findall(r"\[-([a-zA-Z]{2,})\]", text):
        text += "".join(f" -{letter}" for letter in letters)
    return set(OPTION.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_refer_to_pages(page):
    """Of ours; systemctl(1) and its like are the system's."""
    ours = {path.name for path in PAGES}
    for name, section in re.findall(r"\bXr (\S+) (\d)", page.read_text()):
        if name.startswith(("ipsec", "netipsec")):
            assert f"{name}.{section}" in ours


@pytest.mark.parametrize("service", DAEMONS)
def test_page_of_a_daemon_names_its_bus_members(service):
    page = (REPO / f"man/{DAEMONS[service][0]}.8").read_text()
    tree = ElementTree.parse(REPO / f"dbus/org.netipsec.{service}.xml")
    names = [member.get("name") for node in tree.iter("interface") for member in node]
    assert [name for name in names if not re.search(rf"\b{name}\b", page)] == []


@pytest.mark.parametrize("service", DAEMONS)
def test_sample_settings_are_taken_and_told(world, service):
    daemon, settings = DAEMONS[service]
    sample = REPO / "etc/netipsec" / settings
    done = world.run(daemon, "--check", "--config", str(sample))
    assert settings not in done.stderr
    page = (REPO / f"man/{daemon}.8").read_text()
    names = re.findall(r"^#?(\w+)\s*=", sample.read_text(), re.MULTILINE)
    assert names and [name for name in names if not re.search(rf"\b{name}\b", page)] == []


def test_codes_of_the_algorithm_file():
    said = {code for path in SOURCES
            for code in re.findall(r'"(algs-[a-z]+)"', path.read_text())}
    told = set(re.findall(r"^\.It Bq (algs-[a-z]+)$", (REPO / "man/ipsecalgs.5").read_text(),
                          re.MULTILINE))
    assert said == told


def options_of_page(page):
    """What follows Fl on macro lines, up to the next macro."""
    found, flag = set(), False
    for line in page.read_text().splitlines():
        for word in line[1:].split() if line.startswith(".") else []:
            if re.fullmatch(r"[A-Z][a-z]+", word) and word not in "lLfF":
                flag = word == "Fl"
            elif flag and re.fullmatch(r"-?[a-zA-Z][\w-]*", word):
                found.add(f"-{word}")
        flag = False
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_page_of_a_command_names_its_options(command):
    assert sorted(options_of_help(command) - options_of_page(REPO / f"man/{command}.8")) == []


@pytest.mark.parametrize("command", COMMANDS + tuple(daemon for daemon, _ in DAEMONS.values()))
def test_completion_offers_the_options(command):
    script = (f'source "{REPO}/etc/completions/netipsec"; COMP_WORDS=({command} -); COMP_CWORD=1; '
              f'set -- $(complete -p {command}); while [ "$1" != -F ]; do shift; done; "$2"; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == options_of_help(command)


def packages_of(sets):
    """What tools/packages.txt has in these sets."""
    found, inside = set(), False
    for line in (REPO / "tools/packages.txt").read_text().splitlines():
        if line.startswith("["):
            inside = line[1:line.index("]")] in sets
        elif inside and line and not line.startswith("#"):
            found.add(line.split()[0])
    return found


def packages_asked_for(field):
    """The first alternatives in all fields of this name in debian/control."""
    text = (REPO / "debian/control").read_text()
    listed = re.findall(rf"^{field}:((?:\n? .*)+)", text, re.M)
    assert listed
    words = [re.split(r"[\s(\[|]", word.strip())[0] for one in listed for word in one.split(",")]
    return {word for word in words if word and not word.startswith(("${", "libnetipsec", "netipsec"))}


def test_a_newcomer_gets_what_the_packages_ask_for():
    """README builds and installs on a Debian that has nothing: no bus either."""
    ours = {"debhelper-compat", "dh-sequence-installsysusers"}
    wanted = {field: packages_asked_for(field) for field in ("Build-Depends", "Depends", "Recommends")}
    assert "libdbus-1-dev" in wanted["Build-Depends"] and "dbus" in wanted["Depends"]
    assert set().union(*wanted.values()) - ours - packages_of(["demo"]) == set()
