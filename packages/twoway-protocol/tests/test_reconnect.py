"""Connecting again and again: back-off, which failures pass, how long to wait."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from twoway.http import Headers, Response
from twoway.protocol import (
    OWN_WISHES,
    Cause,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    Policy,
    Retries,
    SecurityError,
    backoff,
    describe_error,
    process_exception,
    read_retry_after,
)


def refusal(status: int, *headers: tuple[str, str]) -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers(headers)))


def because_of(*causes: BaseException) -> InvalidHandshake:
    failure = InvalidHandshake()
    for exc, cause in itertools.pairwise([failure, *causes]):
        exc.__cause__ = cause
    return failure


# Back-off


def test_backoff_grows_to_its_maximum_and_is_random_below_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    delays = list(itertools.islice(backoff(), 9))
    assert delays[:3] == pytest.approx([5, 5 * 1.618, 5 * 1.618**2])
    assert delays[-2:] == [90, 90]
    monkeypatch.setattr("random.random", lambda: 0.5)
    assert list(itertools.islice(backoff(initial_delay=1, max_delay=3, factor=2), 4)) == [0.5, 1, 1.5, 1.5]


def test_backoff_is_not_the_same_for_everybody() -> None:
    assert len({next(backoff()) for _ in range(20)}) > 1
    assert all(0 <= next(backoff()) <= 5 for _ in range(100))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"initial_delay": 0}, ValueError),
        ({"factor": 0.9}, ValueError),
        ({"max_delay": float("inf")}, ValueError),
        ({"max_delay": None}, TypeError),
        ({"initial_delay": "1"}, TypeError),
        ({"initial_delay": True}, TypeError),
    ],
)
def test_backoff_refuses_what_makes_no_sense(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        backoff(**arguments)


# Which failures pass


@pytest.mark.parametrize(
    "exc",
    [
        OSError(),
        TimeoutError(),
        ConnectionRefusedError(),
        *map(refusal, [429, 500, 502, 503, 504]),
        because_of(EOFError()),
        because_of(ConnectionResetError()),
        because_of(ValueError(), EOFError()),
    ],
    ids=repr,
)
def test_failures_that_pass(exc: Exception) -> None:
    assert process_exception(exc) is None


@pytest.mark.parametrize(
    "exc",
    [
        *map(refusal, [200, 301, 400, 401, 403, 404, 501]),
        InvalidMessage(),
        SecurityError(),
        ValueError(),
        because_of(ValueError()),
    ],
    ids=repr,
)
def test_failures_that_stay(exc: Exception) -> None:
    assert process_exception(exc) is exc


@pytest.mark.parametrize(
    ("exc", "seconds"),
    [
        (refusal(503, ("Retry-After", "7")), 7),
        (refusal(429, ("Retry-After", "0")), 0),
        (refusal(503, ("Retry-After", "9" * 5000)), 90),
        (refusal(503, ("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")), 0),
        (refusal(503, ("Retry-After", "-1")), 0),
        (refusal(503, ("Retry-After", "1.5")), 0),
        (refusal(503, ("Retry-After", "")), 0),
        (refusal(503, ("Retry-After", "1"), ("Retry-After", "2")), 0),
        (refusal(503), 0),
        (OSError(), 0),
        (None, 0),
    ],
)
def test_retry_after_is_read_if_it_is_a_number_of_seconds(exc: BaseException | None, seconds: float) -> None:
    assert read_retry_after(exc) == seconds


# Policies


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("max_attempts", 0, ValueError),
        ("max_attempts", 1.5, TypeError),
        ("max_attempts", True, TypeError),
        ("process_exception", None, TypeError),
        ("reconnect_delays", [1, 2], TypeError),
    ],
)
def test_wrong_policies_are_refused_by_name(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{name} must be"):
        Policy(**{name: value})


def test_a_policy_permits_what_may_pass() -> None:
    assert Policy().permits(OSError())
    assert not Policy().permits(refusal(403))


def test_a_policy_may_give_up_with_another_error() -> None:
    failure = OSError()
    with pytest.raises(KeyError) as caught:
        Policy(lambda exc: KeyError("enough")).permits(failure)
    assert caught.value.__cause__ is failure


# Retries


def count_up() -> Iterator[float]:
    return itertools.count(1.0)


def test_the_waits_are_those_of_the_iterator_which_begins_anew_after_a_connection() -> None:
    retries = Retries(Policy(reconnect_delays=count_up))
    assert [retries.failed(OSError()) for _ in range(3)] == [1, 2, 3]
    retries.connected()
    assert [retries.failed(OSError()) for _ in range(2)] == [1, 2]
    retries.connected()
    assert retries.lost(Cause.VANISHED) == 1
    assert retries.failed(OSError()) == 2


@pytest.mark.parametrize("cause", [*Cause, None])
def test_after_a_connection_there_is_a_wait_unless_we_ended_it(cause: Cause | None) -> None:
    retries = Retries(Policy(reconnect_delays=count_up))
    retries.connected()
    assert retries.lost(cause) == (0 if cause in OWN_WISHES else 1)


def test_an_iterator_that_ends_ends_the_attempts() -> None:
    retries = Retries(Policy(reconnect_delays=lambda: iter([0.0])))
    assert [retries.failed(OSError()) for _ in range(2)] == [0, None]
    retries.connected()
    assert [retries.lost(Cause.VANISHED) for _ in range(2)] == [0, None]
    assert retries.lost(Cause.LOCAL_CLOSE) == 0


def test_attempts_are_counted_one_after_the_other() -> None:
    retries = Retries(Policy(reconnect_delays=count_up, max_attempts=3))
    assert [retries.failed(OSError()) for _ in range(2)] == [1, 2]
    retries.connected()
    assert [retries.failed(OSError()) for _ in range(3)] == [1, 2, None]


def test_a_final_failure_ends_the_attempts() -> None:
    assert Retries(Policy()).failed(refusal(403)) is None


def test_the_server_may_ask_for_a_longer_wait() -> None:
    retries = Retries(Policy(reconnect_delays=lambda: iter([10.0, 50.0])))
    assert [retries.failed(refusal(503, ("Retry-After", "30"))) for _ in range(3)] == [30, 50, None]


@pytest.mark.parametrize(("delay", "error"), [(-1, ValueError), ("1", TypeError), (float("nan"), ValueError)])
def test_wrong_delays_are_refused_by_name(delay: Any, error: type[Exception]) -> None:
    retries = Retries(Policy(reconnect_delays=lambda: iter([delay, delay])))
    with pytest.raises(error, match="^reconnect_delays must be"):
        retries.failed(OSError())
    with pytest.raises(error, match="^reconnect_delays must be"):
        retries.lost(Cause.VANISHED)


def test_what_is_raised_is_not_held_by_frames_of_ours() -> None:
    failure, final = OSError(), KeyError("enough")
    with pytest.raises(KeyError) as caught:
        Retries(Policy(lambda exc: final)).failed(failure)
    frames = [entry.frame.f_locals.values() for entry in caught.traceback[1:]]
    assert len(frames) == 2
    assert not any(value is failure or value is final for values in frames for value in values)


# Logs


def test_an_error_is_described_in_one_line() -> None:
    assert describe_error(OSError("two\nlines")) == r"OSError: two\nlines"
    assert describe_error(refusal(503)) == "InvalidStatus: server rejected WebSocket connection: HTTP 503"
    assert describe_error(ValueError("ä\x1b[31m")) == r"ValueError: \xe4\x1b[31m"
