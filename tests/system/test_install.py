# SPDX-License-Identifier: GPL-2.0-or-later
"""From `meson install` on a running Debian to services that run: nothing to be done in between."""

import pytest
from systest.machine import REPO

BUILD = REPO / "build"


@pytest.fixture(scope="module", params=["dbus-daemon", "dbus-broker"])
def bare(request, machines):
    machine = machines(request.param, bus=request.param, install=False, bind=[REPO])
    machine.start()
    return machine


def test_install_then_enable(bare):
    assert bare.run("systemctl", "cat", "ipsec-policy").returncode != 0
    bare.exec("meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet")
    bare.systemctl("enable", "--now", "ipsec-policy")
    assert bare.active("ipsec-policy") == "active"
    assert "(generation 1)" in bare.status_text("ipsec-policy")
    assert bare.active("ipsec-datapath") == "active"
    assert bare.systemctl("--failed", "--quiet").stdout == ""
