# SPDX-License-Identifier: GPL-2.0-or-later
"""What units/ says about each service, as the lab's small service manager needs it."""

import os

# name: program under /usr/sbin; the lab's reload is "PROGRAM --reload", as the units' ExecReload is
UNITS = {
    "ipsecalgs": "ipsecalgsd",
    "ipsec-policy": "ipsec-policyd",
    "ipsec-manual-key": "ipsec-manual-keyd",
    "ipsec-ike": "ipsec-iked",
    "ipsec-datapath": "ipsec-datapathd",
}

# RestartPreventExitStatus= of each: a wrong command line, configuration, permission
FINAL_STATUSES = (2, 95, 100)

# names in a `files` directory, and where the services read them
FILE_PLACES = {
    "ipsecinit.conf": "/etc/inet/ipsecinit.conf",
    "ipseckeys": "/etc/inet/secret/ipseckeys",
    "ipsecalgs": "/etc/inet/ipsecalgs",
    "ike.config": "/etc/inet/ike/config",
}

# each a directory of the host's own, made under the lab's state and mounted at this place
PRIVATE_DIRS = ("/etc/inet", "/etc/netipsec", "/run/netipsec", "/var/lib/netipsec", "/run/dbus")

# users and groups that units/ has sysusers make
FIRST_ID = 63001
USERS = ["netipsec-policy", "netipsec-keys", "netipsec-algs", "netipsec-ike", "netipsec-datapath"]
GROUPS = ["ipsecadm", "ipseckey"]
# people of every host: the first has no rights, the others those of their group
PEOPLE = {"somebody": None, "operator": "ipsecadm", "keykeeper": "ipseckey"}
PEOPLE_FIRST_ID = 63101

BUS_ADDRESS = "unix:path=/run/dbus/system_bus_socket"
STAGE = "/run/stage"  # where a host sees the staged installation
HOME = "/run/lab"  # where a host sees its own part of the lab's state


def file_place(name):
    """Where a file of this name belongs, or None."""
    if name.endswith(".cfg"):
        return "/etc/netipsec/" + name
    return FILE_PLACES.get(name)


def unit_name(text):
    """`ipsec-policy.service` and `ipsec-policy` are the same unit."""
    return text.removesuffix(".service")


def environment(stage):
    """Variables for services and commands in a host; stage: the installation, seen from outside."""
    own_bin = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin")
    env = {
        "PATH": f"{own_bin}:{STAGE}/usr/sbin:{STAGE}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "DBUS_SYSTEM_BUS_ADDRESS": BUS_ADDRESS,
        "LAB_HOME": HOME,
    }
    libraries = [base.replace(stage, STAGE, 1)
                 for base, _, names in os.walk(os.path.join(stage, "usr/lib"))
                 if any(name.startswith("lib") and ".so" in name for name in names)]
    if libraries:
        env["LD_LIBRARY_PATH"] = ":".join(libraries)
    for name in ("LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
        if name in os.environ:
            env[name] = os.environ[name]
    return env
