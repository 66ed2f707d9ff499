# SPDX-License-Identifier: GPL-2.0-or-later
"""Manual keys change at a time, on two hosts under traffic: nobody ever lacks the other's keys."""

import time

import pytest
from nettest.probe import SteadyProbe, loses_nothing
from nettest.sas import dump_sas

KEYS = "/etc/inet/secret/ipseckeys"
NEXT = "/etc/inet/secret/next"
UNIT = "ipsec-manual-key"
LEAD_SEC = 10  # until then both hosts have to have loaded the file
OVERLAP_SEC = 3
DEADLINE_SEC = 60


@pytest.fixture(name="hosts")
def hosts_fixture(pair):
    hosts = [pair["alpha"], pair["beta"]]
    before = [host.path(KEYS).read_text() for host in hosts]
    yield hosts
    for host, text in zip(hosts, before):
        host.write(KEYS, text)
        host.systemctl("reload", UNIT)
        assert set(dump_sas(host)) == {0x1001, 0x1002, 0x1003, 0x1004}


def await_sas(host, condition):
    """The SAs, once they are as they should be. Asking takes long enough not to be a busy wait."""
    until = time.monotonic() + DEADLINE_SEC
    while True:
        sas = dump_sas(host)
        if condition(sas):
            return sas
        assert time.monotonic() < until, sas


def sleep_until(moment):
    """A time was named to the services; asking all the while would only keep the machine busy."""
    time.sleep(max(0, moment - time.time()))


def sending(sas):
    return {spi for spi, sa in sas.items() if sa["direction"] == "out"}


def roll_over(hosts):
    """One generation for the next, with deaths of the service between the steps."""
    alpha, beta = hosts
    old = dump_sas(alpha)
    old_out = [sending(dump_sas(host)) for host in hosts]
    switch = time.time() + LEAD_SEC
    done = alpha.run("ipseckey", "rollover", "--at", f"+{LEAD_SEC}", "--overlap", str(OVERLAP_SEC), "--output", NEXT)
    assert done.returncode == 0, done.stderr
    assert alpha.exec("stat", "-c", "%a", NEXT) == "600\n"
    more = alpha.path(NEXT).read_text()
    assert not any(word in done.stdout + done.stderr for word in more.split() if len(word) > 30), "keys are not shown"
    for host, was_out in zip(hosts, old_out):
        host.write(KEYS, host.path(KEYS).read_text() + more)
        host.systemctl("reload", UNIT)
        there = dump_sas(host)
        assert set(old) < set(there), "both generations are received"
        assert sending(there) == was_out, "the old one is sent"
    alpha.systemctl("restart", UNIT)
    beta.kill(UNIT)
    sleep_until(switch)
    for host, was_out in zip(hosts, old_out):
        there = await_sas(host, lambda sas, gone=was_out: not sending(sas) & gone)
        assert len(sending(there)) == len(was_out), "as many are sent as before"
    alpha.systemctl("restart", UNIT)
    sleep_until(switch + OVERLAP_SEC)
    for host in hosts:
        there = await_sas(host, lambda sas: not set(sas) & set(old))
        assert len(there) == len(old)
    return dump_sas(alpha)


def test_no_packet_is_lost_when_keys_change(pair, hosts):
    loses_nothing(lambda: SteadyProbe(pair["alpha"], pair["beta"], "192.0.2.2"),
                  lambda: roll_over(hosts))
    used = [sa for sa in dump_sas(hosts[0]).values() if sa["packets"]]
    assert used and all(sa["spi"] not in ("0x00001001", "0x00001002") for sa in used)


def test_one_peer_alone_and_nothing_twice(hosts):
    alpha = hosts[0]
    options = ("--at", "2101-01-01T00:00:00Z", "--overlap", "60", "--output", "-")
    everything = alpha.exec("ipseckey", "rollover", *options)
    one = alpha.exec("ipseckey", "rollover", "--peer", "192.0.2.2", *options)
    assert everything.count("\nadd ") == 4 and one.count("\nadd ") == 2
    nobody = alpha.run("ipseckey", "rollover", "--peer", "203.0.113.9", *options)
    assert nobody.returncode == 1 and "no SA is to be replaced" in nobody.stderr
    alpha.write(KEYS, alpha.path(KEYS).read_text() + everything)
    alpha.systemctl("reload", UNIT)
    assert alpha.exec("ipseckey", "-c", KEYS) == ""
    # The successors can be followed by others, but only later than they begin.
    soon = alpha.run("ipseckey", "rollover", "--at", "+3600", "--overlap", "60", "--output", "-")
    assert soon.returncode == 1 and "the times do not go with those" in soon.stderr


def test_the_socket_keeps_no_times(hosts):
    alpha = hosts[0]
    done = alpha.run("ipseckey", "-n", stdin="update esp spi 0x1001 dst 192.0.2.2 send_until 2101-01-01T00:00:00Z\n")
    assert "[key-time]" in done.stderr
    assert sending(dump_sas(alpha)) >= {0x1001}
