"""The opening handshake, as it went over the wire, without what is secret in it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from twoway.asyncio import Headers, Request, Response

from ._text import escape

_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


def show_handshake(response: Response | None, request: Request | None = None) -> None:
    """
    Write request and response on standard error.

    Args:
        response: The response, None to write none.
        request: The request, None to write none.
    """
    if request is not None:
        _show("> ", [f"GET {request.path} HTTP/1.1", *list_headers(request.headers)])
    if response is not None:
        status = f"HTTP/1.1 {response.status_code} {escape(response.reason_phrase)}"
        _show("< ", [status.rstrip(), *list_headers(response.headers)])


def _show(mark: str, lines: list[str]) -> None:
    for line in lines:
        click.secho(f"{mark}{line}", dim=True, err=True)


def list_headers(headers: Headers) -> Iterator[str]:
    """
    Write headers for people.

    Args:
        headers: Those of a request or a response.

    Yields:
        A line for each, without credentials and the values of cookies.
    """
    for name, value in headers.raw_items():
        yield f"{escape(name)}: {_hide(name, value)}"


def _hide(name: str, value: str) -> str:
    if name.lower() not in _SECRET:
        return escape(value)
    # A scheme, or the name of a cookie, helps to find mistakes; the rest would open doors.
    scheme, blank, _ = value.partition(" ")
    return f"{escape(scheme)} ***" if blank and "authorization" in name.lower() else "***"
