"""``twoway probe``: explain a connection."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import click

from twoway.asyncio import ClientConnection
from twoway.http import InvalidProxy, Proxy

from ._command import Command, option
from ._connecting import Connecting, address_argument, connecting_options, run
from ._conversation import check_close, check_keepalive, check_negotiated, shake_hands
from ._exits import Exit, show_exits
from ._failures import Failure, Stop
from ._network import add_tls, reach, resolve, secure
from ._report import Report, Step, Verdict

_EXAMPLES = (
    ("twoway probe wss://example.com/chat", "Why does it not connect?"),
    ("twoway probe wss://example.com/chat --origin https://example.com --subprotocol chat", "As a page would:"),
    (
        "twoway probe wss://localhost:8443/ --ca ca.pem --json | jq '.steps[] | select(.verdict == \"fail\")'",
        "For a script:",
    ),
)


@click.command(
    cls=Command,
    short_help="Explain a connection step by step, and what is wrong with it.",
    examples=_EXAMPLES,
    tables=[("Exit status", show_exits())],
)
@address_argument
@option("--json", "as_json", is_flag=True, section="Output", help="Print all at the end, as one JSON object.")
@connecting_options()
def probe(uri: str | None, as_json: bool, **options: Any) -> None:
    """
    Explain a connection: name, TCP, TLS, proxy, redirects, handshake, subprotocol, extensions, keepalive, close.

    Each step says what was found and how long it took. The first one that fails says what is wrong and what to do.
    Each step makes a connection of its own, so that a failure shows where it is. No message is sent.
    """
    connecting = Connecting(uri, **options)
    report = Report(as_json)
    try:
        run(_probe(report, connecting))
    except Stop as stop:
        report.finish(Exit(stop.exit_code))
        raise
    report.finish(Exit.OK)


async def _probe(report: Report, connecting: Connecting) -> None:
    begin = asyncio.get_running_loop().time()
    report.add(_describe_address(connecting))
    proxy = None if connecting.unix is not None else _find_proxy(report, connecting)
    if proxy is not None:
        await _reach_proxy(report, proxy)
    elif connecting.unix is None:
        await _reach(report, connecting.target.host, connecting.target.port)
        if connecting.target.secure:
            await secure(report, connecting, connecting.target)
    connection, target = await shake_hands(report, connecting)
    try:
        moved = target.origin != connecting.target.origin
        async with connecting.limited(begin):
            await _talk(report, connecting, connection, show_tls=moved or proxy is not None)
    except Stop as stop:
        if stop.failure.exit is Exit.TIMEOUT:
            raise report.fail("time", stop.failure) from stop
        raise
    finally:
        await connection.close()


async def _reach(report: Report, host: str, port: int) -> None:
    await reach(report, f"{host}:{port}", await resolve(report, host, port))


async def _reach_proxy(report: Report, proxy: Proxy) -> None:
    try:
        addresses = await resolve(report, proxy.host, proxy.port)
        await reach(report, f"the proxy {proxy.host}:{proxy.port}", addresses)
    except Stop as stop:  # that it is a proxy which is not there says more
        raise Stop(replace(stop.failure, exit=Exit.PROXY)) from stop


async def _talk(report: Report, connecting: Connecting, connection: ClientConnection, show_tls: bool) -> None:
    found = connection.transport.get_extra_info("ssl_object")
    if show_tls and found is not None:
        add_tls(report, found, None, connecting.insecure)
    check_negotiated(report, connecting, connection)
    await check_keepalive(report, connection)
    await check_close(report, connection)


def _describe_address(connecting: Connecting) -> Step:
    target = connecting.target
    security = "with TLS" if target.secure else "without TLS"
    if connecting.unix is not None:
        return Step(
            "address", Verdict.OK, f"Unix socket {connecting.unix}, asking for {target.host_header}{target.path}"
        )
    text = f"host {target.host}, port {target.port}, path {target.path}, {security}"
    return Step("address", Verdict.OK, text)


def _find_proxy(report: Report, connecting: Connecting) -> Proxy | None:
    try:
        proxy = connecting.find_proxy()
    except InvalidProxy as exc:
        raise report.fail("proxy", Failure(Exit.USAGE, f"The proxy cannot be used: {exc}.")) from exc
    if proxy is None:
        report.add(Step("proxy", Verdict.INFO, "none: the connection is direct"))
    else:
        text = f"{proxy} ({proxy.source}): it is asked for a tunnel to {connecting.target.authority}"
        report.add(
            Step("proxy", Verdict.INFO, text, hint="" if connecting.proxy != "auto" else "--proxy none goes without")
        )
    return proxy
