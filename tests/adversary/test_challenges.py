"""Servers that ask a client for more than they should get."""

from __future__ import annotations

import re

import pytest
from adversary_rig.attack import check_documented
from adversary_rig.peer import DEADLINE, Trap

from twoway.auth import BearerAuth, DigestAuth

DIGEST = 'Digest realm="r", nonce="n%d", qop="auth", algorithm='
BASIC = 'Basic realm="r"'


@pytest.fixture
def challenge(driver, servers):
    """Let a server challenge a client each time; gives the values of Authorization that it got, None for none."""

    def challenge(*challenges, auth=("ada", "secret")):
        def behave(peer):
            peer.read_head()
            text = "\r\n".join(f"WWW-Authenticate: {text}" for text in challenges).replace("%d", str(len(trap.peers)))
            peer.send(f"HTTP/1.1 401 No\r\n{text}\r\nContent-Length: 0\r\n\r\n".encode("latin-1"))
            peer.wait(2)

        with Trap(behave) as trap:
            outcome = driver.dial(f"ws://127.0.0.1:{trap.port}/", auth=auth).result(DEADLINE)
        check_documented(driver, outcome)
        assert isinstance(outcome.error, driver.module.InvalidStatus)
        assert outcome.error.response.status_code == 401
        assert "secret" not in str(outcome.error)
        found = [re.search(rb"\r\nAuthorization: ([^\r]*)", head) for head in trap.requests]
        return [match and match[1].decode() for match in found]

    return challenge


@pytest.mark.threat("weaker ways to log in")
def test_the_strongest_way_is_taken(challenge):
    first, second, *_ = challenge(BASIC, DIGEST + "MD5", DIGEST + "SHA-256")
    assert first is None
    assert second.startswith("Digest ")
    assert "SHA-256" in second


@pytest.mark.threat("weaker ways to log in")
@pytest.mark.parametrize(
    "challenges",
    [
        [BASIC],
        [BASIC, DIGEST + "ROT13"],
        [DIGEST + "ROT13"],
        [DIGEST.replace('"auth"', '"auth-int"') + "SHA-256"],
        ['Digest realm="r"'],
        ["Digest"],
        ["Digest " + "a=," * 2000],
        ['Digest realm="' + "\\" * 5000],
        [BASIC + " " * 5000],
        ["Negotiate", "NTLM", "Bearer"],
        ["\x80\xff"],
        [""],
    ],
)
def test_who_wants_digest_never_sends_the_password(challenge, challenges):
    assert all(value is None for value in challenge(*challenges, auth=DigestAuth("ada", "secret")))


@pytest.mark.threat("weaker ways to log in")
def test_basic_is_no_way_out_where_digest_is_offered(challenge):
    assert not any(value and value.startswith("Basic") for value in challenge(BASIC, DIGEST + "ROT13"))
    assert not any(value and value.startswith("Basic") for value in challenge(BASIC, DIGEST + "MD5"))


@pytest.mark.threat("weaker ways to log in")
def test_each_answer_has_a_fresh_cnonce_and_there_is_an_end(challenge):
    auth = DigestAuth("ada", "secret")
    values = [value for _ in range(3) for value in challenge(DIGEST + "SHA-256, stale=true", auth=auth) if value]
    cnonces = [re.search(r'cnonce="([^"]*)"', value)[1] for value in values]
    assert len(set(cnonces)) == len(cnonces)
    assert 3 <= len(values) <= 9


@pytest.mark.threat("weaker ways to log in")
def test_a_token_is_not_sent_again_to_who_did_not_want_it(challenge):
    assert challenge(BASIC, DIGEST + "MD5", auth=BearerAuth("token")) == ["Bearer token"]
