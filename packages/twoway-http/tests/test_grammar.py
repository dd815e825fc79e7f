from __future__ import annotations

import pytest

from twoway.http import HostError, MethodError, Request, check_host, check_request, parse_extensions


def host_accepted(value: str) -> bool:
    """Tell whether a Host header is well-formed: a malformed one gets 400, a strange one 421."""
    request = Request("/")
    request.headers["Host"] = value
    try:
        check_host(request, ["nobody.invalid"])
    except HostError as exc:
        return exc.status == 421
    return True


@pytest.mark.parametrize(
    "value",
    [
        "example.com",
        "EXAMPLE.com:0",
        "example.com:",
        "example.com:65535",
        "127.0.0.1:8080",
        "[::1]",
        "[::ffff:127.0.0.1]:80",
        "under_score",
        "a!$&'()*+,;=~b",
        "ex%41mple",
    ],
)
def test_valid_hosts(value):
    assert host_accepted(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ":80",
        "example.com:65536",
        "example.com:123456",
        "example.com:8a",
        "example.com:-1",
        "user@example.com",
        "example.com/path",
        "example com",
        "a, b",
        "::1",
        "[::1",
        "[::1]x",
        "[::1%25eth0]",
        "[1:2:3]",
        "[v1.x]",
        "ex%4mple",
        "ex\u00e4mple.com",
        "example.com:\u00b2",
        '"example.com"',
        "[::1\u00b2]",
    ],
)
def test_malformed_hosts(value):
    assert not host_accepted(value)


def test_long_peer_text_is_cut_and_escaped_in_messages():
    with pytest.raises(MethodError) as excinfo:
        check_request(Request("/", method="\x1b[2J" + "A" * 1000))
    text = str(excinfo.value)
    assert "\\x1b" in text
    assert "\x1b" not in text
    assert len(text) < 200
    assert text.endswith("...")


def test_one_string_is_not_a_sequence_of_values():
    with pytest.raises(TypeError, match="values must be a sequence of str"):
        parse_extensions("permessage-deflate")
