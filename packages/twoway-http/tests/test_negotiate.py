from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.http import (
    HeaderError,
    build_extensions,
    build_subprotocols,
    check_subprotocol,
    parse_extensions,
    parse_subprotocols,
    select_subprotocol,
)


@pytest.mark.parametrize(
    ("values", "extensions"),
    [
        ([], []),
        ([""], []),
        ([" , ,\t"], []),
        (["foo"], [("foo", [])]),
        (["foo, bar"], [("foo", []), ("bar", [])]),
        (["foo", "bar"], [("foo", []), ("bar", [])]),
        ([",foo,, bar ,"], [("foo", []), ("bar", [])]),
        (["foo; a; b=1"], [("foo", [("a", None), ("b", "1")])]),
        (["foo;a;b=1,bar;c"], [("foo", [("a", None), ("b", "1")]), ("bar", [("c", None)])]),
        (["foo \t;\ta = 1 ; b\t, bar"], [("foo", [("a", "1"), ("b", None)]), ("bar", [])]),
        (['foo; a="1"'], [("foo", [("a", "1")])]),
        (['foo; a="\\1\\2"; b'], [("foo", [("a", "12"), ("b", None)])]),
        (["foo; a; a"], [("foo", [("a", None), ("a", None)])]),
        (["__proto__"], [("__proto__", [])]),
        (
            ["permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate"],
            [
                ("permessage-deflate", [("client_max_window_bits", None), ("server_max_window_bits", "10")]),
                ("permessage-deflate", []),
            ],
        ),
    ],
)
def test_parse_extensions(values, extensions):
    assert parse_extensions(values) == extensions


@pytest.mark.parametrize(
    "value",
    [
        ";",
        "foo;",
        "foo; ;",
        "foo; a=",
        "foo; =1",
        "foo; a=1 2",
        "foo bar",
        "foo, ;",
        "foo=1",
        'foo; a="',
        'foo; a=""',
        'foo; a="1',
        'foo; a="1 2"',
        'foo; a="1,2"',
        'foo; a="\\"',
        'foo; a="1"2',
        '"foo"',
        "f\u00f6o",
        "foo; a=\u00b2",
        "foo\n",
        "(foo)",
    ],
)
def test_parse_malformed_extensions(value):
    with pytest.raises(HeaderError) as excinfo:
        parse_extensions([value])
    assert (excinfo.value.name, excinfo.value.value, excinfo.value.status) == ("Sec-WebSocket-Extensions", value, 400)


@pytest.mark.parametrize(
    "values",
    [
        ["a," * 65],
        ["a"] * 65,
        ["a" + ";b" * 64],
        ["a;b," * 32 + "a"],
        ["a;b," * 31 + "a;b;c"],
        ["a; " + "b" * 8000 + '="' + "\\b" * 8000],
        ["a" + " " * 100_000 + "b"],
        ["a" + "\t;" * 100_000],
    ],
)
def test_parse_too_many_extensions_or_hard_ones(values):
    with pytest.raises(HeaderError):
        parse_extensions(values)


def test_parse_as_many_extensions_as_allowed():
    assert len(parse_extensions(["a," * 64])) == 64
    assert len(parse_extensions(["a;b," * 32])) == 32
    assert len(parse_extensions(["a" + ";b" * 63])[0][1]) == 63


token = st.text("ab1-._~!|", min_size=1, max_size=4)
extension = st.tuples(token, st.lists(st.tuples(token, st.none() | token), max_size=3))


@given(st.lists(extension, min_size=1, max_size=5))
def test_built_extensions_are_parsed_back(extensions):
    assert parse_extensions([build_extensions(extensions)]) == extensions


@given(st.text(st.sampled_from('ab;=,"\\ \t'), max_size=30))
def test_parse_extensions_raises_only_header_errors(value):
    try:
        parsed = parse_extensions([value])
    except HeaderError:
        return
    assert not parsed or parse_extensions([build_extensions(parsed)]) == parsed


def test_build_extensions():
    extensions = [("foo", [("a", None), ("b", "1")]), ("bar", [])]
    assert build_extensions(extensions) == "foo; a; b=1, bar"


@pytest.mark.parametrize("extensions", [[("f o", [])], [("", [])], [("foo", [("a,", None)])], [("foo", [("a", "1;")])]])
def test_build_malformed_extensions(extensions):
    with pytest.raises(ValueError, match="extensions must hold HTTP tokens"):
        build_extensions(extensions)


def test_build_extensions_of_the_wrong_kind():
    with pytest.raises(ValueError, match="extensions must not be empty"):
        build_extensions([])
    with pytest.raises(TypeError, match="extensions must hold str, not int"):
        build_extensions([("foo", [("server_max_window_bits", 10)])])


@pytest.mark.parametrize(
    ("values", "subprotocols"),
    [
        ([], []),
        (["chat"], ["chat"]),
        (["chat, superchat"], ["chat", "superchat"]),
        (["chat", "superchat,v1.x"], ["chat", "superchat", "v1.x"]),
        (["chat,,Chat,"], ["chat", "Chat"]),
    ],
)
def test_parse_subprotocols(values, subprotocols):
    assert parse_subprotocols(values) == subprotocols


@pytest.mark.parametrize(
    "values", [["a b"], ['"a"'], ["a;b"], ["\u00e4"], ["a,a"], ["a", "a"], ["".join(f"p{i}," for i in range(65))]]
)
def test_parse_malformed_subprotocols(values):
    with pytest.raises(HeaderError) as excinfo:
        parse_subprotocols(values)
    assert (excinfo.value.name, excinfo.value.status) == ("Sec-WebSocket-Protocol", 400)


def test_build_subprotocols():
    assert build_subprotocols(["chat", "superchat"]) == "chat, superchat"


@pytest.mark.parametrize("subprotocols", [["a b"], ["a,b"], [""], ["a\r\n"], ["a", "a"], []])
def test_build_malformed_subprotocols(subprotocols):
    with pytest.raises(ValueError, match="subprotocols must"):
        build_subprotocols(subprotocols)


@pytest.mark.parametrize("call", [build_subprotocols, parse_subprotocols])
def test_subprotocols_are_a_sequence(call):
    with pytest.raises(TypeError, match="must be a sequence of str"):
        call("chat")


@pytest.mark.parametrize(
    ("offered", "supported", "selected"),
    [
        (["a", "b"], ["b", "a"], "b"),
        (["a"], ["b", "a"], "a"),
        (["a"], ["A"], None),
        ([], ["a"], None),
        (["a"], [], None),
    ],
)
def test_select_subprotocol(offered, supported, selected):
    assert select_subprotocol(offered, supported) == selected


def test_check_subprotocol():
    assert check_subprotocol([], ["a"]) is None
    assert check_subprotocol(["a"], ["b", "a"]) == "a"


@pytest.mark.parametrize("values", [["c"], ["A"], ["a, b"], [""], ["a", "b"], ["a", "a"]])
def test_check_subprotocol_that_was_not_offered(values):
    with pytest.raises(HeaderError) as excinfo:
        check_subprotocol(values, ["a", "b"])
    assert excinfo.value.name == "Sec-WebSocket-Protocol"
