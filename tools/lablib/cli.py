# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of tools/lab."""

import argparse
import json
import os
import select
import subprocess
import sys
import time

from lablib import agent, client, keeper, labfile, place, units, wire

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXIT_USAGE = 2


def parse_args(argv):
    parser = argparse.ArgumentParser(
        prog="lab", description="Hosts in network namespaces with the whole suite on each; "
                                "docs/lab.md tells more.")
    parser.add_argument("--name", default=os.environ.get("LAB_NAME", "default"),
                        help="which lab, when several are up (default: LAB_NAME or 'default')")
    parser.add_argument("--dir", default=None, help="directory for state (default: LAB_DIR or "
                                                    "the user's runtime directory)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="make the hosts of a lab file and start their services")
    up.add_argument("file")
    up.add_argument("--stage", default=os.environ.get("LAB_STAGE", f"{REPO}/build/root"),
                    help="staged installation to run (default: LAB_STAGE or build/root)")
    up.add_argument("--timeout", type=float, default=30, metavar="SECONDS",
                    help="give up when it does not stand by then (default: 30)")
    up.add_argument("--userns", action="store_true",
                    help="in a user namespace even as root; others always get one")
    enter = verbs.add_parser("exec", help="run a command in a host")
    enter.add_argument("host")
    enter.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD")
    verbs.add_parser("down", help="end all its processes and remove its state")
    verbs.add_parser("status", help="its hosts and their services")
    verbs.add_parser("list", help="the labs that are up")
    log = verbs.add_parser("log", help="what a service of a host wrote")
    log.add_argument("host")
    log.add_argument("service", nargs="?", default=None)
    for name, text in (("hold", "from now on this service stays down once it has died"),
                       ("release", "let it come back")):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("host")
        verb.add_argument("service")
    capture = verbs.add_parser("capture", help="write what crosses an interface to a pcap file "
                                               "while a command runs")
    capture.add_argument("host")
    capture.add_argument("iface")
    capture.add_argument("file")
    capture.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD",
                         help="runs here, not in the host")
    return parser.parse_args(argv)


def resolve_file(text):
    """A path, or the name of a lab in etc/labs/."""
    known = os.path.join(REPO, "etc/labs", text + ".lab")
    return known if not os.path.exists(text) and os.path.exists(known) else text


def converse(conversation, timeout):
    """Wait for the keeper's word; returns (state, why)."""
    end = time.monotonic() + timeout
    poll = select.poll()
    poll.register(conversation, select.POLLIN)
    while True:
        left = end - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return "failed", f"it does not stand after {timeout:g} s"
        data = conversation.recv(1 << 16)
        if not data:
            return "failed", "the keeper went away"
        said = json.loads(data)
        return said["state"], said.get("why", "")


def bring_up(args, where, lab, userns):
    """One attempt; returns (state, why) and has left nothing behind unless state is ready."""
    if not where.claim():
        return "failed", "it is up already"
    conversation = keeper.launch(lab, where, userns)
    where.lock = None
    said = ("failed", "interrupted")
    try:
        said = converse(conversation, args.timeout)
        if said[0] == "ready":
            conversation.send(b"go")
    finally:
        conversation.close()
        if said[0] != "ready":
            where.kill()
            if not where.is_up():
                where.remove()
    return said


