"""The later steps of ``twoway probe``: opening handshake, what was negotiated, keepalive, close."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter

from twoway.asyncio import Cause, ClientConnection, ConnectionClosed, Request, Response
from twoway.http import WebSocketURI

from ._connecting import Connecting
from ._exits import Exit
from ._failures import Failure, judge
from ._handshake import list_headers
from ._report import Report, Step, Verdict
from ._text import escape, shorten

_PINGS = 3
# For each pong; seconds.
_PATIENCE = 5.0
# Headers by which those on the way make themselves known.
_ON_THE_WAY = ("Via", "X-Cache", "CF-RAY", "X-Served-By", "X-Amz-Cf-Id")


async def shake_hands(report: Report, connecting: Connecting) -> tuple[ClientConnection, WebSocketURI]:
    """
    Open the connection.

    Args:
        report: Gets the steps.
        connecting: The options.

    Returns:
        The connection, and where it leads after all redirects.

    Raises:
        Stop: It cannot be opened.
    """
    targets = [connecting.target]

    def redirected(source: WebSocketURI, target: WebSocketURI) -> None:
        targets.append(target)
        report.add(Step("redirect", Verdict.INFO, f"from {_show(source)} to {_show(target)}"))

    begin = perf_counter()
    try:
        connection = await connecting.open(redirected)
    except Exception as exc:
        place = connecting.place if len(targets) == 1 else f"{targets[-1].host}:{targets[-1].port}"
        response = getattr(exc, "response", None)
        details = () if response is None else tuple(_list_response(response))
        raise report.fail("handshake", connecting.explain(exc, place), details) from exc
    assert connection.request is not None
    assert connection.response is not None
    details = (*_list_request(connection.request), *_list_response(connection.response))
    report.add(Step("handshake", Verdict.OK, "the server speaks WebSocket", details, seconds=perf_counter() - begin))
    return connection, targets[-1]


def _list_request(request: Request) -> Iterator[str]:
    yield f"> GET {request.path} HTTP/1.1"
    for line in list_headers(request.headers):
        yield f"> {line}"


def _show(uri: WebSocketURI) -> str:
    return shorten(f"{uri.origin[0]}://{uri.host}:{uri.port}{uri.path}", 120)  # a query may hold secrets


def _list_response(response: Response) -> Iterator[str]:
    yield f"< HTTP/1.1 {response.status_code} {escape(response.reason_phrase)}".rstrip()
    for line in list_headers(response.headers):
        yield f"< {line}"
    if response.body:
        yield f"< {shorten(response.body.decode('utf-8', 'replace'), 120)}"


def check_negotiated(report: Report, connecting: Connecting, connection: ClientConnection) -> None:
    """
    Tell what was agreed on, and what is odd about it.

    Args:
        report: Gets the steps.
        connecting: The options.
        connection: Open.
    """
    report.add(_check_subprotocol(connecting, connection))
    report.add(_check_extensions(connecting, connection))
    assert connection.response is not None
    headers = connection.response.headers
    between = [f"{name}: {shorten(value, 80)}" for name in _ON_THE_WAY for value in headers.get_all(name)]
    if between:
        text = "somebody stands in front of the server: idle times and limits there count as well"
        report.add(Step("on the way", Verdict.INFO, text, tuple(between)))
    secrets = [
        name for name in ("Authorization", "Cookie") if connection.request and name in connection.request.headers
    ]
    if secrets and connection.transport.get_extra_info("ssl_object") is None and connecting.unix is None:
        text = f"{' and '.join(secrets)} went over the network for everybody to read"
        report.add(Step("secrets", Verdict.WARNING, text, hint="use wss://"))


def _check_subprotocol(connecting: Connecting, connection: ClientConnection) -> Step:
    if connection.subprotocol is not None:
        return Step("subprotocol", Verdict.OK, f"the server chose {escape(connection.subprotocol)}")
    if connecting.subprotocols:
        offered = ", ".join(connecting.subprotocols)
        text = f"the server chose none of {offered}: it may speak none of them, and ignore what you send"
        return Step("subprotocol", Verdict.WARNING, text)
    return Step("subprotocol", Verdict.INFO, "none was offered")


def _check_extensions(connecting: Connecting, connection: ClientConnection) -> Step:
    assert connection.response is not None
    agreed = [escape(value) for value in connection.response.headers.get_all("Sec-WebSocket-Extensions")]
    if agreed:
        return Step("extensions", Verdict.OK, ", ".join(agreed))
    why = "the server took no compression" if connecting.compress else "none was offered"
    return Step("extensions", Verdict.INFO, why)


async def check_keepalive(report: Report, connection: ClientConnection) -> None:
    """
    Send pings.

    Args:
        report: Gets the step.
        connection: Open.

    Raises:
        Stop: The connection ends meanwhile.
    """
    latencies: list[float] = []
    try:
        for _ in range(_PINGS):
            async with asyncio.timeout(_PATIENCE):
                latencies.append(await (await connection.ping()))
    except TimeoutError:
        text = f"no pong within {_PATIENCE:.0f} seconds: RFC 6455 §5.5.2 wants one"
        hint = "clients and proxies that send pings will drop the connection"
        report.add(Step("keepalive", Verdict.WARNING, text, hint=hint))
        return
    except ConnectionClosed as exc:
        failure = judge(exc)
        exit = Exit.CLOSED if failure.exit is Exit.OK else failure.exit
        raise report.fail("keepalive", Failure(exit, failure.sentence, failure.hint)) from exc
    shown = ", ".join(f"{latency * 1000:.1f} ms" for latency in latencies)
    report.add(Step("keepalive", Verdict.OK, f"{_PINGS} pings were answered, after {shown}"))


async def check_close(report: Report, connection: ClientConnection) -> None:
    """
    Close the connection, and look at how the server takes it.

    Args:
        report: Gets the step.
        connection: Open.
    """
    begin = perf_counter()
    await connection.close()
    seconds = perf_counter() - begin
    received, end = await _drain(connection)
    if received:
        unit = "message" if received == 1 else "messages"
        report.add(Step("messages", Verdict.INFO, f"the server sent {received} {unit} without being asked"))
    report.add(_judge_close(end, seconds))


async def _drain(connection: ClientConnection) -> tuple[int, ConnectionClosed]:
    """Count what came; the connection is closed."""
    received = 0
    while True:
        try:
            await connection.recv()
        except ConnectionClosed as exc:
            return received, exc
        received += 1


def _judge_close(exc: ConnectionClosed, seconds: float) -> Step:
    if exc.rcvd is not None:
        return Step(
            "close", Verdict.OK, f"the server answered our Close frame with {escape(str(exc.rcvd))}", seconds=seconds
        )
    if exc.cause is Cause.CLOSE_TIMEOUT:
        text = "the server did not answer our Close frame"
    else:
        text = "the server hung up without a Close frame"
    return Step("close", Verdict.WARNING, f"{text}: RFC 6455 §5.5.1 wants one", seconds=seconds)
