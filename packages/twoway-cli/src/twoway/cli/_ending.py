"""What the end of a connection means for the command."""

from __future__ import annotations

from twoway.asyncio import ConnectionClosed

from ._exits import Exit
from ._failures import Stop, judge


def check_end(exc: ConnectionClosed) -> str:
    """
    Tell whether the end of a connection was an orderly one.

    Args:
        exc: What told of the end.

    Returns:
        How it ended, for people.

    Raises:
        Stop: It was not.
    """
    failure = judge(exc)
    if failure.exit is not Exit.OK:
        raise Stop(failure)
    return failure.sentence
