"""Messages as lines of a pipe: as they are, or each one as a JSON object."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

#: A message as it is sent and received.
Message: TypeAlias = str | bytes


@dataclass(frozen=True)
class Ping:
    """
    Ask for a ping to be sent.

    Args:
        data: Payload.
    """

    data: str = ""


@dataclass(frozen=True)
class Closing:
    """
    Ask for the connection to be closed.

    Args:
        code: Close code.
        reason: Close reason.
    """

    code: int = 1000
    reason: str = ""


#: What a line of input asks for.
Wish: TypeAlias = Message | Ping | Closing


class Format(Protocol):
    """Be a way to write messages as lines."""

    def read(self, line: bytes) -> Wish:
        """
        Understand a line.

        Args:
            line: Without its end.

        Returns:
            What to do.

        Raises:
            ValueError: The line is not of this format; the one who wrote it is to blame.
        """

    def write(self, message: Message) -> bytes:
        """
        Write a message.

        Args:
            message: What was received.

        Returns:
            What to put out, the end of the line included.
        """

    def write_end(self, code: int, reason: str) -> bytes:
        """
        Write that the connection is closed.

        Args:
            code: Close code, 1006 if there was no Close frame.
            reason: Close reason.

        Returns:
            What to put out; nothing where a line is a message.
        """


@dataclass(frozen=True)
class Lines:
    """
    Write each message as it is, and a line end.

    Args:
        binary: Whether lines are sent as binary messages.
    """

    binary: bool = False

    def read(self, line: bytes) -> Wish:
        """Take the line for a message."""
        try:
            return line if self.binary else line.decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError("it is not UTF-8; --binary sends any bytes") from None

    def write(self, message: Message) -> bytes:
        """Give the message."""
        return (message.encode() if isinstance(message, str) else message) + b"\n"

    def write_end(self, code: int, reason: str) -> bytes:
        """Give nothing."""
        return b""


class JsonLines:
    """Write each message as an object: ``{"text": "..."}``, or ``{"binary": "..."}`` with Base64."""

    def read(self, line: bytes) -> Wish:
        """Take the object for a message, ``{"ping": "..."}`` or ``{"close": 1000, "reason": "..."}``."""
        try:
            value = json.loads(line)
        except ValueError as exc:
            raise ValueError(f"it is not JSON: {exc}") from None
        for key, kind, make in _WISHES:
            if isinstance(value, dict) and type(value.get(key)) is kind:
                wish: Wish = make(value)
                return wish
        raise ValueError('it is none of {"text": "..."}, {"binary": "..."}, {"ping": "..."}, {"close": 1000}')

    def write(self, message: Message) -> bytes:
        """Give the object."""
        if isinstance(message, str):
            return _dump({"text": message})
        return _dump({"binary": base64.b64encode(message).decode("ascii")})

    def write_end(self, code: int, reason: str) -> bytes:
        """Give an object for the end."""
        return _dump({"close": code, "reason": reason})


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _read_binary(value: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(value["binary"], validate=True)
    except ValueError:
        raise ValueError("binary must be Base64") from None


def _read_close(value: dict[str, Any]) -> Closing:
    return Closing(value["close"], str(value.get("reason", "")))


_WISHES: tuple[tuple[str, type, Any], ...] = (
    ("text", str, lambda value: value["text"]),
    ("binary", str, _read_binary),
    ("ping", str, lambda value: Ping(value["ping"])),
    ("close", int, _read_close),
)
