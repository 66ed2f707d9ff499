# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the tests that run in the guest."""

import os

import here
import pytest
from systest import protected
from systest.protected import ALPHA, BETA, SERVICES


@pytest.fixture(name="pair", scope="module")
def pair_fixture():
    """(this machine, its peer), on one cable; the services are on."""
    assert tuple(map(int, os.uname().release.split(".")[:2])) < (6, 9), "this proves nothing here"
    here.run("ip", "netns", "add", "peer")
    here.run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "eth0", "netns", "peer")
    for where, address in ((["ip"], f"{ALPHA}/24 dev cable"), (["ip", "-n", "peer"], f"{BETA}/24 dev eth0")):
        here.run(*where, "address", "add", *address.split())
        here.run(*where, "link", "set", address.split()[-1], "up")
    here.write(protected.POLICY_FILE, protected.policy(BETA))
    here.write(protected.KEY_FILE, protected.keys(), 0o600)
    here.run("systemctl", "enable", "--now", "ipsec-policy")
    alpha, beta = here.Host(), here.Host("ip", "netns", "exec", "peer")
    yield alpha, beta
    alpha.close()
    beta.close()
    here.run("systemctl", "disable", "--now", *SERVICES)
    here.run("ip", "link", "delete", "cable")
    here.run("ip", "netns", "delete", "peer")
