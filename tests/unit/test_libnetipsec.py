# SPDX-License-Identifier: GPL-2.0-or-later
"""libnetipsec as it is installed: header, pkg-config file, symbols, and a program that has no more."""

import os
import re
import shutil
import subprocess

import pytest
from service import REPO, STAGE

FUNCTIONS = {"freeipsecalgent", "getipsecalgbyname", "getipsecalgbynum", "getipsecprotobyname",
             "getipsecprotobynum"}


def output(*argv, **env):
    return subprocess.run(argv, env=dict(os.environ, **env), capture_output=True, text=True,
                          check=True).stdout


@pytest.fixture(name="library")
def find_library():
    found = list(STAGE.glob("usr/lib*/**/libnetipsec.so.1"))
    assert len(found) == 1
    return found[0]


def pkg_config(library, *what):
    return output("pkg-config", *what, "netipsec",
                  PKG_CONFIG_LIBDIR=str(library.parent / "pkgconfig"),
                  PKG_CONFIG_SYSROOT_DIR=str(STAGE)).split()


@pytest.mark.parametrize("language", ["c"] + ["c++"] * bool(shutil.which("c++")))
def test_a_program_of_somebody_else(world, library, tmp_path, language):
    source, program = tmp_path / f"client.{language}", tmp_path / "client"
    source.write_text((REPO / "tests/unit/netipsec_client.c").read_text())
    compiler = {"c": ["cc", "-std=c99", "-pedantic"], "c++": ["c++"]}[language]
    flags = pkg_config(library, "--cflags", "--libs")
    output(*compiler, "-Wall", "-Wextra", "-Werror", str(source), "-o", str(program), *flags)
    world.write("/etc/inet/ipsecalgs", "PROTO|3|PROTO_IPSEC_ESP|sync\n"
                "ALG|3|20|aes-gcm,aes-gcm16|CKM_AES_GCM|128/128-256,64|16|8,16,4|23\n"
                "ALG|3|11|null|-|0|0\n")
    env = dict(world.env(), LD_LIBRARY_PATH=str(library.parent))
    done = subprocess.run([program, "proto_ipsec_esp", "AES-GCM16"], env=env, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("PROTO_IPSEC_ESP 20 CKM_AES_GCM 23\nname aes-gcm\nname aes-gcm16\n"
                           "keys 128 128 256\nblocks 16\nparameters 8 16 4\nincrement 64\n")
    done = subprocess.run([program, "PROTO_IPSEC_ESP", "null"], env=env, capture_output=True,
                          text=True, check=True)
    assert done.stdout == ("PROTO_IPSEC_ESP 11 - 0\nname null\nkeys\nblocks\nparameters\n"
                           "increment 0\n")
    done = subprocess.run([program, "PROTO_IPSEC_ESP", "des"], env=env, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "error 2\n")


def test_symbols_are_versioned_and_no_others_are_there(library):
    rows = [line.split() for line in output("nm", "-D", "--defined-only", str(library)).splitlines()]
    names = [row[-1] for row in rows if row[-2] != "A"]
    assert sorted(names) == sorted(f"{name}@@NETIPSEC_1" for name in FUNCTIONS)


def test_name_of_the_library(library):
    assert "[libnetipsec.so.1]" in output("readelf", "-d", str(library))
    assert (library.parent / "libnetipsec.so").is_symlink()


def test_page_and_header_tell_of_the_same_functions():
    header = (STAGE / "usr/include/netipsec.h").read_text()
    assert set(re.findall(r"\b\w*ipsec(?:alg|proto)\w*(?=\()", header)) == FUNCTIONS
    page = STAGE / "usr/share/man/man3/getipsecalgbyname.3"
    assert set(re.findall(r"^\.Nm (\w+)", page.read_text(), re.M)) == FUNCTIONS
    assert set(re.findall(r"^\.Fn (\w+) \"", page.read_text(), re.M)) == FUNCTIONS
    for name in FUNCTIONS:
        assert (page.parent / f"{name}.3").exists()


def test_needs_only_the_c_library(library):
    needed = re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", str(library)))
    assert needed == ["libc.so.6"]
