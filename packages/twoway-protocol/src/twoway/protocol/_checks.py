"""Checks of arguments: wrong ones are refused where they are given, by name and with the allowed range."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TypeVar

_T = TypeVar("_T")


def check_seconds(name: str, value: float | None, *, positive: bool = False) -> None:
    """
    Check an argument that is a time.

    Args:
        name: Name of the argument, for the error.
        value: Seconds, or None for no limit.
        positive: Whether zero is refused.

    Raises:
        TypeError: ``value`` is neither a number nor None; a caller's bug.
        ValueError: ``value`` is negative, infinite or not a number, or zero where it must not be; a caller's bug.
    """
    if value is None:
        return
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds or None, not {type(value).__name__}")
    if not 0 <= value < inf or (positive and value == 0):
        raise ValueError(f"{name} must be {'>' if positive else '>='} 0 seconds, or None for no limit, not {value}")


def check_duration(name: str, value: float, most: float = inf) -> None:
    """
    Check an argument that is a time and has no way to say "no limit".

    Args:
        name: Name of the argument, for the error.
        value: Seconds.
        most: Largest allowed value; seconds.

    Raises:
        TypeError: ``value`` is not a number; a caller's bug.
        ValueError: ``value`` is negative, infinite, not a number or too large; a caller's bug.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 <= value < inf or value > most:
        raise ValueError(f"{name} must be {f'0 to {most}' if most < inf else '>= 0'} seconds, not {value}")


def check_count(name: str, value: int | None) -> None:
    """
    Check an argument that is the largest number of something.

    Args:
        name: Name of the argument, for the error.
        value: At least 1, or None for no limit.

    Raises:
        TypeError: ``value`` is neither an ``int`` nor None; a caller's bug.
        ValueError: ``value`` is too small; a caller's bug.
    """
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int or None, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be >= 1, or None for no limit, not {value}")


def check_pair(name: str, value: _T | tuple[_T | None, _T | None]) -> tuple[_T | None, _T | None]:
    """
    Check an argument that is one value or two.

    Args:
        name: Name of the argument, for the error.
        value: A value, or two in a tuple.

    Returns:
        Two values; the second is None if there was one.

    Raises:
        ValueError: A tuple of another length; a caller's bug.
    """
    if not isinstance(value, tuple):
        return value, None
    if len(value) != 2:
        raise ValueError(f"{name} must be one value or a tuple of 2, not of {len(value)}")
    return value


def check_items(name: str, values: Iterable[object], kinds: type | tuple[type, ...], kind: str) -> None:
    """
    Check an argument that is a sequence.

    Args:
        name: Name of the argument, for the error.
        values: The items.
        kinds: What each of them must be an instance of.
        kind: The same in words, for the error.

    Raises:
        TypeError: ``values`` is one string, or an item is of another type; a caller's bug.
    """
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} must be a sequence of {kind}, not {type(values).__name__}")
    for value in values:
        if not isinstance(value, kinds):
            raise TypeError(f"{name} must hold {kind}, not {type(value).__name__}")
