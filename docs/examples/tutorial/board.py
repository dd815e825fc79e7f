from __future__ import annotations

import json
from collections import deque
from typing import Any, TypeAlias

WIDTH = 1000  # coordinates are 0 to 999, both ways
COLORS = 6
MAX_LINES = 5000  # then the oldest ones fade away

Change: TypeAlias = dict[str, Any]


class Board:
    def __init__(self) -> None:
        self.lines: deque[list[int]] = deque(maxlen=MAX_LINES)

    def apply(self, change: Change) -> None:
        if "board" in change:
            self.lines = deque(change["board"], maxlen=MAX_LINES)
        elif "draw" in change:
            self.lines.append(change["draw"])

    def whole(self) -> Change:
        return {"board": list(self.lines)}


def read_wish(message: str | bytes) -> Change:
    """What a client wants to change; ValueError if that is nothing that the board knows."""
    match json.loads(message):
        case {"draw": [*numbers]} if len(numbers) == 5 and all(type(number) is int for number in numbers):
            *places, color = numbers
            if all(0 <= place < WIDTH for place in places) and 0 <= color < COLORS:
                return {"draw": numbers}
        case {"clear": True}:
            return {"board": []}
    raise ValueError("the board does not know that")
