from __future__ import annotations

import pytest

from twoway.auth import BasicAuth, BasicAuthenticator
from twoway.auth._grammar import decode, shorten


@pytest.mark.parametrize("bad", ["a\r\nb", "a\x00", "\x7f", "\ud800"])
def test_text_that_cannot_be_sent(bad):
    with pytest.raises(ValueError, match="username must not hold control characters") as caught:
        BasicAuth(bad, "secret")
    with pytest.raises(ValueError, match="password must not hold control characters") as caught:
        BasicAuth("user", bad)
    assert bad not in str(caught.value)


def test_colon_would_end_the_user_name():
    with pytest.raises(ValueError, match="username must not hold a colon"):
        BasicAuth("a:b", "secret")
    assert BasicAuth("a", "b:c").password == "b:c"


@pytest.mark.parametrize("bad", [None, b"user", 1])
def test_types(bad):
    with pytest.raises(TypeError, match="username must be a str"):
        BasicAuth(bad, "secret")
    with pytest.raises(TypeError, match="password must be a str"):
        BasicAuth("user", bad)
    with pytest.raises(TypeError, match="realm must be a str"):
        BasicAuthenticator(bad)


@pytest.mark.parametrize("bad", ["a\r\nb", "\t", "é", "\x00"])
def test_realm_is_printable_ascii(bad):
    with pytest.raises(ValueError, match="realm must be printable ASCII"):
        BasicAuthenticator(bad)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), ("\xc3\xa9", "é"), ("e\xcc\x81", "é"), ("\xe9", None), ("a\x00", None), ("\u20ac", None)],
)
def test_decode(value, text):
    assert decode(value) == text


def test_shorten():
    assert shorten("a\r") == "'a\\r'"
    assert shorten("x" * 101) == f"'{'x' * 100}'..."
