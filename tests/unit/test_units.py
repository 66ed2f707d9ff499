# SPDX-License-Identifier: GPL-2.0-or-later
"""The staged units, users, directories and bus policy, held against each other and systemd's checks."""

import os
import re
import stat
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from lablib.units import FINAL_STATUSES
from service import STAGE

SYSTEMD = STAGE / "usr/lib/systemd"
POLICY = STAGE / "usr/share/dbus-1/system.d/org.netipsec.conf"
POLKIT_PART = STAGE / "usr/share/netipsec/bus-polkit.conf"
# unit: the highest exposure level it may have, in tenths
SERVICES = {
    "ipsec-datapath.service": 25,
    "ipsec-lid.service": 25,
    "ipsec-policy.service": 15,
    "ipsec-manual-key.service": 10,
    "ipsec-ike.service": 10,
    "ipsecalgs.service": 10,
    "ipsec-open.service": 25,
}
# Done at boot, before there is a bus; no daemon.
LID = "ipsec-lid.service"
# Asked for by a command, done at once; no daemon either.
OPEN = "ipsec-open.service"
NAMES = {
    "ipsec-datapath.service": "Datapath1",
    "ipsec-policy.service": "Policy1",
    "ipsec-manual-key.service": "ManualKey1",
    "ipsec-ike.service": "Ike1",
    "ipsecalgs.service": "Algorithms1",
}
INSTANCES = [name.replace(".service", "@.service") for name in NAMES]
MAKER = "ipsec-instance@.service"  # of what an instance needs
REQUEST = "ipsec-request@.service"  # what somebody else has root do
EXPORTER = ["ipsec-exporter.socket", "ipsec-exporter@.service"]
EXPOSURE = {**SERVICES, MAKER: 15, REQUEST: 10, EXPORTER[1]: 10}


def settings(unit):
    """Section.key: the values in file order."""
    found, section = {}, ""
    for line in (SYSTEMD / "system" / unit).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(f"{section}.{key}", []).append(value)
    return found


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, check=False, **more)


@pytest.fixture
def installed(tmp_path):
    """The units with the staged programs in the place of the installed ones."""
    for path in (SYSTEMD / "system").glob("ipsec*"):
        text = re.sub("=(:?)/usr/(sbin|libexec)/", rf"=\1{STAGE}/usr/\2/", path.read_text())
        (tmp_path / path.name).write_text(text)
    return tmp_path


def test_systemd_finds_nothing_to_complain_of(installed):
    units = sorted(map(str, installed.iterdir()))
    assert len(units) == len(SERVICES) + len(INSTANCES) + len([MAKER, REQUEST, *EXPORTER, "ipsec.target"])
    done = run("systemd-analyze", "verify", "--man=no", *units,
               env=dict(os.environ, SYSTEMD_UNIT_PATH=f"{installed}:"))
    ours = [line for line in done.stderr.splitlines() if "ipsec" in line]
    assert ours == [] and done.returncode == 0, done.stderr


def test_verify_sees_what_is_wrong(installed):
    unit = installed / "ipsecalgs.service"
    unit.write_text(unit.read_text().replace("Type=notify", "Type=notified"))
    done = run("systemd-analyze", "verify", "--man=no", str(unit),
               env=dict(os.environ, SYSTEMD_UNIT_PATH=f"{installed}:"))
    assert "notified" in done.stderr


def test_every_service_has_a_limit():
    """Of those that are shipped; an instance's is its service's."""
    shipped = {path.name for path in (SYSTEMD / "system").glob("*.service")}
    assert shipped == set(EXPOSURE) | set(INSTANCES)


