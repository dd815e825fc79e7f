"""Checks of arguments."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from twoway.protocol import check_seconds
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
