# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that ipsec-policyd brings into force, beside the SAs of a stand-in for the datapath."""

import queue

import dbus.service

from service import listing_fd

POLICY = """\
{raddr 192.0.2.17 ulp tcp} ipsec {encr_algs aes-gcm16(256) sa shared}
{lport 22 dir both} bypass {}
{tunnel t0 negotiate tunnel laddr 10.1.0.0/16 raddr 10.2.0.0/16} ipsec {encr_algs aes-gcm}
"""
FILE = "/etc/inet/ipsecinit.conf"


def test_a_reload_is_held_against_the_sas(world):
    """What none of them serves is told in the journal and in the status line, but not at the start."""
    world.write(FILE, POLICY)
    world.fake = fake = world.datapath()
    held, told = [], queue.Queue()

    class Lister(type(fake.object)):
        @dbus.service.method(fake.NAME, "", "h")
        def DumpSas(self):
            listing = listing_fd({"version": 1, "sas": held})
            told.put(True)
            return listing

    fake.object.remove_from_connection()
    fake.object = Lister(fake.connection, "/org/netipsec/Datapath1")
    daemon = world.start("ipsec-policyd").ready()
    shared = {"proto": "esp", "source": "192.0.2.1", "state": "mature", "origin": "keys",
              "direction": "out", "encryption": "aes-gcm", "encryption_bits": 256}
    serving = [dict(shared, mode="transport", destination="192.0.2.17"),
               dict(shared, mode="tunnel", destination="198.51.100.1", encryption_bits=128,
                    inner_source="10.1.0.0/16", inner_destination="10.2.0.0/16")]
    assert "warning" not in daemon.status
    for sas, warnings in ([], 2), (serving, 0), (serving[:1], 1):
        held[:] = sas
        world.call("Policy1", "Reload")
        assert told.get(timeout=30)
        while warnings and f", {warnings} warning" not in daemon.status:
            daemon.wait_for("STATUS=")
    lines = [line for line in daemon.stop()[1].splitlines() if "[rule-unserved]" in line]
    assert [line.split(":")[1] for line in lines] == ["1", "3", "3"]
