# SPDX-License-Identifier: GPL-2.0-or-later
"""From power-on to enforcement: what policy protects does not leave, whatever the last life was."""

import pytest
from lablib.wire import UDP, Capture
from systest.machine import Cable

PROTECTED, BYPASSED = 4242, 4243
POLICY = (f"{{ raddr 10.0.0.2 rport {PROTECTED} ulp udp }} ipsec {{ encr_algs aes }}\n"
          f"{{ raddr 10.0.0.2 rport {BYPASSED} ulp udp dir both }} pass {{}}\n")
LID_ON = "dce01098518f4f21bac8f8b930d68bf3"
# As early as anything may send: once the network is said to be up.
CHATTER = f"""\
[Unit]
DefaultDependencies=no
After=network-pre.target
[Service]
ExecStart=/bin/bash -c 'while :; do echo x >/dev/udp/10.0.0.2/{PROTECTED}; \
echo y >/dev/udp/10.0.0.2/{BYPASSED}; read -t 0.002; done <> <(:)'
[Install]
WantedBy=sysinit.target
"""
# Its first stage runs before the network, its second before sysinit.target.
CLOUD_INIT = {
    "cloud-init-local": "Wants=network-pre.target\nBefore=network-pre.target sysinit.target\n"
                        "Before=shutdown.target\nConflicts=shutdown.target\nRequiresMountsFor=/var/lib/cloud",
    "cloud-init": "After=cloud-init-local.service\nBefore=network-online.target sysinit.target "
                  "systemd-user-sessions.service\nWants=cloud-init-local.service",
}


@pytest.fixture(scope="module")
def pair(machines):
    """alpha talks from early on, beta listens; alpha's policy was in force before."""
    alpha, beta = machines("alpha"), machines("beta")
    Cable((alpha, "eth0", "10.0.0.1/24"), (beta, "eth0", "10.0.0.2/24"))
    alpha.write("/etc/systemd/system/chatter.service", CHATTER)
    for name, lines in CLOUD_INIT.items():
        alpha.write(f"/etc/systemd/system/{name}.service",
                    f"[Unit]\nDefaultDependencies=no\n{lines}\n[Service]\nType=oneshot\n"
                    "ExecStart=/bin/true\n[Install]\nWantedBy=sysinit.target\n")
    alpha.write("/etc/inet/ipsecinit.conf", POLICY)
    beta.start()
    alpha.start()
    alpha.systemctl("enable", "--now", "chatter", *CLOUD_INIT, "ipsec-policy", "ipsec-datapath")
    return alpha, beta


def port(frame):
    return int.from_bytes(frame.payload[2:4], "big")


def boot(alpha, beta):
    """Boots; ports that were seen in clear on beta's end of the cable, and how often."""
    alpha.connect()
    with Capture(beta, "eth0") as wire:
        alpha.boot()
        wire.wait(len(wire.frames) + 5, lambda frame: True)
    ports = [port(frame) for frame in wire.of(UDP)]
    return {number: ports.count(number) for number in set(ports)}


@pytest.mark.parametrize("end", ["stop", "pull_plug"])
def test_the_last_policy_holds_from_the_first_packet(pair, end):
    alpha, beta = pair
    getattr(alpha, end)()
    seen = boot(alpha, beta)
    assert seen.get(BYPASSED, 0) > 0
    assert PROTECTED not in seen
    assert "the lid is on: " in alpha.journal("-b", "-t", "ipsec-lid", f"MESSAGE_ID={LID_ON}")
    assert "ordering cycle" not in alpha.journal("-b")
    assert "in force (generation" in alpha.status_text("ipsec-datapath")


def test_the_datapath_never_comes(pair):
    alpha, beta = pair
    alpha.systemctl("mask", "ipsec-datapath")
    alpha.stop()
    seen = boot(alpha, beta)
    assert seen.get(BYPASSED, 0) > 0
    assert PROTECTED not in seen
    assert alpha.active("ipsec-datapath") == "inactive"
    alpha.systemctl("unmask", "ipsec-datapath")


def boot_policy(alpha, value):
    path = alpha.path("/etc/netipsec/datapath.cfg")
    text = path.read_text()
    line = next(line for line in text.splitlines() if line.startswith("boot_policy"))
    path.write_text(text.replace(line, f'boot_policy = "{value}";'))


@pytest.mark.parametrize("value, passes", [("drop", set()), ("clear", {PROTECTED, BYPASSED})])
def test_boot_policy(pair, value, passes):
    alpha, beta = pair
    boot_policy(alpha, value)
    alpha.systemctl("mask", "ipsec-datapath")
    alpha.stop()
    alpha.connect()
    with Capture(beta, "eth0") as wire:
        alpha.boot()
        # Long enough that every kind of packet has been tried.
        alpha.exec("bash", "-c", "until [ $(systemctl show -P NRestarts chatter) ]; do :; done")
        if passes:
            wire.wait(20, lambda frame: frame.protocol == UDP)
    assert {port(frame) for frame in wire.of(UDP)} & {PROTECTED, BYPASSED} == passes
    alpha.systemctl("unmask", "ipsec-datapath")
    boot_policy(alpha, "last-good")


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_without_a_good_last_policy_nothing_passes(pair, damage):
    alpha, beta = pair
    alpha.systemctl("mask", "ipsec-datapath")
    alpha.stop()
    kept = alpha.path("/var/lib/netipsec/datapath/policy")
    if damage == "gone":
        kept.unlink()
    else:
        kept.write_bytes(kept.read_bytes()[:-7])
    alpha.connect()
    with Capture(beta, "eth0") as wire:
        alpha.boot()
    assert not {port(frame) for frame in wire.of(UDP)} & {PROTECTED, BYPASSED}
    alpha.systemctl("unmask", "ipsec-datapath")
    alpha.systemctl("start", "ipsec-datapath")
    alpha.wait_for(lambda: "ules" in alpha.status_text("ipsec-datapath"), "enforcement")
    alpha.wait_for(kept.exists, "the policy's place on disk")


def test_a_stopped_policy_leaves_no_lid(pair):
    alpha, beta = pair
    alpha.systemctl("start", "ipsec-datapath")
    alpha.systemctl("restart", "ipsec-policy")
    alpha.systemctl("disable", "--now", "ipsec-policy")
    assert alpha.run("systemctl", "is-enabled", "ipsec-lid").stdout.strip() == "disabled"
    alpha.stop()
    seen = boot(alpha, beta)
    assert seen.get(PROTECTED, 0) > 0
