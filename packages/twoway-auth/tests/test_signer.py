from __future__ import annotations

import hashlib

import pytest

from twoway.auth import Attempts, DigestAuth
from twoway.http import HeaderError, Headers, Response, parse_uri


def answer(line, challenge, *, uri="ws://example.com/dir/index.html", username="user", password="secret", cnonce="c"):
    plan = Attempts(parse_uri(uri), auth=DigestAuth(username, password, make_cnonce=lambda: cnonce))
    plan.refuse(challenge(line))
    return plan.headers()["Authorization"]


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_3_9_1(challenge, algorithm, response):
    line = (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert answer(line, challenge, username="Mufasa", password="Circle of Life", cnonce=cnonce) == (
        'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", '
        f'algorithm={algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
        f'cnonce="{cnonce}", qop=auth, response="{response}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )


@pytest.mark.skipif("sha512_256" not in hashlib.algorithms_available, reason="this Python has no SHA-512-256")
def test_rfc_7616_3_9_2(challenge):
    # The example computes the first half of SHA-512; user name and response here are those of erratum 4897.
    line = (
        'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
        'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true'
    )
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    rest = (
        'realm="api@example.org", uri="/doe.json", algorithm=SHA-512-256, '
        f'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001, cnonce="{cnonce}", qop=auth, '
        'response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5", '
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS"'
    )
    user = {"uri": "ws://api.example.org/doe.json", "username": "Jäsøn Doe", "password": "Secret, or not?"}
    hashed = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert answer(line, challenge, **user, cnonce=cnonce) == f'Digest username="{hashed}", {rest}, userhash=true'
    # The same without userhash, of which the RFC shows the user name.
    line = line.replace(", userhash=true", "")
    assert answer(line, challenge, **user, cnonce=cnonce) == f"Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, {rest}"


def test_rfc_2069_2_4(challenge):
    # With the response of erratum 749.
    line = (
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert answer(line, challenge, username="Mufasa", password="CircleOfLife") == (
        'Digest username="Mufasa", realm="testrealm@host.com", uri="/dir/index.html", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", response="1949323746fe6a43ef61f9606e7febea", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_quotes_and_charset_of_an_old_server(challenge, params):
    value = answer(
        'Digest realm="a \\"\xc3\xa9\\" \\\\", nonce="\\n\\"", opaque="\\"", qop="auth", algorithm="md5"',
        challenge,
        username='ü"\\',
    )
    assert value.startswith('Digest username="\xc3\xbc\\"\\\\", realm="a \\"\xc3\xa9\\" \\\\", uri=')
    assert 'nonce="n\\""' in value
    assert 'opaque="\\""' in value
    assert "algorithm=md5" in value
    ha1 = md5('ü"\\:a "é" \\:secret')
    expected = md5(f'{ha1}:n":00000001:c:auth:{md5("GET:/dir/index.html")}')
    assert params(value)["response"] == expected
    Headers([("Authorization", value)])


def test_user_name_in_ascii_is_sent_plainly_to_a_server_with_utf_8(challenge, params):
    line = 'Digest realm="r", nonce="n", qop="auth", charset="utf-8", userhash=false'
    assert params(answer(line, challenge))["username"] == "user"


def test_target_with_query_is_signed(challenge, params):
    value = params(answer('Digest realm="r", nonce="n", qop="auth"', challenge, uri='ws://h/a?b="c"'))
    assert value["uri"] == "/a?b=%22c%22"
    expected = md5(f"{md5('user:r:secret')}:n:00000001:c:auth:{md5('GET:/a?b=%22c%22')}")
    assert value["response"] == expected


def test_session_variant(uri, challenge, params, cnonces):
    auth = DigestAuth("user", "secret", make_cnonce=cnonces)
    plan = Attempts(uri, auth=auth)
    plan.refuse(challenge('Digest realm="r", nonce="n", qop="auth", algorithm=MD5-sess'))
    ha1 = md5(f"{md5('user:r:secret')}:n:c1")
    ha2 = md5(f"GET:{uri.resource_name}")
    sent = params(plan.headers()["Authorization"])
    assert (sent["algorithm"], sent["nc"], sent["cnonce"]) == ("MD5-sess", "00000001", "c1")
    assert sent["response"] == md5(f"{ha1}:n:00000001:c1:auth:{ha2}")
    plan.accept(Response(101, ""))
    # The next connection goes on with the key, and so with the client's nonce, of this session.
    sent = params(Attempts(uri, auth=auth).headers()["Authorization"])
    assert (sent["nc"], sent["cnonce"]) == ("00000002", "c1")
    assert sent["response"] == md5(f"{ha1}:n:00000002:c1:auth:{ha2}")


LINE = 'Digest realm="r", nonce="n", qop="auth"'


def begin(uri, challenge, cnonces, line=LINE):
    auth = DigestAuth("user", "secret", make_cnonce=cnonces)
    plan = Attempts(uri, auth=auth)
    plan.refuse(challenge(line))
    return auth, plan


def info(*values) -> Response:
    return Response(101, "", Headers([("Authentication-Info", value) for value in values]))


def proof(uri, nc="00000001", cnonce="c1") -> str:
    return md5(f"{md5('user:r:secret')}:n:{nc}:{cnonce}:auth:{md5(f':{uri.resource_name}')}")


@pytest.mark.parametrize("more", ["", ", qop=auth, cnonce=c1, nc=00000001", ', qop="AUTH"', ", nextnonce=m"])
def test_proof_of_the_server(uri, challenge, cnonces, more):
    _, plan = begin(uri, challenge, cnonces)
    plan.accept(info(f'rspauth="{proof(uri).upper()}"{more}'))


@pytest.mark.parametrize(
    "value",
    [
        'rspauth=""',
        f"rspauth={'0' * 32}",
        'rspauth="\xe9"',
        "rspauth={proof}, nc=00000002",
        "rspauth={proof}, cnonce=c2",
        "rspauth={proof}, qop=auth-int",
        "rspauth={other}",
        "rspauth={proof}, rspauth={proof}",
        "rspauth",
        "x" * 20_000,
    ],
)
def test_false_proof(uri, challenge, cnonces, value):
    _, plan = begin(uri, challenge, cnonces)
    with pytest.raises(HeaderError, match="Authentication-Info"):
        plan.accept(info(value.replace("{proof}", proof(uri)).replace("{other}", proof(uri, "00000002"))))


def test_false_proof_with_a_redirect(uri, challenge, redirect, cnonces):
    _, plan = begin(uri, challenge, cnonces)
    response = redirect("/other")
    response.headers["Authentication-Info"] = "rspauth=x"
    with pytest.raises(HeaderError, match="Authentication-Info"):
        plan.refuse(response)


def test_server_of_rfc_2069_proves_nothing(uri, challenge, cnonces, params):
    auth, plan = begin(uri, challenge, cnonces, 'Digest realm="r", nonce="n"')
    plan.accept(info("rspauth=x"))
    assert "nc" not in params(Attempts(uri, auth=auth).headers()["Authorization"])


def test_next_connection_counts_on(uri, challenge, cnonces, params):
    auth, plan = begin(uri, challenge, cnonces)
    plan.accept(Response(101, ""))
    for number in (2, 3):
        plan = Attempts(uri, auth=auth)
        sent = params(plan.headers()["Authorization"])
        assert (sent["nonce"], sent["nc"], sent["cnonce"]) == ("n", f"{number:08x}", f"c{number}")
        plan.accept(info(f"rspauth={proof(uri, sent['nc'], sent['cnonce'])}"))


def test_next_nonce(uri, challenge, cnonces, params):
    auth, plan = begin(uri, challenge, cnonces)
    plan.accept(info('nextnonce="m"'))
    sent = params(Attempts(uri, auth=auth).headers()["Authorization"])
    assert (sent["nonce"], sent["nc"]) == ("m", "00000001")


def test_next_nonce_ends_a_session(uri, challenge, cnonces):
    auth, plan = begin(uri, challenge, cnonces, f"{LINE}, algorithm=MD5-sess")
    plan.accept(info("nextnonce=m"))
    assert "Authorization" not in Attempts(uri, auth=auth).headers()


def test_random_client_nonces(uri, challenge, params):
    seen = set()
    for _ in range(10):
        plan = Attempts(uri, auth=DigestAuth("user", "secret"))
        plan.refuse(challenge(LINE))
        seen.add(params(plan.headers()["Authorization"])["cnonce"])
    assert len(seen) == 10
    assert all(len(cnonce) == 32 for cnonce in seen)
