# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reload, a restart and a death of each daemon cost: nothing that policy protects."""

import itertools

import pytest
from lablib import units, wire
from nettest.probe import SteadyProbe, loses_nothing
from nettest.sas import dump_sas

SERVICES = list(units.UNITS)
OTHERS = [unit for unit in SERVICES if unit != "ipsec-datapath"]
ADDRESSES = ["192.0.2.2", "2001:db8::2"]
POLICY = "/etc/inet/ipsecinit.conf"
KEYS = "/etc/inet/secret/ipseckeys"

addresses = pytest.mark.parametrize("address", ADDRESSES, ids=["ipv4", "ipv6"])


def probe(pair, address):
    return lambda: SteadyProbe(pair["alpha"], pair["beta"], address)


def answers(host, address):
    """Ping until the first answer; the peer's address must come into reach within ten seconds."""
    return host.run("ping", "-c1", "-i0.05", "-w10", address).returncode == 0


def sequence_numbers(capture, source):
    """{SPI: [numbers]} that this address sent."""
    found = {}
    for frame in capture.of(wire.ESP):
        if frame.source == source:
            spi, number = (int.from_bytes(frame.payload[n:n + 4], "big") for n in (0, 4))
            found.setdefault(spi, []).append(number)
    return found


@addresses
@pytest.mark.parametrize("unit", ["ipsec-policy", "ipsec-manual-key", "ipsecalgs", "ipsec-ike"])
def test_reload_of_an_unchanged_file_loses_nothing(pair, unit, address):
    loses_nothing(probe(pair, address), lambda: pair["alpha"].systemctl("reload", unit))


@addresses
def test_reload_of_a_changed_policy_loses_nothing(pair, address):
    alpha = pair["alpha"]
    before = alpha.path(POLICY).read_text()
    rules = "".join(f"{{raddr 203.0.113.{n} ulp tcp}} drop {{}}\n" for n in range(1, 100))

    def change():
        for text in (before + rules, before):
            alpha.write(POLICY, text)
            alpha.systemctl("reload", "ipsec-policy")
    loses_nothing(probe(pair, address), change)


@addresses
def test_reload_of_changed_keys_loses_nothing(pair, address):
    alpha = pair["alpha"]
    before = alpha.path(KEYS).read_text()
    extra = "add esp spi 0x9999 src 192.0.2.1 dst 203.0.113.9 encr_alg aes-gcm16 encrkey " + "5a" * 20 + "\n"

    def change():
        for text in (before + extra, before):
            alpha.write(KEYS, text)
            alpha.systemctl("reload", "ipsec-manual-key")
    loses_nothing(probe(pair, address), change)


@pytest.mark.parametrize("unit", OTHERS + ["dbus"])
def test_death_of_a_daemon_beside_the_datapath_loses_nothing(pair, unit):
    alpha = pair["alpha"]
    others = {name: alpha.facts(name)["pid"] for name in SERVICES if name != unit}

    def die():
        alpha.kill(unit)
        alpha.wait_active(unit)
    loses_nothing(probe(pair, "192.0.2.2"), die)
    assert {name: alpha.facts(name)["pid"] for name in others} == others, "only it was restarted"


@pytest.mark.parametrize("unit", OTHERS)
def test_restart_beside_the_datapath_loses_nothing(pair, unit):
    loses_nothing(probe(pair, "192.0.2.2"), lambda: pair["alpha"].systemctl("restart", unit))


@pytest.mark.parametrize("order", list(itertools.permutations(SERVICES, 3))[::7], ids="-".join)
def test_killed_in_this_order_nothing_in_clear_and_all_comes_back(pair, order):
    alpha, beta = pair["alpha"], pair["beta"]
    with wire.Capture(beta, "eth0") as capture, SteadyProbe(alpha, beta, "192.0.2.2") as steady:
        for unit in order:
            alpha.kill(unit)
        for unit in order:
            alpha.wait_active(unit)
        assert all(answers(alpha, address) for address in ADDRESSES)
        steady.flow(100)
    assert not capture.clear() and capture.of(wire.ESP)


