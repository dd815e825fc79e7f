"""
The two drivers have the same names, parameters, defaults and first lines of docstrings, but for what the table allows.

A difference that is not in the table fails, and so does a row of the table that no longer describes one.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import twoway.asyncio
import twoway.threading

# The same thing, with and without `await`.
SPELLINGS = {"__aiter__": "__iter__", "__aenter__": "__enter__", "__aexit__": "__exit__"}

TIMEOUT = "Tasks are cancelled or wrapped in asyncio.timeout(); a thread that waits can only be given a timeout."
LOOP = "There is no event loop."
TRANSPORT = "Transports call protocols; asyncio wants these methods to be public."
IO_THREAD = "The I/O thread calls these; the twin of the methods for transports."
ARGUMENTS = "What asyncio hands on to the event loop as further keywords has no one to be handed on to, and is named."
DIRECT = "Without a loop that must run, the object can connect by itself: connect(uri).send(...)."
AWAIT = "It is awaited instead: await connect(uri), await serve(...)."
MADE = "Users do not make these; the arguments are those of the driver."

#: What may differ, and why.
ALLOWED = {
    "threading has Pong": "ping() gives an awaitable in asyncio; a thread needs something to wait on.",
    "Connection.__init__: threading has sock, tls, io": MADE,
    "ClientConnection.__init__: threading has args": MADE,
    "ServerConnection.__init__: threading has args": MADE,
    "Server.__init__: threading has max_threads, context": MADE,
    "asyncio has Connection.transport": "There is no transport.",
    "asyncio has ServerConnection.connection_lost": TRANSPORT,
    "asyncio has ServerConnection.connection_made": TRANSPORT,
    "threading has ServerConnection.handle": IO_THREAD,
    **{
        f"asyncio has Connection.{name}": TRANSPORT
        for name in (
            "buffer_updated",
            "connection_lost",
            "connection_made",
            "data_received",
            "eof_received",
            "get_buffer",
            "pause_writing",
            "resume_writing",
        )
    },
    "threading has Connection.socket": "The twin of the transport.",
    "threading has Connection.ssl_object": "In asyncio the transport has it.",
    **{
        f"threading has Connection.{name}": IO_THREAD
        for name in (
            "applied",
            "break_off",
            "deadline",
            "disown",
            "entry",
            "handle",
            "idle",
            "interest",
            "ready",
            "release",
            "tick",
        )
    },
    **{
        f"Connection.{name}: threading has timeout": TIMEOUT
        for name in ("recv", "recv_batch", "recv_streaming", "send", "wait_closed")
    },
    "ClientConnection.handshake: threading has timeout": TIMEOUT,
    "Server.wait_closed: threading has timeout": TIMEOUT,
    "Connection.recv: first lines differ": "Cancelling in asyncio, a timeout in threads.",
    "Connection.recv_batch: first lines differ": "Cancelling in asyncio, a timeout in threads.",
    "Server.serve_forever: first lines differ": "Tasks are cancelled, threads are interrupted.",
    "asyncio has Server.get_loop": LOOP,
    "connect.__init__: asyncio has kwargs": ARGUMENTS,
    "connect.__init__: threading has ssl, server_hostname, sock, host, port, local_addr, family": ARGUMENTS,
    "serve: asyncio has kwargs": ARGUMENTS,
    "serve: threading has max_threads, ssl, sock, family, backlog, reuse_port, start_serving": (
        f"{ARGUMENTS} And threads have to be bounded."
    ),
    "asyncio has connect.__await__": AWAIT,
    "threading has connect.connect": AWAIT,
    "threading has connect.close": DIRECT,
    "threading has connect.__getattr__": DIRECT,
}


def differences() -> Iterator[str]:
    """Yield one sentence for each difference."""
    left, right = set(twoway.asyncio.__all__), set(twoway.threading.__all__)
    yield from _only("", left, right)
    for name in sorted(left & right):
        ours, theirs = (getattr(module, name) for module in (twoway.asyncio, twoway.threading))
        if ours is theirs:
            continue
        yield from _compare_docs(name, ours, theirs)
        if inspect.isclass(ours) and inspect.isclass(theirs):
            yield from _compare_classes(name, ours, theirs)
        else:  # `serve` is a class for the sake of `await`
            yield from _compare_signatures(name, ours, theirs)


def _only(prefix: str, left: set[str], right: set[str]) -> Iterator[str]:
    yield from (f"asyncio has {prefix}{name}" for name in sorted(left - right))
    yield from (f"threading has {prefix}{name}" for name in sorted(right - left))


def _compare_classes(name: str, ours: type, theirs: type) -> Iterator[str]:
    left, right = _members(ours, twoway.asyncio), _members(theirs, twoway.threading)
    yield from _only(f"{name}.", set(left), set(right))
    for member in sorted(left.keys() & right.keys()):
        full = f"{name}.{member}"
        yield from _compare_docs(full, left[member], right[member])
        if callable(left[member]) and callable(right[member]):
            yield from _compare_signatures(full, left[member], right[member])
        elif isinstance(left[member], property) is not isinstance(right[member], property):
            yield f"{full}: one is a property"


def _members(item: type, module: ModuleType) -> dict[str, Any]:
    """Give what is public in a class, except what a public base class has shown already."""
    bases = [base for base in item.__mro__[1:] if base in [getattr(module, name) for name in module.__all__]]
    found = {}
    for name in dir(item):
        value = getattr(item, name)
        special = name in {*SPELLINGS, *SPELLINGS.values(), "__init__", "__await__", "__getattr__"}
        if (name.startswith("_") and not special) or value is getattr(object, name, None):
            continue
        if not any(value is getattr(base, name, None) for base in bases):
            found[SPELLINGS.get(name, name)] = value
    return found


def _compare_docs(name: str, ours: Any, theirs: Any) -> Iterator[str]:
    if not (callable(ours) or isinstance(ours, property)):
        return
    first = [(inspect.getdoc(item) or "").partition("\n")[0] for item in (ours, theirs)]
    if first[0] != first[1]:
        yield f"{name}: first lines differ"


def _compare_signatures(name: str, ours: Any, theirs: Any) -> Iterator[str]:
    left, right = (inspect.signature(item).parameters for item in (ours, theirs))
    for driver, here, there in (("asyncio", left, right), ("threading", right, left)):
        if extra := [parameter for parameter in here if parameter not in there]:
            yield f"{name}: {driver} has {', '.join(extra)}"
    common = [parameter for parameter in left if parameter in right]
    if common != [parameter for parameter in right if parameter in left]:
        yield f"{name}: the order of the parameters differs"
    for parameter in common:
        if left[parameter].default != right[parameter].default:
            yield f"{name}: the defaults of {parameter} differ"
        # What comes behind a timeout may have to be given by position in one and by name in the other.
        if left[parameter].kind != right[parameter].kind:
            yield f"{name}: {parameter} is given in different ways"


def test_the_drivers_differ_in_nothing_but_what_is_allowed() -> None:
    assert [text for text in differences() if text not in ALLOWED] == []


def test_every_allowed_difference_still_exists() -> None:
    assert set(ALLOWED) - set(differences()) == set()


@pytest.mark.parametrize(("name", "method"), [("connect", "create_connection"), ("serve", "create_server")])
def test_what_threads_name_the_event_loop_takes_too(name: str, method: str) -> None:
    """What asyncio takes as further keywords has the same names and defaults."""
    named = inspect.signature(getattr(twoway.threading, name)).parameters
    common = inspect.signature(getattr(twoway.asyncio, name)).parameters
    loop = inspect.signature(getattr(asyncio.AbstractEventLoop, method)).parameters
    extra = [parameter for parameter in named if parameter not in common and parameter != "max_threads"]
    assert [parameter for parameter in extra if parameter not in loop] == []
    # Some defaults of the loop are None where ours are 0 or False.
    assert [one for one in extra if (named[one].default or None) != (loop[one].default or None)] == []


@pytest.mark.parametrize("wrong", [{"max_size": -1}, {"ping_interval": 0}, {"max_queue": "1"}, {"compression": "zip"}])
@pytest.mark.parametrize("name", ["connect", "serve"])
def test_wrong_arguments_raise_the_same(name: str, wrong: dict[str, Any]) -> None:
    errors = []
    for module in (twoway.asyncio, twoway.threading):
        arguments = ("ws://localhost/",) if name == "connect" else (print, "127.0.0.1", 0)
        with pytest.raises((TypeError, ValueError)) as caught:
            getattr(module, name)(*arguments, **wrong)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]
