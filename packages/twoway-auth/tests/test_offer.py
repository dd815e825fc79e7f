from __future__ import annotations

import hashlib

import pytest

from twoway.auth import Attempts, AuthError, DigestAuth


def refused(plan, response) -> str:
    with pytest.raises(AuthError) as caught:
        plan.refuse(response)
    return caught.value.reason


SHA256 = 'Digest realm="r", nonce="n2", qop="auth", algorithm=SHA-256'
SHA512 = 'Digest realm="r", nonce="n5", qop="auth", algorithm=SHA-512-256'
MD5 = 'Digest realm="r", nonce="n1", qop="auth", algorithm=MD5'
PLAIN = 'Digest realm="r", nonce="n0", qop="auth"'


@pytest.mark.parametrize(
    ("lines", "nonce"),
    [
        ([MD5], "n1"),
        ([PLAIN, MD5], "n0"),
        ([MD5, PLAIN], "n1"),
        ([MD5, SHA256], "n2"),
        ([SHA256, MD5], "n2"),
        ([f"{MD5}, Basic realm=r, {SHA256}"], "n2"),
        (["Negotiate", "Basic realm=r", PLAIN, SHA256.replace("SHA-256", "sha-256-sess"), SHA256], "n2"),
        ([PLAIN, SHA256.replace("SHA-256", "SHA-1"), "Digest"], "n0"),
        ([MD5.replace('"auth"', '"auth-int , AUTH"')], "n1"),
        ([MD5.replace('"auth"', "auth")], "n1"),
        ([MD5.replace("Digest", "dIGEST")], "n1"),
    ],
)
def test_the_strongest_is_answered(uri, challenge, params, lines, nonce):
    plan = Attempts(uri, auth=DigestAuth("user", "secret"))
    assert "Authorization" not in plan.headers()
    plan.refuse(challenge(*lines))
    assert params(plan.headers()["Authorization"])["nonce"] == nonce


@pytest.mark.skipif("sha512_256" not in hashlib.algorithms_available, reason="this Python has no SHA-512-256")
def test_sha_512_256_is_the_strongest(uri, challenge, params):
    plan = Attempts(uri, auth=DigestAuth("user", "secret"))
    plan.refuse(challenge(MD5, SHA256, SHA512))
    assert params(plan.headers()["Authorization"])["nonce"] == "n5"


def test_without_sha_512_256(uri, challenge, params, monkeypatch):
    new = hashlib.new

    def most(name, data, usedforsecurity):
        if name == "sha512_256":
            raise ValueError("unsupported hash type")
        return new(name, data, usedforsecurity=usedforsecurity)

    monkeypatch.setattr(hashlib, "new", most)
    plan = Attempts(uri, auth=DigestAuth("user", "secret"))
    plan.refuse(challenge(SHA512, MD5))
    assert params(plan.headers()["Authorization"])["nonce"] == "n1"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Digest", "Digest is offered, but there is no realm"),
        ("Digest realm=r", "Digest is offered, but there is no nonce"),
        ("Digest abcd", "Digest is offered, but there is no realm"),
        (SHA256.replace("SHA-256", "SHA-1"), "Digest is offered, but the algorithm 'SHA-1' is unknown"),
        (SHA256.replace("SHA-256", '""'), "Digest is offered, but the algorithm '' is unknown"),
        (
            MD5.replace('"auth"', '"auth-int"'),
            "Digest is offered, but the qop 'auth-int' is not supported, only auth is",
        ),
        (MD5.replace('"auth"', '""'), "Digest is offered, but the qop '' is not supported, only auth is"),
        (SHA256.replace('qop="auth", ', ""), "Digest is offered, but there is no qop"),
        (MD5.replace('qop="auth", ', "").replace("MD5", "MD5-sess"), "Digest is offered, but there is no qop"),
        (
            f"Digest, {SHA256.replace('SHA-256', 'X')}",
            "Digest is offered, but there is no realm; the algorithm 'X' is unknown",
        ),
    ],
)
def test_what_cannot_be_answered(uri, challenge, line, reason):
    assert refused(Attempts(uri, auth=DigestAuth("user", "secret")), challenge(line)) == reason


@pytest.mark.parametrize("line", [MD5, PLAIN, PLAIN.replace(', qop="auth"', "")])
def test_md5_can_be_refused(uri, challenge, params, line):
    auth = DigestAuth("user", "secret", allow_md5=False)
    reason = "Digest is offered, but the algorithm MD5 is not allowed"
    assert refused(Attempts(uri, auth=auth), challenge(line)) == reason
    plan = Attempts(uri, auth=auth)
    plan.refuse(challenge(line, SHA256))
    assert params(plan.headers()["Authorization"])["nonce"] == "n2"
