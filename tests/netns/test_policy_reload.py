# SPDX-License-Identifier: GPL-2.0-or-later
"""A policy of 1,000 rules is loaded again and again under traffic: nothing is lost, nothing in clear.

As fast as it goes for a while, and every second for a minute with a TCP stream beside the probes, or for
NETIPSEC_RELOAD_SEC (./run soak reload).
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

import pytest
from lablib import wire
from nettest.policy import ENDS, PLAIN, arrives, families, load
from nettest.probe import SteadyProbe, loses_nothing

RULES = 1000
STREAM_RATE = "8M"
LISTEN_TRIES = 100
PAUSE = 1000  # datagrams, in a second
STREAM = ("setpriv", "--pdeathsig", "KILL", "iperf3")  # ends with whoever started it


@dataclass
class Pace:
    seconds: float
    period_sec: float
    stream: bool


PACES = {"as fast as it goes": Pace(4, 0, False),
         "every second": Pace(float(os.environ.get("NETIPSEC_RELOAD_SEC", "60")), 1, True)}


def rules(family, turn):
    """The rule that protects, among others that come, go and change their places each time."""
    here, there, _, how = ENDS[family]
    net = "2001:db8:{:x}::{:x}" if family == "ipv6" else "10.{}.0.{}"
    others = [f"{{raddr {net.format(number % 7 + turn % 5, number % 250 + 1)} "
              f"rport {number + 1} ulp tcp}} " + ("drop {}" if number % 3 else f"ipsec {{{how}}}")
              for number in range(RULES - 1)]
    place = (turn * 331) % RULES
    others.insert(place, f"{{laddr {here} raddr {there}}} ipsec {{{how}}}")
    return "\n".join(others) + "\n"


def listen(host, stack):
    """A server for the stream; that of the run before may still be on its way out of the port."""
    for _ in range(LISTEN_TRIES):
        server = stack.enter_context(host.popen(
            *STREAM, "-s", "-1", "--forceflush", stdout=subprocess.PIPE, text=True))
        stack.callback(server.kill)
        if any("listening" in line for line in server.stdout):
            return
    raise AssertionError("iperf3 does not listen")


@contextlib.contextmanager
def traffic(pair, there, with_stream):
    """The probes, and perhaps a stream of TCP."""
    with contextlib.ExitStack() as stack:
        if with_stream:
            listen(pair["beta"], stack)
            stream = stack.enter_context(pair["alpha"].popen(
                *STREAM, "-c", there, "-t", "86400", "-b", STREAM_RATE, stdout=subprocess.DEVNULL))
            stack.callback(stream.kill)
        with SteadyProbe(pair["alpha"], pair["beta"], there) as probe:
            yield probe
        assert not with_stream or stream.poll() is None, "the stream of TCP has broken"


@pytest.mark.parametrize("pace", PACES)
@families
def test_reloads_lose_nothing(pair, family, pace):
    pace = PACES[pace]
    here, there, _, how = ENDS[family]
    alpha, beta = pair["alpha"], pair["beta"]
    load(beta, PLAIN)
    load(alpha, PLAIN)
    with wire.Capture(beta, "eth0") as capture:
        assert arrives(alpha, beta, there, some=[7777])
    assert capture.clear() and not capture.of(wire.ESP)
    load(beta, f"{{laddr {there} raddr {here}}} ipsec {{{how}}}\n")
    load(alpha, rules(family, 0))
    turns, idle = [], threading.Event()  # of which nobody ever tells

    def reload():
        end = time.monotonic() + pace.seconds
        while time.monotonic() < end or len(turns) < 2:
            turns.append(time.monotonic())
            load(alpha, rules(family, len(turns)))
            idle.wait(max(0.0, turns[-1] + pace.period_sec - time.monotonic()))

    with wire.Capture(beta, "eth0") as capture:
        loses_nothing(lambda: traffic(pair, there, pace.stream), reload)
    print(f"{len(turns)} reloads of {RULES} rules, {len(capture.of(wire.ESP))} packets of ESP, "
          f"{len(capture.clear())} in clear")
    assert not capture.clear()
    assert len(capture.of(wire.ESP)) > 1000 * pace.seconds


@families
def test_what_comes_in_a_pause_waits(pair, family):
    """A datapath that gets no processor for a second: what was sent meanwhile goes out afterwards."""
    here, there, _, how = ENDS[family]
    alpha, beta = pair["alpha"], pair["beta"]
    load(beta, f"{{laddr {there} raddr {here}}} ipsec {{{how}}}\n")
    load(alpha, f"{{laddr {here} raddr {there}}} ipsec {{{how}}}\n")
    probes = []

    def probe():
        probes.append(SteadyProbe(alpha, beta, there))
        return probes[-1]

    def pause():
        alpha.signal("ipsec-datapath", signal.SIGSTOP)
        try:
            probes[-1].flow(PAUSE)
        finally:
            alpha.signal("ipsec-datapath", signal.SIGCONT)

    loses_nothing(probe, pause)
