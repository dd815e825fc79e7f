"""Settings of drivers that are no matter of the protocol."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from twoway.protocol import USER_AGENT, check_write_limit, make_settings

LOGGER = logging.getLogger("test")
DEFAULTS: dict[str, Any] = {
    "max_queue": 16,
    "max_queue_bytes": None,
    "write_limit": 65536,
    "slow_consumer": "wait",
    "logger": LOGGER,
}


def test_the_name_of_the_program_tells_no_more_than_it_must() -> None:
    assert re.fullmatch(r"Python/\d\.\d+ twoway", USER_AGENT)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_queue": None},
        {"max_queue": (8, 2), "max_queue_bytes": 1},
        {"write_limit": (0, 0)},
        {"slow_consumer": "skip"},
        {"slow_consumer": "close"},
    ],
)
def test_settings_are_given_as_they_are(settings: dict[str, Any]) -> None:
    assert make_settings(**{**DEFAULTS, **settings}) == {**DEFAULTS, **settings}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("max_queue", -1, ValueError),
        ("max_queue", "16", TypeError),
        ("max_queue", (2, 8), ValueError),
        ("max_queue_bytes", -1, ValueError),
        ("max_queue_bytes", (1, 2), TypeError),
        ("write_limit", None, TypeError),
        ("write_limit", -1, ValueError),
        ("slow_consumer", "drop", ValueError),
    ],
)
def test_wrong_settings_are_refused_by_name(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{name} must"):
        make_settings(**{**DEFAULTS, name: value})


@pytest.mark.parametrize(("value", "marks"), [(1000, (1000, 250)), ((1000, None), (1000, 250)), ((9, 0), (9, 0))])
def test_write_limits(value: Any, marks: tuple[int, int]) -> None:
    assert check_write_limit(value) == marks


@pytest.mark.parametrize("value", [None, (None, 1), (None, None)])
def test_a_write_buffer_has_a_limit(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^write_limit must be an int, or a pair that begins with one, not None$"):
        check_write_limit(value)
