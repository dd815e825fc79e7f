"""One message to many connections, without waiting for the slowest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from twoway.frames import CloseCode
from twoway.protocol import SharedMessage

from ._connection import Connection
from ._path import DataLike

_POLICIES = ("skip", "close")


def broadcast(
    connections: Iterable[Connection],
    message: DataLike,
    *,
    text: bool | None = None,
    compress: bool | None = None,
    policy: Literal["skip", "close"] = "skip",
) -> list[Connection]:
    """
    Send a message on many connections; this never waits.

    A connection whose write buffer is over its limit does not get the message, so that it cannot eat memory; neither
    does one on which a fragmented message is being sent, or one that is not open.

    Args:
        connections: Where to send; not kept.
        message: ``str`` is sent as a text message, bytes-like objects as a binary one; not kept.
        text: True sends bytes-like objects, which must be UTF-8, as text; False sends ``str`` as binary.
        compress: True compresses the message, False does not; None lets the extension decide.
        policy: ``"skip"`` leaves slow connections alone; ``"close"`` fails them with 1008.

    Returns:
        The connections that did not get the message.

    Raises:
        TypeError: ``message`` is neither ``str`` nor bytes-like; a caller's bug.
        ValueError: ``policy`` is unknown, or a text is not UTF-8; a caller's bug.

    Spec:
        RFC 6455 §5.6.

    Cost:
        The frame is made, and compressed, once for all server connections with equal settings.
    """
    if policy not in _POLICIES:
        raise ValueError(f"policy must be 'skip' or 'close', not {policy!r}")
    shared = SharedMessage(message, text=text, compress=compress)
    left_out = []
    for connection in connections:
        sent = connection._send_shared(shared)
        if not sent:
            left_out.append(connection)
            if policy == "close" and sent is False:
                connection._fail(CloseCode.POLICY_VIOLATION, "too slow to receive")
    return left_out
