#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""run_golden.py [--update] KIND PROGRAM DIRECTORY

Each NAME.in of the directory is given to the program; what it says on standard output and standard
error and how it ends is compared byte for byte with NAME.out. What stands in NAME.root/ is laid over
the file tree that the program sees. --update writes NAME.out: read the
difference before it is committed.
"""

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def check_command(program, name, scratch):
    """The command's own checker; policies also print the rules that they mean."""
    del scratch
    return [program, "-c", name]


def policy_command(program, name, scratch):
    """Names that begin with ext- allow extensions."""
    extensions = ["--extensions"] if name.startswith("ext-") else []
    return check_command(program, name, scratch) + ["--print"] + extensions


def world_command(program, name, scratch):
    """Policies whose names, tunnels and SAs are not those of this machine."""
    del scratch
    return [program, name]


def daemon_command(program, name, scratch):
    """A service's checker reads the file that its settings name, in the file tree."""
    settings = Path(scratch, "settings.cfg")
    settings.write_text(f'config_file = "/{name}";\n')
    shutil.copyfile(Path(scratch, name), Path(scratch, "root", name))
    return [program, "--config", str(settings), "--check"]


COMMANDS = {"policy": policy_command, "keys": check_command, "algs": daemon_command,
            "world": world_command}


def make_root(scratch, overlay):
    """A file tree with the default algorithm table, so that no file of this machine is read."""
    inet = Path(scratch, "root/etc/inet")
    inet.mkdir(parents=True)
    shutil.copy(TOP / "etc/inet/ipsecalgs", inet)
    if overlay.is_dir():
        shutil.copytree(overlay, inet.parents[1], dirs_exist_ok=True)
    return str(inet.parents[1])


def run_case(kind, program, case):
    with tempfile.TemporaryDirectory() as scratch:
        name = case.name
        shutil.copyfile(case, Path(scratch, name))
        os.chmod(Path(scratch, name), 0o600)
        env = dict(os.environ, LC_ALL="C",
                   NETIPSEC_ROOT=make_root(scratch, case.with_suffix(".root")))
        command = COMMANDS[kind](program, name, scratch)
        done = subprocess.run(command, cwd=scratch, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                              check=False)
        said = f"--- stdout\n{done.stdout.decode(errors='backslashreplace')}" \
               f"--- stderr\n{done.stderr.decode(errors='backslashreplace')}" \
               f"--- exit {done.returncode}\n"
        return said.replace(scratch + "/", "")


def main():
    arguments = sys.argv[1:]
    update = "--update" in arguments
    if update:
        arguments.remove("--update")
    if len(arguments) != 3 or arguments[0] not in COMMANDS:
        sys.exit(__doc__)
    kind, program, directory = arguments[0], os.path.abspath(arguments[1]), Path(arguments[2])
    passed = failed = 0
    for number, case in enumerate(sorted(directory.glob("*.in")), 1):
        said = run_case(kind, program, case)
        golden = case.with_suffix(".out")
        if update:
            golden.write_text(said)
        want = golden.read_text() if golden.exists() else ""
        if said == want:
            passed += 1
            print(f"ok {number} - {case.stem}")
            continue
        failed += 1
        print(f"not ok {number} - {case.stem}")
        sys.stdout.writelines(difflib.unified_diff(want.splitlines(True), said.splitlines(True),
                                                   golden.name, "said"))
    for golden in sorted(directory.glob("*.out")):
        if not golden.with_suffix(".in").exists():
            failed += 1
            print(f"not ok - {golden.name} has no input beside it")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
