# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsecconf: what it lists of a datapath, and which options go together."""

import fcntl
import json
import os

import dbus
import dbus.service
import pytest


LISTING = {
    "version": 1, "generation": 3, "rules": [
        {"index": 4, "id": "0" * 16, "tunnel": "", "direction": "in", "line": 2,
         "text": "{ ulp 6 raddr 192.0.2.17/32 dir in } ipsec { encr_algs 3 sa shared } ",
         "packets": 1, "bytes": 60},
        {"index": 2, "id": "1" * 16, "tunnel": "", "direction": "out", "line": 2,
         "text": "{ ulp 6 rport 22 dir out } pass { } ", "packets": 7, "bytes": 700},
        {"index": 6, "id": "3" * 16, "tunnel": "", "direction": "both", "line": 2,
         "text": "{ raddr 192.0.2.18/32 dir both } drop { }", "packets": 7, "bytes": 700},
        {"index": 10, "id": "4" * 16, "tunnel": "", "direction": "both", "line": 2,
         "text": "{ lport 5 dir both } pass { }", "packets": 7, "bytes": 700},
        {"index": 1, "id": "2" * 16, "tunnel": "t0", "direction": "out", "line": 3,
         "text": "{ tunnel t0 negotiate tunnel dir out } drop { } ", "packets": 0, "bytes": 0},
    ]}


class TestListing:
    """ipsecconf -l against a datapath that lists five rules."""

    @pytest.fixture(autouse=True)
    def listing(self, world):
        fake = world.datapath()

        class Lister(dbus.service.Object):
            @dbus.service.method(fake.NAME, "", "h")
            def ListRules(self):
                fd = os.memfd_create("rules", os.MFD_ALLOW_SEALING)
                os.write(fd, json.dumps(LISTING).encode())
                seal(fd)
                handed = dbus.types.UnixFd(fd)
                os.close(fd)
                return handed

        fake.object.remove_from_connection()
        fake.object = Lister(fake.connection, "/org/netipsec/Datapath1")

    def test_host_rules_outbound_first(self, world):
        done = world.run("ipsecconf", "-ln")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "#INDEX 2\n{ ulp 6 rport 22 dir out } pass { } \n" \
            "#INDEX 5\n{ raddr 192.0.2.18/32 dir out } drop { }\n" \
            "#INDEX 8\n{ lport 5 dir out } pass { }\n" \
            "#INDEX 4\n{ ulp 6 raddr 192.0.2.17/32 dir in } ipsec { encr_algs 3 sa shared } \n" \
            "#INDEX 6\n{ raddr 192.0.2.18/32 dir in } drop { }\n" \
            "#INDEX 10\n{ lport 5 dir in } pass { }\n"

    def test_names(self, world):
        assert "{ ulp tcp rport ssh dir out } pass { } \n" in world.run("ipsecconf", "-l").stdout

    def test_one_tunnel_and_all(self, world):
        tunnel = "#INDEX t0,1\n{ tunnel t0 negotiate tunnel dir out } drop { } \n"
        assert world.run("ipsecconf", "-l", "-i", "t0").stdout == tunnel
        everything = world.run("ipsecconf", "-L", "-n").stdout
        assert everything.endswith(tunnel) and everything.count("#INDEX") == 7

    def test_a_tunnel_without_rules(self, world):
        done = world.run("ipsecconf", "-l", "-i", "t9")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "ipsecconf: Tunnel not found: no rule in force is for a tunnel t9, and " \
            "there is no such interface\n  hint: there are rules for t0\n"
        done = world.run("ipsecconf", "-l", "-i", "t9", "--json")
        assert (done.returncode, done.stdout) == (1, "")
        # An interface may have rules one day.
        done = world.run("ipsecconf", "-l", "-i", "lo")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_json_and_table(self, world):
        said = json.loads(world.run("ipsecconf", "-l", "--json").stdout)
        assert said["generation"] == 3
        assert [rule["index"] for rule in said["rules"]] == [2, 6, 10, 4]
        assert said["rules"][0] == LISTING["rules"][1]
        table = world.run("ipsecconf", "-L", "--table").stdout.splitlines()
        assert table[0].split() == ["INDEX", "TUNNEL", "DIR", "LINE", "PACKETS", "BYTES", "RULE"]
        assert len(table) == 6
        assert "{ ulp tcp rport ssh dir out }" in table[1]
        assert "{ ulp 6 rport 22 dir out }" in world.run("ipsecconf", "-Ln", "--table").stdout
        # A column begins in the same place in each line.
        place = table[0].index("RULE")
        assert all(line[place - 1:place + 1] == " {" for line in table[1:])


