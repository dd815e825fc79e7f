from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.auth import Challenge, parse_challenges
from twoway.auth._challenge import parse_params
from twoway.auth._grammar import quote
from twoway.http import HeaderError


@pytest.mark.parametrize(
    ("values", "challenges"),
    [
        ([], []),
        ([""], []),
        ([" , ,\t"], []),
        (["Basic"], [Challenge("Basic")]),
        (["Negotiate, NTLM"], [Challenge("Negotiate"), Challenge("NTLM")]),
        (["Negotiate abc123=="], [Challenge("Negotiate", {}, "abc123==")]),
        (["Negotiate a=="], [Challenge("Negotiate", {}, "a==")]),
        (["Negotiate abc , Basic realm=x"], [Challenge("Negotiate", {}, "abc"), Challenge("Basic", {"realm": "x"})]),
        (['Basic realm="simple"'], [Challenge("Basic", {"realm": "simple"})]),
        (['BASIC \t REALM = "a, b=c \\"d\\" \\\\"'], [Challenge("BASIC", {"realm": 'a, b=c "d" \\'})]),
        (['Basic realm="\xc3\xa9"'], [Challenge("Basic", {"realm": "\xc3\xa9"})]),
        (['Basic realm=""'], [Challenge("Basic", {"realm": ""})]),
        (["Basic ,, realm=x, , charset=UTF-8,"], [Challenge("Basic", {"realm": "x", "charset": "UTF-8"})]),
        (
            # RFC 9110 §11.6.1, the example
            ['Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""'],
            [
                Challenge("Basic", {"realm": "simple"}),
                Challenge("Newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
            ],
        ),
        (
            ["Basic realm=x", "Digest a=1,b=2"],
            [Challenge("Basic", {"realm": "x"}), Challenge("Digest", {"a": "1", "b": "2"})],
        ),
        # RFC 9110 §5.3: several lines are one list
        (["Basic realm=x", "charset=y"], [Challenge("Basic", {"realm": "x", "charset": "y"})]),
    ],
)
def test_challenges(values, challenges):
    assert parse_challenges(values) == challenges


@pytest.mark.parametrize(
    "value",
    [
        "realm=x",
        "=",
        '"',
        ";",
        "Basic;",
        'Basic realm="',
        'Basic realm="x',
        'Basic realm="x"y',
        'Basic realm="x\\',
        "Basic realm=x y=z",
        "Basic realm=x, realm=y",
        "Basic realm=x, REALM=y",
        "Basic realm=\xe9",
        'Basic realm="x\r\ny"',
        'Basic realm="x\x00y"',
        "Basic realm=x\x7f",
        "Negotiate abc=, a=b",
        "Negotiate abc, a=b",
        "Negotiate a=b==",
        "Negotiate ab c",
        "Basic Digest realm=x",
        "\u0660 realm=x",
        "Basic realm=\u0660",
    ],
)
def test_malformed(value):
    with pytest.raises(HeaderError, match="WWW-Authenticate"):
        parse_challenges([value])


@pytest.mark.parametrize(
    "value",
    [
        "Basic " * 10_000,
        "Basic realm=" + "x" * 1_000_000,
        'Basic realm="' + "\\" * 16_000,
        'Basic realm="' + "\\a" * 1_000_000,
        "a," * 8000,
        "Digest " + ",".join(f"a{i}=1" for i in range(70)),
        "Digest a=1," + "\t " * 8000 + "b;",
        "a " * 8000,
        "a=" * 8000,
    ],
)
def test_too_much(value):
    with pytest.raises(HeaderError) as caught:
        parse_challenges([value], "Proxy-Authenticate")
    assert len(str(caught.value)) < 300
    with pytest.raises(HeaderError, match="Info"):
        parse_params([value], "Info")


def test_length_is_that_of_all_lines():
    with pytest.raises(HeaderError):
        parse_challenges([f"Basic a{i}={'x' * 500}" for i in range(60)])


def test_as_many_as_may_be():
    assert len(parse_challenges([f"scheme{i}" for i in range(64)])) == 64
    assert len(parse_params([",".join(f"a{i}=1" for i in range(64))], "Info")) == 64


def test_values_must_be_a_list():
    with pytest.raises(TypeError, match="values"):
        parse_challenges("Basic")


def test_repr_shows_no_secrets():
    assert repr(Challenge("Digest", {"response": "secret"}, "secret")) == "Challenge(scheme='Digest')"


@pytest.mark.parametrize(
    ("values", "params"),
    [
        ([], {}),
        ([""], {}),
        (['nextnonce="a\\"b", QOP=auth'], {"nextnonce": 'a"b', "qop": "auth"}),
        ([" a=1 ,", "b=2"], {"a": "1", "b": "2"}),
    ],
)
def test_params(values, params):
    assert parse_params(values, "Authentication-Info") == params


@pytest.mark.parametrize("value", ["a", "a=", "a=1 b=2", "Digest a=1", "a=1, a=2", '"'])
def test_malformed_params(value):
    with pytest.raises(HeaderError, match="Authentication-Info"):
        parse_params([value], "Authentication-Info")


TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters
tokens = st.text(TOKEN_CHARACTERS, min_size=1, max_size=10)
values = st.text([chr(i) for i in [9, *range(32, 127), *range(128, 256)]], max_size=20)
spaces = st.sampled_from(["", " ", "\t", " \t "])
params = st.dictionaries(tokens.map(str.lower), values, max_size=5)
token68 = st.from_regex(r"[A-Za-z0-9\-._~+/]{1,10}={0,2}", fullmatch=True)
challenges = st.builds(Challenge, tokens, params) | st.builds(Challenge, tokens, st.just({}), token68)


def write(challenge: Challenge, space: str) -> str:
    if challenge.token68 is not None:
        return f"{challenge.scheme} {challenge.token68}"
    pairs = [f"{name}{space}={space}{quote(value)}" for name, value in challenge.params.items()]
    return f"{challenge.scheme} {f'{space},{space}'.join(pairs)}".rstrip()


@given(st.lists(challenges, max_size=6), spaces)
def test_what_is_written_can_be_read(found, space):
    lines = [write(challenge, space) for challenge in found]
    assert parse_challenges(lines) == found
    assert parse_challenges([f"{space},{space}".join(lines)]) == found


@given(st.text(st.characters(max_codepoint=255), max_size=50) | st.text('ab="\\, \t', max_size=50))
def test_anything_else_is_a_documented_error(text):
    for parse in (parse_challenges, parse_params):
        try:
            parse([text], "Name")
        except HeaderError as exc:
            assert exc.name == "Name"
