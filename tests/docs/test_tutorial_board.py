"""The board that the tutorial builds in three parts: its programs, run as they stand there."""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from twoway.asyncio import ConnectionClosed, InvalidStatus, connect

DOCS = Path(__file__).resolve().parents[2] / "docs"
FOLDER = DOCS / "examples" / "tutorial"
SHOWN = re.compile(r'```\w+ title="docs/examples/tutorial/([^"]+)"\n(.*?)```', re.DOTALL)
LINE = {"draw": [1, 2, 3, 4, 5]}

posix_only = pytest.mark.skipif(os.name == "nt", reason="no SIGTERM and no Unix sockets there")


def read(name):
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, port):
    """A copy of the programs, with other ports."""
    for path in FOLDER.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = tmp_path / path.relative_to(FOLDER)
            target.parent.mkdir(exist_ok=True)
            target.write_text(path.read_text(encoding="utf-8").replace("8765", str(port)), encoding="utf-8")
    return tmp_path


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner.run


async def hear(connection, kind):
    """Give what the next message of a kind says."""
    async for message in connection:
        change = json.loads(message)
        if kind in change:
            return change[kind]
    raise AssertionError(f"no {kind!r} came")


async def hear_who(connection, *names):
    """Wait until these people are there."""
    while await hear(connection, "people") != list(names):
        pass


def fetch(port, path="/", context=None, host="127.0.0.1", **headers):
    if context is None:
        connection = http.client.HTTPConnection(host, port)
    else:
        connection = http.client.HTTPSConnection(host, port, context=context)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.text = response.read().decode()
    connection.close()
    return response


# The pages


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("board.md", {"board.py", "server.py", "page/index.html", "page/board.css", "page/board.js"}),
        ("login-and-tls.md", {"login.py", "secure_server.py", "draw.py"}),
        ("deployment.md", {"hub.py", "worker.py", "deploy.py", "nginx.conf", "board.service"}),
    ],
)
def test_pages_show_the_files_as_they_are(page, names):
    shown = dict(SHOWN.findall((DOCS / "tutorial" / page).read_text(encoding="utf-8")))
    assert shown == {name: read(name) for name in names}


# Part 1


def test_the_page_comes_with_all_that_it_needs(folder, serve, port):
    serve(read("server.py"))
    page = fetch(port)
    assert (page.status, page.text) == (200, read("page/index.html"))
    assert page.headers["Content-Security-Policy"] == "default-src 'self'"
    for path in re.findall(r'(?:href|src)="([^"]+)"', page.text):
        assert (fetch(port, path).status, path in page.text) == (200, True)
    assert [fetch(port, path).status for path in ("/nothing", "/ws")] == [404, 426]


def test_all_see_what_is_drawn(folder, serve, port, runner):
    async def draw():
        async with connect(f"ws://127.0.0.1:{port}/ws") as ada, connect(f"ws://127.0.0.1:{port}/ws") as bob:
            assert await hear(ada, "board") == await hear(bob, "board") == []
            await hear_who(ada, "somebody", "somebody")
            await ada.send(json.dumps(LINE))
            assert await hear(ada, "draw") == await hear(bob, "draw") == LINE["draw"]
            async with connect(f"ws://127.0.0.1:{port}/ws") as late:
                assert await hear(late, "board") == [LINE["draw"]]
            await bob.send('{"clear": true}')
            assert await hear(ada, "board") == []
            await bob.close()
            await hear_who(ada, "somebody")

    serve(read("server.py"))
    runner(draw())


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 1008),
        ("[]", 1008),
        (b"\xff", 1008),
        ('{"clear": 1}', 1008),
        ('{"draw": [1, 2, 3, 4]}', 1008),
        ('{"draw": [1, 2, 3, 4, true]}', 1008),
        ('{"draw": [1, 2, 3, 1000, 5]}', 1008),
        ('{"draw": [1, 2, 3, 4, 6]}', 1008),
        ("[" * 201, 1009),
    ],
)
def test_nonsense_ends_the_connection_of_its_sender_alone(folder, serve, port, runner, message, code):
    async def draw():
        async with connect(f"ws://127.0.0.1:{port}/ws") as good, connect(f"ws://127.0.0.1:{port}/ws") as bad:
            await bad.send(message)
            with pytest.raises(ConnectionClosed) as info:
                while True:
                    await bad.recv()
            assert info.value.code == code
            await good.send(json.dumps(LINE))
            assert await hear(good, "draw") == LINE["draw"]

    process = serve(read("server.py"))
    runner(draw())
    process.kill()
    assert process.communicate()[1] == ""


# Part 2


