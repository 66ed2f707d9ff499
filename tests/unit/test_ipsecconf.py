# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsecconf's commands against the policy service, with a stand-in for the datapath."""

import json
import os
import socket
import subprocess
import threading

import dbus
import dbus.service
import pytest

from service import SBIN, listing_fd

FILE = "/etc/inet/ipsecinit.conf"
POLICY = """\
{lport 22 ulp tcp dir both} bypass {}
{raddr 192.0.2.0/24 ulp tcp rport 80} ipsec {encr_algs aes-gcm16(256) sa shared}
{raddr 192.0.2.0/24} ipsec {encr_algs aes-cbc encr_auth_algs sha256 sa shared} or pass {}
{raddr 198.51.100.0/24 dir both} drop {}
"""


def drain(notify):
    notify.settimeout(None)
    while notify.recv(4096):
        pass


@pytest.fixture(name="policyd")
def started(world):
    world.write(FILE, POLICY)
    world.fake = world.datapath()
    daemon = world.start("ipsec-policyd").ready()
    threading.Thread(target=drain, args=[daemon.notify.dup()], daemon=True).start()
    return daemon


def conf(world, *arguments, source=None, env=None):
    return subprocess.run([SBIN / "ipsecconf", *arguments], env=dict(world.env(), **(env or {})),
                          input=source, capture_output=True, text=True, timeout=30, check=False)


def shown(world):
    return conf(world).stdout


def rule_count(world):
    return world.properties("Policy1")["RuleCount"]


class TestDelete:
    """-d: one SPD entry."""

    @pytest.mark.parametrize("number", ["3", "0x3", "03"])
    def test_one_direction(self, world, policyd, number):
        # 1 to 4 are of the first entry, out and in, v4 and v6.
        done = conf(world, "-d", number)
        assert done.returncode == 0
        assert done.stdout.count("WARNING") == 1
        assert done.stdout.endswith(
            "deleted: { ulp 6 lport 22 raddr 0.0.0.0/0 dir in } pass { } \n")
        assert done.stderr == """\
ipsecconf: of the same entry these stay in force:
#INDEX 2
{ ulp 6 lport 22 dir out } pass { }\x20
#INDEX 4
{ ulp 6 lport 22 raddr ::/0 dir in } pass { }\x20
"""

    def test_quietly(self, world, policyd):
        for number in "5", "6":
            done = conf(world, "-q", "-d", number)
            assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == ""
        assert "rport 80" not in shown(world)

    def test_of_a_tunnel(self, world, policyd):
        entry = "{tunnel t0 negotiate tunnel raddr 10.0.0.0/8} ipsec {encr_algs aes-gcm}\n"
        assert conf(world, "-q", "-a", "-", source=entry).returncode == 0
        assert conf(world, "-q", "-i", "t0", "-d", "2").returncode == 0
        assert "t0" not in shown(world)
        assert conf(world, "-q", "-d", "t0,1").returncode == 0
        done = conf(world, "-q", "-d", "t0,1")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "Delete failed: no entry has the number t0,1\n"


class TestFlush:
    """-f and -i: which tunnels there are to be flushed."""

    def test_a_tunnel_that_no_policy_named(self, world, policyd):
        before = shown(world)
        done = conf(world, "-qf", "-i", "t0")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("ipsecconf: Tunnel not found: no policy has named a tunnel t0\n")
        assert conf(world, "-qf", "-i", "lo").returncode == 0  # it is there, and has no policy
        entry = "{tunnel t0 negotiate tunnel raddr 10.0.0.0/8} ipsec {encr_algs aes-gcm}\n"
        assert conf(world, "-q", "-a", "-", source=entry).returncode == 0
        for _ in range(2):
            assert conf(world, "-qf", "-i", "t0").returncode == 0
        assert shown(world) == before


