"""The peers of the ledger with `twoway.asyncio`."""

from __future__ import annotations

import asyncio
import signal
import ssl
import traceback
from collections.abc import Sequence
from typing import Any

from twoway.asyncio import ConnectionClosed, ConnectionClosedOK, InvalidHandshake, Server, connect, serve

from . import census
from .control import Commands, Slot
from .workload import LIMITS, PING_EVERY, Record, say

_ends: set[asyncio.Task[None]] = set()


async def converse(connection: Any, record: Record) -> None:
    """Do what the plan says for this side, and note what happens, to the end of the connection."""
    plan, ends = record.plan, record.plan.closer == record.side
    sending = asyncio.create_task(send_all(connection, record))
    try:
        if not ends or plan.end == "close":
            while not ends or record.expects_more():
                await take(connection, plan.styles[record.side], record)
        await sending
        if plan.end == "leave":
            return
        if plan.end == "abort":
            connection.abort()
        await connection.close()
    except ConnectionClosed:
        pass
    finally:
        await sending
    await see_end(connection, record)


async def see_end(connection: Any, record: Record) -> None:
    """Receive what came before the peer's Close frame, and note how the connection ended."""
    try:
        while True:
            record.note(await connection.recv())
    except ConnectionClosed as exc:
        record.end(exc, isinstance(exc, ConnectionClosedOK))


async def send_all(connection: Any, record: Record) -> None:
    """Send this side's messages, as far as the connection lasts."""
    try:
        for message in record.plan.outgoing(record.side):
            await connection.send(message)
            record.sent += 1
            if record.sent % PING_EVERY == 0:
                await connection.ping()
    except ConnectionClosed:
        pass
    except Exception:
        record.bug = traceback.format_exc()


async def take(connection: Any, style: str, record: Record) -> None:
    """Receive at least one message, in the way that is given."""
    match style:
        case "iterate":
            async for message in connection:
                record.note(message)
                if not record.expects_more():
                    return
            record.note(await connection.recv())  # raises what ended the iteration
        case "recv":
            record.note(await connection.recv())
        case "timeouts":
            try:
                async with asyncio.timeout(0.003):
                    message = await connection.recv()
            except TimeoutError:
                return
            record.note(message)
        case "batch":
            for message in await connection.recv_batch():
                record.note(message)
        case "streaming":
            parts = [part async for part in connection.recv_streaming()]
            record.note(type(parts[0])().join(parts))


async def one(slot: Slot, name: str, context: ssl.SSLContext | None) -> None:
    """Make one connection of a client."""
    record = Record(name, "client")
    try:
        async with connect(slot.uri(name), ssl=context, compression=record.plan.compression, **LIMITS) as connection:
            record.opened = True
            await converse(connection, record)
        await see_end(connection, record)
    except (OSError, InvalidHandshake) as exc:
        record.error = f"{type(exc).__name__}: {exc}"
    except Exception:
        record.bug = traceback.format_exc()
    record.write()


async def run_slots(slots: list[Slot], context: ssl.SSLContext | None) -> None:
    """Make one connection after the other in each slot, until it is over."""

    async def run(slot: Slot) -> None:
        for name in slot.names():
            await one(slot, name, context if slot.tls else None)

    await asyncio.gather(*map(run, slots))
    say({"done": {slot.name: slot.number for slot in slots}})


async def handle(connection: Any) -> None:
    """Be the server's side of a connection."""
    record = Record(connection.request.path, "server", opened=True)
    try:
        await converse(connection, record)
    except Exception:
        record.bug = traceback.format_exc()
    _ends.add(task := asyncio.create_task(write_at_end(connection, record)))
    task.add_done_callback(_ends.discard)


async def write_at_end(connection: Any, record: Record) -> None:
    """Wait for the end of a connection that its handler has left, and write its record."""
    await see_end(connection, record)
    record.write()


async def run_client(context: ssl.SSLContext | None) -> None:
    """Do what the test says."""
    loop = asyncio.get_running_loop()
    tasks = set()

    def run(slots: list[Slot]) -> None:
        tasks.add(task := loop.create_task(run_slots(slots, context)))
        task.add_done_callback(tasks.discard)

    await obey(Commands(run=run, census=lambda: say({"census": census.take(loop)})))


async def echo(connection: Any) -> None:
    """Send back what comes."""
    async for message in connection:
        await connection.send(message)


async def run_server(
    handler: Any,
    host: str,
    ports: Sequence[tuple[int, ssl.SSLContext | None]],
    options: dict[str, Any],
    grace: float = 5,
) -> None:
    """Serve until the test, or SIGTERM, says that it is over."""
    loop = asyncio.get_running_loop()
    servers: list[Server] = []
    for port, context in ports:
        servers.append(await serve(handler, host, port, ssl=context, **options))

    def count() -> None:
        say({"connections": sum(len(server.connections) for server in servers)})

    commands = Commands(census=lambda: say({"census": census.take(loop)}), connections=count)
    loop.add_signal_handler(signal.SIGTERM, lambda: commands.over())
    say({"ports": [server.sockets[0].getsockname()[1] for server in servers]})
    await obey(commands)
    reports = await asyncio.gather(*(server.shutdown(grace=grace) for server in servers))
    say({"shutdown": [{name: getattr(report, name) for name in report.__slots__} for report in reports]})


async def obey(commands: Commands) -> None:
    """Call in the event loop what the lines on the standard input say, until it ends."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    commands.over = over.set
    commands.listen(loop.call_soon_threadsafe)
    await over.wait()
