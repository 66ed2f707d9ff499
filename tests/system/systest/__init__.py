# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines with a real systemd inside, for tests that go through systemctl only."""
