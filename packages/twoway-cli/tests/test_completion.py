from __future__ import annotations

import shutil
import subprocess

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(cli, shell):
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    result = cli("completion", shell)
    assert result.exit_code == 0
    assert "_TWOWAY_COMPLETE" in result.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=result.stdout, text=True, check=True)


def test_the_shell_that_is_used(cli, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "complete" in cli("completion").stdout
    monkeypatch.setenv("SHELL", "/bin/dash")
    assert cli("completion").exit_code == 2


@pytest.mark.parametrize(("words", "found"), [("twoway pr", "probe"), ("twoway connect --subp", "--subprotocol")])
def test_what_is_completed(run, monkeypatch, words, found):
    monkeypatch.setenv("_TWOWAY_COMPLETE", "fish_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", words.split()[-1])
    assert found in run().stdout
