# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with Debian's own kernel in qemu, without KVM: its root is this machine's, its systemd too.

The root is a Machine of the system tests, shown to the guest by virtiofs; what the guest writes stays
in its memory. What runs in it ends with a power-off and tells of itself over the second serial line.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "tests/system"), str(REPO / "tests/netns"), str(REPO / "tests/oldkernel")]
# pylint: disable=wrong-import-position
import groups  # noqa: E402
import initrd  # noqa: E402
from systest.machine import Machine  # noqa: E402

KERNEL = "linux-image-cloud-amd64"
CACHE = REPO / "build/oldkernel"
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
MEMORY = "3G"
SOCKET_SEC = 20
INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t securityfs security /sys/kernel/security
@MODULES@
mount -t virtiofs -o ro root /low
mount -t tmpfs -o mode=0755,size=80% rw /rw
mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/low,upperdir=/rw/upper,workdir=/rw/work root /new
mount -t tmpfs -o mode=1777 tmp /new/tmp
mkdir -p /new@TREE@
mount -t virtiofs -o ro tree /new@TREE@
exec switch_root /new /lib/systemd/systemd
"""
UNIT = """[Unit]
Description=What this machine was started for
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=file:/dev/ttyS1
StandardError=file:/dev/ttyS1
WorkingDirectory=@TREE@
ExecStart=/usr/bin/python3 -u -B @TREE@/tests/oldkernel/inside.py @GROUPS@
ExecStopPost=/bin/systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
"""


def fetch_kernel():
    """The package that the current one depends on, by apt alone and without installing it."""
    told = subprocess.run(["apt-cache", "depends", "--important", KERNEL], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    name = re.search(r"Depends: (linux-image-6\.1\.\S+)", told)
    if not name:
        raise RuntimeError(f"{KERNEL} depends on no kernel of 6.1 here")
    place = CACHE / name[1]
    if not (place / "boot").exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name[1]],
                       cwd=CACHE, check=True)
        package = next(CACHE.glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), str(CACHE / "unpacked")], check=True)
        package.unlink()
        (CACHE / "unpacked").rename(place)
    release = name[1].removeprefix("linux-image-")
    subprocess.run(["depmod", "-b", str(place), release], check=True)
    return place, release


class Guest:
    """Context manager; lines() boots it and yields what it says, until it is off."""

    def __init__(self, names):
        self.names = names
        self.directory = Path(tempfile.mkdtemp(prefix="netipsec-oldkernel-"))
        self.machine = None
        self.helpers = []

    def __enter__(self):
        self.kernel, self.release = fetch_kernel()
        self.machine = Machine("guest", self.directory / "machine")
        root = self.machine.root
        shutil.copytree(self.kernel / "lib/modules", root / "usr/lib/modules", symlinks=True,
                        dirs_exist_ok=True)
        self.machine.write("/etc/tmpfiles.d/tmp.conf", "")  # nothing is cleaned up: the tree may be there
        unit = UNIT.replace("@TREE@", str(REPO)).replace("@GROUPS@", " ".join(self.names))
        self.machine.write("/etc/systemd/system/soak.service", unit)
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / "soak.service").symlink_to("../soak.service")
        initrd.make(self.directory / "initrd", self.kernel, self.release,
                    INIT.replace("@TREE@", str(REPO)))
        return self

    def __exit__(self, *trace):
        for helper in reversed(self.helpers):
            # Helpers have helpers: each leads a group of its own.
            try:
                os.killpg(helper.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            helper.wait()
        if self.machine:
            self.machine.remove()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _spawn(self, command, **options):
        self.helpers.append(subprocess.Popen(command, start_new_session=True, **options))
        return self.helpers[-1]

    def _share(self, tag, source):
        """Show a directory to the guest; returns qemu's options for it."""
        path = self.directory / f"{tag}.socket"
        with open(self.directory / f"{tag}.log", "wb") as log:
            self._spawn([VIRTIOFSD, f"--socket-path={path}", "-o", f"source={source},cache=always,xattr"],
                        stdout=log, stderr=log)
        deadline = time.monotonic() + SOCKET_SEC
        while not path.exists():
            assert time.monotonic() < deadline, f"virtiofsd shows no {source}"
            time.sleep(0.02)
        return ["-chardev", f"socket,id={tag},path={path}",
                "-device", f"vhost-user-fs-pci,chardev={tag},tag={tag},queue-size=1024"]

    def console(self):
        """The end of what the kernel and systemd wrote."""
        path = self.directory / "console"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def lines(self, end):
        """What the guest says, line by line; ends when it is off, and raises when the time is over."""
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                   "-no-reboot", "-machine", "q35,memory-backend=memory", "-m", MEMORY,
                   "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
                   "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
                   "-device", "virtio-rng-pci", "-initrd", str(self.directory / "initrd"),
                   "-kernel", str(self.kernel / f"boot/vmlinuz-{self.release}"),
                   "-append", "console=ttyS0 panic=-1 mitigations=off systemd.firstboot=off",
                   "-serial", f"file:{self.directory}/console", "-serial", "stdio",
                   *self._share("root", self.machine.root), *self._share("tree", REPO)]
        qemu = self._spawn(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        poll = select.poll()
        poll.register(qemu.stdout, select.POLLIN | select.POLLHUP)
        pending = b""
        while True:
            left = end - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise TimeoutError("the guest was not ready in time")
            data = os.read(qemu.stdout.fileno(), 65536)
            if not data:
                return  # it is off
            *whole, pending = (pending + data).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace").rstrip()


def run(names):
    """True: these groups of tests went well in the guest; no name: all."""
    begun = time.monotonic()
    end = begun + groups.seconds(names)
    status = None
    with Guest(names) as guest:
        print(f"soak: Linux {guest.release} in qemu without KVM", flush=True)
        try:
            for line in guest.lines(end):
                if line.startswith("status "):
                    status = int(line.split()[1])
                elif line:
                    print(f"{time.monotonic() - begun:6.0f} s  {line}", flush=True)
        except TimeoutError as why:
            print(f"soak: {why}", flush=True)
        if status is None:
            print(guest.console(), flush=True)
        print(f"soak: the guest was on for {time.monotonic() - begun:.0f} s", flush=True)
    return status == 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(0 if run(sys.argv[1:]) else 1)
