"""What the test tells a peer: lines of JSON on the standard input, the end of which ends the peer."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Slot:
    """
    Be one of a client's series of connections, each made when the one before has ended.

    Args:
        name: Of the series.
        seed: Decides with the name what is said.
        host: Where to connect.
        port: Where to connect.
        tls: Whether it is over TLS.
        until: When to make no more; on the monotonic clock, seconds.
        number: Of the next connection.
    """

    name: str
    seed: str
    host: str
    port: int
    tls: bool
    until: float
    number: int = 0

    def names(self) -> Iterator[str]:
        """Give names of connections, until the time is over."""
        while time.monotonic() < self.until:
            self.number += 1
            yield f"/{self.seed}/{self.name}/{self.number - 1}"

    def uri(self, name: str) -> str:
        """Return where to connect for a connection with this name."""
        return f"{'wss' if self.tls else 'ws'}://{self.host}:{self.port}{name}"


class Commands:
    """
    Take what the test says to what does it.

    Args:
        handlers: Word -> what does it; ``run`` gets slots, others nothing.

    Attributes:
        over: What is called at the end.
    """

    def __init__(self, **handlers: Callable[..., object]) -> None:
        self._handlers = handlers
        self.over: Callable[[], object] = lambda: None

    def listen(self, call: Callable[..., object]) -> None:
        """Read in a thread; ``call`` is called with what does it, and its arguments."""
        threading.Thread(target=self._listen, args=(call,), name="control", daemon=True).start()

    def _listen(self, call: Callable[..., object]) -> None:
        for line in sys.stdin:
            words: dict[str, Any] = json.loads(line)
            arguments = [[Slot(**slot) for slot in words["slots"]]] if "slots" in words else []
            call(self._handlers[words["do"]], *arguments)
        call(self.over)
