"""What a connection may cost: presets instead of the knobs of zlib, with the knobs beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from twoway.frames import Record

from ._engines import Engine

#: Name of a preset.
Memory: TypeAlias = Literal["low", "balanced", "high"]

#: Messages below this size, in bytes, are sent as they are unless the sender says otherwise. What compression takes off
#: them is less than half the headers of the packet that carries them, and it costs CPU on both ends.
DEFAULT_THRESHOLD = 32

_KNOBS = frozenset({"level", "memLevel", "strategy"})
# zlib-ng at 5 is nearly as small as at 6 and much faster on large messages. The levels of isal end at 3 and cost as
# much memory as they say; 1 is the smallest that describes its codes.
_LEVELS: Mapping[str, int] = MappingProxyType({"zlib": 6, "zlib-ng": 5, "isal": 1})


class Preset(Record):
    """
    Hold what a name of a preset stands for.

    Args:
        window_bits: Size of the windows in both directions, 9 to 15.
        keep_after: How many messages go by before the compressor is kept from one to the next; until then each
            message gets a new one, which is told the end of what was sent before.
        memory_level: Argument of the engines, 1 to 9.
        engines: Engines to choose from, the best first; zlib is the last.
    """

    __slots__ = ("window_bits", "keep_after", "memory_level", "engines")

    window_bits: int
    keep_after: float
    memory_level: int
    engines: tuple[str, ...]

    def __init__(self, window_bits: int, keep_after: float, memory_level: int, engines: tuple[str, ...]) -> None:
        super().__init__(window_bits, keep_after, memory_level, engines)


# How much each costs is measured by `python tools/bench/deflate.py --memory`. A compressor of zlib-ng is five times
# as large as one of zlib for these windows, and hardly faster: it is chosen only where memory does not count.
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "low": Preset(11, math.inf, 5, ("zlib",)),
        "balanced": Preset(12, 1, 5, ("zlib",)),
        "high": Preset(15, 0, 8, ("zlib-ng", "zlib")),
    }
)


def get_preset(memory: str) -> Preset:
    """
    Look up a preset.

    Args:
        memory: ``"low"``, ``"balanced"`` or ``"high"``.

    Returns:
        The preset.

    Raises:
        ValueError: There is no such preset; a caller's bug.
    """
    if memory not in PRESETS:
        raise ValueError(f"memory must be one of {', '.join(map(repr, PRESETS))}, not {memory!r}")
    return PRESETS[memory]


def make_settings(engine: Engine, bits: int, preset: Preset, knobs: Mapping[str, Any] | None) -> Mapping[str, int]:
    """
    Combine a preset with the knobs that the user turned.

    Args:
        engine: The engine for sending.
        bits: Window bits, 8 to 15.
        preset: Where what is missing comes from.
        knobs: Any of ``level``, ``memLevel`` and ``strategy``, as the engine understands them; not kept.

    Returns:
        Settings that the engine accepts; shared, not to be changed.

    Raises:
        ValueError: A knob is unknown, or the engine does not accept its value; a caller's bug.
    """
    knobs = knobs or {}
    if not knobs.keys() <= _KNOBS:
        raise ValueError(f"compress_settings must hold only level, memLevel and strategy, not {', '.join(knobs)}")
    settings = {"level": _LEVELS[engine.name], "memLevel": preset.memory_level, **knobs}
    try:
        return _check_settings(engine, bits, tuple(settings.items()))
    except (ValueError, TypeError, OverflowError, engine.error) as exc:
        raise ValueError(f"compress_settings {dict(knobs)} are not for {engine.name}: {exc}") from exc


@lru_cache
def _check_settings(engine: Engine, bits: int, settings: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    # Once, and not for each connection: a compressor takes time to make.
    made = MappingProxyType(dict(settings))
    engine.compressor(bits, made)
    return made
