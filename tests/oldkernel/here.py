# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest as its tests see it: they run in it, as root under its systemd."""

import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "tests/netns"), str(REPO / "tests/system"), str(REPO / "tools")]
# pylint: disable=wrong-import-position
from lablib.agent import Agent  # noqa: E402
from systest import protected  # noqa: E402

DATAPATH = "ipsec-datapath"
PATIENCE_SEC = 120


class Host:
    """This machine, or a network namespace of it, as the helpers of other tests want one."""

    def __init__(self, *inside):
        agent = Agent(lambda *command: [*inside, *command])
        self.socket, self.close = agent.socket, agent.close


def run(*command, ok=True):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert not ok or done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done.stdout


def write(path, text, mode=0o644):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    Path(path).chmod(mode)


def show(name, unit=DATAPATH):
    return run("systemctl", "show", "--value", f"--property={name}", unit).strip()


def wait_for(question, what):
    end = time.monotonic() + PATIENCE_SEC
    while not question():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def protects_again(pair):
    """SAs come with their service, whenever that has noticed; until then nothing may leave in clear."""
    def once():
        seen = protected.fate(*pair, "dropped")  # which waits for nothing
        assert seen != "clear"
        return seen == "protected"
    wait_for(once, "it protects again")
