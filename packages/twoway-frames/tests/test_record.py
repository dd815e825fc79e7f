from __future__ import annotations

import pytest

from twoway.frames import Close, Fragment, Frame, Opcode, Ping, Pong


def test_kinds_with_equal_values_differ() -> None:
    assert Ping(b"a") != Pong(b"a")
    assert len({Ping(b"a"), Pong(b"a"), Ping(b"a")}) == 2


@pytest.mark.parametrize("name", ["data", "other"])
def test_values_cannot_be_altered(name: str) -> None:
    ping = Ping(b"a")
    with pytest.raises(AttributeError, match="Ping cannot be altered"):
        setattr(ping, name, b"b")
    assert ping == Ping(b"a")


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (Close(1000, "bye"), "Close(code=1000, reason='bye')"),
        (Fragment("a", True), "Fragment(data='a', first=True, final=False)"),
        (Ping(b"a"), "Ping(data=b'a')"),
    ],
)
def test_repr_reads_like_the_call(record: object, text: str) -> None:
    assert repr(record) == text


def test_replace_changes_what_is_named() -> None:
    frame = Frame(Opcode.TEXT, b"a", False, True)
    assert frame.replace(data=b"b", rsv1=False) == Frame(Opcode.TEXT, b"b", False)
    with pytest.raises(TypeError):
        frame.replace(nothing=1)
