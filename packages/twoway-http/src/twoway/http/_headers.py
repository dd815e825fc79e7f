"""HTTP fields: ordered, case-insensitive, multi-valued, and impossible to inject through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, TypeVar, overload

from ._grammar import match_text, match_token, shorten

if TYPE_CHECKING:
    from typing import TypeAlias

_T = TypeVar("_T")

_MISSING = object()
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


class MultipleValuesError(KeyError):
    """
    Say that one value of a header was asked for and there are several.

    Args:
        name: Name of the header.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)

    def __str__(self) -> str:
        return f"header {self.args[0]} has several values; use get_all()"


class Headers(MutableMapping[str, str]):  # noqa: PLW1641 - unhashable, as every mutable mapping
    """
    Hold HTTP fields in order; names compare without case.

    A mapping as long as no name is repeated. ``headers[name]`` refuses to choose between several values, so that
    no check can be fooled by a second one. ``len()`` counts fields; iteration yields each name once, as first written.

    Args:
        items: Another `Headers`, a mapping, or ``(name, value)`` pairs; copied.

    Raises:
        TypeError: A name or value is not a ``str``. A caller's bug.
        ValueError: A name is no token, or a value holds a control character or one beyond latin-1. A caller's bug.

    Spec:
        RFC 9110 §5.
    """

    __slots__ = ("_index", "_items")

    def __init__(self, items: HeadersLike = ()) -> None:
        self._items: list[tuple[str, str]] = []
        self._index: dict[str, list[str]] = {}
        for name, value in _pairs(items):
            self.add(name, value)

    @classmethod
    def _trusted(cls, items: list[tuple[str, str]], index: dict[str, list[str]]) -> Headers:
        # The parser has checked names and values with the same classes of characters.
        headers = cls.__new__(cls)
        headers._items = items
        headers._index = index
        return headers

    def __getitem__(self, name: str) -> str:
        """
        Return the only value of a header.

        Args:
            name: Name, in any case.

        Returns:
            Its value.

        Raises:
            KeyError: There is no such header.
            MultipleValuesError: There are several values.
        """
        values = self._index[name.lower()]
        if len(values) > 1:
            raise MultipleValuesError(name)
        return values[0]

    def __setitem__(self, name: str, value: str) -> None:
        """
        Replace all values of a header with one, at the end.

        Args:
            name: Token.
            value: Printable latin-1; spaces and tabs around it are dropped.

        Raises:
            TypeError: ``name`` or ``value`` is not a ``str``.
            ValueError: ``name`` or ``value`` is not allowed in HTTP.
        """
        value = _check(name, value)
        if name.lower() in self._index:
            del self[name]
        self._append(name, value)

    def __delitem__(self, name: str) -> None:
        """
        Remove all values of a header.

        Args:
            name: Name, in any case.

        Raises:
            KeyError: There is no such header.
        """
        key = name.lower()
        del self._index[key]
        self._items = [item for item in self._items if item[0].lower() != key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._index

    def __iter__(self) -> Iterator[str]:
        return iter({name.lower(): name for name, _ in reversed(self._items)}[key] for key in self._index)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._index == other._index if isinstance(other, Headers) else NotImplemented

    def __repr__(self) -> str:
        shown = [(name, "***" if name.lower() in _SECRET else value) for name, value in self._items]
        return f"{type(self).__name__}({shown!r})"

    @overload
    def get(self, name: str, default: None = None, /) -> str | None: ...
    @overload
    def get(self, name: str, default: str, /) -> str: ...
    @overload
    def get(self, name: str, default: _T, /) -> str | _T: ...
    def get(self, name: str, default: object = None, /) -> object:
        """
        Return the only value of a header, or a default.

        Args:
            name: Name, in any case.
            default: What to return when there is no such header.

        Returns:
            The value, or ``default``.

        Raises:
            MultipleValuesError: There are several values.
        """
        return self[name] if name.lower() in self._index else default

    def get_all(self, name: str) -> list[str]:
        """
        Return all values of a header.

        Args:
            name: Name, in any case.

        Returns:
            A new list, in order; empty when there is no such header.
        """
        values = self._index.get(name.lower())
        return [] if values is None else values[:]

    def add(self, name: str, value: str) -> None:
        """
        Append one field, beside those of the same name.

        Args:
            name: Token.
            value: Printable latin-1; spaces and tabs around it are dropped.

        Raises:
            TypeError: ``name`` or ``value`` is not a ``str``.
            ValueError: ``name`` or ``value`` is not allowed in HTTP.
        """
        self._append(name, _check(name, value))

    @overload
    def pop(self, name: str, /) -> str: ...
    @overload
    def pop(self, name: str, default: str, /) -> str: ...
    @overload
    def pop(self, name: str, default: _T, /) -> str | _T: ...
    def pop(self, name: str, default: object = _MISSING, /) -> object:
        """
        Remove the only value of a header and return it.

        Args:
            name: Name, in any case.
            default: What to return when there is no such header.

        Returns:
            The value, or ``default``.

        Raises:
            KeyError: There is no such header and no default.
            MultipleValuesError: There are several values; ``del headers[name]`` removes them all.
        """
        # The inherited method takes several values for none, and would leave credentials where they are.
        if default is not _MISSING and name not in self:
            return default
        value = self[name]
        del self[name]
        return value

    @overload
    def setdefault(self, name: str, default: None = None, /) -> str: ...
    @overload
    def setdefault(self, name: str, default: str, /) -> str: ...
    def setdefault(self, name: str, default: str | None = None, /) -> str:
        """
        Set a header unless there is one, and return its value.

        Args:
            name: Token.
            default: Value to set; ``None`` counts as empty.

        Returns:
            The value that the header has now.

        Raises:
            MultipleValuesError: There are several values.
            ValueError: ``name`` or ``default`` is not allowed in HTTP.
        """
        if name not in self:
            self.add(name, default or "")
        return self[name]

    def update(self, items: HeadersLike = (), /, **fields: str) -> None:  # type: ignore[override]
        """
        Replace each header that is named; one that is named twice gets both values.

        Args:
            items: What `Headers` takes; copied.
            fields: More headers, by name.

        Raises:
            ValueError: A name or value is not allowed in HTTP; nothing is changed then.
        """
        new = Headers(items)
        for name, value in fields.items():
            new.add(name, value)
        for name in new._index.keys() & self._index.keys():
            del self[name]
        for name, value in new._items:
            self._append(name, value)

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """
        Iterate over all fields, repeated ones included.

        Returns:
            An iterator of ``(name, value)`` in order, names as written.
        """
        return iter(self._items)

    def copy(self) -> Headers:
        """
        Copy the fields.

        Returns:
            New headers, independent of these.
        """
        return Headers._trusted(self._items[:], {key: values[:] for key, values in self._index.items()})

    def clear(self) -> None:
        """Remove all fields."""
        self._items = []
        self._index = {}

    def serialize(self) -> bytes:
        r"""
        Write the fields as they go over the wire.

        Returns:
            ``Name: value\r\n`` for each field, without the blank line that ends a header section.

        Spec:
            RFC 9112 §5.
        """
        return "".join([f"{name}: {value}\r\n" for name, value in self._items]).encode("latin-1")

    def _append(self, name: str, value: str) -> None:
        self._items.append((name, value))
        self._index.setdefault(name.lower(), []).append(value)


HeadersLike: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]]
"""What can be made into `Headers`: other headers, a mapping, or pairs of name and value."""


def _pairs(items: HeadersLike) -> Iterable[tuple[str, str]]:
    if isinstance(items, Headers):
        return items._items
    return items.items() if isinstance(items, Mapping) else items


def _check(name: str, value: str) -> str:
    # Without this, a CR LF in a name or value would start a field, or a request, of the attacker's choice.
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"name and value must be str, not {type(name).__name__} and {type(value).__name__}")
    if match_token(name) is None:
        raise ValueError(f"name must be an HTTP token, not {shorten(name)}")
    if match_text(value) is None:
        raise ValueError(f"value of {name} must be latin-1 without control characters")
    return value.strip(" \t")
