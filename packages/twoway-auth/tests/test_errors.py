from __future__ import annotations

import pickle

from twoway.auth import AuthError, RedirectError
from twoway.http import Response, StatusError


def test_auth_error():
    for status, who in ((401, "server"), (407, "proxy")):
        response = Response(status, "")
        exc = pickle.loads(pickle.dumps(AuthError(response, "that is why")))
        assert isinstance(exc, StatusError)
        assert (exc.response, exc.status, exc.reason) == (response, status, "that is why")
        assert str(exc) == f"{who} wants authentication (HTTP {status}): that is why"


def test_redirect_error():
    response = Response(302, "")
    exc = pickle.loads(pickle.dumps(RedirectError(response, "that is why", ("ws://a/", "ws://b/"))))
    assert isinstance(exc, StatusError)
    assert (exc.response, exc.status, exc.reason) == (response, 302, "that is why")
    assert exc.history == ("ws://a/", "ws://b/")
    assert str(exc) == "redirect (HTTP 302) not followed: that is why"
    assert RedirectError(response, "why").history == ()