@pytest.mark.parametrize("unit", EXPOSURE)
def test_exposure(unit):
    done = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE[unit]}",
               str(SYSTEMD / "system" / unit))
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("unit", INSTANCES)
def test_an_instance_is_the_service_in_other_places(unit):
    host, found = settings(unit.replace("@", "")), settings(unit)
    changed = {key for key in host.keys() | found.keys() if host.get(key) != found.get(key)}
    assert changed <= {"Unit.Description", "Unit.Wants", "Unit.After", "Service.Environment",
                       "Service.NetworkNamespacePath", "Service.RuntimeDirectory", "Service.StateDirectory",
                       "Service.ReadWritePaths", "Service.ReadOnlyPaths", "Service.InaccessiblePaths",
                       "Install.Also"}
    assert found["Service.Environment"] == ["NETIPSEC_INSTANCE=%i"]
    # Who sees a network sees that of the namespace.
    assert ("Service.PrivateNetwork" in found) != ("Service.NetworkNamespacePath" in found)
    for key in ("Service.RuntimeDirectory", "Service.StateDirectory", "Service.ReadWritePaths",
                "Service.ReadOnlyPaths", "Service.InaccessiblePaths"):
        assert all("%i" in value for value in found.get(key, []))
    for name in " ".join(found["Unit.Wants"] + found["Unit.After"]).split():
        if name.startswith("ipsec") and name != LID:
            assert "@%i." in name
    done = run("systemd-analyze", "security", "--offline=true",
               f"--threshold={SERVICES[unit.replace('@', '')]}", str(SYSTEMD / "system" / unit))
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("unit", sorted(set(SERVICES) - {LID, OPEN}))
def test_life_of_a_service(unit):
    found = settings(unit)
    program = found["Service.ExecStart"][0]
    assert (STAGE / program.lstrip("/")).exists()
    assert found["Service.ExecReload"] == [f"{program} --reload"]
    assert found["Service.Type"] == ["notify"] and found["Service.Restart"] == ["always"]
    assert found["Unit.StartLimitIntervalSec"] == ["0"] and found["Service.LimitCORE"] == ["0"]
    # The lab's own service manager does as much.
    assert found["Service.RestartPreventExitStatus"] == [" ".join(map(str, FINAL_STATUSES))]
    # Stopping one must not stop another, and a bus that is restarted stops nobody.
    assert not {"Unit.Requires", "Unit.BindsTo", "Unit.PartOf", "Unit.Requisite"} & set(found)
    assert "dbus.socket" in found["Unit.After"][0].split()
    assert "Unit.ConditionPathExists" not in found
    assert found["Install.WantedBy"] == ["multi-user.target ipsec.target"]


def test_the_lid_waits_for_nobody():
    found = settings(LID)
    assert found["Service.Type"] == ["oneshot"] and found["Unit.DefaultDependencies"] == ["no"]
    assert "network-pre.target" in found["Unit.Before"][0].split()
    assert not {"Unit.After", "Unit.Requires"} & set(found)


def test_keys_stay_in_memory():
    for unit in ("ipsec-datapath.service", "ipsec-manual-key.service"):
        assert settings(unit)["Service.MemorySwapMax"] == ["0"]
    assert int(settings("ipsec-datapath.service")["Service.FileDescriptorStoreMax"][0]) >= 16


def test_capabilities_are_the_least():
    want = {unit: [""] for unit in SERVICES}
    want["ipsec-datapath.service"] = ["CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE"]
    want["ipsec-manual-key.service"] = ["CAP_DAC_READ_SEARCH"]
    want[LID] = want[OPEN] = ["CAP_NET_ADMIN"]
    for unit, capabilities in want.items():
        for key in ("CapabilityBoundingSet", "AmbientCapabilities"):
            assert settings(unit)[f"Service.{key}"] == capabilities


def test_the_exporter_has_no_rights_and_waits_to_be_asked_for():
    found = settings(EXPORTER[1])
    assert found["Service.User"] == ["netipsec-exporter"]
    assert found["Service.CapabilityBoundingSet"] == [""] and "Service.SupplementaryGroups" not in found
    assert found["Service.PrivateNetwork"] == ["yes"]  # but for the connection that it is given
    assert settings(EXPORTER[0])["Socket.ListenStream"] == ["127.0.0.1:9814"]
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=10",
               str(SYSTEMD / "system" / EXPORTER[1]))
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_root_is_lent_little():
    found = settings(REQUEST)
    assert found["Service.CapabilityBoundingSet"] == [""]
    assert found["Service.ReadWritePaths"] == ["/etc/netipsec"]
    assert found["Service.ExecStart"] == [":/usr/sbin/ipsecsvc carry-out %I"]  # no variable is put in
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=10",
               str(SYSTEMD / "system" / REQUEST))
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_preset(tmp_path):
    system = tmp_path / "usr/lib/systemd/system"
    system.mkdir(parents=True)
    (tmp_path / "usr/lib/systemd/system-preset").mkdir()
    for path in (SYSTEMD / "system").glob("ipsec*"):
        (system / path.name).write_text(path.read_text())
    preset = SYSTEMD / "system-preset/80-netipsec.preset"
    (tmp_path / "usr/lib/systemd/system-preset" / preset.name).write_text(preset.read_text())
    done = run("systemctl", f"--root={tmp_path}", "preset-all")
    assert done.returncode == 0, done.stderr
    for unit, want in (("ipsec.target", "enabled"), ("ipsecalgs.service", "enabled"),
                       ("ipsec-policy.service", "enabled"), ("ipsec-datapath.service", "enabled"),
                       ("ipsec-manual-key.service", "disabled"), ("ipsec-exporter.socket", "disabled"), ("ipsec-ike.service", "disabled")):
        assert run("systemctl", f"--root={tmp_path}", "is-enabled", unit).stdout.strip() == want


