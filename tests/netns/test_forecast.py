# SPDX-License-Identifier: GPL-2.0-or-later
"""An SA comes to its end: the journal warns, once for each threshold, and ipsecstat says when."""

import json
import time
from pathlib import Path

import pytest
from nettest.sas import dump_sas

KEYS = "/etc/inet/secret/ipseckeys"
UNIT = "ipsec-manual-key"
LIMIT = 20000  # bytes: some 150 pings
DEADLINE_SEC = 60


@pytest.fixture(name="alpha")
def alpha_fixture(pair):
    host = pair["alpha"]
    before = host.path(KEYS).read_text()
    yield host
    host.write(KEYS, before)
    host.systemctl("reload", UNIT)
    assert set(dump_sas(host)) == {0x1001, 0x1002, 0x1003, 0x1004}


def warnings(host):
    log = Path(host.lab.where.host_path(host.name), "log", "ipsec-datapath.log").read_text(errors="replace")
    return [line for line in log.splitlines() if "of its bytes are used" in line]


def outlook(host):
    found = json.loads(host.exec("ipsecstat", "--forecast", "--json"))
    assert found["version"] == 1
    return {(int(row["spi"], 0), row["limit"]): row for row in found["forecast"]}


def test_bytes_run_out(alpha):
    alpha.write(KEYS, alpha.path(KEYS).read_text().replace("spi 0x1001 ", f"spi 0x1001 hard_bytes {LIMIT} "))
    alpha.systemctl("reload", UNIT)
    used = dump_sas(alpha)[0x1001]["bytes"]
    assert used < LIMIT / 2 and (0x1001, "bytes") in outlook(alpha)
    for n, percent in enumerate((50, 80, 95), 1):
        until = time.monotonic() + DEADLINE_SEC
        while len(warnings(alpha)) < n:
            row = outlook(alpha)[0x1001, "bytes"]
            assert row["of"] == LIMIT and row["percent"] == pytest.approx(100 * row["used"] / LIMIT)
            if row["percent"] < percent:
                alpha.exec("ping", "-q", "-c5", "-i0.01", "-W5", "192.0.2.2")
            assert time.monotonic() < until, (row, warnings(alpha))
    assert outlook(alpha)[0x1001, "bytes"]["left_sec"] < 3600
    for line, percent in zip(warnings(alpha), (50, 80, 95)):
        assert "esp spi 0x1001 192.0.2.1 > 192.0.2.2 transport: " in line
        assert f": {percent} % of its bytes are used; at the present rate it ends at 20" in line
    table = alpha.exec("ipsecstat", "--forecast").splitlines()
    assert table[0].split() == ["SA", "ENDS", "LIMIT", "USED", "OF", "PERCENT", "PER", "SECOND", "RUNS", "OUT"]
    assert any("0x00001001" in line and " bytes " in line for line in table)
    alpha.systemctl("restart", "ipsec-datapath")
    alpha.exec("ipsecstat", "--forecast")
    assert len(warnings(alpha)) == 3, "what was told is not told again"


def test_sequence_numbers_have_an_end_too(alpha):
    rows = outlook(alpha)
    numbers = [row for (_, limit), row in rows.items() if limit == "sequence"]
    assert numbers and all(row["direction"] == "out" and row["of"] == 2**32 - 1 for row in numbers)
    assert len(alpha.exec("ipsecstat", "--forecast", "-a").splitlines()) == 1 + len(rows)
