"""Whoever has no password, and tries."""

from __future__ import annotations

import base64
import hashlib
import re
import time

import pytest
from adversary_rig.attack import Asked, table
from adversary_rig.victims import USER
from adversary_rig.wire import request

REALM = 'Basic realm="secrets", charset="UTF-8"'


def basic(text: bytes) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(text)


RIGHT = basic(":".join(USER).encode())


def with_lines(*lines: bytes, status: int = 401) -> Asked:
    fields = {"www-authenticate": REALM} if status == 401 else {}
    return Asked(request(extra=b"\r\n".join(lines)), status, server="basic", fields=fields)


@pytest.mark.threat("guessing at Basic")
@table(
    {
        "right": with_lines(RIGHT, status=101),
        "right, in other letters": with_lines(RIGHT.replace(b"Basic", b"bAsIc"), status=101),
        "none": with_lines(b"X: y"),
        "wrong password": with_lines(basic(b"ada:open")),
        "wrong user": with_lines(basic(b"bob:open sesame")),
        "prefix of the password": with_lines(basic(b"ada:open sesam")),
        "more than the password": with_lines(basic(b"ada:open sesame2")),
        "other letters": with_lines(basic(b"Ada:open sesame")),
        "no password": with_lines(basic(b"ada")),
        "nothing": with_lines(basic(b"")),
        "colon": with_lines(basic(b":")),
        "bytes that are no UTF-8": with_lines(basic(b"\xff\xfe:\xff")),
        "UTF-8": with_lines(basic("ädä:öpen".encode())),
        "NUL": with_lines(basic(b"ada\0:open sesame")),
        "long": with_lines(basic(b"ada:" + b"x" * 5000)),
        "no base64": with_lines(b"Authorization: Basic !!!!"),
        "base64 that is cut": with_lines(RIGHT[:-1]),
        "base64 with more behind it": with_lines(RIGHT + b"=x"),
        "base64 with spaces": with_lines(RIGHT[:30] + b" " + RIGHT[30:]),
        "no credentials": with_lines(b"Authorization: Basic"),
        "empty": with_lines(b"Authorization: "),
        "another scheme": with_lines(b"Authorization: Bearer YWRhOm9wZW4gc2VzYW1l"),
        "parameters": with_lines(b'Authorization: Basic username="ada", password="open sesame"'),
        "no ASCII": with_lines(b"Authorization: Basic \xe9\xe9"),
        "two, the right one first": with_lines(RIGHT, basic(b"x:y")),
        "two, the right one last": with_lines(basic(b"x:y"), RIGHT),
        "the right one twice": with_lines(RIGHT, RIGHT),
        "both in one": with_lines(basic(b"x:y") + b", " + RIGHT.split(b": ")[1]),
    }
)
def test_only_the_right_password_opens(ask, attack):
    ask(attack)


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def challenge(ask):
    """Ask for a nonce."""

    def challenge(server="digest"):
        reply = ask(Asked(request(), 401, server=server))
        text = next(text for text in reply.fields["www-authenticate"] if "SHA-256" in text)
        return {name: quoted or token for name, quoted, token in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', text)}

    return challenge


def digest(params, **changes):
    """Answer a challenge; `changes` replaces what is sent, or with None leaves it out."""
    password = changes.pop("password", USER[1])
    hashed = changes.pop("hashed", sha256)
    sent = {
        "username": USER[0],
        "realm": params["realm"],
        "nonce": params["nonce"],
        "uri": "/",
        "algorithm": "SHA-256",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "0a4f113b",
        **changes,
    }
    first = hashed(f"{sent['username']}:{sent['realm']}:{password}")
    second = hashed(f"GET:{sent['uri']}")
    middle = f":{sent['nc']}:{sent['cnonce']}:{sent['qop']}" if sent["qop"] else ""
    sent["response"] = changes.get("response", hashed(f"{first}:{sent['nonce']}{middle}:{second}"))
    plain = ("nc", "qop", "algorithm")
    parts = (f"{name}={value}" if name in plain else f'{name}="{value}"' for name, value in sent.items() if value)
    return b"Authorization: Digest " + ", ".join(parts).encode("latin-1")


@pytest.mark.threat("replaying Digest")
@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"username": "bob"},
        {"realm": "other"},
        {"nonce": "made up"},
        {"nonce": "A" * 5000},
        {"qop": None, "nc": None, "cnonce": None},
        {"qop": "auth-int"},
        {"nc": "1"},
        {"nc": "00000000"},
        {"nc": "+0000001"},
        {"nc": "zzzzzzzz"},
        {"cnonce": None},
        {"cnonce": ""},
        {"algorithm": "SHA-512-256"},
        {"algorithm": "none"},
        {"algorithm": "SHA-256-sess"},
        {"response": ""},
        {"response": "0" * 64},
        {"response": "é" * 64},
        {"username": "é"},
    ],
    ids=lambda changes: " ".join(f"{name} {value}"[:20] for name, value in changes.items()),
)
def test_a_wrong_answer_to_the_challenge_is_refused(ask, challenge, changes):
    ask(Asked(request(extra=digest(challenge(), **changes)), 401, server="digest"))


@pytest.mark.threat("replaying Digest")
@pytest.mark.parametrize("uri", ["/other", "//", None, "é"])
def test_an_answer_for_another_address_is_refused(ask, challenge, uri):
    ask(Asked(request(extra=digest(challenge(), uri=uri)), 400, server="digest"))


@pytest.mark.threat("replaying Digest")
def test_the_right_answer_is_good_once(ask, challenge):
    params = challenge()
    answer = Asked(request(extra=digest(params)), 101, server="digest")
    ask(answer)
    ask(Asked(answer.send, 401, server="digest"))
    ask(Asked(request(extra=digest(params, nc="00000002")), 101, server="digest"))
    ask(Asked(request(extra=digest(params, nc="00000001")), 401, server="digest"))


@pytest.mark.threat("replaying Digest")
def test_a_nonce_ends_with_its_time(ask, challenge):
    params = challenge("digest of the moment")
    time.sleep(0.1)
    reply = ask(Asked(request(extra=digest(params)), 401, server="digest of the moment"))
    assert all("stale=true" in text for text in reply.fields["www-authenticate"])


@pytest.mark.threat("replaying Digest")
def test_a_nonce_of_another_server_is_none_of_ours(ask, challenge):
    params = challenge("digest of the moment")
    ask(Asked(request(extra=digest(params)), 401, server="digest"))


@pytest.mark.threat("replaying Digest")
def test_two_answers_are_none(ask, challenge):
    params = challenge()
    ask(Asked(request(extra=digest(params) + b"\r\n" + digest(params, password="x")), 401, server="digest"))
    ask(Asked(request(extra=digest(params) + b"\r\n" + RIGHT), 401, server="digest"))


@pytest.mark.threat("replaying Digest")
def test_a_weaker_scheme_that_was_not_offered_is_refused(ask, challenge):
    ask(Asked(request(extra=RIGHT), 401, server="digest"))
    # MD5 is offered for old devices: with a nonce that is good, and no other way.
    ask(Asked(request(extra=digest(challenge(), algorithm="MD5", hashed=md5)), 101, server="digest"))
    ask(Asked(request(extra=digest(challenge(), algorithm="MD5")), 401, server="digest"))
