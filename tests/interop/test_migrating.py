"""The tables of docs/migrating.md list what differs from websockets: names, keywords, defaults, bases, and no other."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets.asyncio.client
import websockets.asyncio.server
import websockets.exceptions
import websockets.sync.client
import websockets.sync.server

import twoway.asyncio
import twoway.frames
import twoway.http
import twoway.protocol
import twoway.threading

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migrating.md"
MODULES = ("client", "server", "router")
#: Where a class of connections has a name that the other one has, too, the table says so once.
SIDES = ("ClientConnection", "ServerConnection")
PIECES = (twoway.protocol, twoway.http, twoway.frames)


def listed(heading: str) -> set[str]:
    """Return what stands in the first column of the table below a heading, in backticks."""
    _, found, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    assert found
    rows = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|")][2:]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])}


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # attributes, and what is written in C
        return {}


def default(parameter: inspect.Parameter) -> str:
    return getattr(parameter.default, "__name__", None) or str(parameter.default)


def keywords(name: str, theirs: Any, ours: Any) -> Iterator[str]:
    """Yield keywords that ours lacks, or that have another default, or that can no longer be given by position."""
    own = parameters(ours)
    for keyword, parameter in parameters(theirs).items():
        shown = f"{name}(**{keyword})" if parameter.kind is parameter.VAR_KEYWORD else f"{name}({keyword}=)"
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if keyword not in own or default(own[keyword]) != default(parameter):
            yield shown
        elif parameter.kind is not own[keyword].kind:
            yield f"{shown} by position"


def public(names: Any) -> set[str]:
    return {name for name in dir(names) if not name.startswith("_")}


def differences(style: str, ours: Any, instances: dict[str, tuple[set[str], set[str]]]) -> set[str]:
    """Return what differs between the public names of websockets for a style of programming, and ours."""
    found: set[str] = set()
    for module in (importlib.import_module(f"websockets.{style}.{name}") for name in MODULES):
        for name in module.__all__:
            theirs, own = getattr(module, name), getattr(ours, name, None)
            if own is None:
                found.add(f"{name}()")
                continue
            if name not in instances:
                found.update(keywords(name, theirs, own))
            if inspect.isclass(theirs):
                found.update(members(name, theirs, own, *instances.get(name, (set(), set()))))
    return once(found)


def members(name: str, theirs: Any, own: Any, their_names: set[str], own_names: set[str]) -> Iterator[str]:
    missing = (public(theirs) | their_names) - public(own) - own_names
    yield from (f"{name}.{member}" for member in missing)
    for member in public(theirs) & public(own):
        if callable(getattr(theirs, member)):
            yield from keywords(f"{name}.{member}", getattr(theirs, member), getattr(own, member))


def once(names: set[str]) -> set[str]:
    """Write ``Connection`` for what both sides have, or lack."""
    one, other = SIDES
    common = {name for name in names if name.startswith(one) and name.replace(one, other, 1) in names}
    return (names - common - {name.replace(one, other, 1) for name in common}) | {
        name.replace(one, "Connection", 1) for name in common
    }


async def live(connect: Any, serve: Any) -> list[set[str]]:
    """Return the public names of both connections and of a server, those that only instances have included."""
    there: asyncio.Future[set[str]] = asyncio.get_running_loop().create_future()

    async def handler(connection: Any) -> None:
        there.set_result(public(connection))
        await connection.wait_closed()

    async with (
        serve(handler, "127.0.0.1", 0) as server,
        connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}") as connection,
    ):
        return [public(connection), await there, public(server)]


def live_in_threads(connect: Any, serve: Any) -> list[set[str]]:
    there: list[set[str]] = []
    come = threading.Event()

    def handler(connection: Any) -> None:
        there.append(public(connection))
        come.set()

    with serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        listening = server.sockets[0] if hasattr(server, "sockets") else server.socket
        with connect(f"ws://127.0.0.1:{listening.getsockname()[1]}") as connection:
            assert come.wait(10)
            names = [public(connection), *there, public(server)]
        (server.shutdown if serve is websockets.sync.server.serve else server.close)()
        thread.join()
    return names


def paired(theirs: list[set[str]], ours: list[set[str]]) -> dict[str, tuple[set[str], set[str]]]:
    return dict(zip((*SIDES, "Server"), zip(theirs, ours, strict=True), strict=True))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")
async def test_names_for_asyncio() -> None:
    theirs = await live(websockets.asyncio.client.connect, websockets.asyncio.server.serve)
    ours = await live(twoway.asyncio.connect, twoway.asyncio.serve)
    found = differences("asyncio", twoway.asyncio, paired(theirs, ours))
    assert found == listed("Every name that differs: asyncio")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_names_for_threads() -> None:
    theirs = live_in_threads(websockets.sync.client.connect, websockets.sync.server.serve)
    ours = live_in_threads(twoway.threading.connect, twoway.threading.serve)
    found = differences("sync", twoway.threading, paired(theirs, ours))
    assert found == listed("Every name that differs: threads")


def bases(exception: Any) -> set[str]:
    return {base.__name__ for base in exception.__mro__}


def test_exceptions() -> None:
    """Exceptions that are not in a driver, and those that another ``except`` catches."""
    found = set()
    for name in websockets.exceptions.__all__:
        own = getattr(twoway.asyncio, name, None)
        if own is None or bases(own) != bases(getattr(websockets.exceptions, name)):
            found.add(name)
        assert own is getattr(twoway.threading, name, None)
    assert found == listed("Exceptions with other names")


def test_exceptions_are_where_the_page_says() -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("\n## Exceptions with other names\n")
    places = re.findall(r"`(twoway\.\w+)\.(\w+)`", rest.partition("\n## ")[0])
    assert len(places) > 5
    for module, name in places:
        assert hasattr(importlib.import_module(module), name)


def test_other_names_have_a_home() -> None:
    """What `websockets` exports at the top and the drivers do not, the pieces have, or the page lists."""
    exported = set(websockets.__all__) - set(websockets.exceptions.__all__)
    missing = {name for name in exported if not any(hasattr(piece, name) for piece in (twoway.asyncio, *PIECES))}
    assert missing == listed("Types and other names")