class TestWarnings:
    """What is said about changes by hand, and in which order."""

    NEWS = "WARNING : new policy entries may change"

    def test_only_when_something_is_new(self, world, policyd):
        entry = "{lport 23 dir in} drop {}\n"
        assert self.NEWS in conf(world, "-a", "-", source=entry).stdout
        done = conf(world, "-a", "-", source=entry)
        assert self.NEWS not in done.stdout
        assert "Duplicate policy entry (ignored): number 12 has the same selectors" in done.stderr
        for flush in ([], ["-f"], ["-F"]):
            before = shown(world)
            done = conf(world, *flush, "-a", "-", source="# nothing\n")
            assert done.returncode == 0 and self.NEWS not in done.stdout
            assert done.stderr == "Policy file does not contain any valid rules.\n"
            assert shown(world) == before

    def test_what_is_ignored_is_not_shown(self, world, policyd):
        before = shown(world)
        assert conf(world, "-q", "-a", "-", source=POLICY).returncode == 0
        assert conf(world, "-q", "-a", "-", source="{lport 22 ulp tcp dir in} drop {}\n").returncode == 0
        assert shown(world) == before
        assert len(json.loads(conf(world, "--json").stdout)["entries"]) == 4
        assert conf(world, "-q", "-r", "-", source=POLICY).returncode == 0 and shown(world) == ""

    def test_both_streams_in_one_place_stand_in_their_order(self, world, policyd):
        done = subprocess.run([SBIN / "ipsecconf", "-a", "-"], env=world.env(), text=True, timeout=30,
                              input="{lport 1 dir in} dorp {}\n", check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        words = ["WARNING : policy is changed by hand", "Invalid action 'dorp'", "Fatal error"]
        places = [done.stdout.index(word) for word in words]
        assert places == sorted(places)


class TestRemove:
    """-r: entries by their words."""

    def test_found_and_not_found(self, world, policyd):
        before = rule_count(world)
        done = conf(world, "-r", "-", source="{raddr 203.0.113.1} drop {}\n"
                    "{ raddr 198.51.100.0/24\tdir both } drop {} # that one\n")
        assert done.returncode == 1
        assert done.stderr.startswith(
            "stdin:1: warning: Could not find a matching policy entry")
        assert done.stdout.count("WARNING") == 2
        assert rule_count(world) == before - 2 and "198.51.100" not in shown(world)

    def test_all_found(self, world, policyd):
        done = conf(world, "-q", "-r", "-", source=POLICY)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert shown(world) == "" and rule_count(world) == 0

    def test_a_bad_file_removes_nothing(self, world, policyd):
        before = shown(world)
        done = conf(world, "-q", "-r", "-", source=POLICY + "{raddr x.y.z/33} dorp {}\n")
        assert done.returncode == 1 and "Invalid action 'dorp'" in done.stderr
        assert done.stderr.endswith("1 policy rule(s) contained errors.\nFatal error - exiting.\n")
        assert shown(world) == before


def test_what_is_configured_as_data(world, policyd):
    said = json.loads(conf(world, "--json").stdout)
    assert said["version"] == 1
    assert [entry["index"] for entry in said["entries"]] == ["4", "6", "8", "10"]
    assert [entry["text"] for entry in said["entries"]] == POLICY.splitlines()
    assert conf(world, "-qF").returncode == 0
    assert json.loads(conf(world, "--json").stdout)["entries"] == []


class TestFragment:
    """Named pieces of policy."""

    def test_added_listed_taken_away(self, world, policyd):
        before = rule_count(world)
        done = conf(world, "--fragment", "web", "-a", "-", source="{lport 80 dir in} drop {}\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert rule_count(world) == before + 1
        assert conf(world, "--fragments").stdout == \
            "#FRAGMENT web (persistent)\n{lport 80 dir in} drop {}\n\n"
        row = json.loads(conf(world, "--fragments", "--json").stdout)["fragments"][0]
        assert (row["name"], row["persistent"], row["enforce"]) == ("web", True, True)
        assert conf(world, "--fragment", "web", "-f").returncode == 0
        assert rule_count(world) == before
        assert conf(world, "--fragment", "web", "-f").returncode == 1

    def test_audit(self, world, policyd):
        conf(world, "--fragment", "look", "--audit", "-a", "-", source="{lport 80 dir in} drop {}\n")
        assert "look (audit, persistent)" in conf(world, "--fragments").stdout
        done = conf(world, "--explain", "in tcp 192.0.2.9:999 10.0.0.1:80")
        assert "counted by the audit rule fragment look:1: { lport 80 dir in } drop { }" in done.stdout


class TestTrial:
    """--confirm and --confirm-yes."""

    @pytest.mark.parametrize("arguments", [["-a", "-"], ["-f"], ["-F", "-a", "-"], ["--reload"]])
    def test_each_that_may(self, world, policyd, arguments):
        before = shown(world)
        world.write(FILE, POLICY + "{lport 99 dir in} drop {}\n")
        done = conf(world, "-q", "--confirm", "7", *arguments, source="{lport 23 dir in} drop {}\n")
        assert done.returncode == 0
        assert done.stderr == "ipsecconf: on trial: rolled back in 7 seconds, unless " \
            "'ipsecconf --confirm-yes' is run before\n"
        assert world.fake.confirm_usec == 7_000_000
        after = shown(world)
        assert after != before
        assert conf(world, "--confirm-yes").returncode == 0
        assert world.fake.trial is None and shown(world) == after
        done = conf(world, "--confirm-yes")
        assert done.returncode == 1 and "nothing waits to be confirmed" in done.stderr

    def test_what_is_in_force_is_on_no_trial(self, world, policyd):
        done = conf(world, "--reload", "--confirm", "7")
        assert done.returncode == 0
        assert done.stderr == "ipsecconf: nothing is new, so that nothing waits to be confirmed\n"


EXPLAINED = [
    ("out tcp 10.0.0.5:41000 192.0.2.7:80", "ipsec", 2),
    ("out tcp 10.0.0.5:22 192.0.2.7:80", "bypass", 1),
    ("in udp 192.0.2.7:53 10.0.0.5:53", "ipsec", 3),
    ("out icmp 10.0.0.5 198.51.100.1 type 8 code 0", "drop", 4),
    ("out udp 10.0.0.5:53 203.0.113.1:53", "none", None),
    ("forward tcp 192.0.2.1:80 198.51.100.1:80", "none", None),
    ("out tcp [2001:db8::1]:22 [2001:db8::2]:5", "bypass", 1),
    ("out icmp type 3 code 3 10.0.0.5 192.0.2.7 about tcp 192.0.2.7:80 10.0.0.5:22", "bypass", 1),
    ("in icmp type 3 code 4 203.0.113.1 10.0.0.5 about tcp 10.0.0.5:41000 192.0.2.7:80", "ipsec", 2),
    ("in icmp type 11 198.51.100.1 10.0.0.5 about udp 10.0.0.5:1 203.0.113.9:2", "none", None),
    ("in icmp type 11 203.0.113.1 10.0.0.5 about udp 10.0.0.5:1 198.51.100.1:2", "drop", 4),
]

# Where more than the rules decides, or something else is looked at: how the note begins.
NOTES = [
    ("out icmp 10.0.0.5 198.51.100.1 type 3 code 3", "host policy judges an ICMP error by"),
    ("in icmp6 2001:db8::1 2001:db8::2 type 2", "host policy judges an ICMP error by"),
    ("out icmp 10.0.0.5 198.51.100.1 type 5 code 1", None),
    ("in icmp 198.51.100.1 10.0.0.5 type 3 about esp 10.0.0.5 198.51.100.1", "errors about ESP"),
    ("in icmp 198.51.100.1 10.0.0.5 type 3 about gre 10.0.0.5 198.51.100.1", "while the tunable _icmp_accept"),
    ("out icmp6 fe80::1 fe80::2 type 135", "discovery of neighbours"),
    ("in udp 192.0.2.7:500 10.0.0.5:500", "key exchange from and to"),
    ("in udp 192.0.2.7:500 10.0.0.5:501", None),
    ("in icmp 192.0.2.7 10.0.0.5 type 8", "while the tunable _icmp_accept_clear_messages is 1"),
    ("out icmp 10.0.0.5 192.0.2.7 type 8", None),
    ("out icmp 10.0.0.5 192.0.2.7 type 0", "the answer to a request"),
    ("in igmp 192.0.2.7 10.0.0.5", "while the tunable _igmp_accept"),
    ("in pim 192.0.2.7 10.0.0.5", "while the tunable _pim_accept"),
    ("tunnel t0 in icmp 192.0.2.7 10.0.0.5 type 8", None),
    ("forward icmp 192.0.2.7 10.0.0.5 type 3", None),
]


class TestExplain:
    """--explain, with the same look-up as the datapath's."""

    @pytest.mark.parametrize("flow,verdict,line", EXPLAINED, ids=[row[0] for row in EXPLAINED])
    def test_verdicts(self, world, policyd, flow, verdict, line):
        for more in [], ["--with", str(world.root / FILE.lstrip("/"))]:
            said = json.loads(conf(world, "--json", "--explain", flow, *more).stdout)
            assert said["verdict"] == verdict
            assert (said["rule"]["line"] if line else said["rule"]) == line
            if line:
                assert said["rule"]["source"].endswith(FILE)
                assert len(said["missed"]) <= line - 1

    def test_why_and_alternatives(self, world, policyd):
        done = conf(world, "--explain", "out udp 10.0.0.5:41000 192.0.2.7:80")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"""\
out udp 10.0.0.5:41000 > 192.0.2.7:80: ipsec
decided by {FILE}:3: {{ raddr 192.0.2.0/24 dir both }} ipsec {{ encr_algs aes-cbc(128..256) \
encr_auth_algs hmac-sha256(256) sa shared }} or pass {{ }}\x20
alternative 1: ipsec {{ encr_algs aes-cbc(128..256) encr_auth_algs hmac-sha256(256) sa shared }}\x20
alternative 2: pass {{ }}\x20
SA: not known, ipsec-datapath.service does not run
earlier rules that do not match:
  {FILE}:1: {{ ulp 6 lport 22 dir both }} pass {{ }}\x20
    protocol 17 is not 6
  {FILE}:2: {{ ulp 6 raddr 192.0.2.0/24 rport 80 dir both }} ipsec {{ encr_algs aes-gcm(256) \
sa shared }}\x20
    protocol 17 is not 6
"""

    @pytest.mark.parametrize("flow,note", NOTES, ids=[row[0] for row in NOTES])
    def test_notes(self, world, flow, note):
        words = ["--with", "-", "--explain", flow]
        said = json.loads(conf(world, "--json", *words, source=POLICY).stdout)
        text = conf(world, *words, source=POLICY).stdout
        assert said.get("note", "").startswith(note or "") and ("note" in said) == bool(note)
        assert ("\nnote: " + said["note"] + "\n" in text) if note else ("\nnote: " not in text)

    def test_an_error_about_what_is_forwarded(self, world):
        flow = "out icmp type 11 10.0.0.9 192.0.2.7 about tcp 192.0.2.7:9 10.0.0.5:80"
        text = conf(world, "--with", "-", "--explain", flow, source=POLICY).stdout
        assert text.splitlines()[:2] == [
            "out icmp 10.0.0.9 > 192.0.2.7 type 11 code 0 about tcp 192.0.2.7:9 > 10.0.0.5:80: none",
            "host policy does not apply to packets that are forwarded, nor to errors about them"]

    def test_a_bad_flow(self, world):
        done = conf(world, "--explain", "out tcp 10.0.0.5:41000 192.0.2.x:80")
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.splitlines()[1:] == ["out tcp 10.0.0.5:41000 192.0.2.x:80",
                                                " " * 23 + "^" + "~" * 11]

    def test_without_the_service(self, world):
        done = conf(world, "--explain", "out tcp 10.0.0.5:1 192.0.2.7:80")
        assert done.returncode == 1 and "--with FILE" in done.stderr
        done = conf(world, "--with", "-", "--explain", "out tcp 10.0.0.5:1 192.0.2.7:80", source=POLICY)
        assert done.returncode == 0 and "decided by stdin:2: " in done.stdout


SA = {"proto": "esp", "spi": "0x00001001", "source": "10.0.0.5", "destination": "192.0.2.7",
      "mode": "transport", "direction": "out", "state": "mature", "origin": "keys",
      "encryption": "aes-gcm", "authentication": "", "packets": 0, "bytes": 0}


class TestDatapath:
    """What needs an answer of the datapath: SAs, counters, drift."""

    @pytest.fixture(autouse=True)
    def lister(self, world, policyd):
        fake = world.fake
        base = type(fake.object)
        self.sas, self.rules, self.tunnels = [SA], [], []
        self.choice, self.by_rule, self.asked = None, {}, []

        class Lister(base):
            @dbus.service.method(fake.NAME, "", "h")
            def DumpSas(inner):  # pylint: disable=no-self-argument
                return listing_fd({"version": 1, "sas": self.sas})

            @dbus.service.method(fake.NAME, "s", "h")
            def ChooseSas(inner, flow):  # pylint: disable=no-self-argument
                self.asked.append(flow)
                return listing_fd({"version": 1, **(self.choice or {})})

            @dbus.service.method(fake.NAME, "sha{sv}", "h")
            def ChooseSasBy(inner, flow, _rule, _options):  # pylint: disable=no-self-argument
                self.asked.append(f"{flow} by rule")
                if self.by_rule is None:
                    raise dbus.DBusException("none", name="org.freedesktop.DBus.Error.UnknownMethod")
                return listing_fd({"version": 1, "sas": [], **self.by_rule})

            @dbus.service.method(fake.NAME, "", "h")
            def ListTunnels(inner):  # pylint: disable=no-self-argument
                return listing_fd({"version": 1, "tunnels": self.tunnels})

            @dbus.service.method(fake.NAME, "", "h")
            def ListRules(inner):  # pylint: disable=no-self-argument
                return listing_fd({"version": 1, "generation": 1, "rules": self.rules})

        fake.object.remove_from_connection()
        fake.object = Lister(fake.connection, "/org/netipsec/Datapath1")

    def test_the_sa_that_the_datapath_chooses(self, world):
        """Its word counts, for a rule of its own and, given to it, for that of a file."""
        flow = "out tcp 10.0.0.5:41000 192.0.2.7:80"
        printed = "out tcp 10.0.0.5:41000 > 192.0.2.7:80"
        rule = json.loads(conf(world, "--json", "--explain", flow).stdout)["rule"]["id"]
        inner, outer = dict(SA, spi="0x00001002"), dict(SA, spi="0x00001003", proto="ah")
        self.choice = {"rule": rule, "alternative": 1, "sas": [inner, outer]}
        self.asked.clear()
        said = json.loads(conf(world, "--json", "--explain", flow).stdout)
        assert said["sa"] == inner and said["sa_outer"] == outer and "acquire" not in said
        assert self.asked == [printed]
        assert "SA: esp spi 0x00001002 from 10.0.0.5 to 192.0.2.7, aes-gcm \n  in ah spi 0x00001003 " in \
            conf(world, "--explain", flow).stdout
        self.choice = {"rule": rule, "alternative": 0, "sas": [], "missing": "ah",
                       "source": "10.0.0.5", "destination": "192.0.2.7"}
        assert "an ACQUIRE for ah from 10.0.0.5 to 192.0.2.7 would be sent" in \
            conf(world, "--explain", flow).stdout
        # Of another rule than the service's, and for a file: by the rule that decides.
        self.choice["rule"] = "0" * 16
        self.by_rule = {"rule": rule, "alternative": 1, "sas": [SA]}
        self.asked.clear()
        assert json.loads(conf(world, "--json", "--explain", flow).stdout)["sa"] == SA
        assert self.asked == [printed, f"{printed} by rule"]
        self.asked.clear()
        text = conf(world, "--with", "-", "--explain", flow, source=POLICY).stdout
        assert "SA: esp spi 0x00001001" in text and self.asked == [f"{printed} by rule"]
        self.by_rule = None
        assert "SA: not known" in conf(world, "--explain", flow).stdout

    def test_sas_that_it_could_have_come_by(self, world):
        flow = "in tcp 192.0.2.7:80 10.0.0.5:41000"
        ways = [{"alternative": 1, "sas": [dict(SA, spi=f"0x0000100{n}"), dict(SA, proto="ah")]} for n in (2, 3)]
        self.by_rule = {"rule": "", "ways": ways}
        said = json.loads(conf(world, "--json", "--explain", flow).stdout)
        assert said["sa"] == ways[0]["sas"][0] and said["sa_outer"] == ways[0]["sas"][1]
        assert said["others"] == [{"sa": ways[1]["sas"][0], "sa_outer": ways[1]["sas"][1]}]
        lines = conf(world, "--explain", flow).stdout.splitlines()
        assert [line[:25] for line in lines if " spi " in line] == [
            "SA: esp spi 0x00001002 fr", "  in ah spi 0x00001001 fr",
            "or  esp spi 0x00001003 fr", "  in ah spi 0x00001001 fr"]
        self.by_rule["ways"] = []
        assert "SA: none that it could have come by\n" in conf(world, "--explain", flow).stdout

    def test_a_tunnel_without_rules_is_for_host_policy(self, world):
        self.tunnels = [{"name": "t0", "source": "10.0.0.5", "destination": "198.51.100.1"}]
        for way, outer in (("out tcp 10.1.0.1:1 10.2.0.1:2", "out protocol 4 10.0.0.5 > 198.51.100.1"),
                           ("in tcp 10.2.0.1:2 10.1.0.1:1", "in protocol 4 198.51.100.1 > 10.0.0.5")):
            said = json.loads(conf(world, "--json", "--explain", f"tunnel t0 {way}").stdout)
            assert (said["verdict"], said["rule"]["line"], said["outer"]) == ("drop", 4, outer)
            text = conf(world, "--explain", f"tunnel t0 {way}").stdout
            assert f"tunnel t0 has no rules, so that host policy decides about its own packet: {outer}" in text
        text = conf(world, "--explain", "tunnel t1 out tcp 10.1.0.1:1 10.2.0.1:2").stdout
        assert "tunnel t1 has no rules, and no ends that are known here" in text
        # With rules of its own nothing but these counts.
        source = POLICY + "{tunnel t0 negotiate tunnel raddr 10.3.0.0/16} ipsec {encr_algs aes-gcm}\n"
        said = json.loads(conf(world, "--json", "--with", "-", "--explain",
                               "tunnel t0 out tcp 10.1.0.1:1 10.2.0.1:2", source=source).stdout)
        assert said["verdict"] == "drop" and said["rule"] is None and "outer" not in said

    def test_rules_that_no_sa_serves(self, world):
        text = ("{raddr 192.0.2.7} ipsec {encr_algs aes-gcm(256)}\n"
                "{tunnel vpn0 negotiate tunnel raddr 10.9.0.0/16} ipsec {encr_algs aes-gcm(256)}\n")
        tunnel = dict(SA, mode="tunnel", destination="198.51.100.1", encryption_bits=256,
                      inner_destination="10.9.0.0/16")
        whole = [dict(SA, encryption_bits=256), tunnel]

        def unserved(*sas):
            self.sas = list(sas)
            done = conf(world, "-c", "-", source=text)
            assert done.returncode == 0
            return [line.split(":")[1] for line in done.stderr.splitlines()
                    if "[rule-unserved]" in line]

        assert unserved() == ["1", "2"]
        assert unserved(*whole) == []
        assert unserved(dict(whole[0], encryption_bits=128), tunnel) == ["1"]
        assert unserved(dict(whole[0], direction="in"), tunnel) == ["1"]
        assert unserved(dict(whole[0], destination="192.0.2.8"), tunnel) == ["1"]
        assert unserved(whole[0], dict(tunnel, inner_destination="10.8.0.0/16")) == ["2"]
        assert unserved(dict(SA, origin="pfkey", spi="0x00002001")) == []  # there are ways to more
        # Nothing is said of what is not known.
        world.datapath_ends(world.fake)
        assert unserved() == []

    def rules_of(self, world):
        """The ids that the service's rules have, in match order: by what explain says of each."""
        flows = ["out tcp 10.0.0.5:22 192.0.2.7:80", "out tcp 10.0.0.5:1 192.0.2.7:80",
                 "out udp 10.0.0.5:1 192.0.2.7:1", "out udp 10.0.0.5:1 198.51.100.1:1"]
        return [json.loads(conf(world, "--json", "--explain", flow).stdout)["rule"] for flow in flows]

    def test_drift(self, world):
        self.rules = self.rules_of(world)
        done = conf(world, "--drift")
        assert (done.returncode, done.stdout) == (0, "file, service and datapath agree\n")
        self.rules.reverse()
        done = conf(world, "--drift")
        assert done.returncode == 1 and "the datapath has other rules" in done.stdout
        assert "  hint: 'systemctl status ipsec-policy'" in done.stderr
        self.rules.reverse()
        conf(world, "--fragment", "web", "-a", "-", source="{lport 80 dir in} drop {}\n")
        done = conf(world, "--drift")
        assert done.returncode == 1 and "only the" not in done.stdout
        conf(world, "--fragment", "web", "-f")
        world.write(FILE, POLICY.replace("drop", "pass"))
        done = conf(world, "--drift", "--json")
        said = json.loads(done.stdout)
        assert done.returncode == 1
        assert [(row["only"], row["line"]) for row in said["rules"]] == [("file", 4), ("service", 4)]
        assert said["problems"] == ["the service has other rules than its file"]
        (world.root / FILE.lstrip("/")).unlink()
        assert conf(world, "--drift").stdout.count("only the service") == 4

    def test_counters(self, world):
        self.rules = [
            {"index": 4, "id": "0" * 16, "tunnel": "", "direction": "out", "line": 2,
             "source": FILE, "text": "{ raddr 192.0.2.17/32 dir out } drop { } ",
             "packets": 5, "bytes": 60},
            {"index": 5, "id": "1" * 16, "tunnel": "", "direction": "in", "line": 1, "audit": True,
             "source": "fragment look", "text": "{ lport 80 dir in } drop { } ",
             "packets": 7, "bytes": 80}]
        assert conf(world, "-ln", "--counters").stdout == f"""\
#INDEX 4
#COUNTERS packets=5 bytes=60 source={FILE}:2
{{ raddr 192.0.2.17/32 dir out }} drop {{ }}\x20
#AUDIT INDEX 5
#COUNTERS packets=7 bytes=80 source=fragment look:1
#{{ lport 80 dir in }} drop {{ }}\x20
"""


class TestDiff:
    """--diff: rules and connections."""

    def test_rules(self, world, policyd):
        conf(world, "--fragment", "web", "-a", "-", source="{lport 80 dir in} drop {}\n")
        new = POLICY.replace("} drop {}", "} pass {}") + "{raddr 203.0.113.9} drop {}\n"
        new = new.replace("{lport 22 ulp tcp dir both} bypass {}\n", "")
        done = conf(world, "--json", "--diff", "-", source=new)
        rows = json.loads(done.stdout)["rules"]
        kinds = sorted((row["change"], row.get("before", {}).get("line"), row.get("after", {}).get("line"))
                       for row in rows)
        assert ("removed", 1, None) in kinds and ("changed", 4, 3) in kinds
        assert ("added", None, 4) in kinds
        assert not any("fragment" in row.get("before", {}).get("source", "") for row in rows)
        text = conf(world, "--diff", "-", source=new).stdout
        assert f"- {FILE}:1: {{ ulp 6 lport 22 dir both }} pass {{ }} \n" in text
        assert world.fake.sections["policy"][0] == 2

    def test_nothing(self, world, policyd):
        done = conf(world, "--diff", str(world.root / FILE.lstrip("/")))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "no rule would change\n"

    def test_connections(self, world, policyd):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)) as client:
                done = conf(world, "--json", "--diff", "-",
                            source=POLICY + f"{{raddr 127.0.0.1 rport {port} ulp tcp dir out}} drop {{}}\n")
                said = json.loads(done.stdout)["flows"]
                flow = f"out tcp 127.0.0.1:{client.getsockname()[1]} > 127.0.0.1:{port}"
                assert [(row["flow"], row["before"], row["after"]) for row in said] == [
                    (flow, "none", "drop")]
                assert said[0]["rule_after"]["line"] == 5

    def test_without_the_service(self, world):
        done = conf(world, "--diff", "-", source=POLICY)
        assert done.returncode == 0 and "compared with nothing" in done.stderr
        assert done.stdout.count("+ ") >= 4


