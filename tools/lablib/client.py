# SPDX-License-Identifier: GPL-2.0-or-later
"""Talking to a host's supervisor, and entering a host."""

import json
import os
import socket

from lablib import linux, place

ANSWER_MAX = 1 << 20


class Refused(Exception):
    """The supervisor said no, and why."""


def ask(home, request):
    """One request to the supervisor whose control socket is in home; its output goes to ours."""
    with place.connect(home) as connection:
        socket.send_fds(connection, [json.dumps(request).encode()], [1, 2])
        data = connection.recv(ANSWER_MAX)
    if not data:
        raise Refused("the supervisor went away")
    answer = json.loads(data)
    if not answer["ok"]:
        raise Refused(answer["value"])
    return answer["value"]


def enter_argv(where, host, command, cwd="/"):
    """Command line that runs command in the host of the lab at where (a Place)."""
    description = where.description()
    if description is None:
        raise Refused(f"lab '{os.path.basename(where.path)}' is not up")
    if host not in description["hosts"]:
        raise Refused(f"no host '{host}'; there are: {' '.join(description['hosts'])}")
    with place.connect(where.host_path(host)) as connection:
        pid = linux.peer_pid(connection)
    argv = ["nsenter", "-t", str(pid), "-m", "-r", "-n", "-u", "-i", "-p"]
    if description["userns"]:
        argv += ["-U", "--preserve-credentials"]
    argv += ["/usr/bin/env", "-C", cwd]
    argv += [f"{name}={value}" for name, value in description["env"].items()]
    return argv + list(command)
