# SPDX-License-Identifier: GPL-2.0-or-later
"""The file tree of one host: the machine's own, with the suite's directories private to the host."""

import os
import shutil

from lablib import linux, units

HIDDEN = ".machine"  # inside a covered directory: what it covers

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>{address}</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <includedir>{stage}/usr/share/dbus-1/system.d</includedir>
</busconfig>
"""


def cover(path, scratch, replaced):
    """Lay a private directory over path that shows what it covers, but for the replaced names."""
    top = os.path.join(scratch, path.strip("/").replace("/", "-"))
    os.mkdir(top)
    linux.mount("lab", top, "tmpfs", 0, "mode=0755")
    os.mkdir(os.path.join(top, HIDDEN))
    linux.mount(path, os.path.join(top, HIDDEN), None, linux.MS_BIND | linux.MS_REC)
    for entry in os.scandir(path):
        link = os.path.join(top, entry.name)
        if entry.name in replaced:
            continue
        os.symlink(os.readlink(entry.path) if entry.is_symlink() else f"{HIDDEN}/{entry.name}", link)
    linux.mount(top, path, None, linux.MS_MOVE)


def cover_run(home, scratch, stage):
    """A fresh /run with the host's state and the staged installation in it."""
    top = os.path.join(scratch, "run")
    os.mkdir(top)
    linux.mount("lab", top, "tmpfs", 0, "mode=0755")
    for name in ("lab", "stage", "lock"):
        os.mkdir(os.path.join(top, name))
    linux.mount(home, os.path.join(top, "lab"), None, linux.MS_BIND)
    linux.mount(stage, os.path.join(top, "stage"), None, linux.MS_BIND | linux.MS_REC)
    linux.mount(top, "/run", None, linux.MS_MOVE)


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)


def _read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().rstrip("\n") + "\n"


def _accounts():
    """/etc/passwd and /etc/group with the suite's users added where they are missing, and people."""
    passwd, group = _read("/etc/passwd"), _read("/etc/group")
    for number, name in enumerate(units.USERS + units.GROUPS, units.FIRST_ID):
        if name in units.USERS and f"\n{name}:" not in passwd:
            passwd += f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n"
        if f"\n{name}:" not in group:
            members = ",".join(who for who, of in units.PEOPLE.items() if of == name)
            group += f"{name}:x:{number}:{members}\n"
    for number, name in enumerate(units.PEOPLE, units.PEOPLE_FIRST_ID):
        passwd += f"{name}:x:{number}:{number}::/:/bin/sh\n"
        group += f"{name}:x:{number}:\n"
    return passwd, group


def _private(home, path):
    """Directory under the lab's state that stands behind path in the host."""
    return home + path


def place_files(host, home):
    """Copy the lab file's files into the host's private directories."""
    for path in units.PRIVATE_DIRS + ("/etc/inet/ike",):
        os.makedirs(_private(home, path), mode=0o755, exist_ok=True)
    os.makedirs(_private(home, "/etc/inet/secret"), mode=0o700, exist_ok=True)
    for path, source in host.files.items():
        target = _private(home, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
        os.chmod(target, 0o600 if path.startswith("/etc/inet/secret/") else 0o644)


def build(host, where, names):
    """Make the host's tree in this process's mount namespace; names: text of /etc/hosts."""
    home = where.host_path(host.name)
    scratch = os.path.join(home, "mnt")
    for name in ("mnt", "log", "notify"):
        os.makedirs(os.path.join(home, name))
    place_files(host, home)
    passwd, group = _accounts()
    cover("/etc", scratch, ("inet", "netipsec", "passwd", "group", "hostname", "hosts"))
    write("/etc/passwd", passwd)
    write("/etc/group", group)
    write("/etc/hostname", host.name + "\n")
    write("/etc/hosts", names)
    cover("/var/lib", scratch, ("netipsec",))
    cover_run(home, scratch, where.stage)
    for path in units.PRIVATE_DIRS:
        os.mkdir(path)
        linux.mount(_private(units.HOME, path), path, None, linux.MS_BIND)
    try:
        linux.mount("lab", "/sys", "sysfs")
    except OSError:
        pass  # some containers forbid it; only /sys/class/net shows the wrong devices then
    write(os.path.join(units.HOME, "bus.conf"),
          BUS_CONFIG.format(address=units.BUS_ADDRESS, stage=units.STAGE))
