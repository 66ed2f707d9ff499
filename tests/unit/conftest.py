# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the tests that drive one service on a private bus."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "tools")]
from service import World  # noqa: E402


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.end()
