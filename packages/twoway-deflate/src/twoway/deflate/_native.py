"""The compiled twins of what every message goes through, where `twoway.frames` uses compiled code."""

from __future__ import annotations

from twoway.frames import InvalidPayloadError, get_twins

from ._deflater import Deflater
from ._inflater import END, Inflater
from ._path import DeflatePath

__all__ = ["DeflatePath", "Deflater", "Inflater"]

# The twins have the same attributes, arguments, results and errors.
globals().update(
    get_twins(
        "deflate",
        DeflatePath=DeflatePath,
        Deflater=Deflater,
        END=END,
        Inflater=Inflater,
        InvalidPayloadError=InvalidPayloadError,
    )
)