def up(args, where):
    try:
        lab = labfile.parse(resolve_file(args.file))
    except labfile.LabFileError as why:
        print(why, file=sys.stderr)
        return EXIT_USAGE
    where.stage = os.path.realpath(args.stage)
    where.env = units.environment(where.stage)
    if not os.path.isdir(where.stage + "/usr") and any(h.services for h in lab.hosts.values()):
        print(f"lab: nothing is staged in {where.stage}; run ./run build", file=sys.stderr)
        return 1
    os.makedirs(where.stage, exist_ok=True)
    if (any("ipsec-datapath" in h.services for h in lab.hosts.values())
            and not os.access("/dev/net/tun", os.R_OK | os.W_OK)):
        print("lab: you cannot open /dev/net/tun, which the datapath needs (usual mode: 0666)",
              file=sys.stderr)
        return 1
    state, why = "forbidden", ""
    if os.geteuid() == 0 and not args.userns:
        state, why = bring_up(args, where, lab, False)
    if state == "forbidden":
        state, why = bring_up(args, where, lab, True)
    if state == "forbidden":
        why += "\nlab: this machine lets neither root nor a user namespace make namespaces"
    if state != "ready":
        print(f"lab: {args.name}: {why}", file=sys.stderr)
        return 1
    return 0


def working_directory():
    """The caller's, unless the host has a tree of its own there."""
    here = os.getcwd()
    covered = ("/run", "/etc", "/var/lib")
    return "/" if any(f"{here}/".startswith(f"{path}/") for path in covered) else here


def enter(args, where):
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    try:
        argv = client.enter_argv(where, args.host, command or ["/bin/bash"], working_directory())
    except (client.Refused, OSError) as why:
        print(f"lab: {why}", file=sys.stderr)
        return EXIT_USAGE
    os.execvp(argv[0], argv)


def down(_args, where):
    where.kill()
    if os.path.isdir(where.path):
        where.remove()
    return 0


def status(args, where):
    description = where.description()
    if description is None:
        print(f"lab: '{args.name}' is not up", file=sys.stderr)
        return 1
    print(f"{args.name}: {description['file']}"
          f"{' (in a user namespace)' if description['userns'] else ''}")
    for host in description["hosts"]:
        print(f"  {host}")
        for facts in client.ask(where.host_path(host), {"verb": "list"}):
            if facts["starts"]:
                print(f"    {facts['name']:18} {facts['state']:12} {facts['status']}".rstrip())
    return 0


def list_labs(_args, where):
    if os.path.isdir(where.base):
        for name in sorted(os.listdir(where.base)):
            description = place.Place(where.base, name).description()
            if description:
                print(f"{name}: {' '.join(description['hosts'])}")
    return 0


def show_log(args, where):
    logs = os.path.join(where.host_path(args.host), "log")
    if not os.path.isdir(logs):
        print(f"lab: no host '{args.host}'", file=sys.stderr)
        return EXIT_USAGE
    for name in sorted(os.listdir(logs)):
        if args.service in (None, name.removesuffix(".log")):
            with open(os.path.join(logs, name), errors="replace", encoding="utf-8") as file:
                for line in file:
                    print(f"{name.removesuffix('.log')}: {line}", end="")
    return 0


def hold_or_release(args, where):
    client.ask(where.host_path(args.host), {"verb": args.verb, "unit": args.service})
    return 0


def capture(args, where):
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        print("lab: capture takes a command, such as: lab exec alpha ping -c 3 beta", file=sys.stderr)
        return EXIT_USAGE
    helper = agent.Agent(lambda *words: client.enter_argv(where, args.host, words))
    try:
        with wire.Capture(helper, args.iface) as seen:
            code = subprocess.run(command, check=False).returncode
    finally:
        helper.close()
    seen.write(args.file)
    print(f"{args.file}: {len(seen.frames)} frames, {len(seen.of(wire.ESP))} ESP, "
          f"{len(seen.clear())} in clear, none missed", file=sys.stderr)
    return code


def main(argv):
    args = parse_args(argv)
    where = place.Place(os.path.abspath(args.dir or place.default_base()), args.name)
    verbs = {"up": up, "exec": enter, "down": down, "status": status, "list": list_labs,
             "log": show_log, "hold": hold_or_release, "release": hold_or_release,
             "capture": capture}
    try:
        return verbs[args.verb](args, where)
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130
    except (OSError, RuntimeError, client.Refused) as why:
        print(f"lab: {why}", file=sys.stderr)
        return 1
