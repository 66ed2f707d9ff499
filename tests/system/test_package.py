# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages: built, found clean, installed, upgraded under traffic, purged."""

import shutil
import subprocess

import pytest
from systest.machine import ENVIRONMENT, REPO, Cable
from lablib.wire import UDP, Capture

BUILD_TIMEOUT_SEC = 600
NEXT_VERSION = "0.1.99"
SECRET_PORT = 4242
POLICY = f"{{ raddr 10.0.0.2 rport {SECRET_PORT} ulp udp dir both }} drop {{}}\n"
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


def send(machine, port):
    """A datagram with each way to leave."""
    machine.run("bash", "-c", f"for i in 1 2 3 4 5; do echo x >/dev/udp/10.0.0.2/{port}; done")


def test_upgrading_keeps_files_and_enforcement(pair, packages, tmp_path):
    alpha, _ = pair
    alpha.write("/etc/inet/ipsecinit.conf", POLICY)
    alpha.systemctl("reload", "ipsec-policy")
    settings = alpha.path("/etc/netipsec/policy.cfg")
    settings.write_text(settings.read_text() + "# ours\n")
    newer = []
    for path in files_of(packages):
        tree = tmp_path / path.stem
        assert run("dpkg-deb", "-R", str(path), str(tree)).returncode == 0
        control = tree / "DEBIAN/control"
        text = control.read_text()
        version = next(line for line in text.splitlines() if line.startswith("Version: "))
        text = text.replace(version, f"Version: {NEXT_VERSION}")
        control.write_text(text.replace(f"(= {version.split()[1]})", f"(= {NEXT_VERSION})"))
        target = tmp_path / path.name.replace(version.split()[1], NEXT_VERSION)
        assert run("dpkg-deb", "-b", str(tree), str(target)).returncode == 0
        newer.append(target)
    before = alpha.main_pid("ipsec-datapath")
    sender = alpha.popen("bash", "-c", "while :; do "
                         f"echo x >/dev/udp/10.0.0.2/{SECRET_PORT}; echo y >/dev/udp/10.0.0.2/9; "
                         "done", stderr=subprocess.DEVNULL)
    try:
        with Capture(alpha, "eth0") as wire:
            wire.wait(10, lambda frame: frame.protocol == UDP)
            alpha.exec("dpkg", "--install", *bring(alpha, newer))
            settle(alpha)
            wire.wait(len(wire.frames) + 10, lambda frame: True)
    finally:
        sender.kill()
        sender.wait()
    secret = SECRET_PORT.to_bytes(2, "big")
    assert not [frame for frame in wire.of(UDP) if frame.payload[2:4] == secret]
    assert alpha.main_pid("ipsec-datapath") != before
    assert settings.read_text().endswith("# ours\n")
    assert alpha.path("/etc/inet/ipsecinit.conf").read_text() == POLICY


def test_purging_leaves_nothing(pair, packages):
    alpha, _ = pair
    own = alpha.path("/etc/inet/ipsecinit.conf")
    own.unlink()
    alpha.exec("dpkg", "--purge", *BINARIES)
    left = [str(path) for top in ("etc", "usr", "var") for path in alpha.upper.joinpath(top).rglob("*ipsec*")
            if "/var/tmp/" not in str(path) and "/var/cache/" not in str(path) and path.exists()
            and not path.is_char_device()]
    assert not left
    names = alpha.exec("getent", "passwd") + alpha.exec("getent", "group")
    assert "ipsec" not in names
    assert "ipsec" not in alpha.exec("nft", "list", "tables")
    assert "ipsec0" not in alpha.exec("ip", "link")
    with Capture(alpha, "eth0") as wire:
        send(alpha, SECRET_PORT)
        wire.wait(1, lambda frame: frame.protocol == UDP)
