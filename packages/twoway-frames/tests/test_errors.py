from __future__ import annotations

import pickle

import pytest

from twoway.frames import (
    CloseCode,
    FrameError,
    InvalidPayloadError,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    TooManyFragments,
)

ERRORS = [
    (FrameError("bad"), 1002, "bad"),
    (ProtocolError("bad"), 1002, "bad"),
    (InvalidPayloadError("bad"), 1007, "bad"),
    (PayloadTooBig("frame", 11, 10), 1009, "frame of 11 bytes is over the limit of 10 bytes"),
    (PayloadTooBig("message", None, 10), 1009, "message is over the limit of 10 bytes"),
    (TooManyFragments(5), 1009, "message in more than 5 fragments"),
]
by_class = pytest.mark.parametrize(("error", "close_code", "text"), ERRORS, ids=lambda value: type(value).__name__)


@by_class
def test_each_error_knows_its_close_code_and_says_what_is_wrong(error: FrameError, close_code: int, text: str) -> None:
    assert isinstance(error, FrameError)
    assert isinstance(error.close_code, CloseCode)
    assert error.close_code == close_code
    assert str(error) == text


@by_class
def test_errors_can_be_pickled(error: FrameError, close_code: int, text: str) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == text
    assert vars(copy) == vars(error)


def test_facts_are_on_the_object() -> None:
    error = PayloadTooBig("message", 11, 10)
    assert (error.what, error.size, error.limit) == ("message", 11, 10)
    assert TooManyFragments(5).limit == 5


def test_a_refused_negotiation_is_not_a_bad_frame() -> None:
    assert not issubclass(NegotiationError, FrameError)
