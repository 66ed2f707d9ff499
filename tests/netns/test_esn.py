# SPDX-License-Identifier: GPL-2.0-or-later
"""64-bit sequence numbers from the key file to the wire: over 2^32, both ways, no packet lost."""

import pytest
from lablib import wire

COUNT = 40
BEFORE = 2 ** 32 - 10  # the last number of an earlier life
HOSTS = {"alpha": "192.0.2.1", "beta": "192.0.2.2"}

LAB = """
host alpha
	address  eth0 192.0.2.1/24
	files    alpha
	services all
host beta
	address  eth0 192.0.2.2/24
	files    beta
	services all
link alpha:eth0 beta:eth0
"""

SUITES = {
    "cbc": ("encr_algs aes encr_auth_algs sha256",
            f"encr_alg aes-cbc encrkey {'6a' * 16} auth_alg hmac-sha256 authkey {{key}}", 32),
    "gcm": ("encr_algs aes-gcm16", "encr_alg aes-gcm16 encrkey {key}", 20),
}


def keys(suite, peer_esn):
    lines = []
    for number, (src, dst) in enumerate([("alpha", "beta"), ("beta", "alpha")], start=1):
        key = (bytes([number]) * SUITES[suite][2]).hex()
        flags = f"flags esn replay_value {BEFORE}" if peer_esn else ""
        lines.append(f"add esp spi {0x6000 + number:#x} src {HOSTS[src]} dst {HOSTS[dst]} "
                     f"{SUITES[suite][1].format(key=key)} replay 8192 {flags}\n")
    return "".join(lines)


def make(labs, base, suite, esn_of_beta=True):
    for name, peer in (("alpha", "beta"), ("beta", "alpha")):
        (base / name).mkdir()
        (base / name / "ipsecinit.conf").write_text(
            f"{{laddr {HOSTS[name]} raddr {HOSTS[peer]}}} ipsec {{{SUITES[suite][0]} sa shared}}\n")
        (base / name / "ipseckeys").write_text(keys(suite, name == "alpha" or esn_of_beta))
    (base / "esn.lab").write_text(LAB)
    return labs(base / "esn.lab")


@pytest.mark.parametrize("suite", list(SUITES))
def test_over_the_edge(labs, tmp_path, suite):
    lab = make(labs, tmp_path, suite)
    with wire.Capture(lab["beta"], "eth0") as capture:
        out = lab["alpha"].exec("ping", f"-c{COUNT}", "-i0.01", "-W5", HOSTS["beta"])
        capture.wait(2 * COUNT, lambda frame: frame.protocol == wire.ESP)
    assert f"{COUNT} received" in out
    for spi in (0x6001, 0x6002):
        numbers = [int.from_bytes(frame.payload[4:8], "big") for frame in capture.of(wire.ESP)
                   if int.from_bytes(frame.payload[:4], "big") == spi]
        assert numbers == [(BEFORE + 1 + place) % 2 ** 32 for place in range(len(numbers))]
        assert 0 in numbers, "the low half of 2^32 is a number like any other"


def test_both_ends_must_agree(labs, tmp_path):
    """The high half is authenticated: an end that does not know of it refuses everything."""
    lab = make(labs, tmp_path, "cbc", esn_of_beta=False)
    assert lab["alpha"].run("ping", "-c2", "-i0.1", "-W1", HOSTS["beta"]).returncode != 0
