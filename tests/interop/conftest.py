"""
Links with real peers for every test, and an event loop that lives as long as they do.

A test that takes ``link`` runs once for each peer and each role of it; ``@pytest.mark.needs("ping", "serve")`` leaves
those out that cannot do what it asks for. Tests may be coroutine functions. Nothing is ever skipped: a peer that is not
installed fails its tests, and ``install.py`` beside this file installs it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import logging
import signal
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent))

from interop_peers.base import Certificates, Peer
from interop_peers.devtools import Browser
from interop_peers.link import Link
from interop_peers.with_aiohttp import Aiohttp
from interop_peers.with_chromium import Chromium
from interop_peers.with_websocket_client import WebsocketClient
from interop_peers.with_websockets import Websockets
from interop_peers.with_ws import NodeProcess, Ws

# For one test; a hundred times what the slowest needs. Seconds.
DEADLINE = 40
# Peer -> the fixture that makes it.
PEERS: dict[type[Peer], str] = {
    Websockets: "websockets_peer",
    Aiohttp: "aiohttp_peer",
    WebsocketClient: "websocket_client_peer",
    Ws: "ws_peer",
    Chromium: "chromium_peer",
}


def pytest_configure(config: pytest.Config) -> None:
    # Whoever ends us, ends the browser and node, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "needs(*abilities): what a peer must be able to do, see Peer.can")
    config.addinivalue_line("markers", "only(*roles): what the peer is, client or server")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "link" in metafunc.fixturenames:
        links = list(_links(metafunc.definition))
        metafunc.parametrize("link", links, ids=["-".join(link) for link in links], indirect=True)


def _links(item: pytest.Item) -> Iterator[tuple[str, str]]:
    needs = {ability for mark in item.iter_markers("needs") for ability in mark.args}
    roles = [mark.args for mark in item.iter_markers("only")] or [("client", "server")]
    for peer in PEERS:
        for role in roles[0]:
            if needs | ({"serve"} if role == "server" else set()) <= peer.can:
                yield peer.name, role


@pytest.fixture
def link(request: pytest.FixtureRequest) -> Link:
    name, role = request.param
    fixture = next(fixture for peer, fixture in PEERS.items() if peer.name == name)
    return Link(request.getfixturevalue(fixture), role)


# Peers


@pytest.fixture(scope="session")
def websockets_peer() -> Websockets:
    return Websockets()


@pytest.fixture(scope="session")
def aiohttp_peer() -> Aiohttp:
    return Aiohttp()


@pytest.fixture(scope="session")
def websocket_client_peer() -> WebsocketClient:
    return WebsocketClient()


@pytest.fixture(scope="session")
def ws_peer(runner: asyncio.Runner, install: Any) -> Iterator[Ws]:
    program = install.program("node")
    if program is None or not install.WS.is_dir():
        pytest.fail("node or its package ws is not installed; run: python tests/interop/install.py")
    node = runner.run(NodeProcess.start(program, install.WS))
    yield Ws(node)
    assert runner.run(node.stop()) == 0


@pytest.fixture(scope="session")
def browser(runner: asyncio.Runner, install: Any, certificates: Certificates) -> Iterator[Browser]:
    program = install.program("a browser")
    if program is None:
        pytest.fail("a browser is not installed; run: python tests/interop/install.py")
    browser = runner.run(Browser.start(program, [f"--ignore-certificate-errors-spki-list={certificates.pin}"]))
    yield browser
    assert runner.run(browser.stop()) == 0


@pytest.fixture(scope="session")
def chromium_peer(runner: asyncio.Runner, browser: Browser) -> Chromium:
    async def prepare() -> Chromium:
        return await Chromium.on(await browser.open())

    return runner.run(prepare())


@pytest.fixture(scope="session")
def install() -> Any:
    spec = importlib.util.spec_from_file_location("interop_install", Path(__file__).with_name("install.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    client = ssl.create_default_context()
    certificate.configure_cert(server)
    authority.configure_trust(client)
    files = [str(folder / name) for name in ("chain.pem", "key.pem", "authority.pem")]
    certificate.cert_chain_pems[0].write_to_path(files[0])
    certificate.private_key_pem.write_to_path(files[1])
    authority.cert_pem.write_to_path(files[2])
    return Certificates(server, client, *files)


# Running coroutine functions


@pytest.fixture(scope="session", autouse=True)
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    pyfuncitem.funcargs["runner"].run(_supervise(pyfuncitem.obj, arguments))
    return True


async def _supervise(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Run a test under its deadline; fail if it leaves a task behind, or an error that nobody looked at."""
    before, errors, loop = asyncio.all_tasks(), [], asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: errors.append(context))
    show = loop.call_later(DEADLINE - 1, _show_tasks)
    async with asyncio.timeout(DEADLINE):
        await function(**arguments)
        if left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
    show.cancel()
    assert not errors, errors


def _show_tasks() -> None:
    """Print what waits for what: with a failure, pytest shows it."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stdout)


@pytest.fixture(autouse=True)
def no_error_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    records = [record for record in caplog.get_records("call") if record.name.startswith("twoway")]
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []
