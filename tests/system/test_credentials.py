# SPDX-License-Identifier: GPL-2.0-or-later
"""The key file as a credential of the service manager, plain and encrypted."""

import json

import pytest

UNIT = "ipsec-manual-key"
PLAIN = "/root/keys"
SEALED = "/etc/credstore.encrypted/keys"
DROP_IN = f"/etc/systemd/system/{UNIT}.service.d/credential.conf"
ONE = ("add esp spi 0x1001 src 10.9.9.1 dst 10.9.9.2 encr_alg aes encrkey 5d0c3f9be27d4853b0d2f4a697183c51 "
       "auth_alg sha1 authkey 8e40d1c7b5a6392f1078e6d5c4b3a291807f6e51\n")
TWO = ONE + ONE.replace("0x1001", "0x1002").replace("5d0c", "5d0d")


def sas(machine):
    listing = json.loads(machine.exec("ipsecstat", "--sas", "--json"))
    return {sa["spi"]: sa["added_usec"] for sa in listing["sas"]}


def provide(machine, kind, text):
    machine.write(PLAIN, text, mode=0o600)
    if kind == "LoadCredentialEncrypted":
        machine.exec("mkdir", "-p", "-m", "0700", "/etc/credstore.encrypted")
        machine.exec("systemd-creds", "encrypt", "--with-key=host", "--name=ipseckeys", PLAIN, SEALED)
        machine.exec("rm", PLAIN)
        assert "5d0c3f9b" not in machine.path(SEALED).read_text(errors="replace")


@pytest.mark.parametrize("kind, place", [("LoadCredential", PLAIN), ("LoadCredentialEncrypted", SEALED)])
def test_keys_from_a_credential(alone, kind, place):
    provide(alone, kind, ONE)
    alone.write(DROP_IN, f"[Service]\n{kind}=ipseckeys:{place}\n")
    alone.systemctl("daemon-reload")
    alone.systemctl("restart", UNIT)
    first = sas(alone)
    assert set(first) == {"0x00001001"}
    assert "1 SA in force" in alone.status_text(UNIT)
    # Only the manager reads it, and only at the start: what a reload would load it cannot see.
    provide(alone, kind, TWO)
    refused = alone.systemctl("reload", UNIT, ok=False)
    assert refused.returncode != 0
    assert "use restart (gapless)" in alone.journal("-u", f"{UNIT}.service")
    assert "last reload failed" in alone.status_text(UNIT)
    assert sas(alone) == first
    alone.systemctl("restart", UNIT)
    second = sas(alone)
    assert set(second) == {"0x00001001", "0x00001002"}
    assert second["0x00001001"] == first["0x00001001"], "what did not change goes on"
    assert "failed" not in alone.status_text(UNIT)
    alone.systemctl("stop", UNIT)
    assert sas(alone) == {}


def test_without_the_credential_the_file_counts_again(alone):
    alone.exec("rm", "-f", DROP_IN)
    alone.systemctl("daemon-reload")
    alone.write("/etc/inet/secret/ipseckeys", TWO, mode=0o600)
    alone.systemctl("restart", UNIT)
    assert len(sas(alone)) == 2
    alone.write("/etc/inet/secret/ipseckeys", ONE, mode=0o600)
    alone.systemctl("reload", UNIT)
    assert len(sas(alone)) == 1


def test_one_bad_line_at_the_start_takes_no_good_one_along(alone):
    """The service runs, says where the mistake is, and has the rest in force, whenever the datapath comes."""
    alone.systemctl("stop", UNIT, "ipsec-datapath")
    alone.write("/etc/inet/secret/ipseckeys", ONE + "add esp spi 5\n", mode=0o600)
    alone.systemctl("start", UNIT)
    alone.systemctl("stop", "ipsec-datapath")
    assert alone.active(UNIT) == "active"
    alone.systemctl("start", "ipsec-datapath")
    alone.wait_for(lambda: set(sas(alone)) == {"0x00001001"}, "the good key in force")
    alone.wait_for(lambda: "1 SA in force" in alone.status_text(UNIT), "the status")
    assert "start failed at ipseckeys:2:" in alone.status_text(UNIT)
    assert alone.run("ipsecsvc", "status", "manual-key").stdout.find("degraded") >= 0
    alone.write("/etc/inet/secret/ipseckeys", ONE, mode=0o600)
    alone.systemctl("reload", UNIT)
    assert "failed" not in alone.status_text(UNIT)
