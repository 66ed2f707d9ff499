#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench_load.py [COUNT]: from the file to what is enforced, through the real daemons of a lab host.

So many rules, then so many SAs: the wall time of a reload, which ends when the datapath enforces
them, beside the processor time that each daemon spent on it.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "netns"))
from nettest.lab import Lab  # noqa: E402 pylint: disable=wrong-import-position

LAB = """
host host
	address  eth0 192.0.2.1/24
	files    host
	services all
host peer
	address  eth0 192.0.2.2/24
link host:eth0 peer:eth0
"""
EMPTY = {"ipsecinit.conf": "{raddr 198.51.100.250} drop {}\n",
         "ipseckeys": "add esp spi 0x100 src 192.0.2.1 dst 192.0.2.2 encr_alg null "
                      "auth_alg sha256 authkey " + "5a" * 32 + "\n"}
ROUNDS = 3
TIMEOUT_SEC = 120
TICK = os.sysconf("SC_CLK_TCK")


def rules(count):
    return "".join(
        f"{{raddr 10.{i >> 16}.{i >> 8 & 255}.{i & 255} rport {1 + i % 60000} ulp tcp}} "
        "ipsec {encr_algs aes encr_auth_algs sha256}\n" for i in range(count))


def sas(count, salt):
    return "".join(
        f"add esp spi {0x1000 + i:#x} src 192.0.2.1 dst 10.{i >> 16}.{i >> 8 & 255}.{i & 255} "
        f"encr_alg aes encrkey {i * 2 + salt + 1:032x} auth_alg sha256 authkey "
        f"{i * 2 + salt + 1:064x}\n" for i in range(count))


def spent(host, unit):
    """Seconds of processor time of a service's main process so far."""
    words = Path(f"/proc/{host.outer_pid(unit)}/stat").read_text(encoding="ascii")
    words = words.rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def measure(host, unit, path, texts):
    """Reload each text; prints the fastest, with who worked how long."""
    best = None
    for text in texts:
        host.write(path, text)
        before = {name: spent(host, name) for name in (unit, "ipsec-datapath")}
        begin = time.monotonic()
        done = host.run("systemctl", "reload", unit, timeout=TIMEOUT_SEC)
        took = time.monotonic() - begin
        assert done.returncode == 0, done.stderr
        used = {name: spent(host, name) - before[name] for name in before}
        best = min(best or (took, used), (took, used), key=lambda result: result[0])
    return f"{best[0]:.2f} s (" + ", ".join(f"{name} {sec:.2f} s" for name, sec in
                                            best[1].items()) + " of processor)"


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    with tempfile.TemporaryDirectory() as top:
        (Path(top) / "host").mkdir()
        for name, text in EMPTY.items():
            (Path(top) / "host" / name).write_text(text, encoding="ascii")
        (Path(top) / "load.lab").write_text(LAB, encoding="ascii")
        lab = Lab(Path(top) / "load.lab", top)
        try:
            host = lab["host"]
            # One rule more or less each time: a file that changed nothing would not be loaded.
            texts = [rules(count - number) for number in range(ROUNDS)]
            print(f"{count} rules, file to enforced:",
                  measure(host, "ipsec-policy", "/etc/inet/ipsecinit.conf", texts), flush=True)
            measure(host, "ipsec-policy", "/etc/inet/ipsecinit.conf", [EMPTY["ipsecinit.conf"]])
            texts = [sas(count, number % 2) for number in range(ROUNDS)]
            print(f"{count} SAs, file to enforced:",
                  measure(host, "ipsec-manual-key", "/etc/inet/secret/ipseckeys", texts), flush=True)
        except Exception:
            print(lab.logs(), file=sys.stderr)
            raise
        finally:
            lab.down()


if __name__ == "__main__":
    main()
