# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the tests under a real systemd."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "netns"))
from systest.machine import Cable, Machine  # noqa: E402


class Machines:
    """Makes machines on demand and takes all of them away at the end."""

    def __init__(self, base):
        self.base = base
        self.made = []

    def __call__(self, name, **options):
        machine = Machine(name, self.base / f"{len(self.made)}-{name}", **options)
        self.made.append(machine)
        return machine

    def remove(self):
        while self.made:
            self.made.pop().remove()


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """Factory: machines("alpha") is furnished and has no power yet."""
    made = Machines(tmp_path_factory.mktemp("machines"))
    yield made
    made.remove()


@pytest.fixture(scope="module")
def pair(machines):
    """Two machines on one cable, booted, nothing of ours enabled."""
    alpha, beta = machines("alpha"), machines("beta")
    Cable((alpha, "eth0", "10.0.0.1/24", "fd00::1/64"), (beta, "eth0", "10.0.0.2/24", "fd00::2/64"))
    alpha.start()
    beta.start()
    return alpha, beta


@pytest.fixture(scope="module")
def alone(machines):
    """One machine, booted, nothing of ours enabled."""
    machine = machines("alone")
    machine.start()
    return machine


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the journals."""
    outcome = yield
    report = outcome.get_result()
    made = getattr(item, "funcargs", {}).get("machines")
    if report.failed and made:
        for machine in made.made:
            if machine.leader:
                report.sections.append((f"journal of {machine.name}", machine.journal()))


def pytest_collection_modifyitems(items):
    """A machine of its own needs the rights of root."""
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root"))
