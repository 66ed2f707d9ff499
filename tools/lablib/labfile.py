# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a lab file into typed values; every mistake is told with file and line."""

import ipaddress
import os
import re
from dataclasses import dataclass, field

from lablib import units

HOST_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
IFACE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
SYSCTL_KEY = re.compile(r"[a-z0-9_]+([./][A-Za-z0-9_*-]+)+")


class LabFileError(Exception):
    """All mistakes of one file, a line each."""


@dataclass
class Link:
    """A veth pair: two (host, interface) ends."""
    ends: list
    mtu: int
    line: int


@dataclass
class Host:
    """One namespace: what the lines after `host NAME` said."""
    name: str
    line: int
    addresses: list = field(default_factory=list)  # (interface, ip_interface, line)
    routes: list = field(default_factory=list)  # (words for ip route, family)
    forward: set = field(default_factory=set)
    nat: list = field(default_factory=list)  # (interface, line)
    sysctls: list = field(default_factory=list)
    files: dict = field(default_factory=dict)  # path in the host: path outside
    services: list = field(default_factory=list)
    after: list = field(default_factory=list)  # (command words, line)


@dataclass
class Lab:
    """Everything that one lab file says."""
    path: str
    hosts: dict = field(default_factory=dict)
    links: list = field(default_factory=list)


def parse(path):
    """Return the Lab that the file describes; raise LabFileError with all that is wrong."""
    return _Parser(path).run()


class _Parser:
    def __init__(self, path):
        self.path = path
        self.base = os.path.dirname(os.path.abspath(path))
        self.lab = Lab(os.path.abspath(path))
        self.host = None
        self.line = 0
        self.errors = []

    def error(self, text, line=None):
        self.errors.append(f"{self.path}:{line or self.line}: error: {text}")

    def run(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as why:
            reason = getattr(why, "strerror", None) or "not UTF-8 text"
            raise LabFileError(f"{self.path}: error: {reason}") from why
        for self.line, text in enumerate(lines, 1):
            words = text.split("#", 1)[0].split()
            if words:
                self.directive(words[0], words[1:])
        self.cross_check()
        if self.errors:
            raise LabFileError("\n".join(self.errors))
        return self.lab

    def directive(self, word, args):
        method = getattr(self, "read_" + word, None)
        if method is None:
            self.error(f"unknown word '{word}'")
        elif word not in ("host", "link") and self.host is None:
            self.error(f"'{word}' stands before the first host")
        else:
            method(args)

    def read_host(self, args):
        if len(args) != 1 or not HOST_NAME.fullmatch(args[0]):
            self.error("host takes one name of lower-case letters, digits and '-'")
            return
        if args[0] in self.lab.hosts:
            self.error(f"host '{args[0]}' is there already, "
                       f"from line {self.lab.hosts[args[0]].line}")
            return
        self.host = Host(args[0], self.line)
        self.lab.hosts[args[0]] = self.host

    def read_link(self, args):
        ends = [tuple(arg.split(":", 1)) for arg in args[:2] if arg.count(":") == 1]
        mtu = 1500
        if len(ends) != 2 or len(args) not in (2, 4) or (len(args) == 4 and args[2] != "mtu"):
            self.error("link takes HOST:INTERFACE HOST:INTERFACE [mtu BYTES]")
            return
        if len(args) == 4:
            mtu = int(args[3]) if args[3].isdecimal() else 0
            if not 68 <= mtu <= 65535:
                self.error(f"mtu '{args[3]}' is not a number from 68 to 65535")
                return
        for _, iface in ends:
            if not IFACE_NAME.fullmatch(iface):
                self.error(f"'{iface}' is no interface name of at most 15 characters")
        self.lab.links.append(Link(ends, mtu, self.line))

    def read_address(self, args):
        if len(args) < 2:
            self.error("address takes INTERFACE ADDRESS/LENGTH...")
            return
        for text in args[1:]:
            try:
                if "/" not in text:
                    raise ValueError
                self.host.addresses.append((args[0], ipaddress.ip_interface(text), self.line))
            except ValueError:
                self.error(f"'{text}' is no address with a prefix length")

    def read_route(self, args):
        try:
            if len(args) != 3 or args[1] != "via":
                raise ValueError
            gateway = ipaddress.ip_address(args[2])
            if args[0] != "default" and ipaddress.ip_network(args[0]).version != gateway.version:
                raise ValueError
        except ValueError:
            self.error("route takes PREFIX via GATEWAY, or default via GATEWAY, of one family")
            return
        self.host.routes.append((args, gateway.version))

    def read_forward(self, args):
        if set(args) - {"ipv4", "ipv6"}:
            self.error("forward takes ipv4, ipv6 or nothing for both")
        self.host.forward |= set(args or ("ipv4", "ipv6"))

    def read_nat(self, args):
        if len(args) != 1:
            self.error("nat takes the INTERFACE behind which IPv4 sources are hidden")
            return
        self.host.nat.append((args[0], self.line))

    def read_sysctl(self, args):
        if len(args) < 2 or not SYSCTL_KEY.fullmatch(args[0]):
            self.error("sysctl takes KEY VALUE")
            return
        self.host.sysctls.append((args[0].replace(".", "/"), " ".join(args[1:]), self.line))

    def read_services(self, args):
        for name in args or ["nothing"]:
            if name == "all":
                self.host.services += [u for u in units.UNITS if u not in self.host.services]
            elif name not in units.UNITS:
                self.error(f"no service '{name}'; there are: all {' '.join(units.UNITS)}")
            elif name not in self.host.services:
                self.host.services.append(name)

    def read_after(self, args):
        if not args:
            self.error("after takes a command to run once the services are ready")
            return
        self.host.after.append((args, self.line))

    def read_files(self, args):
        """A directory: each file in it goes where its name belongs."""
        where = os.path.join(self.base, args[0]) if len(args) == 1 else ""
        if not os.path.isdir(where):
            self.error(f"files takes one DIRECTORY, '{' '.join(args)}' is none")
            return
        for name in sorted(os.listdir(where)):
            target = units.file_place(name)
            if target is None:
                self.error(f"files: nothing reads '{os.path.join(args[0], name)}'; "
                           f"known names: {' '.join(units.FILE_PLACES)} *.cfg")
            else:
                self.host.files[target] = os.path.join(where, name)

    def read_file(self, args):
        source = os.path.join(self.base, args[1]) if len(args) == 2 else ""
        if not os.path.isfile(source) or not args[0].startswith(units.PRIVATE_DIRS):
            self.error("file takes PATH SOURCE: a path under one of "
                       f"{' '.join(units.PRIVATE_DIRS)} and a file to copy there")
            return
        self.host.files[os.path.normpath(args[0])] = source

    def cross_check(self):
        """What only the whole file shows: names used before or after the line that makes them."""
        ifaces = {name: {"lo": 0} for name in self.lab.hosts}
        for link in self.lab.links:
            for host, iface in link.ends:
                if host not in self.lab.hosts:
                    self.error(f"link: there is no host '{host}'", link.line)
                elif iface in ifaces[host]:
                    self.error(f"link: {host}:{iface} is there already", link.line)
                else:
                    ifaces[host][iface] = link.line
        for host in self.lab.hosts.values():
            used = [("address", iface, line) for iface, _, line in host.addresses]
            used += [("nat", iface, line) for iface, line in host.nat]
            for word, iface, line in used:
                if iface not in ifaces[host.name]:
                    self.error(f"{word}: no link makes an interface '{iface}' on {host.name}", line)
        if not self.lab.hosts and not self.errors:
            self.error("there is no host in it", 1)
