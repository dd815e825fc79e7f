from __future__ import annotations

import pickle

import pytest

from twoway.http import InvalidProxy, InvalidProxyMessage, InvalidProxyStatus, Proxy, ProxyError, Response

PROXY = Proxy("http", "proxy.example", 3128, "user", "secret", "environment variable https_proxy")
START = "proxy http://***@proxy.example:3128 (environment variable https_proxy) "


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ProxyError("does not answer", PROXY), START + "does not answer"),
        (InvalidProxyMessage("gave no valid answer: x", PROXY), START + "gave no valid answer: x"),
        (InvalidProxyStatus(Response(502, ""), PROXY), START + "refused the tunnel: HTTP 502"),
        (
            InvalidProxyStatus(Response(403, "For\x1b[1mbidden"), PROXY),
            START + "refused the tunnel: HTTP 403 'For\\x1b[1mbidden'",
        ),
    ],
)
def test_the_message_says_which_proxy_and_where_its_setting_came_from_but_no_password(error, text):
    for exc in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(exc, ProxyError)
        assert str(exc) == text
        assert exc.proxy == PROXY.without_password()
        assert "secret" not in repr(exc) + str(exc.args)


def test_the_answer_is_kept():
    response = Response(403, "Forbidden", body=b"why")
    assert pickle.loads(pickle.dumps(InvalidProxyStatus(response, PROXY))).response == response


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://proxy:x", "http://proxy:x"),
        ("http://user:secret@proxy:x", "http://***@proxy:x"),
        ("user:secret@proxy:x", "***@proxy:x"),
        ("http://user:sec/ret@proxy", "http://***@proxy"),
    ],
)
def test_invalid_proxy_hides_credentials(proxy, shown):
    exc = pickle.loads(pickle.dumps(InvalidProxy(proxy, "it is odd", "system settings")))
    assert (exc.proxy, exc.msg, exc.source) == (shown, "it is odd", "system settings")
    assert str(exc) == f"{shown!r} (system settings) is not a proxy: it is odd"
    assert isinstance(exc, ValueError)
