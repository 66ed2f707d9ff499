# SPDX-License-Identifier: GPL-2.0-or-later
"""Manual keys on a host: what the service loads, what ipseckey changes, and who sees keys."""

import json
import os

import pytest
from nettest.sas import dump_sas

KEYS = "/etc/inet/secret/ipseckeys"
SETTINGS = "/etc/netipsec/manual-key.cfg"
UNIT = "ipsec-manual-key"
OTHER = "add esp spi 0x5001 src 192.0.2.1 dst 203.0.113.5 encr_alg aes " \
        "encrkey 6b1f0c9be27d4853b0d2f4a697183c51 auth_alg sha1 " \
        "authkey 8e40d1c7b5a6392f1078e6d5c4b3a291807f6e51\n"


@pytest.fixture(name="alpha")
def alpha_fixture(pair):
    """A host whose key file is put back, and in force, afterwards."""
    host = pair["alpha"]
    before = host.path(KEYS).read_text()
    yield host
    host.write(KEYS, before)
    os.chmod(host.path(KEYS), 0o600)
    if host.path(SETTINGS).exists():
        host.path(SETTINGS).unlink()
        host.systemctl("restart", UNIT)
    host.systemctl("reload", UNIT)
    assert set(dump_sas(host)) == {0x1001, 0x1002, 0x1003, 0x1004}


def dump(host, *options):
    return json.loads(host.exec("ipseckey", "-n", "--json", *options, "dump"))["associations"]


def key_words(host):
    """The keys of the file, as they stand there."""
    words = host.path(KEYS).read_text().split()
    return [after for word, after in zip(words, words[1:]) if word in ("encrkey", "authkey")]


BAD = {
    "no such keyword": ("add esp spi 1005 dst 192.0.2.1 encr_algo aes\n", ":1:32: error: ", "[key-keyword]"),
    "a key too short": ("# two\nadd esp spi 1005 dst 192.0.2.1 encr_alg aes encrkey 0123456789abcd\n",
                        ":2:45: error: ", "[key-length]"),
    "the same SA twice": (OTHER + OTHER, ":2:1: error: ", "[key-exists]"),
    "a command for people": ("dump esp\n", ":1:1: error: ", "[key-command]"),
}


@pytest.mark.parametrize("text,place,code", BAD.values(), ids=BAD)
def test_a_bad_line_changes_nothing_in_force_when_strict(alpha, text, place, code):
    alpha.path(SETTINGS).parent.mkdir(parents=True, exist_ok=True)
    alpha.write(SETTINGS, "strict = true;\n")
    alpha.systemctl("restart", UNIT)
    before = dump_sas(alpha)
    alpha.write(KEYS, text)
    done = alpha.systemctl("reload", UNIT, ok=False)
    assert done.returncode == 1
    assert KEYS + place in done.stderr and code in done.stderr
    assert "0123456789abcd" not in done.stderr
    assert dump_sas(alpha) == before


def test_a_file_that_others_may_read_is_refused(alpha):
    before = dump_sas(alpha)
    alpha.write(KEYS, OTHER)
    os.chmod(alpha.path(KEYS), 0o640)
    done = alpha.systemctl("reload", UNIT, ok=False)
    assert done.returncode == 1 and "[key-rights]" in done.stderr
    assert dump_sas(alpha) == before


def test_reload_restores_what_was_flushed(alpha):
    alpha.exec("ipseckey", "flush")
    assert not dump(alpha)
    alpha.systemctl("reload", UNIT)
    assert len(dump(alpha)) == 4
    assert alpha.run("ping", "-c1", "-W5", "192.0.2.2").returncode == 0


