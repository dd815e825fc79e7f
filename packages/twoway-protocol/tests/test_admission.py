"""How many connections a server takes."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from twoway.protocol import Admission, ConnectionLimits, address_key

LIMITS = ["max_connections", "max_connections_per_address", "max_handshakes"]
LOGGER = logging.getLogger("test")
HERE, THERE = ("192.0.2.1", 5), ("192.0.2.2", 5)


def test_limits_are_a_value() -> None:
    assert ConnectionLimits() == ConnectionLimits(None, None, None) != ConnectionLimits(max_handshakes=1)
    assert repr(ConnectionLimits(max_connections=3)) == (
        "ConnectionLimits(max_connections=3, max_connections_per_address=None, max_handshakes=None)"
    )


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError), (True, TypeError)])
def test_wrong_limits_are_refused_by_name(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{name} must be"):
        ConnectionLimits(**{name: value})


def test_without_limits_nobody_is_refused() -> None:
    admission = Admission(ConnectionLimits(), LOGGER)
    for number in range(1000):
        assert admission.enter(number, HERE, 0)
        assert not admission.refuses(number)
    admission.answered(0)
    admission.leave(0)


@pytest.mark.parametrize("name", LIMITS)
def test_one_too_many_stays_for_its_refusal_only(name: str) -> None:
    admission = Admission(ConnectionLimits(**{name: 2}), LOGGER)
    for number in range(3):
        assert admission.enter(number, HERE, 0)
    assert [admission.refuses(number) for number in range(3)] == [False, False, True]
    admission.leave(2)
    assert not admission.refuses(2)


@pytest.mark.parametrize("name", LIMITS)
def test_who_leaves_makes_room(name: str) -> None:
    admission = Admission(ConnectionLimits(**{name: 2}), LOGGER)
    for number in range(100):
        admission.enter(number, HERE, 0)
        assert not admission.refuses(number)
        admission.leave(number - 1)
        admission.leave(number - 1)


def test_addresses_are_counted_apart() -> None:
    admission = Admission(ConnectionLimits(max_connections_per_address=1), LOGGER)
    for number, peername in enumerate([HERE, THERE, HERE, THERE, "", ""]):
        admission.enter(number, peername, 0)
    assert [admission.refuses(number) for number in range(6)] == [False, False, True, True, False, False]


def test_nothing_is_kept_of_those_who_have_left() -> None:
    admission = Admission(ConnectionLimits(max_connections_per_address=1, max_handshakes=9), LOGGER)
    for number, peername in enumerate([HERE, THERE, HERE, ""]):
        admission.enter(number, peername, 0)
    for number in range(4):
        admission.leave(number)
    assert not (admission._admitted or admission._handshakes or admission._refused or admission._per_address)


def test_who_is_answered_is_no_handshake_any_more() -> None:
    admission = Admission(ConnectionLimits(max_handshakes=1), LOGGER)
    for number in range(3):
        admission.enter(number, HERE, 0)
        assert not admission.refuses(number)
        admission.answered(number)


def test_so_many_are_refused_that_the_rest_is_dropped() -> None:
    admission = Admission(ConnectionLimits(max_connections=1), LOGGER)
    stay = [admission.enter(number, HERE, 0) for number in range(102)]
    assert stay == [True] * 101 + [False]
    assert not admission.refuses(101)
    admission.leave(1)
    assert admission.enter(102, HERE, 0)
    assert admission.refuses(102)


def test_a_flood_is_no_flood_of_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    admission = Admission(ConnectionLimits(max_connections=1), LOGGER)
    for number, now in enumerate([0, 0, 0.1, 0.9, 1.2, 1.3]):
        admission.enter(number, HERE, now)
    assert [record.getMessage() for record in caplog.records] == [
        "1 connection refused: max_connections=1 is reached",
        "3 connections refused: max_connections=1 is reached",
    ]


@pytest.mark.parametrize(
    ("peername", "key"),
    [
        (("192.0.2.7", 5), bytes([192, 0, 2, 7])),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), bytes.fromhex("20010db800010002")),
        (("2001:db8:1:2::9", 5, 0, 0), bytes.fromhex("20010db800010002")),
        (("fe80::1%eth0", 5, 0, 2), bytes.fromhex("fe80000000000000")),
        (("::ffff:192.0.2.7", 5, 0, 0), bytes([192, 0, 2, 7])),
        (("nonsense", 5), None),
        (("", 5), None),
        (("192.0.2.7\0", 5), None),
        ((3, 5), None),  # as of AF_VSOCK
        ("", None),  # as of AF_UNIX
        (b"\0abstract", None),
        (None, None),
    ],
)
def test_what_counts_as_one_address(peername: Any, key: bytes | None) -> None:
    assert address_key(peername) == key
