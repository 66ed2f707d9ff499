# SPDX-License-Identifier: GPL-2.0-or-later
"""Of each code for policy files a text that earns it, and beside it one that is close and does not."""

import json
import re

import pytest
from service import REPO

GCM = "{encr_algs aes-gcm16(256)}"
TUN = "{tunnel t0 negotiate tunnel"
EXPECT = "{lport 22 dir in} drop {}\n#expect "


def wide(blanks):
    """One entry, ten words of it followed by so many blanks."""
    words = "ulp tcp laddr 10.0.0.1 lport 1 raddr 10.0.0.2 rport 2".split()
    return "{" + "".join(word + blanks * " " + "\n" for word in words) + "dir in} pass {}"


# code: what raises it, what comes close.
CASES = {
    "bad-character": ("{lport 22 dir in} drop {}\r\n", "{lport\t22 dir in} drop {}\n"),
    "line-too-long": (1023 * "#" + "\n", 1022 * "#" + "\n"),
    "value-missing": ("{lport} drop {}", "{lport 22 dir in} drop {}"),
    "action-missing": ("{lport 22}", "{lport 22} pass {dir in}"),
    "action-unknown": ("{lport 22} ipsecc {}", "{lport 22} bypass {}"),
    "action-unreachable": ("{lport 22} drop {} or pass {}", f"{{lport 22}} ipsec {GCM} or drop {{}}"),
    "brace-missing": ("{lport 22", "{lport 22\n} pass {\n}"),
    "continuation": ("{lport 22 dir in} \\\n\tpass {}", "{lport 22 dir in} pass {} # \\\n"),
    "entry-end": ("{lport 22} pass {} {lport 23} pass {}", "{lport 22} pass {} # {lport 23} pass {}"),
    "entry-start": ("lport 22 pass {}", "\n\t {lport 22} pass {}"),
    "entry-too-long": (wide(820), wide(600)),
    "or-style": ("{saddr 10.0.0.1 dir in} ipsec {encr_algs aes-gcm} or pass {}",
                 f"{{lport 22}} ipsec {GCM} or ipsec {{encr_algs aes encr_auth_algs sha256}}"),
    "properties-missing": ("{lport 22} pass", "{lport 22} pass { }"),
    "too-many-actions": ("{rport 1} " + "pass {} or " * 20 + "pass {}", "{rport 1} " + "pass {} or " * 19 + "pass {}"),
    "too-many-words": ("{" + "lport 1 " * 11 + "} pass {}", "{ulp tcp laddr 10.0.0.1 lport 1 raddr 10.0.0.2 rport 2 dir in} pass {}"),
    "addr-pairs": ("{laddr 10.0.0.1 raddr 2001:db8::1} pass {}", "{laddr 10.0.0.1 raddr 10.0.0.2} pass {}"),
    "addr-prefix": ("{raddr 10.0.0.0/33} pass {}", "{raddr 10.0.0.0/32} pass {}"),
    "addr-value": ("{raddr 10.0.0.256} pass {}", "{raddr 10.0.0.255} pass {}"),
    "direction-assumed": ("{lport 22} pass {}", "{lport 22 dir both} pass {}"),
    "direction-conflict": ("{lport 22} apply {encr_algs aes-gcm dir in}", "{lport 22} apply {encr_algs aes-gcm dir out}"),
    "direction-repeat": ("{lport 22 dir in} pass {dir in}", "{lport 22} pass {dir in}"),
    "direction-required": ("{saddr 10.0.0.1} ipsec {encr_algs aes-gcm}", "{saddr 10.0.0.1} permit {encr_algs aes-gcm}"),
    "direction-value": ("{lport 22 dir inward} pass {}", "{lport 22 dir out} pass {}"),
    "extension-off": ("{lport 22-23 dir in} pass {}", "{ulp icmp type 3-4 dir in} pass {}"),
    "icmp-code": ("{ulp icmp code 1 dir in} pass {}", "{ulp icmp type 3 code 1 dir in} pass {}"),
    "icmp-type": ("{ulp tcp type 8 dir in} pass {}", "{ulp icmp type 8 dir in} pass {}"),
    "mask-alone": ("{dmask 255.0.0.0 dport 22} apply {encr_algs aes-gcm}",
                   "{daddr 10.0.0.0 dmask 255.0.0.0} apply {encr_algs aes-gcm}"),
    "mask-prefix": ("{daddr 10.0.0.0/8 dmask 255.0.0.0} apply {encr_algs aes-gcm}",
                    "{saddr 10.0.0.0/8 daddr 10.0.0.0 dmask 255.0.0.0} apply {encr_algs aes-gcm}"),
    "mask-value": ("{daddr 10.0.0.0 dmask 255.0.255.0} apply {encr_algs aes-gcm}",
                   "{daddr 10.0.0.0 dmask 255.255.254.0} apply {encr_algs aes-gcm}"),
    "negotiate-value": ("{tunnel t0 negotiate tunel} pass {}", f"{TUN}}} pass {{}}"),
    "port-protocol": ("{ulp gre lport 22 dir in} pass {}", "{ulp sctp lport 22 dir in} pass {}"),
    "port-value": ("{lport 65536 dir in} pass {}", "{lport 65535 dir in} pass {}"),
    "protocol-value": ("{ulp 256 dir in} pass {}", "{ulp 255 dir in} pass {}"),
    "selector-repeat": ("{lport 22 lport 23 dir in} pass {}", "{lport 22 rport 22 dir in} pass {}"),
    "selector-style": ("{saddr 10.0.0.1 lport 22 dir in} pass {}", "{laddr 10.0.0.1 lport 22 dir in} pass {}"),
    "selector-unknown": ("{lprt 22 dir in} pass {}", "{sport 22 dir in} pass {}"),
    "tunnel-mode": (f"{TUN} lport 22 dir in}} pass {{}}\n{{tunnel t0 negotiate transport dir out}} drop {{}}",
                    f"{TUN} lport 22 dir in}} pass {{}}\n{{tunnel t1 negotiate transport dir out}} drop {{}}"),
    "tunnel-name": ("{tunnel a/b negotiate tunnel dir in} pass {}", "{tunnel a-b.c negotiate tunnel dir in} pass {}"),
    "tunnel-pair": ("{tunnel t0 dir in} pass {}", f"{TUN} dir in}} pass {{}}"),
    "tunnel-selectors": ("{tunnel t0 negotiate transport lport 22 dir in} pass {}", f"{TUN} lport 22 dir in}} pass {{}}"),
    "tunnel-unique": (f"{TUN}}} ipsec {{encr_algs aes-gcm sa unique}}", "{tunnel t0 negotiate transport} ipsec {encr_algs aes-gcm sa unique}"),
    "alg-combined": ("{raddr 10.0.0.1} ipsec {encr_algs aes-gcm encr_auth_algs sha256}",
                     "{raddr 10.0.0.1} ipsec {encr_algs aes-ctr encr_auth_algs sha256}"),
    "alg-forbidden": ("{raddr 10.0.0.1 dir in} pass {encr_algs aes}", "{raddr 10.0.0.1} pass {dir in}"),
    "alg-key-sizes": ("{raddr 10.0.0.1} ipsec {encr_algs aes(129..191) encr_auth_algs sha256}",
                      "{raddr 10.0.0.1} ipsec {encr_algs aes(129..192) encr_auth_algs sha256}"),
    "alg-missing": ("{raddr 10.0.0.1} ipsec {sa shared}", "{raddr 10.0.0.1} ipsec {auth_algs sha256}"),
    "alg-value": ("{raddr 10.0.0.1} ipsec {encr_algs aess}", "{raddr 10.0.0.1} ipsec {encr_algs AES}"),
    "alg-weak": ("{raddr 10.0.0.1} ipsec {encr_algs 3des encr_auth_algs sha256}",
                 "{raddr 10.0.0.1} ipsec {encr_algs aes encr_auth_algs sha1}"),
    "no-integrity": ("{raddr 10.0.0.1} ipsec {encr_algs aes}", "{raddr 10.0.0.1} ipsec {encr_algs aes auth_algs sha256}"),
    "no-protection": ("{raddr 10.0.0.1} ipsec {encr_algs null encr_auth_algs none}",
                      "{raddr 10.0.0.1} ipsec {encr_algs null encr_auth_algs sha256}"),
    "property-repeat": ("{raddr 10.0.0.1} ipsec {encr_algs aes encr_algs aes}", f"{{raddr 10.0.0.1}} ipsec {GCM} or ipsec {GCM}"),
    "property-unknown": ("{raddr 10.0.0.1} ipsec {encr_alg aes}", "{raddr 10.0.0.1} ipsec {encr_algs AES-GCM}"),
    "sa-value": ("{raddr 10.0.0.1} ipsec {encr_algs aes-gcm sa single}", "{raddr 10.0.0.1} ipsec {encr_algs aes-gcm sa unique}"),
    "expect-about": (EXPECT + "in icmp type 3 10.0.0.1 10.0.0.2 none", EXPECT + "in icmp type 8 10.0.0.1 10.0.0.2 none"),
    "expect-broken": (EXPECT + "in tcp 10.0.0.1:1 10.0.0.2:22 bypass", EXPECT + "in tcp 10.0.0.1:22 10.0.0.2:1 none"),
    "expect-syntax": (EXPECT + "in tcp 10.0.0.1:1 10.0.0.2:22 dropped", EXPECT + "in tcp 10.0.0.1:1 > 10.0.0.2:22 drop"),
    "rule-duplicate": ("{lport 22 dir in} pass {}\n{lport 22 dir in} drop {}", "{lport 22 dir in} pass {}\n{lport 22 dir out} drop {}"),
    "rule-never": ("{ulp icmp raddr 2001:db8::1 dir both} drop {}", "{ulp ipv6-icmp raddr 2001:db8::1 dir both} drop {}"),
    "rule-one-way": ("{daddr 10.9.0.0/16} apply {encr_algs aes-gcm}",
                     "{daddr 10.9.0.0/16} apply {encr_algs aes-gcm}\n{saddr 10.9.0.0/16} permit {encr_algs aes-gcm}"),
    "rule-order": ("{lport 22 raddr 10.0.0.0/8 dir in} drop {}\n{raddr 10.1.0.0/16 dir in} ipsec {encr_algs aes-gcm}",
                   "{raddr 10.1.0.0/16 dir in} ipsec {encr_algs aes-gcm}\n{lport 22 raddr 10.0.0.0/8 dir in} drop {}"),
    "rule-shadowed": ("{raddr 10.0.0.0/8 dir in} drop {}\n{raddr 10.1.0.0/16 lport 22 dir in} drop {}",
                      "{raddr 10.0.0.0/8 dir in} drop {}\n{raddr 10.1.0.0/16 lport 22 dir both} drop {}"),
}

