# SPDX-License-Identifier: GPL-2.0-or-later
"""Every daemon and the bus die at random moments under traffic; services stand still; limits are hit.

NETIPSEC_FAULT_KILLS, _RELOADS and _STILL_SEC (./run soak faults) make it last.
"""

import os
import random
import signal

from lablib import units
from nettest.fault import ENDS, answers, resources, under_traffic

KILLS = int(os.environ.get("NETIPSEC_FAULT_KILLS", "10"))  # of each
SERVICES = list(units.UNITS)


def test_all_die_in_any_order(pair, record_property):
    """The bus too, and mostly the next one before the last is back."""
    alpha = pair["alpha"]
    seed = random.SystemRandom().randrange(1 << 32)
    record_property("seed", seed)
    print("seed", seed)
    draw = random.Random(seed)
    order = [*SERVICES, "dbus"] * KILLS
    draw.shuffle(order)
    with under_traffic(pair) as steady:
        for unit in order:
            alpha.wait_active(unit)
            alpha.kill(unit)
            steady.flow(draw.randrange(1, 60))
        for unit in {"dbus": None, **units.UNITS}:
            alpha.wait_active(unit)
