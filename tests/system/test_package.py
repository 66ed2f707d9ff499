# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages: built, found clean, installed, upgraded under traffic, purged."""

import contextlib
import shutil
import subprocess

import pytest
from systest.machine import ENVIRONMENT, REPO, Cable
from systest.namespace import Namespace
from lablib.wire import UDP, Capture

BUILD_TIMEOUT_SEC = 1800
NEXT_VERSION = "0.1.99"
SECRET_PORT = 4242
PEER, PEER_INSIDE = "10.0.0.2", "10.1.0.2"
SERVICES = ["ipsecalgs", "ipsec-policy", "ipsec-datapath"]
# What the packages need that this root may have, but a package built elsewhere could lack.
BINARIES = ["libnetipsec1", "libnetipsec-dev", "netipsec", "netipsec-doc"]


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          timeout=BUILD_TIMEOUT_SEC, **more)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Directory with the packages, built from a copy of the tree as git has it."""
    base = tmp_path_factory.mktemp("packages")
    tree = base / "netipsec"
    names = run("git", "-C", str(REPO), "ls-files", "-co", "--exclude-standard").stdout.split("\n")
    for name in filter(None, names):
        if (REPO / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, tree / name, follow_symlinks=False)
    done = run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=tree,
               env={**ENVIRONMENT, "DEB_BUILD_OPTIONS": "nocheck noautodbgsym parallel=2"})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    shutil.rmtree(tree)
    return base


def files_of(packages, version="*"):
    found = [path for name in BINARIES for path in packages.glob(f"{name}_{version}_*.deb")]
    assert len(found) == len(BINARIES), found
    return found


@pytest.fixture(scope="module")
def pair(machines, packages):
    """alpha has the packages, beta is only there to be spoken to."""
    alpha, beta = machines("alpha", install=False), machines("beta", install=False)
    Cable((alpha, "eth0", "10.0.0.1/24"), (beta, "eth0", "10.0.0.2/24"))
    alpha.start()
    beta.start()
    return alpha, beta


def bring(machine, files):
    """Copies the packages in; returns their names inside."""
    for path in files:
        shutil.copy(path, machine.path("/var/tmp"))
    return [f"/var/tmp/{path.name}" for path in files]


def settle(machine):
    """Until every job of the packages' scripts is done."""
    machine.run("systemctl", "is-system-running", "--wait")


def test_lintian_has_nothing_to_say(packages):
    done = run("lintian", "--allow-root", "--profile", "debian", "--fail-on", "error,warning",
               *map(str, packages.glob("*.changes")))
    assert done.returncode == 0, done.stdout
    assert not done.stdout.strip()


def test_installing_starts_what_the_presets_enable(pair, packages):
    alpha, _ = pair
    alpha.exec("dpkg", "--install", *bring(alpha, files_of(packages)))
    settle(alpha)
    states = {unit: alpha.active(unit) for unit in
              ("ipsecalgs", "ipsec-policy", "ipsec-datapath", "ipsec-manual-key", "ipsec-ike")}
    assert states == {"ipsecalgs": "active", "ipsec-policy": "active", "ipsec-datapath": "active",
                      "ipsec-manual-key": "inactive", "ipsec-ike": "inactive"}
    assert "des-cbc" in alpha.exec("ipsecalgs").lower()


def policy(remote):
    return f"{{ raddr {remote} rport {SECRET_PORT} ulp udp dir both }} drop {{}}\n"


@pytest.fixture(scope="module")
def inside(pair):
    """red, an instance of alpha's, and green beside it, which is only there to be spoken to."""
    alpha, _ = pair
    for name in ("red", "green"):
        alpha.exec("ip", "netns", "add", name)
    alpha.exec("ip", "link", "add", "wire0", "netns", "red", "type", "veth", "peer", "name", "wire0",
               "netns", "green")
    for name, address in (("red", "10.1.0.1"), ("green", PEER_INSIDE)):
        alpha.exec("ip", "-n", name, "address", "add", f"{address}/24", "dev", "wire0")
        alpha.exec("ip", "-n", name, "link", "set", "wire0", "up")
    red, green = Namespace(alpha, "red"), Namespace(alpha, "green")
    alpha.write("/etc/netipsec/ns/red/ipsecinit.conf", policy(PEER_INSIDE))
    alpha.systemctl("enable", "--now", *map(red.unit, SERVICES))
    yield red, green
    red.agent.close()
    green.agent.close()


