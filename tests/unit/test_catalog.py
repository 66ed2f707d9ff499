# SPDX-License-Identifier: GPL-2.0-or-later
"""Events of the journal: each has a MESSAGE_ID, each ID an entry in the catalog, and the reverse."""

import re
import subprocess

import pytest
from service import REPO

CATALOG = REPO / "units/netipsec.catalog"
DEFINED = dict(re.findall(r'#define (LOG_ID_\w+)[\s\\]+"([0-9a-f]{32})"',
                          (REPO / "common/daemon/log-ids.h").read_text()))
SOURCES = "".join(path.read_text() for room in ("common", "services")
                  for path in sorted((REPO / room).rglob("*.c")))


def entries():
    """{id: (head lines, body)} of the catalog."""
    parts = re.split(r"^-- ([0-9a-f]{32})\n", CATALOG.read_text(), flags=re.M)
    found = {}
    for number, text in zip(parts[1::2], parts[2::2]):
        assert number not in found, "two entries of one id"
        head, _, body = text.partition("\n\n")
        found[number] = (dict(line.split(": ", 1) for line in head.splitlines()), body)
    return found


def test_each_id_has_an_entry_and_the_reverse():
    assert set(DEFINED.values()) == set(entries())
    assert len(set(DEFINED.values())) == len(DEFINED)


def test_each_id_is_emitted():
    emitted = set(re.findall(r"\bLOG_ID_\w+", SOURCES))
    assert emitted == set(DEFINED)


def test_no_event_has_an_id_of_its_own_making():
    assert not re.findall(r'"[0-9a-f]{32}"', SOURCES)


@pytest.mark.parametrize("name", DEFINED)
def test_an_entry_can_be_acted_on(name):
    head, body = entries()[DEFINED[name]]
    assert set(head) == {"Subject", "Defined-By", "Documentation"}
    assert head["Defined-By"] == "netipsec" and len(body.strip()) > 40
    for page, section in re.findall(r"man:([\w.-]+)\((\d)\)", head["Documentation"]):
        assert (REPO / f"man/{page}.{section}").exists()


def test_fields_of_the_entries_are_sent():
    for field in re.findall(r"@(\w+)@", CATALOG.read_text()):
        assert f'"{field}=' in SOURCES, field


def test_journalctl_takes_the_catalog(tmp_path):
    place = tmp_path / "usr/lib/systemd/catalog"
    place.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    (place / CATALOG.name).write_text(CATALOG.read_text())
    done = subprocess.run(["journalctl", f"--root={tmp_path}", "--update-catalog"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(["journalctl", f"--root={tmp_path}", "--list-catalog"], capture_output=True,
                           text=True, check=True).stdout
    for number in DEFINED.values():
        assert number in shown
