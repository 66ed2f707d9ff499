# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in the guest of guest.py, as root under its systemd: the groups of tests that are named."""

import os
import subprocess
import sys
import time
from pathlib import Path

from groups import chosen

REPO = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "TERM": "dumb",
               "PYTHONDONTWRITEBYTECODE": "1", "NETIPSEC_STAGE": str(REPO / "build/root"),
               "NETIPSEC_PATIENCE": "10", "CK_TIMEOUT_MULTIPLIER": "10"}
MODULES = ["tun", "veth"]
PYTEST = ["/usr/bin/python3", "-u", "-m", "pytest", "-v", "-p", "no:cacheprovider", "--color=no",
          "--tb=short", "--durations=10"]


def went_well(command):
    return subprocess.run(command, cwd=REPO, env=ENVIRONMENT, check=False).returncode == 0


def run(group):
    good = [went_well([str(REPO / "build/tests/unit" / program)]) for program in group.programs]
    if group.tests:
        good.append(went_well([*PYTEST, *group.tests]))
    return all(good)


def main():
    subprocess.run(["modprobe", "-a", *MODULES], check=True)
    bad = []
    for name, group in chosen(sys.argv[1:]).items():
        begun = time.monotonic()
        print(f"group {name}, on Linux {os.uname().release}", flush=True)
        if not run(group):
            bad.append(name)
        print(f"{'BAD' if name in bad else 'good'}: {name}, in {time.monotonic() - begun:.0f} s", flush=True)
    print(f"status {len(bad)}", flush=True)


if __name__ == "__main__":
    main()
