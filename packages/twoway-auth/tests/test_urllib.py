"""The standard library as a peer: its client of Digest and Basic against the server's side here, without a network."""

from __future__ import annotations

import io
import urllib.request
from email.message import Message

import pytest

from twoway.auth import BasicAuthenticator, DigestAuthenticator
from twoway.http import Headers, Request, Response

USER = ("ada", 'correct "horse"')


class Server(urllib.request.HTTPHandler):
    """Answer requests of urllib by an authenticator."""

    def __init__(self, authenticator):
        super().__init__()
        self.authenticator = authenticator
        self.answers = []

    def http_open(self, request):
        headers = Headers([(name, value) for name, value in request.header_items()])
        answer = self.authenticator.check(Request(request.selector, headers), float(len(self.answers)))
        self.answers.append(answer)
        response = answer if isinstance(answer, Response) else Response.text(200, answer)
        message = Message()
        for name, value in response.headers.raw_items():
            message[name] = value
        result = urllib.request.addinfourl(io.BytesIO(response.body), message, request.full_url, response.status_code)
        result.msg = response.reason_phrase
        return result


@pytest.mark.parametrize(
    ("authenticator", "handler"),
    [
        (BasicAuthenticator("chat", USER), urllib.request.HTTPBasicAuthHandler),
        (DigestAuthenticator("chat", USER, algorithms=["MD5"]), urllib.request.HTTPDigestAuthHandler),
    ],
)
def test_urllib(authenticator, handler):
    server = Server(authenticator)
    passwords = urllib.request.HTTPPasswordMgr()
    passwords.add_password("chat", "http://example.com/", *USER)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), server, handler(passwords))
    for _ in range(2):
        with opener.open("http://example.com/chat?room=1") as response:
            assert response.read() == b"ada"
    assert [answer for answer in server.answers if isinstance(answer, str)] == ["ada", "ada"]
