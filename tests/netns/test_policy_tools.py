# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsecconf beside a datapath that is real: explanations, drift, audit rules, trials that end by themselves."""

import json
import select

import pytest

POLICY = "/etc/inet/ipsecinit.conf"
DROP = "{{raddr {} ulp icmp dir out}} drop {{}}\n"


@pytest.fixture(name="alpha")
def alpha_fixture(pair):
    """A host whose policy is that of its file again afterwards."""
    host = pair["alpha"]
    before = host.path(POLICY).read_text()
    yield host
    host.write(POLICY, before)
    host.run("ipsecconf", "--confirm-yes")
    for row in json.loads(host.exec("ipsecconf", "--fragments", "--json"))["fragments"]:
        host.exec("ipsecconf", "--fragment", row["name"], "-f")
    host.systemctl("reload", "ipsec-policy")
    assert host.run("ipsecconf", "--drift").returncode == 0


def answers(host, address="192.0.2.2"):
    return host.run("ping", "-c1", "-W2", address).returncode == 0


def explain(host, flow):
    return json.loads(host.exec("ipsecconf", "--json", "--explain", flow))


def add(host, text, *options):
    done = host.run("ipsecconf", "-q", *options, "-a", "-", stdin=text)
    assert done.returncode == 0, done.stderr


def wait_for_rules(host, condition):
    """Follows the section's generations until the rules in force are as wanted."""
    with host.popen("gdbus", "monitor", "--system", "--dest", "org.netipsec.Datapath1",
                    stdout=-1) as monitor:
        try:
            while b"is owned by" not in monitor.stdout.readline():
                pass  # from then on it hears
            while not condition(host.exec("ipsecconf", "-ln")):
                assert select.select([monitor.stdout], [], [], 30)[0], "no signal came"
                monitor.stdout.readline()
        finally:
            monitor.kill()


def test_the_sa_that_explain_names_is_the_one_that_counts(alpha):
    said = explain(alpha, "out icmp 192.0.2.1 192.0.2.2 type 8 code 0")
    assert said["verdict"] == "ipsec" and said["rule"]["source"] == POLICY
    before = int(said["sa"]["packets"])
    assert answers(alpha)
    again = explain(alpha, "out icmp 192.0.2.1 192.0.2.2 type 8 code 0")
    assert again["sa"]["spi"] == said["sa"]["spi"] and int(again["sa"]["packets"]) > before


EXPLAINED = [  # what a file would ask for; alternative that SAs serve, protocol that is missing
    ("ipsec {encr_algs aes encr_auth_algs sha256}", True, None),
    ("ipsec {encr_algs aes encr_auth_algs sha512}", False, "esp"),
    ("ipsec {encr_algs aes(256) encr_auth_algs sha256}", False, "esp"),
    ("ipsec {auth_algs sha256 encr_algs aes encr_auth_algs sha256}", False, "ah"),
    ("ipsec {encr_algs aes-gcm} or ipsec {encr_algs aes encr_auth_algs sha256}", True, None),
]


@pytest.mark.parametrize("action,served,missing", EXPLAINED, ids=[row[0] for row in EXPLAINED])
def test_sas_for_a_file_that_is_not_loaded(alpha, action, served, missing):
    """They are chosen by algorithms and key sizes, as the datapath would if the file were in force."""
    flow = "out icmp 192.0.2.1 192.0.2.2 type 8 code 0"
    used = explain(alpha, flow)["sa"]["spi"]
    said = json.loads(alpha.run("ipsecconf", "--json", "--explain", flow, "--with", "-",
                                stdin=f"{{raddr 192.0.2.2}} {action}\n").stdout)
    assert said["datapath"] and said["rule"]["source"] == "stdin"
    if served:
        assert said["sa"]["spi"] == used and "acquire" not in said
    else:
        assert "sa" not in said and said["acquire"]["protocol"] == missing
        assert said["acquire"]["destination"] == "192.0.2.2"


