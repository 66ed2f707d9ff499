# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the network tests."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from nettest.lab import REPO, Lab  # noqa: E402


class Labs:
    """Brings labs up on demand and takes all of them down at the end."""

    def __init__(self, base):
        self.base = base
        self.up = []

    def __call__(self, file, stage=None, options=()):
        path = Path(file)
        if not path.exists():
            path = REPO / "etc/labs" / f"{file}.lab"
        lab = Lab(path, self.base, f"lab{len(self.up)}", stage, options)
        self.up.append(lab)
        return lab

    def down(self):
        while self.up:
            self.up.pop().down()


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    """Factory: labs("pair") or labs(path); they live until the module's last test has ended."""
    made = Labs(tmp_path_factory.mktemp("labs"))
    yield made
    made.down()


@pytest.fixture(scope="module")
def pair(labs):
    """The ready-made lab of two hosts, shared by a module's tests."""
    return labs("pair")


@pytest.fixture(scope="module")
def vpn(labs):
    """The ready-made lab of two gateways with a host behind each."""
    return labs("vpn")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the services wrote."""
    outcome = yield
    report = outcome.get_result()
    made = getattr(item, "funcargs", {}).get("labs")
    if report.failed and made:
        for lab in made.up:
            report.sections.append((f"services of {lab.where.path}", lab.logs()))


def pytest_collection_modifyitems(items):
    """Tests that need the rights of root skip without them; tests/skips.allow says which."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root itself, not a user namespace")
