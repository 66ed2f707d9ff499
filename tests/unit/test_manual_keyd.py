# SPDX-License-Identifier: GPL-2.0-or-later
"""ipsec-manual-keyd on a private bus, against a datapath with a door for keys."""

import hashlib
import os
import socket
import struct
import threading

import dbus
import pytest
from service import PROPERTIES, FakeDatapath

FILE = "/etc/inet/secret/ipseckeys"
KEY = "6a1f0c9be27d4853b0d2f4a697183c5e"
SA = f"add esp spi 0x1001 src 192.0.2.1 dst 192.0.2.17 encr_alg aes encrkey {KEY}\n"
MORE = SA + f"add esp spi 0x1002 src 192.0.2.17 dst 192.0.2.1 encr_alg aes encrkey {KEY}\n"
BAD = SA + f"add esp spi 0x1002 dst 192.0.2.1 encr_alg aes {KEY}\n"
DIAGNOSTIC = f"{FILE}:2:47: error: Unknown extension field [key-keyword]\n"


class KeysDatapath(FakeDatapath):
    """Takes keys at the socket and believes PublishKeys only when both say the same."""

    def __init__(self, world):
        self.handed_over = {}  # generation: bytes
        path = world.root / "run/netipsec/keys"
        path.unlink(missing_ok=True)
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.door.bind(str(path))
        self.door.listen()
        self.doorman = threading.Thread(target=self._answer, daemon=True)
        self.doorman.start()
        super().__init__(world)

    def _answer(self):
        while True:
            try:
                peer, _ = self.door.accept()
            except OSError:
                return
            with peer:
                message, fds, _, _ = socket.recv_fds(peer, 64, 1)
                magic, version, generation, digest = struct.unpack("<4sIQ32s", message)
                content = os.pread(fds[0], os.fstat(fds[0]).st_size, 0)
                os.close(fds[0])
                assert (magic, version) == (b"NIPK", 1)
                assert hashlib.sha256(content).digest() == digest
                self.handed_over[generation] = content
                peer.send(b"\0")

    def _object(fake):  # pylint: disable=no-self-argument
        class Object(dbus.service.Object):
            @dbus.service.method(fake.NAME, "s", "tays")
            def GetSection(self, section):
                assert section == "keys"
                if section not in fake.sections:
                    return dbus.UInt64(0), dbus.Array([], "y"), "absent"
                generation, digest, _ = fake.sections[section]
                return dbus.UInt64(generation), dbus.ByteArray(digest), "enforced"

            @dbus.service.method(fake.NAME, "taya{sv}", "t")
            def PublishKeys(self, generation, digest, _options):
                if fake.refuse:
                    raise dbus.DBusException(fake.refuse, name="org.netipsec.Error.Invalid")
                content = fake.handed_over.pop(int(generation))
                assert hashlib.sha256(content).digest() == bytes(digest)
                if fake.sections.get("keys", (0, b""))[1] != bytes(digest):
                    fake.sections["keys"] = (int(generation), bytes(digest), content)
                fake.published.put("keys")
                return dbus.UInt64(fake.sections["keys"][0])

            @dbus.service.method(fake.NAME, "s", "")
            def Withdraw(self, section):
                fake.sections.pop(str(section), None)

            @dbus.service.method(PROPERTIES, "ss", "v")
            def Get(self, _interface, _name):
                return dbus.String("")

        return Object(fake.connection, "/org/netipsec/Datapath1")

    def end(self):
        self.door.shutdown(socket.SHUT_RDWR)
        self.doorman.join()
        self.door.close()
        super().end()


def write(world, text, mode=0o600):
    world.write(FILE, text)
    os.chmod(world.root / FILE.lstrip("/"), mode)


def datapath(world):
    made = KeysDatapath(world)
    world.datapaths.append(made)
    return made


def test_publishes_the_file(world):
    write(world, MORE)
    there = datapath(world)
    daemon = world.start("ipsec-manual-keyd").ready()
    shown = world.properties("ManualKey1")
    assert shown["State"] == "enforced" and shown["Generation"] == 1
    assert shown["KeyCount"] == 2 and shown["LastError"] == "" and shown["ConfigFile"] == FILE
    assert bytes.fromhex(KEY) in there.sections["keys"][2]
    assert daemon.status == "2 SAs in force (generation 1)"


