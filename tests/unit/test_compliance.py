# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/rfc-compliance.md: every file it names is there, every test it names is there and runs."""

import re
from functools import cache

import pytest
from service import REPO

PAGE = REPO / "docs/rfc-compliance.md"
DATAPATH = REPO / "services/datapath"
TESTS = REPO / "tests"
HEAD = "clause", "level", "what", "file", "accepts", "rejects"
LEVEL = re.compile(r"(MUST|SHOULD)( NOT)?|MAY")
SPAN = re.compile(r"`([^`]+)`")
EMPTY = re.compile(r"\b(gap|n/a): \w")  # with a word why


def rows():
    """(line, cells) of all tables, without their heads."""
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if line.startswith("|") and cells != HEAD and set(line) - set("|- "):
            yield number, cells


ROWS = list(rows())


@cache
def source(path):
    return path.read_text()


def is_file(name):
    return (DATAPATH / name).is_file() or (REPO / name).is_file()


def is_test(name):
    """suite:test of a Check suite that builds and runs, file.py:function, or a file."""
    where, _, what = name.partition(":")
    if not what:
        return (TESTS / where).is_file()
    if where.endswith(".py"):
        path = TESTS / where
        return path.is_file() and bool(re.search(rf"^def {what}\(", source(path), re.M))
    path = TESTS / "unit" / f"{where}.c"
    listed = source(TESTS / "unit/meson.build")
    return (path.is_file() and f"'{where.removeprefix('test_')}'" in listed
            and f"START_TEST({what})" in source(path)
            and bool(re.search(rf"tcase_add\w*test\(\s*\w+, {what}\b", source(path))))


def test_the_page_has_its_tables():
    heads = [line for line in PAGE.read_text().splitlines() if line.startswith("| clause")]
    assert len(heads) == 8 and len(ROWS) > 130


@pytest.mark.parametrize("number,cells", ROWS, ids=lambda value: str(value)[:40])
def test_row(number, cells):
    assert len(cells) == len(HEAD), f"line {number}"
    _, level, _, file, accepts, rejects = cells
    assert LEVEL.fullmatch(level), f"line {number}: {level}"
    for cell in (file, accepts, rejects):
        assert SPAN.search(cell) or EMPTY.match(cell), f"line {number}: {cell!r} names nothing"
    if not file.startswith("gap"):
        assert [name for name in SPAN.findall(file) if not is_file(name)] == [], f"line {number}"
    named = [name for cell in (accepts, rejects) for part in re.split(r"\b(?:gap|n/a): ", cell)[:1]
             for name in SPAN.findall(part)]
    assert [name for name in named if not is_test(name)] == [], f"line {number}"


def test_what_is_not_there_is_seen():
    """The checks themselves, on names that nothing has."""
    assert is_file("esp/esp_open.c") and not is_file("esp/esp_opens.c")
    assert is_test("test_esp:ivs") and not is_test("test_esp:iv")
    assert is_test("netns/test_esn.py:test_over_the_edge")
    assert not is_test("netns/test_esn.py:test_over_the")
    assert is_test("vectors/replay.json") and not is_test("vectors/replays.json")