# What takes a network, a host with tunnels or SAs, or a file that somebody else owns: tested where those are.
ELSEWHERE = {"entry-unmatched", "addr-list", "addr-multi", "addr-network", "addr-timeout", "name-network",
             "alg-unavailable", "flow-syntax", "policy-file", "policy-rights", "rule-unserved",
             "tunnel-absent", "tunnel-routing"}


def raised(world, text):
    path = world.root / "near"
    path.write_bytes(text.encode())
    done = world.run("ipsecconf", "-c", str(path), "--json")
    return {row["code"] for row in json.loads(done.stdout)["diagnostics"]}, done


@pytest.mark.parametrize("code", CASES)
def test_close_is_not_it(world, code):
    wrong, close = CASES[code]
    assert code in raised(world, wrong)[0]
    codes, done = raised(world, close)
    assert code not in codes, done.stdout


def test_no_code_is_forgotten():
    page = (REPO / "man/netipsec-diagnostics.7").read_text()
    policy = page[page.index(".Ss Every file"):page.index(".Ss Key files")]
    assert set(re.findall(r"^\.It Cm (\S+)$", policy, re.M)) == set(CASES) | ELSEWHERE


TUNNEL = '{ name = "t0"; source = "192.0.2.1"; destination = "192.0.2.2"; }'

