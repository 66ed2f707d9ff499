# SPDX-License-Identifier: GPL-2.0-or-later
"""Each reason for which a packet is dropped, or waits, is met by a test that names it."""

import re

from service import REPO

# Those that nothing a test does from outside brings about.
UNMET = {
    "esp_crypto_failed": "the libraries refuse nothing that the suite took, unless they run out of memory",
    "ah_crypto_failed": "the same",
    "ip_ipsec_not_loaded": "a library that computes when an SA is taken, and not when its packets come",
    "ah_replay": "two workers that open the same packet at the same moment",
    "io_send_failed": "the system's own refusal: a queue that is full, a route that goes at that moment",
}


def test_each_verdict_is_named_by_a_test():
    header = (REPO / "services/datapath/packet/counters.h").read_text()
    verdicts = re.findall(r"^\tX\((\w+), +(\w+),", header, re.M)
    assert len(verdicts) > 60
    tests = "".join(path.read_text(errors="replace") for ending in ("c", "h", "py")
                    for path in (REPO / "tests").rglob(f"*.{ending}") if path.name != "test_verdicts.py")
    words = set(re.findall(r"\w+", tests))
    unnamed = {name for verdict, name in verdicts if not {f"VERDICT_{verdict}", name} & words}
    assert unnamed == set(UNMET)