@pytest.mark.parametrize("settings,left", [("", 5), ("flush_on_load = true;\n", 4)], ids=["kept", "flushed"])
def test_what_others_brought_goes_by_request_alone(alpha, tmp_path, settings, left):
    extra = tmp_path / "extra"
    extra.write_text(OTHER)
    extra.chmod(0o600)
    alpha.exec("ipseckey", "-f", str(extra))
    assert len(dump(alpha)) == 5
    alpha.path(SETTINGS).parent.mkdir(parents=True, exist_ok=True)
    alpha.write(SETTINGS, settings)
    alpha.systemctl("reload", UNIT)
    assert len(dump(alpha)) == left
    assert alpha.run("ping", "-c1", "-W5", "192.0.2.2").returncode == 0
    if left == 5:
        alpha.exec("ipseckey", "delete", "esp", "spi", "0x5001", "dst", "203.0.113.5")


def test_a_missing_file_is_no_keys_and_no_error(alpha):
    text = alpha.path(KEYS).read_text()
    alpha.path(KEYS).unlink()
    try:
        alpha.systemctl("reload", UNIT)
        assert not dump(alpha)
    finally:
        alpha.write(KEYS, text)
        os.chmod(alpha.path(KEYS), 0o600)


def test_stop_removes_and_restart_keeps(alpha):
    assert alpha.run("ping", "-c1", "-W5", "192.0.2.2").returncode == 0
    before = dump_sas(alpha)
    alpha.systemctl("restart", UNIT)
    after = dump_sas(alpha)
    assert after[0x1001]["packets"] >= before[0x1001]["packets"] > 0
    alpha.systemctl("stop", UNIT)
    assert not dump_sas(alpha)
    alpha.systemctl("start", UNIT)


def test_file_of_commands(alpha, tmp_path):
    commands = tmp_path / "commands"
    commands.write_text(OTHER + OTHER + "get esp spi 0x5001 dst 203.0.113.5\n")
    commands.chmod(0o600)
    done = alpha.run("ipseckey", "-n", "-f", str(commands))
    assert done.returncode == 1
    assert f"{commands}:2:1: error: Association (type = ESP) with spi 0x5001 and addr " \
           "203.0.113.5 already exists [pfkey-exists]\n" in done.stderr
    assert "SA: SADB_ASSOC spi=0x5001" in done.stdout
    alpha.systemctl("reload", UNIT)
    assert 0x5001 in dump_sas(alpha), "a reload takes nothing that another door brought"
    alpha.exec("ipseckey", "delete", "esp", "spi", "0x5001", "dst", "203.0.113.5")
    assert 0x5001 not in dump_sas(alpha)
    done = alpha.run("ipseckey", "get", "esp", "spi", "0x5001", "dst", "203.0.113.5")
    assert done.returncode == 1 and "does not exist" in done.stderr


@pytest.mark.parametrize("words", [("flush", "foo"), ("flush", "esp", "now"), ("dump", "5000")],
                         ids=" ".join)
def test_a_command_with_a_mistake_does_nothing(alpha, words):
    assert alpha.run("ipseckey", *words).returncode == 1
    assert len(dump(alpha)) == 4


def test_keys_are_shown_to_root_and_not_when_paranoid(alpha):
    keys = set(key_words(alpha))
    assert {sa[name] for sa in dump(alpha, "--reveal-keys") for name in ("encr_key", "auth_key") if name in sa} == keys
    assert not any("encr_key" in sa or "auth_key" in sa for sa in dump(alpha, "-p"))
    plain = alpha.exec("ipseckey", "-np", "dump")
    assert "EKY: XXXX" in plain and not any(key[:8] in plain for key in keys)


@pytest.mark.root
def test_a_user_without_rights_sees_no_key(alpha):
    done = alpha.run("ipseckey", "-n", "dump", user="nobody")
    assert not any(key[:8] in done.stdout for key in key_words(alpha))
    assert alpha.run("ipseckey", "flush", user="nobody").returncode == 1
    assert len(dump(alpha)) == 4


def test_keys_stand_in_no_log_and_on_no_bus(pair, alpha):
    alpha.write(KEYS, alpha.path(KEYS).read_text() + "add esp " + key_words(alpha)[0] + "\n")
    alpha.systemctl("reload", UNIT, ok=False)
    seen = pair.logs() + json.dumps(dump_sas(alpha), default=str)
    assert not any(key[:16] in seen for key in key_words(alpha))
