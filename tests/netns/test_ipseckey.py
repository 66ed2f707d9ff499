# SPDX-License-Identifier: GPL-2.0-or-later
"""ipseckey on a host: typed commands, save and what reads it, monitor, Wireshark's table."""

import json
import os
import pty
import re
import select
import signal
import subprocess

import pytest
from nettest.sas import dump_sas
from scapy.layers.inet import IP, UDP
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.utils import wrpcap

KEYS = "/etc/inet/secret/ipseckeys"
SAVED = "/etc/inet/secret/saved"
SECRET = "6b1f0c9be27d4853b0d2f4a697183c51"
OTHER = f"add esp spi 0x5001 src 192.0.2.1 dst 203.0.113.5 encr_alg aes encrkey {SECRET} " \
        "auth_alg sha1 authkey 8e40d1c7b5a6392f1078e6d5c4b3a291807f6e51 hard_addtime 9000\n"


@pytest.fixture(name="alpha")
def alpha_fixture(pair):
    host = pair["alpha"]
    yield host
    host.systemctl("reload", "ipsec-manual-key")
    host.run("ipseckey", "delete", "esp", "spi", "0x5001", "dst", "203.0.113.5")
    assert set(dump_sas(host)) == {0x1001, 0x1002, 0x1003, 0x1004}


def described(host):
    found = json.loads(host.exec("ipseckey", "-n", "--json", "--reveal-keys", "dump"))["associations"]
    for sa in found:
        sa.pop("current", None)
        sa.pop("replay_value", None)  # numbers are reserved ahead of use
    return sorted(found, key=lambda sa: sa["spi"])


def test_commands_on_standard_input(alpha):
    done = alpha.run("ipseckey", "-n", stdin=OTHER + "bogus\nget esp spi 0x5001 dst 203.0.113.5\nquit\n")
    assert done.returncode == 0, done.stderr
    assert "Unknown command" in done.stderr and SECRET not in done.stderr
    assert f"EKY: {SECRET}/128" in done.stdout
    assert 0x5001 in dump_sas(alpha)


def test_save_reads_back(alpha):
    assert alpha.run("ipseckey", "-n", stdin=OTHER).returncode == 0
    before = described(alpha)
    alpha.exec("ipseckey", "-n", "-s", SAVED)
    assert alpha.exec("stat", "-c", "%a", SAVED) == "400\n"
    alpha.exec("ipseckey", "flush")
    assert dump_sas(alpha) == {}
    alpha.exec("ipseckey", "-n", "-f", SAVED)
    assert described(alpha) == before
    refused = alpha.run("ipseckey", "-p", "save", "all", SAVED)
    assert refused.returncode == 1 and "[key-save]" in refused.stderr


def test_json_shows_keys_only_when_asked(alpha):
    hidden = alpha.exec("ipseckey", "-n", "--json", "dump")
    shown = alpha.exec("ipseckey", "-n", "--json", "--reveal-keys", "dump")
    words = alpha.path(KEYS).read_text().split()
    keys = [after for word, after in zip(words, words[1:]) if word in ("encrkey", "authkey")]
    assert keys and all(key not in hidden and key in shown for key in keys)


def test_tshark_loads_the_table(alpha, tmp_path):
    rows = alpha.exec("ipseckey", "--wireshark", "dump", "esp").splitlines()
    assert len(rows) == len(dump_sas(alpha))
    settings = tmp_path / "wireshark"
    settings.mkdir()
    capture = tmp_path / "empty.pcap"
    capture.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000065000000"))

    def load(text):
        (settings / "esp_sa").write_text(text)
        return subprocess.run(["tshark", "-r", str(capture)], capture_output=True, text=True, check=False,
                              env=dict(os.environ, XDG_CONFIG_HOME=str(tmp_path))).stderr

    assert "esp_sa" in load(rows[0].replace("IPv4", "IPv9") + "\n"), "tshark reads the table"
    assert "esp_sa" not in load("\n".join(rows) + "\n")


def test_fingerprints_agree_on_both_hosts(pair):
    seen = [pair[name].exec("ipseckey", "fingerprint", "esp") for name in ("alpha", "beta")]
    assert seen[0] and sorted(seen[0].splitlines()) == sorted(seen[1].splitlines())
    assert re.match(r"esp 0x[0-9a-f]+ \S+ ([0-9a-f]{4}-){2}[0-9a-f]{4}$", seen[0].splitlines()[0])


