# SPDX-License-Identifier: GPL-2.0-or-later
"""Links, addresses, routes, forwarding and NAT, through ip(8) and nft(8)."""

import os
import subprocess

# Addresses usable at once, and no packets on the wire that nobody asked for.
QUIET = {
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/all/accept_ra": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
}
FORWARD = {"ipv4": "net/ipv4/ip_forward", "ipv6": "net/ipv6/conf/all/forwarding"}


class NetworkError(Exception):
    """A tool refused what the lab file asked for."""


def _feed(command, text):
    done = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise NetworkError(f"{' '.join(command)}: {done.stdout.strip()}")


def make_links(lab, pids):
    """Run in the lab's own namespace; pids: first process of each host."""
    lines = []
    for link in lab.links:
        (host_a, iface_a), (host_b, iface_b) = link.ends
        lines.append(f"link add name {iface_a} mtu {link.mtu} netns {pids[host_a]} type veth "
                     f"peer name {iface_b} mtu {link.mtu} netns {pids[host_b]}")
    _feed(["ip", "-batch", "-"], "\n".join(lines) + "\n")


def _write_sysctl(key, value):
    with open(os.path.join("/proc/sys", key), "w", encoding="ascii") as file:
        file.write(value)


def quiet():
    """Before the host has any link."""
    for key, value in QUIET.items():
        if os.path.exists(os.path.join("/proc/sys", key)):
            _write_sysctl(key, value)


def configure(lab, host):
    """Run in the host's namespace after its links came."""
    lines = ["link set lo up"]
    lines += [f"link set {iface} up" for link in lab.links for name, iface in link.ends
              if name == host.name]
    for iface, address, _ in host.addresses:
        nodad = " nodad" if address.version == 6 else ""
        lines.append(f"address add {address} dev {iface}{nodad}")
    _feed(["ip", "-batch", "-"], "\n".join(lines) + "\n")
    for family in (4, 6):
        routes = [f"route add {' '.join(words)}\n" for words, own in host.routes if own == family]
        if routes:
            _feed(["ip", f"-{family}", "-batch", "-"], "".join(routes))
    for family in host.forward:
        _write_sysctl(FORWARD[family], "1")
    for key, value, line in host.sysctls:
        try:
            _write_sysctl(key, value)
        except OSError as why:
            raise NetworkError(f"{lab.path}:{line}: error: sysctl {key}: {why.strerror}") from why
    if host.nat:
        rules = "\n".join(f'oifname "{iface}" masquerade' for iface, _ in host.nat)
        _feed(["nft", "-f", "-"], "table ip lab_nat {\nchain hide {\n"
              f"type nat hook postrouting priority srcnat\n{rules}\n}}\n}}\n")


def hosts_file(lab):
    """Text of /etc/hosts: every host of the lab by its name."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    for host in lab.hosts.values():
        lines += [f"{address.ip} {host.name}" for iface, address, _ in host.addresses
                  if iface != "lo"]
    return "\n".join(lines) + "\n"
