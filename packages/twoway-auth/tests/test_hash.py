from __future__ import annotations

import hashlib

import pytest

from twoway.auth._hash import HASHES, equal, hash_password, hash_session, is_available, respond, split_algorithm


def test_split():
    assert split_algorithm("sha-256-Sess") == ("SHA-256", True)
    assert split_algorithm("MD5") == ("MD5", False)


@pytest.mark.parametrize(("name", "available"), [("MD5", True), ("SHA-256", True), ("SHA-1", False), ("", False)])
def test_available(name, available):
    assert is_available(name) is available


def test_hash_that_this_python_forbids(monkeypatch):
    def refuse(name, data, usedforsecurity):
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", refuse)
    assert not any(map(is_available, HASHES))


# RFC 7616 §3.9.1
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("name", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616(name, response):
    ha1 = hash_password(name, b"Mufasa", b"http-auth@example.org", b"Circle of Life")
    assert respond(name, ha1, (NONCE, "00000001", CNONCE, "auth"), "GET", "/dir/index.html") == response


def test_rfc_2069():
    # The example of §2.4 with the response of its erratum 749.
    ha1 = hash_password("MD5", b"Mufasa", b"testrealm@host.com", b"CircleOfLife")
    parts = ("dcd98b7102dd2f0e8b11d0f600bfb0c093",)
    assert respond("MD5", ha1, parts, "GET", "/dir/index.html") == "1949323746fe6a43ef61f9606e7febea"


def test_session():
    ha1 = hash_password("MD5", b"user", b"realm", b"password")
    assert ha1 == hashlib.md5(b"user:realm:password").hexdigest()
    assert hash_session("MD5", ha1, "n", "c") == hashlib.md5(f"{ha1}:n:c".encode()).hexdigest()


def test_equal():
    assert equal("\xe9", "\xe9")
    assert not equal("a", "b")
