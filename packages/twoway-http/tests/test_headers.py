from __future__ import annotations

import contextlib
import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.http import Headers, MultipleValuesError


@pytest.fixture
def headers():
    return Headers([("Connection", "Upgrade"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")])


@pytest.mark.parametrize("items", [{"A": "b"}, [("A", "b")], iter([("A", "b")]), Headers({"A": "b"})])
def test_built_from_anything_like_headers(items):
    assert list(Headers(items).raw_items()) == [("A", "b")]


def test_empty():
    headers = Headers()
    assert len(headers) == 0
    assert not headers
    assert headers.serialize() == b""


def test_names_compare_without_case(headers):
    assert headers["connection"] == headers["CONNECTION"] == "Upgrade"
    assert "cOnnection" in headers
    assert "Upgrade" not in headers
    assert 5 not in headers


def test_order_and_spelling_are_kept(headers):
    assert headers.serialize() == b"Connection: Upgrade\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n"
    assert list(headers.raw_items()) == [("Connection", "Upgrade"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    assert list(headers) == ["Connection", "Set-Cookie"]
    assert len(headers) == 3


def test_one_value(headers):
    assert headers.get("Connection") == "Upgrade"
    assert headers.get("Missing") is None
    assert headers.get("Missing", "x") == "x"
    with pytest.raises(KeyError):
        headers["Missing"]


def test_several_values_are_never_taken_for_one(headers):
    assert headers.get_all("set-COOKIE") == ["a=1", "b=2"]
    assert headers.get_all("Missing") == []
    for ask in (
        headers.__getitem__,
        headers.get,
        headers.pop,
        lambda name: headers.pop(name, None),
        lambda name: headers.setdefault(name, "x"),
    ):
        with pytest.raises(MultipleValuesError, match="Set-Cookie has several values"):
            ask("Set-Cookie")
    assert len(headers) == 3


def test_get_all_is_a_copy(headers):
    headers.get_all("Set-Cookie").clear()
    assert len(headers.get_all("Set-Cookie")) == 2


def test_assignment_replaces_all_values(headers):
    headers["SET-COOKIE"] = "c=3"
    headers["New"] = "value"
    assert list(headers.raw_items()) == [("Connection", "Upgrade"), ("SET-COOKIE", "c=3"), ("New", "value")]


def test_add_keeps_the_others(headers):
    headers.add("Connection", "close")
    assert headers.get_all("Connection") == ["Upgrade", "close"]


def test_delete(headers):
    del headers["SET-cookie"]
    assert list(headers.raw_items()) == [("Connection", "Upgrade")]
    with pytest.raises(KeyError):
        del headers["Set-Cookie"]


def test_pop(headers):
    assert headers.pop("connection") == "Upgrade"
    assert "Connection" not in headers
    assert headers.pop("Connection", None) is None
    with pytest.raises(KeyError):
        headers.pop("Connection")


def test_setdefault(headers):
    assert headers.setdefault("Connection", "x") == "Upgrade"
    assert headers.setdefault("Server", "x") == "x"
    assert headers.setdefault("Empty") == ""
    assert headers["Empty"] == ""


def test_update_replaces_what_it_names(headers):
    headers.update([("connection", "a"), ("New", "b"), ("new", "c")], Server="d")
    assert headers.get_all("Connection") == ["a"]
    assert headers.get_all("New") == ["b", "c"]
    assert headers["Server"] == "d"
    assert len(headers.get_all("Set-Cookie")) == 2


def test_update_with_something_bad_changes_nothing(headers):
    before = headers.copy()
    with pytest.raises(ValueError, match="value of B"):
        headers.update([("Connection", "x"), ("B", "\n")])
    assert headers == before


def test_copies_are_independent(headers):
    for other in (headers.copy(), copy.copy(headers), copy.deepcopy(headers), Headers(headers)):
        assert other == headers
    other = headers.copy()
    other.add("Set-Cookie", "c=3")
    assert len(headers.get_all("Set-Cookie")) == 2
    other.clear()
    assert len(other) == 0
    assert pickle.loads(pickle.dumps(headers)) == headers


def test_equality():
    assert Headers({"A": "b"}) == Headers({"a": "b"})
    assert Headers({"A": "b"}) != Headers({"A": "B"})
    assert Headers([("A", "1"), ("A", "2")]) != Headers([("A", "2"), ("A", "1")])
    assert Headers({"A": "b"}) != {"A": "b"}


def test_it_is_a_mapping_while_no_name_is_repeated():
    headers = Headers({"A": "1", "B": "2"})
    assert dict(headers) == {"A": "1", "B": "2"}
    assert list(headers.items()) == [("A", "1"), ("B", "2")]


def test_repr_hides_secrets():
    headers = Headers([("Host", "h"), ("authorization", "s3cret"), ("Proxy-Authorization", "s3cret")])
    headers.update({"Cookie": "s3cret", "Set-Cookie": "s3cret"})
    assert "s3cret" not in repr(headers)
    assert repr(Headers({"Host": "h"})) == "Headers([('Host', 'h')])"


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "a\n", "\u00e4", "a\x00", "(a)", "a "])
def test_names_are_tokens(name):
    for store in (Headers().add, Headers().__setitem__, Headers().setdefault):
        with pytest.raises(ValueError, match="name must be an HTTP token"):
            store(name, "value")


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\n", "\r", "\x00", "\x7f", "\x1b", "\u20ac", "\ud800"])
def test_values_cannot_inject(value):
    for store in (Headers().add, Headers().__setitem__, Headers().setdefault):
        with pytest.raises(ValueError, match="value of Name must be latin-1"):
            store("Name", value)


@pytest.mark.parametrize(("name", "value"), [(b"a", "b"), ("a", b"b"), ("a", 5), (None, "b")])
def test_names_and_values_are_str(name, value):
    with pytest.raises(TypeError, match="name and value must be str"):
        Headers([(name, value)])


def test_tab_and_latin_1_are_text_and_space_around_is_not():
    assert Headers({"A": " a\tb \u00e4\t"})["A"] == "a\tb \u00e4"
    assert Headers({"A": "\u00e4"}).serialize() == b"A: \xe4\r\n"


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=6))))
def test_whatever_is_accepted_stays_in_its_line(items):
    headers = Headers()
    for name, value in items:
        with contextlib.suppress(ValueError):
            headers.add(name, value)
    lines = headers.serialize().split(b"\n")
    assert len(lines) == len(headers) + 1
    assert all(line.count(b"\r") == 1 and line.endswith(b"\r") for line in lines[:-1])
