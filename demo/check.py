"""The scripted conversation: server and clients in one process, a line for each step, an exit status."""

from __future__ import annotations

import asyncio
import faulthandler
import http.client
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from server import HOST, REFUSED, listen, port_of

from twoway.asyncio import ClientConnection, ConnectionClosed, InvalidStatus, Server, connect

STEP_TIMEOUT = 5.0  # seconds
DEADLINE = 45.0  # for everything; seconds


class Stage:
    """Hold the server and those who talk."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = port_of(server)
        self.origin = f"http://{HOST}:{self.port}"
        self.uri = f"ws://{HOST}:{self.port}/ws"
        self.guests: dict[str, ClientConnection] = {}

    async def join(self, name: str) -> dict[str, Any]:
        """Join as a browser would, from our page; return the answer."""
        self.guests[name] = await connect(self.uri, origin=self.origin)
        await self.guests[name].send(json.dumps({"type": "join", "name": name}))
        return await self.hear(name, "welcome")

    async def say(self, name: str, text: str) -> None:
        """Say a line."""
        await self.guests[name].send(json.dumps({"type": "say", "text": text}))

    async def hear(self, name: str, kind: str) -> dict[str, Any]:
        """Receive the next message of a guest, which must be of this kind."""
        message: dict[str, Any] = json.loads(await self.guests[name].recv())
        expect(message["type"], kind)
        return message

    async def fetch(self, method: str, path: str, host: str | None = None) -> http.client.HTTPResponse:
        """Make a plain HTTP request; the response has the attribute ``text``."""
        return await asyncio.to_thread(self._fetch, method, path, host)

    def _fetch(self, method: str, path: str, host: str | None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=STEP_TIMEOUT)
        try:
            connection.request(method, path, headers={} if host is None else {"Host": host})
            response = connection.getresponse()
            response.text = response.read().decode()  # type: ignore[attr-defined]
            return response
        finally:
            connection.close()


def expect(seen: object, wanted: object) -> None:
    """Fail the step if something is not as it should be."""
    if seen != wanted:
        raise AssertionError(f"expected {wanted!r}, got {seen!r}")


async def closed(connection: ClientConnection) -> tuple[int, str]:
    """Wait for the end of a connection, whatever comes before it; return close code and reason."""
    try:
        while True:
            await connection.recv()
    except ConnectionClosed as exc:
        return exc.code, exc.reason


# The steps, in order


async def page(stage: Stage) -> str:
    """GET / brings the page, which may load nothing from elsewhere."""
    response = await stage.fetch("GET", "/")
    expect((response.status, response.getheader("Content-Type")), (200, "text/html; charset=utf-8"))
    policy = response.getheader("Content-Security-Policy") or "no policy"
    expect(policy.startswith("default-src 'none';"), True)
    for path in ("/chat.js", "/chat.css"):
        expect(path in response.text, True)  # type: ignore[attr-defined]
        expect((await stage.fetch("GET", path)).status, 200)
    return f"{response.getheader('Content-Length')} bytes, {policy.partition(';')[0]}"


async def head(stage: Stage) -> str:
    """HEAD / is answered like GET, without a body."""
    response = await stage.fetch("HEAD", "/")
    expect((response.status, response.text), (200, ""))  # type: ignore[attr-defined]
    return f"200, Content-Length {response.getheader('Content-Length')}"


async def other_paths(stage: Stage) -> str:
    """Other requests get the status that fits."""
    requests = {"GET /favicon.ico": 204, "GET /nothing": 404, "POST /": 405, "GET /ws": 426}
    for request, status in requests.items():
        expect((request, (await stage.fetch(*request.split())).status), (request, status))
    return ", ".join(f"{request} {status}" for request, status in requests.items())


async def foreign_host(stage: Stage) -> str:
    """A page under a foreign name that leads here (DNS rebinding) gets nothing."""
    response = await stage.fetch("GET", "/", host=f"evil.example:{stage.port}")
    expect(response.status, 421)
    return "421"


async def foreign_origin(stage: Stage) -> str:
    """A page from elsewhere cannot open a WebSocket to the chat."""
    try:
        async with connect(stage.uri, origin="https://evil.example"):
            raise AssertionError("the connection was accepted")
    except InvalidStatus as exc:
        expect(exc.response.status_code, 403)
    return "403"


async def ada_joins(stage: Stage) -> str:
    """Ada joins; nobody is here."""
    welcome = await stage.join("Ada")
    expect((welcome["people"], welcome["history"]), (["Ada"], []))
    return "here: Ada"


async def bob_joins(stage: Stage) -> str:
    """Bob joins; both know it."""
    welcome = await stage.join("Bob")
    expect(welcome["people"], ["Ada", "Bob"])
    expect((await stage.hear("Ada", "joined"))["name"], "Bob")
    return "here: Ada, Bob"


async def second_ada(stage: Stage) -> str:
    """Another Ada is told why she cannot join."""
    async with connect(stage.uri) as connection:
        await connection.send(json.dumps({"type": "join", "name": "ADA"}))
        code, reason = await closed(connection)
    expect(code, REFUSED)
    return f"{code} {reason}"


async def hello(stage: Stage) -> str:
    """Ada says hello; both hear it."""
    await stage.say("Ada", "Hello, Bob!")
    lines = [await stage.hear(name, "said") for name in ("Ada", "Bob")]
    expect([(line["name"], line["text"]) for line in lines], [("Ada", "Hello, Bob!")] * 2)
    return "Ada: Hello, Bob!"


async def markup(stage: Stage) -> str:
    """Bob's answer arrives as he wrote it, markup and all."""
    text = "<b>Grüß dich</b>, Ada 👋"
    await stage.say("Bob", text)
    lines = [await stage.hear(name, "said") for name in ("Ada", "Bob")]
    expect([line["text"] for line in lines], [text] * 2)
    return f"Bob: {text}"


