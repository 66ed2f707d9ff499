# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts with a router between them, which has the services too."""

ENDS = {4: ("10.1.0.2", "10.2.0.2"), 6: ("fd00:1::2", "fd00:2::2")}

LAB = """
host alpha
	address  eth0 10.1.0.2/24 fd00:1::2/64
	route    default via 10.1.0.1
	route    default via fd00:1::1
	files    alpha
	services all
host router
	address  left 10.1.0.1/24 fd00:1::1/64
	address  right 10.2.0.1/24 fd00:2::1/64
	forward
	files    router
	services all
host beta
	address  eth0 10.2.0.2/24 fd00:2::2/64
	route    default via 10.2.0.1
	route    default via fd00:2::1
	files    beta
	services all
link alpha:eth0 router:left
link router:right beta:eth0
"""
