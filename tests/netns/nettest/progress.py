# SPDX-License-Identifier: GPL-2.0-or-later
"""What a long run has to say while it lasts: ./run soak asks for it with NETIPSEC_PROGRESS."""

import os
import sys
import time

EVERY_SEC = 10


def tell(text):
    """A line for who waits."""
    if "NETIPSEC_PROGRESS" in os.environ:
        print(f"soak: {text}", file=sys.__stdout__, flush=True)


def progress(what, count):
    """range(count), and now and then a line that tells how far it is."""
    begun = told = time.monotonic()
    for number in range(count):
        yield number
        now = time.monotonic()
        if now - told >= EVERY_SEC or number + 1 == count:
            told = now
            tell(f"{number + 1} of {count} {what} in {now - begun:.0f} s")
