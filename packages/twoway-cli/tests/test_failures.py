from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from twoway.asyncio import ConnectionClosedError, InvalidHandshake, InvalidStatus, Response
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
        (
            refused(302),
            Exit.REDIRECTED,
            "host:1 answered 302 Found, which was not followed: it has no Location header.",
        ),
        (ConnectionResetError(), Exit.TLS, "TLS with host:1 failed: the server hung up."),
        (
            ConnectionResetError(errno.ECONNRESET, "x"),
            Exit.NO_CONNECTION,
            f"No connection to host:1: {os.strerror(errno.ECONNRESET)}.",
        ),
        (RuntimeError("a\x1b"), Exit.FAILED, "RuntimeError: a\\x1b."),
    ],
)
def test_one_sentence_and_a_status(exc, exit, sentence):
    failure = explain(exc, "host:1")
    assert (failure.exit, failure.sentence) == (exit, sentence)


def not_accepted(why):
    exc = ssl.SSLCertVerificationError()
    exc.verify_message = why
    return exc


def alert(reason):
    exc = ssl.SSLError()
    exc.reason = reason
    return exc


@pytest.mark.parametrize(
    ("exc", "hint"),
    [
        (not_accepted("certificate has expired"), "the server needs a new one"),
        (not_accepted("certificate is not yet valid"), "the clock of this machine"),
        (not_accepted("self-signed certificate"), "--ca FILE"),
        (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "--cert FILE"),
        (alert("WRONG_VERSION_NUMBER"), "ws://"),
        (InvalidHandshake("connection closed while reading HTTP status line"), "wss://"),
        (InvalidHandshake("malformed HTTP status line: b'SSH-2.0'"), "right port"),
        (InvalidHandshake("invalid Sec-WebSocket-Accept header: 'x'"), "cache"),
        (ImportError("python-socks is missing"), "twoway-cli[socks]"),
        (refused(401, reason="Basic is asked for, and there are no credentials"), "--auth USER"),
    ],
)
def test_hints(exc, hint):
    assert hint in explain(exc, "host:1").hint


def test_no_hint_to_give_credentials_where_they_were_given():
    assert explain(refused(401, reason="the bearer token was refused"), "host:1").hint == ""


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