class TestManaged:
    """Under the service manager: its exit codes, and no words that nobody reads."""

    ENV = {"INVOCATION_ID": "1", "NOTIFY_SOCKET": "/nonexistent"}

    def test_success(self, world, policyd):
        done = conf(world, "-a", "-", source="{lport 23 dir in} drop {}\n", env=self.ENV)
        assert (done.returncode, done.stdout) == (0, "1 policy rules added.\n")
        done = conf(world, "-F", "-a", "-", source=POLICY, env=self.ENV)
        assert (done.returncode, done.stdout) == (0, "8 policy rules added.\n")

    def test_no_file(self, world, policyd):
        done = conf(world, "-a", "/nonexistent", env=self.ENV)
        assert done.returncode == 0 and "/nonexistent: No such file" in done.stderr
        assert conf(world, "-a", "/nonexistent").returncode == 1

    def test_failures(self, world, policyd):
        done = conf(world, "-a", "-", source="{lport 23 dir in} dorp {}\n", env=self.ENV)
        assert done.returncode == 95
        done = conf(world, "-z", env=self.ENV)
        assert done.returncode == 95 and "usage:" not in done.stderr
        assert conf(world, "-z").returncode == 1

    def test_no_privilege(self, world):
        """Whether the service says no or the bus: 100, which restarting does not mend."""
        bus = world.datapath()

        class Refusing(dbus.service.Object):
            refusal = "org.netipsec.Error.NotAuthorized"

            @dbus.service.method("org.netipsec.Policy1", "sa{sv}", "t")
            def Flush(self, _tunnel, _options):
                raise dbus.DBusException("not you", name=self.refusal)

            @dbus.service.method("org.netipsec.Policy1", "sua{sv}", "tss")
            def Delete(self, _tunnel, _index, _options):
                raise dbus.DBusException("not you", name=self.refusal)

        bus.connection.request_name("org.netipsec.Policy1")
        service = Refusing(bus.connection, "/org/netipsec/Policy1")
        try:
            for refusal in (Refusing.refusal, "org.freedesktop.DBus.Error.AccessDenied"):
                service.refusal = refusal
                for argv in (("-F",), ("-d", "1")):
                    done = conf(world, *argv, env=self.ENV)
                    assert done.returncode == 100, (refusal, argv)
                    assert done.stderr == \
                        "Insufficient privilege to run ipsecconf.\nFatal error - exiting.\n"
                    done = conf(world, *argv)
                    assert done.returncode == 1
                    assert "  hint: it takes root, or membership in the group 'ipsecadm'\n" in done.stderr
        finally:
            service.remove_from_connection()

    def test_an_empty_file(self, world, policyd):
        done = conf(world, "-a", "-", source="# nothing\n", env=self.ENV)
        assert done.returncode == 0
        assert "Policy file does not contain any valid rules." in done.stderr