async def bad_messages(stage: Stage) -> str:
    """What is no message of the chat is answered with an error, and Ada stays."""
    complaints = []
    for message in ("{not JSON", "[" * 4000, '{"type": "dance"}', '{"type": "say", "text": ["a"]}', b"\x00\x01"):
        await stage.guests["Ada"].send(message)
        complaints.append((await stage.hear("Ada", "error"))["text"])
    expect(len(set(complaints)), 3)
    return str(complaints[0])


async def long_line(stage: Stage) -> str:
    """A line that is too long is refused."""
    await stage.say("Ada", "x" * 501)
    return str((await stage.hear("Ada", "error"))["text"])


async def too_fast(stage: Stage) -> str:
    """Bob talks too fast, and is slowed down."""
    for number in range(1, 6):
        await stage.say("Bob", f"{number}")
    lines = [await stage.hear("Ada", "said") for _ in range(4)]
    expect([line["text"] for line in lines], ["1", "2", "3", "4"])
    for _ in lines:
        await stage.hear("Bob", "said")
    return str((await stage.hear("Bob", "error"))["text"])


async def ping(stage: Stage) -> str:
    """Ada measures how far away the server is."""
    latency = await (await stage.guests["Ada"].ping())
    return f"{latency * 1000:.1f} ms"


async def history(stage: Stage) -> str:
    """Cleo comes late and learns what was said."""
    welcome = await stage.join("Cleo")
    texts = [line["text"] for line in welcome["history"]]
    expect((texts[0], texts[-1], len(texts)), ("Hello, Bob!", "4", 6))
    for name in ("Ada", "Bob"):
        await stage.hear(name, "joined")
    return f"{len(texts)} lines, the first of them: {texts[0]}"


async def terminal(stage: Stage) -> str:
    """Dan joins from a terminal, says a line, reads ours and leaves at the end of his input."""
    chat = str(Path(__file__).with_name("chat.py"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "utf8", chat, "client", "--name", "Dan", "--uri", stage.uri),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        expect((await stage.hear("Ada", "joined"))["name"], "Dan")
        process.stdin.write(b"Hi from a terminal\n")
        expect((await stage.hear("Ada", "said"))["text"], "Hi from a terminal")
        await stage.say("Cleo", "\x1b[31mred?")
        expect((await stage.hear("Ada", "said"))["name"], "Cleo")
        shown, _ = await process.communicate(b"")  # which ends the input
        expect((await stage.hear("Ada", "left"))["name"], "Dan")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = shown.decode().splitlines()
    expect((process.returncode, any(line.endswith(r"Cleo: \x1b[31mred?") for line in lines)), (0, True))
    return "control characters come out escaped"


async def too_big(stage: Stage) -> str:
    """A message over the limit of the connection ends it: close code 1009."""
    await stage.guests["Cleo"].send("x" * 10_000)
    code, reason = await closed(stage.guests["Cleo"])
    expect(code, 1009)
    expect((await stage.hear("Ada", "left"))["name"], "Cleo")
    return f"{code} {reason}"


async def bob_leaves(stage: Stage) -> str:
    """Bob hangs up with a reason; Ada is alone again."""
    await stage.guests["Bob"].close(1000, "Good night")
    left = await stage.hear("Ada", "left")
    expect((left["name"], left["people"]), ("Bob", ["Ada"]))
    return f"{stage.guests['Bob'].close_code}; here: Ada"


async def stop(stage: Stage) -> str:
    """The server stops, and says so."""
    stage.server.close()
    code, _ = await closed(stage.guests["Ada"])
    await stage.server.wait_closed()
    expect((code, stage.server.is_serving()), (1001, False))
    return "1001 going away"


STEPS: list[Callable[[Stage], Awaitable[str]]] = [
    *(page, head, other_paths, foreign_host, foreign_origin),
    *(ada_joins, bob_joins, second_ada, hello, markup, bad_messages, long_line, too_fast, ping, history),
    *(terminal, too_big, bob_leaves, stop),
]


async def run_check(port: int) -> int:
    """Run all steps against a server on this port, 0 for a free one; return the exit status."""
    faulthandler.dump_traceback_later(DEADLINE, exit=True)  # whatever happens, this ends
    logging.getLogger("twoway").setLevel(logging.WARNING)
    failures = 0
    async with listen(port) as server:
        stage = Stage(server)
        print(f"A chat on {stage.origin}, and those who talk there:", flush=True)
        for step in STEPS:
            failures += not await run_step(step, stage)
        for guest in stage.guests.values():
            guest.abort()
    faulthandler.cancel_dump_traceback_later()
    print(f"{len(STEPS) - failures} steps ok, {failures} FAILED", flush=True)
    return int(failures > 0)


async def run_step(step: Callable[[Stage], Awaitable[str]], stage: Stage) -> bool:
    """Run one step and print what came of it; return whether all was well."""
    summary = (step.__doc__ or "").splitlines()[0]
    try:
        async with asyncio.timeout(STEP_TIMEOUT):
            verdict, detail = "ok    ", await step(stage)
    except Exception as exc:
        verdict, detail = "FAILED", f"{type(exc).__name__}: {exc}"
    line = f"{verdict}  {summary}  [{detail}]"
    encoding = sys.stdout.encoding or "ascii"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    return verdict != "FAILED"
