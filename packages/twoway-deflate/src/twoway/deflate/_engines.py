"""The libraries that deflate and inflate, behind one small interface: zlib, zlib-ng, isal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from twoway.frames import Buffer, Record

#: Name -> (module with the interface of `zlib`, what to install for it). The order is for messages only.
ENGINES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "zlib": ("zlib", "nothing"),
        "zlib-ng": ("zlib_ng.zlib_ng", "twoway-deflate[zlib-ng]"),
        "isal": ("isal.isal_zlib", "twoway-deflate[isal]"),
    }
)

_DEFLATED = 8
_HUFFMAN_ONLY = 2
_SMALLEST_WINDOW = 9
# These know the strategy without back references, which isal does not.
_CAN_DO_WITHOUT_WINDOW = frozenset({"zlib", "zlib-ng"})


class Compressor(Protocol):
    """What `compressobj` of an engine returns."""

    def compress(self, data: Buffer, /) -> bytes:
        """Take bytes; return what is finished of the output."""

    def flush(self, mode: int, /) -> bytes:
        """Return the rest of the output."""


class Decompressor(Protocol):
    """What `decompressobj` of an engine returns."""

    eof: bool
    unconsumed_tail: bytes
    unused_data: bytes

    def decompress(self, data: Buffer, max_length: int, /) -> bytes:
        """Take bytes; return at most about `max_length` bytes of output."""


#: Makes a decompressor from negative window bits and a history.
MakeDecompressor: TypeAlias = Callable[[int, Buffer], Decompressor]


class Engine(Record):
    """
    Make compressors and decompressors of one library.

    Args:
        name: One of the keys of `ENGINES`.
        module: The library, with the interface of `zlib`.
    """

    __slots__ = ("name", "module")

    name: str
    module: Any

    def __init__(self, name: str, module: Any) -> None:
        super().__init__(name, module)

    @property
    def error(self) -> type[Exception]:
        """What the library raises for data that is broken."""
        kind: type[Exception] = self.module.error
        return kind

    def compressor(self, bits: int, settings: Mapping[str, int], history: Buffer | None = None) -> Compressor:
        """
        Make a compressor for raw deflate.

        Args:
            bits: Window bits, 8 to 15.
            settings: Any of ``level``, ``memLevel`` and ``strategy``.
            history: What was sent before and may be referred to; copied.

        Returns:
            A compressor whose output needs a window of `bits` and not more.

        Spec:
            RFC 7692 §7.1.2.1, §7.1.2.2.
        """
        if bits < _SMALLEST_WINDOW:
            # No library makes raw deflate for a window of 256 bytes. Without back references none is needed.
            bits, settings, history = _SMALLEST_WINDOW, {**settings, "strategy": _HUFFMAN_ONLY}, None
        options = {"zdict": history} if history else {}
        compressor: Compressor = self.module.compressobj(method=_DEFLATED, wbits=-bits, **settings, **options)
        return compressor

    @property
    def decompressor(self) -> MakeDecompressor:
        """
        What makes a decompressor for raw deflate.

        It gets the window bits, 8 to 15, with a minus, and the end of what was received before, which is copied. What
        it returns stands between two blocks.
        """
        make: MakeDecompressor = self.module.decompressobj
        return make


def is_installed(name: str) -> bool:
    """
    Tell whether an engine can be used.

    Args:
        name: ``"zlib"``, ``"zlib-ng"`` or ``"isal"``.

    Returns:
        False when its library is not installed; a library that is installed and broken is reported by its use.
    """
    return find_spec(ENGINES[name][0].partition(".")[0]) is not None


@lru_cache
def load_engine(name: str) -> Engine:
    """
    Import an engine.

    Args:
        name: ``"zlib"``, ``"zlib-ng"`` or ``"isal"``.

    Returns:
        The engine; the same object for all who ask.

    Raises:
        ValueError: There is no such engine, or it is not installed; a caller's bug.
    """
    if name not in ENGINES:
        raise ValueError(f"engine must be None or one of {', '.join(map(repr, ENGINES))}, not {name!r}")
    module, requirement = ENGINES[name]
    if not is_installed(name):
        raise ValueError(f"engine {name!r} is not installed; pip install '{requirement}'")
    return Engine(name, import_module(module))


def choose_compressing(wanted: str | None, preferred: tuple[str, ...], bits: int) -> Engine:
    """
    Choose the engine for sending.

    Args:
        wanted: Name of an engine, or None to choose.
        preferred: Names to choose from, the best first; the last one is always installed.
        bits: Window bits, 8 to 15.

    Returns:
        The engine; zlib where the wanted one cannot do with a window of 256 bytes.

    Raises:
        ValueError: The wanted engine does not exist or is not installed; a caller's bug.
    """
    engine = _choose(wanted, preferred)
    if bits < _SMALLEST_WINDOW and engine.name not in _CAN_DO_WITHOUT_WINDOW:
        return load_engine("zlib")
    return engine


def choose_decompressing(wanted: str | None) -> Engine:
    """
    Choose the engine for receiving.

    A decompressor lives only as long as a message, so that only speed counts.

    Args:
        wanted: Name of an engine, or None to choose.

    Returns:
        The engine.

    Raises:
        ValueError: The wanted engine does not exist or is not installed; a caller's bug.
    """
    return _choose(wanted, ("zlib-ng", "zlib"))


def _choose(wanted: str | None, preferred: tuple[str, ...]) -> Engine:
    return load_engine(wanted or next(filter(is_installed, preferred)))
