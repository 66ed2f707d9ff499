# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs in the guest, in this order, and how long each group may take there, without KVM."""

from dataclasses import dataclass

BOOT_SEC = 600


@dataclass
class Group:
    """Tests for pytest, or programs of the unit tests."""
    seconds: int
    tests: tuple = ()
    programs: tuple = ()


# One of a kind: what differs in cipher or address only has been tested where time is cheap.
GROUPS = {
    "systemd": Group(1500, ("tests/oldkernel/test_systemd.py",)),
    "apparmor": Group(2400, ("tests/oldkernel/test_apparmor.py",)),
    # What the fall-backs are made of.
    "steering": Group(2400, programs=("test-steer", "test-steer_intra")),
    "tunnels": Group(1200, (
        "tests/netns/test_tunnels.py::test_each_family_goes_in_each[tunnel-4-6in]",
        "tests/netns/test_tunnels.py::test_each_family_goes_in_each[transport-6-4in]",
        "tests/netns/test_tunnels.py::test_what_no_rule_names_does_not_enter",
        "tests/netns/test_tunnels.py::test_tunnels_of_the_bus_survive_the_daemon")),
    "natt": Group(1200, (
        "tests/netns/test_natt.py::test_nothing_but_esp_in_udp_crosses[transport]",
        "tests/netns/test_natt.py::test_long_datagrams_come_whole[tunnel]",
        "tests/netns/test_natt.py::test_what_comes_to_the_port",
        "tests/netns/test_natt.py::test_sas_and_ports_outlive_the_daemon",
        "tests/netns/test_natt_ike.py::test_both_go_on_when_the_datapath_comes_back[ipv4]")),
    "path": Group(900, (
        "tests/netns/test_path.py::test_long_datagrams_arrive_whole",
        "tests/netns/test_path.py::test_sender_is_told_what_fits_before_protection",
        "tests/netns/test_path.py::test_errors_that_nobody_can_have_sent_change_nothing",
        "tests/netns/test_self.py::test_hosts_talk_in_tunnel_mode",
        "tests/netns/test_multicast_send.py::test_it_leaves_by_the_link_that_the_program_chose")),
    "protocols": Group(900, (
        "tests/netns/test_esp.py::test_engine_seals_scapy_and_tshark_open[ipv4-gcm128]",
        "tests/netns/test_esp.py::test_scapy_seals_engine_opens[ipv6-aes128-sha256]",
        "tests/netns/test_ah.py::test_both_ways_and_scapy_agrees[ah-esp-ipv4]")),
    "vpn": Group(900, (
        "tests/netns/test_vpn.py::test_hosts_reach_each_other_through_esp",
        "tests/netns/test_vpn.py::test_other_networks_do_not_enter_the_tunnel",
        "tests/netns/test_vpn.py::test_whole_datagrams_and_path_mtu",
        "tests/netns/test_vpn.py::test_dead_datapath_of_a_gateway_leaks_nothing")),
    "errors": Group(1200, ("tests/netns/test_icmp_errors.py",)),
    "multicast": Group(900, ("tests/netns/test_multicast.py",)),
    "survival": Group(1800, (
        "tests/netns/test_survival.py::test_flush_by_somebody_leaks_nothing",
        "tests/netns/test_survival.py::test_datapath_dead_drops_all_then_goes_on_with_its_numbers",
        "tests/netns/test_survival.py::test_counters_survive_the_datapath",
        "tests/netns/test_survival.py::test_stopped_and_started_again[ipsec-datapath]",
        "tests/netns/test_fault_kernel.py")),
    "leaks": Group(1200, (
        "tests/netns/test_leaks.py::test_user_sends_nothing_in_clear[plain-53-ipv4]",
        "tests/netns/test_leaks.py::test_user_sends_nothing_in_clear[device-53-ipv6]",
        "tests/netns/test_leaks.py::test_user_sends_nothing_in_clear[pktinfo-53-ipv4]",
        "tests/netns/test_leaks.py::test_ping_through_a_device",
        "tests/netns/test_leaks.py::test_user_at_the_key_managers_ports",
        "tests/netns/test_leaks.py::test_mark_set_in_a_user_namespace[0x2000000]",
        "tests/netns/test_leaks.py::test_bypass_mark_counts_only_with_the_right_user[0x2000000]")),
    "protection": Group(1500, ("tests/netns/test_policy_protection.py",)),
}


def chosen(names):
    """In their own order; no name: all."""
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise ValueError(f"no group '{unknown[0]}'; there are: {' '.join(GROUPS)}")
    return {name: group for name, group in GROUPS.items() if not names or name in names}


def seconds(names):
    """How long the guest may be on."""
    return BOOT_SEC + sum(group.seconds for group in chosen(names).values())