@pytest.mark.root
def test_fingerprints_need_no_right_to_see_keys(alpha):
    told = alpha.exec("ipseckey", "fingerprint")
    assert alpha.exec("ipseckey", "fingerprint", user="operator") == told
    assert "EKY" not in alpha.exec("ipseckey", "-n", "dump", user="operator")
    for words in ("fingerprint", "flush", "monitor", "passive_monitor"):
        done = alpha.run("ipseckey", words, user="somebody")
        assert done.returncode == 1 and "Insufficient privileges to open PF_KEY socket." in done.stderr, words
    for words in ("save all", "--wireshark dump", "--json --reveal-keys dump"):
        done = alpha.run("ipseckey", *words.split(), user="operator")
        assert done.returncode == 1 and "[key-hidden]" in done.stderr, words
    assert len(json.loads(alpha.exec("ipseckey", "--json", "dump", user="operator"))["associations"]) == 4


# By the name of ours: scapy's cipher, MAC, and octets of key material; None: tshark 4.0 opens no such packet.
SEALED = {
    "null": ("NULL", "HMAC-SHA1-96", 0), "aes": ("AES-CBC", "SHA2-256-128", 16),
    "3des": ("3DES", "HMAC-SHA1-96", 24), "aes-ctr": ("AES-CTR", "SHA2-512-256", 20),
    "aes-gcm16": ("AES-GCM", "NULL", 20), "aes-ccm16": ("AES-CCM", "NULL", 19),
    "aes-gmac": None, "chacha20-poly1305": None,
}
OUR_MACS = {"HMAC-SHA1-96": ("sha1", 20), "SHA2-256-128": ("sha256", 32), "SHA2-512-256": ("sha512", 64)}


def added(host, spi, suite):
    """An SA that the host got by hand, as scapy's side of it."""
    cipher, mac, key_len = SEALED[suite] or ("NULL", "NULL", 20 if suite == "aes-gmac" else 36)
    key = bytes(range(spi % 256, spi % 256 + key_len))
    auth, auth_len = OUR_MACS.get(mac, ("", 0))
    auth_key = bytes(range(3, 3 + auth_len))
    words = f"add esp spi {spi} src 192.0.2.1 dst 203.0.113.5 encr_alg {suite}"
    words += f" encrkey {key.hex()}" if key else ""
    words += f" auth_alg {auth} authkey {auth_key.hex()}" if auth else ""
    done = host.run("ipseckey", "-n", stdin=words + "\n")
    assert " error: " not in done.stderr, done.stderr
    return SecurityAssociation(ESP, spi=spi, crypt_algo=cipher, crypt_key=key or None, auth_algo=mac,
                               auth_key=auth_key or None)


def test_tshark_opens_what_the_table_has(alpha, tmp_path):
    packets, spis = [], {}
    for spi, suite in enumerate(SEALED, 0x6001):
        sa = added(alpha, spi, suite)
        spis[spi] = suite
        if SEALED[suite]:
            inner = IP(src="192.0.2.1", dst="203.0.113.5") / UDP(sport=spi, dport=40009) / b"open sesame"
            packets.append(sa.encrypt(inner))
    table = alpha.exec("ipseckey", "--wireshark", "dump", "esp")
    for spi in spis:
        alpha.exec("ipseckey", "delete", "esp", "spi", str(spi), "dst", "203.0.113.5")
    left_out = [line for line in table.splitlines() if line.startswith("# left out, not in Wireshark's table: ")]
    assert [line.split()[-1] for line in left_out] == [name for name, known in SEALED.items() if not known]
    settings = tmp_path / "wireshark"
    settings.mkdir()
    (settings / "esp_sa").write_text(table)
    wrpcap(str(tmp_path / "sealed.pcap"), packets)
    done = subprocess.run(["tshark", "-r", str(tmp_path / "sealed.pcap"), "-o", "esp.enable_encryption_decode:TRUE",
                           "-T", "fields", "-e", "udp.srcport", "-e", "udp.payload"], capture_output=True, text=True,
                          check=True, env=dict(os.environ, XDG_CONFIG_HOME=str(tmp_path)))
    opened = [line.split("\t") for line in done.stdout.splitlines()]
    assert opened == [[str(spi), b"open sesame".hex()] for spi, suite in spis.items() if SEALED[suite]], done.stderr


