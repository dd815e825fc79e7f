from __future__ import annotations

import math

import click
import pytest

from twoway.cli._values import COOKIE, CREDENTIALS, DURATION, HEADER, SIZE, TOKEN


def convert(kind, text):
    return kind.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5),
        ("0", 0),
        ("500ms", 0.5),
        ("2.5s", 2.5),
        (".5", 0.5),
        ("2m", 120),
        ("1 h", 3600),
        ("1d", 86400),
        ("forever", math.inf),
    ],
)
def test_durations(text, seconds):
    assert convert(DURATION, text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1x", "s", "1e3", "٣s"])
def test_no_durations(text):
    with pytest.raises(click.BadParameter, match="is no time"):
        convert(DURATION, text)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("1000", 1000), ("64k", 65536), ("1M", 1 << 20), ("2 GiB", 2 << 30)]
)
def test_sizes(text, size):
    assert convert(SIZE, text) == size


@pytest.mark.parametrize("text", ["", "-1", "1.5M", "1T"])
def test_no_sizes(text):
    with pytest.raises(click.BadParameter, match="is no size"):
        convert(SIZE, text)


def test_pairs():
    assert convert(HEADER, "X-Key: a: b") == ("X-Key", "a: b")
    assert convert(COOKIE, "id=a=b") == ("id", "a=b")


@pytest.mark.parametrize("text", ["no colon", ": no name"])
def test_no_pairs(text):
    with pytest.raises(click.BadParameter, match="is not of the form 'Name: value'"):
        convert(HEADER, text)


def test_credentials(tmp_path):
    file = tmp_path / "secret"
    file.write_text("ada:lovelace: 1\nignored\n", encoding="utf-8")
    assert convert(CREDENTIALS, "ada:") == ("ada", "")
    assert convert(CREDENTIALS, f"@{file}") == ("ada", "lovelace: 1")
    assert convert(TOKEN, f"@{file}") == "ada:lovelace: 1"
    assert convert(TOKEN, "abc") == "abc"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(click.BadParameter, match="cannot read"):
        convert(TOKEN, f"@{tmp_path / 'none'}")


def test_a_password_is_asked_for(cli, answering):
    uri = answering(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    result = cli("connect", uri, "--auth", "ada", input="lovelace\n")
    assert "Password of ada" in result.stderr
    assert "lovelace" not in result.output
    assert result.exit_code == 21