@contextlib.contextmanager
def chatter(machine, address, *prefix):
    """Somebody who never stops talking, with what policy drops and with what it does not mention."""
    talk = f"echo x >/dev/udp/{address}/{SECRET_PORT}; echo y >/dev/udp/{address}/9"
    process = machine.popen(*prefix, "bash", "-c", f"while :; do {talk}; read -t 0.002; done <> <(:)",
                            stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def renumbered(packages, target):
    """The same packages with a higher version."""
    newer = []
    for path in files_of(packages):
        tree = target / path.stem
        assert run("dpkg-deb", "-R", str(path), str(tree)).returncode == 0
        control = tree / "DEBIAN/control"
        text = control.read_text()
        version = next(line for line in text.splitlines() if line.startswith("Version: "))
        text = text.replace(version, f"Version: {NEXT_VERSION}")
        control.write_text(text.replace(f"(= {version.split()[1]})", f"(= {NEXT_VERSION})"))
        made = target / path.name.replace(version.split()[1], NEXT_VERSION)
        assert run("dpkg-deb", "-b", str(tree), str(made)).returncode == 0
        newer.append(made)
    return newer


def secrets_in(wire):
    return [frame for frame in wire.of(UDP) if frame.payload[2:4] == SECRET_PORT.to_bytes(2, "big")]


def test_upgrading_keeps_files_and_enforcement(pair, inside, packages, tmp_path):
    """Of the host and of an instance, each under traffic."""
    alpha, _ = pair
    red, green = inside
    alpha.write("/etc/inet/ipsecinit.conf", policy(PEER))
    alpha.systemctl("reload", "ipsec-policy")
    ours = [alpha.path(place) for place in ("/etc/netipsec/policy.cfg", "/etc/netipsec/ns/red/policy.cfg")]
    shutil.copy(ours[0], ours[1])
    for file in ours:
        file.write_text(file.read_text() + "# ours\n")
    units = SERVICES + [red.unit(service) for service in SERVICES]
    before = {unit: alpha.main_pid(unit) for unit in units}
    prepared = alpha.show("ipsec-instance@red", "ActiveEnterTimestampMonotonic")
    newer = bring(alpha, renumbered(packages, tmp_path))
    with chatter(alpha, PEER), chatter(alpha, PEER_INSIDE, "ip", "netns", "exec", "red"), \
            Capture(alpha, "eth0") as outer, Capture(green, "wire0") as inner:
        for wire in (outer, inner):
            wire.wait(10, lambda frame: frame.protocol == UDP)
        alpha.exec("dpkg", "--install", *newer)
        settle(alpha)
        for wire in (outer, inner):
            wire.wait(len(wire.frames) + 10, lambda frame: True)
    assert not secrets_in(outer) and not secrets_in(inner)
    after = {unit: alpha.main_pid(unit) for unit in units}
    assert all(after.values()) and not set(before.values()) & set(after.values())
    for unit in ("ipsec-datapath", red.unit("ipsec-datapath")):
        assert alpha.status_text(unit).startswith("2 rules and 0 SAs in force")
    # Its directories and bus names are those of the new version.
    assert alpha.show("ipsec-instance@red", "ActiveEnterTimestampMonotonic") != prepared
    assert alpha.active("ipsec-manual-key") == alpha.active("ipsec-manual-key@red") == "inactive"
    assert not alpha.systemctl("--failed", "--quiet").stdout
    assert all(file.read_text().endswith("# ours\n") for file in ours)
    assert alpha.path("/etc/inet/ipsecinit.conf").read_text() == policy(PEER)
    assert alpha.path("/etc/netipsec/ns/red/ipsecinit.conf").read_text() == policy(PEER_INSIDE)


def test_purging_leaves_nothing(pair, inside, packages):
    alpha, _ = pair
    red, green = inside
    own = alpha.path("/etc/inet/ipsecinit.conf")
    own.unlink()
    alpha.exec("dpkg", "--purge", *BINARIES)
    left = [str(path) for top in ("etc", "usr", "var") for path in alpha.upper.joinpath(top).rglob("*ipsec*")
            if "/var/tmp/" not in str(path) and "/var/cache/" not in str(path) and not (path.is_char_device() and not path.is_symlink())
            and (path.is_symlink() or path.exists())]
    assert not left
    assert "ipsec" not in alpha.exec("ls", "/run")
    assert not alpha.exec("systemctl", "list-units", "--all", "--quiet", "--plain", "--type=service,socket",
                          "ipsec*").strip()
    names = alpha.exec("getent", "passwd") + alpha.exec("getent", "group")
    assert "ipsec" not in names
    for prefix in ([], ["ip", "netns", "exec", red.name]):
        assert "ipsec" not in alpha.exec(*prefix, "nft", "list", "tables")
        assert "ipsec0" not in alpha.exec(*prefix, "ip", "link")
        for family in ("-4", "-6"):  # local, main and default, no more
            assert len(alpha.exec(*prefix, "ip", family, "rule").splitlines()) == (3 if family == "-4" else 2)
    with chatter(alpha, PEER), chatter(alpha, PEER_INSIDE, "ip", "netns", "exec", "red"), \
            Capture(alpha, "eth0") as outer, Capture(green, "wire0") as inner:
        for wire in (outer, inner):
            wire.wait(10, lambda frame: frame.protocol == UDP)
            wire.wait(1, lambda frame: int.from_bytes(frame.payload[2:4], "big") == SECRET_PORT)
