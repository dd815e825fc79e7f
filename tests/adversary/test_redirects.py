"""Servers that send a client elsewhere, to get at its credentials or to lead it astray."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from adversary_rig.attack import check_documented
from adversary_rig.peer import DEADLINE, Peer, Trap

from twoway.auth import Redirects

SECRETS = {
    "Authorization": "Bearer secret1",
    "Cookie": "session=secret2",
    "Proxy-Authorization": "Basic secret3",
    "X-Api-Key": "secret4",
    "X-Harmless": "shown",
}


def redirecting(location: str | bytes, status: str = "302 Found"):
    """Redirect each request; ``%d`` in the location stands for the number of requests so far."""
    text = location if isinstance(location, bytes) else location.encode()
    count = iter(range(10_000))

    def behave(peer: Peer) -> None:
        peer.read_head()
        target = text.replace(b"%d", b"%d" % next(count))
        peer.send(b"HTTP/1.1 " + status.encode() + b"\r\nLocation: " + target + b"\r\nContent-Length: 0\r\n\r\n")
        peer.wait(2)

    return behave


def refusing(peer: Peer) -> None:
    peer.read_head()
    peer.send(b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n")
    peer.wait(2)


@pytest.fixture
def follow(driver, servers):
    """Connect to a server that redirects; gives the error, and the requests that each of the traps has seen."""

    def follow(location, *, credentials="", tls=None, status="302 Found", **options):
        with ExitStack() as stack:
            target = stack.enter_context(Trap(refusing))
            location = location.replace("%(target)s", f"127.0.0.1:{target.port}")
            source = stack.enter_context(Trap(redirecting(location, status), tls and tls[0]))
            scheme = "wss" if tls else "ws"
            if tls:
                options |= {"ssl": tls[1]}
            uri = f"{scheme}://{credentials}localhost:{source.port}/"
            outcome = driver.dial(uri, host="127.0.0.1", **options).result(DEADLINE)
        check_documented(driver, outcome)
        assert not outcome.opened
        return outcome.error, source.requests, target.requests

    return follow


@pytest.mark.threat("redirects that steal credentials")
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 Temporary", "308 Permanent"])
def test_secrets_stay_with_their_origin(driver, follow, status):
    policy = Redirects(sensitive_headers=["X-Api-Key"])
    error, first, second = follow(
        "ws://%(target)s/elsewhere", additional_headers=SECRETS, redirects=policy, status=status
    )
    assert isinstance(error, driver.module.InvalidStatus)
    assert error.response.status_code == 418
    assert b"secret1" in first[0]
    (request,) = second
    assert request.startswith(b"GET /elsewhere HTTP/1.1\r\n")
    assert b"shown" in request
    assert b"secret" not in request


@pytest.mark.threat("redirects that steal credentials")
@pytest.mark.parametrize("options", [{"credentials": "ada:secret@"}, {"auth": ("ada", "secret")}])
def test_the_password_of_the_first_server_is_not_for_the_second(follow, options):
    _, _, (request,) = follow("ws://%(target)s/", **options)
    assert b"authorization" not in request.lower()


@pytest.mark.threat("redirects that steal credentials")
def test_a_challenge_of_another_origin_gets_no_answer(driver, servers):
    def challenge(peer: Peer) -> None:
        peer.read_head()
        peer.send(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
        peer.wait(2)

    with Trap(challenge) as target, Trap(redirecting(f"ws://127.0.0.1:{target.port}/")) as source:
        uri = f"ws://ada:secret@localhost:{source.port}/"
        outcome = driver.dial(uri, host="127.0.0.1").result(DEADLINE)
    assert isinstance(outcome.error, driver.module.InvalidStatus)
    assert outcome.error.response.status_code == 401
    assert len(target.requests) == 1
    assert b"authorization" not in target.requests[0].lower()


@pytest.mark.threat("redirects from TLS to plain")
@pytest.mark.parametrize("scheme", ["ws", "http", "WS", "HTTP"])
def test_no_redirect_leads_out_of_tls(driver, follow, tls, scheme):
    error, first, second = follow(scheme + "://%(target)s/", tls=tls)
    assert isinstance(error, driver.module.InvalidStatus)
    assert "from wss to ws" in str(error)
    assert (len(first), second) == (1, [])


@pytest.mark.threat("redirects without end")
@pytest.mark.parametrize("location", ["/", "/%d", "?", "", "//localhost:%(port)s/%d"])
def test_a_client_follows_ten_redirects_and_no_more(driver, servers, location):
    with ExitStack() as stack:
        behaviour: list = []
        trap = stack.enter_context(Trap(lambda peer: behaviour[0](peer)))
        behaviour.append(redirecting(location.replace("%(port)s", str(trap.port))))
        outcome = driver.dial(f"ws://localhost:{trap.port}/", host="127.0.0.1", port=trap.port).result(DEADLINE)
    check_documented(driver, outcome)
    assert isinstance(outcome.error, driver.module.InvalidStatus)
    assert len(trap.requests) <= 11


@pytest.mark.threat("redirects without end")
@pytest.mark.parametrize(
    "location",
    [
        "ftp://%(target)s/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/plain,x",
        "ws://",
        "ws://:80/",
        "ws://%(target)s:80:80/",
        "ws://127.0.0.1:99999/",
        "ws://127.0.0.1:x/",
        "ws://127.0.0.1:-1/",
        "ws://[::1/",
        "ws://[::g]/",
        "ws://a b/",
        "ws://" + "a" * 5000 + "/",
        "ws://" + ".".join(["a"] * 2000) + "/",
        "ws://..../",
        "ws://\xe9\xff/",
        "ws://xn--\xe9/",
        "ws://%(target)s\\@127.0.0.1/",
        "http:",
        "//",
        "///",
        "\x80\x81",
        "ws://\u2100.example/",
    ],
)
def test_a_location_that_is_none_is_an_error_of_the_library(driver, follow, location):
    text = location.encode("latin-1", "replace").decode("latin-1")
    error, first, second = follow(text)
    assert isinstance(error, (driver.module.InvalidStatus, driver.module.InvalidURI))
    assert (len(first), second) == (1, [])
    assert str(error).isprintable()


@pytest.mark.threat("redirects without end")
def test_a_redirect_without_or_with_two_locations_is_not_followed(driver, servers):
    for lines in (b"", b"Location: /a\r\nLocation: /b\r\n"):

        def behave(peer, lines=lines):
            peer.read_head()
            peer.send(b"HTTP/1.1 302 Found\r\n" + lines + b"Content-Length: 0\r\n\r\n")
            peer.wait(2)

        with Trap(behave) as trap:
            outcome = driver.dial(f"ws://127.0.0.1:{trap.port}/").result(DEADLINE)
        assert isinstance(outcome.error, driver.module.InvalidStatus)
        assert len(trap.requests) == 1


@pytest.mark.threat("servers that never finish")
def test_redirects_have_one_deadline_for_all(driver, servers):
    redirect = redirecting("/%d")

    def behave(peer):
        peer.wait(0.15)
        redirect(peer)

    with Trap(behave) as trap:
        outcome = driver.dial(f"ws://127.0.0.1:{trap.port}/", open_timeout=0.5).result(DEADLINE)
    assert isinstance(outcome.error, TimeoutError)
    assert len(trap.requests) < 6