def test_sas_that_a_packet_could_have_come_by(alpha):
    flow = "in icmp 192.0.2.2 192.0.2.1 type 8 code 0"
    own = explain(alpha, flow)
    assert own["others"] == [] and own["sa"]["direction"] == "in"
    ends = "src 192.0.2.2 dst 192.0.2.1"
    more = (f"add esp spi 0x5001 {ends} encr_alg aes encrkey {'11' * 32} auth_alg sha256 authkey {'22' * 32}\n"
            f"add esp spi 0x5002 {ends} encr_alg aes encrkey {'13' * 16} auth_alg sha512 authkey {'24' * 64}\n"
            f"add ah spi 0x5003 {ends} auth_alg sha256 authkey {'35' * 32}\n")
    assert alpha.run("ipseckey", stdin=more).returncode == 0
    try:
        # Key sizes do not count on the way in; integrity that the rule names does, and surplus AH.
        said = explain(alpha, flow)
        assert [said["sa"]["spi"]] + [row["sa"]["spi"] for row in said["others"]] == \
            ["0x00005001", own["sa"]["spi"]]
        both = json.loads(alpha.run(
            "ipsecconf", "--json", "--explain", flow, "--with", "-",
            stdin="{raddr 192.0.2.2} ipsec {auth_algs sha256 encr_algs aes encr_auth_algs sha512}\n").stdout)
        assert (both["sa"]["spi"], both["sa_outer"]["spi"]) == ("0x00005002", "0x00005003")
        assert both["others"] == []
    finally:
        for proto, spi in (("esp", "0x5001"), ("esp", "0x5002"), ("ah", "0x5003")):
            alpha.run("ipseckey", "delete", proto, "spi", spi, "dst", "192.0.2.1")
    assert explain(alpha, flow)["sa"]["spi"] == own["sa"]["spi"]


def test_drift_of_file_and_service(alpha):
    assert alpha.run("ipsecconf", "--drift").returncode == 0
    add(alpha, "{raddr 203.0.113.1} drop {}\n")
    done = alpha.run("ipsecconf", "--drift")
    assert done.returncode == 1 and "only the service: stdin:1: " in done.stdout


def test_an_audit_rule_counts_and_lets_through(alpha):
    """Of what no rule in force knows: nobody answers there, but the packets set out."""
    add(alpha, DROP.format("192.0.2.77"), "--fragment", "look", "--audit")
    assert explain(alpha, "out icmp 192.0.2.1 192.0.2.77 type 8 code 0")["verdict"] == "none"
    assert not answers(alpha, "192.0.2.77")
    listing = alpha.exec("ipsecconf", "-ln", "--counters")
    rule = listing[listing.index("#AUDIT INDEX"):].splitlines()
    assert not rule[1].startswith("#COUNTERS packets=0 ")
    assert rule[1].endswith(" source=fragment look:1") and "drop" in rule[2]
    # The same in earnest is another thing.
    add(alpha, DROP.format("192.0.2.77"), "--fragment", "look")
    assert explain(alpha, "out icmp 192.0.2.1 192.0.2.77 type 8 code 0")["verdict"] == "drop"
    alpha.exec("ipsecconf", "--fragment", "look", "-f")
    assert answers(alpha)


def test_a_policy_that_is_not_enforced_counts(alpha):
    """enforce = false: packets that the file would have dropped or protected leave in clear."""
    alpha.write("/etc/netipsec/policy.cfg", "enforce = false;\n")
    try:
        alpha.write(POLICY, DROP.format("192.0.2.77"))
        alpha.systemctl("restart", "ipsec-policy")
        alpha.wait_active("ipsec-policy")
        assert explain(alpha, "out icmp 192.0.2.1 192.0.2.77 type 8 code 0")["verdict"] == "none"
        assert not answers(alpha, "192.0.2.77")
        listing = alpha.exec("ipsecconf", "-ln", "--counters")
        rule = listing[listing.index("#AUDIT INDEX"):].splitlines()
        assert "packets=0 " not in rule[1] and "drop" in rule[2]
    finally:
        alpha.path("/etc/netipsec/policy.cfg").unlink()
        alpha.systemctl("restart", "ipsec-policy")


