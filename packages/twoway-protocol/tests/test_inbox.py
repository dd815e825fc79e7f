"""Messages that wait for the application."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.frames import Fragment
from twoway.protocol import Inbox, check_marks, convert


def test_messages_come_out_in_order() -> None:
    inbox = Inbox()
    for item in ("a", b"b", "", b""):
        inbox.put(item)
    assert len(inbox) == 4
    assert [inbox.get() for _ in range(5)] == ["a", b"b", "", b"", None]


@pytest.mark.feature("receive a fragmented message as one")
def test_fragments_are_joined() -> None:
    inbox = Inbox()
    for data, first, final in (("a", True, False), ("b", False, False)):
        inbox.put(Fragment(data, first, final))
        assert inbox.get() is None
    inbox.put(Fragment("c", False, True))
    for data, first, final in ((b"1", True, False), (b"2", False, True)):
        inbox.put(Fragment(data, first, final))
    assert [inbox.get(), inbox.get(), inbox.get()] == ["abc", b"12", None]


@pytest.mark.feature("receive a message frame by frame")
def test_parts() -> None:
    inbox = Inbox()
    assert inbox.get_fragment(True) is None
    inbox.put("whole")
    inbox.put(Fragment(b"1", True, False))
    assert inbox.get_fragment(True) == Fragment("whole", True, True)
    assert inbox.get_fragment(True) == Fragment(b"1", True, False)
    assert inbox.get_fragment(False) is None
    inbox.put(Fragment(b"2", False, True))
    assert inbox.get_fragment(False) == Fragment(b"2", False, True)
    assert inbox.get() is None


@pytest.mark.parametrize("whole", [True, False])
def test_rest_of_a_message_is_skipped(whole: bool) -> None:
    inbox = Inbox()
    for data, first, final in (("a", True, False), ("b", False, False), ("c", False, True)):
        inbox.put(Fragment(data, first, final))
    inbox.put("next")
    assert inbox.get_fragment(True) == Fragment("a", True, False)
    if whole:
        assert inbox.get() == "next"
    else:
        assert inbox.get_fragment(True) == Fragment("next", True, True)
    assert inbox.get() is None
    assert inbox.get_fragment(True) is None


def test_rest_of_a_message_is_skipped_when_it_comes_late() -> None:
    inbox = Inbox()
    inbox.put(Fragment("a", True, False))
    assert inbox.get_fragment(True) is not None
    assert inbox.get() is None
    inbox.put(Fragment("b", False, True))
    assert inbox.get() is None
    inbox.put("next")
    assert inbox.get() == "next"


@pytest.mark.feature("backpressure in both directions")
def test_marks() -> None:
    inbox = Inbox((3, 1))
    states = []
    for item in "abc":
        inbox.put(item)
        states.append((inbox.full, inbox.low))
    for _ in range(3):
        inbox.get()
        states.append((inbox.full, inbox.low))
    assert states == [(False, True), (False, False), (True, False), (False, False), (False, True), (False, True)]


@pytest.mark.feature("backpressure in both directions")
def test_who_waits_for_a_message_gets_all_its_fragments() -> None:
    inbox = Inbox(2)
    inbox.put(Fragment("a", True, False))
    inbox.put(Fragment("b", False, False))
    assert inbox.full
    assert not inbox.low
    inbox.wanted = True
    assert not inbox.full
    assert inbox.low
    inbox.put(Fragment("c", False, True))
    assert inbox.full
    assert not inbox.low


def test_no_limit() -> None:
    inbox = Inbox(None)
    for _ in range(1000):
        inbox.put("x")
    assert not inbox.full
    assert inbox.low


def test_clear() -> None:
    inbox = Inbox()
    inbox.put("x")
    inbox.clear()
    assert len(inbox) == 0
    assert inbox.get() is None


@given(st.lists(st.lists(st.text(max_size=2), min_size=1, max_size=4), max_size=8), st.lists(st.booleans()))
def test_nothing_is_lost_in_between(messages: list[list[str]], readers: list[bool]) -> None:
    inbox = Inbox()
    for parts in messages:
        for number, part in enumerate(parts):
            fragment = Fragment(part, number == 0, number == len(parts) - 1)
            inbox.put(part if fragment.first and fragment.final else fragment)
    received = []
    for whole in [*readers, *[True] * len(messages)]:
        if whole:
            message = inbox.get()
        else:
            part = inbox.get_fragment(True)
            message = None if part is None else part.data
            while part is not None and not part.final:
                part = inbox.get_fragment(False)
                assert part is not None
                message = f"{message!s}{part.data!s}"
        received += [] if message is None else [message]
    assert received == ["".join(parts) for parts in messages]


@pytest.mark.parametrize(
    ("value", "marks"), [(16, (16, 4)), (None, (None, None)), ((8, 2), (8, 2)), ((8, None), (8, 2)), (0, (0, 0))]
)
def test_check_marks(value: Any, marks: Any) -> None:
    assert check_marks("max_queue", value) == marks


def test_no_limit_needs_no_low_mark() -> None:
    assert check_marks("max_queue", (None, 3)) == (None, None)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (-1, ValueError, "max_queue must be >= 0, not -1"),
        ((1, 2), ValueError, "max_queue must have a low mark of at most the high mark, not 2 above 1"),
        ((1, 2, 3), ValueError, "max_queue must be one value or a tuple of 2, not of 3"),
        ("4", TypeError, "max_queue must be an int or None, not str"),
        ((4, 1.5), TypeError, "max_queue must be an int or None, not float"),
    ],
)
def test_bad_marks(value: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        Inbox(value)
    assert str(caught.value) == message


def test_a_limit_in_bytes() -> None:
    inbox = Inbox(None, 100)
    inbox.put("a" * 60)
    assert (inbox.full, inbox.low) == (False, False)
    inbox.put(Fragment(b"b" * 40, first=True))
    assert inbox.full
    assert inbox.get() == "a" * 60
    assert (inbox.full, inbox.low) == (False, False)
    inbox.wanted = True
    assert inbox.low
    inbox.put(Fragment(b"b" * 900, final=True))
    assert inbox.full
    assert inbox.get() == b"b" * 940
    assert (inbox.full, inbox.low) == (False, True)


def test_clearing_forgets_the_bytes_too() -> None:
    inbox = Inbox(16, 10)
    inbox.put("a" * 10)
    inbox.clear()
    assert not inbox.full


def test_order_is_kept_while_items_come_and_go() -> None:
    inbox = Inbox(None)
    got = []
    for number in range(50):
        inbox.put(f"{number}")
        inbox.put(f"{number} again")
        got.append(inbox.get())
    while (message := inbox.get()) is not None:
        got.append(message)
    assert got == [text for number in range(50) for text in (f"{number}", f"{number} again")]


@pytest.mark.parametrize("max_bytes", [-1, "1"])
def test_limit_in_bytes_is_checked(max_bytes: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="max_bytes"):
        Inbox(16, max_bytes)


@pytest.mark.parametrize(
    ("data", "decode", "expected"),
    [
        ("ä", None, "ä"),
        (b"\xff", None, b"\xff"),
        ("ä", True, "ä"),
        ("ä".encode(), True, "ä"),
        ("ä", False, "ä".encode()),
        (b"\xff", False, b"\xff"),
    ],
)
def test_data_is_given_as_the_caller_wants_it(data: str | bytes, decode: bool | None, expected: str | bytes) -> None:
    assert convert(data, decode) == expected


def test_what_is_no_text_cannot_be_made_one() -> None:
    with pytest.raises(UnicodeDecodeError):
        convert(b"\xff", True)
