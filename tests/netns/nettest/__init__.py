# SPDX-License-Identifier: GPL-2.0-or-later
"""What the network tests share: labs, captures, outside decoders of ESP, steady probes."""
