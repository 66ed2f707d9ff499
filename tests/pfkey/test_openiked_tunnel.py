# SPDX-License-Identifier: GPL-2.0-or-later
"""openiked in tunnel mode: its policies become rules of the tunnel that the administrator has made."""

import pytest
from lablib import wire
from manager import ADDRESS, Iked, is_ike, protects, rules, spis, until
from nettest.lab import Lab
from nettest.sas import dump_sas

INNER = {"alpha": "10.1.0.1", "beta": "10.2.0.1"}
NETS = {"alpha": "10.1.0.0/24", "beta": "10.2.0.0/24"}
SETTINGS = """ike_user = "root"
tunnels = ( {{ name = "vpn0"; source = "{own}"; destination = "{peer}"; }} );
"""
HOST = """
host {name}
	address  eth0 {own}/24
	files    {name}
	services ipsecalgs ipsec-datapath
	after    ip address add {inner}/32 dev lo
	after    ip route add {net} dev vpn0 src {inner}
"""
OTHER = {"alpha": "beta", "beta": "alpha"}


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sites")
    text = ""
    for name, peer in OTHER.items():
        (directory / name).mkdir()
        (directory / name / "datapath.cfg").write_text(
            SETTINGS.format(own=ADDRESS[name], peer=ADDRESS[peer]))
        text += HOST.format(name=name, own=ADDRESS[name], inner=INNER[name], net=NETS[peer])
    (directory / "sites.lab").write_text(text + "link alpha:eth0 beta:eth0\n")
    lab = Lab(directory / "sites.lab", tmp_path_factory.mktemp("labs"), "sites")
    yield lab
    lab.down()


def test_what_the_tunnel_takes_is_protected(sites, tmp_path):
    managers = [Iked(sites[name], tmp_path, f"esp from {NETS[name]} to {NETS[OTHER[name]]}")
                for name in ("beta", "alpha")]
    try:
        for name in ADDRESS:
            until(lambda host=sites[name]: protects(host), f"{name} has rules and SAs")
        with wire.Capture(sites["beta"], "eth0") as capture:
            sites["alpha"].exec("ping", "-c", "3", "-i", "0.1", "-W", "10", "-I", INNER["alpha"],
                                INNER["beta"])
        assert len(capture.of(wire.ESP)) >= 6 and spis(capture) <= set(dump_sas(sites["alpha"]))
        assert not [frame for frame in capture.clear() if not is_ike(frame)]
        for name in ADDRESS:
            assert {rule["tunnel"] for rule in rules(sites[name])} == {"vpn0"}
            assert {sa["mode"] for sa in dump_sas(sites[name]).values()} == {"tunnel"}
    finally:
        for manager in managers:
            manager.stop()
            print(manager.log_text()[-4000:])
