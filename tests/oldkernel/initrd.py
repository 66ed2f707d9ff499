# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's first file tree: what it takes to mount this machine's root from virtiofs, and no more."""

import gzip
import os
import re
import stat
import subprocess
from pathlib import Path

PROGRAMS = ["/usr/bin/dash", "/usr/bin/kmod", "/usr/bin/mount", "/usr/bin/mkdir", "/usr/sbin/switch_root"]
LINKS = {"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/lib64": "usr/lib64",
         "/usr/bin/sh": "dash", "/usr/sbin/modprobe": "../bin/kmod"}
DIRECTORIES = ["/proc", "/sys", "/dev", "/run", "/low", "/rw", "/new"]
MODULES = ["virtio_pci", "virtiofs", "overlay"]


def libraries(program):
    """Files that the program's loader wants, the loader among them."""
    told = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", told)


def modules(base, release):
    """Paths under base of the modules that are wanted, each behind those that it needs."""
    needs = {}
    for line in (base / "lib/modules" / release / "modules.dep").read_text().splitlines():
        path, _, more = line.partition(":")
        needs[path] = more.split()
    found = []

    def add(path):
        for need in needs[path]:
            add(need)
        if path not in found:
            found.append(path)
    for path in needs:
        if re.sub(r"\.ko.*", "", path.rsplit("/", 1)[1]) in MODULES:
            add(path)
    return [f"lib/modules/{release}/{path}" for path in found]


class Archive:
    """In the kernel's own format ("newc" of cpio)."""

    def __init__(self):
        self.data = bytearray()
        self.names = set()

    def add(self, name, mode, content=b""):
        name = name.lstrip("/")
        if name in self.names:
            return
        if "/" in name:
            self.add(name.rsplit("/", 1)[0], stat.S_IFDIR | 0o755)
        self.names.add(name)
        fields = [len(self.names), mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        self._pad()
        self.data += content
        self._pad()

    def _pad(self):
        self.data += bytes(-len(self.data) % 4)

    def add_link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def add_file(self, name, source):
        self.add(name, stat.S_IFREG | stat.S_IMODE(os.stat(source).st_mode), Path(source).read_bytes())

    def write(self, path):
        self.add("TRAILER!!!", 0)
        path.write_bytes(gzip.compress(bytes(self.data), 1))


def make(path, base, release, init):
    """init: text of the script that the kernel starts. base: where the kernel's package lies unpacked."""
    archive = Archive()
    for name, target in LINKS.items():
        archive.add_link(name, target)
    for name in DIRECTORIES:
        archive.add(name, stat.S_IFDIR | 0o755)
    for program in PROGRAMS:
        archive.add_file(program, program)
        for library in libraries(program):
            where = re.sub(r"^/lib", "/usr/lib", library)
            archive.add_file(where, library)
    for module in modules(base, release):
        archive.add_file("usr/" + module, base / module)
        init = init.replace("@MODULES@", f"insmod /{module}\n@MODULES@")
    archive.add_link("/usr/sbin/insmod", "../bin/kmod")
    archive.add("/init", stat.S_IFREG | 0o755, init.replace("@MODULES@", "").encode())
    archive.write(path)