def users_made(root):
    (root / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={root}", str(STAGE / "usr/lib/sysusers.d/netipsec.conf"))
    assert done.returncode == 0, done.stderr
    users = {line.split(":")[0]: int(line.split(":")[2])
             for line in (root / "etc/passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: line.split(":")[3].split(",")
              for line in (root / "etc/group").read_text().splitlines()}
    return users, groups


def test_users_and_groups(tmp_path):
    users, groups = users_made(tmp_path)
    for unit in SERVICES:
        found = settings(unit)
        assert found["Service.User"][0] in users
        for group in found.get("Service.SupplementaryGroups", [""])[0].split():
            assert group in groups
    for name in ("ipsecadm", "ipseckey"):
        assert groups[name] == [""], f"{name} has members from the start"
    # They write and take away the records of withdrawn sections.
    assert {"netipsec-policy", "netipsec-keys", "netipsec-datapath"} <= set(groups["netipsec"])


@pytest.mark.skipif(
    os.geteuid() != 0 or Path("/proc/self/uid_map").read_text().split()[2] == "1",
    reason="needs root and more than one user id")
def test_directories(tmp_path):
    users, _ = users_made(tmp_path)
    (tmp_path / "etc/inet").mkdir()
    (tmp_path / "etc/inet/ipsecalgs").write_text("")
    done = run("systemd-tmpfiles", f"--root={tmp_path}", "--create",
               str(STAGE / "usr/lib/tmpfiles.d/netipsec.conf"))
    assert done.returncode == 0, done.stderr
    for path, mode, owner in (("etc/inet", 0o1775, "root"), ("etc/inet/secret", 0o700, "root"),
                              ("etc/inet/ipsecalgs", 0o444, "netipsec-algs"),
                              ("var/lib/netipsec", 0o755, "root"),
                              ("var/lib/netipsec/withdrawn", 0o1770, "netipsec-datapath")):
        found = os.stat(tmp_path / path)
        assert stat.S_IMODE(found.st_mode) == mode, path
        assert found.st_uid == users.get(owner, 0), path


def test_bus_policy_is_well_formed():
    for path in (POLICY, POLKIT_PART):
        done = run("xmllint", "--noout", "--nonet", str(path))
        assert done.returncode == 0, done.stderr


def test_each_service_owns_its_name_alone():
    owners = {}
    for policy in ElementTree.parse(POLICY).getroot().iter("policy"):
        for allow in policy.iter("allow"):
            if "own" in allow.attrib:
                owners.setdefault(allow.attrib["own"], set()).add(policy.attrib["user"])
    want = {f"org.netipsec.{name}": {"root", settings(unit)["Service.User"][0]}
            for unit, name in NAMES.items()}
    assert owners == want


def test_every_rule_names_what_exists():
    """A method that is misspelt would be refused to all, or open to none."""
    members = {}
    for name in NAMES.values():
        tree = ElementTree.parse(STAGE / f"usr/share/dbus-1/interfaces/org.netipsec.{name}.xml")
        members[f"org.netipsec.{name}"] = {method.attrib["name"] for method in tree.iter("method")}
    rules = [*ElementTree.parse(POLICY).getroot().iter(),
             *ElementTree.parse(POLKIT_PART).getroot().iter()]
    for rule in rules:
        destination = rule.attrib.get("send_destination")
        interface = rule.attrib.get("send_interface", "")
        assert destination is None or destination in members
        if re.match(r"org\.netipsec\.", interface):
            assert interface == destination
            member = rule.attrib.get("send_member")
            assert member is None or member in members[interface], member
