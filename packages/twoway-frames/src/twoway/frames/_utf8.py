"""Strict UTF-8 that fails at the first bad byte, however the bytes are cut: RFC 6455 §8.1."""

from __future__ import annotations

import codecs

from ._errors import InvalidPayloadError
from ._mask import Buffer, flatten

_new_decoder = codecs.getincrementaldecoder("utf-8")


def decode_utf8(data: Buffer) -> str:
    """
    Decode a whole text.

    Args:
        data: UTF-8; any length, bytes; read only, not kept.

    Returns:
        The text.

    Raises:
        InvalidPayloadError: ``data`` is not UTF-8; the peer's fault, close code 1007.

    Spec:
        RFC 6455 §8.1, RFC 3629 §3.
    """
    try:
        return data.decode() if isinstance(data, bytes) else str(flatten(data), "utf-8")
    except UnicodeDecodeError as exc:
        error = describe(exc, exc.start)
    raise error  # outside the handler: chained to it, the error would keep the whole text alive


class Utf8Decoder:
    """
    Decode a text that arrives in pieces; a character may be cut anywhere.

    After an error the decoder is of no further use.

    Spec:
        RFC 6455 §8.1, RFC 3629 §3.
    """

    __slots__ = ("_decoder", "_seen")

    def __init__(self) -> None:
        self._decoder = _new_decoder("strict")
        self._seen = 0  # bytes of the text before the current piece

    def decode(self, data: Buffer, final: bool = False) -> str:
        """
        Decode the next piece.

        Args:
            data: The next bytes; any length, may be empty; read only, not kept.
            final: Whether the text ends here; the decoder then starts anew.

        Returns:
            The characters that are complete; bytes of a cut character are kept for the next call.

        Raises:
            InvalidPayloadError: No continuation can make the bytes so far UTF-8, or the text ends in the
                middle of a character; the peer's fault, close code 1007.
        """
        data = flatten(data)
        seen = self._seen
        self._seen = 0 if final else seen + len(data)
        try:
            text = self._decoder.decode(data, final)
            if data and data[-1] & 0xE0 == 0xA0:
                self._refuse_half_surrogate()
            return text
        except UnicodeDecodeError as exc:
            kept = len(exc.object) - len(data)  # bytes of a cut character, from the pieces before
            error = describe(exc, seen - kept + exc.start)
        raise error  # outside the handler, as above

    def _refuse_half_surrogate(self) -> None:
        """Refuse ED A0..BF: Python waits for a third byte, though RFC 3629 §4 knows no such character."""
        pending = self._decoder.getstate()[0]
        if len(pending) == 2 and pending[0] == 0xED:
            raise UnicodeDecodeError("utf-8", pending, 0, 1, "invalid continuation byte")


def describe(exc: UnicodeDecodeError, position: int) -> InvalidPayloadError:
    """Say what is wrong in words that do not depend on how the bytes were cut."""
    bad = exc.object[exc.start : exc.end].hex(" ")
    return InvalidPayloadError(f"text is not UTF-8: {exc.reason} at byte {position} ({bad})")