def test_without_a_file_there_are_no_keys(world):
    there = datapath(world)
    daemon = world.start("ipsec-manual-keyd").ready()
    shown = world.properties("ManualKey1")
    assert shown["State"] == "absent" and shown["KeyCount"] == 0 and shown["LastError"] == ""
    assert there.sections["keys"][0] == 1
    assert daemon.status == f"{FILE} does not exist: 0 SAs in force (generation 1)"


def test_bad_file_on_reload_changes_nothing_when_strict(world):
    world.write("/etc/netipsec/manual-key.cfg", "strict = true;\n")
    write(world, SA)
    there = datapath(world)
    daemon = world.start("ipsec-manual-keyd").ready()
    write(world, BAD)
    done = world.run("ipsec-manual-keyd", "--reload")
    assert (done.returncode, done.stderr) == (1, DIAGNOSTIC)
    shown = world.properties("ManualKey1")
    assert shown["State"] == "failed" and shown["LastError"] == DIAGNOSTIC
    assert shown["Generation"] == 1 and shown["KeyCount"] == 1
    daemon.wait_for("RELOADING=1")
    daemon.ready()
    assert daemon.status.endswith("; last reload failed at ipseckeys:2:47") and daemon.errno != 0
    write(world, MORE)
    assert world.run("ipsec-manual-keyd", "--reload").returncode == 0
    shown = world.properties("ManualKey1")
    assert shown["State"] == "enforced" and shown["LastError"] == "" and shown["KeyCount"] == 2
    code, said = daemon.stop()
    assert code == 0 and KEY not in said and there.sections["keys"][0] == 2


def test_rights_on_reload(world):
    write(world, SA)
    datapath(world)
    world.start("ipsec-manual-keyd").ready()
    write(world, MORE, 0o644)
    done = world.run("ipsec-manual-keyd", "--reload")
    assert done.returncode == 1 and f"{FILE}: error: " in done.stderr and "[key-rights]" in done.stderr
    assert world.properties("ManualKey1")["KeyCount"] == 1


def test_unchanged_file_is_handed_over_again(world):
    write(world, SA)
    there = datapath(world)
    world.start("ipsec-manual-keyd").ready()
    there.published.get(timeout=30)
    assert world.run("ipsec-manual-keyd", "--reload").returncode == 0
    assert there.published.get(timeout=30) == "keys", "what was flushed has to come back"
    assert world.properties("ManualKey1")["Generation"] == 1


def test_stop_of_the_unit_withdraws_and_restart_does_not(world):
    write(world, SA)
    there = datapath(world)
    daemon = world.start("ipsec-manual-keyd").ready()
    daemon.stop()
    assert "keys" in there.sections
    daemon.wait_for("STATUS=stopped; what was in force stays")
    daemon = world.start("ipsec-manual-keyd", env={"NETIPSEC_STOP_FILE": "/"}).ready()
    daemon.stop()
    assert "keys" not in there.sections
    daemon.wait_for("STATUS=stopped; what it had in force is withdrawn")
    daemon.notify.setblocking(False)
    with pytest.raises(BlockingIOError):  # that was the last word
        daemon.wait_for("STATUS=")


def test_refusal_by_the_datapath(world):
    write(world, SA)
    there = datapath(world)
    world.start("ipsec-manual-keyd").ready()
    there.refuse = "no room for so many"
    write(world, MORE)
    done = world.run("ipsec-manual-keyd", "--reload")
    assert (done.returncode, done.stderr) == (1, "ipsec-manual-keyd: reload: no room for so many\n")
    shown = world.properties("ManualKey1")
    assert shown["State"] == "failed" and shown["KeyCount"] == 1


def test_refusal_by_the_datapath_at_the_start(world):
    write(world, SA)
    there = datapath(world)
    there.refuse = "no room for so many"
    daemon = world.start("ipsec-manual-keyd")
    daemon.wait_for("STATUS=start failed: no room for so many; what was in force stays")
    _, errors = daemon.process.communicate(timeout=30)
    assert daemon.process.returncode == 95
    assert "keys: not in force: no room for so many" in errors and KEY not in errors


def test_datapath_absent_then_there(world):
    write(world, SA)
    daemon = world.start("ipsec-manual-keyd")
    daemon.wait_for("STATUS=not enforced: datapath absent")
    there = datapath(world)
    daemon.ready()
    assert there.published.get(timeout=30) == "keys"
    assert world.properties("ManualKey1")["State"] == "enforced"


