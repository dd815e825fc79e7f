"""Whether the compiled twins of `twoway.speedups` are used: the one place that decides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Literal

from ._codes import Opcode
from ._decoder import check_limit, plan, survey, verdicts
from ._errors import FrameError, PayloadTooBig, ProtocolError, TooManyFragments
from ._frame import Close, Fragment, Frame, Ping, Pong
from ._utf8 import describe

# Written by tools/versions.py: a compiled module of another version may differ in any rule.
VERSION = "0.1.0"

TWINS = (
    "FrameDecoder", "MessageDecoder", "Utf8Decoder", "apply_mask", "decode_utf8", "encode_frame", "encode_header",
    "new_masking_key", "serialize_frame",
)  # fmt: skip
# The compiled module imports nothing from here: these are what it makes, raises and asks.
BOUND: Mapping[str, object] = {
    "Close": Close,
    "Fragment": Fragment,
    "Frame": Frame,
    "FrameError": FrameError,
    "Opcode": Opcode,
    "PayloadTooBig": PayloadTooBig,
    "Ping": Ping,
    "Pong": Pong,
    "ProtocolError": ProtocolError,
    "TooManyFragments": TooManyFragments,
    "check_limit": check_limit,
    "describe": describe,
    "plan": plan,
    "survey": survey,
    "verdicts": verdicts,
}
_ABSENT = ("twoway.speedups", "twoway.speedups._frames")
_REMEDY = "reinstall twoway-speedups with the version of twoway-frames, or set TWOWAY_PURE=1 to go without it"


def load() -> ModuleType | None:
    """
    Import the compiled module and hand over what it needs.

    Returns:
        The module, or None where it is not wanted (``TWOWAY_PURE=1``), not installed or not compiled.

    Raises:
        ImportError: There is one, but it is broken or of another version: to be slow in silence would be worse.
    """
    if os.environ.get("TWOWAY_PURE") == "1":
        return None
    try:
        import twoway.speedups._frames as compiled
    except ImportError as exc:
        if isinstance(exc, ModuleNotFoundError) and exc.name in _ABSENT:
            return None
        raise ImportError(f"twoway.speedups is installed but cannot be used ({exc}): {_REMEDY}") from exc
    if compiled.VERSION != VERSION:
        raise ImportError(f"twoway.speedups is of version {compiled.VERSION}, not {VERSION}: {_REMEDY}")
    compiled.bind(**BOUND)
    return compiled


_module = load()
#: Which implementation of the codec is at work: ``"compiled"`` or ``"pure"``.
IMPLEMENTATION: Literal["compiled", "pure"] = "pure" if _module is None else "compiled"
twins: Mapping[str, object] = {} if _module is None else {name: getattr(_module, name) for name in TWINS}


def get_twins(portion: str, **bound: object) -> Mapping[str, object]:
    """
    Give the compiled twins of classes of another portion of `twoway`.

    For the other packages of twoway: users have no need of it.

    Args:
        portion: Last part of its name.
        bound: The classes, by name, and what else their twins use.

    Returns:
        Twins by name; nothing where pure Python is used.
    """
    if _module is None:
        return {}
    getattr(_module, f"bind_{portion}")(**bound)
    return {
        name: _complete(getattr(_module, name), value)
        for name, value in bound.items()
        if isinstance(value, type) and hasattr(_module, name)
    }


def _complete(twin: type, reference: type) -> type:
    """Give a twin the methods that it leaves to the reference."""
    missing = {
        name: value
        for name, value in vars(reference).items()
        if isinstance(value, (FunctionType, property)) and name not in vars(twin)
    }
    about = {"__slots__": (), "__module__": reference.__module__, "__doc__": reference.__doc__}
    return type(reference.__name__, (twin,), {**missing, **about})
