"""
The chat room itself: who is here, what was said, what is allowed. It knows neither sockets nor clocks.

Everybody in the room is a `Member` with an outbox of JSON texts that somebody else sends. The messages:

| from      | message                                                                        |
|-----------|--------------------------------------------------------------------------------|
| a client  | ``{"type": "join", "name": ...}`` first, then ``{"type": "say", "text": ...}`` |
| the room  | ``welcome`` with ``name``, ``people`` and ``history``, to the one who joined   |
| the room  | ``said`` with ``name``, ``text`` and ``at`` (seconds since 1970), to everybody |
| the room  | ``joined`` and ``left`` with ``name`` and ``people``, to everybody else        |
| the room  | ``error`` with ``text``, to the one who made the mistake                       |
"""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections import deque
from collections.abc import Callable
from typing import Any

MAX_PEOPLE = 100
MAX_NAME = 20  # characters
MAX_TEXT = 500  # characters
MAX_MISTAKES = 20  # in a row, before we hang up
HISTORY = 50  # lines that a newcomer sees
OUTBOX = 100  # messages that may wait for one member
BURST, BURST_SECONDS = 5, 5.0  # at most so many lines in so many seconds


class Refused(Exception):
    """Say why something is not possible; the text is for the person who tried, at most 123 bytes."""


class Member:
    """Be somebody in the room: a name, and what waits to be sent to them."""

    def __init__(self, name: str, drop: Callable[[], None]) -> None:
        self.name = name
        self.outbox: asyncio.Queue[str] = asyncio.Queue(OUTBOX)
        self.mistakes = 0
        self._drop = drop
        self._said: deque[float] = deque(maxlen=BURST)

    def deliver(self, text: str) -> None:
        """Put a message into the outbox; whoever does not keep up is dropped, so that nobody waits for them."""
        try:
            self.outbox.put_nowait(text)
        except asyncio.QueueFull:
            self._drop()

    def check_rate(self, now: float) -> None:
        """Refuse the line that is one too many."""
        if len(self._said) == BURST and 0 <= now - self._said[0] < BURST_SECONDS:
            raise Refused("Not so fast: wait a few seconds.")
        self._said.append(now)


class Room:
    """Be a room in which everybody hears everything."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}  # key of the name -> member, in the order of joining
        self._history: deque[dict[str, Any]] = deque(maxlen=HISTORY)

    @property
    def people(self) -> list[str]:
        """Give the names of those who are here."""
        return [member.name for member in self._members.values()]

    def join(self, message: str | bytes, drop: Callable[[], None]) -> Member:
        """
        Let somebody in, by their first message.

        Args:
            message: What they sent.
            drop: Called without arguments when they do not keep up with the conversation.

        Returns:
            The new member, with a welcome in the outbox.

        Raises:
            Refused: The message or the name will not do.
        """
        name = clean_name(read(message, "join", "name"))
        if key(name) in self._members:
            raise Refused("This name is taken.")
        if len(self._members) >= MAX_PEOPLE:
            raise Refused("The room is full.")
        member = self._members[key(name)] = Member(name, drop)
        member.deliver(write("welcome", name=name, people=self.people, history=list(self._history)))
        self._tell("joined", besides=member, name=name, people=self.people)
        return member

    def take(self, member: Member, message: str | bytes, now: float) -> None:
        """
        Take a message of a member: pass it on, or tell the member what is wrong with it.

        Args:
            member: Who sent it.
            message: What they sent.
            now: Current time; seconds since 1970.
        """
        try:
            text = clean_text(read(message, "say", "text"))
            member.check_rate(now)
        except Refused as exc:
            member.mistakes += 1
            member.deliver(write("error", text=str(exc)))
        else:
            member.mistakes = 0
            line: dict[str, Any] = {"name": member.name, "text": text, "at": now}
            self._history.append(line)
            self._tell("said", **line)

    def leave(self, member: Member) -> None:
        """Let a member go, and tell the others."""
        del self._members[key(member.name)]
        self._tell("left", name=member.name, people=self.people)

    def _tell(self, kind: str, besides: Member | None = None, **fields: Any) -> None:
        text = write(kind, **fields)  # once for all
        for member in self._members.values():
            if member is not besides:
                member.deliver(text)


def write(kind: str, **fields: Any) -> str:
    """Make a message. JSON in ASCII takes every text that JSON can bring, lone surrogates included."""
    return json.dumps({"type": kind, **fields})


def read(message: str | bytes, kind: str, field: str) -> str:
    """Return the field of a message of the kind that is expected, or refuse it."""
    if not isinstance(message, str):
        raise Refused("Send text messages, not binary ones.")
    try:
        data = json.loads(message)
    except (ValueError, RecursionError):  # the latter for "[[[[..."
        raise Refused("That is not JSON.") from None
    if not isinstance(data, dict) or data.get("type") != kind or not isinstance(data.get(field), str):
        raise Refused(f'Expected {{"type": "{kind}", "{field}": "..."}}.')
    value: str = data[field]
    return value


def clean_name(name: str) -> str:
    """Return a name as it will be shown, or refuse it."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(name) <= MAX_NAME:
        raise Refused(f"A name has 1 to {MAX_NAME} characters.")
    if not name.isprintable():  # nothing that is invisible, turns the direction of text or controls a terminal
        raise Refused("A name has printable characters only.")
    return name


def clean_text(text: str) -> str:
    """Return a text as it will be shown, or refuse it."""
    text = text.strip()
    if not 1 <= len(text) <= MAX_TEXT:
        raise Refused(f"A line has 1 to {MAX_TEXT} characters.")
    return text


def key(name: str) -> str:
    """Return what must be unique: Ada, ADA and their full-width twins are one name."""
    return unicodedata.normalize("NFKC", name).casefold()
