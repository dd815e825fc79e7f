"""Where the pieces of a message are joined as they come, in one buffer and not in a list of objects."""

from __future__ import annotations

from io import StringIO

from ._mask import Buffer
from ._utf8 import Utf8Decoder


class TextSink:
    """Join the pieces of a text; the first byte that is not UTF-8 is refused when it comes."""

    __slots__ = ("_decoder", "_text")

    def __init__(self) -> None:
        self._decoder = Utf8Decoder()
        self._text = StringIO(newline="")

    def write(self, data: Buffer, ends: bool) -> None:
        """Add a piece; `ends` says that the message ends with it. Raises InvalidPayloadError."""
        self._text.write(self._decoder.decode(data, ends))

    def take(self) -> str:
        """Give the whole characters since the last call."""
        text = self._text.getvalue()
        self._text = StringIO(newline="")
        return text


class BinarySink:
    """Join the pieces of a binary message."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: Buffer, ends: bool) -> None:
        """Add a piece; `ends` is of no matter here."""
        self._data += data

    def take(self) -> bytes:
        """Give the bytes since the last call."""
        data = bytes(self._data)
        self._data = bytearray()
        return data