@pytest.fixture
def context(folder):
    """What trusts the certificate that the command on the page makes."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    page = (DOCS / "tutorial" / "login-and-tls.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ (openssl (?:.*\\\n)*.*)$", page, re.MULTILINE)
    subprocess.run(["sh", "-c", command], cwd=folder, check=True, capture_output=True)
    return ssl.create_default_context(cafile=folder / "cert.pem")


ADA = {"Authorization": "Basic YWRhOmNvcnJlY3QgaG9yc2U="}


def test_who_logs_in_gets_a_token_that_opens_the_board(folder, context, serve, port, runner):
    async def take_part(cookie):
        uri, own = f"wss://localhost:{port}/ws", f"https://localhost:{port}"
        options = {"ssl": context, "origin": own, "additional_headers": {"Cookie": cookie}}
        async with connect(uri, **options) as connection:
            await hear_who(connection, "ada")
        for changes, status in (
            ({"origin": "https://evil.example"}, 403),
            ({"additional_headers": {"Cookie": cookie[:-1]}}, 401),
            ({"additional_headers": {"Cookie": cookie.replace("=", "=x", 1)}}, 401),
            ({"additional_headers": {"Cookie": cookie, "Host": "evil.example"}}, 421),
        ):
            with pytest.raises(InvalidStatus) as info:
                await connect(uri, **{**options, **changes})
            assert info.value.response.status_code == status

    serve(read("secure_server.py"))
    refused = fetch(port, context=context, host="localhost")
    assert (refused.status, refused.headers["WWW-Authenticate"].partition(" ")[0]) == (401, "Basic")
    assert "Set-Cookie" not in refused.headers
    page = fetch(port, context=context, host="localhost", **ADA)
    assert (page.status, page.text) == (200, read("page/index.html"))
    cookie, *attributes = page.headers["Set-Cookie"].split("; ")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert fetch(port, "/board.js", context=context, host="localhost", Cookie=cookie).status == 200
    runner(take_part(cookie))


def test_a_program_draws_a_circle(folder, context, serve, run):
    serve(read("secure_server.py"))
    assert run(read("draw.py")) == "There is a circle on the board.\n"


def test_a_token_ends_with_its_time_and_belongs_to_its_secret(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    for name in ("board", "server", "login"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    login = module.Login(b"secret")
    token = login.make_token("gr\u00fcn", 1000)
    assert login.read_token(token, 1000 + module.LIFETIME - 1) == "gr\u00fcn"
    assert login.read_token(token, 1000 + module.LIFETIME) is None
    assert module.Login(b"another").read_token(token, 1000) is None
    assert [login.read_token(text, 1000) for text in ("", ".", "x", "\u00e4.\u00e4")] == [None] * 4


# Part 3; with nginx in front it is in tests/servers


@pytest.fixture
def ports():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@pytest.fixture
def deploy(folder, ports):
    """Start all processes, and wait until they are ready."""
    running = []
    program = folder / "deploy.py"
    text = read("deploy.py").replace("8001", str(ports[0])).replace("8002", str(ports[1]))
    program.write_text(text, encoding="utf-8")
    environment = {**os.environ, "BOARD_FOLDER": str(folder), "BOARD_ORIGIN": "https://board.example"}

    def deploy():
        process = subprocess.Popen(
            [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=environment
        )
        running.append(process)
        ready = [process.stdout.readline() for _ in range(3)]
        assert ready == ["The hub is ready.\n", *(f"Worker {port} is ready.\n" for port in ports)]
        return process

    yield deploy
    for process in running:
        process.terminate()
        process.communicate()


def join(port, auth=("ada", "correct horse")):
    return connect(f"ws://127.0.0.1:{port}/ws", auth=auth, additional_headers={"Host": "board.example"})


@posix_only
def test_several_processes_have_one_board(deploy, ports, runner):
    first, second = ports

    async def draw(process):
        async with AsyncExitStack() as stack:
            ada = await stack.enter_async_context(join(first))
            bob = await stack.enter_async_context(join(second, ("bob", "battery staple")))
            await hear_who(bob, "ada", "bob")
            await ada.send(json.dumps(LINE))
            assert await hear(ada, "draw") == await hear(bob, "draw") == LINE["draw"]
            process.send_signal(signal.SIGHUP)
            for connection, port in ((ada, first), (bob, second)):
                await connection.wait_closed()
                assert connection.close_code == 1012
                assert await asyncio.to_thread(process.stdout.readline) == f"Worker {port} is ready.\n"
                again = await stack.enter_async_context(join(port))
                assert await hear(again, "board") == [LINE["draw"]]

    process = deploy()
    runner(draw(process))
    process.terminate()
    output, errors = process.communicate()
    assert (process.returncode, output) == (0, "All have ended.\n")
    assert "Traceback" not in errors


@posix_only
def test_the_board_is_there_after_a_restart(deploy, ports, runner):
    async def draw():
        async with join(ports[0]) as ada:
            await ada.send(json.dumps(LINE))
            await hear(ada, "draw")

    async def look():
        async with join(ports[1]) as ada:
            return await hear(ada, "board")

    process = deploy()
    runner(draw())
    process.terminate()
    process.communicate()
    deploy()
    assert runner(look()) == [LINE["draw"]]


def test_the_service_waits_as_long_as_the_workers_may_take():
    (grace,) = re.findall(r"grace=([0-9]+), spread", read("worker.py"))
    (patience,) = re.findall(r"^TimeoutStopSec=([0-9]+)$", read("board.service"), re.MULTILINE)
    assert int(patience) >= int(grace) + 1 + 2 + 1  # the hub comes after them
