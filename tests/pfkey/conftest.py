# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the tests with key managers that others wrote."""

import sys
from pathlib import Path

import pytest

for beside in ("netns", "unit"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / beside))
from nettest.lab import Lab  # noqa: E402

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Two hosts without rules and keys."""
    lab = Lab(HERE / "iked.lab", tmp_path_factory.mktemp("labs"), "pfkey")
    yield lab
    lab.down()


@pytest.fixture(scope="module")
def lab(request, tmp_path_factory):
    """As the module's LAB says; its host alpha has the module's FILE for a policy."""
    name = request.module.__name__.removeprefix("test_")
    directory = tmp_path_factory.mktemp(name)
    (directory / "alpha").mkdir()
    (directory / "alpha/ipsecinit.conf").write_text(request.module.FILE)
    (directory / f"{name}.lab").write_text(request.module.LAB)
    up = Lab(directory / f"{name}.lab", tmp_path_factory.mktemp("labs"), name)
    yield up
    up.down()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the services and the key managers wrote."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    given = getattr(item, "funcargs", {})
    up = given.get("bare") or given.get("lab")
    if up:
        report.sections.append(("services", up.logs()))
    for manager in given.get("iked", {}).values():
        report.sections.append((f"iked of {manager.host.name}", manager.log_text()[-8000:]))
