"""The peers of the ledger with `twoway.threading`."""

from __future__ import annotations

import signal
import ssl
import threading
import traceback
from collections.abc import Sequence
from typing import Any

from twoway.threading import ConnectionClosed, ConnectionClosedOK, InvalidHandshake, Server, connect, serve

from . import census
from .control import Commands, Slot
from .workload import LIMITS, PING_EVERY, Record, say


def converse(connection: Any, record: Record) -> None:
    """Do what the plan says for this side, and note what happens, to the end of the connection."""
    plan, ends = record.plan, record.plan.closer == record.side
    sending = threading.Thread(target=send_all, args=(connection, record), name="sender")
    sending.start()
    try:
        if not ends or plan.end == "close":
            while not ends or record.expects_more():
                take(connection, plan.styles[record.side], record)
        sending.join()
        if plan.end == "leave":
            return
        if plan.end == "abort":
            connection.abort()
        connection.close()
    except ConnectionClosed:
        pass
    finally:
        sending.join()
    see_end(connection, record)


def see_end(connection: Any, record: Record) -> None:
    """Receive what came before the peer's Close frame, and note how the connection ended."""
    try:
        while True:
            record.note(connection.recv())
    except ConnectionClosed as exc:
        record.end(exc, isinstance(exc, ConnectionClosedOK))


def send_all(connection: Any, record: Record) -> None:
    """Send this side's messages, as far as the connection lasts."""
    try:
        for message in record.plan.outgoing(record.side):
            connection.send(message)
            record.sent += 1
            if record.sent % PING_EVERY == 0:
                connection.ping()
    except ConnectionClosed:
        pass
    except Exception:
        record.bug = traceback.format_exc()


def take(connection: Any, style: str, record: Record) -> None:
    """Receive at least one message, in the way that is given."""
    match style:
        case "iterate":
            for message in connection:
                record.note(message)
                if not record.expects_more():
                    return
            record.note(connection.recv())  # raises what ended the iteration
        case "recv":
            record.note(connection.recv())
        case "timeouts":
            try:
                message = connection.recv(timeout=0.003)
            except TimeoutError:
                return
            record.note(message)
        case "batch":
            for message in connection.recv_batch():
                record.note(message)
        case "streaming":
            parts = list(connection.recv_streaming())
            record.note(type(parts[0])().join(parts))


def one(slot: Slot, name: str, context: ssl.SSLContext | None) -> None:
    """Make one connection of a client."""
    record = Record(name, "client")
    try:
        with connect(slot.uri(name), ssl=context, compression=record.plan.compression, **LIMITS) as connection:
            record.opened = True
            converse(connection, record)
        see_end(connection, record)
    except (OSError, InvalidHandshake) as exc:
        record.error = f"{type(exc).__name__}: {exc}"
    except Exception:
        record.bug = traceback.format_exc()
    record.write()


def run_slots(slots: list[Slot], context: ssl.SSLContext | None) -> None:
    """Make one connection after the other in each slot, until it is over."""

    def run(slot: Slot) -> None:
        for name in slot.names():
            one(slot, name, context if slot.tls else None)

    threads = [threading.Thread(target=run, args=(slot,), name=f"slot {slot.name}") for slot in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say({"done": {slot.name: slot.number for slot in slots}})


def handle(connection: Any) -> None:
    """Be the server's side of a connection."""
    record = Record(connection.request.path, "server", opened=True)
    try:
        converse(connection, record)
    except Exception:
        record.bug = traceback.format_exc()
    threading.Thread(target=write_at_end, args=(connection, record), name="end").start()


def write_at_end(connection: Any, record: Record) -> None:
    """Wait for the end of a connection that its handler has left, and write its record."""
    see_end(connection, record)
    record.write()


def run_client(context: ssl.SSLContext | None) -> None:
    """Do what the test says."""
    obey(Commands(run=lambda slots: run_slots(slots, context), census=lambda: say({"census": census.take(None)})))


def echo(connection: Any) -> None:
    """Send back what comes."""
    for message in connection:
        connection.send(message)


def run_server(
    handler: Any,
    host: str,
    ports: Sequence[tuple[int, ssl.SSLContext | None]],
    options: dict[str, Any],
    grace: float = 5,
) -> None:
    """Serve until the test, or SIGTERM, says that it is over."""
    servers: list[Server] = []
    for port, context in ports:
        servers.append(serve(handler, host, port, ssl=context, **options))
        servers[-1].start_serving()

    def count() -> None:
        say({"connections": sum(len(server.connections) for server in servers)})

    say({"ports": [server.sockets[0].getsockname()[1] for server in servers]})
    obey(Commands(census=lambda: say({"census": census.take(None)}), connections=count))
    reports = [server.shutdown(grace=grace) for server in servers]
    say({"shutdown": [{name: getattr(report, name) for name in report.__slots__} for report in reports]})


def obey(commands: Commands) -> None:
    """Call what the lines on the standard input say, until it ends or SIGTERM comes."""
    over = threading.Event()
    commands.over = over.set
    threading.Thread(target=lambda: (signal.sigwait({signal.SIGTERM}), over.set()), name="signals", daemon=True).start()
    commands.listen(lambda call, *arguments: call(*arguments))
    over.wait()