# code: settings of the datapath that earn it, and those that come close.
SETTINGS = [
    ("setting-missing", 'tunnels = ({ name = "t0"; source = "192.0.2.1"; });', f"tunnels = ({TUNNEL});"),
    ("setting-twice", f"tunnels = ({TUNNEL}, {TUNNEL});", "tunnels = (%s, %s);" % (
        TUNNEL, TUNNEL.replace('"t0"', '"t1"').replace("192.0.2.2", "192.0.2.3"))),
    ("setting-value", 'interface = "a/b";', 'interface = "a-b";'),
]


@pytest.mark.parametrize("code,wrong,close", SETTINGS, ids=[row[0] for row in SETTINGS])
def test_settings_of_the_datapath(world, code, wrong, close):
    path = world.root / "datapath.cfg"
    for text, earns in (wrong, True), (close, False):
        path.write_text(text)
        done = world.run("ipsec-datapathd", "--check", "--config", str(path))
        assert (f"[{code}]" in done.stderr, done.returncode != 0) == (earns, earns), done.stderr


# code: daemon, file, what is done to it.
FILES = [
    ("policy-rights", "ipsec-policyd", "etc/inet/ipsecinit.conf", lambda path: path.chmod(0o666)),
    ("policy-file", "ipsec-policyd", "etc/inet/ipsecinit.conf", lambda path: (path.unlink(), path.mkdir())),
    ("algs-rights", "ipsecalgsd", "etc/inet/ipsecalgs", lambda path: path.chmod(0o666)),
    ("algs-file", "ipsecalgsd", "etc/inet/ipsecalgs", lambda path: (path.unlink(), path.mkdir())),
    ("ike-file", "ipsec-iked", "etc/inet/ike/config", lambda path: (path.unlink(), path.mkdir())),
]


