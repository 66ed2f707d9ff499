# SPDX-License-Identifier: GPL-2.0-or-later
"""Random SAs and packets, sealed by the engine and opened by scapy, and the other way about.

NETIPSEC_INTEROP_SEED   what the draw begins with; printed, and part of each failure
NETIPSEC_INTEROP_CASES  how many, 2000 by default
NETIPSEC_INTEROP_CASE   this one alone
"""

import json
import os
import random
import subprocess
from pathlib import Path

import draw
import pytest
from judge import Judge
from judge_ah import JudgeAh, travelled

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NETIPSEC_BUILD", TOP / "build"))
SEED = os.environ.get("NETIPSEC_INTEROP_SEED") or str(random.SystemRandom().randrange(2 ** 32))
CASES = int(os.environ.get("NETIPSEC_INTEROP_CASES", "2000"))
ONE = os.environ.get("NETIPSEC_INTEROP_CASE")
BLOCK = 100
FAILURES_SHOWN = 5
JUDGES = {"esp": Judge, "ah": JudgeAh}


class Tool:
    """The engine's ESP, by lines of JSON."""

    def __init__(self):
        self.process = subprocess.Popen([BUILD / "tests/vectors/esp-tool"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __call__(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


@pytest.fixture(name="tool", scope="module")
def start_tool():
    tool = Tool()
    yield tool
    tool.close()


@pytest.fixture(name="suites", scope="module")
def offered_suites(tool):
    return draw.suites(json.loads(tool(do="offers")))


def run_case(tool, case):
    """Raises AssertionError with the first thing that is wrong."""
    judge = JUDGES[case.proto](case)
    sealed = tool(do="seal", seq=case.seq & 0xFFFFFFFF, packet=case.packet.hex(), **case.request())
    assert len(sealed) > 2 * len(case.packet), f"the engine does not seal: {sealed}"
    sealed, clear = travelled(bytes.fromhex(sealed)).hex(), travelled(case.packet)
    opened = judge.open(bytes.fromhex(sealed))
    assert opened == clear, f"scapy opens the engine's to {opened.hex()}, sealed {sealed}"
    theirs = travelled(judge.seal(case.packet))
    sizes = len(sealed) // 2, len(theirs)
    # Destination options without a routing header: scapy leaves them outside, the engine does not.
    if judge.begin(bytes.fromhex(sealed)) == judge.begin(theirs):
        assert sizes[0] == sizes[1], f"the engine's and scapy's octets: {sizes}"
    asked = {**case.request(), "seq": case.seq & 0xFFFFFFFF, **case.window()}
    opened = tool(do="open", packet=theirs.hex(), **asked)
    want = case.verdict() or clear.hex()
    assert opened == want, f"the engine opens scapy's {theirs.hex()} to {opened}"
    if case.spoilable() and not case.verdict():
        spoilt = bytearray(theirs)
        first = judge.begin(theirs) + judge.first_summed
        spoilt[first + case.spoilt_at % (len(theirs) - first)] ^= 1 << case.spoilt_at % 8
        opened = tool(do="open", packet=spoilt.hex(), **asked)
        assert opened == f"{case.proto}_bad_auth", f"the engine opens a spoilt {spoilt.hex()} to {opened}"


def run_cases(tool, suites, numbers):
    wrong = []
    for number in numbers:
        case = draw.Case(random.Random(f"{SEED}/{number}"), suites)
        try:
            run_case(tool, case)
        except Exception as why:  # pylint: disable=broad-exception-caught
            wrong.append(f"NETIPSEC_INTEROP_SEED={SEED} NETIPSEC_INTEROP_CASE={number}: {case}\n"
                         f"  {type(why).__name__}: {str(why)[:2000]}")
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:FAILURES_SHOWN])


def test_every_suite_has_a_judge(suites):
    """A row that this suite cannot check would pass unseen."""
    assert len(suites) > 20
    assert not [suite for suite in suites if not JUDGES[suite.proto].knows(suite)]


@pytest.mark.parametrize("begin", [int(ONE)] if ONE else range(0, CASES, BLOCK))
def test_random(tool, suites, begin):
    run_cases(tool, suites, [begin] if ONE else range(begin, min(begin + BLOCK, CASES)))


@pytest.fixture(scope="module", autouse=True)
def print_seed(pytestconfig):
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\ninterop: NETIPSEC_INTEROP_SEED={SEED}, {CASES} cases", flush=True)
