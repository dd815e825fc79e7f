"""Checks of arguments."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from twoway.protocol import check_count, check_duration, check_seconds
from twoway.protocol._checks import check_items, check_pair


@pytest.mark.parametrize("value", [None, 0, 0.0, 1, 2.5, 10**9])
def test_seconds(value: Any) -> None:
    check_seconds("open_timeout", value)


@pytest.mark.parametrize("value", [-1, -0.5, nan, inf, -inf])
@pytest.mark.parametrize("positive", [True, False])
def test_seconds_out_of_range(value: Any, positive: bool) -> None:
    range_ = ">" if positive else ">="
    with pytest.raises(ValueError, match=rf"^ping_interval must be {range_} 0 seconds, or None for no limit, not"):
        check_seconds("ping_interval", value, positive=positive)


@pytest.mark.parametrize("value", [0, 0.0])
def test_zero_seconds_may_be_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^ping_interval must be > 0 seconds"):
        check_seconds("ping_interval", value, positive=True)


@pytest.mark.parametrize("value", ["1", True, b"", [1], 1j])
def test_seconds_of_wrong_type(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^ping_interval must be a number of seconds or None, not"):
        check_seconds("ping_interval", value)


@pytest.mark.parametrize("value", [0, 0.0, 1, 2.5])
def test_durations(value: Any) -> None:
    check_duration("grace", value)
    check_duration("grace", value, 2.5)


@pytest.mark.parametrize("value", [-1, -0.5, nan, inf, -inf])
def test_durations_out_of_range(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^grace must be >= 0 seconds, not"):
        check_duration("grace", value)
    with pytest.raises(ValueError, match=r"^spread must be 0 to 10 seconds, not"):
        check_duration("spread", value, 10)


def test_durations_may_have_a_maximum() -> None:
    with pytest.raises(ValueError, match=r"^spread must be 0 to 10 seconds, not 10.5$"):
        check_duration("spread", 10.5, 10)


@pytest.mark.parametrize("value", ["1", True, None, [1]])
def test_durations_of_wrong_type(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^grace must be a number of seconds, not"):
        check_duration("grace", value)


@pytest.mark.parametrize("value", [None, 1, 10**9])
def test_counts(value: int | None) -> None:
    check_count("max_attempts", value)


@pytest.mark.parametrize("value", [0, -1])
def test_counts_out_of_range(value: int) -> None:
    with pytest.raises(ValueError, match=rf"^max_attempts must be >= 1, or None for no limit, not {value}$"):
        check_count("max_attempts", value)


@pytest.mark.parametrize("value", [True, 1.0, "1"])
def test_counts_of_wrong_type(value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^max_attempts must be an int or None, not {type(value).__name__}$"):
        check_count("max_attempts", value)


def test_pairs() -> None:
    assert check_pair("max_size", 1) == (1, None)
    assert check_pair("max_size", None) == (None, None)
    assert check_pair("max_size", (1, 2)) == (1, 2)


@pytest.mark.parametrize("value", [(), (1,), (1, 2, 3)])
def test_other_tuples_are_no_pairs(value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^max_size must be one value or a tuple of 2, not of {len(value)}$"):
        check_pair("max_size", value)


def test_items() -> None:
    check_items("subprotocols", ["chat"], str, "str")
    with pytest.raises(TypeError, match=r"^subprotocols must be a sequence of str, not str$"):
        check_items("subprotocols", "chat", str, "str")
    with pytest.raises(TypeError, match=r"^subprotocols must hold str, not int$"):
        check_items("subprotocols", ["chat", 1], str, "str")
