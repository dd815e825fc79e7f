from __future__ import annotations

import pytest

from twoway.auth import BasicAuthenticator, DigestAuthenticator
from twoway.http import Headers, Request


def basic(value) -> Request:
    return Request("/", Headers([("Authorization", value)]))


ADA = basic("Basic YWRhOnNlY3JldA==")
BOB = basic("Basic Ym9iOm90aGVy")


@pytest.mark.parametrize(
    "credentials",
    [
        ("ada", "secret"),
        [("ada", "secret")],
        (("ada", "secret"),),
        [("bob", "other"), ("ada", "secret")],
        (("bob", "other"), ("ada", "secret")),
        iter([("ada", "secret"), ("ada", "second")]),
        {"ada": "secret"}.items(),
    ],
)
def test_forms(credentials):
    assert BasicAuthenticator("r", credentials).check(ADA) == "ada"


@pytest.mark.parametrize("make", [BasicAuthenticator, DigestAuthenticator])
@pytest.mark.parametrize(
    "credentials",
    ["ada:secret", [], (), 1, ("ada", "secret", "x"), [("ada",)], [["ada", "secret"]], ("ada", None), {"a": 1}],
)
def test_wrong_forms(make, credentials):
    with pytest.raises(TypeError, match="credentials must be a pair") as caught:
        make("r", credentials)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("make", [BasicAuthenticator, DigestAuthenticator])
def test_wrong_text(make):
    with pytest.raises(ValueError, match="user name in credentials must not hold a colon"):
        make("r", [("ada", "secret"), ("a:b", "secret")])
    with pytest.raises(ValueError, match="password in credentials must not hold control characters"):
        make("r", ("ada", "a\n"))


def test_exactly_one_header():
    auth = BasicAuthenticator("r", [("ada", "secret"), ("bob", "other")])
    assert (auth.check(ADA), auth.check(BOB)) == ("ada", "bob")
    for values in ([], ["Basic YWRhOnNlY3JldA==", "Basic YWRhOnNlY3JldA=="], ["Basic YWRhOnNlY3JldA==", "Bearer x"]):
        request = Request("/", Headers([("Authorization", value) for value in values]))
        assert auth.check(request).status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ",
        "Basic YWRhOnNlY3JldA==, Basic YWRhOnNlY3JldA==",
        "Basic YWRhOnNlY3JldA== x",
        "Bearer YWRhOnNlY3JldA==",
        "BasicYWRhOnNlY3JldA==",
        "Basic user=ada",
        'Basic "',
        "Basic " + "A" * 1_000_000,
        "\xe9",
    ],
)
def test_malformed(value):
    for auth in (BasicAuthenticator("r", ("ada", "secret")), DigestAuthenticator("r", ("ada", "secret"))):
        response = auth.check(basic(value), 0.0)
        assert response.status_code == 401
        assert response.body == b"Authentication is required.\n"
        assert response.headers["Connection"] == "close"
