# SPDX-License-Identifier: GPL-2.0-or-later
"""What ./run soak oldkernel names is there, so that nobody learns of it an hour into the soak."""

import subprocess
import sys

import pytest
from service import REPO, STAGE

sys.path.insert(0, str(REPO / "tests/oldkernel"))
from groups import GROUPS, chosen, seconds  # noqa: E402  pylint: disable=wrong-import-position


def test_all_that_is_named_exists():
    tests = [test for group in GROUPS.values() for test in group.tests]
    done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests],
                          cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for group in GROUPS.values():
        assert group.tests or group.programs
        for program in group.programs:
            assert (STAGE.parent / "tests/unit" / program).exists()


def test_groups_are_chosen_by_name():
    names = list(GROUPS)
    assert list(chosen([])) == names and list(chosen([names[2], names[0]])) == [names[0], names[2]]
    assert seconds(names[:1]) < seconds([]) == seconds(names)
    with pytest.raises(ValueError, match="no group 'nosuch'; there are: systemd "):
        chosen(["nosuch"])
