# SPDX-License-Identifier: GPL-2.0-or-later
"""The SAs of a host as its datapath lists them over the bus."""

import json

SCRIPT = """
import dbus, os
service = dbus.SystemBus().get_object("org.netipsec.Datapath1", "/org/netipsec/Datapath1")
fd = service.DumpSas(dbus_interface="org.netipsec.Datapath1").take()
print(os.pread(fd, os.fstat(fd).st_size, 0).decode())
"""


def dump_sas(host):
    """{SPI: SA as the bus describes it}."""
    listing = json.loads(host.exec("/usr/bin/python3", "-c", SCRIPT))
    return {int(sa["spi"], 0): sa for sa in listing["sas"]}
