from __future__ import annotations

import hashlib
import hmac

import pytest

from twoway.auth import Attempts, DigestAuth, DigestAuthenticator, DigestClaim, PasswordAuth, parse_challenges
from twoway.http import Headers, Request, Response, parse_uri

SECRET = bytes(32)
URI = parse_uri("ws://example.com/chat?room=1")
USER = ("ada", "correct horse")


def make(*args, **kwargs) -> DigestAuthenticator:
    return DigestAuthenticator("r", *(args or [USER]), secret=SECRET, **kwargs)


def request(headers, path=URI.resource_name) -> Request:
    return Request(path, headers)


def signed(server, username="ada", password="correct horse", *, now=0.0, changes=None) -> Request:
    """Answer a challenge of the server; then change parameters, None for leaving one out."""
    plan = Attempts(URI, auth=DigestAuth(username, password))
    plan.refuse(server.refuse(now))
    params = parse_challenges([plan.headers()["Authorization"]])[0].params
    params.update(changes or {})
    pairs = [f'{name}="{value}"' for name, value in params.items() if value is not None]
    return request(Headers([("Authorization", f"Digest {', '.join(pairs)}")]))


def refused(answer, *, stale=False, status=401) -> bool:
    assert isinstance(answer, Response)
    assert answer.status_code == status
    if status == 401:
        for challenge in parse_challenges(answer.headers.get_all("WWW-Authenticate")):
            assert (challenge.params.get("stale") == "true") is stale
    return True


def test_challenges():
    response = DigestAuthenticator('a "b"', USER).refuse(0.0)
    one, two = response.headers.get_all("WWW-Authenticate")
    assert one.startswith('Digest realm="a \\"b\\"", qop="auth", algorithm=SHA-256, nonce="')
    assert two.startswith('Digest realm="a \\"b\\"", qop="auth", algorithm=MD5, nonce="')
    assert one.endswith('", charset=UTF-8')
    assert one.replace("SHA-256", "MD5") == two


def test_flags_of_challenges():
    (line,) = make(algorithms=["MD5-sess"], userhash=True).refuse(0.0, stale=True).headers.get_all("WWW-Authenticate")
    assert "algorithm=MD5-sess" in line
    assert line.endswith(", charset=UTF-8, userhash=true, stale=true")


@pytest.mark.feature("HTTP Digest authentication")
@pytest.mark.parametrize("algorithm", ["SHA-512-256", "SHA-256", "MD5", "SHA-512-256-sess", "SHA-256-sess", "md5-sess"])
@pytest.mark.parametrize("user", [USER, ("é", 'pass"\\wörd'), ('"\\', "")])
@pytest.mark.parametrize("userhash", [False, True])
def test_every_algorithm(algorithm, user, userhash):
    if "512" in algorithm and "sha512_256" not in hashlib.algorithms_available:
        pytest.skip("this Python has no SHA-512-256")
    server = make([("bob", "other"), user], algorithms=[algorithm], userhash=userhash)
    auth = DigestAuth(*user)
    plan = Attempts(URI, auth=auth)
    plan.refuse(server.check(request(plan.headers()), 0.0))
    assert server.check(request(plan.headers()), 1.0) == user[0]
    # The next connection is not asked again.
    plan.accept(Response(101, ""))
    plan = Attempts(URI, auth=auth)
    assert server.check(request(plan.headers()), 2.0) == user[0]


@pytest.mark.feature("HTTP Digest authentication")
@pytest.mark.parametrize(
    ("username", "password"), [("ada", "wrong"), ("ada", ""), ("eve", "correct horse"), ("eve", "")]
)
@pytest.mark.parametrize("userhash", [False, True])
def test_wrong(username, password, userhash):
    server = make(userhash=userhash)
    assert refused(server.check(signed(server, username, password), 0.0))


@pytest.mark.parametrize("username", ["ada", "eve"])
def test_the_time_does_not_tell_which_users_exist(monkeypatch, username):
    server = make()
    message = signed(server, username)
    compared = []

    def compare(first, second):
        compared.append((type(first), len(first)))
        return real(first, second)

    real = hmac.compare_digest
    monkeypatch.setattr("hmac.compare_digest", compare)
    server.check(message, 0.0)
    assert (bytes, 64) in compared


@pytest.mark.feature("HTTP Digest authentication")
def test_replay():
    server = make()
    message = signed(server)
    assert server.check(message, 0.0) == "ada"
    assert refused(server.check(message, 0.1), stale=True)


@pytest.mark.feature("HTTP Digest authentication")
def test_nonce_expires():
    server = make(nonce_lifetime=60)
    message = signed(server)
    assert refused(server.check(message, 60.1), stale=True)
    assert server.check(message, 60.0) == "ada"


def test_only_who_knows_the_password_is_told_that_the_nonce_is_stale():
    server = make()
    assert refused(server.check(signed(server, password="wrong"), 1000.0), stale=False)


