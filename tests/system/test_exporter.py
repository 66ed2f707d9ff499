# SPDX-License-Identifier: GPL-2.0-or-later
"""The exporter behind its socket, as a monitoring system asks it."""

from prometheus_client.openmetrics import parser

URL = "http://127.0.0.1:9814"


def curl(machine, path):
    return machine.exec("curl", "-sS", "-m", "60", URL + path)


def test_metrics_behind_the_socket(alone):
    alone.systemctl("enable", "--now", "ipsec-policy", "ipsec-exporter.socket")
    text = curl(alone, "/metrics")
    families = {family.name for family in parser.text_string_to_metric_families(text)}
    assert {"ipsec_dropped_packets", "ipsec_passed_packets", "ipsec_sas"} <= families
    assert "metrics are at" in curl(alone, "/")
    alone.systemctl("stop", "ipsec-datapath")
    assert "does not answer" in curl(alone, "/metrics")
    alone.systemctl("start", "ipsec-datapath")
    assert not alone.exec("systemctl", "--failed", "--no-legend", "list-units", "ipsec-exporter*").strip()
