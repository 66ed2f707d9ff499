# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads tests/rights.table: who may call what."""

from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).resolve().parents[1] / "rights.table"
CALLERS = ["root", "adm", "key", "user", "own", "other"]


class Row(NamedTuple):
    """One method."""
    service: str
    method: str
    may: dict  # caller: y, n or o, see the table
    action: str  # without "org.netipsec.", "": none
    signature: str
    arguments: str  # of a Python call


def rows():
    """The table in its order."""
    found = []
    for line in TABLE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        name, *may, action, signature, arguments = (line.split(None, 9) + [""])[:10]
        service, _, method = name.partition(".")
        assert set(may) <= set("yno") and len(may) == len(CALLERS), line
        found.append(Row(service, method, dict(zip(CALLERS, may)), action.strip("-"),
                         signature.strip("-"), arguments))
    return found