def test_monitor_shows_and_ends(alpha):
    with alpha.popen("sh", "-c", "echo $$; exec ipseckey -np monitor", stdout=subprocess.PIPE, text=True) as monitor:
        pid = monitor.stdout.readline().strip()
        assert monitor.stdout.readline() == "Actively monitoring the PF_KEY socket.\n"
        assert alpha.run("ipseckey", "-n", stdin=OTHER).returncode == 0
        heard = [monitor.stdout.readline() for _ in range(3)]
        assert heard[0].startswith("Read ") and heard[1].startswith("Timestamp: ")
        assert "type ADD, SA type ESP." in heard[2]
        alpha.exec("kill", "-INT", pid)
        rest = monitor.stdout.read()
        assert monitor.wait(timeout=30) == signal.SIGINT
    assert SECRET not in rest


ASK = """
import os, socket, struct
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
    door.connect("/run/netipsec/pfkey")
    def ends(*numbers):
        return b"".join(struct.pack("=HHBBHHH4s8x", 3, number, 0, 0, 0, 2, 0, socket.inet_aton(addr))
                        for number, addr in zip((5, 6), numbers))
    def ask(kind, satype, extensions=b""):
        door.send(struct.pack("=BBBBHHII", 2, kind, 0, satype, 2 + len(extensions) // 8, 0, 7, os.getpid()) + extensions)
        door.recv(4096)
    ask(7, 3)
    ask(12, 0, ends("192.0.2.1", "192.0.2.2"))
    ask(1, 3, ends("192.0.2.2", "192.0.2.1") + struct.pack("=HHIII", 2, 16, socket.htonl(0x7000), socket.htonl(0x7000), 0))
    ask(10, 0, struct.pack("=HHIQ", 2, 25, 0, 3))
"""


def test_monitor_tells_what_key_management_says(alpha):
    with alpha.popen("sh", "-c", "echo $$; exec ipseckey -n monitor", stdout=subprocess.PIPE, text=True) as monitor:
        pid = monitor.stdout.readline().strip()
        assert monitor.stdout.readline() == "Actively monitoring the PF_KEY socket.\n"
        alpha.exec("/usr/bin/python3", "-c", ASK)
        heard = ""
        while not heard.endswith("UNK: 0x0000000000190002 0x0000000000000003\n"):
            line = monitor.stdout.readline()
            assert line, heard
            heard += line
        alpha.exec("kill", "-INT", pid)
        monitor.wait(timeout=30)
    alpha.exec("ipseckey", "delete", "esp", "spi", "0x7000", "dst", "192.0.2.1")
    assert "SUA: hmac-sha256 minbits=256, maxbits=256, ivlen=0, saltbits=0.\n" in heard
    assert "SUE: aes-gcm minbits=128, maxbits=256, ivlen=64, saltbits=32, increment=64.\n" in heard
    assert re.search("EPR: Extended proposal.*\n(EPR: .*\n)*EPR: ESP Encryption algorithm = aes-cbc, minbits=128", heard)
    assert "SPR: SPI range, min=0x7000, max=0x7000\n" in heard
    assert "state=LARVAL" in heard


def test_half_a_pair_is_told(alpha):
    assert alpha.run("ipseckey", "-n", stdin=OTHER).returncode == 0
    done = alpha.run("ipseckey", "-n", stdin="update-pair esp spi 0x5001 dst 203.0.113.5 hard_addtime 99\n")
    assert "PF_KEY Diagnostic code 76: " in done.stderr
    assert "HLT: 99 seconds" in alpha.exec("ipseckey", "-np", "get", "esp", "spi", "0x5001", "dst", "203.0.113.5")
    done = alpha.run("ipseckey", "-n", "delete-pair", "esp", "spi", "0x5001", "dst", "203.0.113.5")
    assert done.returncode == 1 and "PF_KEY Diagnostic code 76: " in done.stderr
    assert 0x5001 not in dump_sas(alpha)


