from __future__ import annotations

import errno
import socket
import ssl

import pytest

from twoway.asyncio import ConnectionClosedError, InvalidStatus, Response
from twoway.cli._exits import Exit
from twoway.cli._failures import Failure, Stop, explain, find_reason, judge


def refused(status, text="", reason=None, **headers):
    return InvalidStatus(Response.text(status, text, headers), reason)


REFUSED = "host:1 answered {} instead of opening a WebSocket{}."
FOUND = "host:1 answered 302 Found, which was not followed: to {}."


@pytest.mark.parametrize(
    ("exc", "exit", "sentence"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), Exit.NO_NAME, "The name host is not known."),
        (OSError(errno.ECONNREFUSED, "x"), Exit.NO_CONNECTION, "No connection to host:1: Connection refused."),
        (TimeoutError(), Exit.OPEN_TIMEOUT, "host:1 did not answer in time."),
        (ssl.SSLCertVerificationError("old"), Exit.TLS, "The certificate of host:1 was not accepted: ('old',)."),
        (refused(401), Exit.UNAUTHORIZED, REFUSED.format("401 Unauthorized", "")),
        (refused(401, reason="wrong"), Exit.UNAUTHORIZED, REFUSED.format("401 Unauthorized", "; wrong")),
        (refused(403, "Not you.\n"), Exit.FORBIDDEN, REFUSED.format("403 Forbidden", ", saying “Not you”")),
        (refused(404), Exit.NOT_FOUND, REFUSED.format("404 Not Found", "")),
        (refused(418), Exit.REFUSED, REFUSED.format("418 I'm a Teapot", "")),
        (refused(200), Exit.NO_WEBSOCKET, REFUSED.format("200 OK", "")),
        (refused(502), Exit.SERVER_ERROR, REFUSED.format("502 Bad Gateway", "")),
        (refused(599), Exit.SERVER_ERROR, REFUSED.format("599", "")),
        (refused(302, Location="/there"), Exit.REDIRECTED, FOUND.format("/there")),
        (refused(302), Exit.REDIRECTED, FOUND.format("nowhere")),
        (RuntimeError("a\x1b"), Exit.FAILED, "RuntimeError: a\\x1b."),
    ],
)
def test_one_sentence_and_a_status(exc, exit, sentence):
    failure = explain(exc, "host:1")
    assert (failure.exit, failure.sentence) == (exit, sentence)


def test_pages_are_not_quoted():
    page = refused(404, "<html>", **{"Content-Type": "text/html"})
    assert "html" not in explain(page, "host:1").sentence


def test_what_the_server_says_is_harmless():
    assert "\x1b" not in explain(refused(403, "\x1b[2J"), "host:1").sentence


def test_reasons_of_several_addresses():
    failed = f"[Errno {errno.ECONNREFUSED}] Connect call failed"
    text = f"Multiple exceptions: {failed} ('::1', 1, 0, 0), {failed} ('127.0.0.1', 1)"
    assert find_reason(OSError(text)) == "Connection refused"
    assert find_reason(OSError("odd")) == "odd"
    assert find_reason(OSError()) == "OSError"


def test_no_frame_at_all():
    failure = judge(ConnectionClosedError())
    assert failure == Failure(Exit.LOST, "The connection was lost: the server hung up without a Close frame.")


def test_a_stop_shows_sentence_and_hint(capsys):
    Stop(Failure(Exit.FAILED, "It failed.", "try again")).show()
    assert capsys.readouterr().err == "It failed.\nHint: try again\n"
    Stop(Failure(Exit.FAILED, "")).show()
    assert capsys.readouterr().err == ""