def test_nonce_of_another_server():
    server, other = make(), DigestAuthenticator("r", USER)
    assert refused(server.check(signed(other), 0.0), stale=True)
    assert server.check(signed(make()), 0.0) == "ada"


def test_client_recovers_from_all_that():
    server = make(nonce_lifetime=60)
    auth = PasswordAuth(*USER)
    for now in (0.0, 10.0, 100.0):
        plan = Attempts(URI, auth=auth)
        requests = 0
        while (answer := server.check(request(plan.headers()), now)) != "ada":
            plan.refuse(answer)
            requests += 1
        assert requests == {0.0: 1, 10.0: 0, 100.0: 1}[now]
        plan.accept(Response(101, ""))


@pytest.mark.parametrize(
    "changes",
    [
        {"realm": "other"},
        {"realm": None},
        {"algorithm": "SHA-512-256"},
        {"algorithm": "SHA-256-sess"},
        {"algorithm": "x"},
        {"algorithm": "MD5"},
        {"algorithm": None},
        {"qop": "auth-int"},
        {"qop": ""},
        {"qop": None},
        {"qop": None, "nc": None, "cnonce": None},
        {"nc": "00000002"},
        {"nc": "1"},
        {"nc": "0000000g"},
        {"nc": "-0000001"},
        {"nc": None},
        {"cnonce": "x"},
        {"cnonce": ""},
        {"cnonce": None},
        {"nonce": ""},
        {"nonce": "x"},
        {"nonce": None},
        {"response": "0" * 64},
        {"response": ""},
        {"response": "\xe9"},
        {"response": None},
        {"username": "eve"},
        {"username": ""},
        {"username": None},
        {"username": "\xe9"},
        {"username": None, "username*": "UTF-8''eve"},
        {"username*": "UTF-8''ada"},
        {"username": None, "username*": "ada"},
        {"username": None, "username*": "ISO-8859-1''ada"},
        {"username": None, "username*": "UTF-8''%"},
        {"username": None, "username*": "UTF-8''%FF"},
        {"username": None, "username*": "UTF-8''a%0Ada"},
        {"username": None, "username*": "UTF-8''ada", "userhash": "true"},
        {"userhash": "true"},
    ],
)
def test_anything_odd(changes):
    server = make(userhash=True) if changes.get("userhash") and "username" in changes else make()
    assert refused(server.check(signed(server, changes=changes), 0.0))
    # Nothing of that has used up the nonce count.
    assert server.check(signed(server), 0.0) == "ada"


@pytest.mark.parametrize(("nc", "taken"), [("00000000", False), ("00000001", True), ("ffffffff", True)])
def test_counting_begins_at_one(nc, taken):
    server = make()
    params = parse_challenges([signed(server).headers["Authorization"]])[0].params
    hashes = [
        hashlib.sha256(text.encode()).hexdigest()
        for text in (f"ada:{params['realm']}:correct horse", f"GET:{URI.resource_name}")
    ]
    middle = ":".join([params["nonce"], nc, params["cnonce"], "auth"])
    response = hashlib.sha256(f"{hashes[0]}:{middle}:{hashes[1]}".encode()).hexdigest()
    answer = server.check(signed(server, changes={**params, "nc": nc, "response": response}), 0.0)
    assert answer == "ada" if taken else refused(answer)


@pytest.mark.parametrize("changes", [{"uri": "/other"}, {"uri": "/chat"}, {"uri": ""}, {"uri": None}, {"uri": "\xe9"}])
def test_other_uri(changes):
    server = make()
    answer = server.check(signed(server, changes=changes), 0.0)
    assert refused(answer, status=400)
    assert answer.body == b"The credentials are for another address.\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "sha-256"},
        {"qop": "AUTH"},
        {"username": None, "username*": "utf-8'en'%61da"},
        {"opaque": "x"},
        {"userhash": "false"},
    ],
)
def test_what_does_not_matter(changes):
    server = make()
    assert server.check(signed(server, changes=changes), 0.0) == "ada"


def test_response_in_capitals():
    server = make()
    (value,) = signed(server).headers.get_all("Authorization")
    head, _, tail = value.partition('response="')
    assert (
        server.check(request(Headers([("Authorization", f'{head}response="{tail[:64].upper()}{tail[64:]}')])), 0.0)
        == "ada"
    )


def test_no_algorithm_means_md5():
    server = make(algorithms=["MD5"])
    assert server.check(signed(server, changes={"algorithm": None}), 0.0) == "ada"


def test_method_is_signed():
    server = make()
    message = signed(server)
    message.method = "POST"
    assert refused(server.check(message, 0.0))


def test_unknown_hash_of_a_user():
    server = make(userhash=True)
    claim = server.read(signed(server, changes={"username": "ab" * 32, "userhash": "true"}), 0.0)
    assert claim.username == "ab" * 32
    assert refused(claim.conclude(claim.ask()))


