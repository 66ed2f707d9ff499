# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion in three shells and syntax in vim: nothing that a program or file knows is missing there."""

import re
import subprocess

import pytest
from service import REPO, STAGE, World

SHARE = STAGE / "usr/share"
PROGRAMS = sorted(path.name for path in (STAGE / "usr/sbin").iterdir())
BASH = SHARE / "bash-completion/completions"
VIM = REPO / "etc/vim/syntax"


def completions(*words):
    """What the completion offers for the last word, as shells other than bash ask it."""
    done = subprocess.run(["bash", SHARE / "netipsec/complete", *words], capture_output=True, text=True,
                          check=False)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_is_known_to_each_shell(program):
    assert (BASH / program).resolve().exists()
    assert (SHARE / f"fish/vendor_completions.d/{program}.fish").resolve().exists()
    first = (SHARE / "zsh/vendor-completions/_netipsec").read_text().splitlines()[0]
    assert program in first.split()


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_option_is_offered(program, tmp_path):
    world = World(tmp_path)
    try:
        told = world.run(program, "--help")
    finally:
        world.end()
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", told.stdout + told.stderr)) - {"--"}
    assert "--help" in completions(program, "-")
    missing = options - set(completions(program, "--"))
    assert not missing, f"{program}: {missing}"


def test_nothing_is_said_about_others():
    done = subprocess.run(["bash", SHARE / "netipsec/complete", "ls", "-"], capture_output=True, check=False)
    assert done.returncode == 1 and done.stdout == done.stderr == b""


def quoted(path):
    return (REPO / path).read_text()


def words_of(name):
    text = (VIM / f"{name}.vim").read_text()
    return set(" ".join(re.findall(r"^syntax keyword \w+ (.*?)(?:nextgroup.*)?$", text, re.M)).split())


def test_vim_knows_the_words_of_the_policy():
    pattern, action = quoted("services/policy/policy_pattern.c"), quoted("services/policy/policy_action.c")
    words = set(re.findall(r'^\t\{ "([a-z]+)", +SLOT_', pattern, re.M))
    words |= set(re.findall(r'^\t\{ "([a-z]+)", WORD_', action, re.M))
    words |= set(re.findall(r'^\t\[PROP_\w+\] = \{ "([a-z_]+)",', action, re.M))
    assert len(words) > 30 and words <= words_of("ipsecinit"), words - words_of("ipsecinit")


def test_vim_knows_the_words_of_the_keys():
    source = quoted("services/manual-key/keys_words.c")
    words = set(re.findall(r'^\t(?:[A-Z_]+\(|\{ \.name = )"([a-z][a-z0-9_-]+)"', source, re.M))
    assert len(words) > 60 and words <= words_of("ipseckeys"), words - words_of("ipseckeys")


SAMPLES = {
    "ipsecinit": ("ipsecinit.conf", "{ raddr 192.0.2.1 } ipsec { encr_algs aes } # x\n",
                  {1: "Brace", 3: "Pattern", 9: "Address", 21: "Action", 29: "Property", 45: "Comment"}),
    "ipseckeys": ("ipseckeys", "add esp spi 0x1 encrkey 0123ab\n",
                  {1: "Command", 5: "Type", 9: "Keyword", 13: "Number", 17: "Key", 25: "Secret"}),
    "ipsecalgs": ("inet/ipsecalgs", "PROTO|2|PROTO_IPSEC_AH|sync\n",
                  {1: "Keyword", 6: "Bar", 7: "Number", 24: "Mode"}),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_vim_colours(name, tmp_path):
    file, text, expected = SAMPLES[name]
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    ask = "|".join(f"put =synIDattr(synID(1,{column},1),'name')" for column in expected)
    subprocess.run(["vim", "-u", "NONE", "-i", "NONE", "-N", "-es", "-c", f"set rtp^={SHARE}/vim/vimfiles",
                    "-c", "filetype on", "-c", "syntax on", "-c", f"edit {tmp_path / file}", "-c", ask,
                    "-c", f"2,$write! {tmp_path}/out", "-c", "quit!"], check=False, timeout=60,
                   stdin=subprocess.DEVNULL)
    found = (tmp_path / "out").read_text().split("\n")[:-1]
    assert found == [name + part for part in expected.values()]
