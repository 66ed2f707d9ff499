# SPDX-License-Identifier: GPL-2.0-or-later
"""The few system calls that Python 3.11 does not offer: namespaces, mounts, comparing descriptors."""

import ctypes
import os
import platform
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_libc = ctypes.CDLL(None, use_errno=True)
_KCMP_NUMBER = {"x86_64": 312}.get(platform.machine(), 272)
_KCMP_FILE = 0


def _check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def unshare(flags):
    """Move this process into namespaces of its own."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source, target, fstype=None, flags=0, options=None):
    """mount(2); text arguments, None where the call takes NULL."""
    raw = [None if text is None else os.fsencode(text) for text in (source, target, fstype, options)]
    result = _libc.mount(raw[0], raw[1], raw[2], ctypes.c_ulong(flags), raw[3])
    _check(result, str(target))


def sethostname(name):
    raw = os.fsencode(name)
    _check(_libc.sethostname(raw, ctypes.c_size_t(len(raw))), "sethostname")


def same_file(one, other):
    """Do two descriptors of this process stand for one open file?"""
    pid = os.getpid()
    return _libc.syscall(_KCMP_NUMBER, pid, pid, _KCMP_FILE,
                         ctypes.c_ulong(one), ctypes.c_ulong(other)) == 0


def enter_user_namespace():
    """Become root of a new user namespace in which nobody else is mapped."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def peer_pid(connection):
    """Process that listens at the other end, as numbered in the caller's pid namespace."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", raw)[0]
