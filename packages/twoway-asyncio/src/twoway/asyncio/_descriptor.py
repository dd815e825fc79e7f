"""Whether a large frame may be written to a socket past its transport; the compiled twin spares a copy so."""

from __future__ import annotations

import asyncio

#: Transports of plain sockets that have nothing left to write when their write buffer is empty: module and class.
_PLAIN = frozenset(
    {
        ("aiofastnet.selector_transport", "SelectorSocketTransport"),
        ("asyncio.selector_events", "_SelectorSocketTransport"),
        ("twoway.asyncio._transport", "SocketTransport"),
        ("uvloop.loop", "TCPTransport"),
        ("uvloop.loop", "UnixTransport"),
    }
)


def free_descriptor(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> int:
    """
    Give the file descriptor of a socket for which nothing waits to be written.

    Args:
        transport: The transport of a connection.
        loop: Its loop.

    Returns:
        The descriptor, good until the caller gives up control; -1 if the transport has to do it.
    """
    kind = type(transport)
    if (kind.__module__, kind.__qualname__) not in _PLAIN or asyncio._get_running_loop() is not loop:
        return -1
    # Transports forget their sockets when they end; those of a loop that is over may not get to it.
    if transport.is_closing() or transport.get_write_buffer_size():
        return -1
    if getattr(transport, "_empty_waiter", None) is not None:  # somebody's sendfile(), which asyncio does without them
        return -1
    descriptor: int = transport.get_extra_info("socket").fileno()
    return descriptor
