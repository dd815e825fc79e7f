from __future__ import annotations

import pytest

from twoway.http import HTTPLimits


def test_defaults():
    assert HTTPLimits() == HTTPLimits(8192, 128, 65536, 1048576)


@pytest.mark.parametrize("name", ["max_line", "max_headers", "max_header_bytes"])
def test_limits_are_positive(name):
    HTTPLimits(**{name: 1})
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        HTTPLimits(**{name: 0})


def test_no_body_at_all_is_a_limit():
    HTTPLimits(max_body=0)
    with pytest.raises(ValueError, match="max_body must be at least 0, not -1"):
        HTTPLimits(max_body=-1)


@pytest.mark.parametrize("value", [None, 1.5, "8"])
def test_limits_are_integers(value):
    with pytest.raises(TypeError, match="max_line must be an int"):
        HTTPLimits(max_line=value)


def test_limits_do_not_change():
    with pytest.raises(AttributeError):
        HTTPLimits().max_line = 5
