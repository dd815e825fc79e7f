"""What is said on a connection, known to both sides by its name, and the record of what has come."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

#: Sizes of messages: how often, and from where to where; bytes, or characters of text.
SIZES = ((6, (0, 125)), (4, (126, 2000)), (2, (2000, 66_000)), (1, (66_000, 150_000)))
#: A message is sent in fragments so often.
FRAGMENTED = 0.2
#: How somebody receives.
STYLES = ("iterate", "recv", "timeouts", "batch", "streaming")
#: How a connection ends: "close" after all messages of both sides; "hasty" right after one's own; "leave" does the
#: same by leaving the block of the connection, or the handler; "abort".
ENDS = ("close", "hasty", "leave", "abort")
#: After so many messages comes a ping.
PING_EVERY = 5

#: For both sides. Far longer than a healthy connection needs, and short enough to wait for; seconds.
LIMITS: dict[str, Any] = {"open_timeout": 5, "ping_interval": 1, "ping_timeout": 3, "close_timeout": 6}


@dataclass(frozen=True)
class Plan:
    """
    Say what happens on a connection; both sides know it by the connection's name.

    Args:
        name: Of the connection.
        counts: Side -> number of messages that it sends.
        closer: The side that ends the connection.
        end: One of `ENDS`.
        styles: Side -> one of `STYLES`.
        compression: What the client offers.
    """

    name: str
    counts: dict[str, int]
    closer: str
    end: str
    styles: dict[str, str]
    compression: str | None

    @classmethod
    def make(cls, name: str) -> Plan:
        """Make the plan for a name; always the same one."""
        dice = random.Random(name)
        sides = ("client", "server")
        return cls(
            name,
            {side: dice.choice((0, 1, 10, 40)) for side in sides},
            dice.choice(sides),
            dice.choices(ENDS, (20, 6, 4, 2))[0],
            {side: dice.choice(STYLES) for side in sides},
            dice.choice((None, "deflate")),
        )

    def message(self, side: str, number: int) -> str | bytes:
        """Make a message."""
        dice = random.Random(f"{self.name} {side} {number}")
        low, high = dice.choices([size for _, size in SIZES], [weight for weight, _ in SIZES])[0]
        size = dice.randint(low, high)
        # The number comes first, so that two messages are different unless they are very short.
        start = f"{side[0]}{number} "
        if dice.random() < 0.5:
            return (start + dice.choice(("w", "\u00fc", "\U0001f600")) * size)[:size]
        return (start.encode() + dice.randbytes(50) * (size // 50 + 1))[:size]

    def outgoing(self, side: str) -> Iterator[str | bytes | list[str] | list[bytes]]:
        """Give what a side sends: whole messages, and lists of fragments."""
        dice = random.Random(f"{self.name} {side} fragments")
        for number in range(self.counts[side]):
            message = self.message(side, number)
            cut = dice.randint(0, len(message))
            if dice.random() < FRAGMENTED:
                yield [message[:cut], message[cut:]]  # type: ignore[list-item]
            else:
                yield message


@dataclass
class Record:
    """
    Hold what one side saw of a connection.

    Attributes:
        name: Of the connection.
        side: Which one.
        opened: Whether the opening handshake succeeded.
        sent: Number of messages whose `send` returned.
        received: Number of messages that came, each the right one.
        wrong: What came instead of the right one, if anything.
        orderly: Whether the connection reported success: a closing handshake with good codes.
        cause: Name of the cause that was reported.
        code: The close code received.
        error: Class and text of an error in the opening handshake.
        chained: Class of the error behind the end.
        bug: An exception that is not documented.
    """

    name: str
    side: str
    opened: bool = False
    sent: int = 0
    received: int = 0
    wrong: str = ""
    orderly: bool = False
    cause: str = ""
    code: int | None = None
    error: str = ""
    chained: str = ""
    bug: str = ""
    plan: Plan = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.plan = Plan.make(self.name)

    def note(self, message: str | bytes) -> None:
        """Compare a message that has come with the one that is due."""
        peer = "client" if self.side == "server" else "server"
        due = self.plan.message(peer, self.received)
        if type(message) is type(due) and message == due and self.received < self.plan.counts[peer]:
            self.received += 1
        elif not self.wrong:
            self.wrong = f"instead of message {self.received}, {_show(due)}, came {_show(message)}"

    def expects_more(self) -> bool:
        """Tell whether the peer has not sent all of its messages yet."""
        return self.received < self.plan.counts["client" if self.side == "server" else "server"]

    def end(self, exc: Any, orderly: bool) -> None:
        """Note how the connection ended."""
        self.orderly = orderly
        self.cause = exc.cause.name
        self.code = exc.rcvd and int(exc.rcvd.code)
        self.chained = type(exc.__cause__).__name__ if exc.__cause__ else ""

    def write(self) -> None:
        """Print the record as a line of JSON."""
        values = asdict(self)
        del values["plan"]
        say({"record": values})

    @classmethod
    def read(cls, values: dict[str, Any]) -> Record:
        """Make a record from what was printed."""
        return cls(**values)


def _show(message: str | bytes) -> str:
    return f"{message[:24]!r} ({type(message).__name__}, {len(message)})"


_mutex = threading.Lock()


def say(what: dict[str, Any]) -> None:
    """Print a line for the test; any thread may."""
    with _mutex:
        print(json.dumps(what), flush=True)