def test_bad_file_at_the_start(world):
    write(world, BAD.removeprefix(SA))
    daemon = world.start("ipsec-manual-keyd")
    _, errors = daemon.process.communicate(timeout=30)
    assert daemon.process.returncode == 95
    assert DIAGNOSTIC.strip().replace(":2:", ":1:") in errors and KEY not in errors


def test_bad_commands_are_passed_over_at_the_start(world):
    write(world, BAD)
    there = datapath(world)
    daemon = world.start("ipsec-manual-keyd").ready()
    assert bytes.fromhex(KEY) in there.sections["keys"][2], "the good command is carried out"
    daemon.wait_for("ERRNO=74")
    shown = world.properties("ManualKey1")
    assert shown["State"] == "failed" and shown["LastError"] == DIAGNOSTIC and shown["KeyCount"] == 1
    assert daemon.status == "1 SA in force (generation 1); start failed at ipseckeys:2:47"
    there.end()
    world.datapaths.remove(there)
    again = datapath(world)
    assert again.published.get(timeout=30) == "keys", "also by a datapath that comes back empty"
    assert bytes.fromhex(KEY) in again.sections["keys"][2]
    write(world, MORE)
    assert world.run("ipsec-manual-keyd", "--reload").returncode == 0
    assert world.properties("ManualKey1")["State"] == "enforced"
    code, said = daemon.stop()
    assert code == 0 and DIAGNOSTIC.strip() in said and KEY not in said


def test_bad_commands_are_passed_over_on_reload(world):
    write(world, MORE)
    there = datapath(world)
    daemon = world.start("ipsec-manual-keyd").ready()
    write(world, BAD)
    done = world.run("ipsec-manual-keyd", "--reload")
    assert (done.returncode, done.stderr) == (1, DIAGNOSTIC)
    shown = world.properties("ManualKey1")
    assert shown["State"] == "failed" and shown["LastError"] == DIAGNOSTIC
    assert shown["Generation"] == 2 and shown["KeyCount"] == 1
    assert there.sections["keys"][0] == 2
    write(world, MORE)
    assert world.run("ipsec-manual-keyd", "--reload").returncode == 0
    shown = world.properties("ManualKey1")
    assert shown["State"] == "enforced" and shown["LastError"] == "" and shown["KeyCount"] == 2
    code, said = daemon.stop()
    assert code == 0 and KEY not in said


def test_file_without_a_good_command_changes_nothing(world):
    write(world, MORE)
    there = datapath(world)
    world.start("ipsec-manual-keyd").ready()
    write(world, "add esp spi\n")
    assert world.run("ipsec-manual-keyd", "--reload").returncode == 1
    assert world.properties("ManualKey1")["KeyCount"] == 2 and there.sections["keys"][0] == 1


def test_credential_instead_of_the_file(world, tmp_path):
    credential = tmp_path / "ipseckeys"
    credential.write_text(MORE)
    credential.chmod(0o400)
    write(world, SA)
    datapath(world)
    world.start("ipsec-manual-keyd", env={"CREDENTIALS_DIRECTORY": str(tmp_path)}).ready()
    assert world.properties("ManualKey1")["KeyCount"] == 2
    done = world.run("ipsec-manual-keyd", "--reload")
    assert done.returncode == 1 and "use restart (gapless)" in done.stderr
    assert "[key-credential]" in done.stderr
    assert world.properties("ManualKey1")["KeyCount"] == 2


def test_link_and_open_directory_are_refused(world):
    write(world, SA)
    datapath(world)
    world.start("ipsec-manual-keyd").ready()
    there = world.root / FILE.lstrip("/")
    os.chmod(there.parent, 0o770)
    done = world.run("ipsec-manual-keyd", "--reload")
    assert done.returncode == 1 and "directory has insecure permissions" in done.stderr
    os.chmod(there.parent, 0o700)
    there.rename(there.parent / "elsewhere")
    there.symlink_to("elsewhere")
    done = world.run("ipsec-manual-keyd", "--reload")
    assert done.returncode == 1 and "is a symbolic link [key-rights]" in done.stderr


@pytest.mark.parametrize("text, code, out, err", [
    (MORE, 0, f"{FILE}: 2 SAs\n", ""),
    (None, 0, f"{FILE}: 0 SAs, there is no file\n", ""),
    (BAD, 1, "", DIAGNOSTIC),
], ids=["good", "missing", "bad"])
def test_check(world, text, code, out, err):
    world.write("/etc/netipsec/manual-key.cfg", "strict = true;\n")
    if text is not None:
        write(world, text)
    done = world.run("ipsec-manual-keyd", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)
