"""Value semantics for small classes; `dataclasses` would double the import time of the package."""

from __future__ import annotations

from typing import NoReturn

_set = object.__setattr__


class Record:
    """
    Be the base of small values that are never altered.

    They are compared, hashed, shown and pickled by what is in ``__slots__``.

    Args:
        *values: One for each name in ``__slots__``, in order; kept.

    Raises:
        ValueError: There are more or fewer values than names; a caller's bug.
    """

    __slots__: tuple[str, ...] = ()

    def __init__(self, *values: object) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            _set(self, name, value)

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{self.__class__.__name__} cannot be altered")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record) or other.__class__ is not self.__class__:
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.__class__, self._values()))

    def __repr__(self) -> str:
        values = zip(self.__slots__, self._values(), strict=True)
        return f"{self.__class__.__name__}({', '.join(f'{name}={value!r}' for name, value in values)})"

    def __reduce__(self) -> tuple[type[Record], tuple[object, ...]]:
        return self.__class__, self._values()
