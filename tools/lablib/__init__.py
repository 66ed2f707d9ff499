# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts in network namespaces, each with its own bus, files and services. docs/lab.md tells how to use it."""