def test_a_lookup_without_destination(alpha):
    done = alpha.run("ipseckey", "-n", "get", "esp", "spi", "0x1001", "src", "192.0.2.1")
    assert done.returncode == 1
    assert "One of the entered values is incorrect: PF_KEY Diagnostic code 19: Missing destination" in done.stderr


def test_ports_of_encapsulation_need_no_address(alpha):
    """Told over the socket, shown, and saved."""
    assert "error" not in alpha.run("ipseckey", "-n", stdin=OTHER.strip() + " encap udp nat_rport 4501\n").stderr
    assert "NRM: NAT-T remote port 4501.\n" in alpha.exec("ipseckey", "-np", "dump")
    assert {sa.get("natt_remote_port") for sa in described(alpha)} == {None, 4501}
    alpha.exec("ipseckey", "-n", "-s", SAVED)
    alpha.exec("ipseckey", "flush")
    alpha.exec("ipseckey", "-n", "-f", SAVED)
    assert {sa.get("natt_remote_port") for sa in described(alpha)} == {None, 4501}


def test_generated_keys_are_ones_that_can_be_loaded(alpha):
    for words in ("any sha1", "none", "aes aes-gmac128", "aes sha1 src 0.0.0.0 dst 192.0.2.1"):
        done = alpha.run("ipseckey", "genkey", *words.split())
        assert done.returncode == 1 and done.stdout == "" and "genkey" in done.stderr


@pytest.mark.parametrize("words", [
    "--wireshark dump", "--wireshark get esp spi 0x1001 dst 192.0.2.2", "genkey aes-gcm", "save all -",
    "rollover --at 2101-01-01T00:00:00Z --overlap 60 --output -"])
def test_paranoia_prints_no_key(alpha, words):
    done = alpha.run("ipseckey", "-np", *words.split())
    assert done.returncode == 1 and done.stdout == "" and done.stderr


def test_what_is_saved_reads_back_though_messages_are_shown(alpha, tmp_path):
    plain = alpha.exec("ipseckey", "-n", "-s", "-")
    assert alpha.exec("ipseckey", "-nv", "-s", "-") == plain


class Typist:
    """Somebody at a terminal."""

    def __init__(self, host, *words):
        self.terminal, inner = pty.openpty()
        self.process = host.popen(*words, stdin=inner, stdout=inner, stderr=inner,
                                  env=dict(os.environ, TERM="dumb"))
        os.close(inner)
        self.seen = ""

    def await_text(self, text, after=0):
        while text not in self.seen[after:]:
            assert select.select([self.terminal], [], [], 10)[0], repr(self.seen)
            self.seen += os.read(self.terminal, 4096).decode()
        return len(self.seen)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def close(self):
        os.close(self.terminal)
        return self.process.wait(timeout=30)


def test_a_terminal_completes_and_never_recalls_keys(alpha):
    typist = Typist(alpha, "ipseckey", "-n")
    at = typist.await_text("ipseckey> ")
    typist.type("fing\tesp\r")
    typist.await_text("esp 0x1001 ", at)
    at = typist.await_text("ipseckey> ", at)
    typist.type(OTHER.strip() + "\r")
    typist.type("help quit\r")
    at = typist.await_text("end here", at)  # nothing of the command before it is still to come
    typist.type("\x10\x10\r")  # ^P twice: the command with keys, if it were there
    typist.await_text("esp 0x5001 ", at)
    assert SECRET not in typist.seen[at:], "the command before that is recalled"
    typist.type("quit\r")
    assert typist.close() == 0


def test_the_interrupt_key_ends_the_monitor_alone(alpha):
    typist = Typist(alpha, "setsid", "--ctty", "--wait", "ipseckey", "-n")  # or no key sends a signal
    at = typist.await_text("ipseckey> ")
    typist.type("\x03")
    typist.type("monitor\r")
    at = typist.await_text("Actively monitoring the PF_KEY socket.", at)
    typist.type("\x03")
    at = typist.await_text("ipseckey> ", at)
    typist.type("\x03help quit\r")
    typist.await_text("end here", at)
    typist.type("exit\r")
    assert typist.process.wait(timeout=30) == 0
    typist.close()
