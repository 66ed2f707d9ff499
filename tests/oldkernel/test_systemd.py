# SPDX-License-Identifier: GPL-2.0-or-later
"""In the guest: services under its own systemd and kernel, with a peer in a network namespace.

Here also stands what needs a machine of its own: a control group that lacks memory, a clock that jumps.
"""

import contextlib
import json
import subprocess
import time
from pathlib import Path

import pytest
from here import DATAPATH, protects_again, run, show, wait_for, write
from nettest import sas
from systest import protected
from systest.protected import SERVICES

HOURS = 5
LIFE_SEC = 20
SHORT, LONG = 0x7001, 0x7002
LITTLE = "2M"  # less than the datapath needs to begin


def test_the_policy_service_is_all_that_has_to_be_enabled(pair):
    """What it wants came with it, and the kernel's way to fail closed is the old one."""
    assert show("ActiveState", "ipsec-policy") == show("ActiveState") == "active"
    tables = run("nft", "list", "tables")
    assert "inet netipsec\n" in tables and "inet netipsec-own\n" in tables, tables
    assert "tables go with their owner" in run("journalctl", "-u", DATAPATH)
    # No SA yet: what is protected is dropped, and what passes passes.
    assert protected.fate(*pair, "dropped") == "dropped"


def test_it_protects(pair):
    run("systemctl", "enable", "--now", *SERVICES)
    protects_again(pair)


def test_somebody_flushes_all_tables(pair):
    run("nft", "flush", "ruleset", ok=False)
    protects_again(pair)
    wait_for(lambda: "inet netipsec\n" in run("nft", "list", "tables"), "the table is put back")


def test_killed_and_back(pair):
    before = show("MainPID")
    run("systemctl", "kill", "-s", "KILL", DATAPATH)
    wait_for(lambda: show("MainPID") not in ("0", before) and show("ActiveState") == "active", "it comes back")
    protects_again(pair)


def test_stopped_and_never_in_clear(pair):
    run("systemctl", "stop", DATAPATH)
    assert protected.fate(*pair, "dropped") == "dropped"
    run("systemctl", "start", DATAPATH)
    protects_again(pair)


def test_lid_without_the_daemon(pair):
    """As at boot: nothing of ours is in the kernel, and the lid brings the last policy."""
    run("systemctl", "stop", DATAPATH)
    run("nft", "flush", "ruleset")
    run("systemctl", "restart", "ipsec-lid")
    assert protected.fate(*pair, "dropped") == "dropped"
    run("systemctl", "start", DATAPATH)
    protects_again(pair)


def test_the_control_group_has_no_more_memory(pair):
    """The kernel kills it for want of memory, again and again; nothing leaves in clear, and it comes back."""
    restarts = int(show("NRestarts"))
    run("systemctl", "set-property", "--runtime", DATAPATH, f"MemoryMax={LITTLE}")
    try:
        wait_for(lambda: int(show("NRestarts")) > restarts + 1, "it is killed twice")
        assert "oom-kill" in run("journalctl", "-u", DATAPATH)
        assert protected.fate(*pair, "dropped") == "dropped"
    finally:
        run("systemctl", "set-property", "--runtime", DATAPATH, "MemoryMax=infinity")
    protects_again(pair)


def boot_time():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@contextlib.contextmanager
def clock_stepped(hours):
    """The machine's clock is wrong while the block runs."""
    def step(seconds):
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    step(3600 * hours)
    try:
        yield
    finally:
        step(-3600 * hours)


def spis():
    """Of the SAs that are there."""
    return {int(sa["spi"], 0) for sa in json.loads(run("/usr/bin/python3", "-c", sas.SCRIPT))["sas"]}


@pytest.mark.parametrize("hours", [HOURS, -HOURS])
def test_clock_stepped(pair, hours):
    """What lives by seconds lives as many of them; and traffic does not notice."""
    begun = boot_time()
    add = "add esp spi {} src 10.0.0.1 dst 10.9.9.9 encr_alg aes-gcm16 encrkey " + "5a" * 20 + " hard_addtime {}\n"
    subprocess.run(["ipseckey", "-n"], input=add.format(hex(SHORT), LIFE_SEC) +
                   add.format(hex(LONG), 3600 * (HOURS - 1)).replace("5a", "a5"), text=True, check=True)
    with clock_stepped(hours):
        protects_again(pair)
        there = spis()
        assert LONG in there and (SHORT in there or boot_time() >= begun + LIFE_SEC)
        wait_for(lambda: SHORT not in spis(), "the short life ends")
        assert boot_time() >= begun + LIFE_SEC
        assert LONG in spis()
    run("ipseckey", "delete", "esp", "spi", hex(LONG), "dst", "10.9.9.9")


def test_clock_stepped_past_a_rollover(pair):
    """Manual keys change when the clock says so, also when somebody sets it."""
    former = spis()
    run("ipseckey", "rollover", "--at", f"+{3600 * HOURS}", "--overlap", "60", "--output", "/run/next")
    before = Path(protected.KEY_FILE).read_text()
    write(protected.KEY_FILE, before + Path("/run/next").read_text(), 0o600)
    run("systemctl", "reload", "ipsec-manual-key")
    try:
        assert len(spis() - former) == len(former)
        with clock_stepped(HOURS + 1):
            wait_for(lambda: not spis() & former, "the former keys go")
            protects_again(pair)
    finally:
        write(protected.KEY_FILE, before, 0o600)
        run("systemctl", "reload", "ipsec-manual-key")