@pytest.mark.parametrize("code,daemon,name,spoil", FILES, ids=[row[0] for row in FILES])
def test_files_of_the_daemons(world, code, daemon, name, spoil):
    world.write(name, "# nothing\n")
    done = world.run(daemon, "--check")
    assert done.returncode == 0 and f"[{code}]" not in done.stderr
    spoil(world.root / name)
    done = world.run(daemon, "--check")
    assert done.returncode != 0 and f"[{code}]" in done.stderr


@pytest.mark.parametrize("flow,earns", [("out tcp 10.0.0.1:1 10.0.0.2:65536", True), ("out tcp 10.0.0.1:1 10.0.0.2:65535", False)])
def test_flows(world, flow, earns):
    done = world.run("ipsecconf", "--explain", flow, "--with", "/dev/null")
    assert ("[flow-syntax]" in done.stderr) == earns


def test_every_code_of_the_page_is_earned_somewhere():
    """In a golden file as it is printed, or by a test that names it."""
    page = (REPO / "man/netipsec-diagnostics.7").read_text()
    golden = "".join(path.read_text(errors="replace") for path in (REPO / "tests/golden").rglob("*.out"))
    tests = "".join(path.read_text(errors="replace") for ending in ("c", "h", "py")
                    for path in (REPO / "tests").rglob(f"*.{ending}"))
    codes = re.findall(r"^\.It Cm (\S+)$", page, re.M)
    assert [code for code in codes if f"[{code}]" not in golden and code not in CASES and
            not re.search(rf"[\"\[ ]{code}[\":;\]]", tests)] == []
