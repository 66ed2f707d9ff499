# SPDX-License-Identifier: GPL-2.0-or-later
"""An algorithm taken away by ipsecalgs, in force on a host: what goes on and what does not."""

import json

import pytest
from nettest.probe import SteadyProbe, loses_nothing
from nettest.sas import dump_sas

FILE = "/etc/inet/ipsecalgs"
KEYS = "/etc/inet/secret/ipseckeys"
POLICY = "/etc/inet/ipsecinit.conf"
REMOVE = ("ipsecalgs", "-r", "-p", "PROTO_IPSEC_ESP", "-n", "aes", "-s")
RESTORE = ("ipsecalgs", "-a", "-P", "3", "-N", "12", "-n", "aes-cbc,aes", "-m", "CKM_AES_CBC",
           "-k", "128-256", "-i", "64", "-b", "16", "-s")
NEW_SA = "add esp spi 0x7001 src 192.0.2.1 dst 203.0.113.5 encr_alg {} encrkey " + "5a" * 16 + \
         " auth_alg sha256 authkey " + "a5" * 32 + "\n"
NEW_RULE = "{{raddr 203.0.113.5}} ipsec {{encr_algs {} encr_auth_algs sha256 sa shared}}\n"


@pytest.fixture(name="alpha")
def alpha_fixture(pair):
    """A host whose files are put back, and in force, afterwards."""
    host = pair["alpha"]
    before = {path: host.path(path).read_text() for path in (KEYS, POLICY)}
    yield host
    host.exec(*RESTORE)
    for path, text in before.items():
        host.write(path, text)
    host.path(KEYS).chmod(0o600)
    for unit in ("ipsec-manual-key", "ipsec-policy"):
        host.systemctl("reload", unit)
    assert set(dump_sas(host)) == {0x1001, 0x1002, 0x1003, 0x1004}


def status(host):
    shown = json.loads(host.exec("ipsecalgs", "--status", "--json"))
    return {(proto["number"], alg["number"]): alg["status"]
            for proto in shown["protocols"] for alg in proto["algorithms"]}


def answers(host):
    return host.run("ping", "-c1", "-W5", "192.0.2.2").returncode == 0


def test_what_is_there_lives_on_without_a_loss(pair, alpha):
    loses_nothing(lambda: SteadyProbe(alpha, pair["beta"], "192.0.2.2"),
                  lambda: [alpha.exec(*command) for command in (REMOVE, RESTORE)])


def test_the_status_says_so(alpha):
    assert status(alpha)[3, 12] == "available"
    alpha.exec(*REMOVE)
    assert status(alpha)[3, 12] == "disabled"
    alpha.exec(*RESTORE)
    assert status(alpha)[3, 12] == "available"


@pytest.mark.parametrize("name", ["aes-cbc", "12"])
def test_new_sas_are_refused_by_name(alpha, name):
    alpha.exec(*REMOVE)
    alpha.write(KEYS, alpha.path(KEYS).read_text() + NEW_SA.format(name))
    alpha.path(KEYS).chmod(0o600)
    done = alpha.systemctl("reload", "ipsec-manual-key", ok=False)
    assert done.returncode == 1 and "Unknown encryption algorithm [key-algorithm]" in done.stderr
    assert 0x7001 not in dump_sas(alpha) and answers(alpha)


def test_new_rules_are_refused_by_name(alpha):
    alpha.exec(*REMOVE)
    alpha.write(POLICY, alpha.path(POLICY).read_text() + NEW_RULE.format("aes"))
    done = alpha.systemctl("reload", "ipsec-policy", ok=False)
    assert done.returncode == 1 and "algorithm" in done.stderr and f"{POLICY}:" in done.stderr
    assert answers(alpha), "the policy in force is unchanged"


def test_a_removal_without_s_waits(alpha):
    alpha.exec(*REMOVE[:-1])
    assert status(alpha)[3, 12] == "available", "still in force"
    alpha.write(KEYS, alpha.path(KEYS).read_text() + NEW_SA.format("aes-cbc"))
    alpha.path(KEYS).chmod(0o600)
    alpha.exec("ipsecalgs", "-s")
    assert status(alpha)[3, 12] == "disabled"
    assert alpha.systemctl("reload", "ipsec-manual-key", ok=False).returncode == 1


def test_the_datapath_goes_by_the_table_in_force(alpha):
    """The file names it again, what is in force does not: the services' parsers let it through."""
    alpha.exec(*REMOVE)
    alpha.exec(*RESTORE[:-1])
    alpha.write(POLICY, alpha.path(POLICY).read_text() + NEW_RULE.format("aes"))
    done = alpha.systemctl("reload", "ipsec-policy", ok=False)
    assert done.returncode == 1 and "is not in the table of algorithms in force" in done.stderr
    alpha.write(KEYS, alpha.path(KEYS).read_text() + NEW_SA.format("aes-cbc"))
    alpha.path(KEYS).chmod(0o600)
    done = alpha.systemctl("reload", "ipsec-manual-key", ok=False)
    assert done.returncode == 1 and "Unsupported encryption algorithm" in done.stderr
    assert 0x7001 not in dump_sas(alpha) and answers(alpha)


def test_the_file_stays_as_it_is_owned(alpha):
    alpha.exec(*REMOVE)
    found = alpha.path(FILE).stat()
    assert found.st_mode & 0o7777 == 0o444