def test_memory_is_bounded():
    server = make(max_uses=5)
    old = signed(server)
    assert server.check(old, 0.0) == "ada"
    for second in range(1, 7):
        assert server.check(signed(server, now=float(second)), float(second)) == "ada"
    assert refused(server.check(old, 7.0), stale=True)


def run(awaitable):
    with pytest.raises(StopIteration) as caught:
        awaitable.send(None)
    return caught.value.value


def test_function_for_passwords():
    server = make(None, get_password={"ada": "correct horse"}.get)
    assert server.check(signed(server), 0.0) == "ada"
    assert refused(server.check(signed(server, "eve"), 0.0))


@pytest.mark.parametrize("algorithms", [["SHA-256", "MD5"], ["MD5-sess"]])
def test_function_for_hashes(algorithms):
    def get_hash(username, algorithm):
        assert algorithm == algorithms[0]
        name = {"SHA-256": "sha256", "MD5-sess": "md5"}[algorithm]
        return hashlib.new(name, b"ada:r:correct horse").hexdigest().upper() if username == "ada" else None

    server = make(None, get_hash=get_hash, algorithms=algorithms)
    assert server.check(signed(server), 0.0) == "ada"
    assert refused(server.check(signed(server, "eve"), 0.0))
    assert refused(server.check(signed(server, password="wrong"), 0.0))


def test_function_that_is_to_be_awaited():
    async def get_password(username):
        return {"ada": "correct horse"}.get(username)

    server = make(None, get_password=get_password)
    claim = server.read(signed(server), 0.0)
    assert claim.conclude(run(claim.ask())) == "ada"
    claim = server.read(signed(server, "eve"), 0.0)
    assert refused(claim.conclude(run(claim.ask())))
    pending = claim.ask()
    with pytest.raises(TypeError, match="answer must be a str or None, not coroutine"):
        claim.conclude(pending)
    pending.close()


def test_claim_for_whoever_asks_somewhere_else():
    server = DigestAuthenticator("r", secret=SECRET)
    claim = server.read(signed(server), 0.0)
    assert isinstance(claim, DigestClaim)
    assert (claim.username, claim.algorithm) == ("ada", "SHA-256")
    assert repr(claim) == "DigestClaim(username='ada')"
    assert not claim.verify("wrong")
    assert refused(claim.refuse())
    assert not claim.verify(None)
    assert not claim.verify_hash(None)
    assert claim.verify("correct horse")
    assert not claim.verify("correct horse")
    assert refused(claim.refuse(), stale=True)
    claim = server.read(signed(server), 0.0)
    assert claim.verify_hash(hashlib.sha256(b"ada:r:correct horse").hexdigest())


def test_empty_password_is_not_that_of_a_user_who_does_not_exist():
    server = make(None, get_password={"ada": ""}.get)
    assert server.check(signed(server, "ada", ""), 0.0) == "ada"
    assert refused(server.check(signed(server, "eve", ""), 0.0))


def test_mutual_authentication():
    server = make()
    plan = Attempts(URI, auth=DigestAuth(*USER))
    plan.refuse(server.refuse(0.0))
    claim = server.read(request(plan.headers()), 0.0)
    assert claim.conclude("correct horse") == "ada"
    plan.accept(Response(101, "", Headers([("Authentication-Info", claim.authentication_info())])))


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"algorithms": "MD5"}, TypeError, "algorithms must be a sequence of str"),
        ({"algorithms": []}, TypeError, "algorithms must be a sequence of str, and not be empty"),
        ({"algorithms": ["SHA-1"]}, ValueError, "algorithms must be of SHA-512-256, SHA-256, MD5.* not 'SHA-1'"),
        ({"nonce_lifetime": 0}, ValueError, "nonce_lifetime must be > 0 .* not '0'"),
        ({"nonce_lifetime": float("inf")}, ValueError, "nonce_lifetime must be > 0"),
        ({"nonce_lifetime": float("nan")}, ValueError, "nonce_lifetime must be > 0"),
        ({"max_uses": 0}, ValueError, "max_uses must be >= 1, not 0"),
        ({"secret": b"short"}, ValueError, "secret must be at least 16 bytes, not 5"),
        ({"get_password": str}, TypeError, "credentials, get_password and get_hash must not be given together"),
        ({"get_hash": str}, TypeError, "must not be given together"),
    ],
)
def test_arguments(kwargs, error, text):
    with pytest.raises(error, match=text):
        DigestAuthenticator("r", USER, **kwargs)


def test_userhash_needs_credentials():
    with pytest.raises(ValueError, match="userhash must be False without credentials"):
        DigestAuthenticator("r", get_password=str, userhash=True)


def test_somebody_must_know_the_password():
    server = DigestAuthenticator("r")
    with pytest.raises(TypeError, match="credentials, get_password or get_hash must be given"):
        server.check(signed(server), 0.0)


def test_name_in_the_place_of_a_hash():
    server = make(userhash=True)
    assert refused(server.check(signed(server, changes={"username": "ada"}), 0.0))
