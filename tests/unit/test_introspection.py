# SPDX-License-Identifier: GPL-2.0-or-later
"""What each daemon says of its interface on the bus, held against the XML that is the contract."""

import xml.etree.ElementTree as ElementTree

import dbus
import pytest
from service import REPO, STAGE

EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
# The datapath takes over the network that it finds: it gets one of its own.
DAEMONS = {
    "Algorithms1": ["ipsecalgsd"],
    "Datapath1": ["unshare", "--net", "ipsec-datapathd"],
    "Ike1": ["ipsec-iked"],
    "ManualKey1": ["ipsec-manual-keyd"],
    "Policy1": ["ipsec-policyd"],
}


def started(world, service):
    *prefix, program = DAEMONS[service]
    daemon = world.start(program, prefix=prefix)
    world.wait_for_name(f"org.netipsec.{service}", daemon)


def emits(element):
    """What this property or interface says, or None."""
    for annotation in element.findall("annotation"):
        if annotation.attrib["name"] == EMITS:
            return annotation.attrib["value"]
    return None


def shape(xml, name):
    """All that is part of the contract, without the words."""
    found = set()
    for interface in ElementTree.fromstring(xml).iter("interface"):
        if interface.attrib["name"] != name:
            continue
        for member in interface:
            if member.tag == "annotation":
                continue
            key = (member.tag, member.attrib["name"])
            for position, arg in enumerate(member.findall("arg")):
                direction = arg.attrib.get("direction", "in" if member.tag == "method" else "out")
                found.add((*key, position, arg.attrib["name"], arg.attrib["type"], direction))
            if member.tag == "property":
                changes = emits(member) or emits(interface) or "true"
                found.add((*key, member.attrib["type"], member.attrib["access"], changes))
            else:
                found.add(key)
    return found


def live(world, service):
    return str(world.object(service).get_dbus_method("Introspect", INTROSPECTABLE)())


@pytest.mark.parametrize("service", DAEMONS)
def test_daemon_repeats_the_contract(world, service):
    started(world, service)
    name = f"org.netipsec.{service}"
    contract = (REPO / f"dbus/{name}.xml").read_text()
    assert contract == (STAGE / f"usr/share/dbus-1/interfaces/{name}.xml").read_text()
    want, have = shape(contract, name), shape(live(world, service), name)
    assert want, "the contract is empty"
    assert sorted(have - want) == [] and sorted(want - have) == []


@pytest.mark.parametrize("service", DAEMONS)
def test_properties_have_their_types(world, service):
    started(world, service)
    name = f"org.netipsec.{service}"
    properties = world.properties(service)
    types = {row[1]: row[2] for row in shape(live(world, service), name) if row[0] == "property"}
    assert set(properties) == set(types)
    for key, value in properties.items():
        kinds = {"t": dbus.UInt64, "u": dbus.UInt32, "s": dbus.String, "b": dbus.Boolean}
        assert isinstance(value, kinds.get(types[key], dbus.Array)), key


def test_the_comparison_sees_a_difference():
    xml = '<node><interface name="a.B"><method name="M"><arg name="x" type="{}"/></method></interface></node>'
    assert shape(xml.format("s"), "a.B") != shape(xml.format("t"), "a.B")
