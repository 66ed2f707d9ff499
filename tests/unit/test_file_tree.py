# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever stands in the place of a file: a reload that fails says so, and changes nothing."""

import os
import socket
import stat

import dbus
import pytest
from service import REPO

# service: daemon, its file, a good text, how large a file may be, the section
SERVICES = {
    "Policy1": ("ipsec-policyd", "etc/inet/ipsecinit.conf", "{ raddr 10.9.9.9 } drop {}\n", 64 << 20,
                "policy"),
    "Algorithms1": ("ipsecalgsd", "etc/inet/ipsecalgs", (REPO / "etc/inet/ipsecalgs").read_text(),
                    4 << 20, "algorithms"),
    "Ike1": ("ipsec-iked", "etc/inet/ike/config", "anything\n", None, None),
}

SOMEBODY = 65534
CONFIGURATION = 95


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        cwd = os.open(path.parent, os.O_RDONLY)
        made.bind(f"/proc/self/fd/{cwd}/{path.name}")
        os.close(cwd)


def a_device(path):
    try:
        os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 5))  # zeros without end
    except PermissionError:
        path.symlink_to("/dev/zero")


def unreadable(path):
    """Also for root, which reads all that there is."""
    (path.parent / "loop").symlink_to("loop")
    path.symlink_to("loop/file")


ODDITIES = {
    "a directory": lambda path: path.mkdir(),
    "a pipe without a writer": os.mkfifo,
    "a socket": a_socket,
    "a device": a_device,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nowhere": lambda path: path.symlink_to("nothing"),
    "out of reach": unreadable,
}
CONTENTS = {
    "not UTF-8": b"\xff\xfe\xc0\xaf\n",
    "a NUL": b"{ raddr 10.9.9.8 } drop {}\0\n",
    "a NUL at the end": b"\0",
    "binary": bytes(range(256)) * 16,
}


def replace(path, make):
    """In one step, so that nothing in between is found."""
    fresh = path.with_name("fresh")
    make(fresh)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    if fresh.is_dir() and not fresh.is_symlink():
        path.unlink(missing_ok=True)
    os.rename(fresh, path)


def reload(world, service):
    """The error's message, or None."""
    notify = world.daemons[0].notify
    notify.setblocking(False)
    try:
        while notify.recv(4096):  # as the manager would: a full queue holds the daemon up
            pass
    except BlockingIOError:
        notify.setblocking(True)
    try:
        world.object(service).get_dbus_method("Reload", f"org.netipsec.{service}")(timeout=60)
    except dbus.DBusException as error:
        return error.get_dbus_message()
    return None


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_no_file(world, service):
    daemon, place, good, largest, section = SERVICES[service]
    path = world.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(good)
    fake = world.datapath()
    world.start(daemon).wait_for("READY=1")
    before = fake.sections.get(section)
    assert (before is None) == (section is None)
    for what, make in ODDITIES.items():
        replace(path, make)
        said = reload(world, service)
        assert said and place in said, what
        assert world.properties(service)["State"] == "failed", what
        assert fake.sections.get(section) == before, what
        (path.parent / "loop").unlink(missing_ok=True)
    if largest:
        def huge(fresh):
            fresh.touch()
            os.truncate(fresh, largest + 1)
        replace(path, huge)
        assert "too large" in reload(world, service)
        for what, content in CONTENTS.items():
            replace(path, lambda fresh, content=content: fresh.write_bytes(content))
            assert reload(world, service), what
            assert fake.sections.get(section) == before, what
    replace(path, lambda fresh: fresh.write_text(good))
    assert reload(world, service) is None
    assert world.properties(service)["State"] != "failed"


def refuses_to_start(world, daemon, *options):
    """With the status that keeps the manager from trying again and again, and with a word for people."""
    started = world.start(daemon, *options)
    started.wait_for("STATUS=start failed")
    started.process.wait(timeout=30)
    return started.process.returncode == CONFIGURATION and started.status


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_no_file_at_the_start(world, service):
    daemon, place, good, largest, section = SERVICES[service]
    without = "what was in force stays" if section else "nothing is negotiated"
    path = world.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(good)
    for what, make in ODDITIES.items():
        replace(path, make)
        assert f"; {without}" in refuses_to_start(world, daemon), what
        (path.parent / "loop").unlink(missing_ok=True)
    if largest:
        path.unlink()
        path.touch()
        os.truncate(path, largest + 1)
        assert "too large" in refuses_to_start(world, daemon)


def not_roots(path):
    """As what a user who may make files there would leave, be it a link to a good file of root's."""
    os.rename(path, path.with_name("good"))
    path.symlink_to("good")
    os.lchown(path, SOMEBODY, SOMEBODY)


@pytest.mark.parametrize("service", ["Policy1", "Algorithms1"])
def test_a_file_that_others_may_change_is_none(world, service):
    daemon, place, good, _, section = SERVICES[service]
    path = world.root / place
    world.write(place, good)
    fake = world.datapath()
    world.start(daemon).wait_for("READY=1")
    before = fake.sections[section]
    spoils = [lambda: path.chmod(0o664), lambda: path.chmod(0o646)]
    if os.geteuid() == 0:
        spoils += [lambda: os.chown(path, SOMEBODY, 0), lambda: not_roots(path)]
    for spoil in spoils:
        world.write(place, good + "# others\n")
        spoil()
        said = reload(world, service)
        assert place in said and "others than root may change it" in said
        assert "-rights]" in said and "hint: it must belong to root" in said
        assert world.properties(service)["State"] == "failed"
        assert fake.sections[section] == before
        done = world.run(daemon, "--check")
        assert done.returncode == 1 and "-rights]" in done.stderr
    if service == "Policy1":
        checked = world.run("ipsecconf", "-c", path)
        assert checked.returncode == 0 and "the policy service would refuse this file" in checked.stderr
    world.write(place, good)
    assert reload(world, service) is None
    assert world.properties(service)["State"] == "enforced"


@pytest.mark.parametrize("daemon", ["ipsec-policyd", "ipsecalgsd", "ipsec-manual-keyd", "ipsec-iked",
                                    "ipsec-datapathd"])
def test_settings(world, daemon):
    path = world.root / "etc/netipsec/odd.cfg"
    for what, make in ODDITIES.items():
        replace(path, make)
        done = world.run(daemon, "--check", "--config", path)
        assert done.returncode == 1, what
        assert f"{path}: error: cannot read: " in done.stderr and "[setting-file]" in done.stderr, what
        if what != "a link to nowhere":  # a named file that is missing is the caller's mistake
            assert "odd.cfg: cannot read: " in refuses_to_start(world, daemon, "--config", path), what
        (path.parent / "loop").unlink(missing_ok=True)
    for what, content in CONTENTS.items():
        replace(path, lambda fresh, content=content: fresh.write_bytes(content))
        done = world.run(daemon, "--check", "--config", path)
        assert done.returncode == 1 and "[setting-" in done.stderr, what