def test_a_name_follows_its_address(alpha):
    """An address that comes to the host makes the service ask for its names again."""
    hosts = alpha.exec("cat", "/etc/hosts")

    def names(more):
        alpha.run("tee", "/etc/hosts", stdin=hosts + more)

    try:
        names("192.0.2.88 moving.example\n")
        add(alpha, "{raddr moving.example ulp tcp dir out} drop {}\n")
        flow = "out tcp 192.0.2.1:1 192.0.2.99:9"
        assert "192.0.2.88" in alpha.exec("ipsecconf", "-ln")
        assert explain(alpha, flow)["verdict"] == "none"
        names("192.0.2.99 moving.example\n")
        alpha.exec("ip", "address", "add", "198.51.100.9/32", "dev", "lo")
        wait_for_rules(alpha, lambda rules: "192.0.2.88" not in rules)
        assert explain(alpha, flow)["verdict"] == "drop"
    finally:
        alpha.run("ip", "address", "del", "198.51.100.9/32", "dev", "lo")
        names("")


def test_what_is_deleted_is_out_of_force(alpha):
    add(alpha, "{raddr 192.0.2.99 ulp udp rport 9} drop {}\n")
    lines = alpha.exec("ipsecconf", "-ln").splitlines()
    index = next(lines[n - 1].split()[1] for n, line in enumerate(lines)
                 if "192.0.2.99" in line and "dir out" in line)
    alpha.exec("ipsecconf", "-q", "-d", index)
    left = [line for line in alpha.exec("ipsecconf", "-ln").splitlines() if "192.0.2.99" in line]
    assert len(left) == 1 and "dir in" in left[0]


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "dead"])
def test_a_trial_ends_by_itself(alpha, killed):
    add(alpha, "{raddr 203.0.113.7} drop {}\n", "--confirm", "3")
    assert "203.0.113.7" in alpha.exec("ipsecconf", "-ln")
    if killed:
        alpha.hold("ipsec-policy")
        alpha.kill("ipsec-policy")
    wait_for_rules(alpha, lambda rules: "203.0.113.7" not in rules)
    if killed:
        alpha.release("ipsec-policy")
        alpha.wait_active("ipsec-policy")
    assert "203.0.113.7" not in alpha.exec("ipsecconf")
    assert answers(alpha)
    assert alpha.run("ipsecconf", "--drift").returncode == 0


@pytest.mark.parametrize("dead", [["ipsec-policy"], ["ipsec-datapath"], ["ipsec-policy", "ipsec-datapath"]],
                         ids=" and ".join)
def test_a_file_on_trial_goes_whoever_dies(alpha, dead):
    """The service that comes next finds in its file what nobody has confirmed."""
    alpha.write(POLICY, "{raddr 203.0.113.7 dir out} drop {}\n" + alpha.path(POLICY).read_text())
    alpha.exec("ipsecconf", "--reload", "--confirm", "5")
    assert "203.0.113.7" in alpha.exec("ipsecconf", "-ln")
    for unit in dead:
        alpha.kill(unit)
    for unit in dead:
        alpha.wait_active(unit)
    wait_for_rules(alpha, lambda rules: "203.0.113.7" not in rules)
    assert answers(alpha) and alpha.run("ipsecconf", "--drift").returncode == 1
    # It knows the policy of before, too, and adds to that.
    add(alpha, "{raddr 203.0.113.8 dir out} drop {}\n")
    rules = alpha.exec("ipsecconf", "-ln")
    assert "203.0.113.8" in rules and "203.0.113.7" not in rules
    alpha.exec("ipsecconf", "--reload")
    rules = alpha.exec("ipsecconf", "-ln")
    assert "203.0.113.7" in rules and "203.0.113.8" not in rules


def test_a_trial_that_is_confirmed_stays(alpha):
    add(alpha, "{raddr 203.0.113.7} drop {}\n", "--confirm", "600")
    alpha.exec("ipsecconf", "--confirm-yes")
    add(alpha, "{raddr 203.0.113.8} drop {}\n")
    assert "203.0.113.7" in alpha.exec("ipsecconf", "-ln")