def test_datapath_dead_drops_all_then_goes_on_with_its_numbers(pair):
    alpha, beta = pair["alpha"], pair["beta"]
    others = {name: alpha.facts(name)["pid"] for name in OTHERS}
    with wire.Capture(beta, "eth0") as before:
        assert all(answers(alpha, address) for address in ADDRESSES)
    alpha.hold("ipsec-datapath")
    try:
        with wire.Capture(beta, "eth0") as dead:
            alpha.kill("ipsec-datapath")
            for address in ADDRESSES:
                assert alpha.run("ping", "-c5", "-i0.05", "-W1", address).returncode != 0
    finally:
        alpha.release("ipsec-datapath")
    alpha.wait_active("ipsec-datapath")
    with wire.Capture(beta, "eth0") as after:
        assert all(answers(alpha, address) for address in ADDRESSES)
    assert not dead.clear() and not [f for f in dead.of(wire.ESP) if f.source in ("192.0.2.1", "2001:db8::1")]
    assert {name: alpha.facts(name)["pid"] for name in OTHERS} == others
    for source in ("192.0.2.1", "2001:db8::1"):
        earlier, later = (sequence_numbers(capture, source) for capture in (before, after))
        assert earlier.keys() == later.keys() and earlier
        for spi, numbers in later.items():
            # From the arena, not from the reservation on disk: the very next one.
            assert numbers[0] == earlier[spi][-1] + 1


def test_counters_survive_the_datapath(pair):
    alpha = pair["alpha"]
    assert answers(alpha, "192.0.2.2")
    before = dump_sas(alpha)
    alpha.hold("ipsec-datapath")
    alpha.kill("ipsec-datapath")
    alpha.release("ipsec-datapath")
    alpha.wait_active("ipsec-datapath")
    after = dump_sas(alpha)
    assert before.keys() == after.keys() and before[0x1001]["packets"] > 0
    for spi, sa in before.items():
        for name in ("packets", "bytes", "sequence", "replay_top"):
            assert after[spi].get(name, 0) >= sa.get(name, 0), (hex(spi), name)


@pytest.mark.parametrize("unit", SERVICES)
def test_stopped_and_started_again(pair, unit):
    alpha, beta = pair["alpha"], pair["beta"]
    alpha.systemctl("stop", unit)
    if unit == "ipsec-datapath":
        with wire.Capture(beta, "eth0") as capture:
            assert alpha.run("ping", "-c3", "-i0.05", "-W1", "192.0.2.2").returncode != 0
        assert not capture.clear()
    alpha.systemctl("start", unit)
    assert all(answers(alpha, address) for address in ADDRESSES)


@pytest.mark.parametrize("command", [
    ["nft", "flush", "ruleset"],
    ["nft", "delete", "table", "inet", "netipsec"],
], ids=lambda words: " ".join(words[1:3]))
def test_flush_by_somebody_leaks_nothing(pair, command):
    alpha, beta = pair["alpha"], pair["beta"]
    with wire.Capture(beta, "eth0") as capture, SteadyProbe(alpha, beta, "192.0.2.2") as steady:
        alpha.run(*command)
        steady.flow(300)
        assert answers(alpha, "192.0.2.2")
    assert not capture.clear() and capture.of(wire.ESP)


@pytest.mark.parametrize("unit,path,line,code", [
    ("ipsec-policy", POLICY, "{raddr 192.0.2.300} drop {}", "error:"),
    ("ipsec-manual-key", KEYS, "add esp spi nonsense", "error:"),
    ("ipsecalgs", "/etc/inet/ipsecalgs", "ALG|3|nonsense", "error:"),
], ids=["policy", "keys", "algorithms"])
def test_bad_line_is_told_with_its_place_and_changes_nothing(pair, unit, path, line, code):
    alpha = pair["alpha"]
    file = alpha.path(path)
    before = file.read_text() if file.exists() else None
    text = (before or "") + line + "\n"
    number = len(text.splitlines())
    pid = alpha.facts(unit)["pid"]
    file.write_text(text)
    try:
        done = alpha.systemctl("reload", unit, ok=False)
        assert answers(alpha, "192.0.2.2"), "the state in force is unchanged"
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before)
    assert done.returncode == 1
    assert f"{path}:{number}:" in done.stderr and code in done.stderr and "[" in done.stderr
    assert ("^" in done.stderr) == (unit != "ipsec-manual-key"), "a caret, but never beside a key"
    assert alpha.facts(unit)["pid"] == pid
    alpha.systemctl("reload", unit)


def test_service_waits_for_no_other(pair):
    """Any order of start: every service alone becomes ready, and together they protect."""
    alpha = pair["alpha"]
    for unit in SERVICES:
        alpha.systemctl("stop", unit)
    for unit in ["ipsec-policy", "ipsec-manual-key", "ipsec-ike", "ipsecalgs", "ipsec-datapath"]:
        alpha.systemctl("start", unit)
    assert all(answers(alpha, address) for address in ADDRESSES)
