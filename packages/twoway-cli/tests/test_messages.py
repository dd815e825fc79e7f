from __future__ import annotations

import pytest

from twoway.cli._messages import Closing, JsonLines, Lines, Ping


def test_lines():
    assert Lines().read("é".encode()) == "é"
    assert Lines().write("é") == "é\n".encode()
    assert Lines().write(b"\xff") == b"\xff\n"
    assert Lines().write_end(1000, "") == b""


def test_lines_of_bytes():
    assert Lines(binary=True).read(b"\xff") == b"\xff"
    with pytest.raises(ValueError, match="not UTF-8; --binary"):
        Lines().read(b"\xff")


@pytest.mark.parametrize(
    ("line", "wish"),
    [
        ('{"text": "a\\nb"}', "a\nb"),
        ('{"binary": "AP8="}', b"\x00\xff"),
        ('{"ping": "x"}', Ping("x")),
        ('{"close": 4000, "reason": "bye"}', Closing(4000, "bye")),
        ('{"close": 1000}', Closing()),
    ],
)
def test_objects_are_read(line, wish):
    assert JsonLines().read(line.encode()) == wish


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("hello", "it is not JSON"),
        ("\udcff", "it is not JSON"),
        ("[]", "it is none of"),
        ('{"text": 1}', "it is none of"),
        ('{"close": true}', "it is none of"),
        ('{"binary": "*"}', "binary must be Base64"),
    ],
)
def test_what_is_no_message(line, problem):
    with pytest.raises(ValueError, match=problem):
        JsonLines().read(line.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("message", ["", "a\nb\u2028", "é\x00", b"", b"\x00\xff"])
def test_what_is_written_can_be_read(message):
    line = JsonLines().write(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert JsonLines().read(line) == message


def test_the_end_is_a_line():
    assert JsonLines().write_end(1001, "moved") == b'{"close": 1001, "reason": "moved"}\n'
