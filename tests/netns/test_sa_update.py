# SPDX-License-Identifier: GPL-2.0-or-later
"""SAs are updated while they carry traffic: nothing is lost, and they go on as the ones they were."""

import pytest
from lablib import wire
from nettest.probe import SteadyProbe, loses_nothing
from nettest.sas import dump_sas

UPDATES = 100
ENDS = {0x1001: ("192.0.2.1", "192.0.2.2"), 0x1002: ("192.0.2.2", "192.0.2.1")}
UPDATE = "update esp spi {spi:#x} src {src} dst {dst} hard_addtime {sec} soft_addtime {soft}\n"


@pytest.fixture(name="alpha")
def alpha_fixture(pair):
    yield pair["alpha"]
    pair["alpha"].systemctl("reload", "ipsec-manual-key")


def update(host, first_sec):
    """Both ways, many times, each time to other limits."""
    text = "".join(UPDATE.format(spi=spi, src=src, dst=dst, sec=first_sec + number, soft=first_sec - 1000)
                   for number in range(UPDATES) for spi, (src, dst) in ENDS.items())
    done = host.run("ipseckey", "-n", stdin=text)
    assert done.returncode == 0, done.stderr


def test_update_under_traffic(pair, alpha):
    beta, rounds = pair["beta"], []
    before = dump_sas(alpha)

    def disturb():
        rounds.append(10000 * (len(rounds) + 1))
        update(alpha, rounds[-1])
    with wire.Capture(beta, "eth0") as capture:
        loses_nothing(lambda: SteadyProbe(alpha, beta, "192.0.2.2"), disturb)
    numbers = [frame.payload[:8] for frame in capture.of(wire.ESP) if frame.source == "192.0.2.1"]
    assert len(set(numbers)) == len(numbers) and not capture.clear()
    after = dump_sas(alpha)
    assert set(after) == set(before)
    for spi in ENDS:
        assert after[spi]["added_usec"] == before[spi]["added_usec"], "the same SA"
        assert after[spi]["packets"] > before[spi]["packets"]
        told = alpha.exec("ipseckey", "-n", "get", "esp", "spi", hex(spi), "dst", ENDS[spi][1])
        assert f"{rounds[-1] + UPDATES - 1} seconds" in told