def seal(fd):
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK
                | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)


USAGE = [
    (["-a", "x", "-c", "y"], "Multiple commands or interface not required."),
    (["-a", "x", "-l"], "Multiple commands specified"),
    (["-l", "-l"], "Multiple commands specified"),
    (["-l", "-L"], "Multiple commands specified"),
    (["-f", "-l"], "Multiple commands specified"),
    (["-f", "-F"], "Multiple commands specified"),
    (["-l", "-i", "a", "-i", "b"], "Interface name already selected"),
    (["-F", "-i", "a"], "Interface name already selected"),
    (["-L", "-i", "a"], "Interface name already selected"),
    (["-l", "-i", ""], "Invalid interface name."),
    (["-a", "x", "-i", "t"], "Multiple commands or interface not required."),
    (["-i", "t", "-f", "-a", "x"], "Multiple commands or interface not required."),
    (["-i", "t", "-F"], "interface name not required."),
    (["-i", "t", "-L"], "interface name not required."),
    (["-i", "t"], "Bad usage."),
    (["-n"], "Bad usage."),
    (["-q"], "Bad usage."),
    (["x"], "Bad usage."),
    (["-l", "x"], "Bad usage."),
    (["-z"], "Bad usage."),
    (["-r", "x", "-a", "y"], "Multiple commands or interface not required."),
    (["-r", "x", "-c", "y"], "Multiple commands or interface not required."),
    (["-r", "x", "-l"], "Multiple commands specified"),
    (["-d", "1", "-l"], "Multiple commands specified"),
    (["-d", "1", "-d", "2"], "Multiple commands specified"),
    (["-d", "1", "-f"], "Multiple commands specified"),
    (["-f", "-r", "x"], "Multiple commands specified"),
    (["-F", "-L"], "Multiple commands specified"),
    (["-c", "x", "-i", "t"], "Multiple commands or interface not required."),
    (["-i", "t", "-r", "x"], "Multiple commands or interface not required."),
    (["-i", "t", "-d", "t,1"], "Interface name already selected"),
    (["-d", "t,1", "-i", "t"], "Interface name already selected"),
    (["-d", "0"], "Invalid index"),
    (["-d", "-1"], "Invalid index"),
    (["-d", "x"], "Invalid index"),
    (["-d", "1x"], "Invalid index"),
    (["-d", "08"], "Invalid index"),
    (["-d", "0x"], "Invalid index"),
    (["-d", "4294967296"], "Invalid index"),
    (["-d", "t,0"], "Invalid index"),
    (["-d", ",1"], "Invalid interface name."),
    (["-d", "1", "2"], "Bad usage."),
    (["-i", "t", "-n"], "Bad usage."),
    (["--counters"], "Bad usage."),
    (["-l", "--json", "--table"], "Bad usage."),
    (["-a", "x", "--json"], "Bad usage."),
    (["-l", "--confirm", "5"], "Bad usage."),
    (["-f", "--confirm", "0"], "--confirm: from 1 to 86400 seconds."),
    (["-f", "--confirm", "x"], "--confirm: from 1 to 86400 seconds."),
    (["--fragment", "x"], "Bad usage."),
    (["--fragment", "x", "-F"], "--fragment: one of -a and -f."),
    (["--fragment", "x", "-f", "-a", "y"], "--fragment: one of -a and -f."),
    (["-a", "x", "--audit"], "Bad usage."),
    (["--explain", "x", "--diff", "y"], "Multiple commands specified"),
    (["--diff", "y", "--with", "x"], "Bad usage."),
    (["--drift", "-q", "x"], "Bad usage."),
]


@pytest.mark.parametrize("arguments,message", USAGE, ids=[" ".join(row[0]) for row in USAGE])
def test_usage(world, arguments, message):
    done = world.run("ipsecconf", *arguments)
    assert done.returncode == 1 and done.stdout == ""
    assert "usage: ipsecconf" in done.stderr
    assert done.stderr.endswith(f"{message}\nFatal error - exiting.\n")
