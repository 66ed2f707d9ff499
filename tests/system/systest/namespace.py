# SPDX-License-Identifier: GPL-2.0-or-later
"""A network namespace of a machine, and the services of the instance that it is."""

from lablib.agent import Agent


class Namespace:
    """Of a machine; sockets in it are usable outside."""

    def __init__(self, machine, name):
        self.machine, self.name = machine, name
        self.agent = Agent(lambda *command: [
            "nsenter", f"--net=/proc/{machine.leader}/root/run/netns/{name}", *command])
        self.socket = self.agent.socket

    def unit(self, service):
        return f"{service}@{self.name}"

    def command(self, *words):
        """One of our commands, told which instance is meant."""
        return self.machine.exec("env", f"NETIPSEC_INSTANCE={self.name}", *words)
