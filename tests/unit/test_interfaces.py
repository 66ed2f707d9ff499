# SPDX-License-Identifier: GPL-2.0-or-later
"""Each daemon's live introspection, held against the contract in dbus/."""

import os
import xml.etree.ElementTree as ElementTree

import dbus
import pytest
from service import REPO

DAEMONS = {
    "Algorithms1": "ipsecalgsd",
    "Datapath1": "ipsec-datapathd",
    "Ike1": "ipsec-iked",
    "ManualKey1": "ipsec-manual-keyd",
    "Policy1": "ipsec-policyd",
}
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"


def arguments(member, default):
    return [(arg.get("direction", default), arg.get("name"), arg.get("type"))
            for arg in member.iter("arg")]


def members(text, interface):
    """{(kind, name): all that is promised} of one interface of an introspection text."""
    found = {}
    for node in ElementTree.fromstring(text).iter("interface"):
        if node.get("name") != interface:
            continue
        for member in node:
            key = (member.tag, member.get("name"))
            assert key not in found, key
            if member.tag == "property":
                emits = [note.get("value") for note in member.iter("annotation")
                         if note.get("name") == EMITS]
                found[key] = (member.get("type"), member.get("access"), (emits or ["true"])[0])
            else:
                found[key] = arguments(member, "in" if member.tag == "method" else "out")
    return found


def contract(service):
    return members((REPO / f"dbus/org.netipsec.{service}.xml").read_text(), f"org.netipsec.{service}")


def start(world, service):
    """The datapath changes what it finds in its network namespace: it gets one of its own."""
    apart = ["unshare", "-n"] if os.getuid() == 0 else ["unshare", "-cn", "--keep-caps"]
    daemon = world.start(DAEMONS[service], prefix=apart if service == "Datapath1" else [])
    world.wait_for_name(f"org.netipsec.{service}", daemon)


def introspect(world, service):
    method = world.object(service).get_dbus_method(
        "Introspect", "org.freedesktop.DBus.Introspectable")
    return str(method())


@pytest.mark.parametrize("service", DAEMONS)
def test_live_interface_is_the_contract(world, service):
    start(world, service)
    live = members(introspect(world, service), f"org.netipsec.{service}")
    want = contract(service)
    assert {key: live.get(key) for key in want} == want
    assert sorted(set(live) - set(want)) == [], "not in the XML"


@pytest.mark.parametrize("service", DAEMONS)
def test_every_property_can_be_read_and_none_set(world, service):
    start(world, service)
    shown = world.properties(service)
    promised = {name for kind, name in contract(service) if kind == "property"}
    assert set(shown) == promised
    with pytest.raises(dbus.DBusException, match="PropertyReadOnly"):
        world.object(service).get_dbus_method("Set", "org.freedesktop.DBus.Properties")(
            f"org.netipsec.{service}", "State", dbus.String("enforced", variant_level=1))


@pytest.mark.parametrize("service", DAEMONS)
def test_every_service_has_the_common_members(service):
    want = contract(service)
    assert want[("method", "Reload")] == [("out", "generation", "t")]
    for name, kind in {"Generation": "t", "State": "s", "LastError": "s", "ConfigFile": "s"}.items():
        assert want[("property", name)] == (kind, "read", "true")
