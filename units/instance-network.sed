# SPDX-License-Identifier: GPL-2.0-or-later
# Of the services that see the network: that of the namespace.
/^\[Service\]$/a\
NetworkNamespacePath=/run/netns/%i
