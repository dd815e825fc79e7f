from __future__ import annotations

import re

import pytest

from twoway.http import Headers, HostError, OriginError, Request, check_host, check_origin


def request(*fields):
    return Request("/", Headers(fields))


@pytest.mark.feature("check the Host header, against DNS rebinding")
@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com", "Example.COM"),
        ("example.com:8080", "example.com"),
        ("example.com:8080", "example.com:8080"),
        ("example.com", "example.com:80"),
        ("example.com", "example.com:443"),
        ("a.example.com", "*.example.com"),
        ("a.b.example.com:1", "*.example.com"),
        ("a.example.com:1", "*.Example.com:1"),
        ("[::1]", "[::1]"),
        ("[0:0::1]:80", "[::1]"),
        ("127.0.0.1:9", "127.0.0.1"),
    ],
)
def test_allowed_host(host, allowed):
    check_host(request(("Host", host)), ["other.example", allowed])


@pytest.mark.feature("check the Host header, against DNS rebinding")
@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("evil.com", ["example.com"]),
        ("example.com.evil.com", ["example.com"]),
        ("evilexample.com", ["example.com", "*.example.com"]),
        ("example.com", ["*.example.com"]),
        (".example.com", ["*.example.com"]),
        ("example.com", ["example.com:8080"]),
        ("example.com:8080", ["example.com:80"]),
        ("a.example.com:8080", ["*.example.com:80"]),
        ("[::2]", ["[::1]"]),
        ("example.com", []),
    ],
)
def test_other_host(host, allowed):
    with pytest.raises(HostError) as excinfo:
        check_host(request(("Host", host)), allowed)
    assert excinfo.value.status == 421
    assert str(excinfo.value) == f"unknown Host header: {host!r}"


@pytest.mark.parametrize("fields", [(), (("Host", "h"), ("Host", "h")), (("Host", "a b"),)])
def test_bad_host(fields):
    with pytest.raises(HostError) as excinfo:
        check_host(request(*fields), ["h"])
    assert excinfo.value.status == 400


def test_no_host_check():
    check_host(request(), None)


@pytest.mark.parametrize("entry", ["", "*", "*.", "a b", "http://h", "*.*.h", "h:x"])
def test_malformed_allowed_hosts(entry):
    with pytest.raises(ValueError, match="allowed_hosts must hold hosts"):
        check_host(request(("Host", "h")), [entry])


def test_allowed_hosts_is_a_sequence():
    with pytest.raises(TypeError, match="allowed_hosts must be a sequence of str"):
        check_host(request(("Host", "h")), "h")


SITE = "https://example.com"
PATTERN = re.compile(r"https://[a-z]+\.example\.com")


@pytest.mark.feature("check the Origin header")
@pytest.mark.parametrize(
    ("fields", "origins", "origin"),
    [
        ([], None, None),
        ([("Origin", "https://evil.com")], None, "https://evil.com"),
        ([("Origin", SITE)], [SITE], SITE),
        ([("Origin", SITE)], ["https://other", SITE], SITE),
        ([("Origin", "https://a.example.com")], [PATTERN], "https://a.example.com"),
        ([("Origin", SITE)], [None, SITE], SITE),
        ([], [None, SITE], None),
        ([("Origin", "null")], ["null"], "null"),
    ],
)
def test_accepted_origin(fields, origins, origin):
    assert check_origin(request(*fields), origins) == origin


@pytest.mark.feature("check the Origin header")
@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://example.com",
        "https://example.com:443",
        "https://example.com.evil.com",
        "https://evil.com/https://example.com",
        "https://Example.com",
        "https://example.com https://example.com",
        "https://a.example.com.evil.com",
        "xhttps://a.example.com",
    ],
)
def test_other_origin(origin):
    with pytest.raises(OriginError) as excinfo:
        check_origin(request(*([("Origin", origin)] if origin is not None else [])), [SITE, PATTERN])
    assert excinfo.value.status == 403
    assert excinfo.value.value == origin


def test_no_origin_is_accepted():
    with pytest.raises(OriginError):
        check_origin(request(("Origin", SITE)), [])


@pytest.mark.parametrize("origins", [None, [SITE]])
def test_repeated_origin(origins):
    with pytest.raises(OriginError) as excinfo:
        check_origin(request(("Origin", SITE), ("Origin", SITE)), origins)
    assert excinfo.value.status == 403


def test_origins_is_a_sequence():
    with pytest.raises(TypeError, match="origins must be a sequence"):
        check_origin(request(("Origin", SITE)), SITE)
